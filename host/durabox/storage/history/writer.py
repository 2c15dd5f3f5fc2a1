"""Blocks out of a WAL's frames: what they hold, and what the pages in them were before."""

from __future__ import annotations

import os
import zlib
from array import array
from typing import Final

from durabox.storage.history.blocks import Frames
from durabox.storage.history.times import Times
from durabox.storage.history.wal import WalFile

#: Of zlib: pages that changed little are zeros for the most part, and those are fast.
_COMPRESSION: Final = 1


class BlockWriter:
    """
    Makes blocks of a WAL's frames.

    Args:
        wal: The WAL.
        handle: The database file, open for reading.
        start: Frames that belong to the past.
    """

    def __init__(self, wal: WalFile, handle: int, start: int) -> None:
        self._wal = wal
        self._handle = handle
        #: Where a page is that the database file may not have, or may have in a later version.
        self._frame_of: dict[int, int] = {}
        #: Pages in the database, those that an unfinished transaction added included.
        self._extent = os.fstat(handle).st_size // wal.page_size
        for frame, (page, size) in enumerate(wal.frames(1, start), 1):
            self._seen(frame, page, size)

    def _seen(self, frame: int, page: int, size: int) -> None:
        self._frame_of[page] = frame
        self._extent = size or max(self._extent, page)

    def write(self, start: int, last: int, base: int, time: int, times: Times) -> tuple[Frames, list[bytes]]:
        """
        The block of frames ``start + 1`` to ``last``, and its payload.

        Args:
            start: The frame before the first.
            last: The last frame.
            base: Commits before.
            time: When the last of them was made, in milliseconds since the epoch.
            times: When the others were.
        """
        wal = self._wal
        size = self._extent
        old_pages = array("I")
        old: list[bytes] = []
        new: list[bytes] = []
        #: By page, as a number: its latest content.
        versions: dict[int, int] = {}
        ends: list[int] = []
        index = array("I")
        for frame, (page, commit) in enumerate(wal.frames(start + 1, last), start + 1):
            content = wal.page(frame)
            before = versions.get(page)
            if before is None and page <= size:
                replaced = self._before(page)
                old_pages.append(page)
                old.append(replaced)
                before = int.from_bytes(replaced, "little")
            number = versions[page] = int.from_bytes(content, "little")
            new.append(content if before is None else (number ^ before).to_bytes(len(content), "little"))
            index.append(page)
            index.append(commit)
            if commit:
                ends.append(frame)
        for frame, (page, commit) in enumerate(zip(index[::2], index[1::2], strict=True), start + 1):
            self._seen(frame, page, commit)
        made = times.of(ends, time)
        payload = [
            zlib.compress(b"".join(pieces), _COMPRESSION)
            for pieces in ([index.tobytes(), old_pages.tobytes(), array("Q", made).tobytes()], old, new)
        ]
        block = Frames(
            base,
            len(ends),
            made[-1] if made else time,
            wal.page_size,
            size,
            wal.salts,
            start,
            last,
            len(old),
            (len(payload[0]), len(payload[1]), len(payload[2])),
        )
        return block, payload

    def _before(self, page: int) -> bytes:
        frame = self._frame_of.get(page)
        if frame is not None:
            return self._wal.page(frame)
        size = self._wal.page_size
        return os.pread(self._handle, size, (page - 1) * size).ljust(size, b"\0")
