"""Clients' WebSockets: the handshake. Imported with the first of them, as `network.sockets` and aiohttp's are."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiohttp import hdrs
from aiohttp.http import WSCloseCode
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as OwnResponse
from aiohttp.web_response import StreamResponse
from aiohttp.web_ws import WebSocketResponse

from durabox.errors import JavaScriptError
from durabox.network.sockets import CLOSE_SECONDS, MAX_MESSAGE, Frames
from durabox.objects.messages import Response
from durabox.server.open_sockets import open_sockets

# aiohttp warns of each client that offers protocols of which the class chose none. Without any handler that goes to stderr.
logging.getLogger("aiohttp.websocket").addHandler(logging.NullHandler())

#: Headers of the handshake, which the server makes itself.
_HANDSHAKE: Final = frozenset(
    {
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "content-length",
        "transfer-encoding",
    }
)


class _Drain(asyncio.Protocol):
    """
    Takes the place of aiohttp's protocol: what the client sends passes by until the connection has ended.

    Args:
        before: That protocol, which still hears of the end, and of what is written.
    """

    def __init__(self, before: asyncio.BaseProtocol) -> None:
        self._before = before
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._before.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._before.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._before.connection_lost(exc)
        if not self.over.done():
            self.over.set_result(None)


class _Connection(WebSocketResponse[bool]):
    """
    A client's connection. `Frames` ends it: aiohttp would close a socket from which it has not read all, and so take the Close
    frame that says why from a client that still sends.
    """

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        """Nothing; see the class."""
        return False


async def upgrade(request: BaseRequest, response: Response) -> StreamResponse:
    """
    Make the client's connection a WebSocket, and serve it until it is over.

    Args:
        request: The client's.
        response: An answer with a socket.
    Raises:
        JavaScriptError: The client did not ask for one.
    """
    half = response.socket
    assert half is not None
    protocols = []
    extra: list[tuple[str, str]] = []
    flat = response.headers
    for position in range(0, len(flat), 2):
        name, value = flat[position], flat[position + 1]
        if name.lower() == "sec-websocket-protocol":
            protocols.append(value)
        elif name.lower() not in _HANDSHAKE:
            extra.append((name, value))
    connection = _Connection(
        protocols=protocols,
        autoclose=False,
        max_msg_size=MAX_MESSAGE + 1,
        decode_text=False,
        timeout=CLOSE_SECONDS,
    )
    if request.headers.get(hdrs.UPGRADE, "").strip().lower() != "websocket":
        half.lose()
        raise JavaScriptError(
            "TypeError",
            "Worker tried to return WebSocket in a response to a request which did not contain the header "
            '"Upgrade: websocket".',
        )
    if request.headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        half.lose()
        return OwnResponse(
            status=426,
            text="This server speaks version 13 of the WebSocket protocol.\n",
            headers={hdrs.SEC_WEBSOCKET_VERSION: "13"},
        )
    if request.method != hdrs.METH_GET or not connection.can_prepare(request):
        half.lose()
        return OwnResponse(status=400, text="This is no handshake of the WebSocket protocol.\n")
    connection.headers.extend(extra)
    try:
        await connection.prepare(request)
    except BaseException:
        half.lose()
        raise
    transport = request.transport

    async def drain() -> None:
        if transport is not None and not transport.is_closing():
            passing = _Drain(request.protocol)
            transport.set_protocol(passing)
            transport.resume_reading()
            await passing.over

    frames = Frames(connection, half, drain)
    open_sockets.add(frames)
    try:
        await frames.run(transport)
    finally:
        open_sockets.discard(frames)
    return connection
