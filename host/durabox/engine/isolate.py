"""One isolate: entered by events, sliced in time, limited, and never trusted.

Everything the guest hands over (pointers, lengths, numbers, payloads) is checked as if its heap had been taken over.
The worst it can do is to end itself.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from durabox.engine.ffi import machine as exported
from durabox.engine.ffi.engine import Module
from durabox.engine.ffi.library import TRAP_OUT_OF_BOUNDS, TRAP_STACK_OVERFLOW, Trapped
from durabox.engine.ops import V8, EndIsolate, GuestError, OpHandlers
from durabox.engine.protocol import EVENT
from durabox.engine.ticker import SLICE_SECONDS, this_thread
from durabox.errors import (
    DuraboxError,
    EngineError,
    GuestProtocolError,
    InternalError,
    IsolateClosedError,
    LimitExceededError,
)
from durabox.limits import Limits
from durabox.wire import Malformed, encode

if TYPE_CHECKING:
    from durabox.engine.engine import Engine
    from durabox.engine.image import Image

logger = logging.getLogger("durabox.engine")

#: The guest keeps a scratch buffer up to this size between events; larger ones are given back.
_SCRATCH_KEPT: Final = 64 * 1024
_SCRATCH_FIRST: Final = 4096
#: The engine's own memory limit lies so far below the hard one, so that JavaScript can catch it.
_HEADROOM: Final = 2 << 20
#: Longest text that is taken from a guest that failed.
_MESSAGE_MOST: Final = 64 * 1024
#: When other work used the event loop for longer than this since the last slice, the loop is busy.
_CONTENDED_SECONDS: Final = 0.000_2
#: A turn of no more slices than this makes no further room for others.
_BRIEF_SLICES: Final = 5

_UNDEFINED: Final = b""
_MSGPACK: Final = b"\x01"
_V8: Final = b"\x02"
_BYTES: Final = b"\x03"
_ERROR: Final = b"\x04"
_TEXT: Final = b"\x05"

_SLICE_NS: Final = int(SLICE_SECONDS * 1e9)
#: Events that leave the global scope.
_STARTS: Final = frozenset(EVENT[name] for name in ("start", "construct", "construct_facet"))
_DONE: Final = 0
_THREW: Final = 1

_now = time.perf_counter_ns


class Turn:
    """An event that did not end in its first time slice."""

    __slots__ = ("_isolate",)

    def __init__(self, isolate: Isolate) -> None:
        self._isolate = isolate

    async def wait(self) -> None:
        """
        Run the remaining slices; other work gets its turn between them.

        Raises:
            LimitExceededError: Processor or wall time, memory.
            GuestProtocolError: The guest broke the protocol.
            IsolateClosedError: The isolate was closed meanwhile.
            JavaScriptError: The isolate was ended by an op, such as ``abort``.
        """
        isolate = self._isolate
        for slices in itertools.count(1):
            yielded = _now()
            await asyncio.sleep(0)
            if slices > _BRIEF_SLICES and _now() - yielded > _CONTENDED_SECONDS * 1e9:
                # Others are busy too: leave them as much time as the last slice took, so that they need not
                # wait for a slice of ours at each of their steps. A turn that may be over soon goes on.
                await asyncio.sleep(isolate.last_slice_ns / 1e9)
            if isolate.slice():
                return


class Isolate:
    """
    A guest instance. Made by `Image.instantiate`; used by one thread.

    Args:
        engine: Where its code comes from.
        memory: The memory it starts from.
        ops: Serves its ops.
        limits: What it may use.
    """

    __slots__ = (
        "_began",
        "_engine",
        "_entries",
        "_error",
        "_failure",
        "_limits",
        "_machine",
        "_message_bytes",
        "_ops",
        "_overflow",
        "_running",
        "_scratch",
        "_scratch_size",
        "_slice_began",
        "_started",
        "carried_ns",
        "cpu_ns",
        "event_cpu_ns",
        "last_slice_ns",
    )

    def __init__(self, engine: Engine, memory: Module, ops: OpHandlers, limits: Limits) -> None:
        self._engine = engine
        self._ops = ops
        self._entries = type(ops).entries
        self._limits = limits
        self._message_bytes = limits.message_mb << 20
        self._scratch = 0
        self._scratch_size = 0
        # Before its start event a guest gives its scratch buffer back after every event, to keep it out of images.
        self._started = False
        self._running = False
        self._overflow = b""
        self._failure: BaseException | None = None
        self._error: DuraboxError | None = None
        self._began = 0
        self._slice_began = 0
        #: Processor time that counts towards the next event's limit before it begins.
        self.carried_ns = 0
        #: Processor time of the event that runs or ran last, with what it carried.
        self.event_cpu_ns = 0
        #: Length of the last time slice.
        self.last_slice_ns = 0
        #: Processor time used since the isolate was made.
        self.cpu_ns = 0
        hard = limits.memory_mb << 20
        self._machine = engine.native.instantiate(memory, engine.code, hard)
        self._scratch = self._call(exported.LIMITS, hard - _HEADROOM, limits.stack_kb << 10) & 0xFFFF_FFFF
        self._scratch_size = _SCRATCH_FIRST

    # For the host

    @property
    def memory_bytes(self) -> int:
        """Size of the guest's memory, used or not."""
        return self._machine.refresh()

    def enter(self, event: int, args: Sequence[object], body: bytes = b"") -> Turn | None:
        """
        Run an event for up to one time slice.

        Args:
            event: Number of a row of `protocol.EVENTS`.
            args: Its arguments.
            body: Its raw body.
        Returns:
            ``None`` if it has ended, else the `Turn` to wait for.
        Raises:
            EngineError: Another turn is under way.
            DuraboxError: See `Turn.wait`.
        """
        if self._running:
            raise EngineError("an isolate cannot be entered while a turn is under way")
        if self._error is not None:
            raise IsolateClosedError(str(self._error))
        self.event_cpu_ns = carried = self.carried_ns
        if carried > self._limits.cpu_ms * 1e6:
            raise self._end(LimitExceededError("cpu", self._limits.cpu_ms, "ms"))
        message = encode(args)
        length = len(message)
        size = length + len(body)
        if not self._started:
            self._started = event in _STARTS
        if size > self._scratch_size:
            self._make_room(size)
        machine = self._machine
        try:
            machine.write(self._scratch, message + body if body else message)
        except IndexError:
            raise self._end(
                GuestProtocolError("the guest's scratch buffer lies outside of its memory")
            ) from None
        if not self._started:
            self._scratch_size = 0
        self._running = True
        self._began = began = _now()
        machine.start(exported.EVENT, event, length, size - length)
        if self._run(began):
            return None
        # The epoch has moved on since this isolate ran last: such a slice ends where it began.
        if self.last_slice_ns < _SLICE_NS // 2 and self.slice():
            return None
        return Turn(self)

    async def run(self, event: int, args: Sequence[object], body: bytes = b"") -> None:
        """Run an event to its end; see `enter` and `Turn.wait`."""
        turn = self.enter(event, args, body)
        if turn is not None:
            await turn.wait()

    def slice(self) -> bool:
        """
        Run one time slice of the turn under way.

        Returns:
            Whether the turn has ended.
        Raises:
            DuraboxError: See `Turn.wait`.
        """
        if self._error is not None:
            raise IsolateClosedError(str(self._error))
        return self._run(_now())

    def overdue(self) -> LimitExceededError | None:
        """The limit of time that the turn under way has passed, for an op that takes long itself."""
        if not self._running:
            return None
        now = _now()
        limits = self._limits
        if self.event_cpu_ns + now - self._slice_began > limits.cpu_ms * 1e6:
            return LimitExceededError("cpu", limits.cpu_ms, "ms")
        if limits.wall_ms is not None and now - self._began > limits.wall_ms * 1e6:
            return LimitExceededError("wall", limits.wall_ms, "ms")
        return None

    def freeze(self) -> Image:
        """
        The memory as it is now.

        Raises:
            EngineError: A turn is under way.
            IsolateClosedError: The isolate has ended.
        """
        from durabox.engine.image import Image, memory_module

        if self._running:
            raise EngineError("an isolate can only be frozen while it is idle")
        if self._error is not None:
            raise IsolateClosedError(str(self._error))
        if (result := self._call(exported.SEAL)) != _DONE:
            self._fail(result)
        machine = self._machine
        memory = machine.look(0, machine.refresh())
        return Image(self._engine, self._engine.native.compile(memory_module(memory)))

    def close(self) -> None:
        """
        Free the instance. A turn under way is unwound; who waits for it gets `IsolateClosedError`.

        Raises:
            EngineError: Called by an op of its own, whose stack would go.
        """
        if this_thread.running.caller is self:
            raise EngineError("an isolate cannot be closed while it runs")
        if self._error is None:
            self._error = IsolateClosedError("The isolate was closed.")
        self._running = False
        self._machine.close()

    # Inside

    def _make_room(self, size: int) -> None:
        """Have the guest make its scratch buffer large enough."""
        wanted = max(size, _SCRATCH_FIRST)
        self._scratch = self._call(exported.SCRATCH, wanted) & 0xFFFF_FFFF
        self._scratch_size = wanted if wanted <= _SCRATCH_KEPT else 0

    def _run(self, begin: int) -> bool:
        """A time slice that begins now; see `slice`."""
        self._slice_began = begin
        machine = self._machine
        try:
            done = machine.poll(self)
        except Trapped as trap:
            raise self._end(self._explain(trap)) from None
        spent = _now() - begin
        self.last_slice_ns = spent
        self.cpu_ns += spent
        self.event_cpu_ns += spent
        if not done:
            self._check_time()
            return False
        self._running = False
        if machine.result != _DONE:
            self._fail(machine.result)
        return True

    def _call(self, function: int, *arguments: int) -> int:
        """A short call that cannot run JavaScript."""
        machine = self._machine
        machine.start(function, *arguments)
        try:
            for _ in range(1000):
                if machine.poll(self):
                    return machine.result
        except Trapped as trap:
            raise self._end(self._explain(trap)) from None
        raise self._end(GuestProtocolError("an exported function did not return"))

    def _check_time(self) -> None:
        """After a slice: end the turn if it is past a limit."""
        limits = self._limits
        if self.event_cpu_ns > limits.cpu_ms * 1e6:
            raise self._end(LimitExceededError("cpu", limits.cpu_ms, "ms"))
        if limits.wall_ms is not None and _now() - self._began > limits.wall_ms * 1e6:
            raise self._end(LimitExceededError("wall", limits.wall_ms, "ms"))

    def _fail(self, result: int) -> None:
        """The dispatcher itself failed: its state cannot be trusted any more."""
        self._scratch_size = 0
        if result != _THREW:
            raise self._end(LimitExceededError("memory", self._limits.memory_mb << 20, "bytes"))
        length = self._call(exported.ERROR_LENGTH) & 0xFFFF_FFFF
        pointer = self._call(exported.SCRATCH, 0) & 0xFFFF_FFFF
        try:
            text = self._machine.read(pointer, min(length, _MESSAGE_MOST)).decode("utf-8", "replace")
        except IndexError:
            text = "it could not say why"
        raise self._end(GuestProtocolError(f"the guest failed: {text}"))

    def _end(self, error: DuraboxError) -> DuraboxError:
        """Discard the instance; later uses raise `IsolateClosedError`."""
        self._running = False
        if self._error is None:
            self._error = error
        self._machine.close()
        return error

    def _explain(self, trap: Trapped) -> DuraboxError:
        failure, self._failure = self._failure, None
        if isinstance(failure, EndIsolate):
            return failure.error
        if isinstance(failure, DuraboxError):
            return failure
        if failure is not None:
            if not isinstance(failure, Exception):
                self._end(IsolateClosedError("The isolate was interrupted."))
                raise failure
            logger.error("an op failed", exc_info=failure)
            return InternalError("An internal error occurred.")
        if trap.code == TRAP_STACK_OVERFLOW:
            return LimitExceededError("stack", self._limits.stack_kb << 10, "bytes")
        if trap.code == TRAP_OUT_OF_BOUNDS:
            return GuestProtocolError("the guest left its memory")
        return GuestProtocolError(f"the guest trapped: {trap.message}")

    # Imports of the guest; see `ffi.imports.Caller`

    def failed(self, error: BaseException) -> None:
        """An import raised; the trap that follows is explained by it."""
        self._failure = error

    def op(
        self, number: int, args: int, args_len: int, body: int, body_len: int, reply: int, cap: int
    ) -> int:
        """Import ``op``: decode, call the handler, write the reply."""
        if args_len + body_len > self._message_bytes:
            raise LimitExceededError("message", self._message_bytes, "bytes")
        machine = self._machine
        try:
            entry = self._entries[number] if number > 0 else None
            message = machine.look(args, args_len)
            payload = machine.read(body, body_len) if body_len else b""
        except IndexError:
            raise GuestProtocolError(f"op {number} with pointers or a number out of range") from None
        if entry is None:
            raise GuestProtocolError(f"op {number} does not exist")
        handler, decoder, most, area = entry
        if args_len > most:
            raise LimitExceededError("message", most, "bytes")
        server = self._ops if area is None else getattr(self._ops, area)
        arguments: Sequence[Any]
        if decoder is None:
            arguments = (message.tobytes(),)
        else:
            try:
                arguments = decoder.at_once(message)
            except Malformed as error:
                arguments = decoder.recover(message.tobytes(), error)
        try:
            result = handler(server, *arguments, payload)
        except GuestError as error:
            answer = _ERROR + encode(error.described)
        else:
            answer = _UNDEFINED if result is None else _pack(result)
        length = len(answer)
        if length > cap:
            self._overflow = answer
            return -length
        if length:
            try:
                machine.write(reply, answer)
            except IndexError:
                raise GuestProtocolError(f"op {number} with a reply buffer out of range") from None
        return length

    def reply(self, pointer: int, cap: int) -> int:
        """Import ``reply``: the answer that did not fit."""
        answer, self._overflow = self._overflow, b""
        if len(answer) > cap:
            raise GuestProtocolError("the reply does not fit the buffer that was made for it")
        try:
            self._machine.write(pointer, answer)
        except IndexError:
            raise GuestProtocolError("a reply buffer out of range") from None
        return len(answer)

    def clock(self) -> float:
        """Import ``clock``."""
        return self._ops.clock()

    def random(self, pointer: int, length: int) -> None:
        """Import ``random``."""
        if length > _SCRATCH_KEPT:
            raise GuestProtocolError(f"{length} random bytes at once")
        try:
            self._machine.write(pointer, self._ops.random(length))
        except IndexError:
            raise GuestProtocolError("a buffer for random bytes out of range") from None

    def abort(self, pointer: int, length: int) -> None:
        """Import ``abort``: the guest gives up."""
        try:
            text = self._machine.read(pointer, min(length, _MESSAGE_MOST)).decode("utf-8", "replace")
        except IndexError:
            text = "without a reason"
        if "memory" in text:
            raise LimitExceededError("memory", self._limits.memory_mb << 20, "bytes")
        raise GuestProtocolError(f"the guest gave up: {text}")


def _pack(result: Any) -> bytes:
    answer: bytes
    kind = type(result)
    if kind is V8:
        answer = _V8 + result
    elif kind is str:
        answer = _TEXT + result.encode("utf-8", "surrogatepass")
    elif kind is bytes:
        answer = _BYTES + result
    else:
        answer = _MSGPACK + encode(result)
    return answer
