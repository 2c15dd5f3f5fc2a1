"""Time and timers."""

from __future__ import annotations

import asyncio
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
