"""Facets: objects below an object. What they do in JavaScript is compared with workerd in tests/differential."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError, StorageError
from durabox.limits import Limits
from durabox.objects.host import Host
from durabox.objects.messages import Request
from durabox.objects.namespace import Stub
from durabox.objects.targets import NoSuchObjectError, ObjectExistsError
from durabox.testing import VirtualClock, settle
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
let started = [];
const below = (ctx, name) => ctx.facets.get(name, () => { started.push(name); return { class: ctx.exports.Node }; });
export class Node extends DurableObject {
  visits = 0;
  visit() { return ++this.visits; }
  put(key, value) { return this.ctx.storage.put(key, value); }
  get(key) { return this.ctx.storage.get(key).then((value) => value ?? null); }
  list() { return this.ctx.storage.list().then((all) => [...all.keys()]); }
  at(path, method, ...rest) {
    return path.length === 0 ? this[method](...rest) : below(this.ctx, path[0]).at(path.slice(1), method, ...rest);
  }
  started() { const all = started; started = []; return all; }
  remove(name) { this.ctx.facets.delete(name); }
  copy(from, to) { this.ctx.facets.clone(from, to); }
  stop(name) { this.ctx.facets.abort(name, new RangeError("stopped")); }
  end() { this.ctx.abort("over"); }
  clear() { return this.ctx.storage.deleteAll(); }
  async renew(key, value) {
    this.ctx.facets.clone("a", "b");
    const all = this.ctx.storage.deleteAll();
    this.ctx.facets.clone("a", "c");
    await this.ctx.storage.put(key, value);
    return all;
  }
  async both(path) {
    const cleared = below(this.ctx, "a").at(path, "clear");
    this.ctx.facets.clone("a", "b");
    return cleared;
  }
  async cleared_and_ended(path) {
    const cleared = below(this.ctx, "a").at(path, "clear");
    await Promise.resolve();
    this.ctx.facets.delete("a");
    return cleared.catch((error) => error.message);
  }
  spin() { for (;;); }
  fill() { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }
  wait(milliseconds) { return scheduler.wait(milliseconds); }
  later(milliseconds) { setTimeout(() => this.put("late", 1), milliseconds); }
  used_in_section() {
    const stub = below(this.ctx, "a");
    return this.ctx.blockConcurrencyWhile(() => stub.visit());
  }
  async removed_in_transaction() {
    return this.ctx.storage.transaction(async (txn) => {
      await txn.put("removed", true);
      this.ctx.facets.delete("a");
      return await below(this.ctx, "a").list();
    });
  }
  async copied_in_transaction() {
    return this.ctx.storage.transaction(async () => {
      this.ctx.facets.clone("a", "b");
      return await below(this.ctx, "b").list();
    });
  }
  async many(count) {
    for (let i = 0; i < count; i++) await below(this.ctx, `n${i}`).put("k", i);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += await below(this.ctx, `n${i}`).get("k");
    return sum;
  }
  async heavy(count) {
    const props = { text: "x".repeat(1 << 20) };
    for (let i = 0; i < count; i++)
      await this.ctx.facets.get(`h${i}`, () => ({ class: this.ctx.exports.Node({ props }) })).visit();
  }
  via_object(name) { return this.env.NODE.getByName(name).visit(); }
  waits_for_itself(name) { return this.ctx.blockConcurrencyWhile(() => below(this.ctx, "a").via_object(name)); }
  async names() {
    const said = [];
    for (const name of ["", "x".repeat(257)])
      for (const use of [(n) => below(this.ctx, n), (n) => this.ctx.facets.delete(n), (n) => this.ctx.facets.abort(n, 1)])
        try { use(name); said.push(null); } catch (error) { said.push(`${error.name}: ${error.message}`); }
    return said;
  }
  async surrogate() { await below(this.ctx, "\\ud800").put("k", 1); return below(this.ctx, "\\ufffd").get("k"); }
  async fetch(request) {
    const path = new URL(request.url).pathname.split("/").filter(Boolean);
    if (path[0] === "at") return below(this.ctx, path[1]).fetch(request.url.replace(`/at/${path[1]}`, ""), request);
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, message) { socket.send(`${this.visit()} ${message}`); }
}
"""


class Client:
    """The other end of a socket."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[str] = asyncio.Queue()

    def message(self, data: bytes, is_text: bool) -> None:
        self.got.put_nowait(data.decode())

    def closed(self, code: int, reason: str, clean: bool) -> None:
        self.got.put_nowait(f"closed {code}")


def node(host: Host, name: str = "root") -> Stub:
    return host.namespace("Node").get_by_name(name)


async def connect(root: Stub, path: str) -> tuple[Any, Client]:
    client = Client()
    answer = await root.request(Request("GET", f"http://a/{path}", ["upgrade", "websocket"], None))
    assert answer.socket is not None
    answer.socket.attach(client)
    return answer.socket, client


@pytest.fixture(params=["disk", "memory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "state" if request.param == "disk" else ":memory:"


async def test_what_facets_store_is_there_again_after_a_restart(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for path in (["a"], ["a", "b"], ["b"], ["a", "a", "a"]):
            await node(host).call("at", path, "put", "k", path)
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        for path in (["a"], ["a", "b"], ["b"], ["a", "a", "a"]):
            assert await node(host).call("at", path, "get", "k") == path
        assert await node(host).call("at", ["b", "a"], "list") == []


async def test_a_facet_lives_on_when_its_object_leaves_memory_and_the_other_way_round(
    host_of: OpenHost, state: Path | str
) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=state, clock=clock, idle_ms=10_000) as host:
        root = node(host)
        assert await root.call("at", ["a"], "visit") == 1
        await root.call("at", ["a"], "put", "k", 1)
        assert await root.call("started") == ["a"]
        await clock.advance(8_000)
        assert await root.call("visit") == 1, "only the object is used"
        await clock.advance(5_000)
        assert host.live == 1
        assert await root.call("at", ["a"], "visit") == 1, "a new instance"
        assert await root.call("started") == [], "of what was asked before"
        await clock.advance(60_000)
        assert host.live == 0
        assert await root.call("at", ["a"], "get", "k") == 1
        assert await root.call("started") == ["a"], "everything was forgotten"


async def test_a_facet_with_work_stays_although_its_object_leaves(host_of: OpenHost) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, clock=clock, idle_ms=10_000) as host:
        await node(host).call("at", ["a"], "later", 100_000)
        await clock.advance(60_000)
        assert host.live == 1
        await clock.advance(60_000)
        assert await node(host).call("at", ["a"], "get", "late") == 1


async def test_a_message_wakes_a_hibernating_facet_and_nobody_else(
    host_of: OpenHost, state: Path | str
) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=state, clock=clock) as host:
        socket, client = await connect(node(host), "at/a/at/b/")
        socket.send(b"x", True)
        assert await client.got.get() == "1 x"
        await clock.advance(60_000)
        assert host.live == 0
        socket.send(b"y", True)
        assert await client.got.get() == "1 y"
        assert host.live == 1
        assert await node(host).call("at", ["a", "b"], "visit") == 2
        await node(host).call("at", ["a"], "stop", "b")
        assert await client.got.get() == "closed 1006"


async def test_an_object_that_breaks_takes_its_facets_and_their_sockets_along(host_of: OpenHost) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, clock=clock) as host:
        _, asleep = await connect(node(host), "at/a/")
        await clock.advance(60_000)
        _, awake = await connect(node(host), "at/b/")
        waiting = asyncio.ensure_future(node(host).call("at", ["b"], "wait", 1e9))
        await settle()
        with pytest.raises(ObjectBrokenError):
            await node(host).call("end")
        with pytest.raises(ObjectBrokenError):
            await waiting
        assert [await client.got.get() for client in (asleep, awake)] == ["closed 1006"] * 2
        assert host.live == 0


async def test_a_facet_is_started_where_it_is_waited_for(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        assert await asyncio.wait_for(node(host).call("used_in_section"), 10) == 1


async def test_names_are_checked(host_of: OpenHost) -> None:
    empty = "TypeError: Facet name cannot be empty."
    long = "TypeError: Facet name is too long (max 256 characters)."
    async with host_of(SOURCE) as host:
        assert await node(host).call("names") == [empty, None, None, long, long, long]
        assert await node(host).call("surrogate") == 1


async def test_a_facet_is_deleted_with_all_below_it(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        for path in (["a"], ["a", "b", "c"], ["b"]):
            await node(host).call("at", path, "put", "k", 1)
        await node(host).call("remove", "a")
        if isinstance(state, Path):
            assert len([*state.glob("*/*.*.sqlite")]) == 1
        assert await node(host).call("at", ["a"], "list") == []
        assert await node(host).call("at", ["a", "b", "c"], "list") == []
        assert await node(host).call("at", ["b"], "list") == ["k"]


async def test_a_copy_has_all_below_it_and_is_apart(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        root = node(host)
        for path in (["a"], ["a", "b", "c"], ["copy", "old"]):
            await root.call("at", path, "put", "k", 1)
        await root.call("copy", "a", "copy")
        await root.call("at", ["a", "b", "c"], "put", "l", 2)
        assert await root.call("at", ["copy"], "list") == ["k"]
        assert await root.call("at", ["copy", "b", "c"], "list") == ["k"]
        assert await root.call("at", ["copy", "old"], "list") == []
        assert await root.call("at", ["a", "b", "c"], "list") == ["k", "l"]


async def test_within_a_transaction_facets_are_deleted_and_copied_at_once(
    host_of: OpenHost, state: Path | str
) -> None:
    async with host_of(SOURCE, state=state) as host:
        await node(host).call("at", ["a"], "put", "k", 1)
        assert await node(host).call("copied_in_transaction") == ["k"]
        assert await node(host).call("removed_in_transaction") == []
        assert await node(host).call("get", "removed") is True


async def test_delete_all_takes_the_facets_along_and_leaves_no_file(
    host_of: OpenHost, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state, history=None) as host:
        await node(host).call("put", "k", 1)
        for path in (["a"], ["a", "b"]):
            await node(host).call("at", path, "put", "k", 1)
        await node(host).call("clear")
        assert [path.suffix for path in state.glob(f"*/{node(host).id}*")] == [".facets"]
        assert await node(host).call("at", ["a", "b"], "list") == []


async def test_what_is_written_after_delete_all_stays_and_no_facet_does(
    host_of: OpenHost, state: Path | str
) -> None:
    async with host_of(SOURCE, state=state) as host:
        await node(host).call("put", "old", 1)
        await node(host).call("at", ["a", "b"], "put", "k", 1)
        await node(host).call("renew", "new", 2)
        assert await node(host).call("list") == ["new"]
        for path in (["a"], ["a", "b"], ["b", "b"], ["c", "b"]):
            assert await node(host).call("at", path, "list") == []
        await node(host).call("at", ["a"], "put", "k", 3)
        await node(host).call("put", "more", 4)
        assert await node(host).call("at", ["a"], "list") == ["k"]
        assert await node(host).call("list") == ["more", "new"]


async def test_a_facet_that_is_emptied_while_it_is_copied_holds_nothing_up(
    host_of: OpenHost, state: Path | str
) -> None:
    async with host_of(SOURCE, state=state) as host:
        for path in (["a"], ["a", "x"]):
            await node(host).call("at", path, "put", "k", 1)
        await asyncio.wait_for(node(host).call("both", []), 20)
        assert await node(host).call("at", ["a"], "list") == []
        assert await node(host).call("at", ["a", "x"], "list") == []
        # What the copy has is from before or after, whole.
        copied = [await node(host).call("at", path, "list") for path in (["b"], ["b", "x"])]
        assert copied in ([["k"], ["k"]], [[], []])


async def test_a_facet_that_is_deleted_while_it_empties_itself_comes_back_empty(
    host_of: OpenHost, state: Path | str
) -> None:
    async with host_of(SOURCE, state=state) as host:
        for path in (["a"], ["a", "x"]):
            await node(host).call("at", path, "put", "k", 1)
        await asyncio.wait_for(node(host).call("cleared_and_ended", []), 20)
        assert await node(host).call("at", ["a"], "list") == []
        assert await node(host).call("at", ["a", "x"], "list") == []
        await node(host).call("at", ["a", "x"], "put", "k", 2)
        assert await node(host).call("at", ["a", "x"], "list") == ["k"]


async def test_a_facet_has_limits_of_its_own(host_of: OpenHost) -> None:
    async with host_of(SOURCE, limits=Limits(memory_mb=16, cpu_ms=100)) as host:
        root = node(host)
        await root.call("visit")
        await root.call("at", ["b"], "visit")
        with pytest.raises(JavaScriptError, match="CPU time limit"):
            await root.call("at", ["a"], "spin")
        with pytest.raises(JavaScriptError):
            await root.call("at", ["a"], "fill")
        assert await root.call("at", ["b"], "visit") == 2
        assert await root.call("visit") == 2


async def test_facets_count_among_live_objects_and_open_few_files(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state", max_live=5) as host:
        assert await node(host).call("many", 20) == 190
        assert host.live <= 5


async def test_a_request_to_a_facet_that_is_being_started_ends_with_its_object(host_of: OpenHost) -> None:
    source = SOURCE.replace("started.push(name);", "if (name === 'never') return new Promise(() => {});")
    async with host_of(source) as host:
        waiting = asyncio.ensure_future(node(host).call("at", ["never"], "visit"))
        await node(host).call("visit")
        with pytest.raises(ObjectBrokenError):
            await node(host).call("end")
        with pytest.raises(ObjectBrokenError):
            await waiting
        assert host.live == 0


async def test_a_callback_that_never_answers_ends_no_other_facet_of_that_name(host_of: OpenHost) -> None:
    source = SOURCE.replace("started.push(name);", "if (!this_time++) return new Promise(() => {});").replace(
        "let started = [];", "let started = [], this_time = 0;"
    )
    clock = VirtualClock()
    async with host_of(source, clock=clock) as host:
        waiting = asyncio.ensure_future(node(host).call("at", ["a"], "visit"))
        await settle()
        await node(host).call("stop", "a")
        with pytest.raises(JavaScriptError, match="stopped"):
            await waiting
        socket, client = await connect(node(host), "at/a/")
        await clock.advance(60_000)
        assert host.live == 0
        socket.send(b"x", True)
        assert await client.got.get() == "1 x"


async def test_a_number_belongs_to_one_facet_for_good(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        await node(host).call("at", ["a"], "put", "k", "a")
        folder = state / host.namespace("Node").unique_key
        object_id = node(host).id
    index = folder / f"{object_id}.facets"
    whole = index.read_bytes()
    # A writer was killed in the middle of an entry, and somebody left a file that belongs to nobody.
    index.write_bytes(whole + b"\0\0\x05\0b")
    (folder / f"{object_id}.2.sqlite").write_bytes((folder / f"{object_id}.1.sqlite").read_bytes())
    async with host_of(SOURCE, state=state) as host:
        assert await node(host).call("at", ["b"], "list") == []
        await node(host).call("at", ["b"], "put", "l", "b")
        assert await node(host).call("at", ["a"], "list") == ["k"]
    assert index.read_bytes() == whole + b"\0\0\x01\0b"


async def test_what_is_known_of_facets_is_bounded(host_of: OpenHost) -> None:
    async with host_of(SOURCE, limits=Limits(memory_mb=16), max_live=8) as host:
        await node(host).call("heavy", 8)
        with pytest.raises(JavaScriptError, match="take too much memory"):
            await node(host).call("heavy", 20)
        assert await node(host).call("visit") == 1


async def test_a_facet_that_calls_its_object_which_waits_for_it_is_told_the_way(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        with pytest.raises(JavaScriptError, match=r"would wait for itself.*: Node/.* → Node/.*/a → Node/"):
            await asyncio.wait_for(node(host).call("waits_for_itself", "root"), 10)


async def test_a_name_makes_no_line_of_the_log(host_of: OpenHost, caplog: pytest.LogCaptureFixture) -> None:
    async with host_of(SOURCE) as host:
        with pytest.raises(JavaScriptError):
            await node(host).call("at", ["a\nforged"], "end")
    assert "forged" in caplog.text
    assert "\nforged" not in caplog.text


async def test_a_damaged_facet_is_alone_with_that(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state, history=None) as host:
        await node(host).call("put", "k", 0)
        for name in ("a", "b"):
            await node(host).call("at", [name], "put", "k", 1)
    (damaged,) = state.glob("*/*.1.sqlite")
    damaged.write_bytes(b"nothing that SQLite knows " * 1000)
    async with host_of(SOURCE, state=state, history=None) as host:
        with pytest.raises(JavaScriptError):
            await node(host).call("at", ["a"], "get", "k")
        assert await node(host).call("at", ["b"], "get", "k") == 1
        assert await node(host).call("get", "k") == 0
        await node(host).call("remove", "a")
        assert await node(host).call("at", ["a"], "list") == []
    (index,) = state.glob("*/*.facets")
    index.write_bytes(b"no index of facets")
    async with host_of(SOURCE, state=state, history=None) as host:
        for method in (("at", ["b"], "get", "k"), ("clear",)):
            with pytest.raises(JavaScriptError, match="unknown format"):
                await node(host).call(*method)
        assert await node(host).call("get", "k") == 0
        assert [each.id for each in (await host.objects.list("Node")).objects] == [node(host).id]


# From outside

PATHS: list[list[str]] = [["a"], ["a", "b"], ["c", "d", "e"]]


async def fill(root: Stub) -> None:
    for path in PATHS:
        await root.call("at", path, "put", "k", "/".join(path))


async def content(root: Stub) -> list[Any]:
    return [await root.call("at", path, "get", "k") for path in PATHS]


WHOLE = ["a", "a/b", "c/d/e"]


async def test_an_object_of_which_only_facets_store_something_is_on_the_list(
    host_of: OpenHost, state: Path | str
) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=state, clock=clock) as host:
        await fill(node(host))
        (one,) = (await host.objects.list("Node")).objects
        assert (one.id, one.size >= 3 * 8192, one.awake) == (node(host).id, True, True)
        assert (await host.objects.classes())[0]["objects"] == 1
        shown = await host.objects.show("Node", "root")
        assert [facet["path"] for facet in shown["facets"]] == [*PATHS[:2], ["c", "d", "e"]]
        assert shown["keys"] == []
        await clock.advance(60_000)
        below = await host.objects.show("Node", "root", facet=["a"])
        assert [(each["key"], each["value"]) for each in below["keys"]] == [("k", "a")]
        assert [facet["path"] for facet in below["facets"]] == [["b"]]
        with pytest.raises(NoSuchObjectError):
            await host.objects.show("Node", "root", facet=["a", "x"])
        query = "SELECT count(*) FROM _cf_KV"
        parts = [part async for part in host.objects.sql("Node", query, target="root", facet=["a", "b"])]
        assert [(part["id"], part["rows"]) for part in parts] == [(node(host).id, [[1]])]
        assert host.live == 0, "nobody woke"


async def test_an_exported_object_has_its_facets_with_it(
    host_of: OpenHost, state: Path | str, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=state) as host:
        await fill(node(host))
        await node(host).call("put", "k", "root")
        await node(host).call("at", ["a"], "put", "large", "x" * 3_000_000)
        await host.objects.export("Node", "root", tmp_path / "file")
        await host.objects.load("Node", "other", tmp_path / "file")
        other = node(host, "other")
        assert await content(other) == WHOLE
        assert len(await other.call("at", ["a"], "get", "large")) == 3_000_000
        assert await other.call("get", "k") == "root"
        assert await other.call("at", ["a"], "visit") == 1
        # It takes the place of what is there, whole.
        await other.call("at", ["old", "older"], "put", "k", 1)
        waiting = asyncio.ensure_future(other.call("at", ["old"], "wait", 1e9))
        await settle()
        with pytest.raises(ObjectExistsError):
            await host.objects.load("Node", "other", tmp_path / "file")
        await host.objects.load("Node", "other", tmp_path / "file", force=True)
        with pytest.raises(ObjectBrokenError):
            await waiting
        assert await content(other) == WHOLE
        assert await other.call("at", ["old", "older"], "list") == []
    with closing(sqlite3.connect(tmp_path / "file")) as tool:
        (last,) = tool.execute("SELECT max(position) FROM _cf_PORTABLE_FACET_PIECE").fetchone()
        with tool:
            tool.execute("UPDATE _cf_PORTABLE_FACET_PIECE SET data = x'00' WHERE position = ?", (last,))
    async with host_of(SOURCE, state=":memory:") as host:
        with pytest.raises(StorageError):
            await host.objects.load("Node", "other", tmp_path / "file")
        assert (await host.objects.list("Node")).objects == []


async def test_a_copied_object_has_facets_of_its_own(host_of: OpenHost, state: Path | str) -> None:
    async with host_of(SOURCE, state=state) as host:
        await fill(node(host))
        await host.objects.copy("Node", "root", "Node", "copy")
        await node(host).call("at", ["a"], "put", "k", "changed")
        assert await content(node(host, "copy")) == WHOLE
        with pytest.raises(ObjectExistsError):
            await host.objects.copy("Node", "root", "Node", "copy")


async def test_a_deleted_object_has_no_facets_any_more(host_of: OpenHost, state: Path | str) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=state, clock=clock) as host:
        await fill(node(host))
        socket, client = await connect(node(host), "at/a/")
        await clock.advance(60_000)
        shown = await host.objects.show("Node", "root", facet=["a"])
        assert (shown["sockets"], shown["awake"]) == ([{"tags": []}], False)
        await host.objects.delete("Node", "root")
        assert (await host.objects.list("Node")).objects == []
        with pytest.raises(NoSuchObjectError):
            await host.objects.delete("Node", "root")
        socket.send(b"x", True)
        assert await client.got.get() == "1 x"
        assert await content(node(host)) == [None, None, None]


async def test_a_facet_goes_back_to_an_earlier_state_by_itself(host_of: OpenHost, tmp_path: Path) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=tmp_path / "state", clock=clock) as host:
        for value in ("first", "old", "new"):
            await node(host).call("put", "k", value)
            await node(host).call("at", ["a", "b"], "put", "k", value)
            await clock.advance(60_000)
        undo = await host.objects.restore("Node", "root", clock.now() - 90_000, facet=["a", "b"])
        assert await node(host).call("at", ["a", "b"], "get", "k") == "old"
        assert await node(host).call("get", "k") == "new"
        await host.objects.restore("Node", "root", undo["undo"], facet=["a", "b"])
        assert await node(host).call("at", ["a", "b"], "get", "k") == "new"


async def test_who_wants_an_object_alone_lets_its_facets_finish(host_of: OpenHost, state: Path | str) -> None:
    clock = VirtualClock()
    async with host_of(SOURCE, state=state, clock=clock) as host:
        await fill(node(host))
        working = asyncio.ensure_future(node(host).call("at", ["a"], "wait", 10))
        await settle()
        copying = asyncio.ensure_future(host.objects.vacuum("Node", "root"))
        await settle()
        await clock.advance(10)
        await working
        await copying
        assert await content(node(host)) == WHOLE


async def test_vacuum_gives_back_what_facets_have_deleted(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state", history=None) as host:
        await node(host).call("at", ["a"], "put", "k", "x" * 2_000_000)
        await node(host).call("at", ["a"], "put", "k", "short")
        vacuumed = await host.objects.vacuum("Node", "root")
        assert vacuumed["before"] > 2_000_000 > 100_000 > vacuumed["after"]
        assert await node(host).call("at", ["a"], "get", "k") == "short"
