"""Bodies pass through a Worker: untouched ones beside the guest, others piece by piece."""

from __future__ import annotations

from durabox import Limits
from durabox.objects.messages import Request
from tests.bindings_objects.conftest import OpenModule

PIECE = bytes(64 << 10)
MIB = 1 << 20


class Upload:
    """
    A body of zeros that counts how it is read.

    Args:
        size: Its length in bytes.
    """

    def __init__(self, size: int) -> None:
        self.left = size

    async def read(self) -> bytes:
        """The next piece."""
        piece = PIECE[: min(self.left, len(PIECE))]
        self.left -= len(piece)
        return piece

    async def cancel(self, reason: str) -> None:
        """Nobody reads on."""


async def test_a_body_that_is_handed_on_does_not_enter_the_guest(open_module: OpenModule) -> None:
    upload = Upload(1 << 40)
    async with open_module("export default { fetch: (request) => new Response(request.body) };") as host:
        response = await host.fetch(Request("POST", "http://worker/", [], upload))
        assert response.body is upload
        assert upload.left == 1 << 40


async def test_a_body_larger_than_the_isolate_passes_through_a_transform(open_module: OpenModule) -> None:
    """64 MiB through a guest of 16 MiB; and no more is taken than the reader has asked for."""
    source = "export default { fetch: (request) => new Response(request.body.pipeThrough(new TransformStream())) };"
    upload = Upload(64 * MIB)
    async with open_module(source, limits=Limits(memory_mb=16)) as host:
        body = (await host.fetch(Request("POST", "http://worker/", [], upload))).body
        assert body is not None
        assert not isinstance(body, bytes)
        read = 0
        while piece := await body.read():
            read += len(piece)
            assert 64 * MIB - upload.left - read <= 4 * len(PIECE)
    assert read == 64 * MIB
