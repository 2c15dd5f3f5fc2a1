"""One of the host's own tables in an object's database: made by the first write to it, looked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase


class Table:
    """
    A table and the cursors to use it with.

    `reader` and `writer` are for the paths that must be fast: ``table.reader or table.to_read(…)``.

    Args:
        database: Where it is.
        has: SQL that gives a row if the table exists.
        create: SQL that makes it.
        cradle: Whether the first write to it may be to a cradle.
    """

    __slots__ = ("_cradle", "_create", "_database", "_has", "reader", "writer")

    def __init__(self, database: ObjectDatabase, has: str, create: str, *, cradle: bool = False) -> None:
        self._database = database
        self._has = has
        self._create = create
        self._cradle = cradle
        #: A cursor, when the table is known to be there.
        self.reader: apsw.Cursor | None = None
        #: The same, when in addition the transaction and all savepoints are open.
        self.writer: apsw.Cursor | None = None
        database.add(self)

    def to_read(self, operation: str) -> apsw.Cursor | None:
        """
        A cursor to read the table with, ``None`` if there is no table.

        Args:
            operation: What it is for, in messages.
        Raises:
            StorageError: See `ObjectDatabase`.
        """
        connection = self._database.to_read(operation, of_host=True)
        if connection is None:
            return None
        try:
            if connection.execute(self._has).get:
                self.reader = connection.cursor()
        except apsw.Error as error:
            raise self._database.failed(operation, error) from error
        return self.reader

    def to_write(self, operation: str) -> apsw.Cursor:
        """
        A cursor to write the table with, in the transaction and all savepoints.

        Args:
            operation: What it is for, in messages.
        Raises:
            StorageError: See `ObjectDatabase`.
        """
        connection = self._database.to_write(operation, of_host=True, cradle=self._cradle)
        reader = self.reader
        try:
            if reader is None:
                if not connection.execute(self._has).get:
                    connection.execute(self._create)
                reader = self.reader = connection.cursor()
        except apsw.Error as error:
            raise self._database.failed(operation, error) from error
        self.writer = reader
        return reader
