"""The V8 serialization format in C, against what real V8 writes, against another implementation, and against noise."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import v8serialize
from hypothesis import given, settings
from hypothesis import strategies as st
from v8serialize.jstypes import JSObject, JSUndefined

from tests.sandbox.rig import Guest

VECTORS = json.loads(Path(__file__).with_name("v8_vectors.json").read_text())
REFUSED = "DataCloneError: Unable to deserialize cloned data."

#: V8 writes arrays by how it happens to keep them (with room for holes, of doubles); both forms mean the same.
AS_KEPT = ("[1, , 3]", "[,]", "new Array(3)", "[1.5, 2]")
#: One text for one value: what it is made of, and where it refers back to itself.
SHOW = r"""
const show = (value, seen = new Map) => {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (seen.has(value)) return `#${seen.get(value)}`;
  seen.set(value, seen.size);
  const inner = (v) => show(v, seen);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  const own = Object.keys(value).map((k) => `${k}: ${inner(value[k])}`).join(", ");
  if (value instanceof Map) return `Map{${[...value].map(([k, v]) => `${inner(k)} => ${inner(v)}`)}}`;
  if (value instanceof Set) return `Set{${[...value].map(inner)}}`;
  if (value instanceof ArrayBuffer) return `Buffer<${new Uint8Array(value)}|${value.resizable ? value.maxByteLength : ""}>`;
  if (ArrayBuffer.isView(value)) return `${kind}(${value.byteOffset}, ${value.byteLength}, ${inner(value.buffer)})`;
  if (value instanceof Date) return `Date(${+value})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return `${value.constructor.name}(${value.name}, ${value.message}, ${value.stack}, ${"cause" in value ? inner(value.cause) : ""})`;
  if (["Number", "String", "Boolean", "BigInt"].includes(kind)) return `${kind}(${inner(value.valueOf())})`;
  return `${kind}${Array.isArray(value) ? value.length : ""}${Object.getPrototypeOf(value) === (Array.isArray(value) ? Array : Object).prototype ? "" : "!"}{${own}}`;
};
"""


@pytest.fixture(scope="module")
def guest() -> Guest:
    guest = Guest()
    guest.run(f"{SHOW} globalThis.show = show")
    return guest


class TestVectors:
    @pytest.mark.parametrize(
        ("source", "packed"), VECTORS["values"], ids=[source for source, _ in VECTORS["values"]]
    )
    def test_what_v8_wrote_is_read_as_that_value(self, guest: Guest, source: str, packed: str) -> None:
        # A class's instance arrives as a plain object, an accessor as its value.
        expected = guest.value(f"show(native.structuredClone(({source})))")
        assert guest.value("show(native.deserialize(body))", body=bytes.fromhex(packed)) == expected
        if "class" not in source and "Object.create" not in source and "null" not in source:
            assert guest.value(f"show(({source}))") == expected

    @pytest.mark.parametrize(
        ("source", "packed"), VECTORS["values"], ids=[source for source, _ in VECTORS["values"]]
    )
    def test_the_same_bytes_are_written(self, guest: Guest, source: str, packed: str) -> None:
        written = guest.value(f"native.serialize(({source}))").hex()
        if source in AS_KEPT:
            assert guest.value("show(native.deserialize(body))", body=bytes.fromhex(written)) == guest.value(
                f"show(({source}))"
            )
        else:
            assert written == packed

    @pytest.mark.parametrize(
        ("source", "packed"), VECTORS["errors"], ids=[source for source, _ in VECTORS["errors"]]
    )
    def test_errors_in_v8s_own_form_are_read(self, guest: Guest, source: str, packed: str) -> None:
        prepared = f"(() => {{ const v = ({source}); for (const e of [v].flat()) {{ e.stack = 'stack'; if (e.name === 'Custom') delete e.name }} return v }})()"
        assert guest.value("show(native.deserialize(body))", body=bytes.fromhex(packed)) == guest.value(
            f"show({prepared})"
        )

    @pytest.mark.parametrize(
        ("packed", "text"),
        [
            # Written by workerd: its own form of errors.
            ("ff0f5c0a0122016d6f2205737461636b22017322017849027b02", "Error(Error, m, s, )"),
            ("ff0f5c0a0222016d6f7b00", "TypeError(TypeError, m"),
            ("ff0f5c0a002203466f6f22016d6f2205737461636b2201732204636f646549547b02", "Error(Foo, m, s, )"),
            ("ff0f5c0a0c22016d6f22066572726f7273410149022400017b01", "AggregateError(AggregateError, m"),
            ("ff0f41025c0a0122016d6f7b005e01240002", "Array2{0: Error(Error, m"),
        ],
    )  # fmt: skip
    def test_errors_in_workerds_form_are_read(self, guest: Guest, packed: str, text: str) -> None:
        shown = guest.value("show(native.deserialize(body))", body=bytes.fromhex(packed))
        assert shown.startswith(text)

    @pytest.mark.parametrize("version", [13, 14, 15])
    def test_versions_that_are_on_disks_are_read(self, guest: Guest, version: int) -> None:
        assert guest.value("native.deserialize(body)", body=bytes([0xFF, version]) + b"I\x54") == 42

    @pytest.mark.parametrize("version", [0, 1, 12, 16, 255])
    def test_other_versions_are_refused(self, guest: Guest, version: int) -> None:
        assert guest.value("native.deserialize(body)", body=bytes([0xFF, version]) + b"I\x54") == REFUSED


texts = st.text(st.characters(codec="utf-8"), max_size=30) | st.text(
    st.characters(max_codepoint=255), max_size=30
)
numbers = st.integers(-(2**53), 2**53).map(float) | st.floats(allow_nan=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=30,
)


def plain(value: Any) -> Any:
    """What `v8serialize` read, as Python's own lists and dictionaries."""
    if value is JSUndefined:
        return None
    if isinstance(value, v8serialize.jstypes.JSArrayBuffer):
        return bytes(value.backing_buffer if hasattr(value, "backing_buffer") else value.data)
    if isinstance(value, v8serialize.jstypes.JSArray):
        return [plain(item) for item in value.array]
    if isinstance(value, JSObject):
        return {str(key): plain(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TestAgainstAnotherImplementation:
    @settings(max_examples=150)
    @given(value=values)
    def test_what_the_guest_writes_it_reads(self, guest: Guest, value: Any) -> None:
        written = guest.value("native.serialize(argument)", value)
        assert plain(v8serialize.loads(written)) == value

    @settings(max_examples=150)
    @given(value=values)
    def test_what_it_writes_the_guest_reads(self, guest: Guest, value: Any) -> None:
        packed = v8serialize.dumps(value)
        again = guest.value("native.serialize(native.deserialize(body))", body=packed)
        assert repr(v8serialize.loads(again)) == repr(v8serialize.loads(packed))

    @settings(max_examples=100)
    @given(value=values)
    def test_reading_and_writing_again_changes_nothing(self, guest: Guest, value: Any) -> None:
        first = guest.value("native.serialize(argument)", value)
        assert guest.value("native.serialize(native.deserialize(body))", body=first) == first


class TestHostileBytes:
    @settings(max_examples=400)
    @given(noise=st.binary(max_size=80))
    def test_noise_throws_or_is_a_value(self, guest: Guest, noise: bytes) -> None:
        check(guest, b"\xff\x0f" + noise)

    @settings(max_examples=400)
    @given(data=st.data())
    def test_a_changed_value_throws_or_is_another_value(self, guest: Guest, data: st.DataObject) -> None:
        _, packed = data.draw(st.sampled_from(VECTORS["values"] + VECTORS["errors"]))
        content = bytearray(bytes.fromhex(packed)[:3000])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            action = data.draw(st.sampled_from(["set", "delete", "insert", "cut"]))
            if action == "set":
                content[at] = data.draw(st.integers(0, 255))
            elif action == "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=6))
            elif action == "delete":
                del content[at : at + data.draw(st.integers(1, 4))]
            else:
                del content[at:]
            if not content:
                break
        check(guest, bytes(content))

    @pytest.mark.parametrize(
        ("source", "packed"), VECTORS["values"], ids=[source for source, _ in VECTORS["values"]]
    )
    def test_every_shorter_form_throws(self, guest: Guest, source: str, packed: str) -> None:
        content = bytes.fromhex(packed)
        if len(content) > 400:
            content = content[:400]
        thrown = [
            guest.value("(native.deserialize(body), 'read')", body=content[:length])
            for length in range(1, len(content))
        ]
        # A part may be a whole value only where another one follows it: a buffer before its view.
        assert {text for text in thrown if text != "read"} == {REFUSED}
        assert thrown.count("read") <= 1 + source.count("new ")

    @pytest.mark.parametrize(
        "packed",
        [
            "41ffffffff0f", "61ffffffff0f400000", "42ffffffff0f", "7e05ffffffff0f", "22ffffffff0f", "63ffffffff0f", "5affffffff0f",
            "5e00", "5e05", "5effffffff0f", "4204000000005642000500", "4204000000005657010200", "56420000", "7e0804", "52220161ffff03", "5222012800",
            "3a00", "3b3a02", "2c00", "3b49023a02", "6f22016149027b02", "41014902240002", "5c0a0e", "5c0a01", "5c0a01490e", "5c0a0122016d", "5c0a0122016d4100240000",
            "5cff", "5c04", "72720072", "726d", "726d49", "726d2201616d2201612e", "7a", "734902", "740175", "7500", "7000", "77", "6d", "4d", "ffff",
        ],
    )  # fmt: skip
    def test_lies_about_lengths_counts_and_references_throw(self, guest: Guest, packed: str) -> None:
        assert "Error: " in guest.value(
            "(native.deserialize(body), 'read')", body=b"\xff\x0f" + bytes.fromhex(packed)
        )
        assert guest.value("6 * 7") == 42


def check(guest: Guest, packed: bytes) -> None:
    outcome = guest.value(
        "(() => { const v = native.deserialize(body); try { show(v) } catch (e) { if (!(e instanceof RangeError)) throw e } return 'read' })()",
        body=packed,
    )
    assert outcome == "read" or outcome.partition(":")[0] in (
        "DataCloneError",
        "RangeError",
        "SyntaxError",
        "InternalError",
        "TypeError",
    ), outcome
    assert guest.memory_bytes < 64 << 20


class TestWhatCannotBeCloned:
    @pytest.mark.parametrize(
        ("expression", "named"),
        [
            ("() => 1", "() => 1"), ("function named() {}", "function named() {}"), ("class A {}", "class A {}"), ("Symbol('s')", "Symbol(s)"),
            ("Promise.resolve()", "#<Promise>"), ("new WeakMap", "#<WeakMap>"), ("new WeakRef({})", "#<WeakRef>"), ("new Proxy({}, {})", "#<Object>"),
            ("new SharedArrayBuffer(1)", "#<SharedArrayBuffer>"), ("new Map([[1, () => 1]])", "() => 1"), ("({ a: { b: [Symbol('deep')] } })", "Symbol(deep)"),
            ("Object.assign(new Error('x'), { f() {} })", "f() {}"), ("new (class Mine extends WeakSet {})", "#<Mine>"),
        ],
    )  # fmt: skip
    def test_it_is_named(self, guest: Guest, expression: str, named: str) -> None:
        assert (
            guest.value(f"native.serialize(({expression}))")
            == f"DataCloneError: {named} could not be cloned."
        )

    def test_a_detached_buffer_is_refused(self, guest: Guest) -> None:
        text = guest.value(
            "(() => { const b = new ArrayBuffer(1); b.transfer(); return native.serialize(b) })()"
        )
        assert text == "DataCloneError: An ArrayBuffer is detached and could not be cloned."

    def test_what_a_getter_throws_comes_through(self, guest: Guest) -> None:
        assert (
            guest.value("native.serialize({ get x() { throw new RangeError('mine') } })")
            == "RangeError: mine"
        )

    @pytest.mark.parametrize(
        "expression",
        [
            "{ get a() { delete this.b; return 1 }, b: 2, c: 3 }",
            "(() => { const a = [1, 2, 3, 4]; Object.defineProperty(a, 0, { get() { a.length = 2; return 0 }, enumerable: true }); return a })()",
            "(() => { const m = new Map([[{ get x() { m.clear(); return 1 } }, 1], [2, 3]]); return m })()",
            "(() => { const b = new ArrayBuffer(8, { maxByteLength: 8 }); return [new Uint8Array(b), { get x() { b.resize(0); return 1 } }, new Uint8Array(b)] })()",
            "(() => { const a = []; a[0] = { get x() { for (let i = 1; i < 1000; i++) a[i] = i; return 1 } }; return a })()",
        ],
    )  # fmt: skip
    def test_getters_that_change_what_is_written_leave_something_readable(
        self, guest: Guest, expression: str
    ) -> None:
        assert guest.value(f"typeof native.deserialize(native.serialize(({expression})))") == "object"


def test_floats_survive_exactly(guest: Guest) -> None:
    for number in (math.pi, 5e-324, 1.7976931348623157e308, -0.0):
        again = guest.value("native.deserialize(native.serialize(argument))", number)
        assert math.copysign(1, again) == math.copysign(1, number)
        assert again == number
