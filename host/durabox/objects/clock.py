"""Time and timers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Time and timers, injected so that a virtual clock can stand in."""

    def now(self) -> float:
        """Milliseconds since the epoch."""
        ...

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Run the callback on the event loop after the delay; the handle cancels."""
        ...


class SystemClock:
    """The real time and the running event loop's timers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Milliseconds since the epoch."""
        return time.time() * 1000.0

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `Clock`."""
        return self._loop.call_later(max(delay_ms, 0.0) / 1000.0, callback)
