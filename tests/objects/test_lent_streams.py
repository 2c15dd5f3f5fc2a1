"""Streams that objects lend each other and that end early: whoever is left hears of it, and nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from durabox.objects.host import Host
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
const bytes = new Uint8Array([120]);
const told = (error) => `${error.name}: ${error.message}`;
export class Node extends DurableObject {
  notes = [];
  noted() { return this.notes.splice(0); }
  other() { return this.env.NODE.getByName("b"); }
  source() {
    return new ReadableStream({
      type: "bytes",
      pull(controller) { controller.enqueue(bytes); },
      cancel: (reason) => { this.notes.push(`cancelled: ${told(reason)}`); },
    }, { highWaterMark: 0 });
  }
  sink() {
    return new WritableStream({
      write: () => { this.notes.push("written"); },
      abort: (reason) => { this.notes.push(`aborted: ${told(reason)}`); },
    });
  }
  // At the other end
  async readOne(stream) { this.reader = stream.getReader(); return (await this.reader.read()).value.byteLength; }
  async readOn() { return await this.reader.read().then(({ done }) => done, told); }
  ignore() {}
  async writeOne(stream) { this.writer = stream.getWriter(); await this.writer.write(bytes); return 1; }
  async writeOn() { return await this.writer.write(bytes).then(() => "written", told); }
  reset() { this.ctx.abort("reset"); }
  // At this one
  lendAndRead() { return this.other().readOne(this.source()); }
  lendAndIgnore() { return this.other().ignore(this.source()); }
  lendToMissing() { return this.other().missing(this.source()).catch(() => "refused"); }
  lendToBroken() {
    const other = this.other();
    return other.reset().catch(() => other.ignore(this.source())).catch(told);
  }
  lendSink() { return this.other().writeOne(this.sink()); }
  async take() { const reader = (await this.other().source()).getReader(); this.reader = reader; return (await reader.read()).value.byteLength; }
}
"""
LOST = "Error: Network connection lost."


async def _call(host: Host, name: str, method: str) -> object:
    return await host.namespace("Node").get_by_name(name).call(method)


async def _noted(host: Host, name: str) -> object:
    """What an object has noted, once there is something."""
    async with asyncio.timeout(30):
        while not (notes := await _call(host, name, "noted")):
            pass
    return notes


def _evict(host: Host, name: str) -> None:
    space = host.namespace("Node")
    actor = host.actors.live(space.unique_key, space.get_by_name(name).id)
    assert actor is not None
    actor.close()


@pytest.mark.parametrize("lend", ["lendToMissing", "lendToBroken", "lendAndIgnore"])
async def test_a_stream_that_nobody_reads_is_cancelled(host_of: OpenHost, lend: str) -> None:
    async with host_of(SOURCE) as host:
        await _call(host, "a", lend)
        if lend == "lendAndIgnore":
            _evict(host, "b")
        assert await _noted(host, "a") == [f"cancelled: {LOST}"]
        assert await _call(host, "a", "noted") == []


@pytest.mark.parametrize("end", ["reset", "evicted"])
async def test_the_source_hears_that_its_reader_is_gone(host_of: OpenHost, end: str) -> None:
    async with host_of(SOURCE) as host:
        assert await _call(host, "a", "lendAndRead") == 1
        if end == "evicted":
            _evict(host, "b")
        else:
            with pytest.raises(Exception, match="reset"):
                await _call(host, "b", "reset")
        assert await _noted(host, "a") == [f"cancelled: {LOST}"]


@pytest.mark.parametrize("end", ["reset", "evicted"])
async def test_a_reader_hears_that_the_source_is_gone(host_of: OpenHost, end: str) -> None:
    async with host_of(SOURCE) as host:
        assert await _call(host, "a", "take") == 1
        if end == "evicted":
            _evict(host, "b")
        else:
            with pytest.raises(Exception, match="reset"):
                await _call(host, "b", "reset")
        gone = "Error: ReadableStream received over RPC disconnected prematurely."
        assert [await _call(host, "a", "readOn") for _ in range(2)] == [gone, gone]


@pytest.mark.parametrize("end", ["reset", "evicted"])
async def test_a_sink_is_aborted_when_its_writer_is_gone(host_of: OpenHost, end: str) -> None:
    async with host_of(SOURCE) as host:
        assert await _call(host, "a", "lendSink") == 1
        assert await _call(host, "a", "noted") == ["written"]
        if end == "evicted":
            _evict(host, "b")
        else:
            with pytest.raises(Exception, match="reset"):
                await _call(host, "b", "reset")
        ended = "WritableStream received over RPC was disconnected because the remote execution context has ended."
        assert await _noted(host, "a") == [f"aborted: Error: {ended}"]


async def test_a_writer_hears_that_the_sink_is_gone(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        assert await _call(host, "a", "lendSink") == 1
        _evict(host, "a")
        gone = "Error: The execution context which hosts this callback is no longer running."
        assert [await _call(host, "b", "writeOn") for _ in range(2)] == [gone, gone]
