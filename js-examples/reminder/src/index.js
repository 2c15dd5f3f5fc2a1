import { DurableObject } from "cloudflare:workers";

/** One person's reminders. An object has one alarm: it is set to the earliest of them. */
export class Reminders extends DurableObject {
  async add(text, seconds) {
    const due = Date.now() + seconds * 1000;
    // Keys sort by time, so the earliest reminder is the first key.
    await this.ctx.storage.put(`due:${String(due).padStart(15, "0")}:${crypto.randomUUID()}`, { text, due });
    await this.schedule();
  }

  async schedule() {
    const [next] = (await this.ctx.storage.list({ prefix: "due:", limit: 1 })).values();
    if (next === undefined) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next.due);
  }

  async texts(prefix) {
    return [...(await this.ctx.storage.list({ prefix })).values()].map(({ text }) => text);
  }

  /** Delivery happens at least once: a reminder and its removal are one transaction, so it shows up once. */
  async alarm() {
    const { storage } = this.ctx;
    for (const [key, reminder] of await storage.list({ prefix: "due:", end: `due:${String(Date.now() + 1).padStart(15, "0")}` })) {
      await storage.put(key.replace("due:", "done:"), reminder);
      await storage.delete(key);
    }
    await this.schedule();
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === "POST") {
      await this.add(await request.text(), Number(searchParams.get("in")));
      return new Response("noted\n");
    }
    if (request.method === "DELETE") {
      await this.ctx.storage.deleteAll();
      return new Response("forgotten\n");
    }
    const texts = await this.texts(pathname === "/done" ? "done:" : "due:");
    return new Response(texts.length > 0 ? `${texts.join(", ")}\n` : "nothing\n");
  }
}

export default {
  fetch(request, env) {
    const who = new URL(request.url).searchParams.get("who") ?? "me";
    return env.REMINDERS.getByName(who).fetch(request);
  },
};
