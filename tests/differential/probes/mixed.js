// Storage in combinations: what is open meets what happens, case by case, each in an object of its own.
// Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (value instanceof Error || value instanceof DOMException) return { error: value.name, message: value.message, ...(value.overloaded ? { overloaded: true } : {}), ...(value.retryable ? { retryable: true } : {}) };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
const now = (run) => { try { return show(run()); } catch (error) { return { thrown: show(error) }; } };
const wait = (ms) => scheduler.wait(ms);
const all = (s, text, ...bindings) => s.sql.exec(text, ...bindings).raw().toArray();
const numbers = (s, n) => s.sql.exec(`CREATE TABLE n (i INTEGER PRIMARY KEY); WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${n}) INSERT INTO n SELECT i FROM c`);
const ids = (cursor) => [...cursor].map((r) => r.i);
const ends = (list) => [list.length, list[0], list.at(-1)];

const described = (o, k) => { const d = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(o), k) ?? Object.getOwnPropertyDescriptor(o, k); return d && [d.enumerable, d.configurable, d.writable ?? "none", typeof (d.value ?? d.get)]; };

/** A case is done in one request, or in several, each a function. */
const cases = {
  // A cursor is open, and something happens.
  "cursor, put": async (s) => { numbers(s, 5); const c = s.sql.exec("SELECT i FROM n"); c.next(); await s.put("a", 1); return [ids(c), await s.list()]; },
  "cursor, first put ever": async (s) => { const c = s.sql.exec("SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3"); c.next(); await s.put("a", 1); return [ids(c), await s.list()]; },
  "cursor, sync": async (s) => { numbers(s, 1000); const c = s.sql.exec("SELECT i FROM n"); c.next(); await s.sync(); return ends(ids(c)); },
  "cursor of many rows, commits": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); for (let i = 0; i < 5; i++) { await s.put("a", i); await s.sync(); } return ends(ids(c)); },
  "cursor of many rows, deletion ahead": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); s.sql.exec("DELETE FROM n WHERE i > 10"); return ids(c).length < 20000; },
  "cursor of many rows, drop": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); return [now(() => s.sql.exec("DROP TABLE n")), ends(ids(c))]; },
  "cursor of many rows, alter": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); return [now(() => s.sql.exec("ALTER TABLE n ADD COLUMN x").columnNames), now(() => ends(ids(c)))]; },
  "cursor of many rows, create": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); return [now(() => s.sql.exec("CREATE TABLE other (x)").columnNames), now(() => ends(ids(c)))]; },
  "cursor of many rows, failed transactionSync": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); now(() => s.transactionSync(() => { s.sql.exec("DELETE FROM n WHERE i > 100"); throw new Error("x"); })); return now(() => ends(ids(c))); },
  "cursor of many rows, failed transactionSync with schema": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); now(() => s.transactionSync(() => { s.sql.exec("CREATE TABLE other (x)"); throw new Error("x"); })); return now(() => ends(ids(c))); },
  "cursor of many rows, good transactionSync": (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); s.transactionSync(() => { s.sql.exec("INSERT INTO n VALUES (20001)"); }); return now(() => ends(ids(c))); },
  "cursor of many rows, transaction": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); await s.transaction(async (t) => { await t.put("a", 1); }); return now(() => ends(ids(c))); },
  "cursor of many rows, transaction rolled back": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); await s.transaction(async (t) => { await t.put("a", 1); t.rollback(); }); return now(() => ends(ids(c))); },
  "cursor from a rolled back transaction": async (s) => { numbers(s, 20000); let c; await s.transaction(async (t) => { s.sql.exec("INSERT INTO n VALUES (30000)"); c = s.sql.exec("SELECT i FROM n"); c.next(); t.rollback(); }); return now(() => typeof ids(c).length); },
  "cursor from a failed transactionSync": (s) => { numbers(s, 3); let c; now(() => s.transactionSync(() => { c = s.sql.exec("INSERT INTO n VALUES (10), (11) RETURNING i"); throw new Error("x"); })); return [now(() => ids(c)), all(s, "SELECT count(*) FROM n")]; },
  "cursor of many rows, alarm set": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); await s.setAlarm(4e12); await s.sync(); return [ends(ids(c)), await s.getAlarm()]; },
  "cursor of many rows, deleteAll": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); const r = c.raw(); c.next(); await s.deleteAll(); return [now(() => c.next()), now(() => r.next()), now(() => c.toArray()), c.columnNames, now(() => c.rowsRead > 0)]; },
  "cursor of many rows, failed deleteAll": async (s) => { numbers(s, 20000); const c = s.sql.exec("SELECT i FROM n"); c.next(); const e = await s.transaction(() => attempt(() => s.deleteAll())); return [e, now(() => ends(ids(c)))]; },
  "cursor not begun, deleteAll": async (s) => { const c = s.sql.exec("SELECT 1 AS i"); await s.deleteAll(); return now(() => c.toArray()); },
  "cursor used by the next request": [(s, ctx, self) => { numbers(s, 20000); self.c = s.sql.exec("SELECT i FROM n"); return self.c.next(); }, (s, ctx, self) => self.c.next(), (s, ctx, self) => ends(ids(self.c))],
  "cursor used by the next request after deleteAll": [(s, ctx, self) => { numbers(s, 20000); self.c = s.sql.exec("SELECT i FROM n"); return self.c.next(); }, (s) => s.deleteAll(), (s, ctx, self) => now(() => self.c.next())],
  "returning, put": async (s) => { s.sql.exec("CREATE TABLE t (a)"); const c = s.sql.exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a"); c.next(); await s.put("k", 1); return [c.raw().toArray(), all(s, "SELECT * FROM t")]; },
  "returning, insert while read": (s) => { s.sql.exec("CREATE TABLE t (a)"); const c = s.sql.exec("INSERT INTO t VALUES (1), (2) RETURNING a"); c.next(); s.sql.exec("INSERT INTO t VALUES (9)"); return [c.toArray(), all(s, "SELECT a FROM t")]; },
  "same text in its own loop": (s) => { numbers(s, 3); const out = []; for (const a of s.sql.exec("SELECT i FROM n")) for (const b of s.sql.exec("SELECT i FROM n")) out.push([a.i, b.i]); return out; },
  "insert in loop over the same table": (s) => { numbers(s, 3); let count = 0; for (const { i } of s.sql.exec("SELECT i FROM n ORDER BY i DESC")) { s.sql.exec("INSERT INTO n VALUES (?)", i + 100); count++; } return [count, all(s, "SELECT count(*) FROM n")]; },
  "update in loop": (s) => { s.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)"); for (const { id } of s.sql.exec("SELECT id FROM t")) s.sql.exec("UPDATE t SET v = v + 1 WHERE id >= ?", id); return all(s, "SELECT * FROM t"); },
  "throwing in a loop": (s) => { numbers(s, 5); try { for (const r of s.sql.exec("SELECT i FROM n")) throw new Error("out"); } catch {} return all(s, "SELECT count(*) FROM n"); },
  "destructured cursor": (s) => { numbers(s, 4); const c = s.sql.exec("SELECT i FROM n"); const [a, b] = c; return [a, b, c.toArray()]; },
  "one, then raw": (s) => { numbers(s, 1); const c = s.sql.exec("SELECT i FROM n"); return [c.one(), c.raw().toArray(), now(() => c.one())]; },
  "raw, then one": (s) => { numbers(s, 2); const c = s.sql.exec("SELECT i FROM n"); c.raw().next(); return now(() => c.one()); },
  "kv list across commits": async (s) => { for (let i = 0; i < 2000; i++) s.kv.put("k" + i, "x".repeat(100)); const it = s.kv.list(); it.next(); await s.sync(); await s.put("z", 1); await s.sync(); return [...it].length; },
  "kv list across deleteAll": async (s) => { for (let i = 0; i < 2000; i++) s.kv.put("k" + i, "x".repeat(100)); const it = s.kv.list(); it.next(); await s.deleteAll(); return now(() => [...it].length); },
  "kv list across a failed transactionSync": (s) => { for (let i = 0; i < 5; i++) s.kv.put("k" + i, i); const it = s.kv.list(); it.next(); now(() => s.transactionSync(() => { s.kv.delete("k3"); s.kv.put("k11", 1); throw new Error("x"); })); return now(() => [...it].map(([k]) => k)); },
  "kv list across a transaction rolled back": async (s) => { for (let i = 0; i < 5; i++) s.kv.put("k" + i, i); const it = s.kv.list(); it.next(); await s.transaction(async (t) => { t.delete("k3"); t.rollback(); }); return now(() => [...it].map(([k]) => k)); },
  "kv list used by the next request": [(s, ctx, self) => { for (let i = 0; i < 5; i++) s.kv.put("k" + i, i); self.it = s.kv.list(); return self.it.next(); }, (s, ctx, self) => [...self.it]],
  "kv list, async delete": async (s) => { for (let i = 0; i < 5; i++) s.kv.put("k" + i, i); const seen = []; for (const [k] of s.kv.list()) { seen.push(k); await s.delete("k" + (seen.length + 1)); } return [seen, await s.list()]; },

  // SQL inside transactions.
  "sql in transaction, thrown": async (s) => { numbers(s, 3); await attempt(() => s.transaction(async () => { s.sql.exec("DELETE FROM n"); await wait(1); throw new Error("x"); })); return all(s, "SELECT i FROM n"); },
  "sql in transaction, schema rolled back": async (s) => { await s.transaction(async (t) => { s.sql.exec("CREATE TABLE gone (a)"); t.rollback(); }); return now(() => all(s, "SELECT * FROM gone")); },
  "sql in transaction, rolled back then used": async (s) => { s.sql.exec("CREATE TABLE t (a)"); await s.transaction(async (t) => { s.sql.exec("INSERT INTO t VALUES (1)"); t.rollback(); s.sql.exec("INSERT INTO t VALUES (2)"); }); return all(s, "SELECT a FROM t"); },
  "sql failed in transaction and caught": async (s) => { s.sql.exec("CREATE TABLE t (a UNIQUE)"); await s.transaction(async () => { s.sql.exec("INSERT INTO t VALUES (1)"); now(() => s.sql.exec("INSERT INTO t VALUES (2), (1)")); s.sql.exec("INSERT INTO t VALUES (3)"); }); return all(s, "SELECT a FROM t"); },
  "insert or rollback, later": [(s) => { s.sql.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"); }, async (s) => { await s.put("k", 1); return now(() => s.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")); }, async (s) => [await attempt(() => s.get("k")), now(() => all(s, "SELECT * FROM t"))]],
  "insert or rollback in transaction": [(s) => { s.sql.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"); }, async (s) => attempt(() => s.transaction(async (t) => { await t.put("k", 1); const e = now(() => s.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")); return [e, await attempt(() => t.put("l", 1))]; })), async (s) => [await s.list(), all(s, "SELECT * FROM t")]],
  "insert or rollback in transactionSync": [(s) => { s.sql.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"); }, (s) => now(() => s.transactionSync(() => { s.kv.put("k", 1); const e = now(() => s.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")); return e; })), async (s) => [await s.list(), all(s, "SELECT * FROM t")]],
  "raise rollback": [(s) => { s.sql.exec("CREATE TABLE t (a); CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a = 5 BEGIN SELECT raise(ROLLBACK, 'no five'); END"); }, async (s) => { await s.put("k", 1); return [now(() => s.sql.exec("INSERT INTO t VALUES (5)")), await attempt(() => s.get("k"))]; }, async (s) => [await s.list(), all(s, "SELECT * FROM t")]],
  "insert or fail": (s) => { s.sql.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (3)"); return [now(() => s.sql.exec("INSERT OR FAIL INTO t VALUES (1), (3), (4)")), all(s, "SELECT a FROM t ORDER BY a")]; },
  "insert or abort": (s) => { s.sql.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (3)"); return [now(() => s.sql.exec("INSERT OR ABORT INTO t VALUES (1), (3), (4)")), all(s, "SELECT a FROM t ORDER BY a")]; },
  "multi statement rolled back by transactionSync": (s) => { s.sql.exec("CREATE TABLE t (a UNIQUE)"); const e = now(() => s.transactionSync(() => s.sql.exec("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)"))); return [e, all(s, "SELECT * FROM t")]; },
  "deferred constraint in transaction": [(s) => s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").columnNames, (s) => attempt(() => s.transaction(async () => { s.sql.exec("INSERT INTO b VALUES (5)"); return "closure done"; })), (s) => all(s, "SELECT * FROM b")],
  "deferred constraint in transaction, mended": async (s) => { s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"); await s.transaction(async () => { s.sql.exec("INSERT INTO b VALUES (5)"); await wait(1); s.sql.exec("INSERT INTO a VALUES (5)"); }); return all(s, "SELECT * FROM b"); },
  "deferred constraint in transactionSync": [(s) => s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").columnNames, (s) => now(() => s.transactionSync(() => { s.sql.exec("INSERT INTO b VALUES (5)"); return "closure done"; })), (s) => all(s, "SELECT * FROM b")],
  "deferred constraint, response": [(s) => s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").columnNames, async (s, ctx, self) => { self.mark = 1; await s.put("k", 1); s.sql.exec("INSERT INTO b VALUES (5)"); return "answered"; }, async (s, ctx, self) => [self.mark ?? "fresh", await s.get("k") ?? "none", all(s, "SELECT * FROM b")]],
  "deferred constraint, sync": [(s) => s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").columnNames, async (s) => { s.sql.exec("INSERT INTO b VALUES (5)"); return attempt(() => s.sync()); }, (s) => all(s, "SELECT * FROM b")],
  "deferred constraint, unconfirmed only": [(s) => s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").columnNames, (s) => { s.sql.exec("INSERT INTO b VALUES (5)"); throw new Error("own"); }, (s) => all(s, "SELECT * FROM b")],
  "defer_foreign_keys ends with the commit": async (s) => { s.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id))"); s.sql.exec("PRAGMA defer_foreign_keys = ON"); await s.sync(); await wait(1); return now(() => s.sql.exec("INSERT INTO b VALUES (5)")); },

  // Transactions that go wrong.
  "transaction thrown after await": async (s) => { const e = await attempt(() => s.transaction(async (t) => { await t.put("a", 1); await wait(1); throw new TypeError("late"); })); return [e, await s.list()]; },
  "transaction rolled back then again": async (s) => { for (let i = 0; i < 3; i++) await s.transaction(async (t) => { await t.put("k" + i, 1); if (i === 1) t.rollback(); }); return s.list(); },
  "transaction inside a transactionSync": async (s) => { let inner; s.transactionSync(() => { s.kv.put("a", 1); inner = s.transaction(async (t) => { await t.put("b", 1); }); }); await inner; return s.list(); },
  "transaction inside a failed transactionSync": async (s) => { let inner; now(() => s.transactionSync(() => { s.kv.put("a", 1); inner = s.transaction(async (t) => { await t.put("b", 1); }); throw new Error("x"); })); await inner; return s.list(); },
  "transactionSync with an async transaction waiting": async (s) => { const p = s.transaction(async (t) => { await t.put("b", (await t.get("a")) ?? "none"); }); s.transactionSync(() => { s.kv.put("a", 1); }); await p; return s.list(); },
  "write between begin and start": async (s) => { const p = s.transaction(async (t) => t.get("a")); s.put("a", 1); return p; },
  "write between begin and start, rolled back": async (s) => { const p = s.transaction(async (t) => { await t.put("b", 1); t.rollback(); }); s.put("a", 1); await p; return s.list(); },
  "txn of another transaction": async (s) => { let old; await s.transaction(async (t) => { old = t; }); return s.transaction(async (t) => { await t.put("a", 1); return attempt(() => old.put("b", 1)); }); },
  "txn is no storage": (s) => s.transaction((t) => ["sql", "kv", "transaction", "transactionSync", "sync", "getCurrentBookmark"].map((n) => n in t)),
  "txn kept in a timer": async (s) => { const log = []; await s.transaction(async (t) => { setTimeout(async () => log.push(await attempt(() => t.put("late", 1))), 5); await t.put("a", 1); }); await wait(20); return [log, await s.list()]; },
  "timer set in a transaction": async (s) => { const log = []; const p = new Promise((done) => s.transaction(async (t) => { setTimeout(() => { log.push("timer"); done(); }, 1); await wait(10); log.push("end"); })); await p; await wait(15); return log; },
  "timer from outside waits": async (s) => { const log = []; setTimeout(() => log.push("timer"), 1); await s.transaction(async () => { await wait(10); log.push("end"); }); await wait(10); return log; },
  "transaction promise returned unawaited": async (s) => { const inner = await s.transaction(() => ({ p: s.put("a", 1) })); await inner.p; return s.list(); },
  "transaction returns its txn": async (s) => { const t = await s.transaction((x) => x); return [t.constructor.name, await attempt(() => t.get("a"))]; },
  "generator as closure": async (s) => { const r = await s.transaction(function* () { yield 1; }); return typeof r.next; },
  "block throws in transaction": [(s, ctx) => s.transaction(async (t) => { await t.put("a", 1); await ctx.blockConcurrencyWhile(async () => { throw new TypeError("in block"); }); }), async (s) => s.list()],
  "transaction throws in block, caught": async (s, ctx) => { const r = await ctx.blockConcurrencyWhile(() => attempt(() => s.transaction(async (t) => { await t.put("a", 1); throw new Error("x"); }))); return [r, await s.list()]; },
  "transaction throws in block, not caught": [(s, ctx) => ctx.blockConcurrencyWhile(() => s.transaction(async (t) => { await t.put("a", 1); throw new Error("x"); })), (s) => s.list()],
  "block after put then thrown": [async (s, ctx) => { await s.put("a", 1); await ctx.blockConcurrencyWhile(async () => { await s.put("b", 1); throw new Error("x"); }); }, (s) => s.list()],
  "block and alarm": (s, ctx) => ctx.blockConcurrencyWhile(async () => { await s.setAlarm(4e12); return s.getAlarm(); }),
  "block and sync": (s, ctx) => ctx.blockConcurrencyWhile(async () => { await s.put("a", 1); await s.sync(); return s.get("a"); }),
  "block and deleteAll": async (s, ctx) => { await s.put("b", 1); return ctx.blockConcurrencyWhile(async () => { await s.deleteAll(); await s.put("a", 1); return s.list(); }); },
  "rollback inside block inside transaction": async (s, ctx) => { await s.transaction(async (t) => { await t.put("a", 1); await ctx.blockConcurrencyWhile(async () => { t.rollback(); }); }); return s.list(); },

  // Aborts.
  "abort after put": [async (s, ctx) => { await s.put("a", 1); ctx.abort("gone"); }, (s) => s.list()],
  "abort after sync": [async (s, ctx) => { await s.put("a", 1); await s.sync(); await s.put("b", 1); ctx.abort("gone"); }, (s) => s.list()],
  "abort in transaction": [(s, ctx) => s.transaction(async (t) => { await t.put("a", 1); ctx.abort("gone"); }), (s) => s.list()],
  "abort in transactionSync": [(s, ctx) => s.transactionSync(() => { s.kv.put("a", 1); ctx.abort("gone"); }), (s) => s.list()],
  "abort caught": [async (s, ctx) => { try { await s.put("a", 1); ctx.abort("gone"); } catch {} finally { } return "went on"; }, (s) => s.list()],
  "abort from waitUntil": [async (s, ctx) => { await s.put("a", 1); ctx.waitUntil(s.sync().then(async () => { await wait(5); ctx.abort("gone"); })); return "answered"; }, async (s) => { await wait(20); return "still"; }, (s) => s.list()],
  "abort with pending unconfirmed": [async (s, ctx) => { await s.put("a", 1, { allowUnconfirmed: true }); ctx.abort("gone"); }, (s) => s.list()],
  "abort with deleteAll": [async (s) => { await s.put("a", 1); }, async (s, ctx) => { s.deleteAll(); ctx.abort("gone"); }, async (s) => typeof (await s.list()).size],
  "abort with alarm": [async (s, ctx) => { await s.setAlarm(4e12); ctx.abort("gone"); }, (s) => s.getAlarm()],

  // After the response.
  "waitUntil writes": [(s, ctx) => { ctx.waitUntil((async () => { await wait(5); await s.put("a", 1); })()); return "answered"; }, async (s) => { await wait(20); return s.list(); }],
  "waitUntil throws after a write": [(s, ctx) => { ctx.waitUntil((async () => { await s.put("a", 1); throw new Error("logged"); })()); return "answered"; }, (s) => s.list()],
  "unawaited after the response": [(s, ctx) => { wait(5).then(() => s.put("a", 1)); return "answered"; }, async (s) => { await wait(20); return s.list(); }],
  "write then throw": [async (s) => { await s.put("a", 1); throw new RangeError("own"); }, (s) => s.list()],
  "unawaited write then throw": [(s) => { s.put("a", 1); throw new RangeError("own"); }, (s) => s.list()],
  "bad unawaited write": [(s) => { s.put("a", () => 1); return "answered"; }, (s) => s.list()],
  "transaction unawaited": [(s) => { s.transaction(async (t) => { await t.put("a", 1); await wait(5); await t.put("b", 1); }); return "answered"; }, (s) => s.list()],
  "transaction unawaited and thrown": [(s) => { s.transaction(async (t) => { await t.put("a", 1); await wait(5); throw new Error("x"); }); return "answered"; }, (s) => s.list()],

  // Many things at once, in one turn.
  "same key 1000 times": async (s) => { for (let i = 0; i < 1000; i++) s.put("a", i); return s.list(); },
  "same key by all ways": async (s) => { s.put("a", 1); s.kv.put("a", s.kv.get("a") + 1); await s.put({ a: (await s.get("a")) + 1 }); s.transactionSync(() => s.kv.put("a", s.kv.get("a") + 1)); await s.transaction(async (t) => t.put("a", (await t.get("a")) + 1)); return s.get("a"); },
  "put and delete by turns": async (s) => { const out = []; for (let i = 0; i < 5; i++) { s.put("a", i); out.push(s.delete("a")); out.push(s.delete("a")); } return [await Promise.all(out), await s.list()]; },
  "list during writes": async (s) => { s.put("a", 1); const one = s.list(); s.put("b", 1); const two = s.list(); s.delete("a"); const three = s.list(); return Promise.all([one, two, three]); },
  "list while a transaction runs": async (s) => { await s.put("a", 1); const p = s.transaction(async (t) => { await t.put("b", 1); await wait(3); }); const l = s.list(); await p; return [await l, await s.list()]; },
  "get in the same turn as an unawaited transaction": async (s) => { const p = s.transaction(async (t) => { await t.put("b", 1); }); const g = await s.get("b"); await p; return [g, await s.get("b")]; },
  "reads after await of a timer": async (s) => { s.put("a", 1); await wait(1); return [await s.get("a"), s.kv.get("a")]; },
  "Promise.all of everything": async (s) => Promise.all([s.put("a", 1), s.get("a"), s.delete("a"), s.get("a"), s.put({ b: 1 }), s.list(), s.getAlarm(), s.sync(), s.deleteAll(), s.list()]),

  // The objects themselves.
  "bookmark arguments": async (s) => { const out = []; for (const v of [undefined, null, "5", {}, [], true, new Date(NaN), NaN, 1n, Symbol("x"), 8.64e15 + 1, 1e300, -1e300, Infinity]) out.push(await attempt(() => s.getBookmarkForTime(v))); return out; },
  "bookmark without arguments": async (s) => [await attempt(() => s.getBookmarkForTime()), await attempt(() => s.onNextSessionRestoreBookmark())],
  "bookmark looks": async (s) => /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/.test(await s.getCurrentBookmark()),
  "bookmarks grow": async (s) => { const a = await s.getCurrentBookmark(); await s.put("a", 1); await s.sync(); const b = await s.getCurrentBookmark(); return a < b; },
  "storage in a string": (s) => [String(s), JSON.stringify(s), Object.keys(s), typeof s, s instanceof Object],
  "storage cannot be cloned": (s) => structuredClone(s), "sql cannot be cloned": (s) => structuredClone(s.sql), "kv cannot be cloned": (s) => structuredClone(s.kv),
  "descriptors": (s) => [["get", s], ["sql", s], ["kv", s], ["exec", s.sql], ["databaseSize", s.sql], ["columnNames", s.sql.exec("SELECT 1")], ["rowsRead", s.sql.exec("SELECT 1")], ["toArray", s.sql.exec("SELECT 1")]].map(([k, o]) => described(o, k)),
  "storage is the same": (s, ctx) => [ctx.storage === s, s.sql === s.sql, s.kv === s.kv],
  "own property on storage": async (s) => { s.mine = 5; const g = s.get; s.get = () => "mine"; const out = [s.mine, s.get("a")]; delete s.get; out.push(s.get === g); delete s.mine; return out; },
  "storage assigned": (s, ctx) => { const e = now(() => { ctx.storage = 5; }); return [typeof ctx.storage, e?.thrown?.error ?? "fine"]; },
  "destructured sql": (s) => { const { sql } = s; return sql.exec("SELECT 1 AS a").one(); },
  "value with then": async (s) => { await s.put("a", { then: 1 }); return s.get("a"); },
  "key then": async (s) => { await s.put("then", 5); return [await s.get("then"), [...(await s.get(["then"]))]]; },
  "await of the map": async (s) => { await s.put({ a: 1 }); const m = await s.list(); m.set("b", 2); m.delete("a"); return [m, await s.list()]; },
  "put with many arguments": async (s) => { await s.put("a", 1, {}, 5, 6); return s.get("a", {}, 7); },
  "exec with a template": (s) => now(() => s.sql.exec`SELECT 1 AS a`.toArray()),
  "unhandled storage errors": async (s) => { s.put("a", () => {}); s.list({ limit: 0 }); await s.put("b", 1); return s.list(); },
  "alarm methods with strange times": async (s) => { const out = []; for (const t of [new Date(4e12 + 0.9), new (class extends Date {})(4e12), Object.assign(new Date(4e12), { valueOf: () => 5e12 }), new Proxy(new Date(4e12), {}), "4000000000000", [4e12], { getTime: () => 4e12 }, true]) { await s.deleteAlarm(); out.push(await attempt(() => s.setAlarm(t)), await s.getAlarm()); } return out; },
  "proxy of sql": (s) => now(() => new Proxy(s.sql, {}).exec("SELECT 1").toArray()), "proxy of storage, bound": async (s) => { const p = new Proxy(s, { get: (t, k) => typeof t[k] === "function" ? t[k].bind(t) : t[k] }); await p.put("a", 1); return p.get("a"); },

  // The schema and the host's tables.
  "sqlite_sequence deleted": (s) => { s.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t (a) VALUES (1), (2)"); return [now(() => s.sql.exec("DELETE FROM sqlite_sequence").rowsWritten), all(s, "INSERT INTO t (a) VALUES (3) RETURNING id")]; },
  "rowsWritten of KV": (s) => { s.kv.put("a", 1); const c = s.sql.exec("SELECT 1"); return c.rowsWritten; },
  "total_changes": (s) => { s.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)"); return typeof s.sql.exec("SELECT total_changes() AS n").one().n; },
};

export class Probe extends DurableObject {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const found = cases[searchParams.get("case")];
    const steps = typeof found === "function" ? [found] : found;
    return Response.json(await attempt(() => steps[Number(searchParams.get("step"))](this.ctx.storage, this.ctx, this, this.env)));
  }
  alarm() {}
}

/** All steps of a case, one request after the other. */
async function answer(env, name) {
  const found = cases[name];
  const count = typeof found === "function" ? 1 : found.length;
  const answers = [];
  for (let step = 0; step < count; step++) {
    const late = wait(5000).then(() => Response.json("hangs"));
    const asked = env.PROBE.getByName(name).fetch(`http://object/?case=${encodeURIComponent(name)}&step=${step}`);
    answers.push(await attempt(async () => (await Promise.race([late, asked])).json()));
  }
  return answers;
}

export default {
  async fetch(request, env) {
    const names = Object.keys(cases);
    const answers = {};
    const work = async () => { for (let name = names.shift(); name !== undefined; name = names.shift()) answers[name] = await answer(env, name); };
    await Promise.all(Array.from({ length: 8 }, work));
    return Response.json(answers);
  },
};
