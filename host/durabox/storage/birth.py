"""How a new object's database comes into being: prepared in memory, put in place as a whole.

Making a database file step by step costs an fsync for each step (WAL mode, table, first row). So the first
transaction runs in memory, on a copy of a prepared database; its commit writes the finished file beside its place,
syncs it and renames it. A crash leaves either no object or a whole one, plus at worst a temporary file that the
next start removes. Births that happen at the same time share the sync of their folder.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import apsw

from durabox.storage.statements import CREATE_KV

#: Suffix of files that are being written.
TEMPORARY: Final = ".born"
#: Bytes 18 and 19 of a database file: 1 is a rollback journal, 2 is WAL.
_WRITE_VERSION: Final = 18


def _prepare() -> bytes:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA page_size = 4096")
    connection.execute(CREATE_KV)
    content = connection.serialize("main")
    connection.close()
    return content


_TEMPLATE: Final = _prepare()


def unborn() -> apsw.Connection:
    """A database in memory with the tables of a new object."""
    connection = apsw.Connection(":memory:", statementcachesize=16)
    connection.deserialize("main", _TEMPLATE)
    return connection


class FolderSync:
    """
    Syncs one folder; callers that come while a sync runs share the next one.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Condition()
        self._started = 0
        self._finished = 0
        self._running = False

    def wait(self) -> None:
        """Return when everything that happened in the folder before the call is durable."""
        with self._changed:
            needed = self._started + 1
            while self._finished < needed and self._running:
                self._changed.wait()
            if self._finished >= needed:
                return
            self._running = True
            self._started += 1
            number = self._started
        try:
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        finally:
            with self._changed:
                self._running = False
                self._changed.notify_all()
        with self._changed:
            self._finished = max(self._finished, number)
            self._changed.notify_all()


def bear(connection: apsw.Connection, path: Path, folder: FolderSync | None) -> None:
    """
    Put a database from memory in its place on disk.

    Args:
        connection: From `unborn`, with nothing uncommitted.
        path: Where it belongs; nothing is there.
        folder: Syncs ``path``'s folder; ``None`` when commits need not be durable.
    Raises:
        OSError: It could not be written; then nothing is in its place.
    """
    content = bytearray(connection.serialize("main"))
    content[_WRITE_VERSION : _WRITE_VERSION + 2] = b"\2\2"
    temporary = path.with_suffix(TEMPORARY)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        if folder is not None:
            os.fsync(handle)
    except OSError:
        os.close(handle)
        temporary.unlink(missing_ok=True)
        raise
    os.close(handle)
    os.rename(temporary, path)
    if folder is not None:
        folder.wait()
