"""`Sandbox`: evaluate JavaScript that is not trusted. No objects, no storage, no network."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from durabox.console import Console
from durabox.engine.engine import Engine
from durabox.engine.isolate import Isolate
from durabox.engine.ops import GuestError, OpHandlers
from durabox.engine.protocol import EVENT
from durabox.engine.text import decode_text
from durabox.errors import DuraboxError, IsolateClosedError, JavaScriptError, LimitExceededError
from durabox.limits import Limits
from durabox.wire import decode

WireError = tuple[str, str, str, dict[str, Any]]


class NeverSettledError(DuraboxError):
    """The code awaits a promise that nothing can settle any more."""

    code = "never-settled"


class _Ops(OpHandlers):
    """Console, timers and the result."""

    def __init__(self, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self.console = Console("sandbox", limits.log_kb)
        self.timers: dict[int, tuple[asyncio.TimerHandle, float | None]] = {}
        self.due: asyncio.Queue[int] = asyncio.Queue()
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

    def op_unhandled_rejection(self, error: WireError, body: bytes) -> None:
        self.console.write("error", f"Uncaught (in promise) {JavaScriptError(*error).trace}")

    def op_decode_text(self, label: str, fatal: bool, ignore_bom: bool, body: bytes) -> str:
        return decode_text(label, fatal, body)

    def op_timer_set(self, timer: int, section: int, delay: float, repeat: bool, body: bytes) -> None:
        if len(self.timers) >= self._limits.pending:
            raise GuestError("Error", f"Too many timers: the limit is {self._limits.pending}.")
        seconds = min(max(delay, 0.0), 2.0**31) / 1000.0 if delay == delay else 0.0
        self._start(timer, seconds, max(seconds, 0.001) if repeat else None)

    def _start(self, timer: int, seconds: float, period: float | None) -> None:
        handle = self._loop.call_later(seconds, self._fire, timer)
        self.timers[timer] = (handle, period)

    def _fire(self, timer: int) -> None:
        _, period = self.timers.pop(timer)
        if period is not None:
            self._start(timer, period, period)
        self.due.put_nowait(timer)

    def op_timer_clear(self, timer: int, body: bytes) -> None:
        entry = self.timers.pop(timer, None)
        if entry is not None:
            entry[0].cancel()

    def close(self) -> None:
        for handle, _ in self.timers.values():
            handle.cancel()
        self.timers.clear()


class Sandbox:
    """
    One isolate for code that is not trusted. Globals persist from one evaluation to the next.

    Values in and out are plain: ``None``, booleans, numbers, strings, ``bytes`` (ArrayBuffer), lists and
    dictionaries with string keys.

    Args:
        limits: What each evaluation may use. ``wall_ms`` bounds the whole of it, timers and all.

    A context manager: ``async with Sandbox() as box: await box.eval("1 + 1")``.
    """

    def __init__(self, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits(cpu_ms=1000.0)
        self._ops: _Ops | None = None
        self._isolate: Isolate | None = None
        self._busy = asyncio.Lock()

    async def __aenter__(self) -> Sandbox:
        """Start the isolate."""
        self._ops = _Ops(self._limits)
        self._isolate = Engine.shared().base.instantiate(self._ops, self._limits)
        await self._isolate.run(EVENT["start"], [])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the isolate."""
        self.close()

    def close(self) -> None:
        """End the isolate; evaluations under way fail with `IsolateClosedError`."""
        if self._ops is not None:
            self._ops.close()
        if self._isolate is not None:
            self._isolate.close()

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
            LimitExceededError: Past a limit; the sandbox is over.
            NeverSettledError: It awaits what never comes.
            IsolateClosedError: The sandbox is over.
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
            Its exports by name.
        Raises:
            DuraboxError: See `eval`.
        """
        exports: dict[str, Any] = await self._evaluate(source, name, variables, module=True)
        return exports

    async def _evaluate(self, source: str, name: str, variables: dict[str, Any], *, module: bool) -> Any:
        if self._isolate is None:
            raise IsolateClosedError("The sandbox is not open: use it in `async with`.")
        async with self._busy:
            work = self._settle(source, name, variables, module)
            if self._limits.wall_ms is None:
                return await work
            try:
                return await asyncio.wait_for(work, self._limits.wall_ms / 1000.0)
            except TimeoutError:
                self.close()
                raise LimitExceededError("wall", self._limits.wall_ms, "ms") from None

    async def _settle(self, source: str, name: str, variables: dict[str, Any], module: bool) -> Any:
        ops, isolate = self._ops, self._isolate
        assert ops is not None and isolate is not None
        ops.settled, ops.failure, ops.result, ops.console.written = False, None, None, 0
        body = source.encode("utf-8", "surrogatepass")
        await isolate.run(EVENT["eval"], [name, variables, module, name], body)
        while not ops.settled:
            if not ops.timers and ops.due.empty():
                raise NeverSettledError("The code awaits a promise that nothing can settle any more.")
            await isolate.run(EVENT["timer"], [await ops.due.get()])
        failure: WireError | None = ops.failure
        if failure is not None:
            raise JavaScriptError(*failure)
        return ops.result
