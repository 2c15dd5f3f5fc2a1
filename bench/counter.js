// The class that both sides run: an ordinary Worker with one Durable Object class.
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async fetch(request) {
    let value = (await this.ctx.storage.get("value")) ?? 0;
    if (request.method === "POST") {
      await this.ctx.storage.put("value", ++value);
    }
    return new Response(String(value));
  }
}

export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1);
    return env.COUNTER.get(env.COUNTER.idFromName(name)).fetch(request);
  },
};
