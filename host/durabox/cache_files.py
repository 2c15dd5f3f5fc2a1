"""Files that durabox keeps from one process to the next: whoever misses one makes it again."""

from __future__ import annotations

import os

# As `typing` has it, without which a command gets to its bundle sooner.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def path(name: str) -> str:
    """
    Where a file is kept: in ``$DURABOX_CACHE``, or ``durabox`` in the user's cache directory. For a user without a home
    that is where no file can be.
    """
    folder = os.environ.get("DURABOX_CACHE")
    if not folder:
        home = os.path.expanduser("~")
        base = os.path.join(home if os.path.isabs(home) else os.devnull, ".cache")
        folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or base, "durabox")
    return os.path.join(folder, name)


def is_trusted(status: os.stat_result) -> bool:
    """Whether a file is this user's, and nobody else may write it."""
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def store(path: str, parts: Iterable[bytes | memoryview]) -> None:
    """
    Write a file, atomically: any number of processes may do so at once, and whoever reads it finds it whole, even after a
    power cut.

    Args:
        path: See `path`.
        parts: What it is made of.
    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    from tempfile import mkstemp

    folder, name = os.path.split(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, temporary = mkstemp(dir=folder, prefix=f".{name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
