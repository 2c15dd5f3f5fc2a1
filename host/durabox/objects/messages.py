"""Requests and responses as plain data: what the server, Python callers and objects hand to each other."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct, field

from durabox.objects.sockets import Half

#: Headers that belong to one connection: they are not passed on.
OF_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


@runtime_checkable
class BodyStream(Protocol):
    """A body that is read piece by piece; whoever holds it reads or cancels it."""

    async def read(self) -> bytes:
        """
        The next piece, ``b""`` at the end.

        Raises:
            DuraboxError: The source failed.
        """
        ...

    async def cancel(self, reason: str) -> None:
        """Nobody will read the rest."""
        ...


class Request(Struct):
    """
    A request to a Worker or an object.

    Args:
        method: HTTP method, upper case.
        url: Absolute URL.
        headers: Flat ``[name, value, name, value, …]``, in order, repeats allowed.
        body: Bytes, a stream, or ``None`` for none.
    """

    method: str
    url: str
    headers: list[str] = field(default_factory=list)
    body: bytes | BodyStream | None = None


class Response(Struct):
    """
    An answer.

    Args:
        status: HTTP status, 100 to 599.
        reason: Status text; ``""`` for the usual one.
        headers: Flat ``[name, value, name, value, …]``, in order, repeats allowed.
        body: Bytes, a stream, or ``None`` for none. A stream is read once.
        socket: Of an answer of status 101: the half of a WebSocket connection that goes to whoever asked.
    """

    status: int
    reason: str = ""
    headers: list[str] = field(default_factory=list)
    body: bytes | BodyStream | None = None
    socket: Half | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        wanted = name.lower()
        for position in range(0, len(self.headers), 2):
            if self.headers[position].lower() == wanted:
                return self.headers[position + 1]
        return None

    async def read(self) -> bytes:
        """The whole body; a stream is read to its end and kept."""
        body = self.body
        if body is None:
            return b""
        if not isinstance(body, bytes):
            parts = []
            while part := await body.read():
                parts.append(part)
            body = self.body = b"".join(parts)
        return body

    async def text(self) -> str:
        """The whole body as UTF-8."""
        return (await self.read()).decode("utf-8", "replace")

    async def json(self) -> Any:
        """
        The whole body as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(await self.read())
