"""What a guest does with other servers: `fetch` and `caches`."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from durabox.errors import DuraboxError, GuestProtocolError, NetworkError
from durabox.objects.coding import coded, coding_of, sent_as
from durabox.objects.messages import Request, Response
from durabox.objects.outbound import SizedBody, exchange

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps

logger = logging.getLogger("durabox.objects")

_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE: Final = re.compile(r"[\0\r\n]")
_URL: Final = re.compile(r"https?://[\x21-\x7e]+")

_ABANDONED: Final = NetworkError("The operation was aborted", name="AbortError", retryable=False)


class NetworkOps:
    """
    One isolate's requests to other servers. They leave through the output gate.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_gate", "_operations", "_streams")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._operations = ops.operations
        self._streams = ops.streams

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
        if self._operations.under_way(operation):
            raise GuestProtocolError(f"fetch {operation} is under way already")
        size = len(body) + len(url) + sum(map(len, headers))
        self._operations.check_room()
        self._gate.check_sent(size)
        gate = self._operations.caused().take()
        content = self._streams.body(kind, handle, body, section)
        if content is not None and not isinstance(content, bytes) and length >= 0:
            content = SizedBody(content, length)
        request = Request(method, url, headers, content)
        counted = self._operations.start(operation, section)

        async def run() -> None:
            try:
                async with gate:
                    response = await exchange(self._actor.router.network, request)
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
                self._gate.sent_bytes -= size
                self._operations.answered(operation, counted, url, response)

        def send() -> None:
            if operation not in self._operations.fetches:
                # Not among the actor's tasks: a server that never answers must not keep an object in memory for good.
                self._operations.fetches[operation] = self._actor.loop.create_task(run())
            else:
                self._over(operation, counted, size, request, _ABANDONED)

        self._gate.sent_bytes += size
        self._gate.let_out(send)

    def _over(self, operation: int, counted: int, size: int, request: Request, error: DuraboxError) -> None:
        self._gate.sent_bytes -= size
        body = request.body
        if body is not None and not isinstance(body, bytes):
            self._actor.loop.create_task(body.cancel(str(error)))
        self._operations.complete(operation, counted, error)

    def op_cache_match(
        self, cache: str | None, url: str, headers: list[str], body: bytes
    ) -> list[Any] | None:
        """cache.match()."""
        if len(headers) % 2:
            raise GuestProtocolError("a malformed list of headers")
        self._operations.check_room()
        found = self._actor.router.caches.match(cache, url, headers)
        if found is None:
            return None
        kind, handle, raw = self._streams.give(coded(found.headers, found.body))
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
        self._operations.check_room()
        self._gate.check_sent(size)
        content = self._streams.body(kind, handle, body, section)
        if content is not None:
            # Kept as it would be sent.
            content = sent_as(content, coding_of(headers))
        response = Response(status, reason, headers, content)
        counted = self._actor.core.async_started(section)

        async def run() -> None:
            error: DuraboxError | None = None
            try:
                await self._actor.router.caches.put(cache, url, response)
            except DuraboxError as failure:
                error = failure
            finally:
                self._gate.sent_bytes -= size
            self._operations.complete(operation, counted, error)

        self._gate.sent_bytes += size
        self._gate.let_out(lambda: self._actor.spawn(self._actor.loop.create_task(run())))

    def op_cache_delete(self, cache: str | None, url: str, body: bytes) -> bool:
        """cache.delete()."""
        return self._actor.router.caches.delete(cache, url)
