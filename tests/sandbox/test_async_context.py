"""What the engine carries through every `await`, and the promises that nobody handles."""

from __future__ import annotations

import pytest

from tests.sandbox import rig
from tests.sandbox.rig import Guest, GuestThrew


class TestAsyncContext:
    @pytest.mark.parametrize(
        "source",
        [
            "await null; check()",
            "await new Promise((r) => queueMicrotask(r)); check()",
            "await Promise.all([1, Promise.resolve(2)]); check()",
            "await Promise.reject(1).catch(() => check()).finally(() => check()); check()",
            "try { await Promise.reject(1) } catch { check() } finally { check() }",
            "async function* g() { check(); yield 1; check(); await 0; check(); yield 2; check() } for await (const x of g()) check()",
            "for await (const x of [Promise.resolve(1), 2]) check()",
            "await { then(resolve) { check(); resolve(1) } }; check()",
            "await new Promise((r) => r({ then(resolve) { check(); resolve(1) } })); check()",
            "await (async () => { await 0; native.setContext('inner') })(); check()",
            "await Array.fromAsync([1, 2], (x) => check()); check()",
            "await import('m'); check()",
            "await (async () => { await 1; await (async () => { await 2; check() })(); check() })(); check()",
            "class T { then(f) { check(); f() } } await Promise.race([new T, new T]); check()",
        ],
    )
    def test_it_is_the_same_after(self, source: str) -> None:
        guest = Guest({"m": ""})
        seen = guest.run(
            f"native.setContext('outer'); const check = () => report(native.getContext()); {source}"
        )
        assert seen
        assert set(seen) == {"outer"}

    def test_two_flows_keep_theirs_apart(self) -> None:
        seen = Guest().run(
            "const flow = async (name) => { native.setContext(name); for (let i = 0; i < 3; i++) { await i; report([name, native.getContext()]) } };"
            "flow('a'); flow('b'); native.setContext(undefined); await flow2(); async function flow2() { for (let i = 0; i < 3; i++) { await i; report(['none', native.getContext() ?? 'none']) } }"
        )
        assert len(seen) == 9
        assert all(name == context for name, context in seen)

    def test_a_handler_runs_in_the_context_it_was_registered_in_not_the_one_that_settled_the_promise(
        self,
    ) -> None:
        assert Guest().run(
            "let settle; const p = new Promise((r) => { settle = r });"
            "native.setContext('registrar'); p.then(() => report(native.getContext()));"
            "native.setContext(undefined); p.then(() => report(native.getContext()));"
            "native.setContext('settler'); settle(); await null; await null"
        ) == ["registrar", None]

    def test_a_thenable_is_asked_in_the_context_that_resolved_with_it(self) -> None:
        assert Guest().run(
            "native.setContext('a'); Promise.resolve({ then(f) { report(native.getContext()); native.setContext('x'); f() } });"
            "native.setContext('b'); await null; report(native.getContext())"
        ) == ["a", "b"]

    def test_an_event_begins_without_one(self) -> None:
        guest = Guest()
        guest.run("native.setContext('left over'); await null; native.setContext('again')")
        assert guest.value("native.getContext() === undefined") is True

    def test_stack_traces_do_not_show_how_it_is_carried(self) -> None:
        with_context, without = Guest().run(
            "native.setContext(1); await null; report(new Error('x').stack);"
            "native.setContext(undefined); await null; report(new Error('x').stack)"
        )
        assert with_context.count("\n") == without.count("\n") == 1

    def test_a_job_without_one_does_not_see_what_other_code_set(self) -> None:
        assert Guest().run(
            "queueMicrotask(() => report(native.getContext() ?? 'none')); native.setContext('sync')"
        ) == ["none"]

    def test_it_is_gone_after_an_event_that_threw(self) -> None:
        guest = Guest()
        with pytest.raises(GuestThrew):
            guest.event(rig.RUN, ["(native) => { native.setContext(1); throw new Error('x') }"])
        assert guest.value("native.getContext() === undefined") is True


class TestRejections:
    def test_only_those_nobody_handled_by_the_end_of_the_turn_are_reported_once_in_order(self) -> None:
        guest = Guest()
        guest.run(
            "Promise.reject('first'); Promise.reject('handled').catch(() => {}); const late = Promise.reject('late');"
            "Promise.reject('second'); await null; await null; late.catch(() => {}); (async () => { throw new TypeError('third') })()"
        )
        assert guest.rejections == ["first", "second", "TypeError: third"]
        guest.run("")
        assert len(guest.rejections) == 3

    def test_one_that_is_handled_in_a_later_event_was_reported(self) -> None:
        guest = Guest()
        guest.run("globalThis.p = Promise.reject('r')")
        guest.run("globalThis.p.catch(() => {})")
        assert guest.rejections == ["r"]

    def test_a_flood_of_them_is_fine(self) -> None:
        guest = Guest()
        guest.run("for (let i = 0; i < 5000; i++) Promise.reject(i)")
        assert guest.rejections == [str(i) for i in range(5000)]

    def test_a_finalizer_that_throws_is_reported(self) -> None:
        guest = Guest()
        guest.run(
            "globalThis.registry = new FinalizationRegistry(() => { throw new Error('in finalizer') }); registry.register({}, 1)"
        )
        guest.run("for (let i = 0; i < 3; i++) await null")
        assert guest.rejections == ["Error: in finalizer"]

    def test_states_and_results_of_promises(self) -> None:
        assert Guest().value(
            "[new Promise(() => {}), Promise.resolve(1), Promise.reject(2)].map((p) => { p.catch(() => {}); return [native.promiseState(p), native.promiseResult(p)] })"
        ) == [[0, None], [1, 1], [2, 2]]
        assert Guest().value("native.promiseState({})") == "TypeError: not a promise"
