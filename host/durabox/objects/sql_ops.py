"""``ctx.storage.sql`` on the host's side: statements run within the turn, and their rows leave in batches.

The first batch is part of the answer to the statement, so a small query is one op. What is left of a larger one stays here under
a number until it is read, closed or forgotten by the guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from durabox import wire
from durabox.engine.ops import EndIsolate, GuestError
from durabox.errors import GuestProtocolError, StorageError
from durabox.objects.guest_errors import thrown
from durabox.storage.database import ObjectDatabase
from durabox.storage.sql import Binding
from durabox.storage.sql_query import Batch, Query

if TYPE_CHECKING:
    from durabox.objects.ops import ObjectOps

#: Queries with unread rows that a guest may have at once, those included that it will soon let go of.
MAX_QUERIES = 10_000
#: How many of them hold a compiled statement, which goes on.
_MOST_OPEN = 1_000


class SqlOps:
    """
    SQL on an object's own storage.

    Args:
        ops: Those of the object.
        database: Its storage.
    """

    __slots__ = ("_actor", "_gate", "_next_query", "_queries", "_sql")

    def __init__(self, ops: ObjectOps, database: ObjectDatabase) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._sql = database.sql
        self._sql.overdue = self._is_overdue
        self._queries: dict[int, Query] = {}
        self._next_query = 1

    def op_sql_exec(
        self, text: str, bindings: list[float | str | tuple[bytes] | None], body: bytes
    ) -> list[object] | int:
        """Run a text and answer with the first rows, or with how many were changed and how to run it again."""
        values: list[Binding] = [item[0] if type(item) is tuple else item for item in bindings]  # type: ignore[misc]
        sql = self._sql
        try:
            sql.queries.make_room(_MOST_OPEN)
            changes = sql.exec_again(text, values)
            if changes is not None:
                statement = sql.repeated(text)
                return changes if statement is None else [changes, statement.number, statement.entries]
            query = sql.exec(text, values)
            if not query.columns:
                return query.changes
            batch = query.batch()
            again = 0 if batch.error is not None else sql.number_to_read(text, len(values))
            if again != 0 and batch.more:
                # Of a lookup all rows are read, if they are not too many.
                batch = _together(batch, query.batch())
                again = 0 if batch.more or batch.error is not None else again
        except StorageError as error:
            raise self._failure(error) from None
        finally:
            self._gate.confirmed |= sql.wrote
        number = 0
        if batch.more:
            if len(self._queries) >= MAX_QUERIES:
                query.close()
                raise GuestError("Error", f"More than {MAX_QUERIES} SQL cursors with unread rows are open.")
            number = self._next_query
            self._next_query = number + 1
            self._queries[number] = query
        elif batch.length == 0 and batch.error is not None:
            raise GuestError("Error", batch.error)
        return [*_answer(batch, [number, query.columns, query.changes]), again]

    def op_sql_again(self, number: int, bindings: list[Any], body: bytes) -> int | None:
        """Run a statement by its number."""
        sql = self._sql
        self._gate.confirmed = True
        try:
            changes = sql.run(number, bindings)
            if changes == 1:
                return True if sql.is_certain(number) else None
        except StorageError as error:
            raise self._failure(error) from None
        except (TypeError, OverflowError) as error:
            raise GuestProtocolError(f"a binding is malformed: {error}") from None
        return False if changes is None else changes

    def op_sql_many(self, number: int, rows: list[list[Any]], body: bytes) -> None:
        """Add rows that were certain to be added: nobody is left who could be told of a failure."""
        self._gate.confirmed = True
        try:
            if not self._sql.add(number, rows):
                raise GuestProtocolError("rows were gathered that are not certain")
        except StorageError as error:
            failure = self._failure(error)
            raise failure if isinstance(failure, EndIsolate) else EndIsolate(error) from None
        except (TypeError, OverflowError) as error:
            raise GuestProtocolError(f"a binding is malformed: {error}") from None

    def op_sql_read(self, number: int, bindings: list[Any], body: bytes) -> bytes | bool:
        """Run a statement that looks up some rows by its number."""
        rows = self._sql.look_up(number, bindings)
        return False if rows is None else rows

    def op_sql_rows(self, number: int, body: bytes) -> list[object]:
        """The next rows of a query."""
        query = self._queries.get(number)
        if query is None:
            raise GuestError("Error", "There is no such SQL cursor.")
        try:
            batch = query.batch()
        except StorageError as error:
            del self._queries[number]
            raise self._failure(error) from None
        if not batch.more:
            del self._queries[number]
        return _answer(batch, [number if batch.more else 0, query.changes])

    def op_sql_close(self, number: int, body: bytes) -> None:
        """The guest will not read the rest."""
        query = self._queries.pop(number, None)
        if query is not None:
            query.close()

    def op_sql_size(self, body: bytes) -> int:
        """Bytes of pages in use."""
        try:
            return self._sql.size
        except StorageError as error:
            raise self._failure(error) from None

    def op_sql_entries(self, text: str, bindings: int, body: bytes) -> int:
        """Entries of tables and indexes that a row changed by the statement takes."""
        try:
            return self._sql.entries_per_row(text, bindings)
        except StorageError as error:
            raise self._failure(error) from None

    def _is_overdue(self) -> bool:
        return self._actor.overdue() is not None

    def _failure(self, error: StorageError) -> Exception:
        if error.sqlite_code & 0xFF == apsw.SQLITE_INTERRUPT and (limit := self._actor.overdue()) is not None:
            return EndIsolate(limit)
        return thrown(error)


def _together(first: Batch, second: Batch) -> Batch:
    return second._replace(rows=first.rows + second.rows, length=first.length + second.length)


def _answer(batch: Batch, head: list[object]) -> list[object]:
    """``[*head, visited rows, error, number of rows, rows]``."""
    rows = wire.array_header(batch.length) + batch.rows if batch.length else b""
    return [*head, batch.visited, batch.error, batch.length, rows]
