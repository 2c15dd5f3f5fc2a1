"""Stored values as JSON, for people and programs outside: V8's serialization format, read without running anything.

What JSON has is itself. Everything else is an object with ``$type``::

    undefined, a hole       {"$type": "undefined"}
    NaN, -0, Infinity       {"$type": "number", "value": "NaN"}
    10n                     {"$type": "bigint", "value": "10"}
    Date                    {"$type": "Date", "value": "2026-01-31T12:00:00.000Z"}, null for an invalid one
    Map                     {"$type": "Map", "entries": [[key, value], …]}
    Set                     {"$type": "Set", "values": […]}
    ArrayBuffer and views   {"$type": "Uint8Array", "base64": "…"}
    RegExp                  {"$type": "RegExp", "source": "a+", "flags": "g"}
    Error                   {"$type": "TypeError", "message": "…", "stack": "…"}, "cause" and other "properties"
    DOMException            {"$type": "DOMException", "name": "AbortError", "message": "…", "stack": "…"}
    Headers                 {"$type": "Headers", "entries": [["name", "value"], …]}
    Blob                    {"$type": "Blob", "type": "text/plain", "base64": "…"}
    a stream                {"$type": "ReadableStream"}
    a value inside itself   {"$type": "cycle"}
    what cannot be read     {"$type": "unreadable", "reason": "…", "base64": "…"}
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from durabox.storage.streams import is_marker

#: Numbers up to this are told apart by JSON readers.
_SAFE_INTEGER: Final = 2**53
#: Parts of a value, all places counted; a single sparse array may claim four billion.
_MOST_ELEMENTS: Final = 100_000
_REGEXP_FLAGS: Final = (
    (1, "g"),
    (2, "i"),
    (4, "m"),
    (8, "y"),
    (16, "u"),
    (32, "s"),
    (64, "l"),
    (128, "d"),
    (256, "v"),
)


def stored_as_json(value: bytes) -> object:
    """
    A stored value.

    Args:
        value: In V8's serialization format; it may be anything, and then is unreadable.
    """
    if is_marker(value):
        return {"$type": "ReadableStream"}
    loads, convert = _reader()
    try:
        return convert(loads(value))
    except RecursionError:
        return unreadable("nested too deeply", value)
    except Exception as error:  # whatever a reader of hostile bytes raises
        return unreadable(str(error).partition("\n")[0] or type(error).__name__, value)


def sql_as_json(value: object) -> object:
    """A value of a SQL column."""
    if isinstance(value, bytes):
        return _bytes("ArrayBuffer", value)
    if isinstance(value, float):
        return _number(value)
    return value


def unreadable(reason: str, value: bytes) -> object:
    """Bytes that are no value."""
    return {"$type": "unreadable", "reason": reason, "base64": _base64(value)}


def _bytes(kind: str, value: Any) -> object:
    return {"$type": kind, "base64": _base64(bytes(value))}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _number(value: float) -> object:
    if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
        text = (
            "NaN" if math.isnan(value) else "-0" if value == 0 else "Infinity" if value > 0 else "-Infinity"
        )
        return {"$type": "number", "value": text}
    return int(value) if value.is_integer() and abs(value) <= _SAFE_INTEGER else value


class _Walk:
    """The way through one value: the containers it is inside of, and how much more is looked at."""

    __slots__ = ("inside", "room")

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.room = _MOST_ELEMENTS

    def spend(self, elements: int) -> None:
        """So much is looked at: an array may claim any length, and a value may be in many places."""
        self.room -= elements
        if self.room < 0:
            raise ValueError(f"more than {_MOST_ELEMENTS:,} elements")

    def bytes(self, kind: str, value: Any) -> object:
        """Binary data; 16 bytes of it count as an element."""
        self.spend(len(value) // 16)
        return _bytes(kind, value)


@lru_cache(1)
def _reader() -> tuple[Callable[[bytes], Any], Callable[[Any], object]]:
    """The library takes a while to import: only who reads values pays for it."""
    from v8serialize import TagReader, jstypes
    from v8serialize.decode import Decoder

    from durabox.objects.stored_objects import StoredObject, read_stored_object

    def convert(value: Any, walk: _Walk) -> object:
        walk.spend(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            walk.spend(len(value) // 16)
            return value
        if isinstance(value, jstypes.JSBigInt):
            return {"$type": "bigint", "value": str(int(value))}
        if isinstance(value, int):
            return value if abs(value) <= _SAFE_INTEGER else {"$type": "bigint", "value": str(value)}
        if isinstance(value, float):
            return _number(value)
        if value is jstypes.JSUndefined or value is jstypes.JSHole:
            return {"$type": "undefined"}
        if isinstance(value, jstypes.JSRegExp):
            flags = "".join(letter for bit, letter in _REGEXP_FLAGS if int(value.flags) & bit)
            return {"$type": "RegExp", "source": value.source, "flags": flags}
        if isinstance(value, jstypes.JSPrimitiveObject):
            return convert(value.value, walk)
        if isinstance(value, jstypes.JSArrayBuffer):
            return walk.bytes("ArrayBuffer", value.data)
        if isinstance(value, jstypes.JSTypedArray | jstypes.JSDataView):
            with value.get_buffer_as_memoryview() as view:
                return walk.bytes(type(value).__name__.removeprefix("JS"), view.tobytes())
        if id(value) in walk.inside:
            return {"$type": "cycle"}
        walk.inside.append(id(value))
        try:
            return convert_container(value, walk)
        finally:
            walk.inside.pop()

    def convert_container(value: Any, walk: _Walk) -> object:
        if isinstance(value, StoredObject):
            return {"$type": value.kind} | {
                part: convert_part(content, walk) for part, content in value.parts.items()
            }
        if isinstance(value, jstypes.JSError):
            error: dict[str, object] = {"$type": str(value.name), "message": convert(value.message, walk)}
            for part in ("stack", "cause"):
                if getattr(value, part, None) not in (None, jstypes.JSUndefined):
                    error[part] = convert(getattr(value, part), walk)
            return error
        if isinstance(value, jstypes.JSMap):
            return {
                "$type": "Map",
                "entries": [[convert(k, walk), convert(v, walk)] for k, v in value.items()],
            }
        if isinstance(value, jstypes.JSSet):
            return {"$type": "Set", "values": [convert(each, walk) for each in value]}
        if isinstance(value, jstypes.JSArray):
            walk.spend(len(value.array))
            return [convert(each, walk) for each in value.array]
        if isinstance(value, jstypes.JSObject):
            members = {str(key): convert(each, walk) for key, each in value.items()}
            return (
                {"$type": "Object", "entries": [list(m) for m in members.items()]}
                if "$type" in members
                else members
            )
        raise ValueError(f"a {type(value).__name__}")

    def convert_part(content: Any, walk: _Walk) -> object:
        if isinstance(content, bytes):
            walk.spend(len(content) // 16)
            return _base64(content)
        if isinstance(content, list):
            return [[convert(each, walk) for each in entry] for entry in content]
        return convert(content, walk)

    decoder = Decoder([read_stored_object, TagReader(host_object_deserializer=None)])
    return decoder.decodes, lambda value: convert(value, _Walk())
