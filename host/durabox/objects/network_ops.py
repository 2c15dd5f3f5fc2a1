"""What a guest does with other servers: `fetch`, giving up on one, and `caches`."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from durabox.engine.ops import OpHandlers
from durabox.errors import DuraboxError, GuestProtocolError, NetworkError
from durabox.objects.coding import coded, coding_of, sent_as
from durabox.objects.messages import BodyStream, Request, Response
from durabox.objects.outbound import SizedBody, Subrequests, exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from durabox.limits import Limits
    from durabox.objects.actor import Actor

logger = logging.getLogger("durabox.objects")

_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE: Final = re.compile(r"[\0\r\n]")
_URL: Final = re.compile(r"https?://[\x21-\x7e]+")

_ABANDONED: Final = NetworkError("The operation was aborted", name="AbortError", retryable=False)


class NetworkOps(OpHandlers):
    """The part of `ops.ActorOps` that is about other servers. Requests leave through the output gate."""

    actor: Actor
    _limits: Limits
    # Of `ops.ActorOps`.
    let_out: Callable[..., None]
    add_stream: Callable[[BodyStream], int]
    _check_room: Callable[[], None]
    _check_sent: Callable[[int], None]
    _body: Callable[..., bytes | BodyStream | None]
    _complete: Callable[..., None]
    _received: Callable[[int, int, str, Response], None]
    _causes: dict[int, Subrequests]
    _sent_bytes: int
    #: The account of the event that runs; None until it is asked for.
    cause: Subrequests | None = None

    def __init__(self) -> None:
        #: Fetches by async id: tasks of ours, or the object that was asked and the number of the request there; ``None`` for
        #: those that were given up while they waited at the output gate.
        self._fetches: dict[int, asyncio.Task[None] | tuple[Actor, int] | None] = {}

    def caused(self) -> Subrequests:
        """The account of the event that runs, for what goes on with it later."""
        cause = self.cause
        if cause is None:
            cause = self.cause = Subrequests(self._limits.subrequests)
        return cause

    def op_fetch(
        self,
        operation: int,
        section: int,
        method: str,
        url: str,
        headers: list[str],
        kind: int,
        handle: int,
        length: int,
        body: bytes,
    ) -> None:
        """fetch(), one hop."""
        if not (_METHOD.fullmatch(method) and _URL.fullmatch(url)) or len(headers) % 2:
            raise GuestProtocolError("a request with a malformed method, URL or list of headers")
        for at in range(0, len(headers), 2):
            if not _NAME.fullmatch(headers[at]) or _BAD_VALUE.search(headers[at + 1]):
                raise GuestProtocolError("a request with a malformed header")
        if operation in self._causes:
            raise GuestProtocolError(f"fetch {operation} is under way already")
        size = len(body) + len(url) + sum(map(len, headers))
        self._check_sent(size)
        gate = self.caused().take()
        content = self._body(kind, handle, body, section)
        if content is not None and not isinstance(content, bytes) and length >= 0:
            content = SizedBody(content, length)
        request = Request(method, url, headers, content)
        counted = self.actor.core.async_started(section)
        self._causes[operation] = self.caused()

        async def run() -> None:
            try:
                async with gate:
                    response = await exchange(self.actor.router.network, request)
                response = replace(response, body=coded(response.headers, response.body))
            except asyncio.CancelledError:
                self._over(operation, counted, size, request, _ABANDONED)
            except DuraboxError as error:
                self._over(operation, counted, size, request, error)
            except Exception:
                # A network that somebody else has written: its bugs are the host's, not the guest's.
                logger.exception("%s %s failed", method, url)
                self._over(operation, counted, size, request, NetworkError())
            else:
                self._sent_bytes -= size
                self._received(operation, counted, url, response)

        def send() -> None:
            if operation not in self._fetches:
                # Not among the actor's tasks: a server that never answers must not keep an object in memory for good.
                self._fetches[operation] = self.actor.loop.create_task(run())
            else:
                self._over(operation, counted, size, request, _ABANDONED)

        self._sent_bytes += size
        self.let_out(send)

    def _over(self, operation: int, counted: int, size: int, request: Request, error: DuraboxError) -> None:
        self._sent_bytes -= size
        body = request.body
        if body is not None and not isinstance(body, bytes):
            self.actor.loop.create_task(body.cancel(str(error)))
        self._complete(operation, counted, error)

    def op_abandon(self, operation: int, body: bytes) -> None:
        """The guest gave up, or the client has whose request it passed on."""
        fetch = self._fetches.get(operation)
        if isinstance(fetch, asyncio.Task):
            fetch.cancel()
        elif isinstance(fetch, tuple):
            fetch[0].abort_request(fetch[1])
        elif operation in self._causes:
            self._fetches[operation] = None

    def op_cache_match(
        self, cache: str | None, url: str, headers: list[str], body: bytes
    ) -> list[Any] | None:
        """cache.match()."""
        if len(headers) % 2:
            raise GuestProtocolError("a malformed list of headers")
        self._check_room()
        found = self.actor.router.caches.match(cache, url, headers)
        if found is None:
            return None
        content = coded(found.headers, found.body)
        if content is None or isinstance(content, bytes):
            kind, handle, raw = (0 if content is None else 1), 0, content or b""
        else:
            kind, handle, raw = 2, self.add_stream(content), b""
        return [found.status, found.reason, found.headers, kind, handle, raw]

    def op_cache_put(
        self,
        operation: int,
        section: int,
        cache: str | None,
        url: str,
        status: int,
        reason: str,
        headers: list[str],
        kind: int,
        handle: int,
        body: bytes,
    ) -> None:
        """cache.put(): leaves through the output gate; a stream is read by the host."""
        if not 200 <= status <= 599 or len(headers) % 2:
            raise GuestProtocolError(
                f"an answer to keep with status {status} and {len(headers)} header items"
            )
        size = len(body) + len(url) + sum(map(len, headers))
        self._check_sent(size)
        content = self._body(kind, handle, body, section)
        if content is not None:
            # Kept as it would be sent.
            content = sent_as(content, coding_of(headers))
        response = Response(status, reason, headers, content)
        counted = self.actor.core.async_started(section)

        async def run() -> None:
            error: DuraboxError | None = None
            try:
                await self.actor.router.caches.put(cache, url, response)
            except DuraboxError as failure:
                error = failure
            finally:
                self._sent_bytes -= size
            self._complete(operation, counted, error)

        self._sent_bytes += size
        self.let_out(lambda: self.actor.spawn(self.actor.loop.create_task(run())))

    def op_cache_delete(self, cache: str | None, url: str, body: bytes) -> bool:
        """cache.delete()."""
        return self.actor.router.caches.delete(cache, url)

    def _stop_fetches(self) -> None:
        """The isolate ends."""
        fetches = list(self._fetches.values())
        self._fetches.clear()
        for fetch in fetches:
            if isinstance(fetch, asyncio.Task):
                fetch.cancel()
