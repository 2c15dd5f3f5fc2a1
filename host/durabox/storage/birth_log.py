"""The log of births: new objects whose files may not be on disk yet.

A file of its own that has to be on disk before anybody is answered costs two waits, one for the file and one for its name.
So a birth is first a record in a log, which holds the whole content of the file, and births that come together share
the one wait for that::

    STATE/.durabox/newborns/<number>    records: a head (`_HEAD`), the file's name within STATE, the file's content

1. the finished file is written under another name, and not synced;
2. its record is added to the log by one thread for all that wait; the log is synced: *now the object is born*;
3. the file is renamed to its final name; that is not synced either, and the birth is acknowledged;
4. within `SETTLE_AFTER_S`, beside everything else, the log is *settled*: a new one is begun, the files of the old one
   and the names of their folders are synced, and only then the old one is removed, durably.

A process that is killed leaves files that are whole; power that is cut may leave them short, without a name or not at all. So
the next owner of the directory replays what it finds before it does anything else: a file that has not the content of its
record is written anew, from the record, in one piece. A replay that is cut short is done again.

What must hold for that to be right:

* *A file is never written to, replaced or removed while it is in a log*: who is about to, be it a checkpoint, settles the
  log first (`BirthLog.settle`). Commits to its WAL do not touch the file, and what they are worth depends on its content
  alone, which a replay restores byte by byte. It restores the time of the last change as well: the history knows the file by it.
* *What failed does not come back.* Records of a birth that failed, be it at its rename, are removed with the log at once;
  where the disk does not let that happen either, it is tried until it does, and first of all before the next birth. A later
  birth of the same object has a later record.
* *A record belongs to its log*: it repeats the log's number, which is never used again. A disk that lost its power may show
  the blocks of a log that was removed as those of a new one; those records do not count. A group that was torn counts up to
  the first record that is not whole: nobody was told of it.
* *Other programs may go on with the files of a killed process.* A file that was changed later than its record says is left alone.

With other durabilities than ``full`` a birth waits for one sync at most, and there is no log.
"""

from __future__ import annotations

import errno
import logging
import re
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
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

#: Magic; checksum of everything behind it; number of the log; when the file was changed, nanoseconds since the epoch; bytes of
#: the content; bytes of the name. The checksum is CRC-32, of the content first.
_HEAD: Final = struct.Struct("<4sIQqIH")
_CHECKED: Final = struct.Struct("<QqIH")
_MAGIC: Final = b"born"
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
#: A database's file within the state directory.
_NAME: Final = re.compile(
    r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*/(?:[0-9a-f]{64}(?:\.[1-9][0-9]{0,4})?|metadata)\.sqlite"
)


class _Log:
    """One log; see the module's head."""

    def __init__(self, number: int, folder: str) -> None:
        self.number = number
        self.path = f"{folder}/{number}"
        self.size = 0
        #: All files that it may have records of, and those that are in place.
        self.files: set[str] = set()
        self.placed: list[str] = []
        #: Births that are recorded or about to be, and neither in place nor failed.
        self.under_way = 0


class _Birth:
    """One birth, from its thread's request to the outcome."""

    __slots__ = ("check", "content", "error", "log", "modified_ns", "name", "path", "told")

    def __init__(self, path: str, name: bytes, content: bytes | bytearray, modified_ns: int) -> None:
        self.path = path
        self.name = name
        self.content = content
        self.modified_ns = modified_ns
        self.check = _check(content)
        #: Where it was recorded.
        self.log: _Log | None = None
        self.error: OSError | None = None
        #: Released when it is recorded, when that failed, or when its thread is the one to do it for all.
        self.told = threading.Lock()
        self.told.acquire()


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
        # For everything below.
        self._mutex = threading.Lock()
        self._none_under_way = threading.Condition(self._mutex)
        self._waiting: list[_Birth] = []
        #: Whether some thread is recording, and will say who goes on.
        self._recording = False
        self._current: _Log | None = None
        #: Logs that are, or wait, to be settled, in order.
        self._earlier: list[_Log] = []
        self._settler: threading.Thread | None = None
        self._closed = False
        #: Whether a birth that failed may be in a log all the same.
        self._owing = False
        # One settles at a time.
        self._settling = threading.Lock()
        self._due = threading.Event()

    @property
    def has_room(self) -> bool:
        """Whether births are taken: not while a failing disk keeps too many from being settled."""
        current = self._current
        size = sum(log.size for log in list(self._earlier))
        return size + (current.size if current else 0) < _MOST_BYTES

    def bear(self, finished: str, path: str, content: bytes | bytearray) -> None:
        """
        Put a new file in place. Blocking; durable when it returns.

        Args:
            finished: The file under another name; need not be synced.
            path: Its name, in a folder of the state directory; there is no such file.
            content: What it holds.
        Raises:
            OSError: It failed. The file is not in place.
        """
        if self._owing:
            self._give_up()
        name = path[len(self._root) + 1 :].encode("utf-8", "surrogateescape")
        birth = _Birth(path, name, content, self._files.stat(finished).st_mtime_ns)
        log = self._record(birth)
        try:
            self._files.rename(finished, path)
        except BaseException:
            self._over(log, 1)
            self._give_up()
            raise
        with self._mutex:
            log.placed.append(path)
        self._over(log, 1)

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
            settler = self._settler
        self._due.set()
        if settler is not None:
            settler.join()
        self._give_up()

    # Recording

    def _record(self, birth: _Birth) -> _Log:
        with self._mutex:
            self._waiting.append(birth)
            follows = self._recording
            self._recording = True
        if follows:
            birth.told.acquire()
        if birth.log is None and birth.error is None:
            self._record_waiting(birth)
        if birth.error is not None:
            self._give_up()
            raise OSError(birth.error.errno, birth.error.strerror, birth.error.filename)
        assert birth.log is not None
        return birth.log

    def _record_waiting(self, own: _Birth) -> None:
        """Record all that wait, tell them, and let the first of those who came meanwhile do the same."""
        with self._mutex:
            births, self._waiting = self._waiting, []
            log = self._current or self._begin()
            log.files.update(birth.path for birth in births)
            log.under_way += len(births)
        error: OSError | None = None
        try:
            self._append(log, births)
        except BaseException as failure:
            # Whatever it is, those who wait hear of it.
            error = failure if isinstance(failure, OSError) else OSError(errno.EIO, repr(failure))
            self._over(log, len(births))
        with self._mutex:
            following = self._waiting[0] if self._waiting else None
            self._recording = following is not None
        for birth in births:
            birth.log, birth.error = log, error
            if birth is not own:
                birth.told.release()
        if following is not None:
            following.told.release()

    def _begin(self) -> _Log:
        """A log that has no file yet."""
        # By the clock, so that no number comes twice, whatever became of earlier logs.
        self._last_number = max(time.time_ns(), self._last_number + 1)
        log = self._current = _Log(self._last_number, self._folder)
        if self._settler is None:
            self._due.clear()
            settler = threading.Thread(target=self._settle_in_time, name="durabox-births", daemon=True)
            # Without room for a thread, whoever needs a file settles.
            with suppress(RuntimeError):
                settler.start()
                self._settler = settler
        return log

    def _append(self, log: _Log, births: Iterable[_Birth]) -> None:
        pieces: list[bytes | bytearray] = []
        for birth in births:
            pieces += _record(birth, log.number)
        data = b"".join(pieces)
        # Over what an append that failed has left.
        self._files.append(log.path, data, at=log.size, sync=True)
        if not log.size:
            self._files.sync_folder(self._folder)
        log.size += len(data)
        if log.size >= _FULL_BYTES:
            self._due.set()

    def _over(self, log: _Log, births: int) -> None:
        with self._mutex:
            log.under_way -= births
            if not log.under_way:
                self._none_under_way.notify_all()

    # Settling

    def _logs(self) -> list[_Log]:
        return [*self._earlier, *([self._current] if self._current else [])]

    def _settle(self) -> None:
        with self._settling:
            with self._mutex:
                logs = self._earlier = self._logs()
                self._current = None
            for log in [*logs]:
                with self._mutex:
                    while log.under_way:
                        self._none_under_way.wait()
                self._sync(log.placed)
                self._files.remove(log.path)
                self._files.sync_folder(self._folder)
                with self._mutex:
                    logs.remove(log)
            self._owing = False

    def _sync(self, paths: list[str]) -> None:
        files = self._files
        for path in paths:
            # Whoever removed it did not ask us.
            with suppress(FileNotFoundError):
                files.sync_file(path)
        for folder in {_folder(path) for path in paths}:
            with suppress(FileNotFoundError):
                files.sync_folder(folder)

    def _give_up(self) -> None:
        """Settle if that can be done: a record of a birth that failed must not be replayed."""
        try:
            self._settle()
        except OSError as error:
            self._owing = True
            logger.warning("new objects' files cannot be settled: %s", error)

    def _settle_in_time(self) -> None:
        """The settling thread: it ends when there is nothing to settle."""
        pause = SETTLE_AFTER_S
        while True:
            self._due.wait(pause)
            self._due.clear()
            try:
                self._settle()
                pause = SETTLE_AFTER_S
            except OSError as error:
                pause = min(pause * 2, _PATIENCE_S)
                logger.warning("new objects' files cannot be settled; again in %.0f s: %s", pause, error)
            with self._mutex:
                if self._closed or not self._logs():
                    self._settler = None
                    return


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
    for name in logs:
        try:
            file = files.open(f"{folder}/{name}")
        except IsADirectoryError:
            logger.warning("newborns/%s is no log of new objects; it is left alone", name)
            continue
        with file:
            for record in _records(file, int(name)):
                _place(f"{root}/{record.name}", record, unfinished, files)
                placed.add(_folder(f"{root}/{record.name}"))
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


def _check(content: bytes | bytearray) -> int:
    """A content's checksum. In pieces so small that computing it keeps the interpreter: others would take it for milliseconds."""
    check = 0
    view = memoryview(content)
    for at in range(0, len(view), 4096):
        check = zlib.crc32(view[at : at + 4096], check)
    return check


def _record(birth: _Birth, number: int) -> list[bytes | bytearray]:
    rest = (number, birth.modified_ns, len(birth.content), len(birth.name))
    check = zlib.crc32(_CHECKED.pack(*rest) + birth.name, birth.check)
    return [_HEAD.pack(_MAGIC, check, *rest), birth.name, birth.content]


def _records(file: BinaryIO, number: int) -> Iterator[_Record]:
    """A log's records, up to the first that is not whole."""
    at = 0
    while head := file.read(_HEAD.size):
        record = _read(file, head, number)
        if record is None:
            logger.warning(
                "newborns/%s: no record at byte %s; what is behind that was not acknowledged", number, at
            )
            return
        yield record
        at = file.tell()


def _read(file: BinaryIO, head: bytes, number: int) -> _Record | None:
    if len(head) < _HEAD.size:
        return None
    magic, check, log, modified_ns, length, name_length = _HEAD.unpack(head)
    if magic != _MAGIC or log != number or length > MAX_CONTENT:
        return None
    name = file.read(name_length)
    content = file.read(length)
    whole = len(name) == name_length and len(content) == length
    if not whole or zlib.crc32(head[8:] + name, _check(content)) != check:
        return None
    text = name.decode("utf-8", "surrogateescape")
    return _Record(text, modified_ns, content) if _NAME.fullmatch(text) else None


def _place(path: str, record: _Record, unfinished: str, files: Files) -> None:
    """See that a file has a record's content, on disk."""
    content = record.content
    try:
        found = files.stat(path)
        if found.st_mtime_ns > record.modified_ns:
            # Of a later record, or of another program that went on with it.
            return
        with files.open(path) as file:
            if file.read(len(content) + 1) == content:
                files.sync_file(path)
                return
    except FileNotFoundError:
        if files.make_folder(_folder(path)):
            files.sync_folder(_folder(_folder(path)))
    logger.info("%s: put in place again", record.name)
    files.remove(unfinished)
    files.write(unfinished, content, sync=False)
    files.date(unfinished, record.modified_ns)
    files.sync_file(unfinished)
    files.rename(unfinished, path)
