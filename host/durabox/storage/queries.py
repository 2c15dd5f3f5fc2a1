"""Queries over a copy of an object's database: whatever they do, the object does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import apsw

from durabox.errors import StorageError
from durabox.storage.failures import storage_error

#: Rows are handed on in batches of at most so many, and of about so many bytes.
_ROWS: Final = 1000
_BYTES: Final = 1024 * 1024

_ONE: Final = "Expected one statement."

#: Pragmas that only tell.
_TELLING: Final = frozenset(
    {
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "page_count",
        "page_size",
        "freelist_count",
        "user_version",
        "schema_version",
        "encoding",
        "integrity_check",
        "quick_check",
        "foreign_key_check",
    }
)
_READING: Final = frozenset(
    {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
)


@dataclass(frozen=True, slots=True)
class Rows:
    """
    A batch of a query's result.

    Args:
        columns: Their names.
        rows: The values of each row.
    """

    columns: tuple[str, ...]
    rows: list[tuple[apsw.SQLiteValue, ...]]


def query(copy: apsw.Connection, sql: str) -> Iterator[Rows]:
    """
    Run one query. Each step is blocking; `apsw.Connection.interrupt` ends it from another thread.

    Args:
        copy: A copy that nobody else uses.
        sql: One statement that only reads.
    Raises:
        StorageError: It is no such statement, or it failed.
    """
    copy.authorizer = _authorize
    try:
        cursor = copy.cursor()
        columns: tuple[str, ...] = ()
        batch: list[tuple[apsw.SQLiteValue, ...]] = []
        room = _BYTES
        statements = 0

        def started(cursor: apsw.Cursor, statement: str, bindings: object) -> bool:
            nonlocal statements
            statements += cursor.has_vdbe  # a comment has none
            if statements > 1:
                raise StorageError("sql", _ONE)
            return True

        cursor.exec_trace = started
        for row in cursor.execute(sql):
            columns = columns or tuple(column[0] for column in cursor.description)
            batch.append(row)
            room -= sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
            if len(batch) >= _ROWS or room <= 0:
                yield Rows(columns, batch)
                batch, room = [], _BYTES
        if not statements:
            raise StorageError("sql", _ONE)
        if batch:
            yield Rows(columns, batch)
    except apsw.Error as error:
        raise storage_error("sql", error, "the copy") from error
    except UnicodeDecodeError:
        raise StorageError("sql", "A text is no valid UTF-8: select CAST(… AS BLOB).") from None


def _authorize(
    action: int, first: str | None, second: str | None, schema: str | None, trigger: str | None
) -> int:
    if action in _READING and second != "load_extension":
        return apsw.SQLITE_OK
    if action == apsw.SQLITE_PRAGMA and first in _TELLING:
        return apsw.SQLITE_OK
    return apsw.SQLITE_DENY
