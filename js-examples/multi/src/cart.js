import { DurableObject } from "cloudflare:workers";

/** What one customer has taken. Asks the item's `Stock` before it takes one. */
export class Cart extends DurableObject {
  async fetch(request) {
    const [, action, item] = new URL(request.url).pathname.split("/");
    switch (`${request.method} ${action}`) {
      case "GET ":
        return Response.json(await this.items());
      case "POST add":
        return this.add(item);
      case "POST recalled":
        return this.recalled(item);
      default:
        return new Response("Not found\n", { status: 404 });
    }
  }

  async items() {
    return (await this.ctx.storage.get("items")) ?? [];
  }

  async add(item) {
    const stock = this.env.STOCK.getByName(item);
    const answer = await stock.fetch("https://stock/reserve", {
      method: "POST",
      body: this.ctx.id.toString(),
    });
    if (!answer.ok) {
      return answer;
    }
    await this.ctx.storage.put("items", [...(await this.items()), item]);
    return Response.json(await this.items());
  }

  async recalled(item) {
    const kept = (await this.items()).filter((other) => other !== item);
    await this.ctx.storage.put("items", kept);
    return Response.json(kept);
  }
}
