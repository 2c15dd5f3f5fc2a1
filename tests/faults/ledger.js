import { DurableObject } from "cloudflare:workers";

const SLOTS = 8;

/**
 * Counts, and writes each number twice: under "count" and in a ring of slots. A number that is in one
 * place and not in the other was half applied.
 */
export class Ledger extends DurableObject {
  async fetch(request) {
    if (request.method === "POST") {
      const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
      await this.ctx.storage.put("count", count);
      await this.ctx.storage.put(`slot:${count % SLOTS}`, count);
      return new Response(String(count));
    }
    const slots = await this.ctx.storage.list({ prefix: "slot:" });
    return Response.json({
      count: (await this.ctx.storage.get("count")) ?? 0,
      slots: [...slots.values()].sort((a, b) => a - b),
    });
  }
}
