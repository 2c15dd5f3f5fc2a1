"""Newborn databases that many objects use, one after the other.

To make a database, even one in memory, costs SQLite some 100 µs: it is opened, its tables are made, and each statement is
compiled for it. An object whose first transaction does nothing but store keys and values needs none of that for itself (6 µs).
It writes in a *cradle*: a database without a file that has the host's two tables, and statements that are compiled. In place of
the commit the cradle's content, with what is uncommitted, becomes the object's file; then the cradle is rolled back, which leaves
nothing of the object in it, and is the next one's.

Only the host's own statements run in a cradle, and there are no savepoints. An object that wants more, such as SQL of its
own, moves out first: what is stored so far is copied into a newborn of its own (`move`).
"""

from __future__ import annotations

from typing import Final

import apsw

from durabox.storage import statements
from durabox.storage.connection import open_newborn

#: Kept for later; an open one takes some 70 KB.
_SPARE: Final = 32
#: One that grew past so many pages of 4 KiB has memory, and perhaps a temporary file, that nobody needs.
_LARGE: Final = 32

#: Text travels as bytes: it may hold lone surrogates.
_METADATA: Final = """
SELECT key, CASE typeof(value) WHEN 'text' THEN CAST(value AS BLOB) ELSE value END, typeof(value) FROM _cf_METADATA
"""
_MOVED_METADATA: Final = (
    "INSERT INTO _cf_METADATA VALUES (?1, CASE ?3 WHEN 'text' THEN CAST(?2 AS TEXT) ELSE ?2 END)"
)


class Cradles:
    """
    Cradles of one state directory. Any thread may use one, one thread at a time.

    Args:
        most_pages: What an object may take.
    """

    def __init__(self, most_pages: int) -> None:
        self._most_pages = most_pages
        self._spare: list[apsw.Connection] = []

    def take(self) -> apsw.Connection:
        """
        A cradle, with a transaction begun.

        Raises:
            apsw.Error: SQLite cannot.
        """
        try:
            cradle = self._spare.pop()
        except IndexError:
            cradle = open_newborn()
            cradle.execute(f"{statements.CREATE_KV}; {statements.CREATE_METADATA}").fetchall()
            cradle.execute(f"PRAGMA max_page_count = {self._most_pages}").fetchall()
        cradle.execute("BEGIN IMMEDIATE")
        return cradle

    def give_back(self, cradle: apsw.Connection, pages: int | None = None) -> None:
        """
        Have it empty again; no cursor of it is used any more.

        Args:
            cradle: One that `take` gave.
            pages: How many it has, if that is known.
        """
        try:
            large = (cradle.pragma("page_count") if pages is None else pages) > _LARGE
            if cradle.in_transaction:
                cradle.execute("ROLLBACK")
        except apsw.Error:
            large = True
        if large or len(self._spare) >= _SPARE:
            cradle.close(True)
        else:
            self._spare.append(cradle)

    def close(self) -> None:
        """Close those that nobody has."""
        while self._spare:
            self._spare.pop().close(True)


def move(cradle: apsw.Connection, newborn: apsw.Connection) -> None:
    """
    Copy what is stored in a cradle.

    Args:
        cradle: From where.
        newborn: To where: an empty database with a transaction begun.
    Raises:
        apsw.Error: SQLite cannot.
    """
    newborn.execute(statements.CREATE_KV)
    newborn.executemany(
        "INSERT INTO _cf_KV VALUES (CAST(? AS TEXT), ?)",
        cradle.execute("SELECT CAST(key AS BLOB), value FROM _cf_KV"),
    )
    metadata = cradle.execute(_METADATA).fetchall()
    if metadata:
        newborn.execute(statements.CREATE_METADATA)
        newborn.executemany(_MOVED_METADATA, metadata)
