"""`Sandbox`: evaluate JavaScript that is not trusted. No objects, no storage, no network."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final

from durabox.console import Console
from durabox.engine.engine import Engine
from durabox.engine.isolate import Isolate
from durabox.engine.layers import mentions_intl
from durabox.engine.ops import GuestError
from durabox.engine.platform_ops import LongWork, PlatformOps
from durabox.engine.protocol import EVENT
from durabox.engine.text import decode_text
from durabox.engine.webcrypto import CryptoRequest
from durabox.errors import (
    DuraboxError,
    GuestProtocolError,
    IsolateClosedError,
    JavaScriptError,
    LimitExceededError,
)
from durabox.limits import Limits
from durabox.wire import decode

#: Levels of nesting of a variable.
_DEEPEST: Final = 200
#: `Limits.memory_mb` from which on an isolate may start from the image with `Intl`, which takes 8: with less, code that only
#: mentions it would have no room.
_WITH_INTL_MB: Final = 12
#: The largest whole number up to which JavaScript has every one.
_LARGEST: Final = 2**53 - 1

WireError = tuple[str, str, str, dict[str, Any]]


class NeverSettledError(DuraboxError):
    """The code awaits a promise that nothing can settle any more."""

    code = "never-settled"


class NotPlainError(DuraboxError, TypeError):
    """A Python value that the code cannot be given."""

    code = "not-plain"


class _Ops(PlatformOps):
    """Console, timers and the result."""

    def __init__(self, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self.console = Console("sandbox", limits.log_kb)
        self.timers: dict[int, tuple[asyncio.TimerHandle, float | None]] = {}
        #: Events that wait: what they are, their arguments and body. None wakes who waits for one.
        self.due: asyncio.Queue[tuple[int, list[object], bytes] | None] = asyncio.Queue()
        self.under_way = 0
        self._long_work = LongWork()
        #: Processor time that threads used for the evaluation.
        self.thread_ns = 0
        self.result: Any = None
        self.failure: WireError | None = None
        self.settled = False

    def op_evaluated(self, body: bytes) -> None:
        self.result = decode(body)
        self.settled = True

    def op_eval_failed(self, error: WireError, body: bytes) -> None:
        self.failure = error
        self.settled = True

    def op_log(self, level: str, text: str, body: bytes) -> None:
        self.console.write(level, text)

    def op_uncaught(self, error: WireError, body: bytes) -> None:
        self.console.write("error", f"Uncaught {JavaScriptError(*error).trace}")

    def op_unhandled_rejection(self, error: WireError, body: bytes) -> None:
        self.console.write("error", f"Uncaught (in promise) {JavaScriptError(*error).trace}")

    def op_module_resolve(self, specifier: str, referrer: str, body: bytes) -> str:
        raise GuestError("Error", f'No such module "{specifier}": there is nothing to import in a sandbox.')

    def op_fetch(self, *arguments: object) -> None:
        raise GuestError(
            "Error",
            "fetch() is not available: a sandbox has no network. Fetch in Python and pass the result in as a variable, or run "
            "the code in a durabox.Host that was opened with network=.",
        )

    def op_decode_text(self, label: str, fatal: bool, more: bool, body: bytes) -> str | list[str | int]:
        return decode_text(label, fatal, more, body)

    def _check_room(self) -> None:
        if len(self.timers) + self.under_way >= self._limits.pending:
            raise GuestError("Error", f"Too many timers and operations: the limit is {self._limits.pending}.")

    def op_timer_set(self, timer: int, section: int, delay: float, repeat: bool, body: bytes) -> None:
        self._check_room()
        if timer in self.timers:
            raise GuestProtocolError(f"timer {timer} is set already")
        seconds = min(max(delay, 0.0), 2.0**31) / 1000.0 if delay == delay else 0.0
        self._start(timer, seconds, max(seconds, 0.001) if repeat else None)

    def _start(self, timer: int, seconds: float, period: float | None) -> None:
        handle = self._loop.call_later(seconds, self._fire, timer)
        self.timers[timer] = (handle, period)

    def _fire(self, timer: int) -> None:
        _, period = self.timers.pop(timer)
        if period is not None:
            self._start(timer, period, period)
        self.due.put_nowait((EVENT["timer"], [timer], b""))

    def start_long(self, operation: int, section: int, request: CryptoRequest) -> None:
        self._check_room()
        self._long_work.check_room(request)
        self.under_way += 1

        def ended(result: bytes, error: GuestError | None, cpu_ns: int) -> None:
            self.under_way -= 1
            self.thread_ns += cpu_ns
            args: list[object] = [operation, 0, None] if error is None else [operation, 1, error.described]
            self.due.put_nowait((EVENT["complete"], args, result))

        self._long_work.start(request, ended)

    def op_timer_clear(self, timer: int, body: bytes) -> None:
        entry = self.timers.pop(timer, None)
        if entry is not None:
            entry[0].cancel()

    def stop(self) -> None:
        """End all timers and all long work."""
        self._long_work.close()
        self._long_work, self.under_way = LongWork(), 0
        for handle, _ in self.timers.values():
            handle.cancel()
        self.timers.clear()
        while not self.due.empty():
            self.due.get_nowait()


class Sandbox:
    """
    One isolate for code that is not trusted. Globals persist from one evaluation to the next; timers do not.

    Values in and out are plain: ``None``, booleans, numbers, strings, ``bytes`` (ArrayBuffer), lists and
    dictionaries with string keys. On the way out a Date is its ISO 8601 text, and a BigInt of at most 64 bits an ``int``.

    Args:
        limits: What each evaluation may use, timers and all; by default 1 s of processor time within 10 s.

    A context manager: ``async with Sandbox() as box: await box.eval("1 + 1")``. Evaluations take turns.
    """

    def __init__(self, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits(cpu_ms=1000.0, wall_ms=10_000.0)
        self._ops: _Ops | None = None
        self._isolate: Isolate | None = None
        self._busy = asyncio.Lock()

    async def __aenter__(self) -> Sandbox:
        """Open it; its isolate is made for the first source that it is given."""
        Engine.shared()
        self._ops = _Ops(self._limits)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the isolate."""
        self.close()

    def close(self) -> None:
        """End the isolate; evaluations under way fail with `IsolateClosedError`."""
        if self._ops is not None:
            self._ops.stop()
            # An evaluation may be waiting for an event: it goes on, and finds the isolate closed.
            self._ops.due.put_nowait(None)
        if self._isolate is not None:
            self._isolate.close()
        else:
            self._ops = None

    async def eval(self, source: str, name: str = "eval.js", /, **variables: Any) -> Any:
        """
        Evaluate an expression or a script.

        Args:
            source: JavaScript; a promise as its value is awaited.
            name: File name in stacks.
            variables: Plain values under these names.
        Returns:
            The value of the expression, or of the script's last statement.
        Raises:
            JavaScriptError: It threw, or its value is not plain.
            NotPlainError: A variable's value is not plain.
            LimitExceededError: Past a limit; the sandbox is over.
            NeverSettledError: It awaits what never comes; the sandbox is over.
            IsolateClosedError: The sandbox is over.
            EngineError: As many isolates live as the engine has room for.

        Cancelling it ends the sandbox.
        """
        return await self._evaluate(source, name, variables, module=False)

    async def eval_module(self, source: str, name: str = "module.js", /, **variables: Any) -> dict[str, Any]:
        """
        Evaluate an ES module.

        Args:
            source: The module; it can import nothing.
            name: File name in stacks.
            variables: Plain values, as globals.
        Returns:
            Its exports by name; ``default`` is the default export.
        Raises:
            DuraboxError: See `eval`.
        """
        exports: dict[str, Any] = await self._evaluate(source, name, variables, module=True)
        return exports

    async def _evaluate(self, source: str, name: str, variables: dict[str, Any], *, module: bool) -> Any:
        for variable, value in variables.items():
            _check_plain(value, variable, 0)
        async with self._busy:
            ops = self._ops
            if ops is None:
                raise IsolateClosedError("The sandbox is not open: use it in `async with`.")
            encoded = source.encode("utf-8", "surrogatepass")
            isolate, is_new = self._isolate, self._isolate is None
            if isolate is None:
                # Where a later source is the first to need `Intl`, that is evaluated then.
                engine, has_room = Engine.shared(), self._limits.memory_mb >= _WITH_INTL_MB
                image = engine.intl if has_room and mentions_intl(encoded) else engine.base
                self._isolate = isolate = image.instantiate(ops, self._limits)
            wall_ms = self._limits.wall_ms
            try:
                async with asyncio.timeout(None if wall_ms is None else wall_ms / 1000.0):
                    if is_new:
                        await isolate.run(EVENT["start"], [])
                    return await self._settle(ops, isolate, encoded, [name, variables, module, name])
            except TimeoutError:
                self.close()
                assert wall_ms is not None
                raise LimitExceededError("wall", wall_ms, "ms") from None
            except (asyncio.CancelledError, NeverSettledError):
                # What is left of it must not go on in the next one.
                self.close()
                raise
            finally:
                ops.stop()

    async def _settle(self, ops: _Ops, isolate: Isolate, source: bytes, arguments: list[Any]) -> Any:
        ops.settled, ops.failure, ops.result, ops.console.written = False, None, None, 0
        before = isolate.cpu_ns
        ops.thread_ns = isolate.carried_ns = 0
        await isolate.run(EVENT["eval"], arguments, source)
        while not ops.settled:
            if not ops.timers and not ops.under_way and ops.due.empty():
                raise NeverSettledError("The code awaits a promise that nothing can settle any more.")
            event = await ops.due.get()
            if event is None:
                raise IsolateClosedError("The sandbox was closed.")
            isolate.carried_ns = isolate.cpu_ns - before + ops.thread_ns
            await isolate.run(*event)
        failure: WireError | None = ops.failure
        if failure is not None:
            raise JavaScriptError(*failure)
        return ops.result


def _check_plain(value: object, where: str, depth: int) -> None:
    """
    Refuse what JavaScript would not get as it is.

    Raises:
        NotPlainError: Names the place.
    """
    if depth > _DEEPEST:
        raise NotPlainError(f"{where} is nested more than {_DEEPEST} levels deep.")
    match value:
        case None | bool() | float() | str() | bytes():
            pass
        case int():
            if abs(value) > _LARGEST:
                raise NotPlainError(
                    f"{where} is {value}, which no JavaScript number holds exactly: pass it as a string."
                )
        case list() | tuple():
            for index, item in enumerate(value):
                _check_plain(item, f"{where}[{index}]", depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise NotPlainError(f"{where} has the key {key!r}: keys must be strings.")
                _check_plain(item, f"{where}[{key!r}]", depth + 1)
        case _:
            raise NotPlainError(
                f"{where} is of type {type(value).__name__}; plain values are None, bool, int, float, str, bytes, "
                "list and dict."
            )
