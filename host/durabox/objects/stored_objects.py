"""What stored values have beyond V8's own format, as a step of the library that reads it: objects of the platform.

After their tag come the number of their type and what that type has, numbers and texts with their lengths, as workerd
writes them (`bindings/src/web/host_objects.ts` writes the same). What the library does not read in every case is read here
too: dates that Python does not have, texts with lone surrogates, and -0.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from v8serialize.constants import SerializationTag
from v8serialize.decode import DecodeContext, DecodeNextFn, ReadableTagStream
from v8serialize.jstypes import JSObject

_HEADERS: Final = 4
_DOM_EXCEPTION: Final = 8
_NATIVE_ERROR: Final = 10
_BLOB: Final = 15
#: The names of native errors by the number of their type; the name of type 0 is written out.
_ERRORS: Final = {
    1: "Error",
    2: "TypeError",
    3: "RangeError",
    4: "ReferenceError",
    5: "SyntaxError",
    6: "CompileError",
    7: "LinkError",
    8: "RuntimeError",
    9: "SuspendError",
    10: "EvalError",
    11: "URIError",
    12: "AggregateError",
    13: "SuppressedError",
}
#: Names of headers that are written as a number: their place in this list, from 1.
_COMMON_HEADERS: Final = """
accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow
authorization cache-control content-disposition content-encoding content-language content-length
content-location content-range content-type cookie date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security transfer-encoding user-agent vary via www-authenticate
""".split()  # noqa: SIM905
#: The calendar repeats itself after so many years, which are so many milliseconds.
_CYCLE_YEARS: Final = 400
_CYCLE: Final = 146_097 * 86_400_000
#: The furthest date of JavaScript, in milliseconds from the epoch.
_FURTHEST: Final = 8.64e15
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StoredObject(Struct, eq=False):
    """
    An object that JSON has no form of its own for.

    Args:
        kind: What it is told as.
        parts: What it has, by name: values as the library gives them, and bytes.
    """

    kind: str
    parts: dict[str, object]


def read_stored_object(tag: SerializationTag, /, ctx: DecodeContext, next: DecodeNextFn) -> object:
    """
    A step for `v8serialize.loads`.

    Raises:
        DecodeV8SerializeError: The bytes make no sense.
    """
    stream = ctx.stream
    if tag is SerializationTag.kDate:
        return _added(stream, "Date", value=_date(stream.read_double()))
    if tag is SerializationTag.kTwoByteString:
        return bytes(stream.read_bytes(stream.read_varint(32))).decode("utf-16-le", "surrogatepass")
    if tag is SerializationTag.kDouble:
        return stream.read_double()
    if tag is not SerializationTag.kHostObject:
        return next(tag)
    kind = stream.read_varint(32)
    if kind == _NATIVE_ERROR:
        return _native_error(ctx)
    if kind == _DOM_EXCEPTION:
        return _added(stream, "DOMException", name=_text(stream), message=_text(stream), stack=_text(stream))
    if kind == _BLOB:
        return _added(stream, "Blob", type=_text(stream), base64=_bytes(stream))
    if kind == _HEADERS:
        stream.read_varint(32)  # who may change them
        return _added(
            stream,
            "Headers",
            entries=[[_header(stream), _text(stream)] for _ in range(stream.read_varint(32))],
        )
    stream.throw(f"an object of the unknown type {kind}")


def _native_error(ctx: DecodeContext) -> StoredObject:
    # Its properties may lead back to it.
    error = _added(ctx.stream, "Error")
    kind = ctx.stream.read_varint(32)
    name = _ERRORS.get(kind) if kind else ctx.decode_object()
    message = ctx.decode_object()
    properties = ctx.decode_object()
    if name is None or not isinstance(message, str) or not isinstance(properties, JSObject):
        ctx.stream.throw("an error that makes no sense")
    if isinstance(name, str):
        error.kind = name
    error.parts["message"] = message
    others = JSObject(properties)
    for part in ("stack", "cause"):
        if part in properties:
            error.parts[part] = others.pop(part)
    if others:
        error.parts["properties"] = others
    return error


def _added(stream: ReadableTagStream, kind: str, **parts: object) -> StoredObject:
    found = StoredObject(kind, parts)
    stream.objects.record_reference(found)
    return found


def _header(stream: ReadableTagStream) -> str:
    number = stream.read_varint(32)
    if number > len(_COMMON_HEADERS):
        stream.throw(f"a header of the unknown number {number}")
    return _COMMON_HEADERS[number - 1] if number else _text(stream)


def _text(stream: ReadableTagStream) -> str:
    return _bytes(stream).decode("utf-8", "replace")


def _bytes(stream: ReadableTagStream) -> bytes:
    return bytes(stream.read_bytes(stream.read_varint(32)))


def _date(milliseconds: float) -> str | None:
    """As `Date.prototype.toISOString` writes it, ``None`` for an invalid one."""
    if not abs(milliseconds) <= _FURTHEST:
        return None
    cycles, rest = divmod(int(milliseconds), _CYCLE)
    moment = _EPOCH + timedelta(milliseconds=rest)
    year = moment.year + _CYCLE_YEARS * cycles
    written = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    return f"{written}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
