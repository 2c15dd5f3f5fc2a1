"""``ctx.storage.sql`` and ``ctx.storage.kv`` as JavaScript sees them: values, cursors, limits and durability."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from durabox.errors import JavaScriptError
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
      fill(20_000);
      for (let i = 0; i < 2_500; i++) {
        sql.exec("SELECT * FROM n").next();
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
      fill(20_000);
      const kept = [];
      return attempt(() => { for (;;) kept.push(sql.exec("SELECT * FROM n")); });
    """
    )
    assert answer == "Error: More than 1000 SQL cursors with unread rows are open."


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


async def test_a_list_that_holds_streams_is_whole(in_object: InObject) -> None:
    assert await in_object("""
      await storage.put({ a: 1, z: "last" });
      for (const key of ["b", "c"]) await storage.put(key, new Blob(["stream " + key]).stream());
      const map = await storage.list();
      return [[...map.keys()], map.get("a"), await new Response(map.get("c")).text(), map.get("z")];
    """) == [["a", "b", "c", "z"], 1, "stream c", "last"]
