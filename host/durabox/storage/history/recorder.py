"""Keeps one object's history while the object is used.

The past is kept backwards. The database file with its WAL is the present; before a checkpoint overwrites pages of the
file, they and the frames that replace them are added to the history as a block, and synced. So a commit costs nothing
but a note of its time, and an earlier state is the file with the old pages put back, newest block first, and then the
frames of one block played up to that commit. Nothing ever copies a whole database, and the past is shortened by
removing its oldest blocks.

What is written when, and what a crash in between leaves (`_attach` finds it):

1. *the frames' block, synced* – a part of it: dropped, nothing else has happened;
2. *the checkpoint* – a part of it: the WAL still has all frames, and pages that they hold are read from there;
3. *a `Rest` block with the file's stamp, synced* – missing: the WAL must still hold exactly the frames of the block.

A database file that does not look as we left it was written by another program. What we know of its past is then no
longer true, so it is forgotten, which the log says, and a new history begins.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from typing import Final

import apsw
import msgspec

from durabox.storage.connection import CHECKPOINT_PAGES
from durabox.storage.files import Files
from durabox.storage.history.blocks import Frames, Replaced, Rest, Stamp
from durabox.storage.history.log import HistoryLog
from durabox.storage.history.retention import Retention
from durabox.storage.history.times import Times
from durabox.storage.history.wal import WalFile
from durabox.storage.history.writer import BlockWriter

logger = logging.getLogger("durabox.storage")

#: A history that cannot be written holds the checkpoint up to this many pages; then it is given up.
_PATIENCE_PAGES: Final = 4096
#: Frames in a block: bounds the memory that a checkpoint takes.
_BLOCK_FRAMES: Final = 512
#: A file's time and the time of the commit that made it are the same when they differ by less.
_FILE_TIME_MS: Final = 1000


class Recorder:
    """
    One object's history, from its first use to its eviction. Used by one thread at a time.

    Args:
        folder: Where the history is.
        path: The database file.
        label: Names the database in the log.
        files: The file system.
        retention: How much is kept.
        sync: Whether blocks are synced.
        clock: Milliseconds since the epoch.
        settle: Called before the database file is written to; see `Birthplace.settle`.
    """

    def __init__(
        self,
        folder: str,
        path: str,
        label: str,
        files: Files,
        retention: Retention,
        sync: bool,
        clock: Callable[[], float],
        settle: Callable[[], None],
    ) -> None:
        self.log = HistoryLog(folder, files, sync)
        self.times = Times(f"{folder}/times", files)
        self.label = label
        self.path = path
        self.files = files
        self.clock = clock
        self._retention = retention
        self._settle = settle
        #: What the present is counted from; ``None`` until it has been looked for.
        self._rest: Rest | None = None
        #: There was none on disk, and none was begun since.
        self._none = False
        #: Frames in the WAL, as SQLite last said.
        self._frames = 0
        #: Whether the commit that is under way wrote any.
        self._grown = False
        self._retry = CHECKPOINT_PAGES
        #: The WAL was there when the connection was opened. SQLite does not begin such a one anew, so it would grow
        #: with every connection until somebody empties it.
        self._inherited = False
        # Closing it would drop the locks that SQLite holds on the file, so it stays as long as the connection.
        self._handle = -1

    # The connection

    def opened(self, connection: apsw.Connection) -> None:
        """Follow a connection's commits."""
        self._frames = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]
        self._inherited = self._frames > 0
        connection.set_wal_hook(self._hook)

    def closed(self) -> None:
        """The connection was closed."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def leaving(self) -> None:
        """The connection will be closed: write the times that would be lost."""
        times = self.times
        if not times.unwritten:
            return
        frame, time = times.known[-1]
        # Nobody else knows when the object was born, but its file does.
        if frame or abs(self._modified() - time) >= _FILE_TIME_MS:
            self._flush()

    def _hook(self, connection: apsw.Connection, name: str, frames: int) -> int:
        self._frames = frames
        self._grown = True
        return 0

    def committed(self, connection: apsw.Connection) -> None:
        """A commit is durable. Never fails: what the history cannot keep is lost to it alone."""
        if not self._grown:
            # There was nothing to write.
            return
        self._grown = False
        now = self.clock()
        times = self.times
        times.known.append((self._frames, int(now)))
        if self._frames >= self._retry:
            self.checkpoint(connection)
        elif times.due(now):
            self._flush()

    def checkpoint(self, connection: apsw.Connection, *, whole: bool = False) -> None:
        """
        Copy the WAL into the database file, its frames and what they replace into the history.

        Args:
            connection: To the file; nothing is uncommitted in it. While a statement of it is being read, nothing happens.
            whole: Whether the WAL must be empty after it.
        Raises:
            apsw.Error: SQLite failed, and `whole` was wanted.
            OSError: The file must not be written to yet, and `whole` was wanted.
        """
        if not whole and connection.txn_state("main") != apsw.SQLITE_TXN_NONE:
            self._retry = self._frames + 1
            return
        try:
            self._settle()
        except OSError as error:
            if whole:
                raise
            logger.warning("%s: its WAL cannot be copied yet: %s", self.label, error)
            self._retry = self._frames + CHECKPOINT_PAGES
            return
        try:
            rest = self._archive(connection)
        except (OSError, ValueError, apsw.Error) as error:
            if not whole and self._frames < _PATIENCE_PAGES:
                logger.warning("%s: its history cannot be written yet: %s", self.label, error)
                self._retry = self._frames + CHECKPOINT_PAGES
                return
            self._give_up(error)
            rest = None
        self._retry = CHECKPOINT_PAGES
        try:
            total, done = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            # As with SQLite's own: the commit is durable without it, and the next one tries again.
            if whole:
                raise
            total, done = 1, 0
        complete = done == total
        if rest is not None and not complete:
            self._rest = rest
        elif rest is not None:
            try:
                self._rested(rest)
            except OSError as error:
                self._give_up(error)
        if whole or (self._inherited and complete):
            # Only now: until the file's stamp was noted, the WAL had to tell what the file may lack.
            try:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._frames = 0
            except apsw.Error:
                if whole:
                    raise
            self._inherited = False

    # Other files

    def born(self) -> None:
        """A first file was put in place, and there is no history yet."""
        self.times.known[:] = [(0, int(self.clock()))]

    @property
    def exists(self) -> bool:
        """Whether there is a history on disk."""
        if self._rest is not None:
            return True
        if not self._none:
            self._none = not self.files.exists(self.log.folder)
        return not self._none

    def replacing(self, kept: bool, new: str | None, undo: int) -> None:
        """
        The database file will be replaced: note it, and keep the old one.

        Args:
            kept: Whether there is an old file; complete without its WAL, and closed.
            new: The new file, finished, under another name; ``None`` if there will be none.
            undo: Number of the restore that does it, else 0.
        """
        try:
            rest = self.attach()
            if kept:
                target = self.log.kept(rest.base + 1)
                self.files.remove(target)
                self.files.link(self.path, target)
                if self.log.sync:
                    self.files.sync_folder(self.log.folder)
            stamp = None if new is None else self._stamp(new)
            self.log.append((Replaced(rest.base, int(self.clock()), kept, stamp, undo), ()))
        except (OSError, ValueError) as error:
            self._give_up(error)

    def replaced(self) -> None:
        """It has been."""
        rest = self._rest
        if rest is None:
            return
        self._rest = Rest(rest.base + 1, int(self.clock()), rest.line, self._stamp(self.path), b"", 0)
        self._frames = 0
        try:
            self.times.clear()
            self.log.append_rest(self._rest, sync=False)
            self.log.trim(self._retention, self.clock())
        except OSError as error:
            self._give_up(error)

    # Reading it

    def attach(self) -> Rest:
        """
        What the present is counted from; a history is begun if there is none.

        Raises:
            OSError: The files cannot be read or written.
        """
        if self._rest is None:
            self._rest = self._attach()
        return self._rest

    def present(self) -> tuple[Rest, list[int]]:
        """What the present is counted from, and the times of the commits since."""
        rest = self.attach()
        with WalFile(f"{self.path}-wal") as wal:
            start = rest.start if wal.salts == rest.salts else 0
            ends = [frame for frame, _ in _commits(wal, start, self._frames)]
        return rest, self.times.of(ends, self._modified())

    # Inside

    def _flush(self) -> None:
        try:
            rest = self.attach()
            self.times.flush(rest.base, self.clock())
        except (OSError, ValueError) as error:
            logger.warning("%s: the time of a commit could not be noted: %s", self.label, error)

    def _attach(self) -> Rest:
        """Find where the history ends, and whether the database is where it left it."""
        own = self.times.known
        # Frames up to here were there before we wrote.
        past = own[0][0] - 1 if own else self._frames
        stamp = self._stamp(self.path)
        with WalFile(f"{self.path}-wal") as wal:
            start = _last_commit(wal, past)
            last = self.log.find()
            if isinstance(last, Replaced):
                if stamp != last.stamp:
                    self.log.drop_last(last.base)
                    last = self.log.find()
                else:
                    return self._resume(Rest(last.end, last.time, self._line(), stamp, b"", 0))
            if isinstance(last, Rest) and last.stamp == stamp:
                if wal.salts != last.salts or start >= last.start:
                    self.times.load(last.base)
                    return last
            elif isinstance(last, Frames) and wal.salts == last.salts:
                untouched = start > last.last and stamp == self._last_stamp()
                if start == last.last or untouched:
                    return self._resume(Rest(last.end, last.time, self._line(), stamp, last.salts, last.last))
            if last is not None:
                logger.warning(
                    "%s was changed by another program: its history begins anew, earlier states are gone",
                    self.label,
                )
                self.log.remove()
            salts = wal.salts if start else b""
        return self._begin(stamp, salts, start)

    def _begin(self, stamp: Stamp | None, salts: bytes, start: int) -> Rest:
        """A history without a past. Its numbers go on from those of one that was given up."""
        now = int(self.clock())
        known = self.times.known
        time = known[0][1] if known else min(self._modified(), now)
        rest = Rest(now, time, secrets.token_bytes(16), stamp, salts, start)
        self._none = False
        self.log.begin(rest)
        return rest

    def _resume(self, rest: Rest) -> Rest:
        self.log.append_rest(rest)
        self.times.load(rest.base)
        return rest

    def _line(self) -> bytes:
        *_, last = self.log.firsts()
        return last.line

    def _last_stamp(self) -> Stamp | None:
        """The database file's when it was last at rest."""
        stamp = None
        for placed in self.log.walk(1 << 64):
            if isinstance(placed.block, Rest):
                stamp = placed.block.stamp
        return stamp

    def _give_up(self, error: Exception) -> None:
        """The past can no longer be told from the present: forget it."""
        logger.error("%s: its history begins anew, earlier states are gone: %s", self.label, error)
        self._rest = None
        self.times.known.clear()
        try:
            self.log.remove()
        except OSError as again:
            logger.error("%s: its history cannot even be removed: %s", self.label, again)

    def _archive(self, connection: apsw.Connection) -> Rest:
        """Put the WAL's frames into the history; returns what the next ones are counted from."""
        rest = self.attach()
        frames = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]
        if self._handle < 0:
            self._handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        with WalFile(f"{self.path}-wal") as wal:
            start = rest.start if wal.salts == rest.salts else 0
            if start >= frames:
                return rest
            writer = BlockWriter(wal, self._handle, start)
            base, time = rest.base, rest.time
            while start < frames:
                last = min(start + _BLOCK_FRAMES, frames)
                block, payload = writer.write(start, last, base, time, self.times)
                self.log.append((block, payload))
                start, base, time = last, block.end, block.time
            return Rest(base, time, rest.line, rest.stamp, wal.salts, frames)

    def _rested(self, rest: Rest) -> None:
        """The checkpoint is complete."""
        if self.log.sync:
            # The time of its last change is compared later, so that must be on disk too.
            os.fsync(self._handle)
        self._rest = msgspec.structs.replace(rest, stamp=self._stamp(self.path))
        self.log.append_rest(self._rest)
        self.times.clear()
        self.log.trim(self._retention, self.clock())

    def _stamp(self, path: str) -> Stamp | None:
        try:
            found = self.files.stat(path)
        except FileNotFoundError:
            return None
        return Stamp(found.st_size, found.st_mtime_ns)

    def _modified(self) -> int:
        """When the database was last changed, milliseconds since the epoch."""
        times = [0]
        for path in (self.path, f"{self.path}-wal"):
            stamp = self._stamp(path)
            if stamp is not None:
                times.append(stamp.modified_ns // 1_000_000)
        return min(max(times), int(self.clock()))


def _last_commit(wal: WalFile, frame: int) -> int:
    """The last frame up to this one that ends a commit, 0 for none."""
    while frame > 0 and not wal.frames(frame, frame)[0][1]:
        frame -= 1
    return max(frame, 0)


def _commits(wal: WalFile, start: int, last: int) -> list[tuple[int, int]]:
    """The frames after `start`, up to `last`, that end a commit, with the database's size then."""
    return [(frame, size) for frame, (_, size) in enumerate(wal.frames(start + 1, last), start + 1) if size]
