"""The facts about Wasmtime that engine/ffi relies on; one that has changed fails here, by name."""

from __future__ import annotations

import ctypes as C
import importlib.metadata
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime as w
from wasmtime import _bindings as c_api

from durabox.engine import ffi
from durabox.engine.engine import IMAGE_FOLDER
from durabox.engine.ffi import library
from durabox.engine.ffi.engine import NativeEngine
from durabox.engine.ffi.imports import IMPORTS
from durabox.engine.ffi.library import TRAP_OUT_OF_BOUNDS, TRAP_STACK_OVERFLOW, Trapped
from durabox.engine.ffi.machine import EVENT, EXPORTS, Machine
from durabox.engine.image import memory_module
from durabox.errors import EngineError

PAGE = 65_536
MEMORY = memory_module(memoryview(bytes(PAGE)))
#: Imports and exports of the guest's shape; `%s` is the body of its event function.
GUEST = """
(module
  (import "durabox" "memory" (memory 1))
  (import "durabox" "op" (func $op (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "durabox" "reply" (func $reply (param i32 i32) (result i32)))
  (import "durabox" "clock" (func $clock (result f64)))
  (import "durabox" "random" (func $random (param i32 i32)))
  (import "durabox" "abort" (func $abort (param i32 i32)))
  (export "memory" (memory 0))
  (func (export "durabox_scratch") (param $n i32) (result i32) (i32.const 1024))
  (func (export "durabox_limits") (param i32 i32) (result i32) (i32.const 1024))
  (func (export "durabox_error_len") (result i32) (i32.const 0))
  (func (export "durabox_seal") (result i32) (i32.const 0))
  (func $event (export "durabox_event") (param $kind i32) (param $args i32) (param $body i32) (result i32)
    %s))
"""


class Recorder:
    """Serves imports and remembers them."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: BaseException | None = None
        self.machine: Machine | None = None

    def op(self, *arguments: int) -> int:
        self.calls.append(arguments)
        if arguments[0] == -2:
            raise ValueError("an op failed")
        return -5

    def reply(self, pointer: int, cap: int) -> int:
        self.calls.append((pointer, cap))
        return 7

    def clock(self) -> float:
        return 1234.5

    def random(self, pointer: int, length: int) -> None:
        self.calls.append((pointer, length))

    def abort(self, pointer: int, length: int) -> None:
        self.calls.append((pointer, length))

    def failed(self, error: BaseException) -> None:
        self.error = error


@pytest.fixture(scope="module")
def native() -> NativeEngine:
    return NativeEngine(64, 64 << 20, 8 << 20)


@pytest.fixture
def machine_of(native: NativeEngine) -> Callable[..., Machine]:
    def make(body: str, most: int = 4 * PAGE) -> Machine:
        return native.instantiate(
            native.compile(MEMORY), native.compile(bytes(w.wat2wasm(GUEST % body))), most
        )

    return make


def run(machine: Machine, caller: Recorder, *arguments: int) -> int:
    machine.start(EVENT, *arguments)
    while not machine.poll(caller):
        pass
    return machine.result


class TestTheLibrary:
    def test_its_version_is_one_that_was_tried(self) -> None:
        assert importlib.metadata.version("wasmtime").startswith(library.SUPPORTED_SERIES)
        requirement = next(
            r for r in importlib.metadata.requires("durabox") or [] if re.match(r"wasmtime\b", r)
        )
        assert f"=={library.SUPPORTED_SERIES}" in requirement

    def test_it_is_the_library_of_the_package(self) -> None:
        assert library._library._name == c_api.dll._name  # type: ignore[attr-defined]
        assert importlib.metadata.version("wasmtime") == library.WASMTIME_VERSION

    def test_a_missing_symbol_is_named(self) -> None:
        with pytest.raises(EngineError, match="has no function wasmtime_no_such_thing"):
            library.bind("wasmtime_no_such_thing", None)

    @pytest.mark.parametrize(
        ("ours", "theirs", "fields"),
        [
            (library.Value, c_api.wasmtime_val_t, ("kind", "of")),
            (library.Function, c_api.wasmtime_func_t, ("store_id",)),
            (library.Memory, c_api.wasmtime_memory_t, ()),
            (library.Instance, c_api.wasmtime_instance_t, ("store_id",)),
            (library.Export, c_api.wasmtime_extern_t, ("kind", "of")),
            (library.Vector, c_api.wasm_byte_vec_t, ("size", "data")),
            (library.Vector, c_api.wasm_valtype_vec_t, ("size", "data")),
        ],
        ids=lambda value: getattr(value, "__name__", None),
    )
    def test_structures_have_the_layout_of_the_package(
        self, ours: type[C.Structure], theirs: type[C.Structure], fields: tuple[str, ...]
    ) -> None:
        assert (C.sizeof(ours), C.alignment(ours)) == (C.sizeof(theirs), C.alignment(theirs))
        for name in fields:
            assert getattr(ours, name).offset == getattr(theirs, name).offset

    def test_raw_values_are_sixteen_bytes(self) -> None:
        assert C.sizeof(c_api.wasmtime_val_raw_t) == 16

    def test_trap_codes_are_those_that_are_explained(self) -> None:
        codes = {trap.name: trap.value for trap in w.TrapCode}
        assert codes["STACK_OVERFLOW"] == TRAP_STACK_OVERFLOW
        assert codes["MEMORY_OUT_OF_BOUNDS"] == TRAP_OUT_OF_BOUNDS


class TestCalls:
    def test_arguments_and_results_arrive_whole(self, machine_of: Callable[..., Machine]) -> None:
        machine = machine_of(
            "(i32.add (i32.mul (local.get 0) (i32.const 100)) (i32.sub (local.get 1) (local.get 2)))"
        )
        assert run(machine, Recorder(), -3, 70, 100) == -330

    def test_raw_arguments_of_imports_are_sixteen_bytes_apart(
        self, machine_of: Callable[..., Machine]
    ) -> None:
        machine = machine_of(
            "(i32.add (call $op (i32.const -1) (i32.const 2) (i32.const -3) (i32.const 4) (i32.const 5) (i32.const 6)"
            " (i32.const 0x7fffffff)) (call $reply (i32.const 8) (i32.const -9)))"
        )
        caller = Recorder()
        assert run(machine, caller) == 2
        # The op's number is signed, everything else an address or a length.
        assert caller.calls == [(-1, 2, 2**32 - 3, 4, 5, 6, 2**31 - 1), (8, 2**32 - 9)]

    def test_doubles_come_back(self, machine_of: Callable[..., Machine]) -> None:
        machine = machine_of("(i32.trunc_f64_s (f64.mul (call $clock) (f64.const 2)))")
        assert run(machine, Recorder()) == 2469

    def test_what_an_import_raises_ends_the_call_and_is_kept(
        self, machine_of: Callable[..., Machine]
    ) -> None:
        zeros = "(i32.const 0) " * 6
        caller = Recorder()
        with pytest.raises(Trapped) as caught:
            run(machine_of(f"(call $op (i32.const -2) {zeros})"), caller)
        assert caught.value.code is None
        assert isinstance(caller.error, ValueError)

    def test_abort_never_returns(self, machine_of: Callable[..., Machine]) -> None:
        caller = Recorder()
        with pytest.raises(Trapped):
            run(machine_of("(call $abort (i32.const 1) (i32.const 2)) (i32.const 0)"), caller)
        assert caller.calls == [(1, 2)]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("unreachable", w.TrapCode.UNREACHABLE.value),
            ("(i32.load (i32.const 0x7ffffff0))", TRAP_OUT_OF_BOUNDS),
            ("(call $event (i32.const 0) (i32.const 0) (i32.const 0))", TRAP_STACK_OVERFLOW),
        ],
    )
    def test_traps_carry_their_code(self, machine_of: Callable[..., Machine], body: str, code: int) -> None:
        machine = machine_of(body)
        with pytest.raises(Trapped) as caught:
            run(machine, Recorder())
        assert caught.value.code == code

    def test_a_loop_gives_way_at_each_tick_and_can_be_dropped(
        self, machine_of: Callable[..., Machine]
    ) -> None:
        machine = machine_of("(loop (br 0)) (i32.const 0)")
        machine.start(EVENT)
        assert [machine.poll(Recorder()) for _ in range(3)] == [False] * 3
        machine.close()
        assert machine.refresh() == 0

    def test_a_guest_cannot_be_entered_from_within_an_op(self, machine_of: Callable[..., Machine]) -> None:
        other = machine_of("(i32.const 1)")

        class Nested(Recorder):
            def op(self, *arguments: int) -> int:
                other.start(EVENT)
                other.poll(Recorder())
                return 0

        caller = Nested()
        with pytest.raises(Trapped):
            run(machine_of(f"(call $op {'(i32.const 0) ' * 7})"), caller)
        assert isinstance(caller.error, EngineError)
        other.close()


class TestMemory:
    def test_it_does_not_move_while_it_grows(self, machine_of: Callable[..., Machine]) -> None:
        machine = machine_of(
            "(drop (memory.grow (i32.const 3))) (i32.store (i32.const 262140) (i32.const 7)) (i32.const 0)"
        )
        before = C.addressof(C.c_ubyte.from_buffer(machine._view))
        assert machine.size == PAGE
        assert run(machine, Recorder()) == 0
        assert machine.read(262140, 4) == b"\7\0\0\0"
        assert C.addressof(C.c_ubyte.from_buffer(machine._view)) == before

    def test_it_grows_no_further_than_its_limit(self, machine_of: Callable[..., Machine]) -> None:
        assert run(machine_of("(memory.grow (i32.const 4))"), Recorder()) == -1
        assert run(machine_of("(memory.grow (i32.const 3))"), Recorder()) == 1

    @pytest.mark.parametrize(
        ("pointer", "length"),
        [(PAGE - 3, 4), (PAGE, 1), (2**32 - 1, 1), (0, PAGE + 1), (2**32 - 1, 2**32 - 1)],
    )
    def test_only_what_lies_within_can_be_touched(
        self, machine_of: Callable[..., Machine], pointer: int, length: int
    ) -> None:
        machine = machine_of("(i32.const 0)")
        with pytest.raises(IndexError):
            machine.read(pointer, length)
        if length <= 2 * PAGE:
            with pytest.raises(IndexError):
                machine.write(pointer, bytes(length))

    def test_each_instance_has_a_copy_of_its_own(self, machine_of: Callable[..., Machine]) -> None:
        one, other = machine_of("(i32.const 0)"), machine_of("(i32.const 0)")
        one.write(100, b"mine")
        assert other.read(100, 4) == bytes(4)


class TestModules:
    def test_code_survives_serialization(self, native: NativeEngine) -> None:
        code = native.serialize(native.compile(bytes(w.wat2wasm(GUEST % "(i32.const 42)"))))
        machine = native.instantiate(native.compile(MEMORY), native.deserialize(code, len(code)), PAGE)
        assert run(machine, Recorder()) == 42

    @pytest.mark.parametrize("code", [b"", b"\0" * 100, b"\x7fELF" + bytes(200)])
    def test_what_is_no_compiled_code_is_refused(self, native: NativeEngine, code: bytes) -> None:
        with pytest.raises(EngineError, match=r"^deserialize: "):
            native.deserialize(code, len(code))

    def test_what_is_no_module_is_refused(self, native: NativeEngine) -> None:
        with pytest.raises(EngineError, match=r"^WebAssembly module: "):
            native.compile(b"\0asm\1\0\0\0\xff")

    @pytest.mark.parametrize(
        ("module", "complaint"),
        [
            ('(module (import "durabox" "other" (func)))', "unknown import"),
            ('(module (import "wasi_snapshot_preview1" "fd_write" (func)))', "unknown import"),
            ('(module (import "durabox" "op" (func)))', "incompatible import type"),
            ("(module)", "does not export durabox_scratch"),
        ],
    )
    def test_a_module_of_another_shape_is_refused(
        self, native: NativeEngine, module: str, complaint: str
    ) -> None:
        with pytest.raises(EngineError, match=complaint):
            native.instantiate(native.compile(MEMORY), native.compile(bytes(w.wat2wasm(module))), PAGE)


class TestTheShippedImage:
    """What the host serves and calls is what the image asks for and offers."""

    def test_it_imports_exactly_what_the_host_serves(self) -> None:
        module = w.Module(w.Engine(), (IMAGE_FOLDER / "engine.wasm").read_bytes())
        imports = {
            str(i.name): ([str(t) for t in i.type.params], [str(t) for t in i.type.results])
            for i in module.imports
            if isinstance(i.type, w.FuncType)
        }
        assert {i.module for i in module.imports} == {"durabox"}
        assert imports == {name: (list(takes), list(gives)) for name, takes, gives, _ in IMPORTS}
        assert [i.name for i in module.imports if not isinstance(i.type, w.FuncType)] == ["memory"]

    def test_it_exports_what_the_host_calls_and_what_the_build_calls(self) -> None:
        module = w.Module(w.Engine(), (IMAGE_FOLDER / "engine.wasm").read_bytes())
        exports = {str(e.name): e.type for e in module.exports}
        assert set(exports) == {name.decode() for name, _, _ in EXPORTS} | {
            "memory", "_initialize", "durabox_compile", "durabox_boot", "durabox_version",
        }  # fmt: skip
        for name, takes, gives in EXPORTS:
            kind = exports[name.decode()]
            assert isinstance(kind, w.FuncType)
            assert [str(t) for t in kind.params] == ["i32"] * takes
            assert [str(t) for t in kind.results] == ["i32"] * gives


def test_only_this_package_of_the_engine_touches_ctypes_and_wasmtime() -> None:
    package = Path(ffi.__file__).parent
    guilty = {
        path.parent
        for path in package.parent.rglob("*.py")
        if re.search(r"^\s*(import|from) (ctypes|wasmtime)\b", path.read_text(), re.MULTILINE)
    }
    assert guilty == {package}
