"""The clock of time slices: increments Wasmtime's epoch while a guest runs, and sleeps otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

#: Length of a time slice.
SLICE_SECONDS: Final = 0.002
#: After so many slices without a guest the thread goes to sleep.
_IDLE_SLICES: Final = 64


class Running:
    """What runs on one thread."""

    __slots__ = ("caller",)

    def __init__(self) -> None:
        #: Who serves the imports of the guest that runs now, ``None`` while none does.
        self.caller: Any = None


#: Of every thread that ever ran a guest.
_threads: Final[list[Running]] = []


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.running = Running()
        _threads.append(self.running)


this_thread: Final = _ThisThread()


class Ticker:
    """
    Ticks while a guest runs on any thread.

    Args:
        tick: Called every `SLICE_SECONDS`, in a thread of its own.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._wake = threading.Event()
        #: Whether nobody ticks.
        self.asleep = True
        threading.Thread(target=self._loop, name="durabox-ticker", daemon=True).start()

    def wake(self) -> None:
        """To be called by a thread that runs a guest while the ticker is `asleep`."""
        # Not asleep from here on: the thread gets going when the interpreter lets it, which may be many turns later.
        self.asleep = False
        self._wake.set()

    def _loop(self) -> None:
        idle = 0
        while True:
            if idle >= _IDLE_SLICES:
                self._wake.clear()
                self.asleep = True
                if not self._running():
                    self._wake.wait()
                self.asleep = False
                idle = 0
            time.sleep(SLICE_SECONDS)
            if self._running():
                self._tick()
                idle = 0
            else:
                idle += 1

    @staticmethod
    def _running() -> bool:
        return any(running.caller is not None for running in _threads)
