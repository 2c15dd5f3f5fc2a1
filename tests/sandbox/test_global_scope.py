"""Randomness, the time and code from strings: what depends on whether the guest has started."""

from __future__ import annotations

import pytest

from tests.sandbox import rig
from tests.sandbox.rig import Guest

GLOBAL_SCOPE = (
    "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, "
    "and generating random values are not allowed within global scope. To fix this error, perform this operation "
    "within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/"
)


class TestCodeFromStrings:
    @pytest.mark.parametrize(
        "expression",
        [
            "eval('1')",
            "(0, eval)('1')",
            "new Function('return 1')",
            "Function('return 1')",
            "(async () => {}).constructor('return 1')",
            "(function* () {}).constructor('yield 1')",
        ],
    )
    def test_it_is_refused_in_handlers(self, expression: str) -> None:
        assert (
            Guest().value(expression) == "EvalError: Code generation from strings disallowed for this context"
        )

    @pytest.mark.parametrize("expression", ["eval('1')", "(0, eval)('1')", "new Function('return 1')()"])
    def test_it_is_allowed_at_global_scope(self, expression: str) -> None:
        assert Guest(started=False).value(expression) == 1

    def test_eval_of_what_is_no_string_gives_it_back(self) -> None:
        assert Guest().value("eval(5)") == 5

    def test_a_permission_is_not_left_open_by_a_script_or_module(self) -> None:
        guest = Guest({"a": "export let caught; try { eval('1') } catch (e) { caught = e.name }"})
        assert guest.value("(await native.importModule('a')).caught") == "EvalError"
        assert guest.value("native.evalScript(`eval('1')`, 'x')").startswith("EvalError")
        assert guest.value("native.evalScript(')', 'x')").startswith("SyntaxError")
        assert guest.value("eval('1')").startswith("EvalError")


class TestRandomAndClock:
    @pytest.mark.parametrize("expression", ["Math.random()", "native.random(new Uint8Array(4))"])
    def test_randomness_throws_before_start(self, expression: str) -> None:
        assert Guest(started=False).value(expression) == f"Error: {GLOBAL_SCOPE}"

    def test_after_start_it_differs_by_seed_and_lies_in_range(self) -> None:
        guest = Guest()
        first = guest.value("Array.from({ length: 1000 }, Math.random)")
        guest.event(rig.START)
        second = guest.value("Array.from({ length: 1000 }, Math.random)")
        assert all(0 <= x < 1 for x in first + second)
        assert len(set(first + second)) == 2000
        assert 0.45 < sum(first + second) / 2000 < 0.55

    def test_a_view_is_filled_and_nothing_around_it(self) -> None:
        assert (
            Guest().value(
                "(() => { const b = new Uint8Array(8); native.random(b.subarray(2, 5)); return b.map((x) => x ? 1 : 0).join('') })()"
            )
            == "00111000"
        )

    def test_all_clocks_are_the_hosts(self) -> None:
        guest = Guest()
        assert guest.value("[Date.now(), +new Date, native.now()]") == [0, 0, 0]
        guest.clock = 1_700_000_000_123.75
        assert guest.value("[Date.now(), +new Date, native.now()]") == [
            1_700_000_000_123,
            1_700_000_000_123,
            1_700_000_000_123.75,
        ]

    def test_time_is_utc(self) -> None:
        assert Guest().value("[new Date(0).getTimezoneOffset(), new Date(2020, 6, 1).toISOString()]") == [
            0,
            "2020-07-01T00:00:00.000Z",
        ]

    def test_atomics_wait_throws_for_nobody_could_wake_it(self) -> None:
        assert (
            Guest()
            .value("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)")
            .startswith("TypeError")
        )
