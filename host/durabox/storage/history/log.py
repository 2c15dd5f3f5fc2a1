"""A history's folder::

    STATE/.durabox/history/<unique key>/<64 hex digits>/
        <commit>.log      blocks, in order; named for the commits before the first of them
        <commit>.old      the database file that this commit replaced
        times             when the commits since the last block were made
        restore           what the next start is to restore

Commits are written as 16 hex digits. Dropping the past is removing its oldest files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from durabox.storage.files import Files
from durabox.storage.history.blocks import (
    Block,
    Placed,
    Rest,
    encode,
    read_all,
    read_at,
    read_last,
)
from durabox.storage.history.retention import Retention

#: A file that has grown to this many bytes is followed by another one.
_VOLUME_BYTES: Final = 16 * 1024 * 1024


class HistoryLog:
    """
    The files with blocks. Nothing is kept open.

    Args:
        folder: The object's history; need not exist.
        files: The file system.
        sync: Whether blocks must be on disk when they have been appended.
    """

    def __init__(self, folder: str, files: Files, sync: bool) -> None:
        self.folder = folder
        self._files = files
        #: Whether blocks are synced.
        self.sync = sync
        self._volumes: list[int] = []
        self._size = 0

    def find(self) -> Block | None:
        """The last block; what was left unfinished after it is cut off. ``None`` if there is no history."""
        self._volumes = sorted(
            int(name[:-4], 16) for name, _ in self._files.list(self.folder) if name.endswith(".log")
        )
        while self._volumes:
            path = self._path(self._volumes[-1])
            with self._files.open(path) as file:
                last, end = read_last(file)
                size = file.seek(0, 2)
            self._size = end
            if last is not None:
                if size > end:
                    self._files.truncate(path, end)
                return last.block
            self._files.remove(path)
            self._volumes.pop()
        return None

    def begin(self, rest: Rest) -> None:
        """Start a history that has no past. Not synced: it says nothing yet that could be lost."""
        self._files.make_folders(self.folder)
        self._volumes = [rest.base]
        self._size = 0
        self._append([(rest, ())], sync=False)

    def append(self, *blocks: tuple[Block, Sequence[bytes]]) -> None:
        """Add blocks, all with one sync."""
        self._append(blocks, sync=self.sync)

    def append_rest(self, rest: Rest, *, sync: bool = True) -> None:
        """Add the block that every checkpoint ends with, in a new file if the last one is long."""
        if self._size >= _VOLUME_BYTES and rest.base > self._volumes[-1]:
            self._volumes.append(rest.base)
            self._size = 0
        self._append([(rest, ())], sync=sync and self.sync)

    def drop_last(self, base: int) -> None:
        """Take back a replacement that was announced and did not happen."""
        path = self._path(self._volumes[-1])
        with self._files.open(path) as file:
            last, _ = read_last(file)
            assert last is not None
            begin = last.next - sum(map(len, encode(last.block)))
        self._files.truncate(path, begin)
        self._files.remove(self.kept(base + 1))

    def walk(self, commit: int) -> Iterator[Placed]:
        """The blocks from the file on in which the commit is; the first one is a `Rest`."""
        first = max((number for number, base in enumerate(self._volumes) if base <= commit), default=0)
        for base in self._volumes[first:]:
            with self._files.open(self._path(base)) as file:
                yield from read_all(file)

    def firsts(self) -> Iterator[Rest]:
        """The first block of every file."""
        for base in self._volumes:
            with self._files.open(self._path(base)) as file:
                placed = read_at(file, 0)
                if placed is not None and isinstance(placed.block, Rest):
                    yield placed.block

    def trim(self, retention: Retention, now: float) -> None:
        """Drop the oldest files that the bounds do not allow any more; the last one stays."""
        if len(self._volumes) < 2:
            return
        sizes = dict(self._files.list(self.folder))
        total = sum(sizes.values())
        # A file's states are as old as the first of the next one.
        ends = [rest.time for rest in self.firsts()][1:]
        dropped = 0
        for number, end in enumerate(ends):
            if total <= retention.size and end >= now - retention.age_ms:
                break
            oldest = f"{self._volumes[number + 1]:016x}"
            for name in list(sizes):
                commit, _, kind = name.partition(".")
                # What replaced a file in the commit that the next one begins with is the first state that is left.
                if (kind == "log" and commit < oldest) or (kind == "old" and commit <= oldest):
                    total -= sizes.pop(name)
                    self._files.remove(f"{self.folder}/{name}")
            dropped += 1
        del self._volumes[:dropped]

    def remove(self) -> None:
        """Forget everything but what is to be restored."""
        for name, _ in self._files.list(self.folder):
            if name != "restore":
                self._files.remove(f"{self.folder}/{name}")
        self._volumes = []

    def kept(self, commit: int) -> str:
        """Where the file is that the commit replaced."""
        return f"{self.folder}/{commit:016x}.old"

    def _path(self, base: int) -> str:
        return f"{self.folder}/{base:016x}.log"

    def _append(self, blocks: Sequence[tuple[Block, Sequence[bytes]]], *, sync: bool) -> None:
        data = b"".join(piece for block, payload in blocks for piece in encode(block, payload))
        new = self._size == 0
        self._files.append(self._path(self._volumes[-1]), data, at=self._size, sync=sync)
        self._size += len(data)
        if new and sync:
            self._files.sync_folder(self.folder)
