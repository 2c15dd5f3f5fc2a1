"""Wasmtime through its C interface; the only file that touches ctypes.

The published wheel's library is used directly because entering a guest through the Python package's own objects costs
thirty microseconds, and through this file two; nor is that package imported, which takes as long as the library's own start.
Facts relied on here, checked by ``tests/engine/test_ffi.py``:

* A raw argument of a host function is 16 bytes wide (it can hold a v128); results overwrite the first one.
* ``wasmtime_context_epoch_deadline_async_yield_and_update`` returns nothing (the package's binding says otherwise).
* An instance may be made synchronously as long as its store does not yield yet.
* With the pooling allocator a memory never moves while it grows.
"""

from __future__ import annotations

import ctypes as C
import os
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from durabox import installed
from durabox.engine.ticker import Ticker, this_thread
from durabox.errors import EngineError

#: The only series whose structures and symbols this file was checked against.
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
#: The same, for calls too short to let other threads run meanwhile: when these commit, or import at the start, the
#: way back from each call would be a long one.
_short: Final = C.PyDLL(_library._name)
_P: Final = C.c_void_p
_S: Final = C.c_size_t


def _bind(name: str, result: Any, *arguments: Any, library: C.CDLL = _library) -> Callable[..., Any]:
    try:
        function = getattr(library, name)
    except AttributeError:
        raise EngineError(f"libwasmtime {WASMTIME_VERSION} has no function {name}") from None
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


class _Value(C.Structure):
    """``wasmtime_val_t``. The guest's are i32, kind 0, in the first 4 bytes of `of`."""

    _fields_ = (("kind", C.c_uint8), ("of", C.c_uint64 * 3))


class _Function(C.Structure):
    """``wasmtime_func_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", _P))


class _Memory(C.Structure):
    """``wasmtime_memory_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", C.c_uint32 * 4))


class _Item(C.Union):
    """What an export is."""

    _fields_ = (("func", _Function), ("memory", _Memory))


class _Export(C.Structure):
    """``wasmtime_extern_t``."""

    _fields_ = (("kind", C.c_uint8), ("of", _Item))


class _Instance(C.Structure):
    """``wasmtime_instance_t``."""

    _fields_ = (("store_id", C.c_uint64), ("private", _S))


class _Vector(C.Structure):
    """``wasm_byte_vec_t`` and ``wasm_valtype_vec_t``: so many bytes, or pointers."""

    _fields_ = (("size", _S), ("data", _P))


_config_new: Final = _bind("wasm_config_new", _P, library=_short)
_pool_new: Final = _bind("wasmtime_pooling_allocation_config_new", _P, library=_short)
_pool_delete: Final = _bind("wasmtime_pooling_allocation_config_delete", None, _P, library=_short)
_engine_new: Final = _bind("wasm_engine_new_with_config", _P, _P)
_linker_new: Final = _bind("wasmtime_linker_new", _P, _P, library=_short)
_type_new: Final = _bind("wasm_valtype_new", _P, C.c_uint8, library=_short)
_types_new: Final = _bind("wasm_valtype_vec_new", None, _P, _S, _P, library=_short)
_signature_new: Final = _bind("wasm_functype_new", _P, _P, _P, library=_short)
_signature_delete: Final = _bind("wasm_functype_delete", None, _P, library=_short)
_store_new: Final = _bind("wasmtime_store_new", _P, _P, _P, _P, library=_short)
_store_delete: Final = _bind("wasmtime_store_delete", None, _P)
_store_context: Final = _bind("wasmtime_store_context", _P, _P, library=_short)
_store_limiter: Final = _bind("wasmtime_store_limiter", None, _P, *[C.c_int64] * 5, library=_short)
_instance_new: Final = _bind("wasmtime_instance_new", _P, _P, _P, _P, _S, _P, _P)
_linker_instantiate: Final = _bind("wasmtime_linker_instantiate", _P, _P, _P, _P, _P, _P, library=_short)
_linker_define: Final = _bind(
    "wasmtime_linker_define", _P, _P, _P, C.c_char_p, _S, C.c_char_p, _S, _P, library=_short
)
_linker_define_function: Final = _bind(
    "wasmtime_linker_define_func_unchecked", _P, _P, C.c_char_p, _S, C.c_char_p, _S, *[_P] * 4, library=_short
)
_export_get: Final = _bind(
    "wasmtime_instance_export_get", C.c_bool, _P, _P, C.c_char_p, _S, _P, library=_short
)
_memory_data: Final = _bind("wasmtime_memory_data", _P, _P, _P, library=_short)
_memory_size: Final = _bind("wasmtime_memory_data_size", _S, _P, _P, library=_short)
_call_async: Final = _bind("wasmtime_func_call_async", _P, _P, _P, _P, _S, _P, _S, _P, _P, library=_short)
_future_poll: Final = _bind("wasmtime_call_future_poll", C.c_bool, _P)
_future_delete: Final = _bind("wasmtime_call_future_delete", None, _P, library=_short)
_yield_on_epoch: Final = _bind(
    "wasmtime_context_epoch_deadline_async_yield_and_update", None, _P, C.c_uint64, library=_short
)
_increment_epoch: Final = _bind("wasmtime_engine_increment_epoch", None, _P)
_module_new: Final = _bind("wasmtime_module_new", _P, _P, C.c_char_p, _S, _P)
_module_delete: Final = _bind("wasmtime_module_delete", None, _P)
_module_serialize: Final = _bind("wasmtime_module_serialize", _P, _P, _P)
_module_deserialize: Final = _bind("wasmtime_module_deserialize", _P, _P, C.c_char_p, _S, _P)
_error_message: Final = _bind("wasmtime_error_message", None, _P, _P)
_error_delete: Final = _bind("wasmtime_error_delete", None, _P)
_trap_new: Final = _bind("wasmtime_trap_new", _P, C.c_char_p, _S)
_trap_code: Final = _bind("wasmtime_trap_code", C.c_bool, _P, _P)
_trap_message: Final = _bind("wasm_trap_message", None, _P, _P)
_trap_delete: Final = _bind("wasm_trap_delete", None, _P)
_bytes_delete: Final = _bind("wasm_byte_vec_delete", None, _P)

#: wasmtime_trap_code of the traps that have a meaning of their own here.
TRAP_STACK_OVERFLOW: Final = 0
TRAP_OUT_OF_BOUNDS: Final = 1

#: This process's memory by address, for the arguments and results of host functions: reading them through a view is
#: several times faster than through a ctypes object made for each call.
_PROCESS: Final = memoryview((C.c_ubyte * (1 << 47)).from_address(0)).cast("B")
_HostFunction: Final = C.CFUNCTYPE(_P, _P, _P, _P, _S)
#: The same as numbers of 32 bits.
_NUMBERS: Final = _PROCESS.cast("i")
_op_arguments: Final = struct.Struct("<i12x I12x I12x I12x I12x I12x I12x").unpack_from
_two_arguments: Final = struct.Struct("<I12x I12x").unpack_from
_float_result: Final = struct.Struct("<d").pack_into

#: How often the seal of an image's memfd is tried; the kernel waits a third of a second each time.
_SEAL_ATTEMPTS: Final = 20

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


@_HostFunction  # type: ignore[untyped-decorator]
def _op(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        number, args, args_len, body, body_len, reply, cap = _op_arguments(_PROCESS, slots)
        _NUMBERS[slots >> 2] = caller.op(number, args, args_len, body, body_len, reply, cap)
    except BaseException as error:
        caller.failed(error)
        return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _reply(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        _NUMBERS[slots >> 2] = caller.reply(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        caller.failed(error)
        return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _clock(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        _float_result(_PROCESS, slots, caller.clock())
    except BaseException as error:
        caller.failed(error)
        return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _random(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        caller.random(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        caller.failed(error)
        return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]
    return None


@_HostFunction  # type: ignore[untyped-decorator]
def _abort(_: int, __: int, slots: int, ___: int) -> int | None:
    caller: Caller = this_thread.running.caller
    try:
        caller.abort(*_two_arguments(_PROCESS, slots))
    except BaseException as error:
        caller.failed(error)
    return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]


_I32: Final = "i32"
_F64: Final = "f64"
#: ``wasm_valkind_t``.
_KINDS: Final = {_I32: 0, _F64: 3}
_IMPORTS: Final[tuple[tuple[str, list[str], list[str], Any], ...]] = (
    ("op", [_I32] * 7, [_I32], _op),
    ("reply", [_I32] * 2, [_I32], _reply),
    ("clock", [], [_F64], _clock),
    ("random", [_I32] * 2, [], _random),
    ("abort", [_I32] * 2, [], _abort),
)


def _types(names: Sequence[str]) -> Any:
    """A ``wasm_valtype_vec_t``, which whoever takes it frees."""
    vector = _Vector()
    types = (_P * len(names))(*(_type_new(_KINDS[name]) for name in names))
    _types_new(C.byref(vector), len(names), types)
    return C.byref(vector)


def _message_of(error: int) -> str:
    text = _Vector()
    _error_message(error, C.byref(text))
    message = C.string_at(text.data, text.size).decode("utf-8", "replace")
    _bytes_delete(C.byref(text))
    _error_delete(error)
    return message


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


def _trapped(trap: int) -> Trapped:
    code = C.c_uint8()
    has_code = _trap_code(trap, C.byref(code))
    text = _Vector()
    _trap_message(trap, C.byref(text))
    message = C.string_at(text.data, text.size).decode("utf-8", "replace").rstrip("\0")
    _bytes_delete(C.byref(text))
    _trap_delete(trap)
    return Trapped(code.value if has_code else None, message)


class Module:
    """A compiled module. Made by `NativeEngine`."""

    __slots__ = ("pointer",)

    def __init__(self, pointer: int) -> None:
        #: 0 once it is closed.
        self.pointer = pointer

    def close(self) -> None:
        """Give it back; instances of it go on."""
        pointer, self.pointer = self.pointer, 0
        if pointer:
            _module_delete(pointer)

    def __del__(self) -> None:
        self.close()


class NativeEngine:
    """
    A Wasmtime engine with our imports.

    Args:
        isolates: Instances that may exist at once.
        max_memory: Bytes that one memory may ever have.
        stack: Bytes of a fiber's stack; half of it is the guest's, the rest belongs to op handlers.
    """

    def __init__(self, isolates: int, max_memory: int, stack: int) -> None:
        config = _config_new()
        for name, kind, value in (
            ("epoch_interruption", C.c_bool, True),
            ("async_stack_size", _S, stack),
            ("max_wasm_stack", _S, stack // 2),
            ("memory_init_cow", C.c_bool, True),
            ("native_unwind_info", C.c_bool, False),
        ):
            _bind(f"wasmtime_config_{name}_set", None, _P, kind, library=_short)(config, value)
        pool = _pool_new()
        for name, width, number in (
            ("total_stacks", C.c_uint32, isolates),
            ("total_core_instances", C.c_uint32, 2 * isolates),
            ("total_memories", C.c_uint32, isolates),
            ("total_tables", C.c_uint32, isolates),
            ("max_memory_size", _S, max_memory),
            ("max_unused_warm_slots", C.c_uint32, 128),
        ):
            _bind(f"wasmtime_pooling_allocation_config_{name}_set", None, _P, width, library=_short)(
                pool, number
            )
        _bind("wasmtime_pooling_allocation_strategy_set", None, _P, _P, library=_short)(config, pool)
        _pool_delete(pool)
        self._pointer: int | None = _engine_new(config)
        if not self._pointer:
            raise EngineError("Wasmtime could not be started with the pooling allocator.")
        self._linker: int = _linker_new(self._pointer)
        _bind("wasmtime_linker_allow_shadowing", None, _P, C.c_bool, library=_short)(self._linker, True)
        self._define_imports()
        self.instantiation = threading.Lock()
        self.memory_type = C.c_ubyte * max_memory
        self.ticker = Ticker(self._tick)

    def _tick(self) -> None:
        _increment_epoch(self._pointer)

    def _define_imports(self) -> None:
        for name, arguments, results, function in _IMPORTS:
            signature = _signature_new(_types(arguments), _types(results))
            raw = name.encode()
            error = _linker_define_function(
                self._linker,
                b"durabox",
                7,
                raw,
                len(raw),
                signature,
                C.cast(function, _P),
                None,
                None,
            )
            _signature_delete(signature)
            if error:
                raise EngineError(f"import {name}: {_message_of(error)}")

    def compile(self, wasm: bytes) -> Module:
        """
        A module from WebAssembly bytes.

        Raises:
            EngineError: Not a valid module.
        """
        pointer = _P()
        error = _module_new(self._pointer, wasm, len(wasm), C.byref(pointer))
        if error:
            raise EngineError(f"WebAssembly module: {_message_of(error)}")
        assert pointer.value is not None
        return Module(pointer.value)

    def serialize(self, module: Module) -> bytes:
        """A module's native code, for `deserialize` in another process."""
        code = _Vector()
        error = _module_serialize(module.pointer, C.byref(code))
        if error:
            raise EngineError(f"serialize: {_message_of(error)}")
        copy = C.string_at(code.data, code.size)
        _bytes_delete(C.byref(code))
        return copy

    def deserialize(self, code: bytes, length: int) -> Module:
        """
        The module that `serialize` made bytes of. Only for bytes that are trusted as much as our own code.

        Args:
            code: Begins with these bytes.
            length: How many they are.
        Raises:
            EngineError: Made by another version or with another configuration.
        """
        pointer = _P()
        error = _module_deserialize(self._pointer, code, length, C.byref(pointer))
        if error:
            raise EngineError(f"deserialize: {_message_of(error)}")
        assert pointer.value is not None
        return Module(pointer.value)

    def instantiate(self, memory: Module, code: Module, max_memory: int) -> Machine:
        """
        A running instance of ``code`` on a fresh copy of ``memory``.

        Args:
            memory: A module that only defines and exports a memory.
            code: The guest.
            max_memory: Bytes to which the memory may grow.
        Raises:
            EngineError: No room for another instance, a module with other imports, or one that was closed.
        """
        if not (memory.pointer and code.pointer):
            raise EngineError("an image that was closed starts no isolates")
        return Machine(self, self._pointer, self._linker, memory, code, max_memory)


#: Functions that the guest exports, as `Machine.start` numbers them.
SCRATCH, LIMITS, EVENT, ERROR_LENGTH, SEAL = range(5)
#: Of each: name, arguments, results; all of them i32.
_EXPORTS: Final = (
    (b"durabox_scratch", 1, 1),
    (b"durabox_limits", 2, 0),
    (b"durabox_event", 3, 1),
    (b"durabox_error_len", 0, 1),
    (b"durabox_seal", 0, 1),
)


class _Frame(C.Structure):
    """What Wasmtime reads and writes for one instance, in one piece at one address."""

    _fields_ = (
        ("arguments", _Value * 3),
        ("result", _Value),
        ("trap", _P),
        ("error", _P),
        ("memory", _Memory),
        ("functions", _Function * len(_EXPORTS)),
    )


_ARGUMENTS_AT: Final = _Frame.arguments.offset
_RESULT_AT: Final = _Frame.result.offset
_TRAP_AT: Final = _Frame.trap.offset
_ERROR_AT: Final = _Frame.error.offset
_MEMORY_AT: Final = _Frame.memory.offset
#: Address in the frame, arguments and results of each export.
_CALLS: Final = tuple(
    (_Frame.functions.offset + number * C.sizeof(_Function), arguments, results)
    for number, (_, arguments, results) in enumerate(_EXPORTS)
)
_OF: Final = _Value.of.offset
_VALUE_TAIL: Final = C.sizeof(_Value) - _OF - 4
#: Three i32 values (kind 0), and a result with the trap and the error that follow it.
_arguments: Final = struct.Struct("<" + f"{_OF}xi{_VALUE_TAIL}x" * 3).pack_into
_outcome: Final = struct.Struct(f"<{_OF}xi{_VALUE_TAIL}xQQ").unpack_from


class Machine:
    """One instance with its memory in a store of its own. Made by `NativeEngine.instantiate`."""

    __slots__ = (
        "_at",
        "_context",
        "_event",
        "_frame",
        "_future",
        "_store",
        "_ticker",
        "_view",
        "result",
        "size",
    )

    def __init__(
        self,
        engine: NativeEngine,
        pointer: int | None,
        linker: int | None,
        memory: Module,
        code: Module,
        max_memory: int,
    ) -> None:
        self._ticker = engine.ticker
        self._future: int | None = None
        self._frame = _Frame()
        self._at = C.addressof(self._frame)
        #: What the last call returned.
        self.result = 0
        self._store: int | None = _store_new(pointer, None, None)
        self._context: int = _store_context(self._store)
        self._event = self._prepare(EVENT)
        # A failed attempt at the memory counts as an instance and a memory all the same.
        _store_limiter(self._store, max_memory, 1 << 16, 1 + _SEAL_ATTEMPTS, 1, _SEAL_ATTEMPTS)
        instance = _Instance()
        extern = _Export()
        trap = _P()
        try:
            self._instantiate_memory(memory, instance, trap)
            _export_get(self._context, C.byref(instance), b"memory", 6, C.byref(extern))
            self._frame.memory = extern.of.memory
            with engine.instantiation:
                error = _linker_define(linker, self._context, b"durabox", 7, b"memory", 6, C.byref(extern))
                self._check(error, trap, "memory")
                error = _linker_instantiate(
                    linker, self._context, code.pointer, C.byref(instance), C.byref(trap)
                )
            self._check(error, trap, "code")
            functions = self._frame.functions
            for number, (name, _, _) in enumerate(_EXPORTS):
                if not _export_get(self._context, C.byref(instance), name, len(name), C.byref(extern)):
                    raise EngineError(f"the engine image does not export {name.decode()}")
                functions[number] = extern.of.func
        except EngineError:
            self.close()
            raise
        _yield_on_epoch(self._context, 1)
        # All that the memory may grow to; only what lies within `size` may be touched.
        address: int = _memory_data(self._context, self._at + _MEMORY_AT)
        self._view = memoryview(engine.memory_type.from_address(address)).cast("B")
        #: Bytes of the memory when it was last asked.
        self.size: int = _memory_size(self._context, self._at + _MEMORY_AT)

    def _instantiate_memory(self, memory: Module, instance: Any, trap: Any) -> None:
        """
        A fresh copy of an image's memory.

        The first copy puts the image into a sealed memfd. The kernel refuses the seal while another processor still
        holds a page of it in one of its queues, which a loaded machine may not empty in time: that passes.
        """
        for attempt in range(1, _SEAL_ATTEMPTS + 1):
            error = _instance_new(self._context, memory.pointer, None, 0, C.byref(instance), C.byref(trap))
            if not error:
                break
            message = _message_of(error)
            if "memfd" not in message or attempt == _SEAL_ATTEMPTS:
                raise EngineError(f"memory: {message}")
        self._check(None, trap, "memory")

    @staticmethod
    def _check(error: int | None, trap: Any, what: str) -> None:
        if error:
            raise EngineError(f"{what}: {_message_of(error)}")
        if trap.value:
            raise EngineError(f"{what}: {_trapped(trap.value).message}")

    def start(self, function: int, first: int = 0, second: int = 0, third: int = 0) -> None:
        """
        Begin to call an exported function; `poll` runs it.

        Args:
            function: `SCRATCH`, `LIMITS`, `EVENT`, `ERROR_LENGTH` or `SEAL`.
            first: Its first argument, if it takes one.
            second: Its second argument.
            third: Its third argument.
        """
        _arguments(self._frame, _ARGUMENTS_AT, first, second, third)
        self._future = _call_async(*(self._event if function == EVENT else self._prepare(function)))

    def _prepare(self, function: int) -> tuple[int, ...]:
        """What Wasmtime needs to know to call an exported function."""
        at = self._at
        offset, arguments, results = _CALLS[function]
        return (
            self._context,
            at + offset,
            at + _ARGUMENTS_AT,
            arguments,
            at + _RESULT_AT,
            results,
            at + _TRAP_AT,
            at + _ERROR_AT,
        )

    def poll(self, caller: Caller) -> bool:
        """
        Run the call until it ends or its time slice does.

        Args:
            caller: Serves the imports meanwhile.
        Returns:
            Whether it has ended; `result` is then valid.
        Raises:
            Trapped: It ended by a trap.
            EngineError: It is entered from within an op.
        """
        running = this_thread.running
        if running.caller is not None:
            raise EngineError("a guest cannot be entered from within an op")
        ticker = self._ticker
        running.caller = caller
        if ticker.asleep:
            ticker.wake()
        try:
            done: bool = _future_poll(self._future)
        finally:
            running.caller = None
        if done:
            _future_delete(self._future)
            self._future = None
            self.result, trap, error = _outcome(self._frame, _RESULT_AT)
            if trap:
                self._frame.trap = None
                raise _trapped(trap)
            if error:
                # A host function that ends the guest comes back as an error, not as a trap.
                self._frame.error = None
                raise Trapped(None, _message_of(error))
        return done

    def refresh(self) -> int:
        """Read the memory's size again; it only ever grows, and is 0 once the instance is closed."""
        if self._store is not None:
            self.size = _memory_size(self._context, self._at + _MEMORY_AT)
        return self.size

    def read(self, pointer: int, length: int) -> bytes:
        """
        A copy of guest memory.

        Raises:
            IndexError: The range does not lie in the memory.
        """
        end = pointer + length
        if end > self.size and end > self.refresh():
            raise IndexError
        return self._view[pointer:end].tobytes()

    def look(self, pointer: int, length: int) -> memoryview:
        """
        Guest memory as it is, until the guest runs again.

        Raises:
            IndexError: The range does not lie in the memory.
        """
        end = pointer + length
        if end > self.size and end > self.refresh():
            raise IndexError
        return self._view[pointer:end]

    def write(self, pointer: int, data: bytes) -> None:
        """
        Copy into guest memory.

        Raises:
            IndexError: The range does not lie in the memory.
        """
        end = pointer + len(data)
        if end > self.size and end > self.refresh():
            raise IndexError
        self._view[pointer:end] = data

    def cancel(self) -> None:
        """Unwind the call under way, if any; the instance can only be closed after that."""
        if self._future is not None:
            _future_delete(self._future)
            self._future = None

    def close(self) -> None:
        """Free the instance and its memory."""
        self.cancel()
        if self._store is not None:
            _store_delete(self._store)
            self._store = None
            self.size = 0

    def __del__(self) -> None:
        self.close()
