"""Arguments of events and ops on their way between the two sides."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox import rig
from tests.sandbox.rig import Guest, GuestThrew


@pytest.fixture(scope="module")
def shared() -> Guest:
    """One guest for tests that leave nothing behind."""
    return Guest()


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20)


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False).filter(lambda f: not f.is_integer() or abs(f) >= 2**53)
    | st.text()
    | st.binary(max_size=300),
    containers,
    max_leaves=40,
)


class TestMsgpack:
    @settings(max_examples=150)
    @given(value=json_like)
    def test_values_survive_the_way_in_and_out(self, shared: Guest, value: Any) -> None:
        assert shared.value("argument", value) == value

    @pytest.mark.parametrize(
        ("expression", "packed"),
        [
            ("undefined", "c0"), ("null", "c0"), ("-0", "cb8000000000000000"), ("NaN", "cb7ff8000000000000"),
            ("127", "7f"), ("128", "cc80"), ("256", "cd0100"), ("65536", "ce00010000"), ("2**32", "cf0000000100000000"),
            ("-1", "ff"), ("-32", "e0"), ("-33", "d0df"), ("-129", "d1ff7f"), ("-32769", "d2ffff7fff"),
            ("-(2**31) - 1", "d3ffffffff7fffffff"), ("1.5", "cb3ff8000000000000"), ("2**53", "cb4340000000000000"),
            ("5n", "05"), ("-1n", "ff"), ("2n**64n - 1n", "cfffffffffffffffff"), ("-(2n**63n)", "d38000000000000000"),
            ("'\\ud800'", "a3eda080"), ("[,1]", "92c001"), ("new Uint8Array([1])", "c40101"), ("({a: undefined})", "81a161c0"),
            ("new (class A { x = 1; #y = 2; get z() { return 3 } })", "81a17801"), ("Object.create({hidden: 1})", "80"),
        ],
    )  # fmt: skip
    def test_encodings(self, shared: Guest, expression: str, packed: str) -> None:
        assert shared.value(f"native.msgpack({expression})") == bytes.fromhex(packed)

    @pytest.mark.parametrize(
        ("expression", "named"),
        [
            ("() => 1", "Function"), ("Symbol()", "symbol"), ("new Map", "Map"), ("new Date(0)", "Date"), ("/x/", "RegExp"),
            ("Promise.resolve()", "Promise"), ("new Proxy({}, {})", "Object"), ("new Error", "Error"), ("new Number(1)", "Number"),
        ],
    )  # fmt: skip
    def test_what_it_cannot_carry_throws_and_is_named(
        self, shared: Guest, expression: str, named: str
    ) -> None:
        text = shared.value(f"native.msgpack([{expression}])")
        assert text == f"TypeError: a value of type {named} cannot be passed here"

    def test_big_integers_past_64_bits_throw(self, shared: Guest) -> None:
        assert (
            shared.value("native.msgpack(2n**64n)")
            == "TypeError: a bigint of more than 64 bits cannot be passed here"
        )
        assert shared.value("native.msgpack(-(2n**63n) - 1n)").startswith("TypeError")

    def test_cycles_and_deep_nesting_throw_both_ways(self, shared: Guest) -> None:
        assert shared.value("(() => { const a = []; a[0] = a; return native.msgpack(a) })()").startswith(
            "TypeError: a value that is cyclic"
        )
        with pytest.raises(GuestThrew, match="malformed msgpack"):
            shared.event(rig.RUN, raw=b"\x91" * 100_000 + b"\xc0")

    def test_a_key_named_proto_is_a_property(self, shared: Guest) -> None:
        assert shared.value(
            "[Object.keys(argument), Object.getPrototypeOf(argument) === Object.prototype]", {"__proto__": 1}
        ) == [
            ["__proto__"],
            True,
        ]

    @pytest.mark.parametrize(
        ("packed", "expected"),
        [
            ("ca3fc00000", 1.5), ("d07f", 127), ("d080", -128), ("d18000", -32768), ("d280000000", -(2**31)),
            ("d3ffffffffffffffff", -1), ("cf0000000000000001", 1), ("d90161", "a"), ("da000161", "a"), ("db0000000161", "a"),
            ("c5000161", b"a"), ("c60000000161", b"a"), ("dc000105", [5]), ("dd0000000105", [5]), ("de0001a16105", {"a": 5}),
            ("df00000001a16105", {"a": 5}),
        ],
    )  # fmt: skip
    def test_every_width_is_understood(self, packed: str, expected: Any) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: b"\1" + bytes.fromhex(packed)
        assert guest.value("native.op(200)") == expected

    @pytest.mark.parametrize(
        "packed",
        ["c1", "c7", "d4", "d8", "c403", "da00", "dd", "81", "8105", "81c0c0", "dfffffffff", "9201", "cb00"],
    )
    def test_malformed_replies_throw(self, packed: str) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: b"\1" + bytes.fromhex(packed)
        assert guest.value("native.op(200)") == "TypeError: malformed msgpack message"

    @settings(max_examples=300)
    @given(reply=st.binary(max_size=60))
    def test_no_reply_whatever_it_holds_breaks_the_guest(self, shared: Guest, reply: bytes) -> None:
        shared.ops[201] = lambda args, body: reply
        shared.run("try { native.op(201) } catch (e) { if (!(e instanceof Error)) throw e }")
        assert shared.value("6 * 7") == 42


def test_floats_keep_every_bit(shared: Guest) -> None:
    for bits in (1, 0x7FEFFFFFFFFFFFFF, 0x0010000000000000, 0x3FF0000000000001):
        (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
        assert shared.value("argument", number) == number
