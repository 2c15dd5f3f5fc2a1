"""A WebSocket over a connection, as one holder of a half: frames in, frames out. Clients' and other servers' alike."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp.http import WebSocketError, WSCloseCode, WSMsgType

from durabox.objects.sockets import ABNORMAL, MESSAGE_COST, NO_CODE, SERVICE_RESTART, TRY_AGAIN_LATER, Half

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse, web

#: Bytes of a message that the remote may send, as on the platform; more closes the connection with 1009. aiohttp's own number is
#: that of the shortest message which is too long.
MAX_MESSAGE: Final = 32 * 1024 * 1024
#: Bytes that may wait for a slow remote; more closes its connection.
MAX_WAITING: Final = 16 * 1024 * 1024
#: Bytes in the transport's buffer up to which a message is written at once: less than what makes the transport pause.
_AT_ONCE: Final = 32 * 1024
#: Bytes of a message that is compressed at once.
_SMALL: Final = 4096
#: The last code that a Close frame may have. What is below and may not be used, aiohttp refuses.
_LAST_CODE: Final = 4999
#: Bytes of the reason in a Close frame.
_MAX_REASON: Final = 123
#: Seconds that the remote gets to answer a Close.
CLOSE_SECONDS: Final = 10.0

_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY

Connection: TypeAlias = "web.WebSocketResponse[bool] | ClientWebSocketResponse[bool]"


class Frames:
    """
    Passes messages between a connection to somebody else (the remote) and a half.

    Args:
        connection: After its handshake.
        half: The remote's.
        drain: Lets what the remote still sends pass by until it has ended the connection.
    """

    def __init__(
        self, connection: Connection, half: Half, drain: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._connection = connection
        self._drain = drain
        self._half = half
        self._waiting: deque[tuple[bytes, WSMsgType]] = deque()
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        #: Set while the remote waits for the answer to its Close.
        self._answered: asyncio.Future[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        #: Done when the connection is over.
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, transport: asyncio.Transport | None) -> None:
        """Receive until the connection is over."""
        connection, half = self._connection, self._half
        self._transport = transport
        half.attach(self)
        said = refused = False
        try:
            while True:
                frame = await connection.receive()
                kind = frame.type
                if kind is _TEXT or kind is _BINARY:
                    half.send(frame.data, kind is _TEXT)
                    crowded = half.crowded()
                    if crowded is not None:
                        # What is not read holds the remote back.
                        await asyncio.shield(crowded)
                elif kind is WSMsgType.CLOSE:
                    said = True
                    half.close(_allowed(frame.data or NO_CODE), frame.extra or "")
                    break
                elif kind is WSMsgType.ERROR and isinstance(frame.data, WebSocketError):
                    refused = True
                    await self._refuse(frame.data)
                    break
                else:
                    break
            if self._closing is None and said:
                # The other side answers in its own time; a remote that does not wait for that is gone.
                self._answered = asyncio.get_running_loop().create_future()
                await asyncio.wait([self._answered], timeout=CLOSE_SECONDS)
        finally:
            if not (said or refused):
                self._report_loss()
            if self._writer is not None:
                self._writer.cancel()
            if self._closing is not None and not self._closing.done():
                await asyncio.wait([self._closing], timeout=CLOSE_SECONDS)
            if self._patience is not None:
                self._patience.cancel()
            if transport is not None:
                transport.close()
            self.over.set_result(None)

    async def _refuse(self, error: WebSocketError) -> None:
        """What came is no message, or too large a one. The remote is told, and gets the time to hear it while it sends on."""
        too_large = error.code == WSCloseCode.MESSAGE_TOO_BIG
        description = f"Message is too large: more than {MAX_MESSAGE} bytes" if too_large else str(error)
        self._half.fail(error.code, description)
        frame = error.code.to_bytes(2, "big") + description.encode()[:_MAX_REASON]
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._connection.send_frame(frame, WSMsgType.CLOSE)
        if self._drain is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._drain()

    def _report_loss(self) -> None:
        """Nothing more comes, and the remote has not said so: or it has, in answer to ours."""
        code = self._connection.close_code
        if self._closing is not None and code is not None and code != ABNORMAL:
            self._half.close(_allowed(code))
        else:
            self._half.lose()

    # What the other half says; see `sockets.Receiver`

    def message(self, data: bytes, is_text: bool) -> None:
        """Send it now, or after what waits already."""
        if self._closing is not None:
            return
        kind = _TEXT if is_text else _BINARY
        connection, transport = self._connection, self._transport
        if (
            self._writer is None
            and transport is not None
            and transport.get_write_buffer_size() <= _AT_ONCE
            and (len(data) <= _SMALL or not connection.compress)
        ):
            # It only ever waits for a full buffer, or to compress what is large: here it ends at once.
            with contextlib.suppress(StopIteration, ConnectionError, RuntimeError):
                connection.send_frame(data, kind).send(None)
            return
        self._waiting.append((data, kind))
        self._waiting_bytes += len(data) + MESSAGE_COST
        if self._waiting_bytes > MAX_WAITING:
            self._waiting.clear()
            self._half.lose()
            self.closed(TRY_AGAIN_LATER, "The other side receives too slowly.", True)
        elif self._writer is None:
            self._writer = asyncio.ensure_future(self._write())

    def crowded(self) -> None:
        """See `Receiver`: what waits is bounded here."""

    async def _write(self) -> None:
        while self._waiting:
            data, kind = self._waiting.popleft()
            await self._connection.send_frame(data, kind)
            self._waiting_bytes -= len(data) + MESSAGE_COST
        self._writer = None

    def closed(self, code: int, reason: str, clean: bool) -> None:
        """Send a Close frame after what waits, or break the connection off."""
        if not clean:
            if self._transport is not None:
                self._transport.abort()
        elif self._closing is None:
            self._closing = asyncio.ensure_future(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if self._transport is not None:
            # The remote's own Close ends the connection; neither that nor its reading is waited for forever.
            self._patience = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=CLOSE_SECONDS)
        # aiohttp's own close knows no empty frame, and keeps the answer, which `run` is to hear, to itself.
        frame = b"" if code == NO_CODE else code.to_bytes(2, "big") + reason.encode()
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._connection.send_frame(frame, WSMsgType.CLOSE)
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def restart(self) -> None:
        """The server goes away; the client may come back."""
        self._half.close(SERVICE_RESTART, "The server is shutting down.")
        self.closed(SERVICE_RESTART, "The server is shutting down.", True)


def _allowed(code: int) -> int:
    """A remote's code, if there is such a one."""
    return code if code <= _LAST_CODE else WSCloseCode.PROTOCOL_ERROR
