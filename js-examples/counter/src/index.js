import { DurableObject } from "cloudflare:workers";

/** A number that survives restarts. */
export class Counter extends DurableObject {
  async value() {
    return (await this.ctx.storage.get("value")) ?? 0;
  }

  async add(amount) {
    const value = (await this.value()) + amount;
    await this.ctx.storage.put("value", value);
    return value;
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return new Response(`${await this.value()}\n`);
      case "POST /increment":
        return new Response(`${await this.add(1)}\n`);
      case "POST /decrement":
        return new Response(`${await this.add(-1)}\n`);
      default:
        return new Response("Try GET /, POST /increment or POST /decrement.\n", { status: 404 });
    }
  }
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).searchParams.get("name");
    if (!name) {
      return new Response("Say which counter: ?name=a\n", { status: 400 });
    }
    return env.COUNTER.get(env.COUNTER.idFromName(name)).fetch(request);
  },
};
