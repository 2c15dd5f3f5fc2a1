"""What a guest of `objects/` may ask of the host: answers, timers, stubs, streams, critical sections.

Every method is one row of `engine.protocol.OPS` and runs inside a turn, on the guest's fiber: shallow, synchronous,
its arguments checked as hostile. What must not be seen before the commit goes to ``outputs``; the actor lets it go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durabox.console import Console
from durabox.engine.ops import EndIsolate, GuestError
from durabox.engine.platform_ops import LongWork
from durabox.engine.protocol import EVENT
from durabox.engine.text import decode_text
from durabox.engine.webcrypto import CryptoRequest
from durabox.errors import (
    DuraboxError,
    GuestProtocolError,
    InvalidObjectIdError,
    JavaScriptError,
    LimitExceededError,
    NetworkError,
    ObjectBrokenError,
)
from durabox.limits import Limits
from durabox.objects.capabilities import (
    LONGEST_CHAIN,
    Capability,
    Chain,
    Lending,
    Result,
    Stub,
    Target,
    cycle,
)
from durabox.objects.coding import coded
from durabox.objects.core import Failure
from durabox.objects.messages import BodyStream, Request, Response
from durabox.objects.network_ops import NetworkOps
from durabox.objects.outbound import Subrequests
from durabox.objects.socket_ops import SocketOps
from durabox.objects.work import Reply, Work

if TYPE_CHECKING:
    from durabox.objects.actor import Actor

logger = logging.getLogger("durabox.objects")

_TIMER = EVENT["timer"]
_COMPLETE = EVENT["complete"]
_STREAM_PULL = EVENT["stream_pull"]
_STREAM_CANCEL = EVENT["stream_cancel"]

#: Kinds of a response's body that are sockets.
_OWN_SOCKET = 4
_GIVEN_SOCKET = 5
#: Kinds of a response's body that is in its coding already.
_CODED = 6
_CODED_STREAM = 7

#: A call into an object from the work of its own critical section, which waits for that call.
WAITS_FOR_ITSELF = (
    "This call would wait for itself, since an object in blockConcurrencyWhile() or a transaction takes no other calls "
    "until that has ended"
)

WireError = tuple[str, str, str, dict[str, Any]]


def to_wire(error: DuraboxError, remote: bool = True) -> list[object]:
    """
    How an error reaches the JavaScript that waits for the failed work.

    Args:
        error: What went wrong.
        remote: Whether it was thrown there for this work, and not repeated by a stub whose object is broken.
    """
    if isinstance(error, JavaScriptError):
        properties = {**error.properties, "remote": True} if remote else error.properties
        return [error.name, error.message, "", properties]
    if isinstance(error, NetworkError):
        return [error.name, str(error), "", {"retryable": True} if error.retryable else {}]
    return ["Error", str(error), "", {}]


def from_wire(error: WireError, value: bytes = b"") -> JavaScriptError:
    """The Python form of an error that the guest reported, with the value that was thrown."""
    name, message, stack, properties = error
    return JavaScriptError(name, message, stack, properties, value)


class GuestBody:
    """A guest's stream, read by the host: each `read` is one ``stream_pull`` event."""

    __slots__ = ("_actor", "_over", "_section", "_stream")

    def __init__(self, actor: Actor, stream: int, section: int = 0) -> None:
        self._actor = actor
        self._stream = stream
        self._section = section
        self._over = False

    async def read(self) -> bytes:
        """The next chunk, ``b""`` at the end."""
        if self._over:
            return b""
        actor = self._actor
        if actor.error is not None:
            raise actor.error
        future: asyncio.Future[bytes] = actor.loop.create_future()
        actor.pulls[self._stream] = future
        actor.submit(Work(_STREAM_PULL, [self._stream]), self._section)
        chunk = await future
        if not chunk:
            self._over = True
        return chunk

    async def cancel(self, reason: str) -> None:
        """Tell the guest that nobody reads on."""
        if self._over or self._actor.error is not None:
            return
        self._over = True
        self._actor.pulls.pop(self._stream, None)
        self._actor.submit(Work(_STREAM_CANCEL, [self._stream, reason]), self._section)


class _Sent:
    """
    A request or call that is under way to another isolate. Gets the result as `Reply`.

    Args:
        ops: The caller's.
        operation: What the caller knows it by.
        counted: The section whose async work it is.
        size: Its bytes, which stay until it is answered.
    """

    __slots__ = ("counted", "operation", "ops", "size")

    def __init__(self, ops: ActorOps, operation: int, counted: int, size: int) -> None:
        self.ops = ops
        self.operation = operation
        self.counted = counted
        self.size = size

    def done(self) -> bool:
        """Always waited for."""
        return False

    def set_exception(self, exception: DuraboxError, remote: bool = True) -> None:
        """It failed; see `to_wire`."""
        self.ops.failed(self.operation, self.counted, self.size, exception, remote)


class _SentRequest(_Sent):
    """
    A request.

    Args:
        url: Where to.
    """

    __slots__ = ("url",)

    def __init__(self, ops: ActorOps, operation: int, counted: int, size: int, url: str) -> None:
        super().__init__(ops, operation, counted, size)
        self.url = url

    def set_result(self, response: Response) -> None:
        """It was answered."""
        self.ops.fetched(self.operation, self.counted, self.size, self.url, response)


class _SentCall(_Sent):
    """A call."""

    __slots__ = ()

    def set_result(self, result: Result) -> None:
        """It returned."""
        self.ops.called(self.operation, self.counted, self.size, result)


class ActorOps(SocketOps, NetworkOps):
    """
    Ops that Worker isolates and objects share; ``outputs`` is what the current turn wants to let out.

    Args:
        actor: The Worker or object.
        limits: Those of its isolate.
    """

    def __init__(self, actor: Actor, limits: Limits) -> None:
        super().__init__()
        self.actor = actor
        #: Made with the first line; the actor begins it anew with each turn.
        self.console: Console | None = None
        self._limits = limits
        self.outputs: list[Callable[[], None]] = []
        #: Bytes of outputs that have not left; the actor resets it when they do.
        self.held_bytes = 0
        #: Bytes of calls that have not been answered.
        self._sent_bytes = 0
        self.ended: list[tuple[int, Failure | None]] = []
        self.confirmed = False
        self._timers: dict[int, tuple[asyncio.TimerHandle, int, float | None, Subrequests]] = {}
        self.stubs: dict[int, Stub] = {}
        #: How requests under way came about, by number; only those that a critical section somewhere waits for.
        self.origins: dict[int, Chain] = {}
        self._section_origins: dict[int, Chain] = {}
        self._lending: Lending | None = None
        self._long_work: LongWork | None = None
        self._streams: dict[int, BodyStream] = {}
        self._next_stream = 1
        #: The account of the event that started it, by async id.
        self._causes: dict[int, Subrequests] = {}

    def clock(self) -> float:
        """Milliseconds since the epoch, for ``Date.now()``."""
        return self.actor.clock.now()

    def add_stream(self, body: BodyStream) -> int:
        """A handle under which the guest may read a host-side body."""
        handle = self._next_stream
        self._next_stream = handle + 1
        self._streams[handle] = body
        return handle

    @property
    def lending(self) -> Lending:
        """What this isolate and others lend each other; most never do."""
        lending = self._lending
        if lending is None:
            lending = self._lending = Lending(self)
        return lending

    def take_stream(self, handle: int) -> BodyStream:
        """
        A host stream that the guest hands on.

        Raises:
            GuestError: It has none of that number, or not any more.
        """
        stream = self._streams.pop(handle, None)
        if stream is None:
            raise GuestError("TypeError", "This stream has already been read or handed on.")
        return stream

    def guest_stream(self, stream: int) -> BodyStream:
        """A guest's stream, for the host to read."""
        return GuestBody(self.actor, stream)

    def close(self, reason: str) -> None:
        """End timers and streams."""
        for timer, _, _, _ in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._stop_fetches()
        self.stubs.clear()
        if self._lending is not None:
            self._lending.close()
        if self._long_work is not None:
            self._long_work.close()
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            self.actor.loop.create_task(stream.cancel(reason))

    def _check_room(self, wanted: int = 1) -> None:
        """Refuse so much more of what occupies the host for the guest."""
        core = self.actor.core
        handles = 0 if self._lending is None else len(self._lending)
        kept = len(self.stubs) + len(self._streams) + handles
        if core.under_way + core.sections + kept + wanted > self._limits.pending:
            raise GuestError(
                "Error",
                f"Too many timers, stubs, streams and operations at once: the limit is {self._limits.pending}.",
            )

    def let_out(self, output: Callable[[], None], size: int = 0) -> None:
        """
        Queue what the turn wants to let out.

        Args:
            output: Lets it out.
            size: Bytes that stay with the host until then. A guest may have as many there as it has memory.
        """
        self.held_bytes += size
        most = self._limits.memory_mb << 20
        if self.held_bytes + self._sent_bytes > most:
            raise LimitExceededError("output", most, "bytes")
        if len(self.outputs) >= self._limits.pending:
            raise LimitExceededError("output", self._limits.pending, "count")
        self.outputs.append(output)

    def _log(self, level: str, text: str) -> None:
        if self.console is None:
            self.console = Console(self.actor.label, self._limits.log_kb)
        self.console.write(level, text)

    def _body(self, kind: int, handle: int, raw: bytes, section: int = 0) -> bytes | BodyStream | None:
        if kind == 0:
            return None
        if kind == 1:
            return raw
        if kind == 2:
            return self.take_stream(handle)
        if kind == 3:
            return GuestBody(self.actor, handle, section)
        raise GuestProtocolError(f"body kind {kind} does not exist")

    # Life

    def op_constructed(self, body: bytes) -> None:
        """The constructor returned."""

    def op_construct_failed(self, error: WireError, body: bytes) -> None:
        """The constructor threw: the object is broken."""
        self._log("error", f"Uncaught {from_wire(error).trace}")
        self.actor.core.break_with(Failure(error[0], error[1], error[2]))

    def op_log(self, level: str, text: str, body: bytes) -> None:
        """Console output."""
        self._log(level, text)

    def op_abort(self, reason: str, retry_alarm: bool, body: bytes) -> None:
        """ctx.abort(): ends the isolate here and now."""
        raise EndIsolate(
            JavaScriptError("Error", reason or "Application called abort() to reset Durable Object.")
        )

    def op_decode_text(self, label: str, fatal: bool, more: bool, body: bytes) -> str | list[str | int]:
        """TextDecoder for legacy encodings."""
        return decode_text(label, fatal, more, body)

    def op_unhandled_rejection(self, error: WireError, body: bytes) -> None:
        """A rejection that nobody handled is logged, as on the platform."""
        self._log("error", f"Uncaught (in promise) {from_wire(error).trace}")

    def start_long(self, operation: int, section: int, request: CryptoRequest) -> None:
        """crypto.subtle: what takes long."""
        self._check_room()
        counted = self.actor.core.async_started(section)

        def ended(result: bytes, error: GuestError | None) -> None:
            args: list[object] = [operation, 0, None] if error is None else [operation, 1, error.described]
            self.actor.deliver(Work(_COMPLETE, args, result, pending=counted))

        if self._long_work is None:
            self._long_work = LongWork()
        self._long_work.start(request, ended)

    # Answers

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
            response = Response(status, reason, headers, self._body(kind, handle, body))
        elif kind in (_CODED, _CODED_STREAM):
            content = self._body(1 if kind == _CODED else 3, handle, body)
            response = Response(status, reason, headers, coded(headers, content))
        else:
            sockets = self.sockets
            half = sockets.open(handle) if kind == _OWN_SOCKET else sockets.hand_on(handle)
            response = Response(status, reason, headers, socket=half)
        self.let_out(lambda: self._answer(request, response), len(body) + sum(map(len, headers)))

    def _answer(self, request: int, response: Response) -> None:
        actor = self.actor
        actor.last_used = actor.clock.now()
        self.origins.pop(request, None)
        future = actor.requests.pop(request, None)
        if future is not None and not future.done():
            future.set_result(response)
        else:
            self._drop(response)

    def _drop(self, response: Response) -> None:
        """Nobody wants that answer."""
        if response.socket is not None:
            response.socket.lose()
        elif response.body is not None and not isinstance(response.body, bytes):
            self.actor.loop.create_task(response.body.cancel("The client disconnected."))

    def op_fail(self, request: int, error: WireError, body: bytes) -> None:
        """A handler threw."""
        if error[1] == "null" and self.actor.memory_exhausted:
            # What the engine throws when there is not even room for the error that says so.
            error = ("InternalError", "out of memory", "", {})
        failure = from_wire(error, bytes(body))
        self._log("error", f"Uncaught {failure.trace}")
        self.let_out(
            lambda: self._fail(request, failure), len(failure.message) + len(failure.stack) + len(body)
        )

    def _fail(self, request: int, failure: JavaScriptError) -> None:
        self.origins.pop(request, None)
        waiting: Reply[Any] | None = self.actor.requests.pop(request, None)
        if waiting is None:
            waiting = self.actor.calls.pop(request, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(failure)

    def op_returned(self, request: int, lent: list[int], body: bytes) -> None:
        """An RPC method's result."""
        result = bytes(body), self.lending.take(lent, 0) if lent else []

        def answer() -> None:
            self.origins.pop(request, None)
            future = self.actor.calls.pop(request, None)
            if future is not None and not future.done():
                future.set_result(result)

        self.let_out(answer, len(result))

    # Timers

    def op_timer_set(self, timer: int, section: int, delay: float, repeat: bool, body: bytes) -> None:
        """setTimeout and setInterval."""
        self._check_room()
        if timer in self._timers:
            raise GuestProtocolError(f"timer {timer} is set already")
        delay = min(max(delay, 0.0), 2.0**31 - 1) if delay == delay else 0.0
        counted = self.actor.core.async_started(section)
        handle = self.actor.clock.call_later(delay, lambda: self._due(timer))
        self._timers[timer] = (handle, counted, max(delay, 1.0) if repeat else None, self.caused())

    def _due(self, timer: int) -> None:
        entry = self._timers.pop(timer, None)
        if entry is None:
            return
        _, counted, period, cause = entry
        if period is None:
            self.actor.deliver(Work(_TIMER, [timer], pending=counted, cause=cause))
            return
        handle = self.actor.clock.call_later(period, lambda: self._due(timer))
        self._timers[timer] = (handle, counted, period, cause)
        self.actor.submit(Work(_TIMER, [timer], cause=cause), counted)

    def op_timer_clear(self, timer: int, body: bytes) -> None:
        """clearTimeout and clearInterval."""
        entry = self._timers.pop(timer, None)
        if entry is not None:
            entry[0].cancel()
            self.actor.core.async_ended(entry[1])

    # Ids and stubs

    def op_id_from_name(self, namespace: int, name: str, body: bytes) -> str:
        """idFromName."""
        return self.actor.router.id_from_name(namespace, name)

    def op_id_from_string(self, namespace: int, text: str, body: bytes) -> str:
        """idFromString."""
        try:
            return self.actor.router.id_from_string(namespace, text)
        except InvalidObjectIdError as error:
            raise GuestError("TypeError", str(error)) from None

    def op_id_new(self, namespace: int, body: bytes) -> str:
        """newUniqueId."""
        return self.actor.router.new_id(namespace)

    def op_stub_open(
        self, stub: int, namespace: int, object_id: str | None, name: str | None, gone: int, body: bytes
    ) -> None:
        """A stub was made; nothing happens until it is used."""
        self.stubs.pop(gone, None)
        self._check_room()
        self._declare(stub, namespace, object_id, name)

    def _declare(self, stub: int, namespace: int, object_id: str | None, name: str | None) -> Stub:
        router = self.actor.router
        try:
            if object_id is not None:
                object_id = router.id_from_string(namespace, object_id)
            elif name is not None:
                object_id = router.id_from_name(namespace, name)
            else:
                raise GuestProtocolError(f"stub {stub} has neither id nor name")
        except InvalidObjectIdError as error:
            raise GuestError("TypeError", str(error)) from None
        declared = self.stubs[stub] = Stub(namespace, object_id, name)
        return declared

    def op_service_open(self, stub: int, entrypoint: str | None, props: bytes, body: bytes) -> None:
        """A stub of an entrypoint of the Worker was made."""
        self._check_room()
        self.stubs[stub] = Stub(-1, "", None, (entrypoint, props))

    def op_stub_close(self, stubs: list[int], body: bytes) -> None:
        """The guest dropped stubs."""
        for stub in stubs:
            self.stubs.pop(stub, None)

    def op_stub_fetch(
        self,
        operation: int,
        section: int,
        kind: int,
        number: int,
        namespace: int | None,
        object_id: str | None,
        name: str | None,
        gone: int,
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
        self.stubs.pop(gone, None)
        self._check_sent(size, namespace is not None)
        # When the op fails, the stub is not declared: the guest will do that again.
        request = Request(method, url, headers, self._body(body_kind, handle, body))
        target = (
            self._target(kind, number)
            if namespace is None
            else self._declare(number, namespace, object_id, name)
        )
        if not isinstance(target, Stub):
            raise GuestProtocolError(f"target {number} of kind {kind} has no fetch")
        counted = self.actor.core.async_started(section)
        self._causes[operation] = self.caused()
        reply = _SentRequest(self, operation, counted, size, url)
        chain = self._chain(section) if section else ()

        def start(actor: Actor) -> None:
            request_number = actor.start_fetch(request, reply, target.entry, chain)
            if operation in self._fetches:
                actor.abort_request(request_number)
            self._fetches[operation] = actor, request_number

        self._send(target, reply, start, chain)

    def fetched(self, operation: int, counted: int, size: int, url: str, response: Response) -> None:
        """A request to another isolate was answered."""
        self._sent_bytes -= size
        self._received(operation, counted, url, response)

    def _received(self, operation: int, counted: int, url: str, response: Response) -> None:
        """An answer is there, of an object or of another server."""
        if self.actor.error is not None:
            self._drop(response)
            return
        body = response.body
        if response.socket is not None:
            kind, handle, raw = _GIVEN_SOCKET, self.sockets.adopt(response.socket), b""
        elif body is None:
            kind, handle, raw = 0, 0, b""
        elif isinstance(body, bytes):
            kind, handle, raw = 1, 0, body
        else:
            kind, handle, raw = 2, self.add_stream(body), b""
        value = [response.status, response.reason, response.headers, kind, handle, url]
        self._complete(operation, counted, None, value, raw)

    def op_stub_call(
        self,
        operation: int,
        section: int,
        kind: int,
        number: int,
        namespace: int | None,
        object_id: str | None,
        name: str | None,
        gone: int,
        path: list[str],
        is_call: bool,
        lent: list[int],
        body: bytes,
    ) -> None:
        """An RPC call, or the reading of a property: leaves through the output gate."""
        size = len(body)
        self.stubs.pop(gone, None)
        self._check_sent(size, namespace is not None)
        items = self.lending.take(lent, section) if lent else []
        target = (
            self._target(kind, number)
            if namespace is None
            else self._declare(number, namespace, object_id, name)
        )
        counted = self.actor.core.async_started(section)
        self._causes[operation] = self.caused()
        reply = _SentCall(self, operation, counted, size)
        chain = self._chain(section) if section else ()

        def start(actor: Actor) -> None:
            actor.start_call(target, path, is_call, body, items, reply, chain)

        self._send(target, reply, start, chain)

    def _check_sent(self, size: int, declares: bool = False) -> None:
        """Refuse one more call (and its stub), or one with that many bytes, while too much waits for an answer."""
        self._check_room(1 + declares)
        if self._sent_bytes + size > self._limits.memory_mb << 20:
            raise GuestError(
                "Error", "Durable Object is overloaded. Too much data queued.", {"overloaded": True}
            )

    def _send(self, target: Target, sent: _Sent, start: Callable[[Actor], None], chain: Chain) -> None:
        """Start a call on its target when outputs may leave."""
        # What was lent from within a critical section may be called there.
        admitted = isinstance(target, Capability) and target.section > 0

        def send() -> None:
            error: DuraboxError | None
            try:
                actor = target.connect(self.actor.router)
                error = actor.error
                if chain and error is None and not admitted and (way := cycle(chain, actor)):
                    error = JavaScriptError("Error", f"{WAITS_FOR_ITSELF}: {way}.")
            except DuraboxError as refusal:
                error = refusal
            if error is None:
                start(actor)
            else:
                sent.set_exception(error, remote=False)

        self._sent_bytes += sent.size
        self.let_out(send)

    def _chain(self, section: int) -> Chain:
        """How a call came about that the guest makes in a critical section or (negative) because of a request."""
        if section > 0:
            return (*self._section_origins.get(section, ()), (self.actor, section))[-LONGEST_CHAIN:]
        origin = self.origins.get(-section)
        return (*origin, (self.actor, 0))[-LONGEST_CHAIN:] if origin else ()

    def called(self, operation: int, counted: int, size: int, result: Result) -> None:
        """A call returned."""
        self._sent_bytes -= size
        if self.actor.error is not None:
            return
        value, items = result
        self._complete(operation, counted, None, self.lending.give(items) if items else [], value)

    def failed(self, operation: int, counted: int, size: int, error: DuraboxError, remote: bool) -> None:
        """A request or call came to nothing."""
        self._sent_bytes -= size
        self._complete(operation, counted, error, remote=remote)

    def op_release(self, handle: int, body: bytes) -> None:
        """The guest disposed of a stub that it had been lent."""
        self.lending.release(handle)

    def op_lend_self(self, export: int, body: bytes) -> int:
        """The guest made a stub of something of its own."""
        return self.lending.give(self.lending.take([0, export], 0))[1]

    def _target(self, kind: int, number: int) -> Target:
        if kind == 0 and (stub := self.stubs.get(number)) is not None:
            return stub
        return self.lending.target(kind, number)

    def _complete(
        self,
        operation: int,
        counted: int,
        error: BaseException | None,
        value: object = None,
        body: bytes = b"",
        remote: bool = True,
    ) -> None:
        cause = self._causes.pop(operation, None)
        self._fetches.pop(operation, None)
        if self.actor.error is not None:
            return
        if error is None:
            work = Work(_COMPLETE, [operation, 0, value], body, pending=counted, cause=cause)
        else:
            known = error if isinstance(error, DuraboxError) else None
            wire = (
                to_wire(known, remote)
                if known
                else ["Error", "Network connection lost.", "", {"retryable": True}]
            )
            if isinstance(error, ObjectBrokenError):
                logger.debug("stub call met a broken object: %s", error)
            thrown = error.value if isinstance(error, JavaScriptError) else b""
            work = Work(_COMPLETE, [operation, 1, wire], thrown, pending=counted, cause=cause)
        self.actor.deliver(work)

    # Streams

    def op_stream_read(self, operation: int, section: int, handle: int, body: bytes) -> None:
        """Ask for the next chunk of a host stream."""
        self._check_room()
        stream = self._streams.get(handle)
        if stream is None:
            raise GuestError("TypeError", "This stream has already been read or handed on.")
        counted = self.actor.core.async_started(section)
        self._causes[operation] = self.caused()

        async def read() -> None:
            try:
                chunk = await stream.read()
            except (DuraboxError, OSError) as error:
                self._streams.pop(handle, None)
                self._complete(operation, counted, error)
                return
            if not chunk:
                self._streams.pop(handle, None)
            self._complete(operation, counted, None, not chunk, chunk)

        self.actor.spawn(self.actor.loop.create_task(read()))

    def op_stream_drop(self, handle: int, reason: str, body: bytes) -> None:
        """The guest does not want the rest of a host stream."""
        stream = self._streams.pop(handle, None)
        if stream is not None:
            self.actor.loop.create_task(stream.cancel(reason))

    def op_stream_write(self, stream: int, body: bytes) -> None:
        """A chunk of a guest stream."""
        chunk = bytes(body)
        if not chunk:
            raise GuestProtocolError("a stream chunk must not be empty")
        self.let_out(lambda: self._pulled(stream, chunk), len(chunk))

    def op_stream_end(self, stream: int, body: bytes) -> None:
        """The end of a guest stream."""
        self.let_out(lambda: self._pulled(stream, b""))

    def _pulled(self, stream: int, chunk: bytes) -> None:
        future = self.actor.pulls.pop(stream, None)
        if future is not None and not future.done():
            future.set_result(chunk)

    def op_stream_error(self, stream: int, error: WireError, body: bytes) -> None:
        """A guest stream failed."""
        failure = from_wire(error)

        def fail() -> None:
            future = self.actor.pulls.pop(stream, None)
            if future is not None and not future.done():
                future.set_exception(failure)

        self.let_out(fail, len(failure.message) + len(failure.stack))

    # Critical sections

    def op_section_begin(self, section: int, parent: int, transaction: bool, body: bytes) -> None:
        """blockConcurrencyWhile and transaction ask for the gate."""
        self._check_room()
        try:
            self.actor.core.section_requested(section, parent, transaction)
        except ValueError as error:
            raise GuestProtocolError(str(error)) from None
        if parent:
            origin = self._section_origins.get(parent) if parent > 0 else self.origins.get(-parent)
            if origin:
                self._section_origins[section] = origin

    def op_section_end(self, section: int, error: WireError | None, body: bytes) -> None:
        """The section's callback settled."""
        self._section_origins.pop(section, None)
        self.ended.append((section, Failure(error[0], error[1], error[2]) if error else None))
