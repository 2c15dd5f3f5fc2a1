import { DurableObject } from "cloudflare:workers";

/** A guestbook in SQL: entries and their full-text index are written together or not at all. */
export class Guestbook extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, name TEXT NOT NULL, message TEXT NOT NULL);
      CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(message, content = entries, content_rowid = id);
    `);
  }

  async fetch(request) {
    const url = new URL(request.url);
    if (request.method === "POST") {
      return Response.json(this.sign(await request.json()), { status: 201 });
    }
    const query = url.searchParams.get("q");
    return Response.json(query === null ? this.latest() : this.search(query));
  }

  sign({ name, message }) {
    return this.ctx.storage.transactionSync(() => {
      const entry = this.sql
        .exec("INSERT INTO entries (name, message) VALUES (?, ?) RETURNING id, name, message", name, message)
        .one();
      this.sql.exec("INSERT INTO words (rowid, message) VALUES (?, ?)", entry.id, message);
      return entry;
    });
  }

  latest() {
    return this.sql.exec("SELECT name, message FROM entries ORDER BY id DESC LIMIT 10").toArray();
  }

  search(query) {
    return this.sql
      .exec("SELECT name, highlight(words, 0, '[', ']') AS message FROM words JOIN entries ON id = words.rowid WHERE words MATCH ?", query)
      .toArray();
  }
}

export default {
  fetch(request, env) {
    return env.GUESTBOOK.getByName("main").fetch(request);
  },
};
