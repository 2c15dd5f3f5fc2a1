"""HTTP connections: limits of a request's head, and what a client hears that does not speak HTTP."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from durabox.server.answers import plain

logger = logging.getLogger("durabox.server")

#: Bytes of a request's target, as on the platform.
MAX_TARGET: Final = 16 * 1024
#: Bytes of a header's name or value.
MAX_FIELD: Final = 32 * 1024
MAX_HEADERS: Final = 256
#: Seconds that a handler has to end when its time is over.
_MOMENT: Final = 0.1


class Connection(RequestHandler):
    """A connection that refuses malformed requests in its own words, and without a traceback in the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """The answer to what is no request; the connection ends after it."""
        if isinstance(exc, HttpProcessingError):
            logger.debug("malformed request from %s: %s", request.remote, exc.message)
            answer = plain(*_refusal(exc))
        else:
            logger.error("request from %s failed", request.remote, exc_info=exc)
            answer = plain(HTTPStatus.INTERNAL_SERVER_ERROR, "An internal error occurred.")
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        answer.force_close()
        return answer


class Listener(Server):
    """Makes a `Connection` for each client."""

    def __call__(self) -> Connection:
        """A new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    async def shutdown(self, timeout: float | None = None) -> None:
        """aiohttp waits for its handlers twice: before it tells them to end, and as long again before it ends them."""
        try:
            async with asyncio.timeout(timeout):
                await super().shutdown(timeout)
        except TimeoutError:
            await super().shutdown(_MOMENT)


def listener(handler: Any) -> Listener:
    """
    What to listen with.

    Args:
        handler: Answers each request; it is cancelled when its client leaves.
    """
    return Listener(
        handler,
        handler_cancellation=True,
        logger=logger,
        access_log=None,
        max_line_size=MAX_TARGET,
        max_field_size=MAX_FIELD,
        max_headers=MAX_HEADERS,
        # Bodies are the project's: what is compressed stays so.
        auto_decompress=False,
    )


def _refusal(error: HttpProcessingError) -> tuple[int, str]:
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET:
            return HTTPStatus.REQUEST_URI_TOO_LONG, f"The request's URL is longer than {MAX_TARGET} bytes."
        return (
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"A header of the request is longer than {MAX_FIELD} bytes.",
        )
    return HTTPStatus.BAD_REQUEST, f"This is not a valid HTTP request: {error.message.split(chr(10))[0]}"
