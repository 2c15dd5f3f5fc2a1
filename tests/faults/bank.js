import { DurableObject } from "cloudflare:workers";

/** One request, one change; a GET tells all that is stored, large values by their length. */
export class Bank extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const step = new URL(request.url).pathname.slice(1);
    switch (step) {
      case "birth":
        await storage.put({ a: 1, b: 2 });
        break;
      case "change":
        await storage.put("a", 2);
        await storage.delete("b");
        break;
      case "transaction":
        await storage.transaction(async (txn) => {
          await txn.put({ c: 3, d: 4 });
          await storage.transaction((inner) => inner.put("undone", 1).then(() => inner.rollback()));
        });
        break;
      case "large": // long enough for the WAL to be copied into the file
        await storage.put("large", "x".repeat(1_100_000));
        break;
      case "rebirth":
        await storage.deleteAll();
        await storage.put("again", 1);
        break;
      case "death":
        await storage.deleteAll();
        break;
      default: {
        const all = await storage.list();
        return Response.json(Object.fromEntries([...all].map(([k, v]) => [k, typeof v === "string" ? v.length : v])));
      }
    }
    return new Response("done");
  }
}
