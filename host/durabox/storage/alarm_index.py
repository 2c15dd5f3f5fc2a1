"""One class's pending alarms on disk: the table ``_cf_ALARM`` in ``STATE/<unique key>/metadata.sqlite``.

The table is workerd's, so that either finds the alarms that the other left. Beside it is an index of ours over the
time, which workerd keeps up to date without knowing it: what is due next is found without looking at the
rest, however many are pending.

Objects' own databases are the truth (`metadata.Key.ALARM`); this only tells when to look at which. A row may
be earlier than the object's alarm, or left over: that costs a look. It must never be later or missing, so a
row is written and synced before the object's commit that needs it, with every `Durability` but ``off``.

If the file is missing, or no database any more, it is made anew from the objects' databases: all rows first, then
the file under its name, so a crash in between starts over. The objects must not be in use then: a file that turns out
to be damaged later is removed, for the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import apsw

from durabox.errors import StorageError
from durabox.storage.connection import open_newborn
from durabox.storage.durability import Durability
from durabox.storage.failures import storage_error
from durabox.storage.homes import Home
from durabox.storage.metadata import name_bytes, name_from

logger = logging.getLogger("durabox.storage")

#: The file's name without its ending, where an object has its id.
FILE: Final = "metadata"

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS _cf_ALARM (
      actor_id TEXT PRIMARY KEY,
      scheduled_time INTEGER,
      actor_name TEXT
    ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _cf_ALARM_due ON _cf_ALARM (scheduled_time);
"""
_HAS: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_cf_ALARM'"
_HAS_NAME: Final = "SELECT 1 FROM pragma_table_info('_cf_ALARM') WHERE name = 'actor_name'"
_SET: Final = """
INSERT INTO _cf_ALARM (actor_id, scheduled_time, actor_name) VALUES (?, ?, CAST(? AS TEXT))
ON CONFLICT (actor_id) DO UPDATE
SET scheduled_time = excluded.scheduled_time, actor_name = coalesce(excluded.actor_name, actor_name)
"""
_CLEAR: Final = "DELETE FROM _cf_ALARM WHERE actor_id = ?"
_GET: Final = "SELECT scheduled_time FROM _cf_ALARM WHERE actor_id = ?"
_AFTER: Final = "(scheduled_time, actor_id) > (?, ?)"
_DUE: Final = f"""
SELECT actor_id, CAST(actor_name AS BLOB), scheduled_time FROM _cf_ALARM WHERE {_AFTER} AND scheduled_time <= ?
ORDER BY scheduled_time, actor_id LIMIT ?
"""
_NEXT: Final = (
    f"SELECT scheduled_time FROM _cf_ALARM WHERE {_AFTER} ORDER BY scheduled_time, actor_id LIMIT 1"
)
_CACHE_KIB: Final = 8 * 1024
#: Changes in one transaction: each may write two pages to the WAL, which so has some 8 MiB at most.
_TOGETHER: Final = 1024

#: A time in nanoseconds and an id: where in the order of all rows.
Position: TypeAlias = tuple[int, str]
#: Before all rows.
START: Final[Position] = (-(1 << 63), "")


class UnfinishedIndexError(StorageError):
    """The directory closes while an index is made. Nothing is lost by that: who needs it next makes it."""

    def __init__(self) -> None:
        super().__init__("alarms", "The state directory is closed.")


class Pending(NamedTuple):
    """An object's alarm: who, the name that its id was made from if known, and when, in nanoseconds."""

    object_id: str
    name: str | None
    time_ns: int


class AlarmIndex:
    """
    The index of one class. Every method blocks and raises `StorageError`; one thread at a time.

    Args:
        home: Where the file is.
        durability: What commits guarantee.
        stored: The alarms in the objects' databases, asked for if there is no index.
    """

    def __init__(self, home: Home, durability: Durability, stored: Iterable[Pending]) -> None:
        self._home = home
        self._damaged = False
        try:
            self._connection = self._open(durability, stored)
        except (apsw.Error, OSError) as error:
            raise storage_error("alarms", error, home.label) from error

    def write(self, changes: Mapping[str, tuple[str | None, int | None]]) -> None:
        """
        Set and clear alarms; a crash in between leaves some of them set.

        Args:
            changes: By object id: its name and its time, ``None`` to clear it.
        """
        items = iter(changes.items())
        while some := [*islice(items, _TOGETHER)]:
            self._write(some)

    def get(self, object_id: str) -> int | None:
        """When the object's alarm is due, ``None`` for none."""
        try:
            time: int | None = self._connection.execute(_GET, (object_id,)).get
        except apsw.Error as error:
            raise self._failed(error) from error
        return time

    def get_many(self, object_ids: Iterable[str]) -> dict[str, int]:
        """When the alarms of those objects that have one are due."""
        try:
            return {
                object_id: time
                for object_id in object_ids
                if (time := self._connection.execute(_GET, (object_id,)).get) is not None
            }
        except apsw.Error as error:
            raise self._failed(error) from error

    def due(self, after: Position, until_ns: int, limit: int) -> tuple[list[Pending], int | None]:
        """
        What is due, in order.

        Args:
            after: Where to go on.
            until_ns: The time now.
            limit: Most rows.
        Returns:
            The rows, and the time of the one that comes after them, due or not.
        """
        try:
            rows = [
                Pending(object_id, name_from(name), time)
                for object_id, name, time in self._connection.execute(_DUE, (*after, until_ns, limit))
            ]
            last = (rows[-1].time_ns, rows[-1].object_id) if rows else after
            following: int | None = self._connection.execute(_NEXT, last).get
        except apsw.Error as error:
            raise self._failed(error) from error
        return rows, following

    def close(self) -> None:
        """Give the file back."""
        self._home.leave(self._connection)

    def _write(self, changes: list[tuple[str, tuple[str | None, int | None]]]) -> None:
        sets = [(key, time, name_bytes(name)) for key, (name, time) in changes if time is not None]
        clears = [(key,) for key, (_, time) in changes if time is None]
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(_SET, sets)
                connection.executemany(_CLEAR, clears)
                connection.execute("COMMIT")
            except apsw.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: apsw.Error) -> StorageError:
        """The error to raise. A damaged file goes at once, so that the next start makes it anew."""
        if isinstance(error, apsw.CorruptError | apsw.NotADBError) and not self._damaged:
            self._damaged = True
            logger.error(
                "%s: %s; the next start makes it anew from the objects' databases", self._home.label, error
            )
            try:
                self._home.discard()
            except OSError as failure:
                logger.error("%s: it cannot be removed: %s", self._home.label, failure)
        return storage_error("alarms", error, self._home.label)

    def _open(self, durability: Durability, stored: Iterable[Pending]) -> apsw.Connection:
        if self._home.exists():
            problem = "it has no table of alarms"
            try:
                connection = self._home.open()
                if connection.execute(_HAS).get:
                    return self._set_up(connection, durability)
                self._home.leave(connection)
            except (apsw.CorruptError, apsw.NotADBError) as error:
                problem = str(error)
            logger.error("%s: %s; it is made anew from the objects' databases", self._home.label, problem)
            # With its WAL, which must not be found beside another file.
            self._home.discard()
        newborn = open_newborn()
        try:
            newborn.execute(_CREATE).fetchall()
            with newborn:
                newborn.executemany(
                    _SET, ((row.object_id, row.time_ns, name_bytes(row.name)) for row in stored)
                )
        except BaseException:
            newborn.close(True)
            raise
        self._home.replace(None, newborn)
        return self._set_up(self._home.open(), durability)

    def _set_up(self, connection: apsw.Connection, durability: Durability) -> apsw.Connection:
        try:
            connection.execute(_CREATE).fetchall()
            if not connection.execute(_HAS_NAME).get:
                connection.execute("ALTER TABLE _cf_ALARM ADD COLUMN actor_name TEXT")
            connection.pragma("cache_size", -_CACHE_KIB)
            if durability is not Durability.OFF:
                connection.pragma("synchronous", "FULL")
        except BaseException:
            self._home.leave(connection)
            raise
        return connection
