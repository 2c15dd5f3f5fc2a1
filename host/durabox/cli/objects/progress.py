"""What ``durabox objects`` says on stderr while it works: how far it is, and on which objects it failed."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

from durabox.cli.objects.printing import plain

T = TypeVar("T")

#: Failures that are told one by one.
_FAILURES: Final = 10
#: Seconds after which something that goes on gets a line of progress, and between two of them.
_PATIENCE: Final = 1.0
_REDRAW: Final = 0.1


class Progress:
    """One line on stderr, when that is a terminal and it takes long enough."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._drawn = time.monotonic()
        self._shown = False

    def __call__(self, done: int, of: int | None = None) -> None:
        """So much is done."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._started < _PATIENCE or now - self._drawn < _REDRAW:
            return
        self._drawn, self._shown = now, True
        if of is None:
            print(f"\r\x1b[K{self._what}: {done:,}", end="", file=sys.stderr, flush=True)
            return
        width = 30
        full = width * done // max(of, 1)
        bar = "#" * full + "·" * (width - full)
        print(f"\r\x1b[K{self._what}: {bar} {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    async def during(self, work: Awaitable[T]) -> T:
        """Wait for something that does not tell how far it is: the line says for how long."""

        async def tick() -> None:
            while True:
                await asyncio.sleep(_REDRAW)
                now = time.monotonic()
                # Whoever is told how far it is, by the call of this object, needs no clock beside it.
                if now - self._drawn > _PATIENCE and sys.stderr.isatty():
                    self._shown = True
                    text = f"\r\x1b[K{self._what} … {now - self._started:.0f} s"
                    print(text, end="", file=sys.stderr, flush=True)

        ticking = asyncio.ensure_future(tick())
        try:
            return await work
        finally:
            ticking.cancel()
            self.end()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Failures:
    """
    What failed on which objects, on stderr: the first of them, and how many others.

    Args:
        progress: Its line makes room.
        told: Whether they are; else they are only counted.
    """

    def __init__(self, progress: Progress, *, told: bool) -> None:
        self._progress = progress
        self._told = told
        self.count = 0

    def add(self, failed: Mapping[str, Any]) -> None:
        """An object with its ``id``, ``name`` and ``error``."""
        self.count += 1
        if self._told and self.count <= _FAILURES:
            self._progress.end()
            label = failed["id"] if failed["name"] is None else failed["name"]
            print(f"durabox: {plain(label)}: {plain(failed['error'])}", file=sys.stderr)

    def end(self) -> None:
        """There are no more."""
        if self._told and self.count > _FAILURES:
            others = self.count - _FAILURES
            print(f"durabox: … and {others:,} other{'s' if others > 1 else ''}", file=sys.stderr)
