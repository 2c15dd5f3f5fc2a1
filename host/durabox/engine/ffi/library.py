"""Wasmtime's library as it is loaded: its functions, its structures and its errors."""

from __future__ import annotations

import ctypes as C
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from durabox import installed
from durabox.errors import EngineError

#: The only series whose structures and symbols this package was checked against.
SUPPORTED_SERIES: Final = "50."

WASMTIME_VERSION: Final = installed.version("wasmtime")
if not WASMTIME_VERSION.startswith(SUPPORTED_SERIES):
    raise EngineError(
        f"durabox needs wasmtime {SUPPORTED_SERIES}x, but {WASMTIME_VERSION} is installed: "
        f"pip install 'wasmtime=={SUPPORTED_SERIES}*'"
    )


def _path() -> str:
    """Where the package keeps its library for this machine."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
    ending = "dylib" if sys.platform == "darwin" else "so"
    return str(installed.folder("wasmtime") / f"{sys.platform}-{machine}" / f"_libwasmtime.{ending}")


try:
    _library: Final = C.CDLL(_path())
except OSError as error:
    raise EngineError(f"libwasmtime {WASMTIME_VERSION} cannot be loaded: {error}") from None
_short_library: Final = C.PyDLL(_library._name)
#: A pointer, and a size.
P: Final = C.c_void_p
S: Final = C.c_size_t


def bind(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """
    A function of the library.

    Args:
        name: Its name.
        result: Type of its result; ``None`` for none.
        arguments: Types of its arguments.
    Raises:
        EngineError: The library has no such function.
    """
    return _bind(_library, name, result, arguments)


def bind_short(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """
    As `bind`, for calls too short to let other threads run meanwhile: when these commit, or import at the start, the way
    back from each call would be a long one.
    """
    return _bind(_short_library, name, result, arguments)


def _bind(library: C.CDLL, name: str, result: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    try:
        function = getattr(library, name)
    except AttributeError:
        raise EngineError(f"libwasmtime {WASMTIME_VERSION} has no function {name}") from None
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


class Value(C.Structure):
    """``wasmtime_val_t``. The guest's are i32, kind 0, in the first 4 bytes of `of`."""

    _fields_ = (("kind", C.c_uint8), ("of", C.c_uint64 * 3))


class Function(C.Structure):
    """``wasmtime_func_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", P))


class Memory(C.Structure):
    """``wasmtime_memory_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", C.c_uint32 * 4))


class _Item(C.Union):
    """What an export is."""

    _fields_ = (("func", Function), ("memory", Memory))


class Export(C.Structure):
    """``wasmtime_extern_t``."""

    _fields_ = (("kind", C.c_uint8), ("of", _Item))


class Instance(C.Structure):
    """``wasmtime_instance_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", S))


class Vector(C.Structure):
    """``wasm_byte_vec_t`` and ``wasm_valtype_vec_t``: so many bytes, or pointers."""

    _fields_ = (("size", S), ("data", P))

    def take(self) -> bytes:
        """A copy of the bytes, which are freed."""
        copy = C.string_at(self.data, self.size)
        _bytes_delete(C.byref(self))
        return copy


_error_message: Final = bind("wasmtime_error_message", None, P, P)
_error_delete: Final = bind("wasmtime_error_delete", None, P)
_trap_code: Final = bind("wasmtime_trap_code", C.c_bool, P, P)
_trap_message: Final = bind("wasm_trap_message", None, P, P)
_trap_delete: Final = bind("wasm_trap_delete", None, P)
_bytes_delete: Final = bind("wasm_byte_vec_delete", None, P)

#: wasmtime_trap_code of the traps that have a meaning of their own here.
TRAP_STACK_OVERFLOW: Final = 0
TRAP_OUT_OF_BOUNDS: Final = 1


def message_of(error: int) -> str:
    """What a ``wasmtime_error_t``, which is freed, says."""
    text = Vector()
    _error_message(error, C.byref(text))
    _error_delete(error)
    return text.take().decode("utf-8", "replace")


class Trapped(Exception):
    """
    The guest trapped.

    Args:
        code: Wasmtime's trap code, ``None`` for a host function that ended it.
        message: Wasmtime's description.
    """

    def __init__(self, code: int | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def trapped(trap: int) -> Trapped:
    """The exception for a ``wasm_trap_t``, which is freed."""
    code = C.c_uint8()
    has_code = _trap_code(trap, C.byref(code))
    text = Vector()
    _trap_message(trap, C.byref(text))
    _trap_delete(trap)
    message = text.take().decode("utf-8", "replace").rstrip("\0")
    return Trapped(code.value if has_code else None, message)
