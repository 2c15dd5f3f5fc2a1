"""What the compiled guest promises, driven directly; see rig.py."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
import wasmtime as w
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.steps.wasm import PAGE, nonzero_runs
from tests.sandbox import rig
from tests.sandbox.rig import Aborted, Guest, GuestOutOfMemory, GuestThrew

GLOBAL_SCOPE = (
    "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, "
    "and generating random values are not allowed within global scope. To fix this error, perform this operation "
    "within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/"
)


@pytest.fixture(scope="module")
def shared() -> Guest:
    """One guest for tests that leave nothing behind."""
    return Guest()


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
            "durabox_limits": (["i32", "i32"], []),
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


class TestEvents:
    def test_arguments_and_body_reach_the_dispatcher(self) -> None:
        assert Guest().value("[argument, [...new Uint8Array(body)]]", {"a": [1, None]}, b"\1\2") == [
            {"a": [1, None]},
            [1, 2],
        ]

    def test_without_a_body_it_is_undefined(self) -> None:
        assert Guest().value("body === undefined") is True

    def test_all_jobs_run_before_the_event_returns(self) -> None:
        assert Guest().run(
            "report(1); Promise.resolve().then(() => { report(3); queueMicrotask(() => report(4)); }); report(2)"
        ) == [1, 2, 3, 4]

    def test_what_the_dispatcher_throws_is_left_as_text_with_its_stack(self) -> None:
        guest = Guest()
        with pytest.raises(GuestThrew, match=r"^SyntaxError: .*\n    at test\.js:1:1"):
            guest.event(rig.RUN, [")"])
        assert guest.value("1") == 1

    @pytest.mark.parametrize(
        "raw", [b"", b"\xc1", b"\x91", b"\x92\x01", b"\xdd\xff\xff\xff\xff", b"\xa5abc", b"\x01\x01"]
    )
    def test_malformed_arguments_are_refused(self, raw: bytes) -> None:
        with pytest.raises(GuestThrew, match="malformed msgpack message"):
            Guest().event(rig.RUN, raw=raw)

    def test_lengths_that_leave_the_scratch_buffer_end_the_isolate(self) -> None:
        guest = Guest()
        with pytest.raises(Aborted, match="longer than the scratch buffer"):
            guest.call("durabox_event", 1, 0x7FFFFFFF, 0x7FFFFFFF)

    def test_a_large_body_does_not_stay_behind_in_scratch(self) -> None:
        guest = Guest()
        for _ in range(40):
            assert guest.value("body.byteLength", body=bytes(4 << 20)) == 4 << 20
        assert guest.memory_bytes < 40 << 20


class TestOps:
    def test_replies_of_every_kind(self) -> None:
        guest = Guest()
        guest.ops |= {
            200: lambda args, body: b"",
            201: lambda args, body: b"\0",
            202: lambda args, body: rig.value({"a": 1}),
            203: lambda args, body: b"\3\1\2",
            204: lambda args, body: rig.text("h\u00e9\ud800"),
        }
        assert guest.value("[native.op(200), native.op(201)].every((v) => v === undefined)") is True
        assert guest.value("native.op(202)") == {"a": 1}
        assert guest.value("native.op(203)") == b"\1\2"
        assert guest.value("native.op(204) === 'h\u00e9\\ud800'") is True

    def test_a_v8_value_is_deserialized_at_once(self) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: b"\2\xff\x0fI\x54"
        assert guest.value("native.op(200)") == 42

    def test_a_value_goes_out_serialized(self) -> None:
        guest = Guest()
        calls = guest.record(200)
        guest.run("native.opValue(200, 'k', 42)")
        assert calls == [(b"k", b"\xff\x0fI\x54")]

    def test_an_error_is_thrown_with_name_stack_and_properties(self) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: rig.error("TypeError", "no", "    at home", retryable=True)
        assert guest.value(
            "(() => { try { native.op(200) } catch (e) { return [e instanceof TypeError, e.message, e.stack, e.retryable] } })()"
        ) == [True, "no", "    at home", True]

    def test_a_tag_that_does_not_exist_is_an_error(self) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: b"\x77"
        assert guest.value("native.op(200)") == "InternalError: the host answered with the unknown tag 119"

    @pytest.mark.parametrize("size", [0, 16 * 1024 - 2, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 3 << 20])
    def test_replies_of_any_size_arrive(self, size: int) -> None:
        guest = Guest()
        guest.ops[200] = lambda args, body: b"\3" + b"\xab" * size
        assert guest.value(
            "(() => { const b = new Uint8Array(native.op(200)); return [b.length, b.every((x) => x === 171)] })()"
        ) == [
            size,
            True,
        ]

    def test_text_arguments_and_bodies_keep_lone_surrogates(self) -> None:
        guest = Guest()
        calls = guest.record(200)
        guest.run(r"native.op(200, 'k\ud800\u{1f600}', '\udfff!')")
        assert calls == [(b"k\xed\xa0\x80\xf0\x9f\x98\x80", b"\xed\xbf\xbf!")]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("new Uint8Array([1, 2, 3, 4]).buffer", b"\1\2\3\4"),
            ("new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", b"\2\3"),
            ("new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 2)", b"\3\4"),
            ("new Uint16Array([258])", b"\2\1"),
            ("new ArrayBuffer(0)", b""),
            ("new Uint8Array(0)", b""),
            ("undefined", b""),
            (
                "Object.defineProperties(new DataView(new ArrayBuffer(2)), {byteLength: {value: 9e6}, byteOffset: {value: -8}})",
                b"\0\0",
            ),
        ],
    )
    def test_bodies_are_the_bytes_that_a_view_shows(self, body: str, expected: bytes) -> None:
        guest = Guest()
        calls = guest.record(200)
        guest.run(f"native.op(200, [], {body})")
        assert calls == [(b"\x90", expected)]

    @pytest.mark.parametrize(
        "body",
        [
            "(() => { const b = new ArrayBuffer(8); b.transfer(); return b })()",
            "(() => { const b = new ArrayBuffer(8); const v = new Uint8Array(b); b.transfer(); return v })()",
            "(() => { const b = new ArrayBuffer(8); const v = new DataView(b); b.transfer(); return v })()",
            "(() => { const b = new ArrayBuffer(8, {maxByteLength: 8}); const v = new DataView(b, 4, 4); b.resize(2); return v })()",
            "{}",
            "5",
            "null",
        ],
    )
    def test_bodies_without_bytes_are_refused(self, body: str) -> None:
        assert str(Guest().value(f"native.op(100, [], {body})")).startswith("TypeError: ")

    def test_arguments_that_call_ops_while_they_are_encoded_do_not_disturb_the_outer_op(self) -> None:
        guest = Guest()
        calls = guest.record(200, rig.value(7))
        assert (
            guest.value(
                "native.op(200, ['x'.repeat(300), { get inner() { return native.op(200, ['y'.repeat(500)]) } }])"
            )
            == 7
        )
        assert [msgspec.msgpack.decode(args) for args, _ in calls] == [["y" * 500], ["x" * 300, {"inner": 7}]]


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


class TestModules:
    def test_a_graph_with_every_type_of_module(self) -> None:
        guest = Guest(
            {
                "main": "import { b } from './b'; import j from './j' with { type: 'json' }; import t from './t'; import d from './d';"
                "export default [b, j, t, [...new Uint8Array(d)], import.meta.url]",
                "b": "export const b = await Promise.resolve('late')",
                "j": ("json", b'{"x": [1]}'),
                "t": ("text", "hé".encode()),
                "d": ("data", b"\1\2"),
            }
        )
        assert guest.value("(await native.importModule('main')).default") == [
            "late",
            {"x": [1]},
            "hé",
            [1, 2],
            "file:///main",
        ]

    def test_cycles_see_each_other(self) -> None:
        guest = Guest(
            {
                "a": "import { b } from './b'; export function a() { return 'a' + b() }",
                "b": "import { a } from './a'; export function b() { return 'b' } export const later = () => a()",
            }
        )
        assert guest.value("(await native.importModule('b')).later()") == "ab"

    def test_dynamic_import_gives_the_one_instance(self) -> None:
        guest = Guest(
            {
                "a": "export let n = 0; export const up = () => ++n",
                "b": "export const a = await import('./a'); a.up()",
            }
        )
        assert guest.value(
            "(async () => { await native.importModule('b'); const x = await native.importModule('a'); return [x.n, (await native.importModule('b')).a === x] })()"
        ) == [1, True]

    def test_a_synthetic_module_hides_the_hosts(self) -> None:
        guest = Guest(
            {
                "cloudflare:workers": "export const env = 'host'",
                "a": "import { env } from 'cloudflare:workers'; export { env }",
            }
        )
        guest.run("native.defineModule('cloudflare:workers', { env: { X: 1 } })")
        assert guest.value("(await native.importModule('a')).env") == {"X": 1}
        assert (
            guest.value("native.defineModule('cloudflare:workers', {})")
            == "TypeError: module 'cloudflare:workers' is already defined"
        )

    def test_a_missing_export_of_a_synthetic_module_is_a_syntax_error(self) -> None:
        guest = Guest({"a": "import { nothing } from 'syn'"})
        guest.run("native.defineModule('syn', { something: 1 })")
        assert guest.value("native.importModule('a')").startswith("SyntaxError: ")

    @pytest.mark.parametrize(
        ("modules", "message", "place"),
        [
            (
                {"a": "import './bad'", "bad": "let x = 1;\nlet y = = 2;"},
                "SyntaxError: unexpected token",
                "bad:2:9",
            ),
            ({"a": "import './j'", "j": ("json", b'{"a":\n  1,}')}, "SyntaxError: ", "j:2:5"),
            ({"a": "\n  throw new Error('boom')"}, "Error: boom", "a:2:13"),
            (
                {"a": "function f(x) {\n  const y = x;\n  return y.z;\n}\nf(null)"},
                "TypeError: ",
                "f (a:3:10)",
            ),
            ({"a": "await 0;\nnope()"}, "ReferenceError: nope", "a:2:1"),
        ],
    )
    def test_errors_name_file_line_and_column(
        self, modules: dict[str, Any], message: str, place: str
    ) -> None:
        text = Guest(modules).value("native.importModule('a').catch((e) => `${e}\\n${e.stack}`)")
        assert text.startswith(message)
        assert place in text

    def test_a_module_that_does_not_exist_says_who_asked(self) -> None:
        assert (
            Guest({"a": "import './nope'"}).value("native.importModule('a')")
            == "Error: no module './nope', imported by 'a'"
        )
        assert Guest().value("native.importModule('nope')") == "Error: no module 'nope', imported by ''"

    def test_a_failed_graph_can_be_asked_for_again(self) -> None:
        guest = Guest({"a": "import './b'"})
        assert guest.value("native.importModule('a')").startswith("Error: no module './b'")
        guest.modules["b"] = "export {}"
        assert guest.value("native.importModule('a').then(() => 'ok')") == "ok"

    def test_import_attributes_other_than_type_are_refused(self) -> None:
        guest = Guest({"a": "import './a' with { mode: 'x' }"})
        assert (
            guest.value("native.importModule('a')") == "TypeError: import attribute 'mode' is not supported"
        )

    def test_sources_with_bytes_that_are_not_utf8_and_zeros_do_not_end_early(self) -> None:
        guest = Guest({"t": ("text", b"a\0b\xff")})
        assert guest.value("(await native.importModule('t')).default") == "a\0b\ufffd"

    def test_eval_module_gives_the_namespace_and_its_own_errors(self) -> None:
        guest = Guest({"dep": "export const n = 20"})
        assert (
            guest.value(
                "(await native.evalModule(`import { n } from 'dep'; export const m = await n + 1`, 'box.js')).m"
            )
            == 21
        )
        assert guest.value("native.evalModule('export let = 1', 'box2.js')").startswith("SyntaxError")
        assert (
            guest.value("native.evalModule('await 0; throw new RangeError(`r`)', 'box3.js')")
            == "RangeError: r"
        )
        assert guest.rejections == []


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


def test_floats_keep_every_bit(shared: Guest) -> None:
    for bits in (1, 0x7FEFFFFFFFFFFFFF, 0x0010000000000000, 0x3FF0000000000001):
        (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
        assert shared.value("argument", number) == number
