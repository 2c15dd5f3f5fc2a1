import { DurableObject } from "cloudflare:workers";

/** Runs the steps that a request carries, one after another, and tells what each gave. */
export class Interpreter extends DurableObject {
  async fetch(request) {
    return Response.json(await this.run(await request.json()));
  }

  /** Counts in "rang"; "fail" says how often it still throws, "again" how often it sets itself anew. */
  async alarm({ scheduledTime }) {
    const { kv } = this.ctx.storage;
    kv.put("rang", (kv.get("rang") ?? 0) + 1);
    for (const key of ["fail", "again"]) {
      const left = kv.get(key) ?? 0;
      if (!left) continue;
      kv.put(key, left - 1);
      if (key === "fail") throw new Error("not today");
      await this.ctx.storage.setAlarm(scheduledTime + 1000);
    }
  }

  async run(steps, txn) {
    const results = [];
    for (const step of steps) results.push(await this.step(step, txn));
    return results;
  }

  async step([what, ...given], txn) {
    const { storage } = this.ctx;
    switch (what) {
      case "get": return this.plain(await this.store(given.pop(), txn).get(...given), txn);
      case "put": return this.plain(await this.store(given.pop(), txn).put(...given));
      case "put many": return this.plain(await this.store(given.pop(), txn).put(Object.fromEntries(given[0])));
      case "delete": return this.store(given.pop(), txn).delete(...given);
      case "list": return this.plain(await this.store(given.pop(), txn).list(...given), txn);
      case "put stream":
        await this.store(given.pop(), txn).put(given[0], new Response("x".repeat(given[1])).body);
        // Outside of transactions it is written in steps of its own, which may be committed already.
        if (!txn) await storage.sync();
        return null;
      case "setAlarm": return this.plain(await this.store(given.pop(), txn).setAlarm(Date.now() + given[0]));
      case "deleteAlarm": return this.plain(await this.store(given.pop(), txn).deleteAlarm());
      case "getAlarm": return this.store(given.pop(), txn).getAlarm();
      case "put what cannot be": return storage.put("bad", { a: () => 1 }).catch((error) => error.name);
      case "put unconfirmed": return this.plain(await storage.put(...given, { allowUnconfirmed: true }));
      case "unawaited": storage.put(...given); return null;
      case "deleteAll": return storage.deleteAll().then(() => null, (error) => error.message);
      case "sync": return this.plain(await storage.sync());
      case "section": return this.ctx.blockConcurrencyWhile(() => this.run(given[0], txn));
      case "transaction": return this.transaction(...given);
      case "abort": return this.ctx.abort("aborted");
      case "throw": throw new Error("thrown");
    }
    return this.stepSync([what, ...given]);
  }

  /** What needs no promise. */
  stepSync([what, ...given]) {
    const { kv, sql } = this.ctx.storage;
    const rows = (text, ...bindings) => {
      sql.exec("CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
      try {
        return [...sql.exec(text, ...bindings).raw()];
      } catch (error) {
        return error.message;
      }
    };
    switch (what) {
      case "kv.put": kv.put(...given); return null;
      case "kv.get": return this.plainSync(kv.get(...given));
      case "kv.delete": return kv.delete(...given);
      case "kv.list": return [...kv.list(...given)].map(([key]) => key);
      case "ring later": this.ctx.storage.setAlarm(Date.now() + given[0]); return null;
      case "insert": return rows("INSERT INTO words VALUES (?, ?) RETURNING text", ...given);
      case "replace": return rows("INSERT OR REPLACE INTO words VALUES (?, ?)", ...given);
      case "update": return rows("UPDATE words SET text = text || ? WHERE id >= ? RETURNING id", ...given);
      case "remove": return rows("DELETE FROM words WHERE id = ? RETURNING text", ...given);
      case "select": return rows("SELECT id, text FROM words WHERE id >= ? ORDER BY id DESC", ...given);
      case "drop": sql.exec("DROP TABLE IF EXISTS words"); return null;
      case "transactionSync": return this.transactionSync(...given);
    }
    throw new Error(`no such step: ${what}`);
  }

  /** What a transaction did, and how it ended. */
  async transaction(steps, end) {
    let results;
    try {
      await this.ctx.storage.transaction(async (txn) => {
        results = await this.run(steps, txn);
        if (end === "rollback") txn.rollback();
        if (end === "throw") throw new Error("given up");
      });
    } catch (error) {
      return [results, error.message];
    }
    return [results, "done"];
  }

  transactionSync(steps, end) {
    const results = [];
    try {
      this.ctx.storage.transactionSync(() => {
        for (const step of steps) results.push(this.stepSync(step));
        if (end === "throw") throw new Error("given up");
      });
    } catch (error) {
      return [results, error.message];
    }
    return [results, "done"];
  }

  store(who, txn) {
    return who === "txn" && txn ? txn : this.ctx.storage;
  }

  /** As JSON: streams as what they hold. */
  async plain(value, txn) {
    const values = value instanceof Map ? [...value.values()] : [value];
    const plain = await Promise.all(values.map(read));
    // Reading one takes time, in which what was written outside of transactions may be committed or not yet.
    if (!txn && values.some((each) => each instanceof ReadableStream)) await this.ctx.storage.sync();
    return value instanceof Map ? [...value.keys()].map((key, place) => [key, plain[place]]) : this.plainSync(plain[0]);
  }

  plainSync(value) {
    return value === undefined ? null : [value];
  }
}

async function read(value) {
  return value instanceof ReadableStream ? { stream: (await new Response(value).text()).length } : value;
}
