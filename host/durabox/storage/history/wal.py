"""Reading a WAL file beside SQLite: which pages its frames hold and which frames end a commit.

The file is a header of 32 bytes (big-endian: magic, format, page size, sequence number, two salts, two checksums) and
frames: a header of 24 bytes (page number, size of the database in pages if the frame ends a commit, else 0, salts,
checksums) and a page. Frames count from 1. How many of them are valid is SQLite's to say: it knows the checksums.

Source: https://www.sqlite.org/fileformat2.html, the write-ahead log.
"""

from __future__ import annotations

import os
import struct
from types import TracebackType
from typing import Final

_HEADER: Final = 32
_FRAME: Final = 24
_PAIR: Final = struct.Struct(">II")
_PAGE_SIZE: Final = struct.Struct(">I")


class WalFile:
    """
    An open WAL file. SQLite takes no locks on it, so opening and closing it a second time is harmless; that is not so
    for the database file.

    Args:
        path: The file.
    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: str) -> None:
        #: What tells one life of the WAL from the next: SQLite begins it anew after a checkpoint, with other salts.
        self.salts = b""
        self.page_size = 0
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._handle = -1
            return
        header = os.pread(self._handle, _HEADER, 0)
        if len(header) == _HEADER:
            self.page_size = _PAGE_SIZE.unpack_from(header, 8)[0]
            self.salts = header[16:24]

    def __enter__(self) -> WalFile:
        """Closed when the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `__enter__`."""
        if self._handle >= 0:
            os.close(self._handle)

    def frames(self, first: int, last: int) -> list[tuple[int, int]]:
        """The frames from `first` to `last`: the page of each, and the database's size where it ends a commit."""
        read, handle, step = os.pread, self._handle, _FRAME + self.page_size
        unpack = _PAIR.unpack
        return [unpack(read(handle, 8, _HEADER + (frame - 1) * step)) for frame in range(first, last + 1)]

    def page(self, frame: int) -> bytes:
        """The page in a frame."""
        return os.pread(
            self._handle, self.page_size, _HEADER + (frame - 1) * (_FRAME + self.page_size) + _FRAME
        )
