import { DurableObject } from "cloudflare:workers";

const FAR = 4_000_000_000_000;

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
      case "tables": // rows, keys and the alarm in one commit
        storage.sql.exec("CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, text TEXT UNIQUE)");
        storage.sql.exec("INSERT OR REPLACE INTO words VALUES (1, 'one'), (2, 'two')");
        storage.kv.put("tables", 1);
        await storage.setAlarm(FAR);
        break;
      case "rows":
        await storage.transaction(async (txn) => {
          storage.sql.exec("INSERT INTO words VALUES (3, 'undone')");
          await txn.deleteAlarm();
          txn.rollback();
        });
        storage.sql.exec("UPDATE words SET text = text || '!' WHERE id = 2; DELETE FROM words WHERE id = 1");
        storage.transactionSync(() => storage.kv.put("rows", 1));
        await storage.setAlarm(FAR - 1000);
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
        const content = Object.fromEntries([...all].map(([k, v]) => [k, typeof v === "string" ? v.length : v]));
        const alarm = await storage.getAlarm();
        if (alarm !== null) content.alarm = alarm;
        if (storage.sql.exec("SELECT 1 FROM sqlite_schema WHERE name = 'words'").toArray().length)
          content.words = [...storage.sql.exec("SELECT * FROM words ORDER BY id").raw()];
        return Response.json(content);
      }
    }
    return new Response("done");
  }

  alarm() {}
}
