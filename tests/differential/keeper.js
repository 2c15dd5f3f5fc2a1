import { DurableObject } from "cloudflare:workers";

const VALUES = {
  number: () => 1.5,
  text: () => "\u20ac\u{1f600}",
  date: () => new Date(5),
  bytes: () => new Uint8Array([1, 2, 3]),
  map: () => new Map([["a", new Set([1n])]]),
  error: () => new TypeError("kept"),
  nested: () => ({ a: [1, , { b: null, c: undefined }] }),
  "\u{10000}": () => 1,
  "\uffff": () => 2,
};

/** Keeps values of many types, rows, words to search for and an alarm; tells what it has. So do its facets, without an alarm. */
export class Keeper extends DurableObject {
  async fetch(request) {
    const { storage, facets } = this.ctx;
    const url = new URL(request.url);
    const [, encoded, rest] = url.pathname.match(/^\/at\/([^/]*)(\/.*)$/) ?? [];
    if (encoded !== undefined) {
      const facet = decodeURIComponent(encoded);
      url.pathname = rest;
      const startup = () => ({ class: this.ctx.exports.Keeper({ props: { facet } }), id: facet });
      return facets.get(facet, startup).fetch(url, request);
    }
    switch (url.pathname) {
      case "/remove":
        facets.delete(url.searchParams.get("facet"));
        break;
      case "/clone":
        facets.clone(url.searchParams.get("from"), url.searchParams.get("to"));
        break;
      case "/write":
        for (const [key, make] of Object.entries(VALUES)) await storage.put(key, make());
        storage.sql.exec(`
          CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, data BLOB, amount REAL);
          CREATE INDEX by_text ON notes (text);
          CREATE VIRTUAL TABLE words USING fts5(text);
        `);
        storage.sql.exec("INSERT INTO notes VALUES (?, ?, ?, ?)", 1, "kept €", new Uint8Array([0, 255]).buffer, 0.5);
        storage.sql.exec("INSERT INTO words (text) VALUES ('these words are kept')");
        if (!this.ctx.props.facet) await storage.setAlarm(4e12);
        break;
      case "/change":
        await storage.transaction(async (txn) => {
          await txn.put("changes", ((await txn.get("changes")) ?? 0) + 1);
          await txn.delete("number");
          storage.sql.exec("INSERT INTO notes (text) VALUES ('changed')");
          storage.sql.exec("INSERT INTO words (text) VALUES ('so are kept ones')");
          if (!this.ctx.props.facet) await txn.setAlarm((await txn.getAlarm()) + 1000);
        });
        break;
      case "/rows":
        return Response.json(await this.rows());
      case "/replace":
        await storage.deleteAll();
        await storage.put("replaced", new Date(7));
        break;
    }
    return new Response([...(await storage.list())].map(([key, value]) => `${key}=${show(value)}`).join("\n"));
  }

  async rows() {
    const { sql } = this.ctx.storage;
    const notes = sql.exec("SELECT * FROM notes ORDER BY id").raw().toArray();
    const found = sql.exec("SELECT rowid, highlight(words, 0, '[', ']') FROM words WHERE words MATCH 'kept' ORDER BY rowid");
    return [notes.map((row) => row.map((cell) => (cell instanceof ArrayBuffer ? [...new Uint8Array(cell)] : cell))),
      found.raw().toArray(), await this.ctx.storage.getAlarm()];
  }

  alarm() {}
}

function show(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${[...value].map(show)})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value})`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([k, v]) => `${k}:${show(v)}`)}}`;
  return String(value);
}

export default {
  fetch(request, env) {
    return env.KEEPER.getByName(new URL(request.url).searchParams.get("name")).fetch(request);
  },
};
