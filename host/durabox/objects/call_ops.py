"""Requests and RPC calls from one isolate to another: they leave through the output gate and come back as ``complete``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durabox.engine.protocol import Address
from durabox.errors import (
    DuraboxError,
    FacetEndedError,
    GuestProtocolError,
    JavaScriptError,
    ObjectBrokenError,
)
from durabox.objects.capabilities import Capability, Chain, Result, Stub, Target, cycle
from durabox.objects.messages import Request, Response

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.ops import ActorOps

#: A call into an object from the work of its own critical section, which waits for that call.
WAITS_FOR_ITSELF = (
    "This call would wait for itself, since an object in blockConcurrencyWhile() or a transaction takes no other calls "
    "until that has ended"
)


class _Sent:
    """
    A request or call that is under way to another isolate. Gets the result as `Reply`.

    Args:
        calls: The caller's.
        operation: What the caller knows it by.
        counted: The section whose async work it is.
        size: Its bytes, which stay until it is answered.
    """

    __slots__ = ("calls", "counted", "operation", "size")

    def __init__(self, calls: CallOps, operation: int, counted: int, size: int) -> None:
        self.calls = calls
        self.operation = operation
        self.counted = counted
        self.size = size

    def done(self) -> bool:
        """Always waited for."""
        return False

    def set_exception(self, exception: DuraboxError, remote: bool = True) -> None:
        """It failed; see `to_wire`. That a facet was ended is an error of this side."""
        remote = remote and not isinstance(exception, FacetEndedError)
        self.calls.failed(self.operation, self.counted, self.size, exception, remote)


class _SentRequest(_Sent):
    """
    A request.

    Args:
        url: Where to.
    """

    __slots__ = ("url",)

    def __init__(self, calls: CallOps, operation: int, counted: int, size: int, url: str) -> None:
        super().__init__(calls, operation, counted, size)
        self.url = url

    def set_result(self, response: Response) -> None:
        """It was answered."""
        self.calls.fetched(self.operation, self.counted, self.size, self.url, response)


class _SentCall(_Sent):
    """A call."""

    __slots__ = ()

    def set_exception(self, exception: DuraboxError, remote: bool = True) -> None:
        """It failed; that the object broke is no error of the method's."""
        super().set_exception(exception, remote and not isinstance(exception, ObjectBrokenError))

    def set_result(self, result: Result) -> None:
        """It returned."""
        self.calls.returned(self.operation, self.counted, self.size, result)


class CallOps:
    """
    What one isolate sends to others.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_gate", "_operations", "_ops", "_sections", "_stubs")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._operations = ops.operations
        self._ops = ops
        self._sections = ops.sections
        self._stubs = ops.stubs

    def op_stub_fetch(
        self,
        operation: int,
        section: int,
        to: Address,
        method: str,
        url: str,
        headers: list[str],
        body_kind: int,
        handle: int,
        body: bytes,
    ) -> None:
        """stub.fetch(): leaves through the output gate."""
        if len(headers) % 2:
            raise GuestProtocolError(f"a request with {len(headers)} header items")
        size = len(body) + len(url) + sum(map(len, headers))
        self._check(size, to)
        # When the op fails, the stub is not declared: the guest will do that again.
        content = self._ops.streams.body(body_kind, handle, body, section)
        request = Request(method, url, headers, content)
        target = self._target(to)
        if not isinstance(target, Stub):
            raise GuestProtocolError(f"target {to[1]} of kind {to[0]} has no fetch")
        counted = self._operations.start(operation, section)
        reply = _SentRequest(self, operation, counted, size, url)
        chain = self._sections.chain(section) if section else ()
        fetches = self._operations.fetches

        def start(actor: Actor) -> None:
            request_number = actor.incoming.start_fetch(request, reply, target.entry, chain)
            if operation in fetches:
                actor.incoming.abort_request(request_number)
            fetches[operation] = actor, request_number

        self._send(target, reply, start, chain)

    def op_stub_call(
        self,
        operation: int,
        section: int,
        to: Address,
        path: list[str],
        is_call: bool,
        lent: list[int],
        body: bytes,
    ) -> None:
        """An RPC call, or the reading of a property: leaves through the output gate."""
        size = len(body)
        self._check(size, to)
        items = self._ops.lending.take(lent, section) if lent else []
        target = self._target(to)
        counted = self._operations.start(operation, section)
        reply = _SentCall(self, operation, counted, size)
        chain = self._sections.chain(section) if section else ()

        def start(actor: Actor) -> None:
            actor.incoming.start_call(target, path, is_call, body, items, reply, chain)

        self._send(target, reply, start, chain)

    def op_release(self, handle: int, body: bytes) -> None:
        """The guest disposed of a stub that it had been lent."""
        self._ops.lending.release(handle)

    def op_revoke(self, export: int, body: bytes) -> None:
        """What the guest has lent has ended."""
        self._ops.lending.revoke(export)

    def op_lend_self(self, export: int, body: bytes) -> int:
        """The guest made a stub of something of its own."""
        lending = self._ops.lending
        return lending.give(lending.take([0, export], 0))[1]

    def fetched(self, operation: int, counted: int, size: int, url: str, response: Response) -> None:
        """A request was answered."""
        self._gate.sent_bytes -= size
        self._operations.answered(operation, counted, url, response)

    def returned(self, operation: int, counted: int, size: int, result: Result) -> None:
        """A call returned."""
        self._gate.sent_bytes -= size
        if self._actor.error is not None:
            return
        value, items = result
        self._operations.complete(
            operation, counted, None, self._ops.lending.give(items) if items else [], value
        )

    def failed(self, operation: int, counted: int, size: int, error: DuraboxError, remote: bool) -> None:
        """A request or call came to nothing."""
        self._gate.sent_bytes -= size
        self._operations.complete(operation, counted, error, remote=remote)

    def _check(self, size: int, to: Address) -> None:
        """Refuse one more call (and its stub), or one with that many bytes, while too much waits for an answer."""
        self._stubs.drop(to[5])
        self._operations.check_room(1 if to[2] is None else 2)
        self._gate.check_sent(size)

    def _target(self, to: Address) -> Target:
        """Whom a call goes to; with a namespace, a stub that it declares."""
        kind, number, namespace, object_id, name, _ = to
        if namespace is not None:
            return self._stubs.declare(number, namespace, object_id, name)
        if kind == 0 and (stub := self._stubs.find(number)) is not None:
            return stub
        return self._ops.lending.target(kind, number)

    def _send(self, target: Target, sent: _Sent, start: Callable[[Actor], None], chain: Chain) -> None:
        """Start a call on its target when outputs may leave."""
        # What was lent from within a critical section may be called there.
        admitted = isinstance(target, Capability) and target.section > 0

        def send() -> None:
            error: DuraboxError | None
            try:
                actor = target.connect(self._actor.router)
                error = actor.error
                if chain and error is None and not admitted and (way := cycle(chain, actor)):
                    error = JavaScriptError("Error", f"{WAITS_FOR_ITSELF}: {way}.")
            except DuraboxError as refusal:
                error = refusal
            if error is None:
                start(actor)
            else:
                sent.set_exception(error, remote=False)

        self._gate.sent_bytes += sent.size
        self._gate.let_out(send)
