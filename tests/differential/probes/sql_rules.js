// What SQL an object may run, and what it is told otherwise. Served by durabox and by workerd; the two answers must be equal.
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
const run = (text, ...bindings) => (sql) => sql.exec(text, ...bindings).toArray();
const after = (setup, text) => (sql) => { sql.exec(setup); return sql.exec(text).toArray(); };
/** Each text by itself: what it gives, or its error. */
const each = (setup, texts) => (sql) => { if (setup) sql.exec(setup); return texts.map((text) => attempt(() => sql.exec(text).toArray())); };
const T = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE INDEX i ON t (a)";

const cases = {
  "transactions": each("", ["BEGIN", "BEGIN IMMEDIATE", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a"]),
  "attach": each("", ["ATTACH 'x.db' AS x", "ATTACH ':memory:' AS x", "DETACH main"]),
  "vacuum": each(T, ["VACUUM", "VACUUM INTO 'x.db'"]),
  "temp": each(T, ["CREATE TEMP TABLE x (a)", "CREATE TEMPORARY VIEW v AS SELECT 1", "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END", "CREATE TABLE temp.x (a)", "SELECT * FROM temp.sqlite_master", "SELECT * FROM sqlite_temp_master"]),
  "create reserved": each(T, ["CREATE TABLE _cf_x (a)", "CREATE TABLE _CF_x (a)", "CREATE TABLE \"_cf_x\" (a)", "CREATE TABLE main._cf_x (a)", "CREATE VIEW _cf_v AS SELECT 1", "CREATE INDEX _cf_i ON t (b)", "CREATE TRIGGER _cf_r AFTER INSERT ON t BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE _cf_f USING fts5(a)", "CREATE TABLE x_cf_ (a)", "CREATE TABLE _cf (a)", "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT, value BLOB)"]),
  "read reserved": async (sql, s) => { await s.put("k", 1); return ["SELECT * FROM _cf_KV", "SELECT key FROM _CF_kv", "SELECT count(*) FROM _cf_KV", "SELECT 1 FROM _cf_KV", "SELECT rowid FROM _cf_METADATA", "SELECT (SELECT max(key) FROM _cf_KV)", "WITH x AS (SELECT * FROM _cf_KV) SELECT * FROM x", "CREATE TABLE c AS SELECT * FROM _cf_KV", "CREATE VIEW v AS SELECT * FROM _cf_KV; SELECT * FROM v"].map((text) => attempt(() => sql.exec(text).toArray())); },
  "write reserved": async (sql, s) => { await s.put("k", 1); sql.exec(T); return ["INSERT INTO _cf_KV VALUES ('a', x'00')", "UPDATE _cf_KV SET value = x'00'", "DELETE FROM _cf_KV", "DROP TABLE _cf_KV", "ALTER TABLE _cf_KV RENAME TO kv", "ALTER TABLE _cf_KV ADD COLUMN x", "CREATE INDEX ik ON _cf_KV (value)", "CREATE TRIGGER r AFTER INSERT ON _cf_KV BEGIN SELECT 1; END", "ANALYZE _cf_KV", "REINDEX _cf_KV"].map((text) => attempt(() => sql.exec(text).toArray())).concat([show(await s.get("k"))]); },
  "write reserved from trigger": async (sql, s) => { await s.put("k", 1); sql.exec(T); return [attempt(() => sql.exec("CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM _cf_KV; END")), attempt(() => sql.exec("INSERT INTO t VALUES (1, 2, 3)").toArray()), show(await s.get("k"))]; },
  "rename to reserved": each(T, ["ALTER TABLE t RENAME TO _cf_x", "ALTER TABLE t RENAME TO \"_CF_x\"", "ALTER TABLE t RENAME TO fine", "SELECT count(*) FROM fine"]),
  "reserved column": each("", ["CREATE TABLE x (_cf_a)", "INSERT INTO x (_cf_a) VALUES (1)", "SELECT _cf_a FROM x"]),
  "sqlite_master": each(T, ["SELECT count(*) AS n FROM sqlite_schema WHERE tbl_name = 't'", "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 5, '')", "UPDATE sqlite_master SET sql = ''", "DELETE FROM sqlite_master", "DROP TABLE sqlite_master"]),
  "sequence and stat": each("CREATE TABLE q (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO q DEFAULT VALUES; ANALYZE", ["SELECT * FROM sqlite_sequence", "UPDATE sqlite_sequence SET seq = 10", "SELECT tbl FROM sqlite_stat1 WHERE tbl = 'q'"]),
  "virtual table modules": each("", ["CREATE VIRTUAL TABLE a USING fts5(x)", "CREATE VIRTUAL TABLE b USING fts4(x)", "CREATE VIRTUAL TABLE c USING rtree(i, a, b)", "CREATE VIRTUAL TABLE d USING rtree_i32(i, a, b)", "CREATE VIRTUAL TABLE e USING fts5vocab(a, row)", "CREATE VIRTUAL TABLE f USING dbstat", "CREATE VIRTUAL TABLE g USING nothing(x)", "SELECT term FROM e"]),
  "fts5 shadow tables": each("CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('a')", ["SELECT count(*) > 0 AS n FROM f_data", "DELETE FROM f_data", "UPDATE f_config SET v = 9", "DROP TABLE f_data", "INSERT INTO f_content VALUES (9, 'x')", "INSERT INTO f (f) VALUES ('integrity-check')", "INSERT INTO f (f, rank) VALUES ('pgsz', 64)", "DROP TABLE f", "SELECT count(*) AS n FROM sqlite_master WHERE name LIKE 'f%'"]),
  "eponymous tables": each(T, ["SELECT count(*) AS n FROM json_each('[1]')", "SELECT name FROM pragma_table_info('t')", "SELECT * FROM pragma_database_list", "SELECT * FROM pragma_function_list", "SELECT * FROM dbstat", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM sqlite_stmt", "SELECT * FROM generate_series(1, 2)", "SELECT * FROM sqlite_dbpage", "SELECT * FROM pragma_table_info('_cf_KV')"]),
  "pragma reads": each(T, ["data_version", "page_size", "foreign_keys", "defer_foreign_keys", "case_sensitive_like", "ignore_check_constraints", "legacy_alter_table", "recursive_triggers", "reverse_unordered_selects", "table_list", "foreign_key_check", "quick_check", "optimize", "table_info", "page_count", "freelist_count", "user_version", "journal_mode", "schema_version", "compile_options", "function_list", "module_list", "database_list", "cache_size", "integrity_check", "encoding", "writable_schema", "trusted_schema", "synchronous", "nonsense"].map((p) => `PRAGMA ${p}`).filter((p) => !/data_version|table_list/.test(p))),
  "pragma writes": each(T, ["foreign_keys = OFF", "foreign_keys = 1", "foreign_keys = maybe", "foreign_keys = 'on'", "foreign_keys = 2", "foreign_keys = -1", "defer_foreign_keys = ON", "case_sensitive_like = yes", "page_size = 1024", "data_version = 1", "table_info(t)", "table_info('t')", "table_info(_cf_KV)", "table_info(missing)", "table_info(5)", "index_list(t)", "index_info(i)", "index_xinfo(i)", "foreign_key_list(t)", "foreign_key_check(t)", "quick_check(1)", "quick_check(t)", "optimize(1)", "optimize(x)", "optimize(0x10002)", "optimize = -1", "user_version = 5", "journal_mode = DELETE", "writable_schema = ON", "trusted_schema = ON", "synchronous = OFF", "locking_mode = NORMAL", "cache_size = 5", "max_page_count = 1", "temp_store = MEMORY", "mmap_size = 0", "recursive_triggers = ON", "legacy_alter_table = TRUE", "main.table_info(t)", "temp.table_info(t)"].map((p) => `PRAGMA ${p}`)),
  "functions allowed": each("", ["abs(-1)", "char(65)", "coalesce(NULL, 2)", "concat('a', 'b')", "concat_ws('-', 'a', 'b')", "format('%d', 3)", "glob('a*', 'abc')", "hex('a')", "ifnull(NULL, 1)", "iif(1, 2, 3)", "instr('abc', 'b')", "length('abc')", "like('a%', 'abc')", "likelihood(1, 0.5)", "likely(1)", "lower('A')", "ltrim(' a')", "max(1, 2)", "min(1, 2)", "nullif(1, 1)", "octet_length('a')", "printf('%s', 'x')", "quote('x')", "typeof(random())", "length(randomblob(3))", "replace('aa', 'a', 'b')", "round(1.5)", "rtrim('a ')", "sign(-3)", "substr('abc', 2)", "substring('abc', 2)", "trim(' a ')", "unhex('41')", "unicode('a')", "unlikely(1)", "upper('a')", "timediff('2024-01-02', '2024-01-01')", "julianday('2024-01-01')", "ceil(1.2)", "trunc(1.7)", "log2(8)", "degrees(0)", "json_patch('{}', '{\"a\":1}')", "json(jsonb('[1]'))", "json_valid('1')", "json_type('[]')", "json_quote('a')", "json_object('a', 1)", "json(jsonb_set('{}', '$.a', 1))", "json_array_length('[1]')"].map((f) => `SELECT ${f} AS v`)),
  "functions refused": each("", ["sqlite_version()", "sqlite_source_id()", "sqlite_offset(1)", "sqlite_compileoption_get(0)", "sqlite_compileoption_used('X')", "load_extension('x')", "ceiling(1)", "power(2, 2)", "log10(5)", "json_pretty('[]')", "json_error_position('[')", "unistr('a')", "if(1, 2, 3)", "fts5(1)", "writefile('x', 'y')", "readfile('x')", "edit('x')", "sqlite_log(1, 'x')", "subtype(1)", "sqlite_rename_table(1, 2, 3, 4, 5, 6, 7)"].map((f) => `SELECT ${f} AS v`)),
  "function in default": each("", ["CREATE TABLE d (a, b DEFAULT (abs(-5)))", "INSERT INTO d (a) VALUES (1)", "SELECT b FROM d"]),
  "functions, any case": each("", ["SELECT ABS(-1) AS v", "SELECT Sqlite_Version() AS v"]),
  "too many columns": (sql) => [attempt(() => sql.exec(`CREATE TABLE w (${Array.from({ length: 101 }, (_, i) => `c${i}`)})`)), attempt(() => sql.exec(`CREATE TABLE w (${Array.from({ length: 100 }, (_, i) => `c${i}`)})`)), attempt(() => sql.exec(`SELECT ${Array(101).fill(1)}`))],
  "too many terms": (sql) => [attempt(() => sql.exec(Array(5).fill("SELECT 1").join(" UNION ALL ")).toArray().length), attempt(() => sql.exec(Array(6).fill("SELECT 1").join(" UNION ALL ")))],
  "too deep": (sql) => [attempt(() => sql.exec(`SELECT ${"(".repeat(50)}1${")".repeat(50)} AS v`).toArray()), attempt(() => sql.exec(`SELECT ${"1+".repeat(150)}1`)), attempt(() => sql.exec(`SELECT ${"NOT ".repeat(101)}1`))],
  "too long pattern": (sql) => [attempt(() => sql.exec("SELECT 'a' LIKE ? AS v", "a".repeat(50)).toArray()), attempt(() => sql.exec("SELECT 'a' LIKE ?", "a".repeat(51))), attempt(() => sql.exec("SELECT 'a' GLOB ?", "a".repeat(51)))],
  "too many arguments": (sql) => [attempt(() => sql.exec(`SELECT max(${Array(100).fill(1)}) AS v`).toArray()), attempt(() => sql.exec(`SELECT max(${Array(128).fill(1)})`))],
  "too long text": (sql) => [attempt(() => sql.exec(`SELECT '${"x".repeat(99_000)}' AS v`).one().v.length), attempt(() => sql.exec(`SELECT '${"x".repeat(100_001)}'`))],
  "too many triggers": (sql) => { sql.exec("PRAGMA recursive_triggers = ON; CREATE TABLE t (a); CREATE TRIGGER r AFTER INSERT ON t WHEN new.a < 50 BEGIN INSERT INTO t VALUES (new.a + 1); END"); return attempt(() => sql.exec("INSERT INTO t VALUES (1)")); },
  "foreign keys are on": each("", ["PRAGMA foreign_keys"]),
  "foreign keys inside a transaction": (sql, s) => { sql.exec("CREATE TABLE t (a)"); sql.exec("PRAGMA foreign_keys = OFF"); return sql.exec("PRAGMA foreign_keys").toArray(); },
  "foreign keys outside of one": async (sql, s) => { sql.exec("CREATE TABLE t (a)"); await s.sync(); sql.exec("PRAGMA foreign_keys = OFF"); return sql.exec("PRAGMA foreign_keys").toArray(); },
  "defer_foreign_keys": async (sql, s) => { sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id))"); sql.exec("PRAGMA defer_foreign_keys = ON"); sql.exec("INSERT INTO b VALUES (1)"); sql.exec("INSERT INTO a VALUES (1)"); await s.sync(); return sql.exec("SELECT count(*) AS n FROM b").toArray(); },
  "quoted host statement": async (sql, s) => { await s.put("k", 1); return ["SELECT value FROM _cf_KV WHERE key = CAST(? AS TEXT)"].map((text) => attempt(() => sql.exec(text, "k").toArray())); },
  "returning from reserved": async (sql, s) => { await s.put("k", 1); return attempt(() => sql.exec("DELETE FROM _cf_KV RETURNING key").toArray()); },
  "foreign key to reserved": async (sql, s) => { await s.put("k", 1); return each("", ["CREATE TABLE fk (k REFERENCES _cf_KV (key) ON DELETE CASCADE)", "INSERT INTO fk VALUES ('k')"])(sql); },
  "savepoint named as the host's": each("", ["RELEASE _cf_savepoint_1", "ROLLBACK TO _cf_sync_savepoint_0"]),
  "explain reserved": async (sql, s) => { await s.put("k", 1); return attempt(() => sql.exec("EXPLAIN SELECT * FROM _cf_KV").toArray()); },
  "zeroblob": each("", ["SELECT length(zeroblob(1000000)) AS n", "SELECT length(zeroblob(100000000)) AS n", "SELECT length(randomblob(100000000)) AS n"]),
  "window functions": each("CREATE TABLE n (i); INSERT INTO n VALUES (1), (2), (3)", ["rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(2)", "lag(i)", "lead(i)", "first_value(i)", "last_value(i)", "nth_value(i, 2)", "avg(i)", "group_concat(i)", "string_agg(i, '-')", "total(i)"].map((f) => `SELECT ${f} OVER (ORDER BY i) AS v FROM n`)),
  "collations": each("", ["SELECT 'a' = 'A' COLLATE NOCASE AS v", "SELECT 'a' = 'a ' COLLATE RTRIM AS v", "SELECT 'a' = 'b' COLLATE NOTHING AS v"]),
  "reindex": each(T, ["REINDEX", "REINDEX i", "REINDEX t"]),
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
