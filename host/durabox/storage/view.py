"""A few of an object's keys and the shape of its tables, for people who look: every look is short."""

from __future__ import annotations

from typing import Final

import apsw
from msgspec import Struct

from durabox.storage import statements
from durabox.storage.database import ObjectDatabase
from durabox.storage.failures import storage_error

#: Longer values are told by their length.
LARGEST_SHOWN: Final = 64 * 1024
_ROOM: Final = 1024 * 1024

_KEYS: Final = f"""
SELECT CAST(key AS BLOB), length(value), CASE WHEN length(value) <= {LARGEST_SHOWN} THEN value END FROM _cf_KV
WHERE key >= CAST(? AS TEXT)
"""
_TABLES: Final = r"""
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE '\_cf\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name LIMIT 1000
"""


class Look(Struct, frozen=True):
    """
    What an object stores.

    Args:
        name: The object's, ``None`` when unknown.
        alarm: Nanoseconds since the epoch, ``None`` for none.
        keys: Key, length of the value, and the value unless that is longer than `LARGEST_SHOWN`.
        more: Whether there are further keys.
        tables: SQL tables of the object's own, with the names of their columns.
    """

    name: str | None
    alarm: int | None
    keys: list[tuple[bytes, int, bytes | None]]
    more: bool
    tables: list[tuple[str, list[str]]]


#: A look at what stores nothing.
NOTHING: Final = Look(None, None, [], False, [])


def look(database: ObjectDatabase, prefix: bytes, after: bytes | None, limit: int) -> Look | None:
    """
    Look at an object's database.

    Args:
        database: With nothing uncommitted.
        prefix: What the keys begin with.
        after: The last key of the look before, ``None`` for the first look.
        limit: Most keys; fewer are given when their values are large.
    Returns:
        ``None`` if the object stores nothing.
    Raises:
        StorageError: It cannot be read.
    """
    connection = database.to_read("show")
    if connection is None:
        return None
    keys: list[tuple[bytes, int, bytes | None]] = []
    more = False
    room = _ROOM
    try:
        if connection.execute(statements.HAS_KV).get:
            end = statements.end_of_prefix(prefix)
            bounds = [
                prefix if after is None else max(prefix, after + b"\0"),
                *([] if end is None else [end]),
            ]
            sql = f"{_KEYS}{'' if end is None else ' AND key < CAST(? AS TEXT)'} ORDER BY key"
            for key, length, value in connection.execute(sql, bounds):
                if len(keys) == limit or room < 0:
                    more = True
                    break
                keys.append((key, length, value))
                room -= len(key) + len(value or b"")
        tables = [
            (
                str(name),
                [str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))],
            )
            for name in [row[0] for row in connection.execute(_TABLES)]
        ]
    except apsw.Error as error:
        raise storage_error("show", error, "the object") from error
    return Look(database.metadata.name(), database.metadata.alarm(), keys, more, tables)
