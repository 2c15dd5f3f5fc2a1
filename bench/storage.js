// What one event does with its object's storage: the class that both sides of `bench.peer_storage` run.
import { DurableObject } from "cloudflare:workers";

const KEYS = Array.from({ length: 1000 }, (_, i) => `key-${String(i).padStart(4, "0")}`);
const entries = (count, value) => Object.fromEntries(KEYS.slice(0, count).map((key) => [key, value]));

export class Storage extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    switch (new URL(request.url).pathname.split("/").at(-1)) {
      case "sql": {
        const { sql } = storage;
        sql.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT, amount REAL)");
        sql.exec("DELETE FROM t");
        for (let i = 0; i < 100; i++) sql.exec("INSERT INTO t (name, amount) VALUES (?, ?)", `row ${i}`, i * 1.5);
        return new Response(String(sql.exec("SELECT count(*) AS n FROM t").one().n));
      }
      case "scan": {
        const { sql } = storage;
        sql.exec("CREATE TABLE IF NOT EXISTS s (id INTEGER PRIMARY KEY, name TEXT, amount REAL)");
        if (sql.exec("SELECT count(*) AS n FROM s").one().n === 0)
          sql.exec(`WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
            INSERT INTO s SELECT i, 'row ' || i, i * 1.5 FROM c`);
        let sum = 0;
        for (const row of sql.exec("SELECT * FROM s")) sum += row.amount;
        return new Response(String(sum));
      }
      case "list": {
        if ((await storage.get(KEYS[999])) === undefined) await storage.put(entries(1000, { n: 1 }));
        return new Response(String((await storage.list({ limit: 1000 })).size));
      }
      case "put": {
        await storage.put(entries(128, { n: Math.random() }));
        return new Response("128");
      }
    }
    return new Response("ready");
  }
}

export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.split("/")[1];
    return env.STORAGE.get(env.STORAGE.idFromName(name)).fetch(request);
  },
};
