"""Finding states in a history, and making a database file of one."""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Iterator

from msgspec import Struct

from durabox.errors import RefusedError, StorageError
from durabox.storage.history.blocks import Frames, Placed, Replaced, Rest
from durabox.storage.history.bookmark import Bookmark
from durabox.storage.history.recorder import Recorder

#: Offsets 18 and 19 of a database's header: the versions needed to write and to read; 2 is WAL.
_JOURNAL_AT = 18
_WAL_VERSIONS = b"\x02\x02"


class Moment(Struct, frozen=True):
    """
    A state and when it came to be.

    Args:
        bookmark: Its name.
        time: Of its last commit, milliseconds since the epoch.
    """

    bookmark: str
    time: int


class Past:
    """
    The states that can be had back.

    Args:
        recorder: Of the object's history.
        operation: What it is for, in messages.
    Raises:
        StorageError: The history cannot be read.
    """

    def __init__(self, recorder: Recorder, operation: str) -> None:
        self._recorder = recorder
        self._operation = operation
        try:
            self._rest, self._since = recorder.present()
        except (OSError, ValueError) as error:
            raise StorageError(operation, f"The history cannot be read: {error}") from error
        self._log = recorder.log

    @property
    def commit(self) -> int:
        """The number of the last commit."""
        return self._rest.base + len(self._since)

    @property
    def newest(self) -> Moment:
        """The present state."""
        return self._moment(self.commit, self._since[-1] if self._since else self._rest.time)

    @property
    def oldest(self) -> Moment:
        """The first state that is left."""
        first = next(self._log.firsts())
        return self._moment(first.base, first.time)

    def at(self, time: float) -> Moment:
        """
        The state at a time.

        Args:
            time: Milliseconds since the epoch.
        Raises:
            RefusedError: It is over, or still to come.
        """
        if time > self._recorder.clock():
            raise self._refused("The time is in the future.")
        oldest = self.oldest
        if not time >= oldest.time:
            raise self._refused("The time is before the beginning of the history that is kept.")
        start = oldest
        for first in self._log.firsts():
            if first.time > time:
                break
            start = self._moment(first.base, first.time)
        commit, when = Bookmark.parse(start.bookmark, self._operation).commit, start.time
        for placed in self._log.walk(commit):
            block = placed.block
            if isinstance(block, Frames) and block.time > time:
                for number, made in enumerate(_index(placed).times, block.base + 1):
                    if made > time:
                        return self._moment(commit, when)
                    commit, when = number, made
            elif block.time > time:
                return self._moment(commit, when)
            else:
                commit, when = block.end, block.time
        for number, made in enumerate(self._since, self._rest.base + 1):
            if made > time:
                break
            commit, when = number, made
        return self._moment(commit, when)

    def check(self, text: str) -> Bookmark:
        """
        The bookmark, as one of a commit.

        Raises:
            RefusedError: It is no bookmark, or its state is not to be had.
        """
        bookmark = Bookmark.parse(text, self._operation)
        if bookmark.line != self._rest.line:
            raise self._refused("The bookmark is of another object, or of a history that was given up.")
        commit = bookmark.commit
        if bookmark.undo:
            commit = self._before(bookmark)
        if commit > self.commit:
            raise self._refused("The bookmark is in the future.")
        if commit < next(self._log.firsts()).base:
            raise self._refused("The bookmark is before the beginning of the history that is kept.")
        return Bookmark(commit, 0, bookmark.line)

    def _before(self, bookmark: Bookmark) -> int:
        """The commit before a restore."""
        for placed in self._log.walk(bookmark.commit):
            block = placed.block
            if isinstance(block, Replaced) and block.undo == bookmark.undo:
                return block.base
        raise self._refused("The restore that the bookmark undoes has not taken place.")

    def has_undo(self, undo: int) -> bool:
        """Whether the last thing that happened is the restore of that number."""
        last = None
        for placed in self._log.walk(self._rest.base):
            if not isinstance(placed.block, Rest):
                last = placed.block
        return isinstance(last, Replaced) and last.undo == undo

    def next(self) -> str:
        """The state after the commit that is to come."""
        return self._moment(self.commit + 1, 0).bookmark

    def build(self, commit: int, target: str) -> bool:
        """
        Make a file of the state after a commit. The WAL must be in the history already.

        Args:
            commit: One that `check` let pass.
            target: The new file's name.
        Returns:
            Whether there was a database then; if not there is no file.
        Raises:
            ValueError: The history is damaged.
            OSError: A file cannot be read or written.
        """
        later = self._later(commit)
        inside = next(later, None)
        redo = inside if inside is not None and inside.block.base < commit else None
        if redo is not None and isinstance(redo.block, Replaced):
            raise ValueError("blocks of the history are missing")
        source = self._source(commit)
        if source is None:
            return False
        handle = -1
        shutil.copyfile(source, target)
        try:
            handle = os.open(target, os.O_RDWR | os.O_CLOEXEC)
            self._undo(commit, handle)
            if redo is not None:
                _redo(redo, commit, handle)
            if os.fstat(handle).st_size:
                os.pwrite(handle, _WAL_VERSIONS, _JOURNAL_AT)
        finally:
            if handle >= 0:
                os.close(handle)
        return True

    def _later(self, commit: int) -> Iterator[Placed]:
        """
        What changed the file since that state: frames, up to the first replacement of the file or the present. The
        first of them holds the commit itself if it begins before it.
        """
        for placed in self._log.walk(commit):
            block = placed.block
            if isinstance(block, Rest) or block.end < commit:
                continue
            if isinstance(block, Replaced) and block.end == commit:
                continue
            yield placed
            if isinstance(block, Replaced):
                return

    def _source(self, commit: int) -> str | None:
        """The file to begin with: the one that was replaced first since, or the present one."""
        for placed in self._later(commit):
            if isinstance(placed.block, Replaced):
                return self._log.kept(placed.block.end) if placed.block.kept else None
        return self._recorder.path if self._recorder.files.exists(self._recorder.path) else None

    def _undo(self, commit: int, handle: int) -> None:
        """Put back what the pages were at the beginning of the first of these blocks."""
        seen: set[int] = set()
        size: int | None = None
        for placed in self._later(commit):
            block = placed.block
            if not isinstance(block, Frames):
                break
            if size is None:
                size = block.size * block.page_size
            pages = placed.piece(1)
            for position, page in enumerate(_index(placed).old_pages):
                if page not in seen:
                    seen.add(page)
                    at = position * block.page_size
                    os.pwrite(handle, pages[at : at + block.page_size], (page - 1) * block.page_size)
        if size is not None:
            os.ftruncate(handle, size)

    def _moment(self, commit: int, time: int) -> Moment:
        return Moment(str(Bookmark(commit, 0, self._rest.line)), time)

    def _refused(self, message: str) -> RefusedError:
        return RefusedError(self._operation, message)


def _redo(placed: Placed, commit: int, handle: int) -> None:
    """Play a block's frames up to a commit."""
    block = placed.block
    assert isinstance(block, Frames)
    length = block.page_size
    pages = placed.piece(2)
    number = block.base
    for position, (page, size) in enumerate(_index(placed).frames):
        changed = pages[position * length : (position + 1) * length]
        at = (page - 1) * length
        before = os.pread(handle, length, at).ljust(length, b"\0")
        os.pwrite(handle, _difference(changed, before), at)
        if size:
            number += 1
            if number == commit:
                os.ftruncate(handle, size * length)
                return
    raise ValueError("a block of the history ends too early")


def _difference(one: bytes, other: bytes) -> bytes:
    """The bits in which two pages of the same size differ; applied to either it gives the other."""
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")


class _Index(Struct, frozen=True):
    """The first piece of a block of frames."""

    frames: list[tuple[int, int]]
    old_pages: array[int]
    times: array[int]


def _index(placed: Placed) -> _Index:
    block = placed.block
    assert isinstance(block, Frames)
    data = placed.piece(0)
    pages, times = array("I"), array("Q")
    frames = array("I")
    first = 8 * (block.last - block.start)
    second = first + 4 * block.pages
    if len(data) != second + 8 * block.commits:
        raise ValueError("a block of the history is damaged: its index has the wrong length")
    frames.frombytes(data[:first])
    pages.frombytes(data[first:second])
    times.frombytes(data[second:])
    return _Index(list(zip(frames[::2], frames[1::2], strict=True)), pages, times)
