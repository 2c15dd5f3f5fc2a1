"""`CompressionStream`, `DecompressionStream` and `DigestStream`: their state is the host's, and bounded."""

from __future__ import annotations

import gzip
import json

import pytest

from durabox import JavaScriptError, Limits, Sandbox
from durabox.engine.codecs import PIECE, Codecs
from durabox.errors import GuestProtocolError
from tests.bindings_objects.conftest import OpenModule, ask_worker

UNPACK = """
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
"""


async def test_a_bomb_is_unpacked_no_further_than_it_is_read() -> None:
    """A gigabyte of zeros in a megabyte: the guest's 32 MiB hold what is read of it, piece by piece."""
    bomb = gzip.compress(bytes(1 << 30), 1)
    async with Sandbox(limits=Limits(memory_mb=32)) as box:
        read = await box.eval(
            f"(async () => {{ {UNPACK} let n = 0; while (n < 50e6) n += (await reader.read()).value.length; await reader.cancel(); return n; }})()",
            packed=bomb,
        )
    assert 50e6 <= read < 51e6


async def test_what_is_compressed_can_be_read_by_others() -> None:
    async with Sandbox() as box:
        packed = await box.eval(
            "new Response(new Blob(['hello '.repeat(10000)]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer()"
        )
    assert gzip.decompress(packed) == b"hello " * 10_000


async def test_streams_at_once_are_limited_and_ended_ones_do_not_count() -> None:
    async with Sandbox() as box:
        with pytest.raises(
            JavaScriptError, match="Too many compression and digest streams at once: the limit is 128"
        ):
            await box.eval(
                "globalThis.kept = Array.from({ length: 129 }, () => new CompressionStream('gzip')); 1"
            )
    async with Sandbox() as box:
        ended = """(async () => {
          for (let i = 0; i < 300; i++) { const d = new crypto.DigestStream("SHA-1"); await d.getWriter().close(); await d.digest; }
          for (let i = 0; i < 300; i++) await new Response(new Blob(["x"]).stream().pipeThrough(new CompressionStream("gzip"))).text();
          for (let i = 0; i < 300; i++) await new DecompressionStream("gzip").readable.cancel();
          return "done"; })()"""
        assert await box.eval(ended) == "done"


async def test_what_the_host_keeps_cannot_be_made_at_global_scope(open_module: OpenModule) -> None:
    source = """
      const said = [() => new CompressionStream("gzip"), () => new crypto.DigestStream("MD5")].map((make) => {
        try { make(); return "made"; } catch (error) { return error.message.slice(0, 51); }
      });
      export default { fetch: () => Response.json(said) };"""
    async with open_module(source) as host:
        said = await ask_worker(host)
    assert said == json.dumps(
        ["Disallowed operation called within global scope. As"] * 2, separators=(",", ":")
    )


def test_the_host_takes_only_pieces_and_only_for_codecs_that_there_are() -> None:
    codecs = Codecs()
    handle = codecs.open("compress", "gzip")
    for arguments in [(handle, False, bytes(PIECE + 1)), (handle + 1, False, b""), (0, True, b"")]:
        with pytest.raises(GuestProtocolError):
            codecs.write(*arguments)
    with pytest.raises(GuestProtocolError):
        codecs.open("explode", "zip")


def test_a_decompressor_gives_pieces_and_takes_no_more_before_they_are_out() -> None:
    codecs = Codecs()
    handle = codecs.open("decompress", "gzip")
    packed = gzip.compress(bytes(5 * PIECE))
    assert len(codecs.write(handle, False, packed)) == PIECE
    with pytest.raises(GuestProtocolError):
        codecs.write(handle, False, b"more")
    sizes = [len(codecs.write(handle, False, b"")) for _ in range(5)]
    assert sizes == [PIECE] * 4 + [0]
