"""A migration changes every object of a class, each exactly once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import ModuleError
from durabox.objects.host import Host
from durabox.objects.targets import BadArgumentError
from durabox.storage.database import ObjectDatabase
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/put") await this.ctx.storage.put(Object.fromEntries(url.searchParams));
    if (url.pathname === "/empty") await this.ctx.storage.deleteAll();
    if (url.pathname === "/bookmark") return Response.json(await this.ctx.storage.getCurrentBookmark());
    return Response.json([...await this.ctx.storage.list()]);
  }
}
"""
COUNTING = """
export default async function (storage, { id, name }) {
  if ((await storage.get("bad")) !== undefined) {
    await storage.put("half", true);
    throw new TypeError("cannot migrate " + name);
  }
  await storage.put("touched", ((await storage.get("touched")) ?? 0) + 1);
  await storage.put("self", [id.length, name ?? null]);
}
"""


async def put(host: Host, name: str, query: str = "a=1") -> Any:
    return await (await host.namespace("Box").get_by_name(name).fetch(f"/put?{query}")).json()


async def bookmark(host: Host, name: str) -> str:
    found: str = await (await host.namespace("Box").get_by_name(name).fetch("/bookmark")).json()
    return found


async def migrate(host: Host, script: str, javascript: bool = True, **options: Any) -> list[tuple[str, str]]:
    return [
        (each["name"], each["outcome"])
        async for each in host.objects.migrate("Box", script, javascript=javascript, **options)
    ]


@pytest.mark.parametrize("state", ["disk", ":memory:"])
async def test_each_object_is_touched_once_however_often_the_script_is_run(
    host_of: OpenHost, tmp_path: Path, state: str
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state" if state == "disk" else state) as host:
        for name in ("a", "b"):
            await put(host, name)
        assert await migrate(host, COUNTING) == [("a", "done"), ("b", "done")]
        await put(host, "c")
        assert await migrate(host, COUNTING) == [("a", "already"), ("b", "already"), ("c", "done")]
        for name in ("a", "c"):
            assert await put(host, name) == [["a", "1"], ["self", [64, name]], ["touched", 1]]


async def test_a_lost_journal_touches_nothing_twice(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        await put(host, "a")
        await migrate(host, COUNTING)
    for damage in (Path.unlink, lambda path: path.write_bytes(b"no database" * 999)):
        damage(state / ".durabox" / "migrations.sqlite")
        async with host_of(SOURCE, state=state) as host:
            assert await migrate(host, COUNTING) == [("a", "already")]
            assert ["touched", 1] in await put(host, "a")


async def test_an_object_that_went_back_is_migrated_again(host_of: OpenHost, tmp_path: Path) -> None:
    file = tmp_path / "restored.sqlite"
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for name in ("restored", "imported", "emptied", "deleted", "same"):
            await put(host, name)
        await host.objects.export("Box", "imported", file)
        before = await bookmark(host, "restored")
        assert {outcome for _, outcome in await migrate(host, COUNTING)} == {"done"}
        await host.objects.restore("Box", "restored", before)
        await host.objects.load("Box", "imported", file, force=True)
        await host.objects.delete("Box", "deleted")
        await host.namespace("Box").get_by_name("emptied").fetch("/empty")
        for name in ("emptied", "deleted"):
            await put(host, name)
        assert dict(await migrate(host, COUNTING)) == {
            "restored": "done",
            "imported": "done",
            "emptied": "done",
            "deleted": "done",
            "same": "already",
        }
        for name in ("restored", "imported", "emptied", "deleted", "same"):
            assert await put(host, name) == [["a", "1"], ["self", [64, name]], ["touched", 1]]


async def test_an_alarm_that_a_script_sets_rings(host_of: OpenHost, tmp_path: Path) -> None:
    source = SOURCE.replace("async fetch", "alarm() { this.ctx.storage.kv.put('rang', 1); }\n  async fetch")
    script = "export default (storage, { name }) => storage.setAlarm(Date.now() + (name === 'a' ? -1 : 1e9));"
    async with host_of(source, state=tmp_path / "state") as host:
        for name in ("a", "b"):
            await put(host, name, "x=1")
        assert await migrate(host, script) == [("a", "done"), ("b", "done")]
        await host.alarms_quiet()
        assert await put(host, "a", "x=1") == [["rang", 1], ["x", "1"]]
        assert await put(host, "b", "x=1") == [["x", "1"]]
        page = await host.objects.list("Box")
        assert [each.alarm is None for each in page.objects] == [True, False]


async def test_an_object_that_fails_is_as_it_was_and_is_tried_again(
    host_of: OpenHost, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "bad=1")
        await put(host, "b")
        outcomes = [each async for each in host.objects.migrate("Box", COUNTING, javascript=True)]
        assert [each["outcome"] for each in outcomes] == ["failed", "done"]
        assert "cannot migrate a" in outcomes[0]["error"]
        assert await put(host, "a") == [["a", "1"], ["bad", "1"]]
        await (await host.namespace("Box").get_by_name("a").fetch("/put?b=2")).text()
        async with host.objects._access.alone(
            host.namespace("Box").unique_key, host.namespace("Box").ids.from_name("a")
        ) as database:
            database.kv.delete(b"bad")
            database.commit()
        assert await migrate(host, COUNTING) == [("a", "done"), ("b", "already")]


async def test_a_script_that_never_ends_fails_only_its_object(host_of: OpenHost, tmp_path: Path) -> None:
    script = (
        "export default async (storage) => { await storage.put('half', 1); await new Promise(() => {}); }"
    )
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a")
        assert await migrate(host, script) == [("a", "failed")]
        assert await put(host, "a") == [["a", "1"]]


@pytest.mark.parametrize(
    "script",
    [
        "await fetch('http://127.0.0.1/')",
        "await caches.default.put('http://x/', new Response('x'))",
        "await caches.default.match('http://x/')",
    ],
)
async def test_a_script_has_only_the_storage(
    host_of: OpenHost, tmp_path: Path, script: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a")
        whole = f"export default async (storage) => {{ await storage.put('half', 1); {script}; }}"
        (outcome,) = [each async for each in host.objects.migrate("Box", whole, javascript=True)]
        assert "only the storage" in outcome["error"]
        assert await put(host, "a") == [["a", "1"]]
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "script",
    [
        "export default async () => {}",
        "export default (storage) => storage.put('x', 1, { allowUnconfirmed: true })",
    ],
    ids=["nothing", "unconfirmed"],
)
async def test_an_object_is_told_done_when_that_is_durable_whatever_the_script_wrote(
    host_of: OpenHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    committed: list[ObjectDatabase] = []
    commit = ObjectDatabase.commit

    def take_long(database: ObjectDatabase) -> None:
        time.sleep(0.02)
        commit(database)
        committed.append(database)

    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for name in "abc":
            await put(host, name)
        monkeypatch.setattr(ObjectDatabase, "commit", take_long)
        told = 0
        async for each in host.objects.migrate("Box", script, javascript=True):
            told += 1
            assert (each["outcome"], len(committed) >= told) == ("done", True)


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.mark.parametrize(
    ("script", "javascript"),
    [
        (f"CREATE TABLE t (a); {ENDLESS}", False),
        ("export default async (storage) => { await storage.put('x', 1); for (;;); }", True),
    ],
    ids=["SQL", "JavaScript"],
)
async def test_a_migration_that_nobody_waits_for_any_more_leaves_objects_as_they_were(
    host_of: OpenHost, tmp_path: Path, script: str, javascript: bool
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a")
        await put(host, "b")
        migrating = asyncio.ensure_future(migrate(host, script, javascript))
        await asyncio.wait({migrating}, timeout=0.5)
        assert not migrating.done()
        migrating.cancel()
        await asyncio.wait({migrating}, timeout=5)
        assert migrating.cancelled()
        assert await put(host, "a") == [["a", "1"]]
        (tables, _) = [
            part
            async for part in host.objects.sql("Box", "SELECT count(*) FROM sqlite_schema WHERE name = 't'")
        ]
        assert tables["rows"] == [[0]]


async def test_migrations_of_the_same_objects_may_meet(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for name in "abcdefghijkl":
            await put(host, name)
        other = COUNTING + "// the same by another name"
        runs = await asyncio.gather(*(migrate(host, script) for script in (COUNTING, COUNTING, other)))
        assert sorted(outcome for run in runs[:2] for _, outcome in run) == ["already"] * 12 + ["done"] * 12
        assert [outcome for _, outcome in runs[2]] == ["done"] * 12
        assert dict(await put(host, "a"))["touched"] == 2


async def test_sql_changes_objects_but_nothing_around_them(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a")
        good = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);"
        assert await migrate(host, good, javascript=False, migration="0001") == [("a", "done")]
        assert await migrate(host, good, javascript=False, migration="0001") == [("a", "already")]
        (rows,) = [part async for part in host.objects.sql("Box", "SELECT sum(a) FROM t")]
        assert rows["rows"] == [[3]]
        for bad in (
            "INSERT INTO t VALUES (3); COMMIT",
            "INSERT INTO t VALUES (3); ATTACH '/tmp/x' AS x",
            "DELETE FROM _cf_KV",
            "DROP TABLE _cf_METADATA",
            "INSERT INTO t VALUES (3); SELEC",
            "PRAGMA journal_mode = OFF",
            "ALTER TABLE _cf_KV RENAME TO mine",
            "ALTER TABLE t RENAME TO _cf_t",
            "CREATE TEMP TABLE x (a)",
            "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END",
            "CREATE TRIGGER x AFTER INSERT ON _cf_KV BEGIN DELETE FROM t; END",
            "CREATE VIEW x AS SELECT * FROM _cf_KV; SELECT * FROM x",
            "INSERT INTO t VALUES (?)",
            "INSERT INTO t VALUES (3); SELECT 'a\0b'",
        ):
            assert await migrate(host, bad, javascript=False) == [("a", "failed")], bad
        (rows,) = [part async for part in host.objects.sql("Box", "SELECT sum(a) FROM t")]
        assert rows["rows"] == [[3]]
        assert await put(host, "a") == [["a", "1"]]


async def test_a_script_that_does_not_load_touches_nothing(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a")
        for script, name in (("", None), ("export default () => {}", "")):
            with pytest.raises(BadArgumentError):
                await migrate(host, script, migration=name)
        for script in ("export default (", "export const migrate = 1", "export default 42", "throw 1"):
            with pytest.raises(ModuleError):
                await migrate(host, script)
        assert await put(host, "a") == [["a", "1"]]
