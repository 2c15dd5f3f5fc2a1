"""A disk that fails when a test wants it to."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from durabox.testing.files import Call, WatchedFiles

T = TypeVar("T")

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEEDS_SPACE: Final = frozenset({"write", "make_folder"})


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What fails, and how.

    Args:
        at: Number of the call that fails, counted from 1 since the fault was set.
        error: What the operating system says, an ``errno`` such as ``EIO``. With ``ENOSPC`` only what needs space fails.
        lasting: Whether all later calls fail as well, until `FaultyFiles.mend`.
        partly: Whether a write that fails writes the first half.
    """

    at: int
    error: int = errno.EIO
    lasting: bool = False
    partly: bool = False


class FaultyFiles(WatchedFiles):
    """
    The real file system, until `fail`.

    SQLite passes over some failures in silence, such as that of a checkpoint after a commit; here that commit
    reports them, although it is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        #: Calls since `fail` or `mend`.
        self.calls: list[Call] = []
        #: Those of them that failed.
        self.failed: list[Call] = []

    def fail(self, fault: Fault) -> None:
        """Have a call fail, counted from now."""
        self._set(fault)

    def mend(self) -> None:
        """Let everything succeed from now on."""
        self._set(None)

    def carry_out(self, call: Call, really: Callable[[], T], half: Callable[[], object] | None = None) -> T:
        """See `WatchedFiles`."""
        with self._lock:
            self.calls.append(call)
            fault = self._fault if self._is_hit(call) else None
            if fault is not None:
                self.failed.append(call)
        if fault is None:
            return really()
        if fault.partly and half is not None:
            half()
        raise OSError(fault.error, os.strerror(fault.error), call.path)

    def _set(self, fault: Fault | None) -> None:
        with self._lock:
            self._fault = fault
            self.calls.clear()
            self.failed.clear()

    def _is_hit(self, call: Call) -> bool:
        fault = self._fault
        if fault is None:
            return False
        if fault.error in _NO_SPACE and call.operation not in _NEEDS_SPACE:
            return False
        number = len(self.calls)
        return number == fault.at or (fault.lasting and number > fault.at)
