"""Migrations: changes that are made to every object of a class, to each exactly once.

That an object has had a migration is a row of its own database, written in the same transaction as the change: nothing
can come between. A journal beside the objects repeats it, with how the object's file looked then: a migration that is run
again need not open those that it is done with and that nobody has written since. It may lag behind and may be lost.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import apsw

from durabox.errors import StorageError
from durabox.storage.database import ObjectDatabase
from durabox.storage.failures import storage_error
from durabox.storage.metadata import Key
from durabox.storage.shelves import Stamp

#: Outcomes between two writes to the journal.
_GROUP: Final = 100
_PATIENCE_MS: Final = 10_000
#: Held to open a journal: two connections that make a new file one with a WAL get in each other's way, and SQLite does not wait.
_OPENING: Final = threading.Lock()
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS visited (
    migration TEXT, unique_key TEXT, id TEXT, size INTEGER, changed REAL, PRIMARY KEY (migration, unique_key, id)
) WITHOUT ROWID;
"""


def has_had(database: ObjectDatabase, migration: str) -> bool:
    """
    Whether an object has had a migration.

    Raises:
        StorageError: Its database cannot be read.
    """
    return migration in _had(database)


def mark(database: ObjectDatabase, migration: str) -> None:
    """
    Note in the object's transaction that it has had a migration.

    Raises:
        StorageError: It cannot be written.
    """
    database.metadata.put(Key.MIGRATIONS, json.dumps([*_had(database), migration]))


def run_sql(database: ObjectDatabase, script: str, migration: str, stopped: Callable[[], bool]) -> None:
    """
    Change an object by SQL and mark it, in one transaction. Blocking, and durable when it returns.

    Args:
        database: With nothing uncommitted.
        script: Statements that the object's own code might run as well.
        migration: What to mark it with.
        stopped: Whether to give up, asked about every millisecond.
    Raises:
        StorageError: It failed and nothing has changed.
    """
    try:
        database.sql.run_script(script, stopped)
        mark(database, migration)
        database.commit()
    except BaseException:
        database.rollback()
        raise


class Journal:
    """
    Which objects a migration is done with. Blocking.

    Args:
        path: The file, made if absent; ``None`` keeps it in memory.
        migration: The migration.
        unique_key: The namespace.
    Raises:
        StorageError: The file cannot be used.
    """

    def __init__(self, path: Path | None, migration: str, unique_key: str) -> None:
        self._key = (migration, unique_key)
        self._waiting: list[tuple[str, str, str, int, float]] = []
        with _OPENING, self._errors():
            try:
                self._connection = _open(path)
            except (apsw.CorruptError, apsw.NotADBError):
                # It only saves time: the objects know.
                assert path is not None
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
                self._connection = _open(path)

    def has(self, object_id: str, stamp: Stamp) -> bool:
        """
        Whether the migration is known to be done with an object.

        Args:
            object_id: The object.
            stamp: How its file looks: it may have been restored, replaced or emptied since.
        """
        with self._errors():
            found = self._connection.execute(
                "SELECT size, changed FROM visited WHERE migration = ? AND unique_key = ? AND id = ?",
                (*self._key, object_id),
            ).get
            return bool(found == (stamp.size, stamp.changed))

    def add(self, object_id: str, stamp: Stamp) -> None:
        """Note that it is, before long, with how the object's file looks while nobody else can write to it."""
        self._waiting.append((*self._key, object_id, stamp.size, stamp.changed))
        if len(self._waiting) >= _GROUP:
            self.write()

    def write(self) -> None:
        """Write what was noted."""
        with self._errors():
            waiting, self._waiting = self._waiting, []
            with self._connection as connection:
                connection.executemany("INSERT OR REPLACE INTO visited VALUES (?, ?, ?, ?, ?)", waiting)

    def close(self) -> None:
        """Write what was noted and close the file."""
        try:
            self.write()
        finally:
            self._connection.close(True)

    @staticmethod
    @contextlib.contextmanager
    def _errors() -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            raise storage_error("migrate", error, "the journal of migrations") from error


def _open(path: Path | None) -> apsw.Connection:
    connection = apsw.Connection(":memory:" if path is None else str(path))
    try:
        # Another migration may be under way.
        connection.set_busy_timeout(_PATIENCE_MS)
        connection.execute(_SCHEMA).fetchall()
    except BaseException:
        connection.close(True)
        raise
    return connection


def _had(database: ObjectDatabase) -> list[str]:
    stored = database.metadata.get(Key.MIGRATIONS)
    if stored is None:
        return []
    try:
        had = json.loads(stored) if isinstance(stored, str) else None
    except ValueError:
        had = None
    if not isinstance(had, list):
        raise StorageError("migrate", "The object's list of migrations is damaged.", apsw.SQLITE_CORRUPT)
    return had
