"""setTimeout and setInterval on the host's side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durabox.engine.protocol import EVENT
from durabox.errors import GuestProtocolError
from durabox.objects.work import Work

if TYPE_CHECKING:
    from durabox.objects.account import Account
    from durabox.objects.ops import ActorOps

_TIMER = EVENT["timer"]


class TimerOps:
    """
    One isolate's timers. Each counts as async work of the critical section in which it was set.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_operations", "_timers")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._operations = ops.operations
        self._timers: dict[int, tuple[asyncio.TimerHandle, int, float | None, Account]] = {}

    def __len__(self) -> int:
        """Timers that are set."""
        return len(self._timers)

    def op_timer_set(self, timer: int, section: int, delay: float, repeat: bool, body: bytes) -> None:
        """setTimeout and setInterval."""
        self._operations.check_room()
        if timer in self._timers:
            raise GuestProtocolError(f"timer {timer} is set already")
        delay = min(max(delay, 0.0), 2.0**31 - 1) if delay == delay else 0.0
        counted = self._actor.core.async_started(section)
        handle = self._actor.clock.call_later(delay, lambda: self._due(timer))
        self._timers[timer] = (
            handle,
            counted,
            max(delay, 1.0) if repeat else None,
            self._operations.caused(),
        )

    def _due(self, timer: int) -> None:
        entry = self._timers.pop(timer, None)
        if entry is None:
            return
        _, counted, period, cause = entry
        if period is None:
            self._actor.deliver(Work(_TIMER, [timer], pending=counted, cause=cause))
            return
        handle = self._actor.clock.call_later(period, lambda: self._due(timer))
        self._timers[timer] = (handle, counted, period, cause)
        self._actor.submit(Work(_TIMER, [timer], cause=cause), counted)

    def op_timer_clear(self, timer: int, body: bytes) -> None:
        """clearTimeout and clearInterval."""
        entry = self._timers.pop(timer, None)
        if entry is not None:
            entry[0].cancel()
            self._actor.core.async_ended(entry[1])

    def close(self) -> None:
        """The isolate has ended."""
        for timer, _, _, _ in self._timers.values():
            timer.cancel()
        self._timers.clear()
