"""The message codec of host and guest: msgpack, checked against types on the way in."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from durabox.errors import GuestProtocolError

_encoder: Final = msgspec.msgpack.Encoder()

#: One Python value as msgpack. Text must be well-formed Unicode.
encode: Final = _encoder.encode


class Decoder:
    """
    Decodes messages of one type.

    Args:
        kind: What a message must be, such as ``tuple[int, str]``.
        name: What to call it in errors.
    """

    __slots__ = ("_decode", "_name")

    def __init__(self, kind: Any, name: str) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._name = name

    def __call__(self, message: bytes) -> Any:
        """
        The decoded message.

        Raises:
            GuestProtocolError: It is not well-formed or not of the type.
        """
        try:
            return self._decode(message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise GuestProtocolError(f"the arguments of {self._name} are malformed: {error}") from None


#: Any value, for answers without a fixed shape.
decode: Final = Decoder(Any, "a value")
