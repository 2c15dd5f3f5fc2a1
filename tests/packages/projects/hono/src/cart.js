import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";

/** What one session has put into its cart. */
export class Cart extends DurableObject {
  #app = new Hono()
    .basePath("/cart/direct")
    .get("/count", async (c) => c.json(Object.keys(await this.all()).length))
    .delete("/:item", async (c) => c.json(await this.ctx.storage.delete(c.req.param("item"))));

  fetch(request) {
    return this.#app.fetch(request, this.env);
  }

  async put(item, count) {
    await this.ctx.storage.put(item, count);
    return this.all();
  }

  async all() {
    return Object.fromEntries(await this.ctx.storage.list());
  }
}
