"""Which facets an object has, and the number that each one's database file has: workerd's file ``<id>.facets``.

::

    u64    0xc4cdce5bc5b0ef57
    one entry for each facet, in the order of their numbers, from 1
        u16      number of the facet that it is a facet of, 0 for the object itself
        u16      length of its name in bytes, not 0
        bytes    its name in UTF-8

all little-endian. Facet 3 of an object is in the file ``<id>.3.sqlite`` beside the object's own. Entries are only ever
added: a facet that is deleted and comes back has the number that it had. What a killed writer left of an entry is
cut off by the next.

A number is chosen when a facet is looked at and written before the facet's file is born, so a file never has a number
that the index does not know. A file that has one all the same belongs to nobody, and goes when its number is given out.
"""

from __future__ import annotations

import struct
import threading
from typing import Final

from durabox.errors import StorageError
from durabox.storage.birth import Birthplace
from durabox.storage.durability import Durability
from durabox.storage.failures import storage_error

_MAGIC: Final = struct.pack("<Q", 0xC4CDCE5BC5B0EF57)
_HEAD: Final = struct.Struct("<HH")
#: Numbers have 16 bits.
MAX_NUMBER: Final = 0xFFFF


def facet_id(object_id: str, number: int) -> str:
    """By what the database of an object's facet is known where there are databases of objects; 0 is the object itself."""
    return f"{object_id}.{number}" if number else object_id


class FacetIndex:
    """
    The facets of one object, of any depth.

    Its methods may be called from any thread; only `keep` waits for the disk, but the first use reads the file.

    Args:
        birthplace: Of the object's namespace; ``None`` for an object in memory.
        object_id: The object.
    """

    def __init__(self, birthplace: Birthplace | None, object_id: str) -> None:
        self._birthplace = birthplace
        self._object_id = object_id
        self._lock = threading.Lock()
        self._loaded = birthplace is None
        #: Parent and name of each facet, the first one's at 0.
        self._entries: list[tuple[int, bytes]] = []
        self._numbers: dict[tuple[int, bytes], int] = {}
        #: How many are in the file, and where the next entry goes.
        self._kept = 0
        self._end = 0

    def number(self, parent: int, name: str) -> int:
        """
        The number of a facet; chosen now if it has none.

        Args:
            parent: The number of what it is a facet of.
            name: Its name.
        Raises:
            StorageError: There are too many, or the index cannot be read.
        """
        key = (parent, name.encode("utf-8", "surrogatepass"))
        with self._lock:
            self._load()
            number = self._numbers.get(key)
            if number is None:
                if len(self._entries) >= MAX_NUMBER:
                    raise StorageError("facet", "Maximum number of facets exceeded")
                number = self._add(key)
        return number

    def below(self, parent: int) -> dict[int, tuple[str, ...]]:
        """
        All facets below an object (0) or one of its facets, by number, with the names that lead to each; what a facet is
        in comes before it.

        Raises:
            StorageError: The index cannot be read.
        """
        paths: dict[int, tuple[str, ...]] = {parent: ()}
        with self._lock:
            self._load()
            for position, (of, name) in enumerate(self._entries):
                # A facet has a higher number than what it is in.
                if (path := paths.get(of)) is not None:
                    paths[position + 1] = (*path, name.decode("utf-8", "surrogatepass"))
        del paths[parent]
        return paths

    def find(self, parent: int, name: str) -> int | None:
        """
        The number of a facet, ``None`` if it has none.

        Raises:
            StorageError: The index cannot be read.
        """
        with self._lock:
            self._load()
            return self._numbers.get((parent, name.encode("utf-8", "surrogatepass")))

    def has(self, number: int) -> bool:
        """
        Whether a number is in the file, so that a database with it is the facet's.

        Raises:
            StorageError: The index cannot be read.
        """
        with self._lock:
            self._load()
            return self._birthplace is None or number <= self._kept

    def keep(self, number: int) -> None:
        """
        Have a number in the file. Blocking; durable when it returns.

        Raises:
            OSError: It cannot be written.
        """
        birthplace = self._birthplace
        if birthplace is None:
            return
        with self._lock:
            if number <= self._kept:
                return
            files = birthplace.files
            # Nobody's files must not become those of the facets that get their numbers.
            for new in range(self._kept + 1, number + 1):
                files.remove(self.path_of(new))
                birthplace.remove_wal(self.path_of(new))
            entries = b"".join(
                _HEAD.pack(parent, len(name)) + name for parent, name in self._entries[self._kept : number]
            )
            sync = birthplace.durability is not Durability.OFF
            birthplace.make_folder()
            is_new = self._end == 0
            files.append(self._path, _MAGIC + entries if is_new else entries, at=self._end, sync=sync)
            if is_new and sync:
                # Before there is a file with one of its numbers.
                files.sync_folder(birthplace.path)
            self._end += len(entries) + (len(_MAGIC) if is_new else 0)
            self._kept = number

    def path_of(self, number: int) -> str:
        """The file of a facet's database."""
        assert self._birthplace is not None
        return f"{self._birthplace.path}/{facet_id(self._object_id, number)}.sqlite"

    # Inside

    @property
    def _path(self) -> str:
        assert self._birthplace is not None
        return f"{self._birthplace.path}/{self._object_id}.facets"

    def _add(self, key: tuple[int, bytes]) -> int:
        self._entries.append(key)
        number = self._numbers[key] = len(self._entries)
        return number

    def _load(self) -> None:
        if self._loaded:
            return
        assert self._birthplace is not None
        try:
            with self._birthplace.files.open(self._path) as file:
                data = file.read()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise storage_error("facet", error, "the index of facets") from error
        if len(data) > len(_MAGIC):
            if not data.startswith(_MAGIC):
                raise StorageError("facet", "The index of facets is in an unknown format.")
            self._end = len(_MAGIC)
            while self._read(data):
                pass
            self._kept = len(self._entries)
        self._loaded = True

    def _read(self, data: bytes) -> bool:
        """Take in the next entry, unless it is none: then what follows was never relied upon."""
        start = self._end + _HEAD.size
        if start > len(data) or len(self._entries) >= MAX_NUMBER:
            return False
        parent, length = _HEAD.unpack_from(data, self._end)
        name = data[start : start + length]
        if not name or len(name) < length or parent > len(self._entries) or (parent, name) in self._numbers:
            return False
        try:
            name.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return False
        self._add((parent, name))
        self._end = start + length
        return True
