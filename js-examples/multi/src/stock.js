import { DurableObject } from "cloudflare:workers";

/** How many of one item are left, and which carts hold it. Tells those carts when the item is recalled. */
export class Stock extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return Response.json({ left: await this.left() });
      case "POST /":
        await this.ctx.storage.put("left", Number(await request.text()));
        return Response.json({ left: await this.left() });
      case "POST /reserve":
        return this.reserve(await request.text());
      case "POST /recall":
        return this.recall();
      default:
        return new Response("Not found\n", { status: 404 });
    }
  }

  async left() {
    return (await this.ctx.storage.get("left")) ?? 0;
  }

  async reserve(cart) {
    const left = await this.left();
    if (left === 0) {
      return Response.json({ error: "sold out" }, { status: 409 });
    }
    const holders = (await this.ctx.storage.get("holders")) ?? new Set();
    await this.ctx.storage.put({ left: left - 1, holders: holders.add(cart) });
    return Response.json({ left: left - 1 });
  }

  async recall() {
    const holders = (await this.ctx.storage.get("holders")) ?? new Set();
    const item = this.ctx.id.name;
    for (const holder of holders) {
      const cart = this.env.CARTS.get(this.env.CARTS.idFromString(holder));
      await cart.fetch(`https://cart/recalled/${item}`, { method: "POST" });
    }
    await this.ctx.storage.deleteAll();
    return Response.json({ carts: holders.size });
  }
}
