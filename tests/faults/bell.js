// Counts the alarms that were set and remembers up to which of them one has fired.
import { DurableObject } from "cloudflare:workers";

export class Bell extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const set = (await storage.get("set")) ?? 0;
    if (request.method === "POST") {
      await storage.put("set", set + 1);
      await storage.setAlarm(Date.now() + Number(new URL(request.url).searchParams.get("in")));
      return new Response(String(set + 1));
    }
    return Response.json({ set, fired: (await storage.get("fired")) ?? 0, alarm: await storage.getAlarm() });
  }

  async alarm() {
    await this.ctx.storage.put("fired", await this.ctx.storage.get("set"));
  }
}

export default { fetch: () => new Response() };
