"""Where the databases of one namespace's objects are, seen as a whole: a folder of files, or this process's memory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from durabox.storage.glance import Glance, glance

if TYPE_CHECKING:
    from durabox.storage.homes import MemoryHome

_FILE: Final = re.compile(r"([0-9a-f]{64})\.sqlite", re.ASCII)
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stamp:
    """
    An object's file, from outside.

    Args:
        size: Bytes, with what waits in its WAL.
        changed: When it was written last, in milliseconds since the epoch.
    """

    size: int
    changed: float


class Shelf(Protocol):
    """Where a namespace's databases are."""

    def ids(self) -> Iterable[str]:
        """The objects that have one."""
        ...

    def stamp(self, object_id: str) -> Stamp | None:
        """What can be seen of one from outside, ``None`` if there is none."""
        ...

    def glance(self, object_id: str) -> Glance:
        """
        What one says of itself, as far as that can be told without taking it into use. From any thread.

        Raises:
            StorageError: It cannot be read.
        """
        ...


class FolderShelf:
    """
    A folder of files, as workerd lays it out.

    Args:
        path: The folder; need not exist.
        vfs: SQLite VFS, ``None`` for the default.
    """

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        self._path = str(path)
        self._vfs = vfs

    def ids(self) -> Iterable[str]:
        """See `Shelf`."""
        try:
            with os.scandir(self._path) as entries:
                return [match[1] for entry in entries if (match := _FILE.fullmatch(entry.name))]
        except FileNotFoundError:
            return []

    def stamp(self, object_id: str) -> Stamp | None:
        """See `Shelf`."""
        path = f"{self._path}/{object_id}.sqlite"
        try:
            file = os.stat(path)
        except FileNotFoundError:
            return None
        size, changed = file.st_size, file.st_mtime_ns
        with contextlib.suppress(FileNotFoundError):
            wal = os.stat(f"{path}-wal")
            size, changed = size + wal.st_size, max(changed, wal.st_mtime_ns)
        return Stamp(size, changed / 1e6)

    def glance(self, object_id: str) -> Glance:
        """See `Shelf`."""
        return glance(f"{self._path}/{object_id}.sqlite", self._vfs)


class MemoryShelf:
    """
    Databases in memory.

    Args:
        homes: All of them, by unique key and id.
        unique_key: The namespace.
    """

    def __init__(self, homes: dict[tuple[str, str], MemoryHome], unique_key: str) -> None:
        self._homes = homes
        self._unique_key = unique_key

    def ids(self) -> Iterable[str]:
        """See `Shelf`."""
        return [
            object_id
            for (key, object_id), home in self._homes.items()
            if key == self._unique_key and _OBJECT_ID.fullmatch(object_id) and home.exists()
        ]

    def stamp(self, object_id: str) -> Stamp | None:
        """See `Shelf`; when it changed is not known."""
        home = self._homes.get((self._unique_key, object_id))
        return None if home is None or not home.exists() else Stamp(home.size(), 0.0)

    def glance(self, object_id: str) -> Glance:
        """See `Shelf`; it is for one thread, so nothing can be told."""
        return Glance(None, None, whole=False)
