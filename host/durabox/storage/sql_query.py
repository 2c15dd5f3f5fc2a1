"""A statement's rows, read in batches, and what is kept of them when the statement has to end before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import apsw

from durabox import wire
from durabox.errors import StorageError

if TYPE_CHECKING:
    from durabox.storage.sql import SqlStore

#: Rows travel in batches of about so many bytes.
BATCH_BYTES: Final = 64 * 1024
#: What queries may keep of their rows, all together, when their statements have to end early.
_KEPT_BYTES: Final = 8 * 1024 * 1024

NO_MEMORY: Final = "out of memory: SQLITE_NOMEM"
_CLOSED: Final = "SQL cursor was closed because more of its rows were left than can be kept when the database is put aside."
_NOT_UTF8: Final = "The SQL query returned text that is not valid UTF-8."


class Batch(NamedTuple):
    """Some rows of a `Query`."""

    #: Each row as a msgpack array, one after the other.
    rows: bytes
    #: How many they are.
    length: int
    #: Whether there may be others after them.
    more: bool
    #: Rows that the statement visited, as far as SQLite counts them; 0 while it goes on.
    visited: int
    #: What failed in reading the row after the last, as a message.
    error: str | None


_NO_MORE: Final = Batch(b"", 0, False, 0, None)


class Query:
    """
    The rows of a statement that runs.

    Args:
        store: Where it runs.
        cursor: At the first row, or past the last; ``None`` for a statement without rows.
        columns: Names, in order.
        writes: Whether the statement may write.
        changes: Rows that it changed, triggers included.
    """

    __slots__ = (
        "_ahead",
        "_cursor",
        "_kept",
        "_refusal",
        "_store",
        "_visited",
        "changes",
        "columns",
        "writes",
    )

    def __init__(
        self,
        store: SqlStore,
        cursor: apsw.Cursor | None,
        columns: list[str],
        writes: bool,
        changes: int,
    ) -> None:
        self.columns = columns
        self.writes = writes
        self.changes = changes
        self._store = store
        # The statement may have ended at once.
        self._visited = store.visited
        self._cursor = cursor
        #: The row after the last one given away.
        self._ahead: tuple[apsw.SQLiteValue, ...] | None = None
        #: The rest, when the statement had to end.
        self._kept: Batch | None = None
        self._refusal: str | None = None

    def batch(self) -> Batch:
        """
        The next rows.

        Raises:
            StorageError: The query was canceled, or its object's storage is no longer there.
        """
        if self._refusal is not None:
            raise StorageError("exec", self._refusal)
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._store.kept -= len(kept.rows)
            return kept
        return self._read(BATCH_BYTES)

    def close(self) -> None:
        """End the statement, and forget its rows."""
        if self._kept is not None:
            self._store.kept -= len(self._kept.rows)
            self._kept = None
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            self._store.ended(self)
            cursor.close(True)

    def keep(self) -> None:
        """End the statement and keep the rows that are left."""
        if self._cursor is None:
            return
        store = self._store
        kept = self._read(_KEPT_BYTES - store.kept)
        if kept.more or (kept.error is not None and store.keeping_is_over):
            self._refusal = _CLOSED
            self.close()
        else:
            self._kept = kept
            store.kept += len(kept.rows)

    def cancel(self, why: str) -> None:
        """End the statement; a later use raises."""
        if self._cursor is not None:
            self._refusal = why
            self.close()

    def _read(self, most: int) -> Batch:
        cursor = self._cursor
        if cursor is None:
            return _NO_MORE
        rows = bytearray()
        length = 0
        append = wire.append
        store = self._store
        store.visited = self._visited
        store.enter(counting=not self.writes)
        try:
            if self._ahead is not None:
                append(self._ahead, rows, -1)
                length = 1
                self._ahead = None
            for row in cursor:
                if len(rows) >= most:
                    self._ahead = row
                    return Batch(bytes(rows), length, True, 0, None)
                append(row, rows, -1)
                length += 1
        except apsw.Error as error:
            failure: str | None = store.failed(error).message
        except UnicodeDecodeError:
            failure = _NOT_UTF8
        except MemoryError:
            failure = NO_MEMORY
        else:
            failure = None
        finally:
            store.leave()
        self.close()
        return Batch(bytes(rows), length, False, store.visited, failure)
