"""Clients' WebSockets: the handshake, and their end at shutdown."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiohttp import hdrs, web

from durabox.errors import JavaScriptError
from durabox.network.sockets import CLOSE_SECONDS, MAX_MESSAGE, Frames
from durabox.objects.messages import Response

# aiohttp warns of each client that offers protocols of which the class chose none. Without any handler that goes to stderr.
logging.getLogger("aiohttp.websocket").addHandler(logging.NullHandler())

#: Seconds that clients get to answer a Close at shutdown.
_SHUTDOWN_SECONDS: Final = 2.0

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

#: Those that are open, to be closed at shutdown.
_open: Final[set[Frames]] = set()


async def close_all() -> None:
    """Close every client's socket, for shutdown, and wait a while for the clients' answers."""
    sockets = list(_open)
    for socket in sockets:
        socket.restart()
    if sockets:
        await asyncio.wait([socket.over for socket in sockets], timeout=_SHUTDOWN_SECONDS)


async def upgrade(request: web.BaseRequest, response: Response) -> web.StreamResponse:
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
    connection = web.WebSocketResponse(
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
        return web.Response(
            status=426,
            text="This server speaks version 13 of the WebSocket protocol.\n",
            headers={hdrs.SEC_WEBSOCKET_VERSION: "13"},
        )
    if request.method != hdrs.METH_GET or not connection.can_prepare(request):
        half.lose()
        return web.Response(status=400, text="This is no handshake of the WebSocket protocol.\n")
    connection.headers.extend(extra)
    try:
        await connection.prepare(request)
    except BaseException:
        half.lose()
        raise
    frames = Frames(connection, half)
    _open.add(frames)
    try:
        await frames.run(request.transport)
    finally:
        _open.discard(frames)
    return connection
