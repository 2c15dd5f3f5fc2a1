"""What a history's files hold: blocks, one after the other.

::

    4  bytes  DBXH
    4         length of the header
    8         length of the payload
              header: one of the records below, msgpack
              payload
    4         CRC-32 of header and payload
    8         length of the whole block, so that a file can be read from its end

Numbers are little-endian. A block that is not whole was being written when the process ended; what it was to protect
has not happened yet, so it is dropped.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, TypeAlias

import msgspec

_MAGIC: Final = b"DBXH"
_HEAD: Final = struct.Struct("<4sIQ")
_TAIL: Final = struct.Struct("<IQ")
#: A header is some hundred bytes; anything longer is no block.
_HEADER_MAX: Final = 4096


class Stamp(msgspec.Struct, array_like=True, frozen=True):
    """How a database file looked when we last wrote it; another program's writing shows."""

    size: int
    modified_ns: int


class Rest(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """
    Nothing was under way: the database file held every commit up to `base`, or could be brought there with the
    frames of the WAL up to `start`. Every file of a history begins with one.
    """

    base: int  # commits so far
    time: int  # of the last of them, milliseconds since the epoch
    line: bytes  # 16 random bytes, the history's own
    stamp: Stamp | None  # of the database file; None: there is none
    salts: bytes  # of the WAL that `start` counts in
    start: int  # its frames that belong to the past

    @property
    def end(self) -> int:
        """Commits up to and including this block."""
        return self.base


class Frames(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """
    Frames of the WAL, and what the pages in them were before. The payload is three pieces, each compressed: the index
    (``[page, size]`` of each frame, the pages before, the commits' times), the old pages, the new ones. A new page is
    stored as its difference from the version before it, which is mostly zeros.
    """

    base: int
    commits: int
    time: int
    page_size: int
    size: int  # pages in the database before
    salts: bytes
    start: int  # frames start + 1 to last
    last: int
    pages: int  # old pages
    pieces: tuple[int, int, int]  # lengths in the payload

    @property
    def end(self) -> int:
        """Commits up to and including this block."""
        return self.base + self.commits


class Replaced(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """Another file took the place of the database: by deleteAll, by the first write after it, or by a restore."""

    base: int
    time: int
    kept: bool  # whether there was a file; it is kept under this commit's number
    stamp: Stamp | None  # of the new file; None: there is none
    undo: int  # number of the restore that did it, else 0

    @property
    def end(self) -> int:
        """Commits up to and including this block."""
        return self.base + 1


Block: TypeAlias = Rest | Frames | Replaced

_DECODER: Final = msgspec.msgpack.Decoder(Block)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode(block: Block, payload: Sequence[bytes] = ()) -> list[bytes]:
    """A block as pieces to write one after the other."""
    header = _ENCODER.encode(block)
    length = sum(map(len, payload))
    check = zlib.crc32(header)
    for piece in payload:
        check = zlib.crc32(piece, check)
    total = _HEAD.size + len(header) + length + _TAIL.size
    return [_HEAD.pack(_MAGIC, len(header), length), header, *payload, _TAIL.pack(check, total)]


class Placed:
    """A block in an open file; its payload is read when it is asked for."""

    __slots__ = ("_at", "_file", "_length", "block", "next")

    def __init__(self, file: BinaryIO, block: Block, at: int, length: int) -> None:
        self.block = block
        self._file = file
        self._at = at
        self._length = length
        #: Where the block after it begins.
        self.next = at + length + _TAIL.size

    def piece(self, number: int) -> bytes:
        """
        A piece of a `Frames` block's payload, unpacked.

        Raises:
            ValueError: It is damaged.
        """
        assert isinstance(self.block, Frames)
        pieces = self.block.pieces
        self._file.seek(self._at + sum(pieces[:number]))
        try:
            return zlib.decompress(self._file.read(pieces[number]))
        except zlib.error as error:
            raise ValueError(f"a block of the history is damaged: {error}") from None

    def whole(self) -> bool:
        """Whether everything that was written is there."""
        self._file.seek(self._at)
        check = zlib.crc32(_ENCODER.encode(self.block))
        left = self._length
        while left:
            piece = self._file.read(min(left, 1 << 20))
            if not piece:
                return False
            check = zlib.crc32(piece, check)
            left -= len(piece)
        tail = self._file.read(_TAIL.size)
        return len(tail) == _TAIL.size and _TAIL.unpack(tail)[0] == check


def read_at(file: BinaryIO, at: int) -> Placed | None:
    """The block that begins there, ``None`` if there is no whole header."""
    file.seek(at)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, length, payload = _HEAD.unpack(head)
    if magic != _MAGIC or length > _HEADER_MAX:
        return None
    try:
        block = _DECODER.decode(file.read(length))
    except msgspec.MsgspecError:
        return None
    return Placed(file, block, at + _HEAD.size + length, payload)


def read_all(file: BinaryIO) -> Iterator[Placed]:
    """Every block from the beginning of a file, up to the first that has no whole header."""
    at = 0
    while (placed := read_at(file, at)) is not None:
        yield placed
        at = placed.next


def read_last(file: BinaryIO) -> tuple[Placed | None, int]:
    """The last whole block of a file, and where the file should end."""
    end = file.seek(0, 2)
    if end >= _TAIL.size:
        file.seek(end - _TAIL.size)
        _, total = _TAIL.unpack(file.read(_TAIL.size))
        if total <= end:
            placed = read_at(file, end - total)
            if placed is not None and placed.next == end and placed.whole():
                return placed, end
    last, end = None, 0
    for placed in read_all(file):
        if not placed.whole():
            break
        last, end = placed, placed.next
    return last, end
