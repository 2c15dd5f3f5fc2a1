"""A statement's rows, read in batches, and what is kept of them when the statement has to end before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import apsw

from durabox import wire
from durabox.errors import StorageError

if TYPE_CHECKING:
    from durabox.storage.sql import SqlStore

#: Rows travel in batches of about so many bytes.
BATCH_BYTES: Final = 64 * 1024
#: The first batch is smaller: often nobody looks at more than a few rows of many.
_FIRST_BATCH_BYTES: Final = 8 * 1024
#: What queries may keep of their rows, all together, when their statements have to end early.
_KEPT_BYTES: Final = 8 * 1024 * 1024
#: How long queries may take to keep the rest of their rows: another row may never come.
_KEEPING_SECONDS: Final = 0.5
#: Commits after which a query's statement has to end: it keeps the WAL from being copied into the file.
_COMMITS: Final = 256

NO_MEMORY: Final = "out of memory: SQLITE_NOMEM"
_CLOSED: Final = "SQL cursor was closed because more of its rows were left than can be kept."
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
        changes: Rows that it changed so far, triggers included: SQLite tells when it ends.
    """

    __slots__ = (
        "_ahead",
        "_batch_bytes",
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
        self._batch_bytes = _FIRST_BATCH_BYTES
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
            self._store.queries.kept -= len(kept.rows)
            return kept
        most, self._batch_bytes = self._batch_bytes, BATCH_BYTES
        return self._read(most)

    def close(self) -> None:
        """End the statement, and forget its rows."""
        if self._kept is not None:
            self._store.queries.kept -= len(self._kept.rows)
            self._kept = None
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            self._store.queries.ended(self)
            cursor.close(True)

    def keep(self) -> None:
        """End the statement and keep the rows that are left."""
        if self._cursor is None:
            return
        queries = self._store.queries
        kept = self._read(_KEPT_BYTES - queries.kept)
        if kept.more or (kept.error is not None and queries.keeping_is_over):
            self._refusal = _CLOSED
            self.close()
        else:
            self._kept = kept
            queries.kept += len(kept.rows)

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
        total_changes = cursor.connection.total_changes
        before = total_changes()
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
            if self.writes:
                self.changes += total_changes() - before
        self.close()
        return Batch(bytes(rows), length, False, store.visited, failure)


class OpenQueries:
    """Queries of one database whose statements go on."""

    __slots__ = ("_commits", "_keep_until", "_open", "kept")

    def __init__(self) -> None:
        #: Bytes of rows that queries keep.
        self.kept = 0
        self._open: dict[Query, None] = {}
        #: Commits since a query is open.
        self._commits = 0
        #: When keeping rows must be over, in seconds of the monotonic clock; ``None`` while none are kept.
        self._keep_until: float | None = None

    def add(self, query: Query) -> None:
        """A query's statement goes on."""
        self._open[query] = None

    def ended(self, query: Query) -> None:
        """A query's statement has ended."""
        self._open.pop(query, None)

    def make_room(self, most: int) -> None:
        """End the oldest statement if as many go on; its rows stay readable, as far as they can be kept."""
        if len(self._open) >= most:
            self._keep([next(iter(self._open))])

    def put_aside(self, *, all_of_them: bool) -> None:
        """
        End statements that would be in the way of what comes; their rows stay readable.

        Args:
            all_of_them: Also those that only read.
        """
        if not self._open:
            self._commits = 0
            return
        self._commits += 1
        all_of_them |= self._commits > _COMMITS
        self._keep([query for query in self._open if all_of_them or query.writes])

    def _keep(self, queries: list[Query]) -> None:
        self._keep_until = time.monotonic() + _KEEPING_SECONDS
        try:
            for query in queries:
                query.keep()
        finally:
            self._keep_until = None

    @property
    def keeping(self) -> bool:
        """Whether rows are being kept."""
        return self._keep_until is not None

    @property
    def keeping_is_over(self) -> bool:
        """Whether it has taken all its time."""
        return self._keep_until is not None and time.monotonic() > self._keep_until

    def cancel(self, why: str) -> None:
        """End all statements; a later use of their queries raises."""
        for query in list(self._open):
            query.cancel(why)
