"""Time that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class VirtualClock:
    """
    Time that only `advance` moves; timers fire in its course, in order. A `durabox.objects.clock.Clock`.

    Args:
        now: Where it starts, in milliseconds since the epoch.
    """

    def __init__(self, now: float = 1_700_000_000_000.0) -> None:
        self._now = now
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    def now(self) -> float:
        """Milliseconds since the epoch."""
        return self._now

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `durabox.objects.clock.Clock`."""
        when = self._now + max(delay_ms, 0.0)
        handle = asyncio.TimerHandle(when, callback, (), asyncio.get_running_loop())
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    async def advance(self, milliseconds: float) -> None:
        """Move time on; what becomes due runs at its own time."""
        end = self._now + milliseconds
        while self._timers and self._timers[0][0] <= end:
            when, _, handle = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if not handle.cancelled():
                handle._run()
            await settle()
        self._now = end
        await settle()

    def set(self, now: float) -> None:
        """
        Have the wall clock jump, forwards or back. No timer notices: each waits for as long as it was to wait.

        Args:
            now: Milliseconds since the epoch.
        """
        jump = now - self._now
        self._now = now
        self._timers = [(when + jump, order, handle) for when, order, handle in self._timers]


async def settle() -> None:
    """Let everything happen that needs no time to pass."""
    for _ in range(20):
        await asyncio.sleep(0)
