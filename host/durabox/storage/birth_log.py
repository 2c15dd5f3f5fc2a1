"""The log of births: new objects whose files may not be on disk yet, nor even be there.

A file of its own that has to be on disk before anybody is answered costs two waits, one for the file and one for its name.
So a birth is first a record in a log, which holds the whole content of the file, and births that come together share
the one wait for that::

    STATE/.durabox/newborns/<number>    groups: a head (`_GROUP`), records
                                        a record: a head (`_RECORD`), the file's name within STATE, its content

1. records of all that wait are added to the log, which is synced: *now the objects are born*, and that is acknowledged;
2. right after that, beside everything else, the files are *placed*: each is written under its name, and synced. Who needs
   one earlier places it itself (`BirthLog.place`), without the sync;
3. within `SETTLE_AFTER_S` the log is *settled*: a new one is begun, and when all files of the old one and the names in their
   folders are on disk, it is removed, durably.

A process that is killed leaves files that are whole, short or not there; power that is cut may leave them in any state. So
the next owner of the directory replays what it finds before it does anything else: a file that has not the content of its
record is written anew, from the record, in one piece. A replay that is cut short is done again.

What must hold for that to be right:

* *Nobody looks at a file before it was placed.* Who opens it, or reads or lists it from outside, asks the log first.
* *A file is never written to, replaced or removed while it is in a log*: who is about to, be it a checkpoint, settles the
  log first (`BirthLog.settle`). Commits to its WAL do not touch the file, and what they are worth depends on its content
  alone, which a replay restores byte by byte. It restores the time of the last change as well, which is that of the record:
  the history knows the file by it.
* *What failed does not come back.* Records of births that failed are removed with the log at once; where the disk does not
  let that happen either, it is tried until it does, and first of all before the next birth. A later birth of the same object
  has a later record.
* *What was born and cannot be placed is not lost*: it is tried again, and stays in the log.
* *A group belongs to its log*: it repeats the log's number, which is never used again. A disk that lost its power may show
  the blocks of a log that was removed as those of a new one; those do not count. Nor does a group that was torn: nobody was
  told of it.
* *Other programs may go on with the files of a killed process.* A file that was changed later than its record says is left
  alone, unless all of it is what the record holds or zero: that is what was cut off while the file was placed.

With other durabilities than ``full`` a birth waits for one sync at most, and there is no log.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import BinaryIO, Final, NamedTuple

from durabox.storage.files import Files

logger = logging.getLogger("durabox.storage")

#: A log is settled this long after its first record.
SETTLE_AFTER_S: Final = 1.0
#: A disk that fails is asked again after at most this long.
_PATIENCE_S: Final = 60.0
#: A log with so many bytes is settled at once.
_FULL_BYTES: Final = 16 * 1024**2
#: With so many bytes in all logs no more births are taken; it bounds what a replay has to do.
_MOST_BYTES: Final = 4 * _FULL_BYTES
#: Content of a file that is recorded, at most.
MAX_CONTENT: Final = 1024**2

#: Magic; CRC-32 of everything behind it; number of the log; bytes of the records.
_GROUP: Final = struct.Struct("<4sIQQ")
_CHECKED: Final = struct.Struct("<QQ")
#: When the file was changed, nanoseconds since the epoch; bytes of the content; bytes of the name.
_RECORD: Final = struct.Struct("<qIH")
_MAGIC: Final = b"born"
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
#: A database's file within the state directory.
_NAME: Final = re.compile(
    r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*/(?:[0-9a-f]{64}(?:\.[1-9][0-9]{0,4})?|metadata)\.sqlite"
)


class Birth:
    """
    A new object's first commit, which is not durable yet.

    Args:
        path: The object's file; there is none.
        content: What it is to hold, at most `MAX_CONTENT` bytes.
        over: Called once, in the thread that records it: with ``None`` when it is durable, or with why it failed.
    """

    __slots__ = ("claimed", "content", "log", "modified_ns", "over", "path")

    def __init__(
        self, path: str, content: bytes | bytearray, over: Callable[[OSError | None], object]
    ) -> None:
        self.path = path
        self.content = content
        self.over = over
        #: When the file was made, nanoseconds since the epoch.
        self.modified_ns = time.time_ns()
        #: Where it was recorded.
        self.log: _Log | None = None
        #: Whether somebody is placing the file.
        self.claimed = False


class _Log:
    """One log; see the module's head."""

    def __init__(self, number: int, folder: str) -> None:
        self.number = number
        self.path = f"{folder}/{number}"
        #: Its file while it is written to. After a write that failed another log is begun.
        self.handle = -1
        self.size = 0
        #: Births that are recorded in it and not placed, by their paths.
        self.unplaced: dict[str, Birth] = {}
        #: All files that it has records of, and those that were placed and not synced.
        self.files: set[str] = set()
        self.unsynced: set[str] = set()

    def close(self) -> None:
        """Nothing more is written to it."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


class BirthLog:
    """
    Records births, from any thread.

    Args:
        root: The state directory.
        folder: Where the logs are; exists.
        files: The file system.
    """

    def __init__(self, root: str, folder: str, files: Files) -> None:
        self._root = root
        self._folder = folder
        self._files = files
        self._last_number = 0
        # Held one inside the other, in this order: by who records, who settles, who adds to a log, and for everything below.
        self._recorder = threading.Lock()
        self._settling = threading.Lock()
        self._recording = threading.Lock()
        self._mutex = threading.Lock()
        self._placed = threading.Condition(self._mutex)
        #: All births that are recorded and not placed, by their paths.
        self._unplaced: dict[str, Birth] = {}
        #: Births that were added and are not being recorded yet, and whether some thread will see to them.
        self._waiting: list[Birth] = []
        self._promised = False
        self._current: _Log | None = None
        #: Logs that are, or wait, to be settled, in order.
        self._earlier: list[_Log] = []
        self._tender: threading.Thread | None = None
        self._closed = False
        #: Whether births that failed may be in a log all the same.
        self._owing = False
        #: Told to the tending thread: births wait to be placed, or it is to end.
        self._more = threading.Condition(self._mutex)

    @property
    def has_room(self) -> bool:
        """Whether births are taken: not while too many wait to be placed, or a failing disk keeps them from being settled."""
        current = self._current
        size = sum(log.size for log in list(self._earlier))
        return size + (current.size if current else 0) < _MOST_BYTES

    def add(self, birth: Birth) -> bool:
        """
        Have a birth recorded together with others; it will be told.

        Returns:
            Whether the caller has to see that some thread calls `record_all`.
        """
        with self._mutex:
            self._waiting.append(birth)
            alone = not self._promised
            self._promised = True
        return alone

    def record_all(self) -> None:
        """Record what was added, until nothing more is. Blocking; what fails is told to those it concerns."""
        with self._recorder:
            while True:
                with self._mutex:
                    births, self._waiting = self._waiting, []
                    if not births:
                        self._promised = False
                        return
                self._record(births)

    def record(self, path: str, content: bytes | bytearray) -> None:
        """
        Make one birth durable. Blocking.

        Args:
            path: See `Birth`.
            content: See `Birth`.
        Raises:
            OSError: It failed.
        """
        told: SimpleQueue[OSError | None] = SimpleQueue()
        if self.add(Birth(path, content, told.put)):
            self.record_all()
        error = told.get()
        if error is not None:
            raise OSError(error.errno, error.strerror, error.filename)

    def place(self, path: str) -> None:
        """
        See that a file is there if its object was born.

        Raises:
            OSError: It was, and the file cannot be written.
        """
        birth = self._unplaced.get(path)
        if birth is not None:
            self._place(birth, sync=False)

    def place_all(self) -> None:
        """
        See that the files of all objects are there that are born by now. Blocking.

        Raises:
            OSError: One cannot be written.
        """
        with self._mutex:
            births = list(self._unplaced.values())
        for birth in births:
            self._place(birth, sync=False)

    def holds(self, path: str) -> bool:
        """Whether a replay would have something to say about a file."""
        with self._mutex:
            return any(path in log.files for log in self._logs())

    def settle(self, path: str) -> None:
        """
        See that a replay has nothing to say about a file. Blocking, if it has.

        Raises:
            OSError: It has.
        """
        if self.holds(path):
            self._settle()

    def close(self) -> None:
        """Settle everything; what a failing disk leaves is for the next owner."""
        with self._mutex:
            self._closed = True
            tender = self._tender
            self._more.notify()
        if tender is not None:
            tender.join()
        self._give_up()
        for log in self._logs():
            log.close()

    # Recording

    def _record(self, births: Sequence[Birth]) -> None:
        """Make births durable, all of them or none, and tell each."""
        error: OSError | None = None
        try:
            if self._owing:
                self._settle()
            with self._recording:
                self._append(births)
        except BaseException as failure:
            # Whatever it is, those who wait hear of it.
            error = failure if isinstance(failure, OSError) else OSError(errno.EIO, repr(failure))
            self._give_up()
        for birth in births:
            try:
                birth.over(error)
            except Exception:
                # The others hear all the same.
                logger.exception("%s: a birth was not told", birth.path)

    def _append(self, births: Sequence[Birth]) -> None:
        for birth in births:
            # What is left of a file that somebody removed must not become part of the one that is born here.
            remove_wal(birth.path, self._files, sync=True)
        with self._mutex:
            log = self._current or self._begin()
        records = b"".join(piece for birth in births for piece in self._record_of(birth))
        rest = (log.number, len(records))
        head = _GROUP.pack(_MAGIC, zlib.crc32(records, zlib.crc32(_CHECKED.pack(*rest))), *rest)
        if log.handle < 0:
            log.handle = self._files.create(log.path)
        self._files.extend(log.handle, log.path, head + records, log.size)
        if not log.size:
            self._files.sync_folder(self._folder)
        born = {birth.path: birth for birth in births}
        with self._mutex:
            log.size += len(head) + len(records)
            log.files.update(born)
            log.unplaced.update(born)
            for birth in births:
                birth.log = log
            self._unplaced.update(born)
        self._tend()

    def _record_of(self, birth: Birth) -> tuple[bytes, bytes, bytes | bytearray]:
        name = birth.path[len(self._root) + 1 :].encode("utf-8", "surrogateescape")
        return _RECORD.pack(birth.modified_ns, len(birth.content), len(name)), name, birth.content

    def _begin(self) -> _Log:
        """A log that has no file yet."""
        # By the clock, so that no number comes twice, whatever became of earlier logs.
        self._last_number = max(time.time_ns(), self._last_number + 1)
        log = self._current = _Log(self._last_number, self._folder)
        return log

    # Placing

    def _place(self, birth: Birth, *, sync: bool) -> None:
        log = birth.log
        assert log is not None
        with self._mutex:
            while birth.claimed and birth.path in log.unplaced:
                self._placed.wait()
            if birth.path not in log.unplaced:
                # Somebody else did it.
                return
            birth.claimed = True
        path = birth.path
        try:
            self._files.place(
                path, birth.content, birth.modified_ns, partial(self._is_placed, log, path), sync=sync
            )
            if sync:
                log.unsynced.discard(path)
        finally:
            with self._mutex:
                birth.claimed = False
                self._placed.notify_all()

    def _is_placed(self, log: _Log, path: str) -> None:
        with self._mutex:
            log.unsynced.add(path)
            del log.unplaced[path], self._unplaced[path]
            self._placed.notify_all()

    # Settling

    def _logs(self) -> list[_Log]:
        return [*self._earlier, *([self._current] if self._current else [])]

    def _settle(self) -> None:
        with self._settling:
            # No record is on its way into them.
            with self._recording, self._mutex:
                logs = self._earlier = self._logs()
                self._current = None
            for log in [*logs]:
                log.close()
                self._sync(log)
                self._files.remove(log.path)
                self._files.sync_folder(self._folder)
                with self._mutex:
                    logs.remove(log)
            self._owing = False

    def _sync(self, log: _Log) -> None:
        files = self._files
        for birth in [*log.unplaced.values()]:
            self._place(birth, sync=True)
        for path in list(log.unsynced):
            # Whoever removed it did not ask us.
            with suppress(FileNotFoundError):
                files.sync_file(path)
        for folder in {_folder(path) for path in log.files}:
            with suppress(FileNotFoundError):
                files.sync_folder(folder)

    def _give_up(self) -> None:
        """Settle if that can be done: a record of a birth that failed must not be replayed."""
        try:
            self._settle()
        except OSError as error:
            self._owing = True
            logger.warning("new objects' files cannot be settled: %s", error)

    # Tending

    def _tend(self) -> None:
        """Have a thread do what remains to be done."""
        if self._files.in_order:
            # What fails is not lost: whoever needs the file tries again.
            with suppress(OSError):
                self.place_all()
            return
        with self._mutex:
            if self._tender is not None:
                self._more.notify()
            elif not self._closed:
                tender = threading.Thread(target=self._tend_in_time, name="durabox-births", daemon=True)
                # Without room for a thread, whoever needs a file does it.
                with suppress(RuntimeError):
                    tender.start()
                    self._tender = tender

    def _tend_in_time(self) -> None:
        """The tending thread: it ends when everything is settled."""
        failures = 0
        due = time.monotonic() + SETTLE_AFTER_S
        while True:
            try:
                self._place_waiting(due)
                if self._is_due(due):
                    self._settle()
                    due = time.monotonic() + SETTLE_AFTER_S
                failures = 0
            except OSError as error:
                failures += 1
                due = time.monotonic() + min(SETTLE_AFTER_S * 2**failures, _PATIENCE_S)
                logger.warning("new objects' files cannot be written: %s", error)
            with self._mutex:
                if self._closed or not self._logs():
                    self._tender = None
                    return
                if failures or not self._unplaced:
                    self._more.wait_for(
                        lambda: self._closed or (self._unplaced and not failures),  # noqa: B023
                        max(due - time.monotonic(), 0),
                    )

    def _place_waiting(self, due: float) -> None:
        while not self._is_due(due):
            with self._mutex:
                birth = next(iter(self._unplaced.values()), None)
            if birth is None:
                return
            self._place(birth, sync=True)

    def _is_due(self, due: float) -> bool:
        current = self._current
        return (
            self._closed or time.monotonic() >= due or (current is not None and current.size >= _FULL_BYTES)
        )


def remove_wal(path: str, files: Files, *, sync: bool) -> None:
    """
    No WAL may be found beside a file that it does not belong to, not even after a power loss.

    Args:
        path: The file.
        files: The file system.
        sync: Whether it must be gone for good when this returns.
    Raises:
        OSError: It cannot be removed.
    """
    if files.remove(f"{path}-wal"):
        files.remove(f"{path}-shm")
        if sync:
            files.sync_folder(_folder(path))


def replay(root: str, folder: str, unfinished: str, files: Files) -> None:
    """
    Put in place what a killed owner's logs hold, and remove them. Nobody may use the directory meanwhile.

    Args:
        root: The state directory.
        folder: Where the logs are; exists.
        unfinished: A name in a folder on the same file system, for a file in the making.
        files: The file system.
    Raises:
        OSError: The file system failed; all logs are still there.
    """
    logs = sorted((name for name, _ in files.list(folder) if _NUMBER.fullmatch(name)), key=int)
    placed: set[str] = set()
    restored = 0
    for name in logs:
        try:
            file = files.open(f"{folder}/{name}")
        except IsADirectoryError:
            logger.warning("newborns/%s is no log of new objects; it is left alone", name)
            continue
        with file:
            for record in _records(file, int(name)):
                restored += _restore(f"{root}/{record.name}", record, unfinished, files)
                placed.add(_folder(f"{root}/{record.name}"))
    if restored:
        logger.info("files of %s new objects were put in place", f"{restored:,}")
    for changed in sorted(placed):
        files.sync_folder(changed)
    for name in logs:
        with suppress(IsADirectoryError, PermissionError):
            files.remove(f"{folder}/{name}")
    if logs:
        files.sync_folder(folder)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


class _Record(NamedTuple):
    name: str
    modified_ns: int
    content: bytes


def _records(file: BinaryIO, number: int) -> Iterator[_Record]:
    """A log's records, up to the first group that is not whole."""
    at = 0
    while head := file.read(_GROUP.size):
        length = _length(file, head, number)
        if length is None:
            logger.warning(
                "newborns/%s: no group at byte %s; what is behind that was not acknowledged", number, at
            )
            return
        file.seek(at + _GROUP.size)
        at = file.tell() + length
        while (start := file.tell()) < at:
            record = _read(file, at)
            if record is None:
                logger.warning("newborns/%s: no record at byte %s", number, start)
                return
            yield record


def _length(file: BinaryIO, head: bytes, number: int) -> int | None:
    """Bytes of the group that begins with a head, if it is whole."""
    if len(head) < _GROUP.size:
        return None
    magic, check, log, length = _GROUP.unpack(head)
    if magic != _MAGIC or log != number:
        return None
    found = zlib.crc32(_CHECKED.pack(log, length))
    left = length
    while left:
        piece = file.read(min(left, MAX_CONTENT))
        if not piece:
            return None
        found = zlib.crc32(piece, found)
        left -= len(piece)
    return length if found == check else None


def _read(file: BinaryIO, end: int) -> _Record | None:
    """The record that follows, if it ends where its group does or before."""
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    modified_ns, length, name_length = _RECORD.unpack(head)
    if length > MAX_CONTENT or file.tell() + name_length + length > end:
        return None
    text = file.read(name_length).decode("utf-8", "surrogateescape")
    content = file.read(length)
    return _Record(text, modified_ns, content) if _NAME.fullmatch(text) else None


def _restore(path: str, record: _Record, unfinished: str, files: Files) -> bool:
    """See that a file has a record's content, on disk; whether it had to be written."""
    content = record.content
    try:
        found = files.stat(path)
        with files.open(path) as file:
            there = file.read(len(content) + 1)
        if there == content:
            files.sync_file(path)
            return False
        if found.st_mtime_ns > record.modified_ns and not _is_torn(there, content):
            # Of a later record, or of another program that went on with it.
            return False
    except FileNotFoundError:
        if files.make_folder(_folder(path)):
            files.sync_folder(_folder(_folder(path)))
    files.remove(unfinished)
    files.write(unfinished, content, sync=False)
    files.date(unfinished, record.modified_ns)
    files.sync_file(unfinished)
    files.rename(unfinished, path)
    return True


def _is_torn(there: bytes, content: bytes) -> bool:
    return len(there) <= len(content) and all(
        byte in (0, written) for byte, written in zip(there, content, strict=False)
    )
