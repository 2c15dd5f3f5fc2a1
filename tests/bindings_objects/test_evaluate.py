"""What evaluated code gives back: expressions, scripts, modules, and the plain form of their results."""

from __future__ import annotations

import pytest

from durabox import Sandbox
from durabox.errors import JavaScriptError


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("1 + 1", 2),
        ("undefined", None),
        ("'text'", "text"),
        ("10n", 10),
        ("let a = 1; a + 1", 2),
        ("await Promise.resolve(5)", 5),
        ("Promise.resolve([1, 2])", [1, 2]),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Date(NaN)", None),
        ("new Map([[1, { a: [true] }], ['k', null]])", {"1": {"a": [True]}, "k": None}),
        ("new Set([1, 2])", [1, 2]),
        ("new Uint8Array([1, 2]).subarray(1)", b"\x02"),
        ("new Uint8Array([1, 2]).buffer", b"\x01\x02"),
        ("[new Number(1), new String('s'), new Boolean(true)]", [1, "s", True]),
        ("({ a: undefined, ['__proto__']: 1, [Symbol('s')]: 2 })", {"a": None, "__proto__": 1}),
        ("const shared = {}; [shared, shared]", [{}, {}]),
    ],
)
async def test_a_result_becomes_plain_data(source: str, result: object) -> None:
    async with Sandbox() as box:
        assert await box.eval(source) == result


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("throw new RangeError('no')", "RangeError", "no"),
        ("Promise.reject(new TypeError('later'))", "TypeError", "later"),
        ("() => 1", "DataCloneError", "() => 1 could not be cloned."),
        ("[Symbol('s')]", "DataCloneError", "Symbol(s) could not be cloned."),
        (
            "const a = []; a.push(a); a",
            "TypeError",
            "The result contains itself, which plain data cannot express.",
        ),
        (
            "let d = []; for (let i = 0; i < 300; i++) d = [d]; d",
            "TypeError",
            "The result is nested more than 200 levels deep.",
        ),
    ],
)
async def test_a_failure_is_a_javascript_error(source: str, name: str, message: str) -> None:
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError) as caught:
            await box.eval(source)
        assert (caught.value.name, caught.value.message) == (name, message)


@pytest.mark.parametrize("source", ["1 +", "await (", "const x = ;"])
async def test_a_syntax_error_is_reported_as_such(source: str) -> None:
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError) as caught:
            await box.eval(source)
        assert caught.value.name == "SyntaxError"


async def test_arguments_are_variables_of_the_code() -> None:
    async with Sandbox() as box:
        assert await box.eval("xs.reduce((a, b) => a + b)", xs=[1, 2, 3]) == 6
        assert await box.eval("[bytes.byteLength, nested.k]", bytes=b"abc", nested={"k": None}) == [3, None]


async def test_declarations_and_arguments_stay_for_later_evaluations() -> None:
    async with Sandbox() as box:
        await box.eval("function double(x) { return x * 2 }", base=21)
        assert await box.eval("double(base)") == 42
