"""What goes into the compiled guest and what comes out of it, driven directly; see rig.py."""

from __future__ import annotations

import msgspec
import pytest

from tests.sandbox import rig
from tests.sandbox.rig import Aborted, Guest, GuestThrew


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
