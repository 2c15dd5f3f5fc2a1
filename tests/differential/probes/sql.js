// What ctx.storage.sql answers, case by case. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [k, show(v)]) };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer)] };
  if (value instanceof Error) return { error: value.name, message: value.message };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
/** What a call gives, error or not. */
const attempt = (run) => { try { return show(run()); } catch (error) { return show(error); } };
const all = (sql, text, ...bindings) => sql.exec(text, ...bindings).toArray();
const people = (sql) => sql.exec("CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT, age); INSERT INTO p VALUES (1, 'ann', 30), (2, 'bob', NULL), (3, 'cy', 4.5)");
const numbers = (sql, n) => sql.exec(`CREATE TABLE n (i INTEGER PRIMARY KEY); WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${n}) INSERT INTO n SELECT i FROM c`);

const cases = {
  "select 1": (sql) => all(sql, "SELECT 1"),
  "select names": (sql) => all(sql, "SELECT 1 AS a, 'x' AS b, NULL AS c, 1.5 AS d, x'0102' AS e"),
  "duplicate columns": (sql) => { const c = sql.exec("SELECT 1 AS a, 2 AS b, 3 AS a"); return [c.columnNames, c.toArray(), sql.exec("SELECT 1 AS a, 2 AS b, 3 AS a").raw().toArray()]; },
  "numeric column names": (sql) => Object.keys(sql.exec("SELECT 1 AS b, 2 AS '2', 3 AS '1', 4 AS __proto__x").one()),
  "column __proto__": (sql) => { const row = sql.exec("SELECT 1 AS __proto__, 2 AS b").one(); return [Object.keys(row), Object.getPrototypeOf(row) === Object.prototype, Object.hasOwn(row, "__proto__")]; },
  "column of expression": (sql) => sql.exec("SELECT 1 + 1, count(*), 'x'").columnNames,
  "empty column name": (sql) => all(sql, "SELECT 1 AS ''"),
  "integers": (sql) => all(sql, "SELECT 0, 1, -1, 255, 65536, 4294967296, 9007199254740991, 9007199254740993, 9223372036854775807, -9223372036854775808").map(Object.values),
  "reals": (sql) => Object.values(sql.exec("SELECT 0.0, -0.0, 1e308, 1e999, -1e999, 0.1, 1.0, 3e-320").one()),
  "text": (sql) => Object.values(sql.exec("SELECT '', 'a', 'h\u00e9llo', '\ud83d\ude00', 'it''s', char(0), char(65535)").one()),
  "text with nul": (sql) => { const v = sql.exec("SELECT ? AS v, length(?) AS l, length(CAST(? AS BLOB)) AS b", "a\0b", "a\0b", "a\0b").one(); return v; },
  "text with lone surrogate": (sql) => { const v = sql.exec("SELECT ? AS v, hex(?) AS h", "a\ud800b", "a\ud800b").one(); return [[...v.v].map((c) => c.codePointAt(0)), v.h]; },
  "blob": (sql) => { const v = sql.exec("SELECT x'00ff' AS v, zeroblob(0) AS z").one(); return [v.v instanceof ArrayBuffer, v.v, v.z]; },
  "bind types": (sql) => { const values = [1, 1.5, -0, NaN, Infinity, -Infinity, 2 ** 53, "x", "", null, undefined, true, false, new Uint8Array([1, 2]), new Uint8Array([1, 2, 3, 4]).subarray(1, 3), new ArrayBuffer(2), new DataView(new ArrayBuffer(4), 1, 2), new Uint16Array([258]), {}, [1, 2], [], () => 1]; return values.map((v) => attempt(() => sql.exec("SELECT typeof(?) AS t, quote(?) AS q", v, v).one())); },
  "bind bigint": (sql) => sql.exec("SELECT ?", 1n),
  "bind symbol": (sql) => sql.exec("SELECT ?", Symbol("x")),
  "bind object with toString": (sql) => all(sql, "SELECT ? AS a, ? AS b", { toString: () => "mine" }, { valueOf: () => 7 }),
  "bind throwing toString": (sql) => all(sql, "SELECT ?", { toString() { throw new RangeError("mine"); } }),
  "bind boxed": (sql) => all(sql, "SELECT typeof(?) AS n, typeof(?) AS s, ? AS b", new Number(3), new String("x"), new Boolean(true)),
  "bind affinity": (sql) => { sql.exec("CREATE TABLE t (i INTEGER, r REAL, t TEXT, n NUMERIC, b BLOB, x)"); sql.exec("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", 5, 5, 5, 5, 5, 5); return all(sql, "SELECT typeof(i), typeof(r), typeof(t), t, typeof(n), typeof(b), typeof(x) FROM t"); },
  "bind strict": (sql) => { sql.exec("CREATE TABLE t (i INTEGER, s TEXT, a ANY) STRICT"); sql.exec("INSERT INTO t VALUES (?, ?, ?)", 5, "x", 5); return [all(sql, "SELECT i, s, typeof(a) FROM t"), attempt(() => sql.exec("INSERT INTO t (i) VALUES (?)", 1.5)), attempt(() => sql.exec("INSERT INTO t (i) VALUES (?)", "x"))]; },
  "bind limit": (sql) => { numbers(sql, 5); return all(sql, "SELECT i FROM n LIMIT ? OFFSET ?", 2, 1); },
  "bind fraction limit": (sql) => { numbers(sql, 5); return all(sql, "SELECT i FROM n LIMIT ?", 1.5); },
  "bind rowid": (sql) => { people(sql); return all(sql, "SELECT name FROM p WHERE id = ?", 2); },
  "bind names": (sql) => all(sql, "SELECT :a AS a, @b AS b, $c AS c, :a AS again, ?4 AS d", 1, 2, 3, 4),
  "bind too few": (sql) => all(sql, "SELECT ?, ?", 1),
  "bind too many": (sql) => all(sql, "SELECT ?", 1, 2),
  "bind none": (sql) => all(sql, "SELECT ?"),
  "bind unwanted": (sql) => all(sql, "SELECT 1", 1),
  "bind 100": (sql) => Object.keys(sql.exec(`SELECT ${Array.from({ length: 100 }, (_, i) => `? AS c${i}`)}`, ...Array.from({ length: 100 }, (_, i) => i)).one()).length,
  "bind 101": (sql) => all(sql, `SELECT ${Array(101).fill("?")}`, ...Array(101).fill(1)),
  "bind 200 to one": (sql) => all(sql, "SELECT ?", ...Array(200).fill(1)),
  "bind ?NNN gap": (sql) => all(sql, "SELECT ?3 AS c", 1, 2, 3),
  "bind ?101": (sql) => all(sql, "SELECT ?101", 1),
  "bind insert ?": (sql) => { people(sql); sql.exec("INSERT INTO p VALUES (?, ?, ?)", 9, "x", new Uint8Array([7])); return all(sql, "SELECT * FROM p WHERE id = 9"); },
  "exec without text": (sql) => sql.exec(),
  "exec of number": (sql) => attempt(() => sql.exec(5)),
  "exec of null": (sql) => attempt(() => sql.exec(null)),
  "exec of object": (sql) => all(sql, { toString: () => "SELECT 5 AS five" }),
  "empty": (sql) => sql.exec(""),
  "only spaces": (sql) => sql.exec("  \n "),
  "only semicolon": (sql) => sql.exec(";"),
  "only comment": (sql) => sql.exec("-- nothing"),
  "trailing semicolon": (sql) => all(sql, "SELECT 1 AS a; \n\t "),
  "two semicolons": (sql) => all(sql, "SELECT 1 AS a;;"),
  "spaced semicolons": (sql) => all(sql, "SELECT 1 AS a; ;"),
  "comment after": (sql) => all(sql, "SELECT 1 AS a -- c"),
  "comment after semicolon": (sql) => all(sql, "SELECT 1 AS a; -- c"),
  "comment before": (sql) => all(sql, "-- c\n/* d */ SELECT 1 AS a"),
  "comment between": (sql) => all(sql, "SELECT 1 AS a; -- c\n SELECT 2 AS b"),
  "nul in text": (sql) => all(sql, "SELECT 1 AS a\0 SELECT"),
  "several": (sql) => { people(sql); return all(sql, "INSERT INTO p VALUES (4, 'd', 1); SELECT count(*) AS n FROM p"); },
  "several with rows": (sql) => { people(sql); return all(sql, "SELECT * FROM p; SELECT name FROM p WHERE id = 2; SELECT 7 AS x"); },
  "several, binding in last": (sql) => { people(sql); return all(sql, "DELETE FROM p WHERE id = 1; SELECT name FROM p WHERE id = ?", 2); },
  "several, binding in first": (sql) => { people(sql); return [attempt(() => sql.exec("DELETE FROM p WHERE id = ?; SELECT 1", 1)), all(sql, "SELECT count(*) AS n FROM p")]; },
  "several, binding in both": (sql) => { people(sql); return [attempt(() => sql.exec("DELETE FROM p WHERE id = ?; SELECT ?", 1, 2)), all(sql, "SELECT count(*) AS n FROM p")]; },
  "several, second binding missing": (sql) => { people(sql); return [attempt(() => sql.exec("DELETE FROM p; SELECT ?")), all(sql, "SELECT count(*) AS n FROM p")]; },
  "several, syntax error in last": (sql) => { people(sql); return [attempt(() => sql.exec("DELETE FROM p WHERE id = 1; SELEC 1")), all(sql, "SELECT count(*) AS n FROM p")]; },
  "several, error in second": (sql) => { people(sql); return [attempt(() => sql.exec("DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (2, 'x', 1); DELETE FROM p")), all(sql, "SELECT count(*) AS n FROM p")]; },
  "several, table made in first": (sql) => all(sql, "CREATE TABLE a (x); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); SELECT * FROM a"),
  "trigger with semicolons": (sql) => { people(sql); sql.exec("CREATE TABLE log (x); CREATE TRIGGER tr AFTER INSERT ON p BEGIN INSERT INTO log VALUES (new.id); INSERT INTO log VALUES (-new.id); END; INSERT INTO p VALUES (8, 'h', 0);"); return all(sql, "SELECT * FROM log"); },
  "cursor next": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); return [c.next(), c.next(), c.next(), c.next(), c.next()]; },
  "cursor keys of next": (sql) => { const c = sql.exec("SELECT 1 AS a"); return [Object.keys(c.next()), Object.keys(c.next())]; },
  "cursor iteration": (sql) => { people(sql); const out = []; for (const row of sql.exec("SELECT id, name FROM p")) out.push(row.name); return out; },
  "cursor spread twice": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); return [[...c].length, [...c].length]; },
  "cursor break then go on": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); const out = []; for (const row of c) { out.push(row.id); break; } out.push(...c.toArray().map((r) => r.id)); return out; },
  "cursor is its iterator": (sql) => { const c = sql.exec("SELECT 1"); return [c[Symbol.iterator]() === c, typeof c.return, Object.prototype.toString.call(c), c.constructor.name]; },
  "cursor members": (sql) => { const c = sql.exec("SELECT 1"); return Object.getOwnPropertyNames(Object.getPrototypeOf(c)).sort(); },
  "cursor iterator helpers": (sql) => { const c = sql.exec("SELECT 1"); return [typeof c.map, typeof c.filter, typeof c.raw().map, typeof c.raw().toArray]; },
  "cursor own keys": (sql) => Object.keys(sql.exec("SELECT 1")),
  "cursor json": (sql) => JSON.stringify(sql.exec("SELECT 1 AS a")),
  "cursor toArray remaining": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); c.next(); return [c.toArray(), c.toArray()]; },
  "cursor one": (sql) => sql.exec("SELECT 7 AS x").one(),
  "cursor one of none": (sql) => sql.exec("SELECT 1 WHERE 0").one(),
  "cursor one of many": (sql) => { people(sql); return sql.exec("SELECT * FROM p").one(); },
  "cursor one after next": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p LIMIT 2"); c.next(); return c.one(); },
  "cursor one twice": (sql) => { const c = sql.exec("SELECT 1 AS a"); return [c.one(), attempt(() => c.one())]; },
  "cursor one of many, then": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); return [attempt(() => c.one()), c.toArray()]; },
  "cursor raw": (sql) => { people(sql); return [...sql.exec("SELECT * FROM p").raw()]; },
  "cursor raw shares": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); const r = c.raw(); return [r.next(), c.next(), r.next(), r.next(), c.next()]; },
  "cursor raw twice": (sql) => { people(sql); const c = sql.exec("SELECT id FROM p"); const a = c.raw(), b = c.raw(); return [a === b, a.next(), b.next()]; },
  "raw iterator": (sql) => { const r = sql.exec("SELECT 1").raw(); return [r[Symbol.iterator]() === r, Object.prototype.toString.call(r), r.constructor.name, Object.getOwnPropertyNames(Object.getPrototypeOf(r)).sort()]; },
  "raw without columns": (sql) => [...sql.exec("CREATE TABLE t (a)").raw()],
  "columnNames": (sql) => { people(sql); const c = sql.exec("SELECT * FROM p"); const before = c.columnNames; c.toArray(); return [before, c.columnNames, Array.isArray(before), before === c.columnNames]; },
  "columnNames of none": (sql) => [sql.exec("CREATE TABLE t (a)").columnNames, sql.exec("INSERT INTO t VALUES (1)").columnNames, sql.exec("SELECT * FROM t WHERE 0").columnNames, (() => { const c = sql.exec("INSERT INTO t VALUES (2) RETURNING a + 1 AS b"); c.toArray(); return c.columnNames; })()],
  "returning": (sql) => { people(sql); return [all(sql, "INSERT INTO p (name) VALUES ('x'), ('y') RETURNING id, name"), all(sql, "UPDATE p SET age = 1 WHERE id < 3 RETURNING id"), all(sql, "DELETE FROM p RETURNING id").length]; },
  "insert gives nothing": (sql) => { sql.exec("CREATE TABLE t (a)"); const c = sql.exec("INSERT INTO t VALUES (1)"); return [c.next(), c.toArray(), attempt(() => c.one())]; },
  "rowsWritten": (sql) => { sql.exec("CREATE TABLE t (a PRIMARY KEY, b); CREATE INDEX ib ON t (b); CREATE TABLE u (a); CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID"); return ["INSERT INTO t VALUES (1, 2)", "INSERT INTO u VALUES (1), (2), (3)", "UPDATE u SET a = 5", "UPDATE t SET b = 7", "UPDATE u SET a = 1 WHERE a = 99", "DELETE FROM u WHERE a = 5", "DELETE FROM t", "SELECT 1", "INSERT INTO u SELECT 1 WHERE 0", "INSERT INTO t VALUES (4, 4) ON CONFLICT DO NOTHING", "INSERT INTO w VALUES (1), (2)"].map((text) => sql.exec(text).rowsWritten); },
  "rowsRead of scans": (sql) => { numbers(sql, 10); sql.exec("CREATE TABLE e (x)"); return ["SELECT * FROM n", "SELECT * FROM n WHERE i % 2 = 0", "SELECT count(*) FROM n", "SELECT * FROM e", "SELECT 1", "SELECT * FROM n WHERE i = 3", "SELECT * FROM n LIMIT 4"].map((text) => { const c = sql.exec(text); c.toArray(); return c.rowsRead; }); },
  "rowsRead while reading": (sql) => { numbers(sql, 5); const c = sql.exec("SELECT * FROM n"); const seen = [c.rowsRead]; for (const row of c) seen.push(c.rowsRead); seen.push(c.rowsRead); return seen; },
  "databaseSize grows": (sql) => { const before = sql.databaseSize; sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))"); return [before % 4096, sql.databaseSize > before + 90000, sql.databaseSize % 4096]; },
  "databaseSize shrinks": (sql) => { sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))"); const full = sql.databaseSize; sql.exec("DROP TABLE t"); return full - sql.databaseSize > 90000; },
  "databaseSize of table": (sql) => { sql.exec("CREATE TABLE first (a)"); const before = sql.databaseSize; sql.exec("CREATE TABLE t (a)"); return sql.databaseSize - before; },
  "sql members": (sql) => [Object.getOwnPropertyNames(Object.getPrototypeOf(sql)).filter((n) => !["prepare", "ingest", "setMaxPageCountForTest"].includes(n)).sort(), Object.prototype.toString.call(sql), sql.constructor.name, Object.keys(sql).sort()],
  "sql is one": (sql, s) => s.sql === s.sql,
  "sql.Cursor": (sql) => [typeof sql.Cursor, sql.exec("SELECT 1") instanceof sql.Cursor, sql.Cursor.name, typeof sql.Statement, attempt(() => new sql.Cursor())],
  "sql.Statement": (sql) => [sql.Statement.name, attempt(() => new sql.Statement())],
  "exec detached": (sql) => { const { exec } = sql; return exec("SELECT 1"); },
  "delete while iterating": (sql) => { numbers(sql, 50); let n = 0; for (const { i } of sql.exec("SELECT i FROM n")) { n++; sql.exec("DELETE FROM n WHERE i = ?", i); } return [n, all(sql, "SELECT count(*) AS n FROM n")]; },
  "drop while iterating": (sql) => { numbers(sql, 5); const c = sql.exec("SELECT i FROM n"); c.next(); return attempt(() => sql.exec("DROP TABLE n")); },
  "same text twice at once": (sql) => { numbers(sql, 4); const a = sql.exec("SELECT i FROM n"), b = sql.exec("SELECT i FROM n"); return [a.next(), b.next(), a.next(), b.toArray(), a.toArray()]; },
  "many cursors": (sql) => { numbers(sql, 3); const cs = Array.from({ length: 50 }, () => sql.exec("SELECT i FROM n")); return cs.map((c) => c.next().value.i).length; },
  "cursor across await": async (sql) => { numbers(sql, 4); const c = sql.exec("SELECT i FROM n"); const a = c.next(); await scheduler.wait(1); sql.exec("INSERT INTO n VALUES (9)"); await scheduler.wait(1); return [a, c.next(), c.toArray().length >= 2]; },
  "cursor across deleteAll": async (sql, s) => { numbers(sql, 4); await s.sync(); const c = sql.exec("SELECT i FROM n"); c.next(); await s.deleteAll(); return [attempt(() => c.next()), attempt(() => c.toArray()), attempt(() => c.one()), attempt(() => c.columnNames), attempt(() => [...c.raw()])]; },
  "read cursor across deleteAll": async (sql, s) => { numbers(sql, 4); await s.sync(); const c = sql.exec("SELECT i FROM n"); c.toArray(); await s.deleteAll(); return [attempt(() => c.next()), attempt(() => c.columnNames), typeof attempt(() => c.rowsRead)]; },
  "tables gone after deleteAll": async (sql, s) => { people(sql); await s.put("k", 1); await s.deleteAll(); return [attempt(() => sql.exec("SELECT * FROM p")), await s.get("k")]; },
  "table again after deleteAll": async (sql, s) => { people(sql); s.deleteAll(); people(sql); return all(sql, "SELECT count(*) AS n FROM p"); },
  "kv and sql together": async (sql, s) => { await s.put("a", 1); people(sql); await s.put("b", 2); return [await s.list(), all(sql, "SELECT count(*) AS n FROM p")]; },
  "sqlite_master": async (sql, s) => { await s.put("a", 1); people(sql); return all(sql, "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_METADATA' ESCAPE '\\' ORDER BY name"); },
  "transactionSync": (sql, s) => { people(sql); const r = s.transactionSync(() => { sql.exec("DELETE FROM p"); return 5; }); return [r, all(sql, "SELECT count(*) AS n FROM p")]; },
  "transactionSync throws": (sql, s) => { people(sql); const e = attempt(() => s.transactionSync(() => { sql.exec("DELETE FROM p"); throw new RangeError("no"); })); return [e, all(sql, "SELECT count(*) AS n FROM p")]; },
  "transactionSync arguments": (sql, s) => s.transactionSync((...given) => given.length),
  "transactionSync without callback": (sql, s) => s.transactionSync(),
  "transactionSync nested": (sql, s) => { sql.exec("CREATE TABLE t (a)"); s.transactionSync(() => { sql.exec("INSERT INTO t VALUES (1)"); attempt(() => s.transactionSync(() => { sql.exec("INSERT INTO t VALUES (2)"); throw new Error("inner"); })); s.transactionSync(() => sql.exec("INSERT INTO t VALUES (3)")); }); return all(sql, "SELECT a FROM t"); },
  "transactionSync async": async (sql, s) => { sql.exec("CREATE TABLE t (a)"); const p = s.transactionSync(async () => { sql.exec("INSERT INTO t VALUES (1)"); await null; sql.exec("INSERT INTO t VALUES (2)"); throw new Error("late"); }); let late; try { await p; } catch (e) { late = show(e); } return [late, all(sql, "SELECT a FROM t")]; },
  "transactionSync with kv": async (sql, s) => { await s.put("a", 1); attempt(() => s.transactionSync(() => { s.put("a", 2); s.kv.put("b", 3); sql.exec("CREATE TABLE t (x)"); throw new Error("undo"); })); return [await s.list(), attempt(() => sql.exec("SELECT * FROM t"))]; },
  "transactionSync failing statement": (sql, s) => { people(sql); s.transactionSync(() => { sql.exec("DELETE FROM p WHERE id = 3"); attempt(() => sql.exec("INSERT INTO p VALUES (1, 'x', 1)")); }); return all(sql, "SELECT id FROM p"); },
  "transactionSync in transaction": async (sql, s) => { sql.exec("CREATE TABLE t (a)"); await s.transaction(async (txn) => { sql.exec("INSERT INTO t VALUES (1)"); s.transactionSync(() => sql.exec("INSERT INTO t VALUES (2)")); await scheduler.wait(1); sql.exec("INSERT INTO t VALUES (3)"); }); return all(sql, "SELECT a FROM t"); },
  "rollback with open cursor": (sql, s) => { numbers(sql, 5); const c = sql.exec("SELECT i FROM n"); c.next(); attempt(() => s.transactionSync(() => { sql.exec("INSERT INTO n VALUES (50)"); throw new Error("undo"); })); return [attempt(() => c.next()), all(sql, "SELECT count(*) AS n FROM n")]; },
  "cursor from inside a transaction": (sql, s) => { numbers(sql, 5); const c = s.transactionSync(() => sql.exec("SELECT i FROM n")); return c.toArray().length; },
  "transaction rolled back": async (sql, s) => { sql.exec("CREATE TABLE t (a)"); await s.transaction(async (txn) => { sql.exec("INSERT INTO t VALUES (1)"); txn.rollback(); }); return all(sql, "SELECT a FROM t"); },
  "defer_foreign_keys broken at commit": async (sql, s) => { sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"); await s.sync(); sql.exec("INSERT INTO b VALUES (5)"); await s.sync(); return "survived"; },
  "foreign key": (sql) => { sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id))"); return attempt(() => sql.exec("INSERT INTO b VALUES (5)")); },
  "foreign key cascade": (sql) => { sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) ON DELETE CASCADE); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); DELETE FROM a"); return all(sql, "SELECT count(*) AS n FROM b"); },
  "unique": (sql) => { people(sql); return [attempt(() => sql.exec("INSERT INTO p VALUES (1, 'x', 1)")), attempt(() => sql.exec("CREATE UNIQUE INDEX u ON p (name); INSERT INTO p VALUES (7, 'ann', 1)"))]; },
  "not null": (sql) => { sql.exec("CREATE TABLE t (a NOT NULL, b CHECK (b > 0))"); return [attempt(() => sql.exec("INSERT INTO t (b) VALUES (1)")), attempt(() => sql.exec("INSERT INTO t VALUES (1, -1)"))]; },
  "primary key type": (sql) => { people(sql); return attempt(() => sql.exec("INSERT INTO p (id) VALUES ('x')")); },
  "or ignore, or replace": (sql) => { people(sql); sql.exec("INSERT OR IGNORE INTO p VALUES (1, 'x', 1); INSERT OR REPLACE INTO p VALUES (2, 'y', 2)"); return all(sql, "SELECT id, name FROM p"); },
  "raise": (sql) => { people(sql); sql.exec("CREATE TRIGGER tr BEFORE DELETE ON p BEGIN SELECT raise(ABORT, 'not this'); END"); return [attempt(() => sql.exec("DELETE FROM p")), all(sql, "SELECT count(*) AS n FROM p")]; },
  "upsert": (sql) => { people(sql); sql.exec("INSERT INTO p VALUES (1, 'x', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name"); return all(sql, "SELECT name FROM p WHERE id = 1"); },
  "error: no table": (sql) => sql.exec("SELECT * FROM missing"),
  "error: no column": (sql) => sql.exec("SELECT missing"),
  "error: syntax": (sql) => sql.exec("SELEC 1"),
  "error: syntax inside": (sql) => sql.exec("SELECT 1 FROM WHERE"),
  "error: incomplete": (sql) => sql.exec("SELECT"),
  "error: unrecognized token": (sql) => sql.exec("SELECT 'abc"),
  "error: offset in second": (sql) => sql.exec("SELECT 1; SELECT missing"),
  "error: offset after multibyte": (sql) => sql.exec("SELECT '\u00e9\u00e9', missing"),
  "error: function": (sql) => sql.exec("SELECT nofunction(1)"),
  "error: function arguments": (sql) => sql.exec("SELECT abs(1, 2)"),
  "error: overflow": (sql) => sql.exec("SELECT abs(-9223372036854775808)"),
  "error: json": (sql) => sql.exec("SELECT json('{')"),
  "error: table exists": (sql) => { people(sql); return sql.exec("CREATE TABLE p (a)"); },
  "error in later row": (sql) => { sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('1'), ('2'), ('3'), ('x{'), ('5')"); const c = sql.exec("SELECT json(a) AS j FROM t"); return [1, 2, 3].map(() => attempt(() => c.next())); },
  "error in first row": (sql) => { const c = sql.exec("SELECT json('{') AS j"); return c.next(); },
  "error in second row": (sql) => { sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('1'), ('x{')"); const c = sql.exec("SELECT json(a) AS j FROM t"); return attempt(() => c.next()); },
  "json": (sql) => all(sql, "SELECT json_extract('{\"a\":[1,2]}', '$.a[1]') AS x, '{\"b\":5}' ->> 'b' AS y, json_group_array(value) AS z FROM json_each('[1,2,3]')"),
  "json binding": (sql) => all(sql, "SELECT value FROM json_each(?)", JSON.stringify([1, "a", null])),
  "fts5": (sql) => { sql.exec("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('the quick fox'), ('lazy dogs')"); return [all(sql, "SELECT body FROM f WHERE f MATCH 'quick'"), all(sql, "SELECT highlight(f, 0, '<', '>') AS h FROM f WHERE f MATCH 'dogs'")]; },
  "fts5 trigram": (sql) => { sql.exec("CREATE VIRTUAL TABLE f USING fts5(body, tokenize = 'trigram'); INSERT INTO f VALUES ('abcdef')"); return all(sql, "SELECT body FROM f WHERE f MATCH 'bcd'"); },
  "rtree": (sql) => { sql.exec("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (1, 0, 10), (2, 20, 30)"); return all(sql, "SELECT id FROM r WHERE x1 < 15"); },
  "window": (sql) => { numbers(sql, 4); return all(sql, "SELECT i, sum(i) OVER (ORDER BY i) AS s, row_number() OVER () AS r FROM n"); },
  "cte": (sql) => all(sql, "WITH RECURSIVE f(a, b) AS (VALUES (0, 1) UNION ALL SELECT b, a + b FROM f WHERE b < 50) SELECT a FROM f"),
  "dates": (sql) => all(sql, "SELECT date('2024-02-30') AS d, strftime('%s', '2024-01-01') AS s, unixepoch('2024-01-01') AS u, typeof(current_timestamp) AS t"),
  "math": (sql) => all(sql, "SELECT pow(2, 10) AS p, round(pi(), 4) AS pi, sqrt(16) AS s, 7 % 3 AS m, 7 / 2 AS d, log(100) AS l, mod(7, 3) AS mm"),
  "double quoted string": (sql) => all(sql, 'SELECT "no such column" AS s'),
  "like": (sql) => all(sql, "SELECT 'ABC' LIKE 'a%' AS a, 'ABC' GLOB 'a*' AS b, 'x' REGEXP 'y' AS c"),
  "changes": (sql) => { people(sql); sql.exec("UPDATE p SET age = 1"); return all(sql, "SELECT changes() AS c"); },
  "last_insert_rowid": (sql) => { people(sql); sql.exec("INSERT INTO p (name) VALUES ('z')"); return all(sql, "SELECT last_insert_rowid() AS r"); },
  "generated columns": (sql) => { sql.exec("CREATE TABLE t (a, b AS (a * 2), c AS (a + 1) STORED); INSERT INTO t (a) VALUES (5)"); return all(sql, "SELECT * FROM t"); },
  "autoincrement": (sql) => { sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t (a) VALUES (1), (2); DELETE FROM t; INSERT INTO t (a) VALUES (3)"); return all(sql, "SELECT * FROM t"); },
  "view": (sql) => { people(sql); sql.exec("CREATE VIEW v AS SELECT name FROM p WHERE age > 5"); return all(sql, "SELECT * FROM v"); },
  "update limit": (sql) => { numbers(sql, 5); return attempt(() => { sql.exec("DELETE FROM n ORDER BY i DESC LIMIT 2"); return all(sql, "SELECT i FROM n"); }); },
  "explain": (sql) => all(sql, "EXPLAIN QUERY PLAN SELECT 1").map((r) => Object.keys(r)),
  "analyze": (sql) => { people(sql); return all(sql, "ANALYZE"); },
  "alter": (sql) => { people(sql); sql.exec("ALTER TABLE p RENAME TO q; ALTER TABLE q ADD COLUMN extra DEFAULT 5; ALTER TABLE q RENAME COLUMN age TO years; ALTER TABLE q DROP COLUMN name"); return all(sql, "SELECT * FROM q WHERE id = 1"); },
  "large result": (sql) => { numbers(sql, 20000); let sum = 0; for (const { i } of sql.exec("SELECT i FROM n")) sum += i; return [sum, sql.exec("SELECT i, i AS j FROM n").toArray().length]; },
  "invalid utf-8": (sql) => { const v = sql.exec("SELECT CAST(x'61ff62' AS TEXT) AS v").one().v; return [...v].map((c) => c.codePointAt(0)); },
  "value of 4 MiB": (sql) => sql.exec("SELECT length(?) AS n", new Uint8Array(4 << 20)).one(),
  "value over 4 MiB": (sql) => sql.exec("SELECT length(?) AS n", new Uint8Array((4 << 20) + 1)).one(),
  "text over 4 MiB": (sql) => sql.exec("SELECT length(?) AS n", "x".repeat((4 << 20) + 1)).one(),
  "row over 4 MiB": (sql) => { sql.exec("CREATE TABLE t (a, b)"); return attempt(() => sql.exec("INSERT INTO t VALUES (?, ?)", new Uint8Array(3 << 20), new Uint8Array(2 << 20))); },
  "big row back": (sql) => { sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(4000000))"); return sql.exec("SELECT a FROM t").one().a.byteLength; },
  "zeroblob too big": (sql) => sql.exec("SELECT zeroblob(4194305)"),
  "quick statement after error": (sql) => { attempt(() => sql.exec("SELEC")); return all(sql, "SELECT 1 AS a"); },
  "experimental": (sql) => ["prepare", "ingest"].map((n) => typeof sql[n]),
};

export class Probe extends DurableObject {
  async fetch(request) {
    const run = cases[decodeURIComponent(new URL(request.url).pathname.slice(1))];
    const { storage } = this.ctx;
    try {
      return Response.json(show(await run(storage.sql, storage)));
    } catch (error) {
      return Response.json(show(error));
    }
  }
}

// Every case has an object of its own: some end with a broken one.
export default {
  async fetch(request, env) {
    const answers = {};
    for (const name of Object.keys(cases)) {
      try {
        const response = await Promise.race([scheduler.wait(3000).then(() => Response.json("hangs")), env.PROBE.getByName(name).fetch(`http://object/${encodeURIComponent(name)}`)]);
        answers[name] = await response.json();
      } catch (error) {
        answers[name] = show(error);
      }
    }
    return Response.json(answers);
  },
};
