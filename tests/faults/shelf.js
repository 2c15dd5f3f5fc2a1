import { DurableObject } from "cloudflare:workers";

/** Keeps a number and, when asked to, a row, an alarm, and some 40 KB in a few of 500 keys. */
export class Shelf extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const { searchParams } = new URL(request.url);
    if (request.method === "POST") {
      const value = searchParams.get("value");
      await storage.put("value", value);
      if (searchParams.has("row")) {
        storage.sql.exec("CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, text TEXT)");
        storage.sql.exec("INSERT INTO item (text) VALUES (?)", value);
      }
      if (searchParams.has("more")) {
        for (let place = 0; place < 20; place++) await storage.put(`more ${(place * 37 + Number(value)) % 500}`, value.padEnd(2000));
      }
      if (searchParams.has("alarm")) await storage.setAlarm(Number(searchParams.get("alarm")));
    }
    return new Response(await storage.get("value"));
  }

  alarm() {}
}
