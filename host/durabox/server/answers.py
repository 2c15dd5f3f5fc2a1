"""From a guest's response to bytes on the connection, and from errors to responses."""

from __future__ import annotations

import logging
import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as OwnResponse
from aiohttp.web_response import StreamResponse
from multidict import CIMultiDict

from durabox.errors import (
    DuraboxError,
    HostClosedError,
    InvalidObjectIdError,
    JavaScriptError,
    StorageError,
    UnknownObjectClassError,
)
from durabox.objects.coding import CodedBody, coding_of, sent_as
from durabox.objects.messages import OF_CONNECTION, BodyStream, Response

logger = logging.getLogger("durabox.server")

#: A body of up to this many bytes is sent together with its head.
_JOINED: Final = 64 * 1024
#: Headers that belong to one connection, and those that this side computes.
_OWN: Final = OF_CONNECTION | {"content-length", "content-encoding"}
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE: Final = re.compile(r"[\0\r\n]")
_BODILESS: Final = frozenset({204, 205, 304})


class _Date:
    """The ``Date`` of now; formatted once a second."""

    second = 0
    text = ""

    @classmethod
    def now(cls) -> str:
        second = int(time.time())
        if second != cls.second:
            cls.second, cls.text = second, formatdate(second, usegmt=True)
        return cls.text


class _Whole(StreamResponse):
    """
    A guest's answer whose body is at hand.

    It makes its head itself, in one step: aiohttp's own response allows for much that it never is.

    Args:
        status: HTTP status.
        reason: Status text, ``None`` for the usual one.
        flat: All its headers but ``Connection``: name, value, name, value, …
        body: What follows the head.
    """

    def __init__(self, status: int, reason: str | None, flat: list[str], body: bytes) -> None:
        super().__init__(status=status, reason=reason)
        self._flat = flat
        self._whole = body
        self._lasting: bool | None = None
        self._writer: AbstractStreamWriter | None = None
        self._head = b""

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays."""
        return self._lasting

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Make the head; `write_eof` sends it."""
        flat = self._flat
        major, minor = request.version
        lasting = self._lasting = request.keep_alive
        if lasting == (minor == 0):
            flat += "Connection", "keep-alive" if lasting else "close"
        lines = "".join([f"{flat[at]}: {flat[at + 1]}\r\n" for at in range(0, len(flat), 2)])
        self._head = f"HTTP/{major}.{minor} {self.status} {self.reason}\r\n{lines}\r\n".encode()
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if len(self._whole) <= _JOINED:
            await writer.write_eof(self._head + self._whole)
        else:
            await writer.write(self._head)
            await writer.write_eof(self._whole)


class _Plain(OwnResponse):
    """A response of our own, with exactly the headers it was given, plus Content-Length and Date."""

    async def _prepare_headers(self) -> None:
        unwanted = _unwanted(self._headers)
        await super()._prepare_headers()
        for name in unwanted:
            self._headers.pop(name, None)


class _Streamed(StreamResponse):
    """The same for a body in pieces."""

    async def _prepare_headers(self) -> None:
        unwanted = _unwanted(self._headers)
        await super()._prepare_headers()
        for name in unwanted:
            self._headers.pop(name, None)


def _unwanted(headers: CIMultiDict[str]) -> list[str]:
    """Headers that aiohttp adds and the guest did not set."""
    return [name for name in (hdrs.CONTENT_TYPE, hdrs.SERVER) if name not in headers]


@lru_cache(1024)
def _named(name: str) -> str:
    """A header's name in lower case, ``""`` for what is none."""
    return name.lower() if _NAME.fullmatch(name) else ""


def _headers(response: Response) -> tuple[list[str], int | None, bool, str | None]:
    """The headers to send (flat), the body's length if the guest declared one, whether there is a Date, and the body's coding."""
    headers: list[str] = []
    declared = None
    dated = False
    coding = None
    flat = response.headers
    for position in range(0, len(flat), 2):
        name, value = flat[position], flat[position + 1]
        lower = _named(name)
        if lower in _OWN:
            if lower == "content-length" and value.isascii() and value.isdigit() and len(value) < 19:
                declared = int(value)
            if lower != "content-encoding":
                continue
            coding = coding_of([name, value])
        if not lower or (not value.isprintable() and _BAD_VALUE.search(value)):
            raise JavaScriptError("TypeError", f"The response has an invalid header: {name[:100]!r}.")
        if lower == "date":
            dated = True
        headers += name, value
    return headers, declared, dated, coding


async def send(request: BaseRequest, response: Response) -> StreamResponse:
    """
    Send a guest's response.

    Args:
        request: What it answers.
        response: A stream body is read to its end, or cancelled when the client leaves.
    Raises:
        JavaScriptError: It cannot be sent as it is; nothing was sent.
    """
    if response.socket is not None:
        from durabox.server.websockets import upgrade

        return await upgrade(request, response)
    body = response.body
    if not 200 <= response.status <= 599:
        await _drop(body)
        raise JavaScriptError("RangeError", f"A response of status {response.status} cannot be sent.")
    try:
        headers, declared, dated, coding = _headers(response)
    except JavaScriptError:
        await _drop(body)
        raise
    status = response.status
    reason = response.reason if _is_reason(response.reason) else None
    bodiless = status in _BODILESS or request.method == hdrs.METH_HEAD
    if body is not None and (coding is not None or isinstance(body, CodedBody)) and not bodiless:
        body = sent_as(body, coding)
        # What the headers say is the length before, or after, the coding.
        declared = getattr(body, "length", None)
    if not bodiless and not isinstance(body, bytes | None):
        pairs = CIMultiDict(zip(headers[::2], headers[1::2], strict=True))
        return await _stream(request, _Streamed(status=status, reason=reason, headers=pairs), body, declared)
    content = body if isinstance(body, bytes) else b""
    length: int | None = len(content)
    if not dated:
        headers += "Date", _Date.now()
    if bodiless:
        await _drop(body)
        content = b""
        if not isinstance(body, bytes):
            length = declared
        if status in _BODILESS:
            length = 0 if status == HTTPStatus.RESET_CONTENT else None
    if length is not None:
        headers += "Content-Length", str(length)
    return _Whole(status, reason, headers, content)


def _is_reason(text: str) -> bool:
    return bool(text) and text.isprintable() and text.isascii()


async def _drop(body: bytes | BodyStream | None) -> None:
    if body is not None and not isinstance(body, bytes):
        await body.cancel("The body is not needed.")


async def _stream(
    request: BaseRequest, answer: StreamResponse, body: BodyStream, declared: int | None
) -> StreamResponse:
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


def plain(status: int, text: str) -> OwnResponse:
    """A response of our own."""
    return _Plain(status=status, text=text + "\n", headers={"X-Content-Type-Options": "nosniff"})


def failure(error: DuraboxError, *, dev: bool) -> OwnResponse:
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
