"""When the commits since the last checkpoint were made.

A record is added in the commit, without a sync, when the last one is a second old; those in between are added with the
next, or when the connection is closed. So a crash loses at most the times of one second, and a power loss those that
were not on disk: then a commit has the time of the next one that is known.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from durabox.storage.files import Files

#: Commits so far when the checkpoint was made, milliseconds since the epoch, frame of the WAL; CRC-32 of these.
_RECORD: Final = struct.Struct("<QQI")
_CHECK: Final = struct.Struct("<I")
_SIZE: Final = _RECORD.size + _CHECK.size
_FLUSH_MS: Final = 1000


class Times:
    """
    Frames of the WAL that end a commit, with its time; as many as there are since the last checkpoint.

    Args:
        path: The file for them.
        files: The file system.
    """

    def __init__(self, path: str, files: Files) -> None:
        #: ``(frame, milliseconds since the epoch)`` in order.
        self.known: list[tuple[int, int]] = []
        self._path = path
        self._files = files
        self._written = 0
        self._size = 0
        self._flushed = 0.0

    def load(self, base: int) -> None:
        """Find what an earlier process left, before those that are known already."""
        try:
            with self._files.open(self._path) as file:
                data = file.read()
        except FileNotFoundError:
            data = b""
        found: list[tuple[int, int]] = []
        for at in range(0, len(data) - _SIZE + 1, _SIZE):
            record = data[at : at + _RECORD.size]
            if _CHECK.unpack_from(data, at + _RECORD.size)[0] != zlib.crc32(record):
                break
            self._size = at + _SIZE
            before, time, frame = _RECORD.unpack(record)
            if before == base:
                found.append((frame, time))
        self.known[:0] = found
        self._written = len(found)

    def due(self, now: float) -> bool:
        """Whether the last second's should be written."""
        return now - self._flushed >= _FLUSH_MS or now < self._flushed

    @property
    def unwritten(self) -> bool:
        """Whether some would be lost now."""
        return self._written < len(self.known)

    def flush(self, base: int, now: float) -> None:
        """Write those that are not yet."""
        records = (_RECORD.pack(base, time, frame) for frame, time in self.known[self._written :])
        data = b"".join(record + _CHECK.pack(zlib.crc32(record)) for record in records)
        self._files.append(self._path, data, at=self._size, sync=False)
        self._size += len(data)
        self._written = len(self.known)
        self._flushed = now

    def clear(self) -> None:
        """They are in a block now."""
        self.known.clear()
        self._written = 0
        if self._size:
            self._files.truncate(self._path, 0)
            self._size = 0

    def of(self, frames: list[int], otherwise: int) -> list[int]:
        """The times of the commits that end with these frames, each at least that of the one before."""
        times: list[int] = []
        known = iter(self.known)
        frame, time = next(known, (1 << 32, otherwise))
        for wanted in frames:
            while frame < wanted:
                frame, time = next(known, (1 << 32, otherwise))
            times.append(max(time, times[-1]) if times else time)
        return times
