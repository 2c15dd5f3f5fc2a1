import { DurableObject } from "cloudflare:workers";

/** Runs the steps that a request carries, one after another, and tells what each gave. */
export class Interpreter extends DurableObject {
  async fetch(request) {
    return Response.json(await this.run(await request.json()));
  }

  async run(steps, txn) {
    const results = [];
    for (const step of steps) results.push(await this.step(step, txn));
    return results;
  }

  async step([what, ...given], txn) {
    const { storage } = this.ctx;
    switch (what) {
      case "get": return this.plain(await this.store(given.pop(), txn).get(...given));
      case "put": return this.plain(await this.store(given.pop(), txn).put(...given));
      case "put many": return this.plain(await this.store(given.pop(), txn).put(Object.fromEntries(given[0])));
      case "delete": return this.store(given.pop(), txn).delete(...given);
      case "list": return this.plain(await this.store(given.pop(), txn).list(...given));
      case "put what cannot be": return storage.put("bad", { a: () => 1 }).catch((error) => error.name);
      case "put unconfirmed": return this.plain(await storage.put(...given, { allowUnconfirmed: true }));
      case "unawaited": storage.put(...given); return null;
      case "deleteAll": return storage.deleteAll().then(() => null, (error) => error.message);
      case "sync": return this.plain(await storage.sync());
      case "section": return this.ctx.blockConcurrencyWhile(() => this.run(given[0], txn));
      case "transaction": return this.transaction(...given);
      case "transactionSync": return this.transactionSync(...given);
      case "abort": return this.ctx.abort("aborted");
      case "throw": throw new Error("thrown");
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

  transactionSync(entries, end) {
    const { storage } = this.ctx;
    try {
      storage.transactionSync(() => {
        for (const [key, value] of entries) storage.put(key, value);
        if (end === "throw") throw new Error("given up");
      });
    } catch (error) {
      return error.message;
    }
    return "done";
  }

  store(who, txn) {
    return who === "txn" && txn ? txn : this.ctx.storage;
  }

  plain(value) {
    return value === undefined ? null : value instanceof Map ? [...value] : [value];
  }
}
