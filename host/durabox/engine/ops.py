"""The ops a host serves: one method per row of `protocol.OPS`.

A method ``op_<name>(self, *arguments, body)`` gets the decoded arguments and the message's raw body. It runs on
the guest's fiber in the middle of a turn: it must be shallow, must not wait and must not enter a guest.

Handlers may be cut into areas: objects of their own that they hold as attributes, each with the methods of some ops.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, get_args

from durabox.engine import hashes, layers
from durabox.engine.protocol import OPS, Bindings
from durabox.errors import DuraboxError
from durabox.wire import Decoder

#: How a handler is called: the function, what decodes arguments (None: they are passed as raw bytes), how many
#: bytes of arguments it takes, and the area whose method it is (None: the handlers' own).
Entry = tuple[Callable[..., Any], Decoder | None, int, str | None]

_TABLE_SIZE: Final = max(op.number for op in OPS) + 1
#: Most bytes of arguments. One byte of msgpack can become an object of 64 bytes here; in a flat list of texts or
#: bytes it becomes no more than a pointer.
_FLAT_MOST: Final = 64 << 20
_NESTED_MOST: Final = 4 << 20
_DECODERS: Final = {
    op.number: Decoder(op.args, f"the arguments of op {op.name}") for op in OPS if op.args is not bytes
}


class V8(bytes):
    """A reply in V8's serialization format: the guest gets the value."""

    __slots__ = ()


class GuestError(Exception):
    """
    Thrown in JavaScript by the op.

    Args:
        name: The error's class, such as ``TypeError``; others become ``DOMException`` or ``Error`` as the bindings decide.
        message: Its message.
        properties: Flags on the error object.
    """

    def __init__(self, name: str, message: str, properties: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.properties = properties or {}

    @property
    def described(self) -> list[object]:
        """As messages carry errors."""
        return [self.name, self.message, "", self.properties]


class EndIsolate(Exception):
    """
    Ends the isolate here and now; JavaScript cannot catch it.

    Args:
        error: What the caller of the turn gets.
    """

    def __init__(self, error: DuraboxError) -> None:
        super().__init__(str(error))
        self.error = error


def _most(kind: Any) -> int:
    """How many bytes arguments of that type may take."""
    flat = (str, bytes, int, float, bool, list[str], list[bytes], Bindings)
    items = [
        member
        for item in get_args(kind)
        for member in (get_args(item) if isinstance(item, UnionType) else [item])
    ]
    return _FLAT_MOST if all(item in flat or item is NoneType for item in items) else _NESTED_MOST


_MOST: Final = {op.number: _most(op.args) for op in OPS if op.args is not bytes}


def _missing(name: str) -> Callable[..., Any]:
    def refuse(self: OpHandlers, *arguments: object) -> Any:
        raise GuestError("Error", f"{name} is not available here.")

    return refuse


class OpHandlers:
    """
    Base of everything that serves ops. Ops without a method throw in JavaScript.

    A method returns ``None`` (undefined), `V8` (a value), ``bytes`` (an ArrayBuffer), ``str`` (a string) or
    anything that msgpack can carry, or raises `GuestError` or `EndIsolate`.
    """

    #: Attributes that serve ops as well, and their classes. The handlers' own methods come first.
    areas: ClassVar[Mapping[str, type]] = {}
    #: By op number; made once per class.
    entries: ClassVar[tuple[Entry | None, ...]]
    #: Made by the first hash of long data.
    _hashes: hashes.Hashes | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.entries = _table(cls)

    def clock(self) -> float:
        """Milliseconds since the epoch, for ``Date.now()``."""
        return time.time() * 1000.0

    def random(self, length: int) -> bytes:
        """Unpredictable bytes for ``crypto`` and the seed of ``Math.random``."""
        return os.urandom(length)

    def op_layer(self, name: bytes, body: bytes) -> bytes:
        """A part of the bindings that is not in the base image."""
        code = layers.bytecode(name.decode("ascii", "replace"))
        if code is None:
            raise GuestError("Error", "There is no such layer.")
        return code

    def op_time_zones(self, body: bytes) -> list[str]:
        """Names of all time zones."""
        from durabox.engine import time_zones

        return time_zones.names()

    def op_time_zone(self, name: str, body: bytes) -> list[int]:
        """Offsets of a time zone."""
        from durabox.engine import time_zones

        periods = time_zones.periods(name)
        if periods is None:
            raise GuestError("RangeError", "There is no such time zone.")
        return periods

    def op_hash(self, algorithm: str, key: bytes | None, body: bytes) -> bytes:
        """A hash, or an HMAC, of data that is there as a whole."""
        with _wrong_values_thrown():
            state = hashes.begin(algorithm, key)
        state.update(body)
        return state.digest()

    def op_hash_open(self, algorithm: str, key: bytes | None, body: bytes) -> int:
        """One of data that comes bit by bit."""
        if self._hashes is None:
            self._hashes = hashes.Hashes()
        with _wrong_values_thrown():
            return self._hashes.keep(hashes.begin(algorithm, key))

    def op_hash_update(self, handle: int, body: bytes) -> None:
        """More of its data."""
        with _wrong_values_thrown():
            self._open_hashes()[handle].update(body)

    def op_hash_copy(self, handle: int, body: bytes) -> int:
        """Another one in its state."""
        with _wrong_values_thrown():
            return self._open_hashes().keep(self._open_hashes()[handle].copy())

    def op_hash_digest(self, handle: int, body: bytes) -> bytes:
        """Its value and its end."""
        with _wrong_values_thrown():
            return self._open_hashes().take(handle).digest()

    def op_hash_drop(self, handle: int, body: bytes) -> None:
        """Its end."""
        with _wrong_values_thrown():
            self._open_hashes().take(handle)

    def op_pbkdf2_rounds(self, algorithm: str, password: bytes, rounds: int, body: bytes) -> bytes:
        """A part of PBKDF2, so that its guest can be put aside in between."""
        with _wrong_values_thrown():
            return hashes.pbkdf2_rounds(algorithm, password, rounds, body)

    def _open_hashes(self) -> hashes.Hashes:
        if self._hashes is None:
            raise ValueError("there is no such hash")
        return self._hashes


@contextmanager
def _wrong_values_thrown() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise GuestError("Error", str(error)) from None


def _table(handlers: type[OpHandlers]) -> tuple[Entry | None, ...]:
    table: list[Entry | None] = [None] * _TABLE_SIZE
    for op in OPS:
        method, area = _find(handlers, f"op_{op.name}")
        if method is None:
            table[op.number] = (_missing(op.name), None, _FLAT_MOST, None)
        elif op.args is bytes:
            table[op.number] = (method, None, _FLAT_MOST, area)
        else:
            table[op.number] = (method, _DECODERS[op.number], _MOST[op.number], area)
    return tuple(table)


def _find(handlers: type[OpHandlers], name: str) -> tuple[Callable[..., Any] | None, str | None]:
    """A method, and the area that has it."""
    method = getattr(handlers, name, None)
    if method is not None:
        return method, None
    for area, kind in handlers.areas.items():
        method = getattr(kind, name, None)
        if method is not None:
            return method, area
    return None, None


OpHandlers.entries = _table(OpHandlers)
