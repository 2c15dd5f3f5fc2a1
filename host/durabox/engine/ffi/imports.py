"""What a guest imports: functions that its calls come in by, each handed to whoever serves the guest that runs."""

from __future__ import annotations

import ctypes as C
import struct
from typing import Any, Final, Protocol

from durabox.engine.ffi.library import P, S, bind
from durabox.engine.ticker import this_thread

_trap_new: Final = bind("wasmtime_trap_new", P, C.c_char_p, S)

#: This process's memory by address, for the arguments and results of host functions: reading them through a view is
#: several times faster than through a ctypes object made for each call.
_PROCESS: Final = memoryview((C.c_ubyte * (1 << 47)).from_address(0)).cast("B")
_HostFunction: Final = C.CFUNCTYPE(P, P, P, P, S)
#: The same as numbers of 32 bits.
_NUMBERS: Final = _PROCESS.cast("i")
_op_arguments: Final = struct.Struct("<i12x I12x I12x I12x I12x I12x I12x").unpack_from
_two_arguments: Final = struct.Struct("<I12x I12x").unpack_from
_float_result: Final = struct.Struct("<d").pack_into

_HOST_FAILED: Final = b"the host ended this isolate"


class Caller(Protocol):
    """Who serves the imports of a running guest. Whatever a method raises ends the guest; `failed` gets it first."""

    def op(
        self, number: int, args: int, args_len: int, body: int, body_len: int, reply: int, cap: int
    ) -> int:
        """Import ``op``."""
        ...

    def reply(self, pointer: int, cap: int) -> int:
        """Import ``reply``."""
        ...

    def clock(self) -> float:
        """Import ``clock``."""
        ...

    def random(self, pointer: int, length: int) -> None:
        """Import ``random``."""
        ...

    def abort(self, pointer: int, length: int) -> None:
        """Import ``abort``."""
        ...

    def failed(self, error: BaseException) -> None:
        """An import raised."""
        ...


def _trap() -> int:
    """What ends the guest."""
    return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]


def _end(caller: Caller, error: BaseException) -> int:
    caller.failed(error)
    return _trap()


@_HostFunction  # type: ignore[untyped-decorator]
def _op(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        number, args, args_len, body, body_len, reply, cap = _op_arguments(_PROCESS, slots)
        _NUMBERS[slots >> 2] = caller.op(number, args, args_len, body, body_len, reply, cap)
    except BaseException as error:
        return _end(caller, error)
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _reply(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        _NUMBERS[slots >> 2] = caller.reply(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        return _end(caller, error)
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _clock(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        _float_result(_PROCESS, slots, caller.clock())
    except BaseException as error:
        return _end(caller, error)
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _random(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        caller.random(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        return _end(caller, error)
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _abort(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        caller.abort(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        return _end(caller, error)
    return _trap()


_I32: Final = "i32"
_F64: Final = "f64"
#: Name, types of the arguments and of the results, and what is called.
IMPORTS: Final[tuple[tuple[str, list[str], list[str], Any], ...]] = (
    ("op", [_I32] * 7, [_I32], _op),
    ("reply", [_I32] * 2, [_I32], _reply),
    ("clock", [], [_F64], _clock),
    ("random", [_I32] * 2, [], _random),
    ("abort", [_I32] * 2, [], _abort),
)
