"""Wasmtime's engine with our imports, and what it compiles."""

from __future__ import annotations

import ctypes as C
import threading
from collections.abc import Sequence
from typing import Any, Final

from durabox.engine.ffi.imports import IMPORTS
from durabox.engine.ffi.library import P, S, Vector, bind, bind_short, message_of
from durabox.engine.ffi.machine import Machine
from durabox.engine.ticker import Ticker
from durabox.errors import EngineError

_config_new: Final = bind_short("wasm_config_new", P)
_pool_new: Final = bind_short("wasmtime_pooling_allocation_config_new", P)
_pool_delete: Final = bind_short("wasmtime_pooling_allocation_config_delete", None, P)
_engine_new: Final = bind("wasm_engine_new_with_config", P, P)
_linker_new: Final = bind_short("wasmtime_linker_new", P, P)
_type_new: Final = bind_short("wasm_valtype_new", P, C.c_uint8)
_types_new: Final = bind_short("wasm_valtype_vec_new", None, P, S, P)
_signature_new: Final = bind_short("wasm_functype_new", P, P, P)
_signature_delete: Final = bind_short("wasm_functype_delete", None, P)
_linker_define_function: Final = bind_short(
    "wasmtime_linker_define_func_unchecked", P, P, C.c_char_p, S, C.c_char_p, S, *[P] * 4
)
_increment_epoch: Final = bind("wasmtime_engine_increment_epoch", None, P)
_module_new: Final = bind("wasmtime_module_new", P, P, C.c_char_p, S, P)
_module_delete: Final = bind("wasmtime_module_delete", None, P)
_module_serialize: Final = bind("wasmtime_module_serialize", P, P, P)
_module_deserialize: Final = bind("wasmtime_module_deserialize", P, P, C.c_char_p, S, P)

#: ``wasm_valkind_t``.
_KINDS: Final = {"i32": 0, "f64": 3}


def _types(names: Sequence[str]) -> Any:
    """A ``wasm_valtype_vec_t``, which whoever takes it frees."""
    vector = Vector()
    types = (P * len(names))(*(_type_new(_KINDS[name]) for name in names))
    _types_new(C.byref(vector), len(names), types)
    return C.byref(vector)


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
            ("async_stack_size", S, stack),
            ("max_wasm_stack", S, stack // 2),
            ("memory_init_cow", C.c_bool, True),
            ("native_unwind_info", C.c_bool, False),
        ):
            bind_short(f"wasmtime_config_{name}_set", None, P, kind)(config, value)
        pool = _pool_new()
        for name, width, number in (
            ("total_stacks", C.c_uint32, isolates),
            ("total_core_instances", C.c_uint32, 2 * isolates),
            ("total_memories", C.c_uint32, isolates),
            ("total_tables", C.c_uint32, isolates),
            ("max_memory_size", S, max_memory),
            ("max_unused_warm_slots", C.c_uint32, 128),
        ):
            bind_short(f"wasmtime_pooling_allocation_config_{name}_set", None, P, width)(pool, number)
        bind_short("wasmtime_pooling_allocation_strategy_set", None, P, P)(config, pool)
        _pool_delete(pool)
        self._pointer: int | None = _engine_new(config)
        if not self._pointer:
            raise EngineError("Wasmtime could not be started with the pooling allocator.")
        self._linker: int = _linker_new(self._pointer)
        bind_short("wasmtime_linker_allow_shadowing", None, P, C.c_bool)(self._linker, True)
        self._define_imports()
        self.instantiation = threading.Lock()
        self.memory_type = C.c_ubyte * max_memory
        self.ticker = Ticker(self._tick)

    def _tick(self) -> None:
        _increment_epoch(self._pointer)

    def _define_imports(self) -> None:
        for name, arguments, results, function in IMPORTS:
            signature = _signature_new(_types(arguments), _types(results))
            raw = name.encode()
            error = _linker_define_function(
                self._linker,
                b"durabox",
                7,
                raw,
                len(raw),
                signature,
                C.cast(function, P),
                None,
                None,
            )
            _signature_delete(signature)
            if error:
                raise EngineError(f"import {name}: {message_of(error)}")

    def compile(self, wasm: bytes) -> Module:
        """
        A module from WebAssembly bytes.

        Raises:
            EngineError: Not a valid module.
        """
        pointer = P()
        error = _module_new(self._pointer, wasm, len(wasm), C.byref(pointer))
        if error:
            raise EngineError(f"WebAssembly module: {message_of(error)}")
        assert pointer.value is not None
        return Module(pointer.value)

    def serialize(self, module: Module) -> bytes:
        """A module's native code, for `deserialize` in another process."""
        code = Vector()
        error = _module_serialize(module.pointer, C.byref(code))
        if error:
            raise EngineError(f"serialize: {message_of(error)}")
        return code.take()

    def deserialize(self, code: bytes, length: int) -> Module:
        """
        The module that `serialize` made bytes of. Only for bytes that are trusted as much as our own code.

        Args:
            code: Begins with these bytes.
            length: How many they are.
        Raises:
            EngineError: Made by another version or with another configuration.
        """
        pointer = P()
        error = _module_deserialize(self._pointer, code, length, C.byref(pointer))
        if error:
            raise EngineError(f"deserialize: {message_of(error)}")
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
