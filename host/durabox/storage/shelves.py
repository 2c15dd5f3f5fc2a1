"""Where the databases of one namespace's objects are, seen as a whole: a folder of files, or this process's memory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from msgspec import Struct

from durabox.errors import StorageError
from durabox.storage.birth_log import BirthLog
from durabox.storage.facet_index import FacetIndex, facet_id
from durabox.storage.failures import storage_error
from durabox.storage.glance import Glance, glance

if TYPE_CHECKING:
    from durabox.storage.homes import MemoryHome

#: An object's database, or that of a facet of it.
_FILE: Final = re.compile(r"([0-9a-f]{64})(?:\.[1-9][0-9]{0,4})?\.sqlite", re.ASCII)
#: Which facets an object has, by its id.
Facets: TypeAlias = "Callable[[str], FacetIndex]"

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Stamp(Struct, frozen=True):
    """
    The files of an object and its facets, from outside.

    Args:
        size: Bytes, with what waits in their WALs.
        changed: When one was written last, in milliseconds since the epoch.
    """

    size: int
    changed: float


class Shelf(Protocol):
    """Where a namespace's databases are."""

    def ids(self) -> Iterable[str]:
        """The objects of which there is one, their own or a facet's."""
        ...

    def stamp(self, object_id: str) -> Stamp | None:
        """What can be seen of an object's from outside, ``None`` if there is none; facets of a damaged index are left out."""
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
        facets: Which facets an object has.
        births: Places the files of new objects, before they are looked at; ``None`` if they are in place.
        vfs: SQLite VFS, ``None`` for the default.
    """

    def __init__(
        self, path: Path, facets: Facets, births: BirthLog | None = None, vfs: str | None = None
    ) -> None:
        self._path = str(path)
        self._facets = facets
        self._births = births
        self._vfs = vfs

    def ids(self) -> Iterable[str]:
        """See `Shelf`."""
        if self._births is not None:
            # What the disk has no room for is found with the next look.
            with contextlib.suppress(OSError):
                self._births.place_all()
        try:
            with os.scandir(self._path) as entries:
                return {match[1] for entry in entries if (match := _FILE.fullmatch(entry.name))}
        except FileNotFoundError:
            return []

    def stamp(self, object_id: str) -> Stamp | None:
        """See `Shelf`."""
        numbers = [0]
        with contextlib.suppress(StorageError):
            facets = self._facets(object_id)
            numbers += (number for number in facets.below(0) if facets.has(number))
        stamps = [stamp for number in numbers if (stamp := self._stamp(facet_id(object_id, number)))]
        if not stamps:
            return None
        return Stamp(sum(stamp.size for stamp in stamps), max(stamp.changed for stamp in stamps))

    def glance(self, object_id: str) -> Glance:
        """See `Shelf`."""
        path = f"{self._path}/{object_id}.sqlite"
        try:
            if self._births is not None:
                self._births.place(path)
            return glance(path, self._vfs)
        except OSError as error:
            file = f"{Path(self._path).name}/{object_id}.sqlite"
            raise storage_error("open", error, file) from error
        except StorageError:
            if self._stamp(object_id) is None:
                # Only facets of it store something.
                return Glance(None, None, whole=True)
            raise

    def _stamp(self, part: str) -> Stamp | None:
        """The file of one database."""
        path = f"{self._path}/{part}.sqlite"
        if self._births is not None:
            with contextlib.suppress(OSError):
                self._births.place(path)
        try:
            file = os.stat(path)
        except FileNotFoundError:
            return None
        size, changed = file.st_size, file.st_mtime_ns
        with contextlib.suppress(FileNotFoundError):
            wal = os.stat(f"{path}-wal")
            size, changed = size + wal.st_size, max(changed, wal.st_mtime_ns)
        return Stamp(size, changed / 1e6)


class MemoryShelf:
    """
    Databases in memory.

    Args:
        homes: All of them, by unique key and id.
        unique_key: The namespace.
        facets: Which facets an object has.
    """

    def __init__(self, homes: dict[tuple[str, str], MemoryHome], unique_key: str, facets: Facets) -> None:
        self._homes = homes
        self._unique_key = unique_key
        self._facets = facets

    def ids(self) -> Iterable[str]:
        """See `Shelf`."""
        return {
            part.partition(".")[0]
            for (key, part), home in self._homes.items()
            if key == self._unique_key and _OBJECT_ID.match(part) and home.exists()
        }

    def stamp(self, object_id: str) -> Stamp | None:
        """See `Shelf`; when it changed is not known."""
        parts = [facet_id(object_id, number) for number in (0, *self._facets(object_id).below(0))]
        homes = [self._homes.get((self._unique_key, part)) for part in parts]
        sizes = [home.size() for home in homes if home is not None and home.exists()]
        return Stamp(sum(sizes), 0.0) if sizes else None

    def glance(self, object_id: str) -> Glance:
        """See `Shelf`; it is for one thread, so nothing can be told."""
        return Glance(None, None, whole=False)
