import { DurableObject } from "cloudflare:workers";

const SLOTS = 8;

/**
 * Counts, and writes each number twice: under the key "count" and in a ring of rows. A number that is in one
 * place and not in the other was half applied.
 */
export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS slots (place INTEGER PRIMARY KEY, number INTEGER)");
  }

  async fetch(request) {
    const { storage } = this.ctx;
    if (request.method === "POST") {
      const count = ((await storage.get("count")) ?? 0) + 1;
      await storage.put("count", count);
      storage.sql.exec("INSERT OR REPLACE INTO slots VALUES (?, ?)", count % SLOTS, count);
      return new Response(String(count));
    }
    return Response.json({
      count: (await storage.get("count")) ?? 0,
      slots: storage.sql.exec("SELECT number FROM slots ORDER BY number").raw().toArray().flat(),
    });
  }
}
