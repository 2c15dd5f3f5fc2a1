"""What the compiled guest consists of, and what its images keep; see rig.py."""

from __future__ import annotations

from typing import Any

import wasmtime as w

from sandbox.steps.wasm import PAGE, nonzero_runs
from tests.sandbox import rig
from tests.sandbox.rig import Guest


def signature(extern: Any) -> tuple[list[str], list[str]]:
    return [str(t) for t in extern.type.params], [str(t) for t in extern.type.results]


class TestShape:
    def test_imports_are_the_five_functions_and_the_memory_and_nothing_else(self) -> None:
        module = w.Module(w.Engine(), rig.base_image().code)
        functions = {
            f"{i.module}.{i.name}": signature(i) for i in module.imports if isinstance(i.type, w.FuncType)
        }
        assert functions == {
            "durabox.op": (["i32"] * 7, ["i32"]),
            "durabox.reply": (["i32"] * 2, ["i32"]),
            "durabox.clock": ([], ["f64"]),
            "durabox.random": (["i32"] * 2, []),
            "durabox.abort": (["i32"] * 2, []),
        }
        (memory,) = (i for i in module.imports if not isinstance(i.type, w.FuncType))
        assert (memory.module, memory.name) == ("durabox", "memory")
        assert isinstance(memory.type, w.MemoryType)
        assert memory.type.limits.max is None

    def test_exports_are_those_of_the_contract_and_nothing_else(self) -> None:
        module = w.Module(w.Engine(), rig.base_image().code)
        functions = {str(e.name): signature(e) for e in module.exports if isinstance(e.type, w.FuncType)}
        assert functions == {
            "_initialize": ([], []),
            "durabox_compile": (["i32"], ["i32"]),
            "durabox_boot": (["i32"], ["i32"]),
            "durabox_seal": ([], ["i32"]),
            "durabox_scratch": (["i32"], ["i32"]),
            "durabox_limits": (["i32", "i32"], ["i32"]),
            "durabox_event": (["i32", "i32", "i32"], ["i32"]),
            "durabox_error_len": ([], ["i32"]),
            "durabox_version": ([], ["i32"]),
        }
        assert [e.name for e in module.exports if not isinstance(e.type, w.FuncType)] == ["memory"]

    def test_the_base_module_exports_its_memory_and_nothing_else(self) -> None:
        module = w.Module(w.Engine(), rig.base_image().base)
        assert not module.imports
        assert [e.name for e in module.exports] == ["memory"]
        assert module.exports[0].type.limits.min == rig.base_image().pages  # type: ignore[union-attr]

    def test_the_base_image_holds_nothing_of_the_dead_stack(self) -> None:
        image = rig.base_image()
        store = w.Store(w.Engine())
        memory: Any = w.Instance(store, w.Module(store.engine, image.base), []).exports(store)["memory"]
        raw = bytes(memory.read(store))
        assert len(raw) == image.pages * PAGE
        assert not any(address < image.stack_bytes for address, _ in nonzero_runs(raw, 0))

    def test_the_version_is_the_protocols(self) -> None:
        assert Guest().call("durabox_version") == rig.base_image().protocol == 1

    def test_an_image_of_a_running_guest_continues_where_it_was(self) -> None:
        first = Guest()
        first.run("globalThis.kept = 41")
        assert first.frozen_copy().value("++globalThis.kept") == 42
        assert first.value("globalThis.kept") == 41
