"""Memory and stack of the compiled guest: it survives what uses them up."""

from __future__ import annotations

import pytest

from tests.sandbox import rig
from tests.sandbox.rig import Guest, GuestOutOfMemory


class TestLimits:
    @pytest.mark.parametrize(
        "source",
        [
            "const a = []; for (;;) a.push({})",
            "const a = []; for (;;) a.push(new Uint8Array(1e6))",
            "const a = []; for (let i = 0;; i++) a.push('x'.repeat(1000) + i)",
            "let o; for (;;) o = { o }",
            "const m = new Map; for (let i = 0;; i++) m.set(i, i)",
            "const a = []; for (;;) a.push(() => a)",
            "const a = []; for (;;) a.push(native.msgpack('x'.repeat(1e6)))",
        ],
    )
    def test_running_out_of_memory_can_be_caught_and_the_guest_goes_on(self, source: str) -> None:
        guest = Guest(memory=16 << 20)
        assert guest.value(f"(() => {{ {source} }})()") == "InternalError: out of memory"
        assert guest.value("6 * 7") == 42

    @pytest.mark.parametrize(
        "source",
        [
            "globalThis.a = []; for (;;) a.push({})",
            "const a = []; for (;;) a.push(Promise.resolve().then(() => a))",
            "const a = []; try { for (;;) a.push({}) } finally { globalThis.kept = a }",
        ],
    )
    def test_running_out_of_memory_with_nothing_to_free_is_its_own_result(self, source: str) -> None:
        guest = Guest(memory=16 << 20)
        with pytest.raises(GuestOutOfMemory):
            guest.run(source)

    def test_a_rejection_with_null_is_not_taken_for_a_lack_of_memory(self) -> None:
        guest = Guest()
        guest.run("Promise.reject(null)")
        assert guest.rejections == ["null"]

    def test_garbage_in_cycles_does_not_fill_the_memory(self) -> None:
        guest = Guest(memory=16 << 20)
        assert (
            guest.value(
                "(() => { for (let i = 0; i < 3e5; i++) { const o = { i }; o.self = o } return 1 })()"
            )
            == 1
        )
        kept = "globalThis.kept = Array.from({ length: 9e4 }, (_, i) => ({ i }));"
        assert (
            guest.value(
                f"(() => {{ {kept} for (let i = 0; i < 3e5; i++) {{ const o = {{ i }}; o.self = o }} return 1 }})()"
            )
            == 1
        )

    def test_running_out_of_memory_in_the_dispatcher_is_its_own_result(self) -> None:
        guest = Guest(memory=16 << 20)
        with pytest.raises(GuestOutOfMemory):
            guest.event(rig.RUN, ["() => { const a = []; for (;;) a.push({}) }"])

    @pytest.mark.parametrize(
        "expression",
        [
            "(function f() { f() })()",
            "(function f(a, b, ...c) { f(a, b, ...c) })(1, 2, 3, 4)",
            "(function f() { [1].map(f) })()",
            "(() => { const o = { get x() { return o.x } }; return o.x })()",
            "(() => { const o = { toString() { return '' + o } }; return '' + o })()",
            "(() => { const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x })()",
            "(() => { class A { constructor() { new A } } new A })()",
            "(() => { function* f() { yield* f() } return [...f()] })()",
            "(() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; return JSON.stringify(a) })()",
            "(() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; return a.flat(Infinity) })()",
            "JSON.parse('['.repeat(1e5))",
            "native.evalScript('('.repeat(1e5), 'x')",
            "native.evalScript('`${'.repeat(1e5), 'x')",
            "native.evalScript('{'.repeat(1e5), 'x')",
            "native.evalScript('1**'.repeat(1e5) + '1', 'x')",
            "native.importModule('m0')",
        ],
    )
    def test_deep_recursion_is_a_range_error(self, expression: str) -> None:
        modules: dict[str, str | tuple[str, bytes]] = {f"m{i}": f"import './m{i + 1}'" for i in range(2000)}
        guest = Guest({**modules, "m2000": ""})
        assert guest.value(expression) == "RangeError: Maximum call stack size exceeded"
        assert guest.value("6 * 7") == 42

    def test_long_chains_are_freed_without_recursion(self) -> None:
        guest = Guest()
        assert guest.value("(() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; return 1 })()") == 1
        assert (
            guest.value(
                "(() => { let f = () => 0; for (let i = 0; i < 1e5; i++) { const g = f; f = () => g } return 1 })()"
            )
            == 1
        )

    def test_limits_are_those_of_the_instance_and_not_of_the_image(self) -> None:
        small, large = Guest(memory=8 << 20), Guest(memory=32 << 20)
        assert small.value("new Uint8Array(12e6).length") == "InternalError: out of memory"
        assert large.value("new Uint8Array(12e6).length") == 12_000_000

    def test_the_stack_is_clamped_to_what_there_is(self) -> None:
        shallow = Guest(stack=0).value(
            "(() => { let d = 0; const f = () => { d++; f() }; try { f() } catch { return d } })()"
        )
        deep = Guest().value(
            "(() => { let d = 0; const f = () => { d++; f() }; try { f() } catch { return d } })()"
        )
        assert 50 < shallow < deep
