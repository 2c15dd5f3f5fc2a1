"""`Sandbox`: plain values in and out, limits that hold, and nothing else within reach."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durabox import JavaScriptError, LimitExceededError, Limits, Sandbox
from durabox.errors import IsolateClosedError
from durabox.limits import InvalidLimitError
from durabox.sandbox import NeverSettledError, NotPlainError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(value=PLAIN)
@settings(max_examples=60)
def test_plain_values_come_back_as_they_went_in(value: Any) -> None:
    async def there_and_back() -> Any:
        async with Sandbox() as box:
            return await box.eval("value", value=value)

    assert asyncio.run(there_and_back()) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("typeof x", "undefined"),
        ("-0", 0.0),
        ("NaN", math.nan),
        ("1 / 0", math.inf),
        ("2 ** 60", 2.0**60),
        ("-(2n ** 63n)", -(2**63)),
        ("2n ** 63n", 2**63),
        ("new Date(1e12)", "2001-09-09T01:46:40.000Z"),
        ("'\\ud800'", "\ufffd"),
        ("new TextEncoder().encode('é')", "é".encode()),
        ("await new Promise((resolve) => setTimeout(resolve, 1, 'later'))", "later"),
        ("new Promise((resolve) => { let n = 0; const id = setInterval(() => { if (++n === 3) { clearInterval(id); resolve(n); } }, 1) })", 3),
    ],
)  # fmt: skip
async def test_javascript_values_become_python_ones(source: str, value: object) -> None:
    async with Sandbox() as box:
        result = await box.eval(source)
        assert result == value or (result != result and value != value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (object(), "x is of type object"),
        ({1, 2}, "x is of type set"),
        ([0, {"a": 1j}], r"x\[1\]\['a'\] is of type complex"),
        ({1: 2}, "x has the key 1"),
        (2**53, "x is 9007199254740992"),
        (-(2**80), "no JavaScript number"),
    ],
)
async def test_value_that_is_not_plain_is_refused_by_name(value: object, problem: str) -> None:
    async with Sandbox() as box:
        with pytest.raises(NotPlainError, match=problem):
            await box.eval("1", x=value)
        assert await box.eval("1") == 1


async def test_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    async with Sandbox() as box:
        with pytest.raises(NotPlainError, match="nested"):
            await box.eval("1", x=value)


async def test_module_gives_its_exports() -> None:
    async with Sandbox() as box:
        assert await box.eval_module("export default 7; export const a = [x]", x=1) == {
            "default": 7,
            "a": [1],
        }
        assert await box.eval_module("export const a = await Promise.resolve(1)") == {"a": 1}
        assert await box.eval_module("globalThis.b = 2") == {}
        assert await box.eval("b") == 2


async def test_error_has_name_message_and_place() -> None:
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError) as caught:
            await box.eval("\nfunction f() { throw new RangeError('too much') }\nf()", "mine.js")
        assert (caught.value.name, caught.value.message) == ("RangeError", "too much")
        assert caught.value.trace.splitlines()[0] == "RangeError: too much"
        assert "at f (mine.js:2:" in caught.value.trace
        assert await box.eval("1") == 1


@pytest.mark.parametrize(
    "source",
    [
        "fetch('http://127.0.0.1/')",
        "import('node:fs')",
        "import('./x.js')",
        "new Promise(() => {}).constructor.constructor('return process')()",
    ],
)
async def test_nothing_outside_is_within_reach(source: str) -> None:
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError):
            await box.eval(source)
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError, match="No such module"):
            await box.eval_module("import 'cloudflare:nothing'")


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("while (true) {}", "cpu"),
        ("try { while (true) {} } finally { while (true) {} }", "cpu"),
        ("/(a+)+$/.test('a'.repeat(40) + 'b')", "cpu"),
        ("(async () => { while (true) await null })()", "cpu"),
        ("new Promise(() => setInterval(() => { for (let end = Date.now() + 20; Date.now() < end;); }, 0))", "cpu"),
        ("new Promise(() => setInterval(() => {}, 50))", "wall"),
        ("new Promise((resolve) => setTimeout(resolve, 1e6))", "wall"),
    ],
)  # fmt: skip
async def test_code_that_does_not_end_is_ended(source: str, limit: str) -> None:
    limits = Limits(cpu_ms=60, wall_ms=2_000 if limit == "cpu" else 120)
    async with Sandbox(limits=limits) as box:
        with pytest.raises(LimitExceededError) as caught:
            await box.eval(source)
        assert caught.value.limit == limit
        with pytest.raises((IsolateClosedError, LimitExceededError)):
            await box.eval("1")


async def test_memory_is_bounded() -> None:
    async with Sandbox(limits=Limits(memory_mb=16, cpu_ms=5_000)) as box:
        with pytest.raises((LimitExceededError, JavaScriptError), match="memory"):
            await box.eval("const all = []; while (true) all.push(new Array(1000).fill(1))")


async def test_deep_recursion_is_an_error_of_the_code() -> None:
    async with Sandbox() as box:
        assert await box.eval("(function f() { try { f() } catch (e) { return e.name } return 'deep' })()")
        with pytest.raises(JavaScriptError, match="stack"):
            await box.eval("(function f() { f() })()")


async def test_promise_that_nothing_settles_ends_the_sandbox() -> None:
    async with Sandbox() as box:
        with pytest.raises(NeverSettledError):
            await box.eval("new Promise((resolve) => { globalThis.later = resolve })")
        with pytest.raises(IsolateClosedError):
            await box.eval("later(1); 2")


async def test_timers_end_with_their_evaluation() -> None:
    async with Sandbox() as box:
        await box.eval("globalThis.n = 0; setInterval(() => n++, 0); 1")
        assert await box.eval("new Promise((resolve) => setTimeout(() => resolve(n), 20))") == 0


async def test_evaluations_of_one_sandbox_take_turns() -> None:
    async with Sandbox() as box:
        wait = "globalThis.order = [...(globalThis.order ?? []), 'in']; await new Promise((r) => setTimeout(r, 5)); order.push('out'); order.join()"
        results = await asyncio.gather(*(box.eval(wait) for _ in range(3)))
    assert results == ["in,out", "in,out,in,out", "in,out,in,out,in,out"]


async def test_sandboxes_run_beside_each_other_and_know_nothing_of_each_other() -> None:
    async def one(number: int) -> Any:
        async with Sandbox(limits=Limits(cpu_ms=5_000, wall_ms=60_000)) as box:
            await box.eval("globalThis.mine = number", number=number)
            return await box.eval(
                "for (let end = Date.now() + 10; Date.now() < end;); await new Promise((r) => setTimeout(r, 5)); mine"
            )

    assert await asyncio.gather(*map(one, range(20))) == list(range(20))


async def test_host_goes_on_while_code_runs() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async with Sandbox(limits=Limits(cpu_ms=200)) as box:
        with pytest.raises(LimitExceededError):
            await box.eval("while (true) {}")
    ticking.cancel()
    assert ticks > 10


async def test_cancelled_evaluation_ends_the_sandbox() -> None:
    async with Sandbox() as box:
        running = asyncio.create_task(box.eval("while (true) {}"))
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(IsolateClosedError):
            await box.eval("1")


@pytest.mark.parametrize("source", ["while (true) {}", "new Promise((resolve) => setTimeout(resolve, 1e6))"])
async def test_closing_ends_what_is_under_way(source: str) -> None:
    box = Sandbox()
    async with box:
        running = asyncio.create_task(box.eval(source))
        for _ in range(5):
            await asyncio.sleep(0)
        box.close()
        with pytest.raises(IsolateClosedError):
            await running


async def test_sandbox_works_only_while_it_is_open() -> None:
    box = Sandbox()
    with pytest.raises(IsolateClosedError):
        await box.eval("1")
    async with box:
        assert await box.eval("1") == 1
    with pytest.raises(IsolateClosedError):
        await box.eval("1")


async def test_console_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "durabox.console"):
        async with Sandbox(limits=Limits(log_kb=1)) as box:
            await box.eval(
                "console.log('a', { b: [1] }); console.warn('careful'); console.debug('not heard')"
            )
            await box.eval("for (let i = 0; i < 100; i++) console.log('again')")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines[:2] == [("INFO", "a { b: [ 1 ] }"), ("WARNING", "careful")]
    assert lines[-1] == ("WARNING", "more than 1 KiB in one event: the rest is dropped")
    assert len(lines) < 30


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory_mb": 3}, "memory_mb is 3, but must lie between 4 and 1024."),
        ({"cpu_ms": 0}, "cpu_ms is 0, but must lie between 1 and 3600000."),
        ({"stack_kb": 1000}, "stack_kb is 1000"),
        ({"pending": 0}, "pending is 0"),
    ],
)
def test_limit_out_of_range_is_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidLimitError, match=message):
        Limits(**limits)


async def test_timers_at_once_are_limited() -> None:
    async with Sandbox(limits=Limits(pending=5)) as box:
        with pytest.raises(JavaScriptError, match="Too many timers and operations: the limit is 5"):
            await box.eval("for (;;) setTimeout(() => {}, 1000)")
