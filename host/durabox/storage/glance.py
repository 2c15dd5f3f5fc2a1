"""What an object's file says about the object, for who looks at very many of them: from any thread, in some 70 µs.

To take a database into use costs ten times that, and belongs to the thread that uses it. Here the file is read as one
that nobody changes (SQLite's ``immutable``): without a lock, and without its WAL, so that whoever has it open does not
notice. So what is told is what was true at the last checkpoint. That is all there is to know when the file has no WAL;
otherwise it may be out of date, and after a crash amid a checkpoint even be a mixture: whoever uses it has to check it.

SQLite opens the file, not we: the locks that this process has on it would go with the first descriptor that is closed.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote

import apsw
from msgspec import Struct

from durabox.storage.connection import MAX_ROW
from durabox.storage.failures import storage_error
from durabox.storage.metadata import Key, name_from

_READ: Final = f"""
SELECT (SELECT value FROM _cf_METADATA WHERE key = {int(Key.ALARM)}),
    (SELECT CAST(value AS BLOB) FROM _cf_METADATA WHERE key = {int(Key.NAME)})
"""
_HAS: Final = "SELECT 1 FROM sqlite_schema WHERE name = '_cf_METADATA'"


class Glance(Struct, frozen=True):
    """
    What an object's file says.

    Args:
        name: The name that the object's id was made from, ``None`` if it is not told.
        alarm: When its alarm is due, in nanoseconds since the epoch; ``None`` for none.
        whole: Whether that is all there is to know: nothing waits beside the file.
    """

    name: str | None
    alarm: int | None
    whole: bool


def glance(path: str, vfs: str | None) -> Glance:
    """
    Look at an object's file.

    Args:
        path: The file.
        vfs: SQLite VFS, ``None`` for the default.
    Raises:
        StorageError: It is not there, or cannot be read.
    """
    whole = False
    try:
        whole = not any(map(_holds_something, (f"{path}-wal", f"{path}-journal")))
        connection = apsw.Connection(
            f"file:{quote(path)}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs=vfs,
            statementcachesize=0,
        )
        try:
            connection.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_ROW)
            try:
                alarm, name = connection.execute(_READ).get
            except apsw.SQLError:
                if connection.execute(_HAS).get:
                    raise
                alarm = name = None
        finally:
            connection.close(True)
    except (apsw.Error, OSError) as error:
        if not whole and isinstance(error, apsw.Error):
            # What waits beside it may make it sound.
            return Glance(None, None, whole=False)
        raise storage_error("open", error, os.path.basename(path)) from error
    return Glance(name_from(name), alarm if isinstance(alarm, int) else None, whole)


def _holds_something(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False
