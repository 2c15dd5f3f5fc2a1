"""Work on bytes that come piece by piece: compression, decompression, digests. Their state lives here, by handle."""

from __future__ import annotations

import hashlib
import zlib
from typing import Final, Protocol

from durabox.engine.ops import GuestError
from durabox.engine.webcrypto import hash_name
from durabox.errors import GuestProtocolError

#: Most bytes of one piece, in or out: some milliseconds of compression.
PIECE: Final = 64 << 10
#: Most at once in one isolate. The state of a compressor has about 270 KB.
_MOST: Final = 128

#: zlib's window bits by format.
_FORMATS: Final = {"gzip": 31, "deflate": 15, "deflate-raw": -15}


class _Codec(Protocol):
    def write(self, piece: bytes, end: bool) -> bytes:
        """Take a piece and give what comes out of it; see op ``codec_write``."""
        ...


class _Compressor:
    def __init__(self, form: str) -> None:
        self._state = zlib.compressobj(wbits=_FORMATS[form])

    def write(self, piece: bytes, end: bool) -> bytes:
        out = self._state.compress(piece)
        return out + self._state.flush() if end else out


class _Decompressor:
    def __init__(self, form: str) -> None:
        self._state = zlib.decompressobj(wbits=_FORMATS[form])

    def write(self, piece: bytes, end: bool) -> bytes:
        state = self._state
        if state.unconsumed_tail and piece:
            raise GuestProtocolError("a decompressor was given more before what it had was out")
        if state.eof and piece:
            raise GuestError("TypeError", "Trailing bytes after end of compressed data")
        try:
            out = state.decompress(state.unconsumed_tail + piece, PIECE)
        except zlib.error:
            raise GuestError("TypeError", "Decompression failed.") from None
        if state.unused_data:
            raise GuestError("TypeError", "Trailing bytes after end of compressed data")
        if end and len(out) < PIECE and not state.eof:
            raise GuestError("TypeError", "Called close() on a decompression stream with incomplete data")
        return out


class _Digest:
    def __init__(self, name: str) -> None:
        self._state = hashlib.new(hash_name(name))

    def write(self, piece: bytes, end: bool) -> bytes:
        self._state.update(piece)
        return self._state.digest() if end else b""


class Codecs:
    """Those of one isolate."""

    def __init__(self) -> None:
        self._codecs: dict[int, _Codec] = {}
        self._next = 1

    def open(self, kind: str, form: str) -> int:
        """
        Make one.

        Args:
            kind: ``compress``, ``decompress`` or ``digest``.
            form: Format or hash.
        Returns:
            Its handle.
        Raises:
            GuestError: There are too many, or no such hash.
        """
        if len(self._codecs) >= _MOST:
            raise GuestError(
                "Error", f"Too many compression and digest streams at once: the limit is {_MOST}."
            )
        if kind == "digest":
            codec: _Codec = _Digest(form)
        elif form in _FORMATS:
            codec = _Compressor(form) if kind == "compress" else _Decompressor(form)
        else:
            raise GuestProtocolError(f"there is no codec {kind!r} of {form!r}")
        handle = self._next
        self._next = handle + 1
        self._codecs[handle] = codec
        return handle

    def write(self, handle: int, end: bool, piece: bytes) -> bytes:
        """
        Give it a piece; see op ``codec_write``.

        Raises:
            GuestError: The bytes are not of the format; the codec is gone then.
        """
        codec = self._codecs.get(handle)
        if codec is None or len(piece) > PIECE:
            raise GuestProtocolError(f"{len(piece)} bytes for codec {handle}")
        try:
            return codec.write(piece, end)
        except GuestError:
            del self._codecs[handle]
            raise

    def drop(self, handle: int) -> None:
        """The guest needs it no more."""
        self._codecs.pop(handle, None)
