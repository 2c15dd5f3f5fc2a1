"""One process owns a state directory: the promise that an object lives in one place at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from durabox.errors import StateLockedError


class OwnerLock:
    """
    The ownership of a folder, until `release` or the end of the process.

    The lock is the kernel's, on a file that also holds the owner's process id for the message to others; a
    file left over by a killed owner is not locked.

    Args:
        path: The lock file; made if absent.
        folder: The folder it stands for.
    Raises:
        StateLockedError: Another owner holds it.
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateLockedError(_refusal(os.pread(self._handle, 32, 0), folder)) from None
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let others have it."""
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def _refusal(owner: bytes, folder: Path) -> str:
    pid = owner.decode("ascii", "replace").strip()
    who = (
        "this very process"
        if pid == str(os.getpid())
        else f"process {pid}"
        if pid.isdigit()
        else "another process"
    )
    return (
        f"The state directory {folder} is in use by {who}. "
        "Only one process may own it: stop the other one or choose another directory."
    )
