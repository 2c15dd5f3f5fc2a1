"""Bodies of requests: read before the object is called when they are short, streamed to it otherwise."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import HttpVersion11
from aiohttp.web_protocol import PayloadAccessError
from aiohttp.web_request import BaseRequest

from durabox.errors import JavaScriptError

#: A body of a known length up to this many bytes is read before the object is called; longer ones are streamed.
WHOLE: Final = 128 * 1024

LOST: Final = "Network connection lost."


class Upload:
    """
    A request's body as a stream. The connection is only read as fast as the guest reads.

    A client that waits for ``100 Continue`` gets it with the first read, so that an answer can come without its body.

    Args:
        request: Whose body it is.
    """

    __slots__ = ("_over", "_request", "_waits")

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._waits = _waits_for_continue(request)
        self._over = False

    async def read(self) -> bytes:
        """See `BodyStream`."""
        if self._over:
            raise JavaScriptError("TypeError", "Can't read from request stream after response has been sent.")
        try:
            await self.invite()
            return await self._request.content.readany()
        except (ConnectionError, PayloadAccessError, HttpProcessingError, asyncio.IncompleteReadError):
            raise JavaScriptError("Error", LOST) from None
        except RuntimeError:
            # The connection allows one reader; that there are two is the guest's doing.
            raise JavaScriptError("TypeError", "This stream is being read already.") from None

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`: the connection drops the rest."""

    async def invite(self) -> None:
        """Send ``100 Continue`` to a client that waits for it. Not after an answer has begun."""
        if self._waits:
            self._waits = False
            await _send_continue(self._request)

    def close(self) -> None:
        """The request has been answered: nothing can be read any more."""
        self._over = True


async def incoming(request: BaseRequest) -> bytes | Upload | None:
    """
    A request's body: nothing, bytes when it is short, else a stream.

    Raises:
        JavaScriptError: The client left in the middle of it.
    """
    if not request.body_exists:
        return None
    length = request.content_length
    if length is None or length > WHOLE:
        return Upload(request)
    if _waits_for_continue(request):
        await _send_continue(request)
    return await request.read()


def _waits_for_continue(request: BaseRequest) -> bool:
    expected = request.headers.get(hdrs.EXPECT)
    return expected is not None and expected.lower() == "100-continue" and request.version >= HttpVersion11


async def _send_continue(request: BaseRequest) -> None:
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # It does not count as the beginning of an answer.
    request.writer.output_size = 0
