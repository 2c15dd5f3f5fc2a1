"""The clock of time slices: increments Wasmtime's epoch while a guest runs, and sleeps otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

#: Length of a time slice.
SLICE_SECONDS: Final = 0.002
#: After so many slices without a guest the thread goes to sleep.
_IDLE_SLICES: Final = 64


class Ticker:
    """
    Ticks while any thread's flag is up.

    Args:
        tick: Called every `SLICE_SECONDS`, in a thread of its own.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._wake = threading.Event()
        #: Whether nobody ticks.
        self.asleep = True
        self._flags: list[list[bool]] = []
        self._local = threading.local()
        threading.Thread(target=self._loop, name="durabox-ticker", daemon=True).start()

    def flag(self) -> list[bool]:
        """The calling thread's flag: a list of one item that says whether a guest runs on it now."""
        try:
            return self._local.flag  # type: ignore[no-any-return]
        except AttributeError:
            flag = self._local.flag = [False]
            self._flags.append(flag)
            return flag

    def wake(self) -> None:
        """To be called by who put a flag up while the ticker was `asleep`; who put it up takes it down again."""
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

    def _running(self) -> bool:
        return any(flag[0] for flag in self._flags)
