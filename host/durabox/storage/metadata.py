"""What the host itself keeps in an object's database: the table ``_cf_METADATA``, as workerd lays it out."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import apsw

from durabox.storage import statements
from durabox.storage.table import Table

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase


class Key(IntEnum):
    """Rows of the table. Those below 1000 are workerd's."""

    ALARM = 1  # time of the alarm in nanoseconds since the epoch; NULL or absent for none
    BOOKMARK = 2  # counter behind workerd's local bookmarks
    NAME = 1000  # the name that the object's id was made from, as text; absent when unknown
    MIGRATIONS = 1001  # identifiers of the migrations that the object has had, as a JSON list


def name_from(stored: apsw.SQLiteValue) -> str | None:
    """The name that `statements.GET_NAME` found; ``None`` for nothing, or for what is no name."""
    try:
        return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else None
    except UnicodeDecodeError:
        return None


def name_bytes(name: str | None) -> bytes | None:
    """A name as statements take it: a lone surrogate keeps its three-byte form."""
    return None if name is None else name.encode("utf-8", "surrogatepass")


class Metadata:
    """
    Values by `Key`. Errors are those of `ObjectDatabase`.

    Args:
        database: Where they are.
    """

    __slots__ = ("_database", "_table")

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        self._table = Table(database, statements.HAS_METADATA, statements.CREATE_METADATA)

    def get(self, key: Key) -> apsw.SQLiteValue:
        """The value, ``None`` if there is none."""
        cursor = self._table.reader or self._table.to_read("metadata")
        if cursor is None:
            return None
        try:
            return cursor.execute(statements.GET_METADATA, (int(key),)).get
        except apsw.Error as error:
            raise self._database.failed("metadata", error) from error

    def name(self) -> str | None:
        """The name that the object's id was made from, ``None`` if no one has told."""
        cursor = self._table.reader or self._table.to_read("metadata")
        if cursor is None:
            return None
        try:
            return name_from(cursor.execute(statements.GET_NAME, (int(Key.NAME),)).get)
        except apsw.Error as error:
            raise self._database.failed("metadata", error) from error

    def alarm(self) -> int | None:
        """When the object's alarm is due, in nanoseconds since the epoch; ``None`` for none."""
        value = self.get(Key.ALARM)
        return value if isinstance(value, int) else None

    def put(self, key: Key, value: apsw.SQLiteValue) -> None:
        """Store a value; ``None`` stays as NULL."""
        cursor = self._table.writer or self._table.to_write("metadata")
        try:
            cursor.execute(statements.PUT_METADATA, (int(key), value))
        except apsw.Error as error:
            raise self._database.failed("metadata", error) from error
