"""Streams as values: `put(key, stream)` and the stream that `get` gives back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.limits import Limits
from durabox.objects.host import Host
from durabox.objects.messages import Request, Response
from durabox.storage.durability import Durability
from durabox.testing import settle
from tests.objects.conftest import OpenHost

#: `CODE` is what a test puts there.
SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Files extends DurableObject {
  constructor(controller, env) { super(controller, env); this.storage = controller.storage; this.controller = controller; }
  async run() { CODE }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const key = searchParams.get("key") ?? "f";
    const { storage } = this;
    try {
      switch (pathname) {
        case "/put": await storage.put(key, request.body); return new Response("stored");
        case "/put-unconfirmed": await storage.put(key, request.body, { allowUnconfirmed: true }); return new Response("stored");
        case "/put-value": await storage.put(key, searchParams.get("value")); return new Response("stored");
        case "/get": return new Response((await storage.get(key)) ?? "nothing");
        case "/get-read": {
          let length = 0;
          for await (const chunk of await storage.get(key)) length += chunk.length;
          return Response.json(length);
        }
        case "/type": return new Response(String(await storage.get(key)));
        case "/delete": return Response.json(await storage.delete(key));
        case "/deleteAll": await storage.deleteAll(); return new Response("deleted");
        case "/list": {
          const found = {};
          for (const [name, value] of await storage.list())
            found[name] = value instanceof ReadableStream ? await new Response(value).text() : value;
          return Response.json(found);
        }
        case "/many": {
          const found = await storage.get(["f", "g"]);
          return Response.json([...found].map(([name, value]) => [name, value instanceof ReadableStream]));
        }
        case "/abort": this.controller.abort("enough");
        default: return Response.json((await this.run()) ?? null);
      }
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`, { status: 500 });
    }
  }
}
"""


class Source:
    """A request's body that a test feeds."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.cancelled: str | None = None
        self.reads = 0
        self.feed(*chunks)

    def feed(self, *chunks: bytes | Exception) -> None:
        for chunk in chunks:
            self.queue.put_nowait(chunk)

    async def read(self) -> bytes:
        self.reads += 1
        chunk = await self.queue.get()
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    async def cancel(self, reason: str) -> None:
        self.cancelled = reason


class Files:
    """The object under test."""

    def __init__(self, host: Host) -> None:
        self.stub = host.namespace("Files").get_by_name("a")

    async def ask(self, path: str, body: Any = None, **query: str) -> Response:
        query_text = "&".join(f"{name}={value}" for name, value in query.items())
        return await self.stub.fetch(f"{path}?{query_text}", method="POST", body=body)

    async def text(self, path: str, body: Any = None, **query: str) -> str:
        return await (await self.ask(path, body, **query)).text()

    async def run(self) -> Any:
        return json.loads(await self.text("/run"))


def pieces(total: int, size: int = 60_000) -> list[bytes]:
    """Chunks that tell where they are."""
    data = b"".join(b"%08d" % number for number in range(total // 8 + 1))[:total]
    return [*(data[at : at + size] for at in range(0, total, size)), b""]


@pytest.mark.parametrize("total", [0, 1, 262_144, 262_145, 1_048_576, 3_000_000])
async def test_a_stream_goes_in_and_comes_out(host_of: OpenHost, tmp_path: Path, total: int) -> None:
    chunks = pieces(total)
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        files = Files(host)
        assert await files.text("/put", Source(*chunks)) == "stored"
        assert await (await files.ask("/get")).read() == b"".join(chunks)
        assert await files.text("/get-read") == str(total)
        assert await files.text("/type") == "[object ReadableStream]"
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        assert await (await Files(host).ask("/get")).read() == b"".join(chunks)


class Large:
    """A request's body of so many bytes, none of which exist before they are read."""

    def __init__(self, total: int) -> None:
        self.left = total

    async def read(self) -> bytes:
        size = min(self.left, 1 << 20)
        self.left -= size
        return bytes(size)

    async def cancel(self, reason: str) -> None:
        self.left = 0


async def test_a_stream_many_times_the_guests_memory_goes_in_and_through_and_out(
    host_of: OpenHost, tmp_path: Path
) -> None:
    total = 64 << 20
    options = {"state": tmp_path / "state", "durability": Durability.OFF, "history": None}
    async with host_of(SOURCE, limits=Limits(memory_mb=8), **options) as host:
        files = Files(host)
        assert await files.text("/put", Large(total)) == "stored"
        assert await files.text("/get-read") == str(total)
        body = (await files.ask("/get")).body
        assert not isinstance(body, bytes | None)
        length = 0
        while chunk := await body.read():
            length += len(chunk)
        assert length == total


async def test_streams_are_listed_and_read_beside_other_values(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        files = Files(host)
        await files.text("/put", Source(b"one", b""))
        await files.text("/put-value", key="g", value="two")
        assert json.loads(await files.text("/list")) == {"f": "one", "g": "two"}
        assert json.loads(await files.text("/many")) == [["f", True], ["g", False]]


async def test_streams_that_the_object_makes_are_stored(host_of: OpenHost) -> None:
    code = """
            const bytes = new TextEncoder().encode("made here");
            await this.storage.put("f", new ReadableStream({
              start(controller) { this.left = 5; },
              pull(controller) { if (this.left-- > 0) controller.enqueue(bytes); else controller.close(); },
            }));
            await this.storage.put("g", new Response("from a body").body);
            const copy = this.storage.put("h", await this.storage.get("f"));
            const { readable, writable } = new TransformStream();
            const piped = this.storage.put("i", (await this.storage.get("g")).pipeThrough(new TransformStream({
              transform(chunk, controller) { controller.enqueue(chunk.map((byte) => byte ^ 32)); },
            })));
            await Promise.all([copy, piped]);
            return Promise.all(["f", "g", "h", "i"].map(async (key) => new Response(await this.storage.get(key)).text()));
            """
    async with host_of(SOURCE.replace("CODE", code)) as host:
        files = Files(host)
        stored = await files.run()
        assert stored == [
            "made here" * 5,
            "from a body",
            "made here" * 5,
            "from a body".swapcase().replace(" ", "\0"),
        ]


async def test_what_is_no_stream_of_bytes_leaves_the_old_value(host_of: OpenHost) -> None:
    code = """
            const attempt = (value) => this.storage.put("f", value).then(() => "stored", (error) => `${error.name}: ${error.message}`);
            const read = new Response("x").body;
            await read.getReader().read();
            return [
              await attempt(ReadableStream.from([{ a: 1 }])),
              await attempt(ReadableStream.from([new Uint8Array(4), 1])),
              await attempt(new ReadableStream({ pull(controller) { controller.error(new RangeError("broke")); } })),
              await attempt(read),
              await attempt({ inside: new Response("x").body }),
              await new Response(await this.storage.get("f")).text(),
            ];
            """
    async with host_of(SOURCE.replace("CODE", code)) as host:
        files = Files(host)
        await files.text("/put", Source(b"old", b""))
        refused = await files.run()
        assert refused == [
            "TypeError: This ReadableStream did not return bytes.",
            "TypeError: This ReadableStream did not return bytes.",
            "RangeError: broke",
            "TypeError: This ReadableStream is disturbed (has already been read from), and cannot be used as a body.",
            "DataCloneError: ReadableStream can only be serialized for RPC.",
            "old",
        ]


async def test_a_source_that_fails_leaves_the_old_value_and_other_events_go_on(
    host_of: OpenHost, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        files = Files(host)
        await files.text("/put", Source(b"old", b""))
        source = Source(*pieces(2_500_000)[:-1])
        putting = asyncio.ensure_future(files.ask("/put", source))
        while source.queue.qsize():
            await settle()
        assert await files.text("/get") == "old"
        assert await files.text("/put-value", key="g", value="meanwhile") == "stored"
        source.queue.put_nowait(JavaScriptError("Error", "Network connection lost."))
        assert await (await putting).text() == "Error: Network connection lost."
        assert await files.text("/get") == "old"
        await emptied(host, tmp_path, pieces_left=1)


async def test_a_reader_keeps_the_stream_that_it_began_with(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        files = Files(host)
        old, new = pieces(2_000_000), pieces(1_000_000, 7)
        await files.text("/put", Source(*old))
        response = await files.ask("/get")
        assert not isinstance(response.body, bytes)
        assert response.body is not None
        first = await response.body.read()
        await files.text("/put", Source(*new))
        assert await (await files.ask("/get")).read() == b"".join(new)
        await files.text("/delete")
        assert first + await response.read() == b"".join(old)
        await emptied(host, tmp_path, pieces_left=0)


async def emptied(host: Host, path: Path, pieces_left: int) -> None:
    """Wait until what nobody needs is gone."""
    (file,) = (path / "state").glob("*/[0-9a-f]*.sqlite")
    await host.close()
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM _cf_STREAM_PIECE").fetchall() == [(pieces_left,)]


async def test_a_transaction_takes_its_streams_along(host_of: OpenHost) -> None:
    code = """
            const stream = () => new Response("new".repeat(200_000)).body;
            await this.storage.put("f", new Response("old").body);
            const read = async () => (await new Response(await this.storage.get("f")).text()).slice(0, 6);
            const found = [];
            await this.storage.transaction(async (txn) => {
              await txn.put("f", stream());
              found.push(await read());
              txn.rollback();
            });
            found.push(await read());
            await this.storage.transaction(async (txn) => { await txn.put("f", stream()); });
            found.push(await read());
            let late;
            await this.storage.transaction(async (txn) => {
              let go;
              const slow = new ReadableStream({
                async pull(controller) {
                  controller.enqueue(new Uint8Array(2_000_000));
                  await new Promise((resolve) => { go = resolve; });
                  controller.close();
                },
              });
              late = txn.put("f", slow).then(() => "stored", (error) => error.message);
              while (go === undefined) await scheduler.wait(0);
              await scheduler.wait(0);
              go();
              txn.rollback();
            });
            found.push(await late, await read());
            return found;
            """
    async with host_of(SOURCE.replace("CODE", code)) as host:
        files = Files(host)
        found = await files.run()
        assert found == [
            "newnew",
            "old",
            "newnew",
            "The stream was not stored: what it had written was rolled back or deleted.",
            "newnew",
        ]


async def test_what_the_source_waits_for_in_a_transaction_comes(host_of: OpenHost) -> None:
    code = """
            const parts = ["a", "b"];
            const slow = () => new ReadableStream({
              async pull(controller) {
                await scheduler.wait(1);
                const part = parts.shift();
                if (part === undefined) controller.close();
                else controller.enqueue(new TextEncoder().encode(part));
              },
            });
            await this.storage.transaction((txn) => txn.put("f", slow()));
            return new Response(await this.storage.get("f")).text();
            """
    async with host_of(SOURCE.replace("CODE", code)) as host:
        assert await Files(host).run() == "ab"


async def test_delete_all_ends_what_is_under_way(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        files = Files(host)
        await files.text("/put", Source(*pieces(2_000_000)))
        response = await files.ask("/get")
        source = Source(*pieces(2_500_000)[:-1])
        putting = asyncio.ensure_future(files.ask("/put", source))
        while source.queue.qsize():
            await settle()
        assert await files.text("/deleteAll") == "deleted"
        source.queue.put_nowait(b"")
        assert await (await putting).text() == (
            "Error: The stream was not stored: what it had written was rolled back or deleted."
        )
        with pytest.raises(JavaScriptError, match="The stored stream was deleted while it was being read"):
            await response.read()
        assert await files.text("/get") == "nothing"


async def test_what_a_crash_left_half_written_is_removed(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        files = Files(host)
        await files.text("/put", Source(b"old", b""))
        source = Source(*pieces(2_500_000)[:-1])
        putting = asyncio.ensure_future(files.ask("/put", source))
        while source.queue.qsize():
            await settle()
        with pytest.raises((ObjectBrokenError, JavaScriptError), match="enough"):
            await files.ask("/abort")
        with pytest.raises((ObjectBrokenError, JavaScriptError), match="enough"):
            await putting
        assert await files.text("/get") == "old"
        await files.text("/put-value", key="g", value="a write")
        await emptied(host, tmp_path, pieces_left=1)


async def test_the_source_is_read_no_faster_than_the_storage_writes(
    host_of: OpenHost, tmp_path: Path
) -> None:
    began, end = asyncio.Event(), asyncio.Event()

    async def network(request: Request) -> Response:
        began.set()
        await end.wait()
        return Response(204, "", [], None)

    code = "await this.controller.blockConcurrencyWhile(() => fetch('https://elsewhere/'));"
    async with host_of(SOURCE.replace("CODE", code), state=tmp_path / "state", network=network) as host:
        files = Files(host)
        source = Source()
        putting = asyncio.ensure_future(files.ask("/put", source))
        while not source.reads:
            await settle()
        held = asyncio.ensure_future(files.ask("/run"))
        await began.wait()
        source.feed(*[bytes(65_536)] * 200, b"")
        await settle()
        assert 1 < source.reads < 40
        end.set()
        await held
        assert await (await putting).text() == "stored"
        assert await files.text("/get-read") == str(200 * 65_536)
