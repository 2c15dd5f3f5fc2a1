"""A guest: an instance with its memory, and calls of what it exports."""

from __future__ import annotations

import ctypes as C
import struct
from typing import TYPE_CHECKING, Any, Final

from durabox.engine.ffi.library import (
    Export,
    Function,
    Instance,
    Memory,
    P,
    S,
    Trapped,
    Value,
    bind,
    bind_short,
    message_of,
    trapped,
)
from durabox.engine.ticker import this_thread
from durabox.errors import EngineError

if TYPE_CHECKING:
    from durabox.engine.ffi.engine import Module, NativeEngine
    from durabox.engine.ffi.imports import Caller

_store_new: Final = bind_short("wasmtime_store_new", P, P, P, P)
_store_delete: Final = bind("wasmtime_store_delete", None, P)
_store_context: Final = bind_short("wasmtime_store_context", P, P)
_store_limiter: Final = bind_short("wasmtime_store_limiter", None, P, *[C.c_int64] * 5)
_instance_new: Final = bind("wasmtime_instance_new", P, P, P, P, S, P, P)
_linker_instantiate: Final = bind_short("wasmtime_linker_instantiate", P, P, P, P, P, P)
_linker_define: Final = bind_short("wasmtime_linker_define", P, P, P, C.c_char_p, S, C.c_char_p, S, P)
_export_get: Final = bind_short("wasmtime_instance_export_get", C.c_bool, P, P, C.c_char_p, S, P)
_memory_data: Final = bind_short("wasmtime_memory_data", P, P, P)
_memory_size: Final = bind_short("wasmtime_memory_data_size", S, P, P)
_call_async: Final = bind_short("wasmtime_func_call_async", P, P, P, P, S, P, S, P, P)
_future_poll: Final = bind("wasmtime_call_future_poll", C.c_bool, P)
_future_delete: Final = bind_short("wasmtime_call_future_delete", None, P)
_yield_on_epoch: Final = bind_short(
    "wasmtime_context_epoch_deadline_async_yield_and_update", None, P, C.c_uint64
)

#: How often the seal of an image's memfd is tried; the kernel waits a third of a second each time.
_SEAL_ATTEMPTS: Final = 20

#: Functions that the guest exports, as `Machine.start` numbers them.
SCRATCH, LIMITS, EVENT, ERROR_LENGTH, SEAL = range(5)
#: Of each: name, arguments, results; all of them i32.
EXPORTS: Final = (
    (b"durabox_scratch", 1, 1),
    (b"durabox_limits", 2, 1),
    (b"durabox_event", 3, 1),
    (b"durabox_error_len", 0, 1),
    (b"durabox_seal", 0, 1),
)


class _Frame(C.Structure):
    """What Wasmtime reads and writes for one instance, in one piece at one address."""

    _fields_ = (
        ("arguments", Value * 3),
        ("result", Value),
        ("trap", P),
        ("error", P),
        ("memory", Memory),
        ("functions", Function * len(EXPORTS)),
    )


_ARGUMENTS_AT: Final = _Frame.arguments.offset
_RESULT_AT: Final = _Frame.result.offset
_TRAP_AT: Final = _Frame.trap.offset
_ERROR_AT: Final = _Frame.error.offset
_MEMORY_AT: Final = _Frame.memory.offset
#: Address in the frame, arguments and results of each export.
_CALLS: Final = tuple(
    (_Frame.functions.offset + number * C.sizeof(Function), arguments, results)
    for number, (_, arguments, results) in enumerate(EXPORTS)
)
_OF: Final = Value.of.offset
_VALUE_TAIL: Final = C.sizeof(Value) - _OF - 4
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
        instance = Instance()
        extern = Export()
        trap = P()
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
            for number, (name, _, _) in enumerate(EXPORTS):
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
            message = message_of(error)
            if "memfd" not in message or attempt == _SEAL_ATTEMPTS:
                raise EngineError(f"memory: {message}")
        self._check(None, trap, "memory")

    @staticmethod
    def _check(error: int | None, trap: Any, what: str) -> None:
        if error:
            raise EngineError(f"{what}: {message_of(error)}")
        if trap.value:
            raise EngineError(f"{what}: {trapped(trap.value).message}")

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
                raise trapped(trap)
            if error:
                # A host function that ends the guest comes back as an error, not as a trap.
                self._frame.error = None
                raise Trapped(None, message_of(error))
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
