"""Which objects a namespace has, by name: a derived index, so that a list need not open every object's file.

The truth is in the objects' folder and in each object's own file. The catalogue repeats ids and names in one
SQLite file of its own, written lazily and in groups, and never waited for by a request. What it misses (a
killed process, a file that another program put there) `Catalog.compare` finds by looking at the folder; the
names are then read from the objects' files. It may be removed at any time, and where it cannot be written it is kept in memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import apsw
from msgspec import Struct

from durabox.storage.failures import storage_error
from durabox.storage.metadata import name_bytes, name_from
from durabox.storage.shelves import Shelf

logger = logging.getLogger("durabox.storage")

_VERSION: Final = 1
_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA journal_size_limit = {4 << 20};
BEGIN;
CREATE TABLE IF NOT EXISTS object (
    id TEXT PRIMARY KEY, name TEXT, stamp INTEGER, used INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_name ON object (name, id);
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_NOTE: Final = """
INSERT INTO object (id, name, used) VALUES (?1, CAST(?2 AS TEXT), ?3) ON CONFLICT (id) DO UPDATE SET
    name = coalesce(excluded.name, name), used = max(used, excluded.used)
"""
_RECORD: Final = """
INSERT INTO object (id, name, stamp) VALUES (?1, CAST(?2 AS TEXT), ?3) ON CONFLICT (id) DO UPDATE SET
    name = coalesce(excluded.name, name), stamp = excluded.stamp
"""
_COLUMNS: Final = "SELECT id, CAST(name AS BLOB), used FROM object"
#: The disk is full, or the like.
_UNWRITABLE: Final = (apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.IOError, OSError)
#: Greater than every byte of a name.
_AFTER_ALL: Final = b"\xff"


class Entry(Struct, frozen=True):
    """
    One object of a catalogue.

    Args:
        id: 64 hexadecimal digits.
        name: ``None`` when unknown.
        used: When it was in use last, in milliseconds since the epoch, as far as noted; 0 for never.
    """

    id: str
    name: str | None
    used: float


class Catalog:
    """
    The index of one namespace. All methods but `note` are blocking and may be called from any thread.

    Args:
        shelf: Where the objects are.
        path: The index's file, ``None`` to keep it in memory.
    """

    def __init__(self, shelf: Shelf, path: Path | None) -> None:
        self.shelf = shelf
        self._path = path
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._noted: dict[str, tuple[bytes | None, int]] = {}

    def note(self, object_id: str, name: str | None, used: float) -> None:
        """Keep in mind that an object was in use, until `write`."""
        with self._noting:
            self._noted[object_id] = (name_bytes(name), int(used))

    @property
    def in_memory(self) -> bool:
        """Whether it has no file, from the beginning or because that could not be written: then it has begun anew."""
        return self._path is None

    @property
    def behind(self) -> bool:
        """Whether something is noted and not written."""
        return bool(self._noted)

    def write(self) -> None:
        """
        Write what was noted.

        Raises:
            StorageError: It cannot be written.
        """
        with self._noting:
            noted, self._noted = self._noted, {}
        with self._open() as connection, connection:
            connection.executemany(
                _NOTE, ((object_id, name, used) for object_id, (name, used) in noted.items())
            )

    def compare(self) -> list[str]:
        """
        Look at the shelf: forget what has gone; the ids whose names have to be read.

        Raises:
            StorageError: The shelf or the index cannot be read.
        """
        self.write()
        try:
            there = set(self.shelf.ids())
        except OSError as error:
            raise storage_error("list", error, "the objects' folder") from error
        with self._open() as connection, connection:
            known = {row[0] for row in connection.execute("SELECT id FROM object")}
            connection.executemany("DELETE FROM object WHERE id = ?", ((gone,) for gone in known - there))
            unread = [
                object_id
                for object_id, stamp in connection.execute("SELECT id, stamp FROM object WHERE name IS NULL")
                if stamp is None or stamp != self.stamp(object_id)
            ]
        return sorted({*(there - known), *unread})

    def record(self, names: Iterable[tuple[str, str | None, int | None]]) -> None:
        """
        Keep names that were read from objects' files.

        Args:
            names: Id, name, and what `stamp` said before the name was read; a file that has none is read again when it
                has changed.
        Raises:
            StorageError: It cannot be written.
        """
        with self._open() as connection, connection:
            connection.executemany(
                _RECORD, ((object_id, name_bytes(name), stamp) for object_id, name, stamp in names)
            )

    def stamp(self, object_id: str) -> int | None:
        """When an object's file was changed last, in milliseconds since the epoch; ``None`` if there is none."""
        stamp = self.shelf.stamp(object_id)
        return None if stamp is None else int(stamp.changed)

    def page(self, prefix: str, after: tuple[str | None, str] | None, limit: int) -> list[Entry]:
        """
        Some objects, in order: those with a name by the bytes of it, then the others by id.

        Args:
            prefix: What the names begin with; ``""`` for all objects, also those without a name.
            after: Name and id of the last object of the page before.
            limit: Most objects.
        Raises:
            StorageError: The index cannot be read.
        """
        found: list[Entry] = []
        with self._open() as connection:
            if after is None or after[0] is not None:
                lower = name_bytes(prefix) or b""
                upper = lower + _AFTER_ALL
                name, object_id = (lower, "") if after is None else (name_bytes(after[0]), after[1])
                found += _entries(
                    connection.execute(
                        f"{_COLUMNS} WHERE (name, id) > (CAST(? AS TEXT), ?) AND name >= CAST(? AS TEXT)"
                        " AND name < CAST(? AS TEXT) ORDER BY name, id LIMIT ?",
                        (name, object_id, lower, upper, limit),
                    )
                )
                after = None
            if not prefix and len(found) < limit:
                found += _entries(
                    connection.execute(
                        f"{_COLUMNS} WHERE name IS NULL AND id > ? ORDER BY id LIMIT ?",
                        (after[1] if after else "", limit - len(found)),
                    )
                )
        return found

    def count(self) -> int:
        """
        How many objects it has.

        Raises:
            StorageError: The index cannot be read.
        """
        with self._open() as connection:
            count: int = connection.execute("SELECT count(*) FROM object").get
            return count

    def close(self) -> None:
        """Write what was noted, as far as that is possible, and close the file."""
        with contextlib.suppress(Exception):  # derived: what is lost is found again
            if self._noted:
                self.write()
        with self._lock:
            self._close()

    # Inside

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[apsw.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                yield self._connection
            except (apsw.Error, OSError) as error:
                if isinstance(error, apsw.CorruptError | apsw.NotADBError):
                    self._discard()
                elif isinstance(error, _UNWRITABLE) and self._path is not None:
                    logger.warning("%s: cannot be written, is done without: %s", self._path, error)
                    self._close()
                    self._path = None
                raise storage_error("list", error, "the catalogue") from error

    def _connect(self) -> apsw.Connection:
        if self._path is None:
            connection = apsw.Connection(":memory:")
            connection.execute(_SCHEMA).fetchall()
            return connection
        self._path.parent.mkdir(exist_ok=True)
        try:
            return _usable(self._path)
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError):
            self._discard()
            return _usable(self._path)

    def _discard(self) -> None:
        """It is damaged or of another version, and will be made anew."""
        self._close()
        if self._path is not None:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _usable(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        if connection.pragma("user_version") not in (0, _VERSION):
            raise apsw.NotADBError("another version")
        connection.execute(_SCHEMA).fetchall()
        connection.execute(f"{_COLUMNS} LIMIT 1").fetchall()
    except BaseException:
        connection.close(True)
        raise
    return connection


def _entries(rows: Iterable[tuple[str, bytes | None, int]]) -> Iterator[Entry]:
    for object_id, name, used in rows:
        yield Entry(object_id, name_from(name), used)
