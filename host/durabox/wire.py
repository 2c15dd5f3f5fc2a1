"""The message codec of host and guest: msgpack, checked against types on the way in.

JavaScript strings may hold lone surrogates, which no UTF-8 can express; the guest writes them in their three-byte
form. In messages they arrive as U+FFFD, as they do wherever the platform turns a string into bytes. What must keep them
(storage keys, V8-serialized values) travels as raw bytes and is never decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from durabox.errors import GuestProtocolError

_encode: Final = msgspec.msgpack.Encoder().encode
#: ``append(value, buffer, -1)`` writes a value without lone surrogates at the end of a bytearray.
append: Final = msgspec.msgpack.Encoder().encode_into

_SURROGATE: Final = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

#: Bytes that follow the first byte of a msgpack item of fixed size.
_FIXED: Final = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 0),
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    0xCA: 4,
    0xCB: 8,
    0xDC: 2,
    0xDD: 4,
    0xDE: 2,
    0xDF: 4,
}
#: Width of the length that follows the first byte of a bin or str.
_BIN: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_STR: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}


def encode(value: object) -> bytes:
    """
    One value as msgpack; lone surrogates in text become U+FFFD.

    Raises:
        TypeError: A value that msgpack cannot carry.
        OverflowError: An integer of more than 64 bits.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_well_formed(value))


def array_header(count: int) -> bytes:
    """What goes before the items of an array of so many."""
    return b"\xdd" + count.to_bytes(4, "big")


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_well_formed(item) for item in value]
    return value


def _replace_surrogates(message: bytes) -> bytes:
    """The message with lone surrogates in its texts replaced; as it is from where it is malformed."""
    parts: list[bytes] = []
    at = copied = 0
    while at < len(message):
        tag = message[at]
        at += 1
        if tag < 0xA0 or tag >= 0xE0:
            continue
        if 0xA0 <= tag < 0xC0:
            length = tag & 0x1F
        elif tag in _FIXED:
            at += _FIXED[tag]
            continue
        else:
            width = _BIN.get(tag) or _STR.get(tag)
            if width is None:
                break
            length = int.from_bytes(message[at : at + width], "big")
            at += width
        end = at + length
        if tag not in _BIN:
            parts += message[copied:at], _SURROGATE.sub(_REPLACEMENT, message[at:end])
            copied = end
        at = end
    parts.append(message[copied:])
    return b"".join(parts)


#: What a message that is not well-formed or not of its type is refused with; see `Decoder`.
Malformed: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Decoder:
    """
    Decodes messages of one type.

    Args:
        kind: What a message must be, such as ``tuple[int, str]``.
        name: What to call it in errors.
    """

    __slots__ = ("_name", "at_once")

    def __init__(self, kind: Any, name: str) -> None:
        #: The same without the last resort: raises one of `Malformed`, and then `recover` decides.
        self.at_once: Callable[[bytes | memoryview], Any] = msgspec.msgpack.Decoder(kind).decode
        self._name = name

    def __call__(self, message: bytes) -> Any:
        """
        The decoded message.

        Raises:
            GuestProtocolError: It is not well-formed or not of the type.
        """
        try:
            return self.at_once(message)
        except Malformed as error:
            return self.recover(message, error)

    def recover(self, message: bytes, problem: Exception) -> Any:
        """
        The message that `at_once` could not decode, for the lone surrogates in its texts.

        Raises:
            GuestProtocolError: It is not for them.
        """
        if _SURROGATE.search(message):
            try:
                return self.at_once(_replace_surrogates(message))
            except Malformed as error:
                problem = error
        raise GuestProtocolError(f"{self._name} is malformed: {problem}") from None


#: Any value, for answers without a fixed shape.
decode: Final = Decoder(Any, "a value")
