"""Codings of bodies: gzip and brotli, which are taken off when a body is read and put on when it is sent.

A response that says ``Content-Encoding: gzip`` has, to whoever reads it, a body that is not compressed, wherever it came from;
its bytes are compressed on a connection alone. A body that came compressed and is sent so again is not touched.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import brotli

from durabox.errors import NetworkError
from durabox.objects.messages import BodyStream

#: Bytes that are taken at a time: a small body may stand for an enormous one.
_PIECE: Final = 256 * 1024


class _Decoder(Protocol):
    def feed(self, data: bytes) -> bytes:
        """Some of what the data stands for."""
        ...

    @property
    def hungry(self) -> bool:
        """Whether there is nothing more without further data."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the end of the format was seen."""
        ...


class _Gzip:
    """Members one after the other, as gzip has it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._member.eof:
            self._member = zlib.decompressobj(wbits=31)
        piece = self._member.decompress(self._rest + data, _PIECE)
        self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return piece

    @property
    def hungry(self) -> bool:
        return not self._rest

    @property
    def finished(self) -> bool:
        return self._member.eof


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        piece: bytes = self._decoder.process(data, output_buffer_limit=_PIECE)
        return piece

    @property
    def hungry(self) -> bool:
        return self.finished or bool(self._decoder.can_accept_more_data())

    @property
    def finished(self) -> bool:
        return bool(self._decoder.is_finished())


CODINGS: Final[dict[str, tuple[str, Callable[[], _Decoder]]]] = {
    "gzip": ("Gzip", _Gzip),
    "br": ("Brotli", _Brotli),
}


class _Pieces:
    """Reads a body in pieces that are soon worked through, whatever its chunks are."""

    def __init__(self, body: BodyStream) -> None:
        self._body = body
        self._rest = memoryview(b"")

    async def read(self) -> bytes:
        if not self._rest:
            self._rest = memoryview(await self._body.read())
        else:
            # Others have their turn in between.
            await asyncio.sleep(0)
        piece = bytes(self._rest[:_PIECE])
        self._rest = self._rest[_PIECE:]
        return piece


class CodedBody:
    """
    A compressed body. Who reads it gets it decompressed; who sends it under its ``Content-Encoding`` sends what came.

    Args:
        raw: The bytes as they came.
        coding: ``gzip`` or ``br``.
    """

    __slots__ = ("_decoder", "_name", "_over", "_pieces", "coding", "raw")

    def __init__(self, raw: BodyStream, coding: str) -> None:
        self.raw = raw
        self._pieces = _Pieces(raw)
        self.coding = coding
        self._name, make = CODINGS[coding]
        self._decoder = make()
        self._over = False

    async def read(self) -> bytes:
        """See `BodyStream`."""
        decoder = self._decoder
        while not self._over:
            data = await self._pieces.read() if decoder.hungry else b""
            try:
                if not data and decoder.finished and decoder.hungry:
                    break
                piece = decoder.feed(data)
            except (zlib.error, brotli.error):
                self._over = True
                await self.raw.cancel("It cannot be decompressed.")
                raise NetworkError(
                    f"{self._name} decompression failed.", name="TypeError", retryable=False
                ) from None
            if piece:
                return piece
            if not data and decoder.hungry and not decoder.finished:
                self._over = True
                raise NetworkError(
                    f"{self._name} compressed stream ended prematurely.", name="TypeError", retryable=False
                )
        self._over = True
        return b""

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        await self.raw.cancel(reason)


def coding_of(headers: list[str]) -> str | None:
    """The coding of a message that is taken off and put on by itself, ``None`` for all others."""
    for at in range(0, len(headers), 2):
        if headers[at].lower() == "content-encoding":
            # As it is written: the platform knows no other case.
            return headers[at + 1] if headers[at + 1] in CODINGS else None
    return None


def coded(headers: list[str], body: bytes | BodyStream | None) -> bytes | BodyStream | None:
    """A body that is in the coding that its headers name."""
    coding = coding_of(headers)
    if body is None or coding is None:
        return body
    return CodedBody(AtHand(body) if isinstance(body, bytes) else body, coding)


def sent_as(body: bytes | BodyStream, coding: str | None) -> bytes | BodyStream:
    """A body in the coding under which it is sent, ``None`` for none."""
    if isinstance(body, CodedBody) and body.coding == coding:
        return body.raw
    return body if coding is None else EncodedBody(AtHand(body) if isinstance(body, bytes) else body, coding)


class _Gzipped:
    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._packer.flush()


class _Brotlied:
    def __init__(self) -> None:
        # The quality at which it costs as much as gzip does.
        self._packer = brotli.Compressor(quality=4)

    def feed(self, data: bytes) -> bytes:
        return bytes(self._packer.process(data) + self._packer.flush())

    def end(self) -> bytes:
        return bytes(self._packer.finish())


class EncodedBody:
    """
    A body, compressed as it is read; each piece by itself, so that nothing waits for what follows it.

    Args:
        body: Not compressed.
        coding: ``gzip`` or ``br``.
    """

    __slots__ = ("_body", "_packer", "_pieces")

    def __init__(self, body: BodyStream, coding: str) -> None:
        self._body = body
        self._pieces = _Pieces(body)
        self._packer: _Gzipped | _Brotlied | None = _Gzipped() if coding == "gzip" else _Brotlied()

    async def read(self) -> bytes:
        """See `BodyStream`."""
        if self._packer is None:
            return b""
        data = await self._pieces.read()
        if data:
            return self._packer.feed(data)
        packer, self._packer = self._packer, None
        return packer.end()

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        await self._body.cancel(reason)


class AtHand:
    """
    Bytes as a stream.

    Args:
        data: The bytes.
    """

    __slots__ = ("_data", "length")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    async def read(self) -> bytes:
        """See `BodyStream`."""
        data, self._data = self._data, b""
        return data

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        self._data = b""
