import { DurableObject } from "cloudflare:workers";

/** Keeps something in every kind of page: keys, long values, rows, an index, a full-text index, a stream, an alarm. */
export class Archive extends DurableObject {
  async fetch(request) {
    const { kv, sql } = this.ctx.storage;
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/fill":
        for (let number = 0; number < 200; number++) kv.put(`key ${number}`, { number, text: `text ${number}`.repeat(number % 40) });
        kv.put("long", "long ".repeat(4000));
        sql.exec("CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT UNIQUE, blob BLOB)");
        for (let id = 0; id < 200; id++) sql.exec("INSERT INTO word VALUES (?, ?, zeroblob(?))", id, `word ${id}`, (id * 31) % 3000);
        sql.exec("CREATE VIRTUAL TABLE page USING fts5(text)");
        for (let id = 0; id < 50; id++) sql.exec("INSERT INTO page VALUES (?)", `page number ${id} of a book`);
        await this.ctx.storage.put("stream", new Response("s".repeat(100_000)).body);
        await this.ctx.storage.setAlarm(Number(searchParams.get("alarm")));
        return new Response();
      case "/keys": return Response.json([...kv.list({ prefix: "key " })].length + String(kv.get("long")).length);
      case "/rows": return Response.json(sql.exec("SELECT count(*), max(text), sum(length(blob)) FROM word WHERE id >= 0 ORDER BY text").raw().toArray());
      case "/search": return Response.json(sql.exec("SELECT rowid FROM page WHERE page MATCH 'number' ORDER BY rank LIMIT 9").raw().toArray());
      case "/stream": return new Response(await this.ctx.storage.get("stream"));
      case "/rang": return Response.json(kv.get("rang") !== undefined);
      case "/bookmark": return Response.json(await this.ctx.storage.getCurrentBookmark());
      case "/past": return Response.json(await this.ctx.storage.getBookmarkForTime(Number(searchParams.get("time"))));
      case "/put": kv.put("put", searchParams.get("value")); break;
      case "/insert": sql.exec("INSERT OR REPLACE INTO word VALUES (1000, ?, NULL)", searchParams.get("value")); return Response.json(
        sql.exec("SELECT text FROM word WHERE id = 1000").one().text);
      case "/delete": for (const [key] of [...kv.list({ prefix: "key 1" })]) kv.delete(key); return new Response();
    }
    return Response.json(kv.get("put") ?? null);
  }

  alarm() {
    this.ctx.storage.kv.put("rang", [...this.ctx.storage.kv.list()].length);
  }
}
