"""``ctx.storage.sql`` and ``ctx.storage.kv`` as JavaScript sees them: values, cursors, limits and durability."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.limits import Limits
from tests.bindings_objects.conftest import InObject, OpenModule

NUMBERS = """
  const fill = (count) => {
    sql.exec("CREATE TABLE n (i INTEGER PRIMARY KEY, s TEXT)");
    sql.exec(`WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${count})
      INSERT INTO n SELECT i, 'row ' || i FROM c`);
  };
  const sql = storage.sql;
"""

OBJECT = """
import { DurableObject } from "cloudflare:workers";
export class Probe extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx, { sql } = storage;
    const path = new URL(request.url).pathname;
    %s
  }
}
"""


async def test_a_result_of_many_batches_is_read_whole_in_every_way(in_object: InObject) -> None:
    assert await in_object(
        NUMBERS
        + """
      fill(30_000);
      const text = "SELECT i, s FROM n";
      let sum = 0;
      for (const { i } of sql.exec(text)) sum += i;
      const mixed = sql.exec(text), raw = mixed.raw();
      let turns = 0, last;
      for (;;) {
        const step = turns % 2 ? raw.next() : mixed.next();
        if (step.done) break;
        last = turns++ % 2 ? step.value[0] : step.value.i;
      }
      const array = sql.exec(text).toArray();
      return [sum, turns, last, array.length, array.at(-1), [...sql.exec(text).raw()].at(-1)];
    """
    ) == [450015000, 30000, 30000, 30000, {"i": 30000, "s": "row 30000"}, [30000, "row 30000"]]


@pytest.mark.parametrize(
    "rows", ["sql.exec(text)", "sql.exec(text).raw()", "sql.exec(text)[Symbol.iterator]()"]
)
async def test_rows_that_a_loop_waits_between_are_all_read(in_object: InObject, rows: str) -> None:
    # The loop has the iterator alone; what it was made from is gone.
    assert (
        await in_object(
            NUMBERS
            + f"""
      fill(10_000);
      const text = "SELECT i, s FROM n";
      let count = 0;
      for (const row of {rows}) if (count++ % 1000 === 0) await scheduler.wait(0);
      return count;
    """
        )
        == 10_000
    )


async def test_rows_read_and_written_are_counted(in_object: InObject) -> None:
    assert await in_object(
        NUMBERS
        + """
      fill(30_000);
      const scan = sql.exec("SELECT s FROM n WHERE i % 2");
      const first = scan.rowsRead;
      scan.toArray();
      sql.exec("CREATE INDEX by_text ON n (s)");
      return [first, scan.rowsRead, sql.exec("INSERT INTO n VALUES (?, 'x')", -1).rowsWritten];
    """
    ) == [1, 30000, 2]


NO_RESULTS = "Error: Expected exactly one result from SQL query, but got no results."
#: Runs a text so often that the last ones are run by number, and says what each came to, once if all are alike.
AGAIN = """
  const { sql } = storage;
  const attempt = (run) => { try { return run(); } catch (error) { return `${error.constructor.name}: ${error.message}`; } };
  const again = (text, ...bindings) => {
    const outcomes = Array.from({ length: 5 }, () => attempt(() => sql.exec(text, ...bindings).rowsWritten));
    return outcomes.every((outcome) => outcome === outcomes[0]) ? outcomes[0] : outcomes;
  };
"""


async def test_a_statement_that_is_run_again_takes_the_same_bindings(in_object: InObject) -> None:
    assert (
        await in_object(
            AGAIN
            + """
      sql.exec("CREATE TABLE t (kind, value)");
      const bytes = Uint8Array.of(1, 2, 3, 4), different = [];
      const values = [null, undefined, 0, -0, 7, 2 ** 31, 2 ** 53, 1e300, NaN, Infinity, "", "text", "é€𝄞", "\\ud800", "a\\0b",
        "x".repeat(70_000), "ab" + String(Math.random()), true, false, bytes, bytes.buffer, bytes.subarray(1, 3),
        new DataView(bytes.buffer, 2), new ArrayBuffer(0), { toString: () => "own" }, [1, 2], new Date(0), 10n, Symbol("none")];
      for (const [kind, value] of values.entries()) {
        const written = again("INSERT INTO t VALUES (?, ?)", kind, value);
        const stored = sql.exec("SELECT DISTINCT typeof(value), hex(value) FROM t WHERE kind = ?", kind).toArray();
        const count = sql.exec("SELECT count(*) AS n FROM t WHERE kind = ?", kind).one().n;
        if (["symbol", "bigint"].includes(typeof value) ? typeof written !== "string" : written !== 1 || stored.length !== 1 || count !== 5)
          different.push([kind, written, stored, count]);
      }
      return different;
    """
        )
        == []
    )


async def test_a_statement_that_is_run_again_fails_as_the_first_time(in_object: InObject) -> None:
    outcome = await in_object(
        AGAIN
        + """
      sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, small INTEGER CHECK (small < 10))");
      const text = "INSERT INTO t (id, name, small) VALUES (?, ?, ?)";
      for (let id = 0; id < 5; id++) sql.exec(text, id, "", 1);
      const values = [[1, "twice", 1], [9, null, 1], [9, "", 10], ["text", "", 1], [1, "few"], [1, "", 1, 1], [], [9, "x".repeat(8_400_000), 1]];
      return [
        values.map((given) => [attempt(() => sql.exec(`${text} `, ...given)), again(text, ...given)]),
        sql.exec("SELECT count(*) AS n FROM t").one().n,
        attempt(() => sql.exec.call({}, text, 9, "", 1)),
        attempt(() => new sql.exec(text, 9, "", 1)),
      ];
    """
    )
    failures, count, *misused = outcome
    assert [first.split(":")[:2] for first, _ in failures] == [
        ["Error", " UNIQUE constraint failed"],
        ["Error", " NOT NULL constraint failed"],
        ["Error", " CHECK constraint failed"],
        ["Error", " datatype mismatch"],
        *[["Error", " Wrong number of parameter bindings for SQL query."]] * 3,
        ["Error", " string or blob too big"],
    ]
    assert [again for _, again in failures] == [first for first, _ in failures]
    assert count == 5
    assert misused[0].startswith("TypeError: Illegal invocation: ")
    assert misused[1].endswith("not a constructor")


async def test_a_statement_that_is_run_again_follows_the_schema(in_object: InObject) -> None:
    assert await in_object(
        AGAIN
        + """
      const make = () => sql.exec("CREATE TABLE t (a, b); CREATE TABLE log (a)");
      const insert = () => again("INSERT INTO t VALUES (?, ?)", 1, 2);
      const seen = [];
      make();
      seen.push(insert());
      sql.exec("CREATE INDEX by_a ON t (a)");
      seen.push(insert());
      sql.exec("CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END");
      insert();
      seen.push(sql.exec("SELECT count(*) AS n FROM log").one().n);
      sql.exec("DROP TRIGGER noted");
      seen.push(insert());
      try {
        storage.transactionSync(() => {
          sql.exec("DROP INDEX by_a");
          seen.push(insert());
          throw new Error("undo");
        });
      } catch {}
      seen.push(insert());
      sql.exec("DROP TABLE t");
      seen.push(insert());
      sql.exec("CREATE TABLE t (a UNIQUE, b)");
      seen.push(insert());
      await storage.deleteAll();
      seen.push(insert());
      make();
      seen.push(insert(), sql.exec("SELECT count(*) AS n FROM t").one().n);
      return seen;
    """
    ) == [
        1,
        2,
        5,
        2,
        1,
        2,
        "Error: no such table: t: SQLITE_ERROR",
        [
            2,
            *["Error: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"]
            * 4,
        ],
        "Error: no such table: t: SQLITE_ERROR",
        1,
        5,
    ]


async def test_the_cursor_of_a_statement_that_is_run_again_is_like_the_first(in_object: InObject) -> None:
    outcomes = await in_object(
        AGAIN
        + """
      sql.exec("CREATE TABLE t (a)");
      const look = () => {
        const cursor = sql.exec("INSERT INTO t VALUES (?)", 1);
        return [cursor instanceof sql.Cursor, Object.getPrototypeOf(cursor) === sql.Cursor.prototype, Reflect.ownKeys(cursor), cursor.rowsRead,
          cursor.rowsWritten, cursor.columnNames, cursor.columnNames === cursor.columnNames, cursor.rowsWritten, cursor.next(),
          cursor.toArray(), [...cursor], [...cursor.raw()], attempt(() => cursor.one())];
      };
      return [...Array.from({ length: 4 }, look), [sql.exec.name, sql.exec.length]];
    """
    )
    assert outcomes == [
        *[[True, True, [], 0, 1, [], True, 1, {"done": True}, [], [], [], NO_RESULTS]] * 4,
        ["exec", 0],
    ]


#: Runs a query five times, so that the last ones are run by number, and the same once as another text; what any came to that is
#: not like the others.
QUERIES = """
  const { sql } = storage;
  const attempt = (run) => { try { return run(); } catch (error) { return `${error.constructor.name}: ${error.message}`; } };
  const outcome = (text, bindings) => {
    const cursor = () => sql.exec(text, ...bindings);
    const looked = attempt(() => {
      const it = cursor(), first = it.next();
      return [first, it.rowsRead, it.columnNames, it.columnNames === it.columnNames, it.columnNames.push("x"), [...it.raw()], it.toArray(), it.rowsRead];
    });
    return JSON.stringify([looked, ...["one", "toArray"].map((name) => attempt(() => cursor()[name]())),
      attempt(() => [...cursor()]), attempt(() => [...cursor().raw()])]);
  };
  let fresh = 0;
  const unlike = (text, ...bindings) => {
    const expected = outcome(`${text}${" ".repeat(++fresh)}`, bindings);
    return Array.from({ length: 3 }, () => outcome(text, bindings)).filter((found) => found !== expected);
  };
"""


async def test_a_query_that_is_run_again_has_the_same_outcome(in_object: InObject) -> None:
    assert (
        await in_object(
            QUERIES
            + """
      sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT, value); CREATE INDEX by_kind ON t (kind)");
      for (let i = 1; i <= 40; i++) sql.exec("INSERT INTO t VALUES (?, ?, ?)", i, `kind ${i % 4}`, i % 3 ? i : null);
      sql.exec("INSERT INTO t VALUES (50, 'bytes', x'0102'), (51, 'long', ?), (52, 'é\\ud800', 1e300)", "x".repeat(300_000));
      const queries = [
        ["SELECT * FROM t WHERE id = ?", 7], ["SELECT * FROM t WHERE id = ?", 99], ["SELECT * FROM t WHERE id = ?", "7"],
        ["SELECT * FROM t WHERE id = ?", 50], ["SELECT * FROM t WHERE id = ?", null], ["SELECT * FROM t WHERE id = ?", 51],
        ["SELECT * FROM t WHERE kind = ? ORDER BY kind", "kind 1"], ["SELECT * FROM t WHERE kind = ?", "é\\ud800"],
        ["SELECT id, id, value AS __proto__ FROM t WHERE id < ?", 5], ["SELECT value FROM t WHERE id > ? AND value > 3 LIMIT 2", 3],
        ["SELECT count(*) AS n FROM t"], ["SELECT max(id) FROM t"], ["SELECT * FROM t"], ["SELECT 1 AS one"], ["PRAGMA table_info(t)"],
        ["SELECT a.id, b.id FROM t a JOIN t b ON b.id = a.id + 1 WHERE a.id = ?", 3], ["SELECT * FROM t WHERE id = ?"],
        ["SELECT * FROM t WHERE id = ?", 1, 2], ["SELECT * FROM t WHERE id = ?", 1n], ["SELECT * FROM t WHERE id = ?", Symbol("x")],
        ["SELECT value FROM t WHERE id >= ?; SELECT id FROM t WHERE id = ?", 1], ["SELECT * FROM none WHERE id = ?", 1],
        ["SELECT CAST(x'ff' AS TEXT) FROM t WHERE id = ?", 1], ["SELECT value FROM t WHERE id = ? -- ;", 1],
      ];
      return queries.flatMap((query) => unlike(...query).map((found) => JSON.stringify([query.map(String), found])));
    """
        )
        == []
    )


async def test_a_query_that_is_run_again_sees_what_is_written_and_undone(in_object: InObject) -> None:
    assert await in_object(
        QUERIES
        + """
      const seen = [];
      const look = () => {
        for (let i = 0; i < 4; i++) attempt(() => sql.exec("SELECT * FROM t WHERE id = ?", 1).toArray());
        seen.push(attempt(() => sql.exec("SELECT * FROM t WHERE id = ?", 1).toArray()));
      };
      sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
      look();
      for (let i = 0; i < 5; i++) {
        sql.exec("INSERT INTO t (a) VALUES (?)", i);
        seen.push(sql.exec("SELECT * FROM t WHERE id = ?", i + 1).one().a);
      }
      look();
      attempt(() => storage.transactionSync(() => {
        sql.exec("UPDATE t SET a = 'new' WHERE id = 1");
        look();
        sql.exec("ALTER TABLE t ADD COLUMN b DEFAULT 'more'");
        look();
        throw new Error("undo");
      }));
      look();
      await storage.sync();
      sql.exec("ALTER TABLE t RENAME COLUMN a TO c");
      look();
      const before = sql.exec("SELECT * FROM t WHERE id = ?", 2);
      sql.exec("DROP TABLE t");
      look();
      await storage.deleteAll();
      seen.push(attempt(() => before.one()));
      look();
      return seen;
    """
    ) == [
        [],
        *range(5),
        [{"id": 1, "a": 0}],
        [{"id": 1, "a": "new"}],
        [{"id": 1, "a": "new", "b": "more"}],
        [{"id": 1, "a": 0}],
        [{"id": 1, "c": 0}],
        "Error: no such table: t: SQLITE_ERROR",
        "Error: SQLite query was canceled because the database was deleted.",
        "Error: no such table: t: SQLITE_ERROR",
    ]


async def test_rows_are_read_on_while_statements_are_run_again(in_object: InObject) -> None:
    assert await in_object(
        NUMBERS
        + """
      fill(20_000);
      sql.exec("CREATE TABLE copy (i INTEGER PRIMARY KEY, s)");
      for (const { i, s } of sql.exec("SELECT i, s FROM n")) sql.exec("INSERT INTO copy VALUES (?, ?)", i, s);
      for (let i = 1; i <= 20_000; i += 2) sql.exec("DELETE FROM copy WHERE i = ?", i);
      let written = 0;
      for (let i = 0; i < 10; i++) written += sql.exec("UPDATE copy SET s = ? WHERE i <= ?", null, i).rowsWritten;
      return [sql.exec("SELECT count(*) AS n, sum(i) AS sum, count(s) AS s FROM copy").one(), written];
    """
    ) == [{"n": 10_000, "sum": 100_010_000, "s": 9_996}, 20]


async def test_any_number_of_statements_is_run_again(in_object: InObject) -> None:
    assert await in_object(
        """
      const { sql } = storage;
      sql.exec("CREATE TABLE t (a)");
      const texts = Array.from({ length: 150 }, (_, i) => `INSERT INTO t VALUES (${i} + ?)`);
      let written = 0;
      for (let times = 0; times < 4; times++) for (const text of texts) written += sql.exec(text, times).rowsWritten;
      return [written, sql.exec("SELECT sum(a) AS sum FROM t").one().sum];
    """
    ) == [600, 4 * 150 * 149 // 2 + 150 * 6]


async def test_what_is_run_again_in_a_transaction_is_undone_with_it(in_object: InObject) -> None:
    assert await in_object(
        AGAIN
        + """
      sql.exec("CREATE TABLE t (a)");
      const insert = () => again("INSERT INTO t VALUES (?)", 1);
      const count = () => sql.exec("SELECT count(*) AS n FROM t").one().n;
      const seen = [insert()];
      for (const undo of [true, false, true])
        attempt(() => storage.transactionSync(() => {
          seen.push(insert(), count());
          if (undo) throw new Error("undo");
        }));
      await storage.sync();
      seen.push(insert(), count());
      return seen;
    """
    ) == [1, 1, 10, 1, 10, 1, 15, 1, 15]


async def test_rows_that_are_added_in_a_loop_are_there_for_whatever_comes_next(in_object: InObject) -> None:
    assert await in_object(
        """
      const { sql } = storage;
      sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE u (id INTEGER PRIMARY KEY, v, w); CREATE INDEX by_v ON u (v)");
      const add = (count, value) => { for (let i = 0; i < count; i++) sql.exec("INSERT INTO t (v) VALUES (?)", value); };
      const addOther = (count) => { for (let i = 0; i < count; i++) sql.exec("INSERT INTO u (v, w) VALUES (?, ?)", i, null); };
      const one = (text) => Object.values(sql.exec(text).one())[0];
      const seen = [];
      add(10, "a");
      seen.push(one("SELECT count(*) FROM t"), one("SELECT last_insert_rowid()"));
      add(10, "b");
      sql.exec("UPDATE t SET v = 'c' WHERE id > 15");
      add(10, "d");
      addOther(10);
      seen.push(sql.exec("SELECT v, count(*) AS n, max(id) AS last FROM t GROUP BY v").raw().toArray(), one("SELECT count(*) FROM u"));
      add(10, "e");
      await storage.put("key", 1);
      add(10, "f");
      try {
        storage.transactionSync(() => { add(10, "undone"); throw new Error("undo"); });
      } catch {}
      storage.transactionSync(() => add(10, "g"));
      add(5, new Uint8Array(3));
      try { add(5, Symbol("none")); } catch (error) { seen.push(error.constructor.name); }
      for (const size of [100, 9_000, 20_000]) add(5, "x".repeat(size));
      for (let i = 0; i < 3; i++) sql.exec("INSERT INTO t (v) VALUES (?)", i), addOther(1), addOther(2), add(1, 0);
      let written = 0;
      for (let i = 0; i < 4000; i++) written += sql.exec("INSERT INTO u (v, w) VALUES (?, ?)", i, `row ${i}`).rowsWritten;
      seen.push(written, one("SELECT count(*) FROM t"), one("SELECT sum(length(v)) FROM t"), one("SELECT count(*) FROM u"));
      seen.push(one("SELECT count(*) FROM u AS a JOIN u AS b ON b.id = a.id + 1 WHERE a.w IS NOT NULL AND b.v <> a.v + 1"));
      return seen;
    """
    ) == [
        10,
        10,
        [["a", 10, 10], ["b", 5, 15], ["c", 5, 20], ["d", 10, 30]],
        10,
        "TypeError",
        8000,
        30 + 30 + 5 + 15 + 6,
        30 + 30 + 15 + 5 * 29_100 + 6 * len("0.0"),
        10 + 9 + 4000,
        0,
    ]


LOOP = """
    if (path === "/made") sql.exec("CREATE TABLE t (v)");
    if (path !== "/count") for (let i = 0; i < 50; i++) sql.exec("INSERT INTO t VALUES (?)", i);
    if (path === "/thrown") throw new Error("after all");
    if (path === "/aborted") this.ctx.abort("no more");
    if (path === "/ended") for (;;);
    if (path === "/later") this.ctx.waitUntil(scheduler.wait(1).then(() => {
      for (let i = 0; i < 50; i++) sql.exec("INSERT INTO t VALUES (?)", i);
    }));
    return new Response(path === "/count" ? String(sql.exec("SELECT count(*) AS n FROM t").one().n) : "");
"""


async def test_rows_that_are_added_last_are_stored_with_their_event(
    open_module: OpenModule, tmp_path: Path
) -> None:
    async def count(stub: Any) -> int:
        return int(await (await stub.fetch("/count")).text())

    limits = Limits(cpu_ms=600)
    async with open_module(OBJECT % LOOP, state=tmp_path / "state", limits=limits) as host:
        stub = host.namespace("Probe").get_by_name("a")
        await stub.fetch("/made")
        await stub.fetch("/again")
        assert await count(stub) == 100
        with pytest.raises(JavaScriptError, match="after all"):
            await stub.fetch("/thrown")
        assert await count(stub) == 150
        for path in ("/aborted", "/ended"):
            with pytest.raises(ObjectBrokenError):
                await stub.fetch(path)
            assert await count(stub) == 150
        await stub.fetch("/later")
        while await count(stub) < 250:
            await asyncio.sleep(0)
    async with open_module(OBJECT % LOOP, state=tmp_path / "state") as host:
        assert await count(host.namespace("Probe").get_by_name("a")) == 250


async def test_columns_named_as_the_prototype_leave_it_alone(in_object: InObject) -> None:
    assert await in_object("""
      const row = storage.sql.exec("SELECT 1 AS __proto__, 2 AS constructor").one();
      return [Object.keys(row), Object.getPrototypeOf(row) === Object.prototype, row.constructor];
    """) == [["constructor"], True, 2]


async def test_cursors_that_are_forgotten_are_closed(in_object: InObject) -> None:
    assert (
        await in_object(
            NUMBERS
            + """
      fill(100);
      for (let i = 0; i < 2_500; i++) {
        sql.exec("SELECT *, zeroblob(1000) FROM n").next();
        if (i % 500 === 0) await scheduler.wait(0);
      }
      return "all of them";
    """
        )
        == "all of them"
    )


async def test_cursors_that_are_kept_are_bounded(in_object: InObject) -> None:
    answer = await in_object(
        NUMBERS
        + """
      fill(100);
      const kept = [];
      const again = () => { for (;;) kept.push(sql.exec("SELECT *, zeroblob(1000) FROM n")); };
      const read = (cursor) => attempt(() => cursor.toArray().length);
      return [await attempt(again), await read(kept[0]), await read(kept.at(-1)), await read(kept[5000])];
    """
    )
    closed = "Error: SQL cursor was closed because more of its rows were left than can be kept."
    assert answer == ["Error: More than 10000 SQL cursors with unread rows are open.", 100, 100, closed]


async def test_the_first_row_of_many_may_be_looked_at_often_in_one_turn(in_object: InObject) -> None:
    assert (
        await in_object(
            NUMBERS
            + """
      fill(5000);
      let sum = 0;
      for (let turn = 0; turn < 3000; turn++) sum += sql.exec("SELECT * FROM n").next().value.i;
      return sum;
    """
        )
        == 3000
    )


async def test_a_large_array_of_rows_fails_in_the_platforms_words(in_object: InObject) -> None:
    answer = await in_object(
        NUMBERS
        + 'fill(100_000); return attempt(() => sql.exec("SELECT i, s, s || s AS t FROM n, (VALUES (1), (2))").toArray());',
        limits=Limits(memory_mb=16),
    )
    assert answer.startswith("Error: SQL query result set is too large to fit in memory.")


async def test_what_sql_wrote_is_there_after_the_object_was_gone(
    open_module: OpenModule, tmp_path: Path
) -> None:
    source = (
        OBJECT
        % """
      sql.exec("CREATE TABLE IF NOT EXISTS visits (path TEXT)");
      sql.exec("INSERT INTO visits VALUES (?)", path);
      return Response.json(sql.exec("SELECT path FROM visits").raw().toArray().flat());
    """
    )
    for expected in (["/a"], ["/a", "/a"]):
        async with open_module(source, state=tmp_path / "state") as host:
            response = await host.namespace("Probe").get_by_name("a").fetch("/a")
            assert json.loads(await response.text()) == expected


async def test_an_answer_waits_for_the_commit_of_its_sql(open_module: OpenModule) -> None:
    source = (
        OBJECT
        % """
      if (path === "/make") sql.exec("CREATE TABLE a (id PRIMARY KEY); CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)");
      if (path === "/break") sql.exec("INSERT INTO b VALUES (1)");
      return new Response(String(sql.exec("SELECT count(*) AS n FROM b").one().n));
    """
    )
    async with open_module(source) as host:
        namespace = host.namespace("Probe")
        assert await (await namespace.get_by_name("a").fetch("/make")).text() == "0"
        with pytest.raises(
            JavaScriptError, match="left the database in a state where constraints were violated"
        ):
            await namespace.get_by_name("a").fetch("/break")
        assert await (await namespace.get_by_name("a").fetch("/")).text() == "0"


async def test_a_runaway_statement_ends_at_the_limit_of_cpu_time(open_module: OpenModule) -> None:
    source = (
        OBJECT
        % """
      if (path === "/run") sql.exec("WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c");
      if (path === "/write") sql.exec("CREATE TABLE t AS WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i < 0");
      if (path === "/read") sql.exec("WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i = 1 OR i < 0").toArray();
      return new Response("well");
    """
    )
    async with open_module(source, limits=Limits(cpu_ms=150)) as host:
        namespace = host.namespace("Probe")
        for path in ("/run", "/write", "/read"):
            started = time.monotonic()
            with pytest.raises(JavaScriptError, match="exceeded its CPU time limit"):
                await namespace.get_by_name("a").fetch(path)
            assert time.monotonic() - started < 10
            assert await (await namespace.get_by_name("a").fetch("/")).text() == "well"


async def test_an_object_that_only_reads_stores_nothing(open_module: OpenModule, tmp_path: Path) -> None:
    source = OBJECT % 'return Response.json([sql.exec("SELECT 1 AS a").one(), sql.databaseSize]);'
    async with open_module(source, state=tmp_path / "state") as host:
        response = await host.namespace("Probe").get_by_name("a").fetch("/")
        assert json.loads(await response.text()) == [{"a": 1}, 0]
    objects = [path for path in (tmp_path / "state").rglob("*.sqlite") if len(path.stem) == 64]
    assert objects == []


async def test_a_cursor_goes_on_across_events_and_commits(open_module: OpenModule) -> None:
    source = (
        OBJECT
        % """
      if (path === "/open") {
        sql.exec("CREATE TABLE n (i); WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 40000) INSERT INTO n SELECT i FROM c");
        this.cursor = sql.exec("SELECT i FROM n");
        return new Response(String(this.cursor.next().value.i));
      }
      await storage.put("key", path);
      let last;
      for (let n = 0; n < 20_000; n++) last = this.cursor.next().value.i;
      return new Response(String(last));
    """
    )
    async with open_module(source) as host:
        stub = host.namespace("Probe").get_by_name("a")
        answers = [await (await stub.fetch(path)).text() for path in ("/open", "/next")]
        assert answers == ["1", "20001"]


async def test_events_run_between_the_batches_of_others(open_module: OpenModule) -> None:
    source = (
        OBJECT
        % """
      sql.exec("CREATE TABLE IF NOT EXISTS t (a)");
      for (let i = 0; i < 200; i++) sql.exec("INSERT INTO t VALUES (?)", i);
      return new Response(String(sql.exec("SELECT count(*) AS n FROM t").one().n));
    """
    )
    async with open_module(source) as host:
        namespace = host.namespace("Probe")

        async def ask(name: str) -> str:
            return await (await namespace.get_by_name(name).fetch("/")).text()

        assert await asyncio.gather(*(ask(f"o{n}") for n in range(8))) == ["200"] * 8


async def test_the_synchronous_list_is_read_as_it_is_iterated(in_object: InObject) -> None:
    assert await in_object("""
      const { kv } = storage;
      for (let i = 0; i < 3_000; i++) kv.put(`k${String(i).padStart(5, "0")}`, "v".repeat(100));
      const seen = [];
      for (const [key] of kv.list({ prefix: "k" })) {
        seen.push(key);
        kv.delete(key);
        kv.delete(`k${String(seen.length * 2 - 1).padStart(5, "0")}`);
      }
      return [seen.length, seen[0], seen[1], seen.at(-1), [...kv.list()].length];
    """) == [1500, "k00000", "k00002", "k02998", 0]


async def test_a_long_synchronous_list_keeps_its_order_and_its_limit(in_object: InObject) -> None:
    assert await in_object("""
      const { kv } = storage;
      const keys = Array.from({ length: 3_000 }, (_, i) => String(i).padStart(4, "0") + String.fromCharCode(0xd800 + (i % 7)));
      for (const key of keys) kv.put(key, "v".repeat(100));
      const up = [...kv.list({ limit: 2_500 })].map(([key]) => key);
      const down = [...kv.list({ limit: 2_500, reverse: true })].map(([key]) => key);
      const same = (a, b) => a.length === b.length && a.every((key, i) => key.slice(0, 4) === b[i].slice(0, 4));
      return [same(up, keys.slice(0, 2_500)), same(down, keys.slice(500).reverse())];
    """) == [True, True]


async def test_rows_of_one_result_share_nothing_but_their_form(in_object: InObject) -> None:
    assert await in_object("""
      const [first, second] = storage.sql.exec("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y'").toArray();
      first.c = 3;
      delete first.a;
      const double = storage.sql.exec("SELECT 1 AS a, 2 AS a, 3 AS __proto__ UNION ALL SELECT 4, 5, 6").toArray();
      return [first, second, double, Object.getPrototypeOf(second) === Object.prototype];
    """) == [{"b": "x", "c": 3}, {"a": 2, "b": "y"}, [{"a": 2}, {"a": 5}], True]


async def test_a_list_that_holds_streams_is_whole(in_object: InObject) -> None:
    assert await in_object("""
      await storage.put({ a: 1, z: "last" });
      for (const key of ["b", "c"]) await storage.put(key, new Blob(["stream " + key]).stream());
      const map = await storage.list();
      return [[...map.keys()], map.get("a"), await new Response(map.get("c")).text(), map.get("z")];
    """) == [["a", "b", "c", "z"], 1, "stream c", "last"]
