"""The message codec: what goes in comes out, and nothing that a guest writes raises anything but errors of ours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durabox.engine.ops import _DECODERS
from durabox.errors import GuestProtocolError
from durabox.wire import Decoder, decode, encode

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.binary()
)
texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    scalars | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=30
)
#: Any code points, lone surrogates among them.
wild = st.text(st.characters() | st.characters(categories=["Cs"]))


@given(value=values)
def test_values_survive(value: Any) -> None:
    assert decode(encode(value)) == value


@given(text=wild, other=wild)
def test_lone_surrogates_become_replacement_characters_on_the_way_out(text: str, other: str) -> None:
    expected = [t.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for t in (text, other)]
    assert decode(encode([text, {"k": [other]}])) == [expected[0], {"k": [expected[1]]}]


def as_guest(value: Any) -> bytes:
    """As the guest encodes it: lone surrogates keep their three bytes."""
    if isinstance(value, str):
        content = value.encode("utf-8", "surrogatepass")
        return b"\xdb" + len(content).to_bytes(4, "big") + content
    if isinstance(value, bytes):
        return b"\xc6" + len(value).to_bytes(4, "big") + value
    if isinstance(value, list):
        return b"\xdd" + len(value).to_bytes(4, "big") + b"".join(map(as_guest, value))
    return msgspec.msgpack.encode(value)


@given(
    items=st.lists(
        wild | st.binary() | st.integers(-5, 300) | st.floats(allow_nan=False) | st.none(), max_size=8
    )
)
@example(items=["\ud800", b"\xed\xa0\x80", "a\udfffb", b"\xed\xa0\x80"])
def test_lone_surrogates_become_replacement_characters_on_the_way_in_and_bytes_stay(items: list[Any]) -> None:
    read = decode(as_guest(items))
    for item, got in zip(items, read, strict=True):
        if isinstance(item, str):
            # Each of the three bytes' sequences is one character; pairs were never joined by the guest.
            assert got == "".join(
                "\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in item
            )
        else:
            assert got == item


@settings(max_examples=500)
@given(message=st.binary(max_size=60))
@example(message=b"")
@example(message=b"\xc1")
@example(message=b"\xdd\xff\xff\xff\xff")
@example(message=b"\xdf\xff\xff\xff\xff")
@example(message=b"\xdb\xff\xff\xff\xff\xed\xa0\x80")
@example(message=b"\xa3\xed\xa0\x80\xa5\xed\xa0\x80")
@example(message=b"\xc7\xff\xff\xed\xa0\x80")
@example(message=b"\x91" * 60)
def test_no_message_raises_anything_but_an_error_of_ours(message: bytes) -> None:
    for decoder in (decode, *_DECODERS.values()):
        try:
            decoder(message)
        except GuestProtocolError:
            continue


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1k", b"\x92\xa3\xed\xa0\x80"])
def test_depth_is_an_error_of_ours(opening: bytes, depth: int) -> None:
    for decoder in (decode, *_DECODERS.values()):
        try:
            decoder(opening * depth + b"\xc0")
        except GuestProtocolError:
            continue
        assert decoder is decode
        assert depth < 100_000, "how deep it may be is up to the interpreter: some hundreds or thousands"


def test_what_is_malformed_is_named() -> None:
    with pytest.raises(
        GuestProtocolError, match="the arguments of op x is malformed: Expected `int`, got `str`"
    ):
        Decoder(tuple[int], "the arguments of op x")(encode(["a"]))


@pytest.mark.parametrize("value", [object(), 2**64, -(2**63) - 1, {1, object()}])
def test_what_cannot_be_carried_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        encode(value)
