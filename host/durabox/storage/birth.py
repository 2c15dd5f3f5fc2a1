"""How an object's database file comes into being, and how another takes its place.

A new object's first commit is its costliest, so it does not go through SQLite's own way of making a database
in WAL mode, which waits for the disk a dozen times. The first transaction runs in a newborn database without
a file, and its commit writes the finished file:

1. the newborn's image, already marked as a WAL database, to a new file in the folder for births; sync it;
2. rename it to its final name; sync the folder it is in now.

Until the rename is on disk there is no file, after it a complete one: a crash leaves nothing to repair, and
what it leaves in the folder for births is removed at the next start.

Those are two waits for the disk. Where nothing was before, neither a file nor a history, the image goes into the log of
births instead, which waits once for all that come together and writes the files afterwards; `birth_log` has the rest of that.
Whoever looks at a file asks for it first (`Birthplace.place`), and whatever is to happen to one, other than commits to its WAL,
begins with `Birthplace.settle`.

``deleteAll`` is a second birth, in place of the old file. There the old WAL must be gone before the new file
takes the name, or the next open would apply it to the wrong file; so the old file is first made complete
without it.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from durabox.storage.birth_log import MAX_CONTENT, Birth, BirthLog, remove_wal
from durabox.storage.durability import Durability
from durabox.storage.files import Files
from durabox.storage.history.recorder import Recorder

logger = logging.getLogger("durabox.storage")

#: What a thread is to do.
Work: TypeAlias = "Callable[[], None]"

#: A newborn of at most this many pages of 4 KiB is written in one piece.
_IMAGE_PAGES: Final = MAX_CONTENT // 4096
#: Offsets 18 and 19 of the header: the versions needed to write and to read; 2 is WAL.
_JOURNAL_VERSIONS: Final = slice(18, 20)
_WAL_VERSIONS: Final = b"\x02\x02"


class _Names:
    """
    The names in a folder, made durable by threads that share the work.

    A sync covers the names that were there when it began. Who comes while one is under way waits for the next, which
    the first of those who wait does for all of them.

    Args:
        folder: The folder.
        files: The file system.
    """

    def __init__(self, folder: str, files: Files) -> None:
        self._folder = folder
        self._files = files
        self._syncing = threading.Lock()
        #: Syncs that began, and the last one of them that succeeded.
        self._begun = self._done = 0

    def sync(self) -> None:
        """
        Return when the names that are there now are on disk.

        Raises:
            OSError: The file system failed.
        """
        wanted = self._begun + 1
        with self._syncing:
            if self._done >= wanted:
                return
            self._begun += 1
            self._files.sync_folder(self._folder)
            self._done = self._begun


class Birthplace:
    """
    Puts files of one namespace in place. Its folder is made when the first object is born.

    Args:
        path: The namespace's folder; its parent exists.
        births: Folder on the same file system for files that are not finished.
        durability: What commits guarantee.
        files: The file system.
        log: Where births are recorded, ``None`` if each waits for the disk by itself.
    """

    def __init__(
        self, path: Path, births: Path, durability: Durability, files: Files, log: BirthLog | None
    ) -> None:
        self.name = path.name
        self.path = str(path)
        self.durability = durability
        self.files = files
        self._log = log
        self._parent = str(path.parent)
        self._unfinished = str(births / path.name)
        self._numbers = itertools.count()
        self._names = _Names(self.path, files)
        self._making = threading.Lock()
        self._made = False

    def replace(
        self,
        path: str,
        old: apsw.Connection | None,
        new: apsw.Connection | None,
        history: Recorder | None,
    ) -> None:
        """
        See `homes.Home.replace`.

        Args:
            path: The object's file.
            old: The connection to it, ``None`` if it does not exist.
            new: The committed newborn, ``None`` to remove the file. Both connections are used up.
            history: The object's, ``None`` if none is kept.
        """
        finished: str | None = None
        try:
            if old is not None:
                try:
                    self.complete(path, old, history)
                    old.close(True)
                    if history is not None:
                        history.closed()
                except (apsw.CorruptError, apsw.NotADBError) as error:
                    # It goes, and so it need not be whole.
                    logger.warning("%s/%s: %s; it is replaced as it is", self.name, Path(path).name, error)
                    old.close(True)
                    if history is not None:
                        history.closed()
            if new is not None:
                image = image_of(new)
                if image is not None and old is None:
                    self.bear(path, image, history)
                    return
                finished = self.unfinished()
                if image is None:
                    self._copy(new, finished)
                else:
                    self.files.write(finished, image, sync=self.durability is not Durability.OFF)
            self.put_in_place(path, finished, history, replaces=old is not None)
            finished = None
        finally:
            if finished is not None:
                self.files.remove(finished)
            for connection in (old, new):
                if connection is not None:
                    connection.close(True)

    def takes_births(self, history: Recorder | None) -> bool:
        """
        Whether an object's first commit is one for the log of births.

        Args:
            history: The object's, ``None`` if none is kept.
        """
        log = self._log
        return log is not None and log.has_room and not _has_past(history)

    @property
    def is_made(self) -> bool:
        """Whether the folder is there, durably."""
        return self._made

    def add(self, path: str, image: bytearray, over: Callable[[OSError | None], object]) -> Work | None:
        """
        Have the log of births take an object's first commit. Does not wait.

        Args:
            path: The file; it does not exist, but its folder does.
            image: What is in it; see `image_of`.
            over: See `Birth`.
        Returns:
            What some thread has to do now, ``None`` if one does it already.
        """
        log = self._log
        assert log is not None
        return log.record_all if log.add(Birth(path, image, over)) else None

    def hurry(self) -> None:
        """Do what `add` has to be done; blocking. Whoever waits for a birth without letting others go on needs that."""
        assert self._log is not None
        self._log.record_all()

    def bear(self, path: str, image: bytearray, history: Recorder | None) -> None:
        """
        Put an object's first file in place, durably. Blocking.

        Args:
            path: The file; it does not exist.
            image: What is in it; see `image_of`.
            history: The object's, ``None`` if none is kept.
        Raises:
            OSError: The file system failed.
        """
        if self.takes_births(history):
            assert self._log is not None
            self.make_folder()
            self._log.record(path, image)
            if history is not None:
                history.born()
            return
        finished = self.unfinished()
        try:
            self.files.write(finished, image, sync=self.durability is not Durability.OFF)
            self.put_in_place(path, finished, history, replaces=False)
        except BaseException:
            self.files.remove(finished)
            raise

    def discard(self, path: str) -> None:
        """Remove a file that is of no use, and its WAL."""
        self.settle(path)
        self.files.remove(path)
        self.remove_wal(path)
        if self.durability is Durability.FULL:
            self.files.sync_folder(self.path)

    def unfinished(self) -> str:
        """A name for a file that is being made."""
        self.make_folder()
        return f"{self._unfinished}.{next(self._numbers)}"

    def put_in_place(
        self, path: str, finished: str | None, history: Recorder | None, *, replaces: bool, undo: int = 0
    ) -> None:
        """
        Give a finished file its name, atomically.

        Args:
            path: The name.
            finished: The file, ``None`` to remove the one that has the name.
            history: The object's, ``None`` if none is kept.
            replaces: Whether there is a file now; nobody has it open, and it is complete without its WAL.
            undo: Number of the restore that does this, else 0.
        """
        self.settle(path)
        files = self.files
        noted = history is not None and (replaces or _has_past(history))
        if noted:
            assert history is not None
            history.replacing(replaces, finished, undo)
        self.remove_wal(path)
        if finished is None:
            files.remove(path)
        else:
            files.rename(finished, path)
        if self.durability is Durability.FULL:
            self._names.sync()
        if noted:
            assert history is not None
            history.replaced()
        elif history is not None:
            history.born()

    def complete(self, path: str, connection: apsw.Connection, history: Recorder | None) -> None:
        """
        Bring everything into an object's file, so that it needs no WAL. Blocking.

        Args:
            path: The file.
            connection: To it; nothing is uncommitted.
            history: The object's, ``None`` if none is kept.
        Raises:
            apsw.Error: SQLite failed.
            OSError: The file system failed.
        """
        if history is None:
            self.settle(path)
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        else:
            history.checkpoint(connection, whole=True)

    def is_recorded(self, path: str) -> bool:
        """Whether a file has to be settled before it is touched."""
        return self._log is not None and self._log.holds(path)

    def settle(self, path: str) -> None:
        """
        See that the file is on disk, and its birth forgotten: before anybody but SQLite touches it, and before a checkpoint.
        Blocking.

        Raises:
            OSError: The file system failed; the file must stay as it is.
        """
        if self._log is not None:
            self._log.settle(path)

    def make_folder(self) -> None:
        """Have the namespace's folder, durably."""
        if self._made:
            return
        with self._making:
            if self.files.make_folder(self.path) and self.durability is Durability.FULL:
                self.files.sync_folder(self._parent)
            self._made = True

    def remove_wal(self, path: str) -> None:
        """See `birth_log.remove_wal`."""
        remove_wal(path, self.files, sync=self.durability is not Durability.OFF)

    def place(self, path: str) -> None:
        """See `BirthLog.place`."""
        if self._log is not None:
            self._log.place(path)

    def _copy(self, newborn: apsw.Connection, path: str) -> None:
        """The newborn as a complete file, page by page, so that a large one is never in memory whole."""
        target = apsw.Connection(path, vfs=self.files.vfs)
        try:
            for setting in ("locking_mode = EXCLUSIVE", "synchronous = OFF", "journal_mode = OFF"):
                target.execute(f"PRAGMA {setting}").fetchall()
            with target.backup("main", newborn, "main") as backup:
                while not backup.done:
                    backup.step(_IMAGE_PAGES)
            target.execute("PRAGMA journal_mode = WAL").fetchall()
        finally:
            target.close(True)
        if self.durability is not Durability.OFF:
            self.files.sync_file(path)


def image_of(newborn: apsw.Connection) -> bytearray | None:
    """A newborn as the content of a complete file, with what is uncommitted; ``None`` for one that is too large."""
    if newborn.pragma("page_count") > _IMAGE_PAGES:
        return None
    return small_image_of(newborn)


def small_image_of(newborn: apsw.Connection) -> bytearray:
    """The same for one that is known to have a few pages."""
    image = bytearray(newborn.serialize("main"))
    image[_JOURNAL_VERSIONS] = _WAL_VERSIONS
    return image


def _has_past(history: Recorder | None) -> bool:
    """Whether there is a history on disk, to which a birth is a commit like any other."""
    return history is not None and history.exists
