"""A copy of an object's database at one moment, made while the object goes on working.

SQLite's online backup through the object's own connection, a few pages at a time: what the object commits between
two steps goes into both, so that the copy shows the moment of its last step. Nothing else could read a live
object's file: its connection has it for itself, and opening it a second time in the same process would drop the
locks that keep others away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw

from durabox.errors import StorageError
from durabox.storage.connection import open_newborn
from durabox.storage.database import ObjectDatabase
from durabox.storage.failures import storage_error

#: Pages of 4 KiB copied in one step, during which the object cannot work: about a millisecond.
_STEP: Final = 128


class Copying:
    """
    A copy in the making.

    Args:
        path: The file to write, which must not exist; ``None`` for a database that ends with its connection: in
            memory, and past 2 MB of it in a nameless temporary file.
        progress: Told after each step how many pages are copied, and of how many.
    Raises:
        StorageError: The file cannot be made.
    """

    def __init__(self, path: str | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        self._progress = progress
        self._label = "the copy"
        self._source: apsw.Connection | None = None
        self._backup: apsw.Backup | None = None
        try:
            if path is None:
                self._target = open_newborn()
            else:
                self._target = apsw.Connection(path)
                for setting in ("locking_mode = EXCLUSIVE", "synchronous = OFF", "journal_mode = OFF"):
                    self._target.execute(f"PRAGMA {setting}").fetchall()
        except apsw.Error as error:
            raise storage_error("copy", error, self._label) from error

    def step(self, database: ObjectDatabase) -> bool:
        """
        Copy some more; whether all is copied.

        Args:
            database: The object's, with nothing uncommitted in it. When it is on another connection than in the step
                before, the copy begins anew.
        Raises:
            StorageError: The object stores nothing, or reading or writing failed.
        """
        try:
            source = database.to_read("copy")
            if source is None:
                raise StorageError("copy", "The object stores nothing.")
            if self._backup is None or source is not self._source:
                self._drop()
                self._source = source
                self._backup = self._target.backup("main", source, "main")
            # A database without a file would begin anew with each commit in between, and memory is fast.
            done = self._backup.step(_STEP if source.db_filename("main") else -1)
            if self._progress is not None:
                pages = self._backup.page_count
                self._progress(pages - self._backup.remaining, pages)
            if done:
                self._drop()
        except apsw.Error as error:
            raise storage_error("copy", error, self._label) from error
        return done

    def finish(self) -> apsw.Connection:
        """The connection to the complete copy, which is the caller's from now on."""
        return self._target

    def abandon(self) -> None:
        """Give up: the copy's file, if it has one, is incomplete."""
        self._drop()
        self._target.close(True)

    def _drop(self) -> None:
        backup, self._backup, self._source = self._backup, None, None
        if backup is not None:
            backup.close(True)
