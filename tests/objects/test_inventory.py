"""Objects from outside: seen, copied, carried away and removed without waking one or running its code."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import (
    InvalidObjectIdError,
    JavaScriptError,
    ObjectBrokenError,
    RefusedError,
    StorageError,
)
from durabox.objects.host import Host
from durabox.objects.host_access import HostAccess
from durabox.objects.targets import BadArgumentError, NoSuchObjectError, ObjectExistsError
from durabox.storage.exchange import Exchange
from durabox.testing import VirtualClock
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const storage = this.ctx.storage;
    if (url.pathname === "/put") await storage.put(Object.fromEntries(url.searchParams));
    if (url.pathname === "/fill") for (let i = 0; i < 64; i++) await storage.put("fill" + i, new Uint8Array(65536).fill(i));
    if (url.pathname === "/stream") {
      await storage.put("stream", new Response("x".repeat(600000)).body);
      return Response.json(null);
    }
    if (url.pathname === "/length") return Response.json((await new Response(await storage.get("stream")).text()).length);
    if (url.pathname === "/fill") return Response.json(null);
    if (url.pathname === "/pair") {
      await storage.put({ left: url.search, right: url.search });
      return Response.json(null);
    }
    if (url.pathname === "/wait") await scheduler.wait(1000);
    if (url.pathname === "/value") await storage.put("value", new Map([["a", [1n, undefined, new Date(0)]]]));
    return Response.json([...await storage.list({ limit: 10 })].map(([key, value]) => [key, String(value)]));
  }
  alarm() {}
}
export class Other extends Box {}
"""


async def put(host: Host, name: str, query: str, path: str = "/put", kind: str = "Box") -> Any:
    response = await host.namespace(kind).get_by_name(name).fetch(f"{path}?{query}")
    assert response.status == 200
    return await response.json()


def set_alarm(state: Path, host: Host, name: str) -> None:
    """As another program leaves it: in the object's file and in the class's index. The state must not be in use."""
    due = 3_795_750_415_356_000_000
    space = host.namespace("Box")
    folder = state / space.unique_key
    tool = sqlite3.connect(folder / f"{space.ids.from_name(name)}.sqlite")
    with tool:
        tool.execute("INSERT OR REPLACE INTO _cf_METADATA VALUES (1, ?)", (due,))
    tool.close()
    tool = sqlite3.connect(folder / "metadata.sqlite")
    with tool:
        tool.execute(
            "CREATE TABLE IF NOT EXISTS _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT)"
            " WITHOUT ROWID"
        )
        tool.execute(
            "INSERT OR REPLACE INTO _cf_ALARM VALUES (?, ?, ?)", (space.ids.from_name(name), due, name)
        )
    tool.close()


async def names(host: Host, **options: Any) -> list[str | None]:
    page = await host.objects.list("Box", **options)
    return [each.name for each in page.objects]


@pytest.fixture(params=["disk", "memory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "state" if request.param == "disk" else ":memory:"


async def test_objects_are_listed_by_name_a_page_at_a_time(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        for name in ("b", "a/2", "a/1", "é", "c"):
            await put(host, name, "x=1")
        nameless = host.namespace("Box").new_unique_id()
        await host.namespace("Box").get(nameless).fetch("/put?x=1")
        first = await host.objects.list("Box", limit=2)
        assert [each.name for each in first.objects] == ["a/1", "a/2"]
        second = await host.objects.list("Box", limit=2, cursor=first.cursor)
        assert [each.name for each in second.objects] == ["b", "c"]
        third = await host.objects.list("Box", limit=2, cursor=second.cursor)
        assert [(each.name, each.id) for each in third.objects] == [
            ("é", host.namespace("Box").ids.from_name("é")),
            (None, nameless),
        ]
        last = await host.objects.list("Box", limit=2, cursor=third.cursor)
        assert (last.objects, last.cursor) == ([], None)
        assert await names(host, prefix="a/") == ["a/1", "a/2"]
        assert await names(host, prefix="nobody") == []


async def test_a_list_tells_size_alarm_last_use_and_who_is_awake(host_of: OpenHost, tmp_path: Path) -> None:
    clock = VirtualClock()
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        await put(host, "asleep", "x=1")
    set_alarm(state, host, "asleep")
    async with host_of(SOURCE, state=state, clock=clock) as host:
        await put(host, "awake", "x=1")
        asleep, awake = (await host.objects.list("Box")).objects
        assert (asleep.name, asleep.awake, awake.name, awake.awake) == ("asleep", False, "awake", True)
        assert asleep.alarm == 3_795_750_415_356
        assert awake.alarm is None
        assert asleep.size >= 4096
        assert awake.used >= clock.now() - 1000
        assert host.live == 1


async def test_nobody_was_in_use_later_than_now(host_of: OpenHost, tmp_path: Path) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=tmp_path / "state", clock=clock) as host:
        clock.set(4e12)
        await put(host, "a", "x=1")
        await clock.advance(60_000)
        assert not host.live
        clock.set(3e12)
        (found,) = (await host.objects.list("Box")).objects
        assert found.used <= 3e12


async def test_names_are_found_again_when_the_catalogue_is_lost_or_damaged(
    host_of: OpenHost, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        for name in ("a", "b"):
            await put(host, name, "x=1")
        assert await names(host) == ["a", "b"]
    (catalogue,) = (state / ".durabox" / "catalog").glob("*-Box.sqlite")
    for damage in (catalogue.unlink, lambda: catalogue.write_bytes(b"no database" * 1000)):
        damage()
        async with host_of(SOURCE, state=state) as host:
            assert await names(host) == ["a", "b"]
            assert host.live == 0


async def test_a_catalogue_that_cannot_be_written_is_done_without(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for name in ("a", "b"):
            await put(host, name, "x=1")
        key = host.namespace("Box").unique_key
    catalog = tmp_path / "state" / ".durabox" / "catalog" / f"{key}.sqlite"
    catalog.unlink(missing_ok=True)
    catalog.mkdir(parents=True)
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        assert await names(host) == ["a", "b"]
        await put(host, "c", "x=1")
        assert await names(host) == ["a", "b", "c"]


async def test_a_name_is_found_wherever_it_is_written(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        space = host.namespace("Box")
        await put(host, "early", "x=1")
        await put(host, "early", "x=2")
        late = space.ids.from_name("late")
        await space.get(late).fetch("/put?x=1")
        await put(host, "late", "x=2")
    assert (state / space.unique_key / f"{late}.sqlite-wal").exists(), "the name is there and nowhere else"
    (state / ".durabox" / "catalog" / f"{space.unique_key}.sqlite").unlink()
    async with host_of(SOURCE, state=state) as host:
        assert await names(host) == ["early", "late"]


async def test_files_that_come_and_go_by_other_hands_are_noticed(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        for name in ("a", "b"):
            await put(host, name, "x=1")
        ids = [host.namespace("Box").ids.from_name(name) for name in ("a", "b")]
    (file,) = state.glob(f"*/{ids[0]}.sqlite")
    hidden = file.with_name("kept")
    async with host_of(SOURCE, state=state) as host:
        for suffix in ("", "-wal"):
            path = file.with_name(file.name + suffix)
            if path.exists():
                path.rename(hidden.with_name(hidden.name + suffix))
        assert await names(host) == ["b"]
        for suffix in ("", "-wal"):
            path = hidden.with_name(hidden.name + suffix)
            if path.exists():
                path.rename(file.with_name(file.name + suffix))
        assert await names(host) == ["a", "b"]


async def test_show_decodes_keys_and_values(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        await put(host, "a", "", "/value")
        await put(host, "a", "k1=1&k2=2&k3=3")
        shown = await host.objects.show("Box", "a", prefix="v")
        assert shown["name"] == "a"
        (entry,) = shown["keys"]
        assert entry["key"] == "value"
        date = {"$type": "Date", "value": "1970-01-01T00:00:00.000Z"}
        value = [{"$type": "bigint", "value": "1"}, {"$type": "undefined"}, date]
        assert entry["value"] == {"$type": "Map", "entries": [["a", value]]}
        seen: list[str] = []
        cursor = None
        while True:
            page = await host.objects.show("Box", "a", limit=3, cursor=cursor)
            seen += [each["key"] for each in page["keys"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert seen == ["k1", "k2", "k3", "value"]
        with pytest.raises(NoSuchObjectError):
            await host.objects.show("Box", "nobody")
        with pytest.raises(InvalidObjectIdError):
            await host.objects.show("Box", "ab" * 32)
        for cursor in ("!", "AAAA"):
            with pytest.raises(BadArgumentError):
                await host.objects.list("Box", cursor=cursor)


OBJECTS = """
import { DurableObject } from "cloudflare:workers";
const make = {
  error() { const error = new TypeError("no", { cause: new Error("why") }); error.stack = "S"; error.cause.stack = ""; return error; },
  named() { return Object.assign(new Error("it"), { name: "Mine", stack: "S", code: 7 }); },
  cycle() { const error = new RangeError("r"); error.stack = "S"; error.cause = error; return [error, error]; },
  aggregate() { const error = new AggregateError([1, "two"], "all"); error.stack = "S"; return error; },
  exception() { return new DOMException("gone", "AbortError"); },
  headers() { return new Headers([["Content-Type", "text/plain"], ["X-Mine", "1"]]); },
  odd() { return [-0, 2.5, "\\ud800x", { "\\udc00€": 1e300 }]; },
  blob() { return [new Blob(["hi"], { type: "text/plain" }), 1]; },
  dates() { return [NaN, 8.64e15, -8.64e15, -62198755200001, 253402300800000, 1.5].map((time) => new Date(time)); },
};
export class Maker extends DurableObject {
  async fetch(request) {
    const kind = new URL(request.url).pathname.slice(1);
    await this.ctx.storage.put(kind, make[kind]());
    return new Response();
  }
}
"""


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (
            "error",
            {
                "$type": "TypeError",
                "message": "no",
                "stack": "S",
                "cause": {"$type": "Error", "message": "why", "stack": ""},
            },
        ),
        ("named", {"$type": "Mine", "message": "it", "stack": "S", "properties": {"code": 7}}),
        (
            "cycle",
            [{"$type": "RangeError", "message": "r", "stack": "S", "cause": {"$type": "cycle"}}] * 2,
        ),
        (
            "aggregate",
            {
                "$type": "AggregateError",
                "message": "all",
                "stack": "S",
                "properties": {"errors": [1, "two"]},
            },
        ),
        (
            "exception",
            {"$type": "DOMException", "name": "AbortError", "message": "gone", "stack": "AbortError: gone"},
        ),
        ("headers", {"$type": "Headers", "entries": [["content-type", "text/plain"], ["X-Mine", "1"]]}),
        (
            "odd",
            [{"$type": "number", "value": "-0"}, 2.5, "\ud800x", {"\udc00€": 1e300}],
        ),
        ("blob", [{"$type": "Blob", "type": "text/plain", "base64": "aGk="}, 1]),
        (
            "dates",
            [
                {"$type": "Date", "value": value}
                for value in (
                    None,
                    "+275760-09-13T00:00:00.000Z",
                    "-271821-04-20T00:00:00.000Z",
                    "-000002-12-31T23:59:59.999Z",
                    "+010000-01-01T00:00:00.000Z",
                    "1970-01-01T00:00:00.001Z",
                )
            ],
        ),
    ],
)
async def test_show_decodes_objects_of_the_language_and_the_platform(
    host_of: OpenHost, kind: str, shown: Any
) -> None:
    async with host_of(OBJECTS) as host:
        await host.namespace("Maker").get_by_name("a").fetch(f"/{kind}")
        (entry,) = (await host.objects.show("Maker", "a"))["keys"]
        assert entry["value"] == shown


async def test_an_object_travels_as_one_file_with_its_name_and_alarm(
    host_of: OpenHost, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=tmp_path / "one") as host:
        await put(host, "a", "x=1&y=2")
    set_alarm(tmp_path / "one", host, "a")
    async with host_of(SOURCE, state=tmp_path / "one") as host:
        written = await host.objects.export("Box", "a", tmp_path / "a.sqlite")
        assert written["name"] == "a"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.sqlite", "main.js"]
    tool = sqlite3.connect(tmp_path / "a.sqlite")
    assert tool.execute("SELECT count(*) FROM _cf_KV").fetchone() == (2,)
    tool.close()
    async with host_of(SOURCE, state=tmp_path / "two") as host:
        await host.objects.load("Box", None, tmp_path / "a.sqlite")
        await host.objects.load("Other", "b", tmp_path / "a.sqlite")
        (a,) = (await host.objects.list("Box")).objects
        (b,) = (await host.objects.list("Other")).objects
        assert (a.name, b.name) == ("a", "b")
        assert a.alarm == b.alarm == 3_795_750_415_356
        assert host.live == 0
        assert await put(host, "a", "z=3") == [["x", "1"], ["y", "2"], ["z", "3"]]
        assert await put(host, "b", "", kind="Other") == [["x", "1"], ["y", "2"]]


async def test_a_value_that_is_a_stream_travels_too(
    host_of: OpenHost, state: Path | str, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=state) as host:
        await put(host, "a", "", "/stream")
        (entry,) = (await host.objects.show("Box", "a"))["keys"]
        assert entry["value"] == {"$type": "ReadableStream"}
        await host.objects.export("Box", "a", tmp_path / "a.sqlite")
        await host.objects.load("Box", "b", tmp_path / "a.sqlite")
        await host.objects.copy("Box", "b", "Other", "c")
        assert await put(host, "b", "", "/length") == 600_000
        assert await put(host, "c", "", "/length", kind="Other") == 600_000


async def test_a_live_object_is_overwritten_only_by_force(
    host_of: OpenHost, state: Path | str, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=state) as host:
        await put(host, "a", "x=1")
        await put(host, "b", "y=1")
        await host.objects.export("Box", "a", tmp_path / "a.sqlite")
        with pytest.raises(ObjectExistsError):
            await host.objects.load("Box", "b", tmp_path / "a.sqlite")
        with pytest.raises(ObjectExistsError):
            await host.objects.copy("Box", "a", "Box", "b")
        assert await put(host, "b", "z=1") == [["y", "1"], ["z", "1"]]
        await host.objects.load("Box", "b", tmp_path / "a.sqlite", force=True)
        assert await put(host, "b", "w=1") == [["w", "1"], ["x", "1"]]
        await host.objects.copy("Box", "b", "Box", "c")
        assert await put(host, "c", "") == [["w", "1"], ["x", "1"]]
        await host.objects.delete("Box", "c")
        assert await put(host, "c", "") == []
        await host.objects.delete("Box", "b")
        assert await names(host) == ["a"]
        with pytest.raises(NoSuchObjectError):
            await host.objects.delete("Box", "b")


async def test_an_export_under_write_load_shows_one_moment(
    host_of: OpenHost, state: Path | str, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=state) as host:
        for _ in range(3):
            await put(host, "a", "", "/fill")
        done = False

        async def write() -> int:
            written = 0
            while not done:
                await put(host, "a", str(written), "/pair")
                written += 1
            return written

        writer = asyncio.ensure_future(write())
        for number in range(5):
            await host.objects.export("Box", "a", tmp_path / f"{number}.sqlite")
        done = True
        assert await writer > 5
        seen = []
        for number in range(5):
            tool = sqlite3.connect(tmp_path / f"{number}.sqlite")
            rows = dict(tool.execute("SELECT key, value FROM _cf_KV WHERE key IN ('left', 'right')"))
            assert tool.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tool.close()
            assert rows.get("left") == rows.get("right")
            seen.append(rows.get("left"))
        assert len(set(seen)) > 1, "the object went on working"


async def test_requests_wait_while_an_object_is_replaced(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "x=1")
        await host.objects.export("Box", "a", tmp_path / "a.sqlite")
        loading = asyncio.ensure_future(host.objects.load("Box", "b", tmp_path / "a.sqlite"))
        answers = []
        while not loading.done():
            answers.append(await put(host, "b", ""))
            await asyncio.sleep(0)
        await loading
        answers.append(await put(host, "b", ""))
        assert answers[-1] == [["x", "1"]]
        assert all(answer in ([], [["x", "1"]]) for answer in answers)


async def test_who_has_an_object_alone_has_it_alone(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        await put(host, "a", "x=1")
        stub = host.namespace("Box").get_by_name("a")
        access = HostAccess(host.actors, host.objects._state)
        async with access.alone(stub.namespace.unique_key, stub.id) as database:
            asked = asyncio.ensure_future(put(host, "a", "", "/"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not asked.done()
            database.kv.delete(b"x")
            database.commit()
        assert await asked == []


async def test_an_object_that_stays_busy_is_reset_for_who_wants_it_alone(
    host_of: OpenHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durabox.objects.host_access._GRACE", 0.0)
    async with host_of(SOURCE, clock=VirtualClock()) as host:
        await put(host, "a", "x=1")
        hanging = asyncio.ensure_future(put(host, "a", "", "/wait"))
        await asyncio.sleep(0)
        await host.objects.vacuum("Box", "a")
        with pytest.raises(ObjectBrokenError, match="was reset because its storage was replaced"):
            await hanging
        assert await put(host, "a", "") == [["x", "1"]]


async def test_who_gives_up_waiting_for_an_object_does_not_get_it_later(host_of: OpenHost) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, clock=clock) as host:
        await put(host, "a", "x=1")
        slow = asyncio.ensure_future(put(host, "a", "", "/wait"))
        await asyncio.sleep(0)
        change = asyncio.ensure_future(host.objects.vacuum("Box", "a"))
        await asyncio.sleep(0.01)
        change.cancel()
        await asyncio.wait({change})
        await clock.advance(1000)
        assert await slow == [["x", "1"]]
        assert await asyncio.wait_for(put(host, "a", "", "/"), 5) == [["x", "1"]]


async def test_an_import_that_nobody_waits_for_any_more_is_whole_or_not_there(
    host_of: OpenHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    carry_out = Exchange.carry_out

    def slowly(exchange: Exchange, *arguments: Any) -> None:
        begun.set()
        time.sleep(0.1)
        carry_out(exchange, *arguments)

    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "x=1")
        await host.objects.export("Box", "a", tmp_path / "a.sqlite")
        await put(host, "a", "x=2")
        monkeypatch.setattr(Exchange, "carry_out", slowly)
        loading = asyncio.ensure_future(host.objects.load("Box", "a", tmp_path / "a.sqlite", force=True))
        await asyncio.to_thread(begun.wait)
        loading.cancel()
        await asyncio.wait({loading})
        assert loading.cancelled()
        assert await put(host, "a", "", "/") == [["x", "1"]]


async def test_changes_to_one_object_from_outside_take_turns(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        for name in ("a", "b"):
            await put(host, name, f"{name}=1")
        work = [
            host.objects.copy("Box", source, "Box", "c", force=True)
            if number % 3
            else host.objects.vacuum("Box", "a")
            for number, source in enumerate("abababab")
        ]
        await asyncio.gather(*work)
        assert await put(host, "c", "") in ([["a", "1"]], [["b", "1"]])


async def test_one_query_over_all_objects_is_keyed_by_name(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        for number in range(3):
            await put(host, f"n{number}", "&".join(f"k{each}=1" for each in range(number + 1)))
        counts = [
            (part["name"], part["rows"])
            async for part in host.objects.sql("Box", "SELECT count(*) AS keys FROM _cf_KV")
        ]
        assert counts == [("n0", [[1]]), ("n1", [[2]]), ("n2", [[3]])]
        one = [part async for part in host.objects.sql("Box", "SELECT key FROM _cf_KV", target="n1")]
        assert [part["rows"] for part in one] == [[["k0"], ["k1"]]]
        for query in (
            "DELETE FROM _cf_KV",
            "ATTACH '/tmp/x' AS x",
            "VACUUM INTO '/tmp/x'",
            "PRAGMA journal_mode = OFF",
            "SELECT 1; SELECT 2",
            "SELEC",
        ):
            (answer,) = [part async for part in host.objects.sql("Box", query, target="n1")]
            assert answer["error"], query


async def test_vacuum_gives_space_back(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "", "/fill")
        async with host.objects._access.alone(
            host.namespace("Box").unique_key, host.namespace("Box").ids.from_name("a")
        ) as database:
            database.kv.delete_many([f"fill{number}".encode() for number in range(60)])
            database.commit()
        sizes = await host.objects.vacuum("Box", "a")
        assert sizes["after"] < 500_000 < sizes["before"]
        assert len(await put(host, "a", "")) == 4


async def test_an_object_goes_back_to_an_earlier_state_and_forth(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "x=1")
        space = host.namespace("Box")
        access = host.objects._access
        before = await access.read(
            space.unique_key, space.ids.from_name("a"), lambda database: database.bookmarks.current()
        )
        await put(host, "a", "x=2")
        undo = (await host.objects.restore("Box", "a", before))["undo"]
        assert await put(host, "a", "") == [["x", "1"]]
        await host.objects.restore("Box", "a", str(undo))
        assert await put(host, "a", "") == [["x", "2"]]
        with pytest.raises(StorageError):
            await host.objects.restore("Box", "a", "no bookmark")
        assert await put(host, "a", "") == [["x", "2"]]
        with pytest.raises(BadArgumentError, match="what is kept of a begins at 20"):
            await host.objects.restore("Box", "a", 0)
        with pytest.raises(NoSuchObjectError):
            await host.objects.restore("Box", "nobody", time.time() * 1000)
        histories = tmp_path / "state" / ".durabox" / "history" / space.unique_key
        assert not (histories / space.ids.from_name("nobody")).exists()
        await host.objects.delete("Box", "a")
        await host.objects.restore("Box", "a", before)
        assert await put(host, "a", "") == [["x", "1"]]


async def test_a_damaged_object_says_so_is_salvaged_and_replaced_while_others_do_not_notice(
    host_of: OpenHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        for name in ("bad", "good", "torn"):
            await put(host, name, "x=1")
        space = host.namespace("Box")
    file = state / space.unique_key / f"{space.ids.from_name('bad')}.sqlite"
    file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
    torn = state / space.unique_key / f"{space.ids.from_name('torn')}.sqlite"
    torn.write_bytes(torn.read_bytes()[:5000])
    async with host_of(SOURCE, state=state) as host:
        for name in ("bad", "torn"):
            with pytest.raises(JavaScriptError, match=r"SQLITE_(NOTADB|CORRUPT)"):
                await put(host, name, "x=2")
        assert await put(host, "good", "y=2") == [["x", "1"], ["y", "2"]]
        listed = {each.name: each.id for each in (await host.objects.list("Box")).objects}
        assert {"bad", "good", "torn"} <= listed.keys(), "their names are in the catalogue"
        parts = [part async for part in host.objects.sql("Box", "SELECT count(*) FROM _cf_KV")]
        assert {part["name"]: "error" in part for part in parts} == {"bad": True, "good": False, "torn": True}
        with pytest.raises(StorageError):
            await host.objects.export("Box", "bad", tmp_path / "bad.sqlite")
        # A large object is copied where there is room for it.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
        report = await host.objects.salvage("Box", "bad", tmp_path / "bad.sqlite")
        monkeypatch.undo()
        assert [*(state / ".durabox" / "births").iterdir()] == []
        assert (report["loose"], bool(report["errors"])) == (1, True)
        await host.objects.load("Box", "bad", tmp_path / "bad.sqlite", force=True)
        assert await put(host, "bad", "z=3") == [["x", "1"], ["z", "3"]]
        await host.objects.delete("Box", "torn")
        assert await put(host, "torn", "new=1") == [["new", "1"]]


@pytest.mark.parametrize(
    "content",
    [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000],
    ids=["empty", "text", "header only"],
)
async def test_a_file_that_is_no_object_is_not_imported(
    host_of: OpenHost, tmp_path: Path, content: bytes
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "x=1")
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises((StorageError, BadArgumentError)):
            await host.objects.load("Box", None, tmp_path / "bad", force=True)
        assert await put(host, "a", "") == [["x", "1"]]


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB, extra) WITHOUT ROWID",
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value AS (key)) WITHOUT ROWID",
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID; CREATE INDEX x ON _cf_KV (hex(value))",
        "CREATE VIEW _cf_KV AS SELECT 1 AS key, 2 AS value",
        "CREATE TABLE t (a); CREATE TRIGGER _cf_x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
        "CREATE TRIGGER x AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
    ],
)
async def test_a_file_whose_reserved_tables_are_not_ours_is_refused(
    host_of: OpenHost, tmp_path: Path, schema: str
) -> None:
    tool = sqlite3.connect(tmp_path / "bad.sqlite")
    tool.executescript(schema)
    tool.close()
    async with host_of(SOURCE, state=":memory:") as host:
        with pytest.raises(StorageError, match="no object's"):
            await host.objects.load("Box", "a", tmp_path / "bad.sqlite")
        assert await names(host) == []


async def test_what_was_asked_for_in_vain_is_told_from_a_failure(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "x=1")
        for to in ("no bookmark", "0" * 8 + "-00000000-00000000-" + "0" * 32, float("nan"), 9e15):
            with pytest.raises(RefusedError):
                await host.objects.restore("Box", "a", to)
        for cursor in ("!!", "A"):
            with pytest.raises(BadArgumentError):
                await host.objects.show("Box", "a", cursor=cursor)
        for query in ("", "-- nothing", "SELECT 1; SELECT 2"):
            (part,) = [part async for part in host.objects.sql("Box", query)]
            assert part["error"] == "Expected one statement."
        with pytest.raises(StorageError, match="Is a directory"):
            await host.objects.export("Box", "a", tmp_path)
        with pytest.raises(StorageError, match="No such file"):
            await host.objects.load("Box", "b", tmp_path / "absent")
        (tmp_path / "empty").touch()
        with pytest.raises(RefusedError, match="not a database"):
            await host.objects.load("Box", "a", tmp_path / "empty", force=True)
        with pytest.raises(NoSuchObjectError) as caught:
            await host.objects.show("Box", "long" * 1000)
        assert (len(str(caught.value)) < 200, caught.value.target) == (True, "long" * 1000)
        assert await put(host, "a", "", "/") == [["x", "1"]]
        assert {path.name for path in tmp_path.iterdir()} == {"state", "empty", "main.js"}


async def test_two_exports_to_one_file_do_not_mix(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await put(host, "a", "", "/fill")
        await put(host, "b", "", "/fill")
        await asyncio.gather(
            *(host.objects.export("Box", name, tmp_path / "out.sqlite") for name in ("a", "b"))
        )
        assert (await host.objects.load("Box", None, tmp_path / "out.sqlite", force=True))["name"] in "ab"


async def test_a_query_that_nobody_waits_for_any_more_ends_in_silence(host_of: OpenHost) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    async with host_of(SOURCE) as host:
        await put(host, "a", "x=1")
        endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        asking = asyncio.ensure_future(anext(host.objects.sql("Box", endless)))
        await asyncio.wait({asking}, timeout=0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        gc.collect()
        await asyncio.sleep(0)
    assert complaints == []
