"""From a guest's response to bytes on the connection, and from errors to responses."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from durabox.errors import (
    DuraboxError,
    HostClosedError,
    InvalidObjectIdError,
    JavaScriptError,
    StorageError,
    UnknownObjectClassError,
)
from durabox.objects.messages import BodyStream, Response

logger = logging.getLogger("durabox.server")

#: Headers that belong to one connection, and those that this side computes.
_OWN: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
    }
)
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE: Final = re.compile(r"[\0\r\n]")
_BODILESS: Final = frozenset({204, 205, 304})


class _Whole(web.Response):
    """A response with exactly the headers it was given, plus Content-Length and Date."""

    async def _prepare_headers(self) -> None:
        unwanted = _unwanted(self._headers)
        await super()._prepare_headers()
        for name in unwanted:
            self._headers.pop(name, None)


class _Streamed(web.StreamResponse):
    """The same for a body in pieces."""

    async def _prepare_headers(self) -> None:
        unwanted = _unwanted(self._headers)
        await super()._prepare_headers()
        for name in unwanted:
            self._headers.pop(name, None)


def _unwanted(headers: CIMultiDict[str]) -> list[str]:
    """Headers that aiohttp adds and the guest did not set."""
    return [name for name in (hdrs.CONTENT_TYPE, hdrs.SERVER) if name not in headers]


def _headers(response: Response) -> tuple[CIMultiDict[str], int | None]:
    """The headers to send, and the body's length if the guest declared one."""
    headers: CIMultiDict[str] = CIMultiDict()
    declared = None
    flat = response.headers
    for position in range(0, len(flat), 2):
        name, value = flat[position], flat[position + 1]
        lower = name.lower()
        if lower in _OWN:
            if lower == "content-length" and value.isascii() and value.isdigit() and len(value) < 19:
                declared = int(value)
            continue
        if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
            raise JavaScriptError("TypeError", f"The response has an invalid header: {name[:100]!r}.")
        headers.add(name, value)
    return headers, declared


async def send(request: web.BaseRequest, response: Response) -> web.StreamResponse:
    """
    Send a guest's response.

    Args:
        request: What it answers.
        response: A stream body is read to its end, or cancelled when the client leaves.
    Raises:
        JavaScriptError: It cannot be sent as it is; nothing was sent.
    """
    body = response.body
    if not 200 <= response.status <= 599:
        await _drop(body)
        raise JavaScriptError("RangeError", f"A response of status {response.status} cannot be sent.")
    try:
        headers, declared = _headers(response)
    except JavaScriptError:
        await _drop(body)
        raise
    reason = response.reason if _is_reason(response.reason) else None
    if response.status in _BODILESS or request.method == hdrs.METH_HEAD:
        length = len(body) if isinstance(body, bytes) else declared
        await _drop(body)
        if length is not None and response.status not in _BODILESS:
            headers[hdrs.CONTENT_LENGTH] = str(length)
        return _Whole(status=response.status, reason=reason, headers=headers)
    if body is None or isinstance(body, bytes):
        return _Whole(status=response.status, reason=reason, headers=headers, body=body)
    return await _stream(
        request, _Streamed(status=response.status, reason=reason, headers=headers), body, declared
    )


def _is_reason(text: str) -> bool:
    return bool(text) and text.isprintable() and text.isascii()


async def _drop(body: bytes | BodyStream | None) -> None:
    if body is not None and not isinstance(body, bytes):
        await body.cancel("The body is not needed.")


async def _stream(
    request: web.BaseRequest, answer: web.StreamResponse, body: BodyStream, declared: int | None
) -> web.StreamResponse:
    if declared is not None:
        answer.content_length = declared
    left = declared
    over = False
    try:
        await answer.prepare(request)
        while True:
            chunk = await body.read()
            if not chunk:
                over = True
                break
            if left is not None:
                left -= len(chunk)
                if left < 0:
                    raise JavaScriptError("TypeError", "The body is longer than its Content-Length.")
            await answer.write(chunk)
        if left:
            raise JavaScriptError("TypeError", "The body is shorter than its Content-Length.")
        await answer.write_eof()
    except DuraboxError as error:
        # The status has left already: closing the connection is the only way to say that this is not the whole body.
        over = True
        logger.error("response body: %s", error)
        if request.transport is not None:
            request.transport.abort()
    finally:
        if not over:
            await body.cancel("The client disconnected.")
    return answer


def plain(status: int, text: str) -> web.Response:
    """A response of our own."""
    return _Whole(status=status, text=text + "\n", headers={"X-Content-Type-Options": "nosniff"})


def failure(error: DuraboxError, *, dev: bool) -> web.Response:
    """
    What a client is told about an error.

    Args:
        error: What happened.
        dev: Whether the JavaScript stack may be told.
    """
    match error:
        case UnknownObjectClassError():
            return plain(HTTPStatus.NOT_FOUND, str(error))
        case InvalidObjectIdError():
            return plain(HTTPStatus.BAD_REQUEST, str(error))
        case HostClosedError():
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, "The server is shutting down.")
        case JavaScriptError():
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR, error.trace if dev else str(error))
        case StorageError() if not dev:
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR, "The object's storage failed.")
        case _:
            return plain(
                HTTPStatus.INTERNAL_SERVER_ERROR, str(error) if dev else "An internal error occurred."
            )
