"""Bodies across the edge: what comes in, and what goes out."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import PayloadAccessError

from durabox.errors import JavaScriptError
from durabox.objects.messages import BodyStream

#: A body of a known length up to this many bytes is read before the object is called; longer ones are streamed.
WHOLE: Final = 128 * 1024

LOST: Final = "Network connection lost."


class Upload:
    """
    A request's body as a stream. The connection is only read as fast as the guest reads.

    Args:
        request: Whose body it is.
    """

    __slots__ = ("_content",)

    def __init__(self, request: web.BaseRequest) -> None:
        self._content = request.content

    async def read(self) -> bytes:
        """See `BodyStream`."""
        try:
            return await self._content.readany()
        except (ConnectionError, PayloadAccessError, HttpProcessingError, asyncio.IncompleteReadError):
            raise JavaScriptError("Error", LOST) from None

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`: the rest is dropped by the connection."""


async def incoming(request: web.BaseRequest) -> bytes | BodyStream | None:
    """A request's body: nothing, bytes when it is short, else a stream."""
    if not request.body_exists:
        return None
    length = request.content_length
    if length is not None and length <= WHOLE:
        return await request.read()
    return Upload(request)
