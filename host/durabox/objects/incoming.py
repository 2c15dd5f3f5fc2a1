"""Requests and calls that came to an isolate, from their event to their answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from durabox.engine.protocol import EVENT
from durabox.errors import GuestProtocolError, JavaScriptError, ObjectBrokenError
from durabox.objects.capabilities import Capability, Chain, Entry, Item, Result, Target
from durabox.objects.coding import coded
from durabox.objects.guest_errors import WireError, from_wire
from durabox.objects.messages import Request, Response
from durabox.objects.work import Reply, Work
from durabox.wire import decode

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps

_FETCH = EVENT["fetch"]
_CALL = EVENT["call"]
_FETCH_ABORT = EVENT["fetch_abort"]
_ASK = EVENT["ask"]

#: Kinds of a response's body that are sockets.
_OWN_SOCKET = 4
#: Kinds of a response's body that is in its coding already.
_CODED = 6
_CODED_STREAM = 7


class Incoming:
    """
    One isolate's: who waits for what, and the ops that answer.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_calls", "_gate", "_next", "_ops", "_requests", "_sections", "_streams")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._ops = ops
        self._sections = ops.sections
        self._streams = ops.streams
        self._requests: dict[int, Reply[Response]] = {}
        self._calls: dict[int, Reply[Result]] = {}
        self._next = 1

    def __len__(self) -> int:
        """How many wait for an answer."""
        return len(self._requests) + len(self._calls)

    def number(self) -> int:
        """A number for something that is asked of the guest."""
        number = self._next
        self._next = number + 1
        return number

    async def fetch(self, request: Request, entry: Entry | None = None) -> Response:
        """
        Run the fetch handler.

        Args:
            request: What the guest gets; a stream body is handed over as a handle.
            entry: Which entrypoint of a Worker; ``None`` for the default export.
        Returns:
            The response; a stream body is read from the guest as the caller reads it.
        Raises:
            JavaScriptError: The handler threw.
            ObjectBrokenError: The object is broken or broke meanwhile.

        Cancelling it aborts ``request.signal`` in the guest.
        """
        future: asyncio.Future[Response] = self._actor.loop.create_future()
        number = self.start_fetch(request, future, entry)
        try:
            return await future
        except asyncio.CancelledError:
            if self._requests.pop(number, None) is not None:
                if self._actor.error is None:
                    self._actor.submit(Work(_FETCH_ABORT, [number]))
            elif not future.cancelled() and future.exception() is None:
                # It was answered in the same moment.
                body = future.result().body
                if body is not None and not isinstance(body, bytes):
                    self._actor.loop.create_task(body.cancel("The client disconnected."))
            raise

    def start_fetch(
        self, request: Request, reply: Reply[Response], entry: Entry | None = None, chain: Chain = ()
    ) -> int:
        """
        Like `fetch`, queued before it returns, so that calls keep their order.

        Args:
            request: See `fetch`.
            reply: Gets the response.
            entry: See `fetch`.
            chain: How the request came about.
        Returns:
            The request's number.
        """
        number = self.number()
        kind, handle, raw = self._streams.give(request.body)
        self._requests[number] = reply
        self._actor.submit(
            Work(
                _FETCH,
                [
                    number,
                    request.method,
                    request.url,
                    request.headers,
                    kind,
                    handle,
                    entry,
                    self._sections.origin(number, chain),
                ],
                raw,
            )
        )
        return number

    def abort_request(self, number: int) -> None:
        """Whoever made that request does not want its answer any more: its signal aborts in the guest."""
        if number in self._requests and self._actor.error is None:
            self._actor.submit(Work(_FETCH_ABORT, [number]))

    def start_call(
        self,
        target: Target,
        path: list[str],
        is_call: bool,
        arguments: bytes,
        items: list[Item],
        reply: Reply[Result],
        chain: Chain = (),
    ) -> None:
        """
        Queue an RPC call.

        Args:
            target: Its stub or capability, which leads to this actor.
            path: Names to follow from there.
            is_call: Whether what is there is called; otherwise it is read.
            arguments: V8-serialized array.
            items: What goes with them.
            reply: Gets the V8-serialized result with what goes with it.
            chain: How the call came about.
        """
        number = self.number()
        self._calls[number] = reply
        export, section, entry = (
            (target.export, target.section, None) if isinstance(target, Capability) else (0, 0, target.entry)
        )
        lent = self._ops.lending.give(items) if items else []
        origin = self._sections.origin(number, chain)
        self._actor.submit(
            Work(_CALL, [number, entry, export, path, is_call, lent, origin], arguments), section
        )

    async def ask(self, method: str, arguments: tuple[object, ...]) -> Any:
        """
        Call a method of the object's class.

        Args:
            method: Its name.
            arguments: Plain data.
        Returns:
            Its result, as plain data.
        Raises:
            JavaScriptError: It threw, or its result is not plain.
            ObjectBrokenError: The object is broken or broke meanwhile.
        """
        number = self.number()
        future: asyncio.Future[Result] = self._actor.loop.create_future()
        self._calls[number] = future
        self._actor.submit(Work(_ASK, [number, [method], arguments]))
        return decode((await future)[0])

    def op_respond(
        self,
        request: int,
        status: int,
        reason: str,
        headers: list[str],
        kind: int,
        handle: int,
        body: bytes,
    ) -> None:
        """A fetch handler's response."""
        if not 100 <= status <= 599 or len(headers) % 2:
            raise GuestProtocolError(f"response with status {status} and {len(headers)} header items")
        if kind < _OWN_SOCKET:
            response = Response(status, reason, headers, self._streams.body(kind, handle, body))
        elif kind in (_CODED, _CODED_STREAM):
            content = self._streams.body(1 if kind == _CODED else 3, handle, body)
            response = Response(status, reason, headers, coded(headers, content))
        else:
            sockets = self._ops.sockets.table
            half = sockets.open(handle) if kind == _OWN_SOCKET else sockets.hand_on(handle)
            response = Response(status, reason, headers, socket=half)
        self._gate.let_out(lambda: self._answer(request, response), len(body) + sum(map(len, headers)))

    def _answer(self, request: int, response: Response) -> None:
        actor = self._actor
        actor.last_used = actor.clock.now()
        self._sections.answered(request)
        future = self._requests.pop(request, None)
        if future is not None and not future.done():
            future.set_result(response)
        else:
            self._streams.drop(response)

    def op_fail(self, request: int, error: WireError, body: bytes) -> None:
        """A handler threw."""
        if error[1] == "null" and self._actor.memory_exhausted:
            # What the engine throws when there is not even room for the error that says so.
            error = ("InternalError", "out of memory", "", {})
        failure = from_wire(error, bytes(body))
        self._ops.log("error", f"Uncaught {failure.trace}")
        self._gate.let_out(
            lambda: self._fail(request, failure), len(failure.message) + len(failure.stack) + len(body)
        )

    def _fail(self, request: int, failure: JavaScriptError) -> None:
        self._sections.answered(request)
        waiting: Reply[Any] | None = self._requests.pop(request, None)
        if waiting is None:
            waiting = self._calls.pop(request, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(failure)

    def op_returned(self, request: int, lent: list[int], body: bytes) -> None:
        """An RPC method's result."""
        result = bytes(body), self._ops.lending.take(lent, 0) if lent else []

        def answer() -> None:
            self._sections.answered(request)
            future = self._calls.pop(request, None)
            if future is not None and not future.done():
                future.set_result(result)

        self._gate.let_out(answer, len(result))

    def fail_all(self, error: ObjectBrokenError) -> None:
        """There will be no answers any more."""
        waiting: list[Reply[Any]] = [*self._requests.values(), *self._calls.values()]
        self._requests.clear()
        self._calls.clear()
        for reply in waiting:
            if not reply.done():
                reply.set_exception(error)
