// Storage used at random, by programs made from a number: what every step gives, and what is there in the end. Served by durabox and by
// workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof Error || value instanceof DOMException) return `${value.name}: ${value.message}`;
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Set) return { set: [...value].map(show) };
  if (typeof value === "bigint") return `${value}n`;
  if (value === undefined) return "(undefined)";
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) return { number: Object.is(value, -0) ? "-0" : String(value) };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
const FAR = 4e12;

/** Numbers that follow from a seed. */
class Dice {
  constructor(seed) { this.state = (seed * 2654435761 + 1) >>> 0; }
  roll(n) {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * n);
  }
  of(...list) { return list[this.roll(list.length)]; }
  chance(percent) { return this.roll(100) < percent; }
  some(make, most) { return Array.from({ length: this.roll(most + 1) }, make); }
}

const KEYS = ["a", "ab", "abc", "b", "ba", "c", "", "\u00e9", "\u{1f600}", "\uffff", "1", "10", "2"];
const key = (d) => d.of(...KEYS);
const value = (d) => d.of(0, -0, 1.5, NaN, "", "text", "\u{1f600}", null, true, 7n, [1, [2]], { x: { y: 1 } }, new Date(5), new Map([[1, "m"]]), new Set([1]), new Uint8Array([1, 2]).buffer, "x".repeat(d.of(10, 5000, 70000)));
const cell = (d) => d.of(1, 2, 3, 2.5, -0, NaN, "", "a", "\u{1f600}", null, undefined, true, new Uint8Array([0, 255]), 2 ** 53);
const range = (d) => {
  const o = {};
  if (d.chance(30)) o.start = key(d); else if (d.chance(20)) o.startAfter = key(d);
  if (d.chance(30)) o.end = key(d);
  if (d.chance(30)) o.prefix = d.of("a", "ab", "", "1", "\u{1f600}", "z");
  if (d.chance(30)) o.reverse = true;
  if (d.chance(30)) o.limit = d.of(1, 2, 3, 100);
  return o;
};
const short = (v) => { const text = JSON.stringify(v); return text !== undefined && text.length > 300 ? `${text.slice(0, 60)} ${text.length}` : v; };

/** Statements about two tables, which are often not there. */
const statement = (d) => {
  const t = d.of("t", "u");
  const columns = d.of("a", "b", "a, b", "*", "count(*)", "typeof(a)", "b AS a, a AS b", "rowid, *");
  return d.of(
    [`CREATE TABLE ${d.of("", "IF NOT EXISTS ")}${t} (${d.of("a", "a, b", "a UNIQUE, b", "a INTEGER PRIMARY KEY, b", "a TEXT, b REAL")})`],
    [`CREATE TABLE IF NOT EXISTS ${t} (a, b)`],
    [`INSERT INTO ${t} (a) VALUES (?)`, cell(d)],
    [`INSERT INTO ${t} (a, b) VALUES (?, ?), (?, ?)`, cell(d), cell(d), cell(d), cell(d)],
    [`INSERT ${d.of("", "OR IGNORE ", "OR REPLACE ", "OR FAIL ", "OR ABORT ")}INTO ${t} (a, b) VALUES (?, ?)`, cell(d), cell(d)],
    [`SELECT ${columns} FROM ${t}`], [`SELECT ${columns} FROM ${t} WHERE a = ?`, cell(d)], [`SELECT ${columns} FROM ${t} LIMIT ?`, d.of(0, 1, 2)],
    [`SELECT * FROM ${t}`], [`SELECT * FROM ${t} ORDER BY a DESC, b`],
    [`UPDATE ${t} SET b = ? WHERE a = ?`, cell(d), cell(d)], [`UPDATE ${t} SET a = b`], [`DELETE FROM ${t} WHERE a = ?`, cell(d)], [`DELETE FROM ${t} RETURNING *`], [`DELETE FROM ${t}`],
    [`INSERT INTO ${t} (b) VALUES (?) RETURNING ${columns}`, cell(d)],
    [`ALTER TABLE ${t} ADD COLUMN ${d.of("b", "c", "d DEFAULT 7")}`], [`ALTER TABLE ${t} RENAME COLUMN ${d.of("a TO z", "z TO a", "b TO c", "c TO b")}`], [`ALTER TABLE ${t} DROP COLUMN ${d.of("b", "c", "d")}`], [`ALTER TABLE ${t} RENAME TO ${d.of("t", "u")}`],
    [`DROP TABLE ${d.of("", "IF EXISTS ")}${t}`], [`CREATE INDEX IF NOT EXISTS i${t} ON ${t} (a)`], [`DROP INDEX IF EXISTS i${t}`],
    [`DROP VIEW IF EXISTS v`], [`CREATE VIEW v AS SELECT ${columns} FROM ${t}`], [`SELECT * FROM v`],
    [`INSERT INTO ${t} (a) VALUES (5); SELECT * FROM ${t} WHERE a = ?`, 5], [`ALTER TABLE ${t} ADD COLUMN e; SELECT * FROM ${t}`], [`DELETE FROM ${t}; SELECT nothing`],
    [`SELECT 1 AS ${d.of("a", "b")}, ? AS x`, cell(d)], [`SELECT ?`], [`SELEC`], [`SELECT name FROM sqlite_master WHERE name IN ('t', 'u', 'v', 'it', 'iu') ORDER BY 1`], [`SELECT name FROM pragma_table_info('${t}')`], [`PRAGMA table_info(${t})`],
  );
};

const ops = {
  get: (d, s) => { const k = key(d); return () => s.get(k); },
  getMany: (d, s) => { const ks = d.some(() => key(d), 4); return () => s.get(ks); },
  put: (d, s) => { const k = key(d), v = value(d), o = d.of(undefined, undefined, { allowUnconfirmed: true }); return () => s.put(k, v, o); },
  putMany: (d, s) => { const e = Object.fromEntries(d.some(() => [key(d), value(d)], 4)); return () => s.put(e); },
  putBad: (d, s) => { const k = key(d), v = d.of(() => 1, Symbol("s"), undefined, { a: 1, f() {} }); return () => s.put(k, v); },
  putManyBad: (d, s) => { const k = key(d); return () => s.put({ [k]: 1, z: () => 1 }); },
  delete: (d, s) => { const k = key(d); return () => s.delete(k); },
  deleteMany: (d, s) => { const ks = d.some(() => key(d), 4); return () => s.delete(ks); },
  list: (d, s) => { const o = range(d); return () => s.list(o); },
  kvGet: (d, s) => { const k = key(d); return () => s.kv.get(k); },
  kvPut: (d, s) => { const k = key(d), v = value(d); return () => s.kv.put(k, v); },
  kvDelete: (d, s) => { const k = key(d); return () => s.kv.delete(k); },
  kvList: (d, s) => { const o = range(d); return () => [...s.kv.list(o)]; },
  kvListChanging: (d, s) => { const o = range(d), other = key(d); return () => { const seen = []; for (const [k] of s.kv.list(o)) { seen.push(k); s.kv.delete(k); s.kv.delete(other); } return seen; }; },
  exec: (d, s) => { const [text, ...bindings] = statement(d); return () => { const c = s.sql.exec(text, ...bindings); return [c.toArray(), c.columnNames]; }; },
  raw: (d, s) => { const [text, ...bindings] = statement(d); return () => s.sql.exec(text, ...bindings).raw().toArray(); },
  one: (d, s) => { const [text, ...bindings] = statement(d); return () => s.sql.exec(text, ...bindings).one(); },
  alarm: (d, s) => { const t = FAR + d.roll(1000); return () => s.setAlarm(t); },
  getAlarm: (d, s) => () => s.getAlarm(),
  deleteAlarm: (d, s) => () => s.deleteAlarm(),
  open: (d, s, p) => { const n = d.of(15000, 30000), how = d.of("rows", "raw"); return () => { if (p.cursor) return "open already"; p.cursor = s.sql.exec(`WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${n}) SELECT i, 'text' AS t FROM c`); p.rows = how === "raw" ? p.cursor.raw() : p.cursor; return p.cursor.columnNames; }; },
  next: (d, s, p) => { const n = d.of(1, 3); return () => { if (!p.cursor) return "none"; const out = []; for (let i = 0; i < n; i++) out.push(p.rows.next().value); return out; }; },
  close: (d, s, p) => () => { const c = p.cursor; p.cursor = undefined; return c ? c.toArray().length : "none"; },
  fts: (d, s) => { const [text, ...bindings] = d.of(["CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(x)"], ["INSERT INTO f VALUES (?)", d.of("one two", "two three", "", null)], ["SELECT x FROM f WHERE f MATCH ? ORDER BY rank, rowid", d.of("two", "one", "nothing", "\"", "t*")], ["DELETE FROM f WHERE f MATCH 'one'"], ["UPDATE f SET x = 'new two' WHERE rowid = 1"], ["DROP TABLE IF EXISTS f"], ["SELECT rowid, x FROM f"]); return () => s.sql.exec(text, ...bindings).toArray(); },
  keys: (d, s) => { const [text, ...bindings] = d.of(["CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS q (p REFERENCES p (id) ON DELETE " + d.of("CASCADE", "SET NULL", "RESTRICT") + ")"], ["INSERT INTO p VALUES (?)", d.of(1, 2, 3)], ["INSERT INTO q VALUES (?)", d.of(1, 2, 3, null)], ["DELETE FROM p WHERE id = ?", d.of(1, 2, 3)], ["SELECT * FROM q ORDER BY p"], ["PRAGMA foreign_key_check"], ["DROP TABLE IF EXISTS q"], ["REPLACE INTO p VALUES (?)", 1], ["UPDATE p SET id = id + 1 RETURNING id"]); return () => s.sql.exec(text, ...bindings).toArray(); },
  trigger: (d, s) => { const [text, ...bindings] = d.of(["CREATE TRIGGER IF NOT EXISTS r AFTER INSERT ON t BEGIN INSERT INTO u (a) VALUES (new.a); END"], ["DROP TRIGGER IF EXISTS r"], ["ANALYZE"], ["REINDEX"], ["PRAGMA table_list(t)"], ["PRAGMA quick_check"], ["PRAGMA defer_foreign_keys"], ["EXPLAIN QUERY PLAN SELECT * FROM t"]); return () => s.sql.exec(text, ...bindings).toArray(); },
  at_once: (d, s, p) => { const seeds = d.some(() => d.roll(1e6), 3); return async () => (await Promise.allSettled(seeds.map((seed, i) => s.transaction(async (t) => { const e = new Dice(seed); const out = []; for (let j = e.roll(4); j >= 0; j--) { const name = e.of("get", "put", "delete", "list", "kvPut", "exec"); try { out.push(await ops[name](e, name.startsWith("kv") || name === "exec" ? s : t, p)()); } catch (error) { out.push(error); } } const how = e.roll(4); if (how === 0) throw new Error(`txn ${i}`); if (how === 1) t.rollback(); return out; })))).map((r) => r.value ?? r.reason); },
  sync: (d, s) => () => s.sync(),
  wait: (d) => { const ms = d.of(0, 1); return () => scheduler.wait(ms); },
};
const WEIGHTED = ["get", "getMany", "put", "put", "putMany", "putBad", "putManyBad", "delete", "deleteMany", "list", "list", "kvGet", "kvPut", "kvDelete", "kvList", "kvListChanging", ...Array(12).fill("exec"), "raw", "one", "alarm", "getAlarm", "deleteAlarm", "sync", "wait", "open", "next", "next", "close", "fts", "fts", "fts", "keys", "keys", "keys", "trigger", "trigger", "at_once"];
const SYNC = ["kvGet", "kvPut", "kvDelete", "kvList", "exec", "exec", "exec", "raw", "open", "next", "next", "close", "fts", "keys", "trigger"];

class Program {
  constructor(seed, ctx) { this.d = new Dice(seed); this.s = ctx.storage; this.ctx = ctx; this.log = []; }
  /** The host's own tables are there, so that none is made, and unmade, later. */
  async begin() { const { s } = this; await s.put("seed", 1); await s.setAlarm(FAR); await s.deleteAlarm(); await s.sync(); }
  note(name, result) { this.log.push([name, short(show(result))]); }
  async attempt(name, run) { try { this.note(name, await run()); } catch (error) { this.note(name, error); } }
  /** Some steps, one after the other. */
  async steps(count, depth, txn) {
    for (let i = 0; i < count; i++) await this.step(depth, txn);
  }
  async step(depth, txn) {
    const { d, s, ctx } = this;
    const kind = d.roll(100);
    if (kind < 8 && depth < 3) return this.attempt("transaction", () => s.transaction(async (t) => {
      await this.steps(d.roll(5), depth + 1, t);
      const end = d.roll(5);
      if (end === 0) throw new Error(`end ${depth}`);
      if (end === 1) { t.rollback(); await this.attempt("after rollback", () => d.of(() => t.get("a"), () => t.put("a", 1), () => t.delete("a"), () => t.list(), () => t.setAlarm(FAR), () => t.rollback())()); await this.steps(d.roll(3), depth + 1); }
      return end;
    }));
    if (kind < 16 && depth < 3) return this.attempt("transactionSync", () => this.together(depth));
    if (kind < 19 && depth < 3) return this.attempt("block", () => ctx.blockConcurrencyWhile(async () => { await this.steps(d.roll(3), depth + 1, txn); return "block"; }));
    if (kind < 23) return this.attempt("all", async () => {
      const all = [];
      for (let i = d.roll(5); i >= 0; i--) all.push(ops[d.of(...WEIGHTED.filter((n) => n !== "sync" && n !== "wait" && n !== "at_once"))](d, s, this));
      return (await Promise.allSettled(all.map(async (run) => run()))).map((r) => r.value ?? r.reason ?? null);
    });
    if (kind < 25) return this.attempt("deleteAll", async () => { await s.deleteAll(); await this.begin(); });
    const name = d.of(...WEIGHTED);
    const onTxn = txn !== undefined && !name.endsWith("Bad") && d.chance(50) && typeof txn[name.replace("Many", "")] === "function";
    return this.attempt(onTxn ? `txn ${name}` : name, ops[name](d, onTxn ? txn : s, this));
  }
  together(depth) {
    const { d, s } = this;
    return s.transactionSync(() => {
      for (let i = d.roll(4); i >= 0; i--) {
        if (depth < 3 && d.chance(15)) { try { this.note("inner", this.together(depth + 1)); } catch (error) { this.note("inner", error); } continue; }
        const name = d.of(...SYNC);
        try { this.note(name, ops[name](d, s, this)()); } catch (error) { this.note(name, error); }
      }
      if (d.chance(30)) throw new RangeError(`sync ${depth}`);
      return "done";
    });
  }
  async end() {
    const { s } = this;
    const tables = s.sql.exec("SELECT name, sql FROM sqlite_master WHERE name IN ('t', 'u', 'v', 'it', 'iu') ORDER BY name").raw().toArray();
    const rows = tables.map(([name]) => { try { return s.sql.exec(`SELECT * FROM ${name}`).raw().toArray(); } catch (error) { return error; } });
    return short(show([[...(await s.list())].map(([k, v]) => [k, short(show(v))]), tables, rows, await s.getAlarm()]));
  }
}

export class Probe extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const program = new Program(Number(searchParams.get("seed")), this.ctx);
    if (pathname === "/end") return Response.json(await program.end());
    await program.begin();
    await program.steps(Number(searchParams.get("steps")), 0);
    return Response.json(program.log);
  }
  alarm() {}
}

async function answer(env, seed) {
  const answers = [];
  const ask = async (path) => {
    const late = scheduler.wait(8000).then(() => Response.json("hangs"));
    try { return await (await Promise.race([late, env.PROBE.getByName(`${seed}`).fetch(`http://o${path}`)])).json(); } catch (error) { return show(error); }
  };
  for (let part = 0; part < 3; part++) {
    answers.push(await ask(`/run?seed=${seed * 10 + part}&steps=25`));
    answers.push(await ask("/end?seed=0"));
  }
  return answers;
}

export default {
  async fetch(request, env) {
    const answers = {};
    const { searchParams } = new URL(request.url);
    const seeds = Array.from({ length: Number(searchParams.get("count")) }, (_, i) => Number(searchParams.get("first")) + i);
    const work = async () => { for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) answers[`seed ${seed}`] = await answer(env, seed); };
    await Promise.all(Array.from({ length: 6 }, work));
    return Response.json(answers);
  },
};
