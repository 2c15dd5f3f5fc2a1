// Counts the alarms that were set and remembers up to which of them one has fired. GET answers when one has fired after the last was set.
import { DurableObject } from "cloudflare:workers";

export class Bell extends DurableObject {
  waiting = [];

  async fetch(request) {
    const { storage } = this.ctx;
    const set = (await storage.get("set")) ?? 0;
    if (request.method === "POST") {
      await storage.put("set", set + 1);
      await storage.setAlarm(Date.now() + Number(new URL(request.url).searchParams.get("in")));
      return new Response(String(set + 1));
    }
    let fired;
    while ((fired = (await storage.get("fired")) ?? 0) !== set) await new Promise((resolve) => this.waiting.push(resolve));
    return Response.json({ set, fired });
  }

  async alarm() {
    await this.ctx.storage.put("fired", await this.ctx.storage.get("set"));
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export default { fetch: () => new Response() };
