"""Requests to other servers, as the host sees them: who carries them out, what an event may make of them, and their bodies.

`Network` is whoever carries out one exchange: `durabox.network.Internet` over real connections, or a function of a test's.
Redirects are the guest's business: each hop is an exchange of its own.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, Protocol, TypeAlias

import brotli

from durabox.engine.ops import GuestError
from durabox.errors import NetworkError
from durabox.objects.messages import BodyStream, Request, Response

#: Carries out one exchange. A request with ``Upgrade: websocket`` may be answered by status 101 and a socket.
Network: TypeAlias = Callable[[Request], Response | Awaitable[Response]]

REFUSED: Final = (
    "fetch() and WebSockets to other servers are not allowed here. To allow them, start `durabox serve` with --allow-net, "
    "or open the Host with network=."
)
TOO_MANY: Final = "Too many subrequests."
#: Requests of one event that wait for the head of their answer at the same time, as on the platform; more wait for these.
_AT_ONCE: Final = 6
#: Bytes that are decompressed at a time: a small body may stand for an enormous one.
_PIECE: Final = 256 * 1024


async def refuse(request: Request) -> Response:
    """The network of a host that has none."""
    raise NetworkError(REFUSED, retryable=False)


async def exchange(network: Network, request: Request) -> Response:
    """
    Have a network answer a request.

    Raises:
        NetworkError: It could not, or may not.
    """
    answer = network(request)
    return await answer if isawaitable(answer) else answer


class Subrequests:
    """
    The account of one event, with all that follows from it.

    Args:
        left: How many requests it may still make.
    """

    __slots__ = ("_gate", "_left")

    def __init__(self, left: int) -> None:
        self._left = left
        self._gate: asyncio.Semaphore | None = None

    def take(self) -> asyncio.Semaphore:
        """
        Count one more request.

        Returns:
            What it holds while it waits for the head of its answer.
        Raises:
            GuestError: The event has made as many as it may.
        """
        if self._left <= 0:
            raise GuestError("Error", TOO_MANY)
        self._left -= 1
        gate = self._gate
        if gate is None:
            gate = self._gate = asyncio.Semaphore(_AT_ONCE)
        return gate


class SizedBody:
    """
    A body that must have a certain length: what is sent under a Content-Length.

    Args:
        body: The bytes.
        length: How many there must be.
    """

    __slots__ = ("_body", "_left", "length")

    def __init__(self, body: BodyStream, length: int) -> None:
        self._body = body
        self._left = length
        self.length = length

    async def read(self) -> bytes:
        """See `BodyStream`."""
        chunk = await self._body.read()
        self._left -= len(chunk)
        if self._left < 0 or (not chunk and self._left):
            raise NetworkError(
                "The body is longer than its Content-Length."
                if self._left < 0
                else "The body is shorter than its Content-Length.",
                name="TypeError",
                retryable=False,
            )
        return chunk

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        await self._body.cancel(reason)


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


_DECODERS: Final[dict[str, tuple[str, Callable[[], _Decoder]]]] = {
    "gzip": ("Gzip", _Gzip),
    "br": ("Brotli", _Brotli),
}


class CodedBody:
    """
    A compressed body. Who reads it gets it decompressed; who passes it on together with its ``Content-Encoding`` passes the
    bytes on as they came.

    Args:
        raw: The bytes as they came.
        coding: ``gzip`` or ``br``.
    """

    __slots__ = ("_coding", "_decoder", "_name", "_over", "raw")

    def __init__(self, raw: BodyStream, coding: str) -> None:
        self.raw = raw
        self._coding = coding
        self._name, make = _DECODERS[coding]
        self._decoder = make()
        self._over = False

    async def read(self) -> bytes:
        """See `BodyStream`."""
        decoder = self._decoder
        while not self._over:
            data = await self.raw.read() if decoder.hungry else b""
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

    def passed_on(self, headers: list[str]) -> BodyStream:
        """The body of a message with those headers; a length that was that of the compressed bytes goes from them."""
        for at in range(0, len(headers), 2):
            if headers[at].lower() == "content-encoding":
                if headers[at + 1].strip().lower() == self._coding:
                    return self.raw
                break
        for at in reversed(range(0, len(headers), 2)):
            if headers[at].lower() == "content-length":
                del headers[at : at + 2]
        return self


def decoded(response: Response) -> BodyStream | bytes | None:
    """The body of another server's answer, to be decompressed when it is read."""
    body = response.body
    coding = (response.header("content-encoding") or "").strip().lower()
    if body is None or coding not in _DECODERS:
        return body
    return CodedBody(AtHand(body) if isinstance(body, bytes) else body, coding)


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
