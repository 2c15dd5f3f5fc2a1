"""A project from a string, and time that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from durabox.objects.host import Host


class VirtualClock:
    """Time that only `advance` moves; timers fire in its course, in order."""

    def __init__(self) -> None:
        self._now = 1_700_000_000_000.0
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    def now(self) -> float:
        """Milliseconds since the epoch."""
        return self._now

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `durabox.objects.actor.Clock`."""
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


async def settle() -> None:
    """Let everything happen that needs no time to pass."""
    for _ in range(20):
        await asyncio.sleep(0)


class OpenHost(Protocol):
    """The ``host_of`` fixture."""

    def __call__(self, source: str, **options: Any) -> AbstractAsyncContextManager[Host]:
        """Open a host on a module with that source."""
        ...


@pytest.fixture
def host_of(tmp_path: Path) -> OpenHost:
    """Open a `Host` on one module; its options are those of `Host.open`."""

    @asynccontextmanager
    async def open_host(source: str, **options: Any) -> AsyncIterator[Host]:
        main = tmp_path / "main.js"
        main.write_text(source)
        async with Host.open(main, **options) as host:
            yield host

    return open_host
