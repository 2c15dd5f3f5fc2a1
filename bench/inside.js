// What bench/inside.py drives; the path says how often.
import { DurableObject } from "cloudflare:workers";

export class Parts extends DurableObject {
  echo(value) {
    return value;
  }

  async fetch(request) {
    const [, part, times] = new URL(request.url).pathname.split("/");
    switch (part) {
      case "ops":
        for (let left = Number(times); left > 0; left--) this.env.Parts.idFromString("0");
        break;
      case "gets":
        for (let left = Number(times); left > 0; left--) await this.ctx.storage.get("value");
        break;
      case "calls": {
        const other = this.env.Parts.getByName("other");
        for (let left = Number(times); left > 0; left--) await other.echo(left);
        break;
      }
      case "rows": {
        const { sql } = this.ctx.storage;
        sql.exec("CREATE TABLE IF NOT EXISTS n (i INTEGER PRIMARY KEY, name TEXT, r REAL)");
        if (sql.exec("SELECT count(*) AS n FROM n").one().n === 0)
          sql.exec(`WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 100000)
            INSERT INTO n SELECT i, 'name ' || i, i * 1.5 FROM c`);
        let sum = 0;
        for (const row of sql.exec(`SELECT * FROM n LIMIT ${times}`)) sum += row.r;
        return new Response(String(sum));
      }
    }
    return new Response(String(await this.ctx.storage.get("value")));
  }
}
