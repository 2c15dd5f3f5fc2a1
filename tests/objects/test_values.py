"""Stored values as JSON: whatever the bytes are, there is an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.objects.values import stored_as_json


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("ff0f49f601", 123),
        ("ff0f5f", {"$type": "undefined"}),
        ("ff0f30", None),
        ("ff0f2203666f6f", "foo"),
        ("ff0f6304 6100ac20", "a€"),
        ("ff0f6f220161 49027b01", {"a": 1}),
        ("ff0f6f2205 2474797065 49027b01", {"$type": "Object", "entries": [["$type", 1]]}),
        ("ff0f6f2201615e007b01", {"a": {"$type": "cycle"}}),
        ("ff0f61034900490249044904400203", [1, {"$type": "undefined"}, 2]),
        ("ff0f3b490249043a02", {"$type": "Map", "entries": [[1, 2]]}),
        ("ff0f274902 2c01", {"$type": "Set", "values": [1]}),
        ("ff0f5a110a00000000000000", {"$type": "bigint", "value": "-10"}),
        ("ff0f4e000000000000f87f", {"$type": "number", "value": "NaN"}),
        ("ff0f440000000000000000", {"$type": "Date", "value": "1970-01-01T00:00:00.000Z"}),
        ("ff0f5222016103", {"$type": "RegExp", "source": "a", "flags": "gi"}),
        ("ff0f420201025642000200", {"$type": "Uint8Array", "base64": "AQI="}),
        ("ff0f42020102563f000200", {"$type": "DataView", "base64": "AQI="}),
        (
            "ff0f72546d22017863490273220153 2e",
            {"$type": "TypeError", "message": "x", "stack": "S", "cause": 1},
        ),
        ("ff0f5ce80700", {"$type": "ReadableStream"}),
    ],
)
def test_values_have_a_form_in_json(stored: str, shown: Any) -> None:
    assert stored_as_json(bytes.fromhex(stored.replace(" ", ""))) == shown


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xff\x0f",
        b"\xff\x0f" + b"A\x01" * 5000,
        b"\xff\x0fa\xff\xff\xff\xff\x0f@\x00\xff\xff\xff\xff\x0f",
        b"\xff\x0fA\x05" + b"a\xff\xff\x01@\x00\xff\xff\x01" * 5 + b"$\x00\x05",
        # Each object holds the next one twice; an array holds the same buffer thousands of times.
        b"\xff\x0f"
        + b'o"\x01a' * 40
        + b"0{\x01"
        + b"".join(b'"\x01b^' + bytes([number]) + b"{\x02" for number in range(39, 0, -1)),
        b"\xff\x0fA\x88\x27B\x80\x40" + b"x" * 8192 + b"^\x01" * 4999 + b"$\x00\x88\x27",
    ],
    ids=["nothing", "no value", "deep", "long", "many long", "doubled", "repeated"],
)
def test_what_nobody_wants_to_see_is_unreadable(stored: bytes) -> None:
    shown = stored_as_json(stored)
    assert isinstance(shown, dict)
    assert shown["$type"] == "unreadable"
    assert len(json.dumps(shown)) < 3 * len(stored) + 300


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(stored: bytes) -> None:
    json.dumps(stored_as_json(b"\xff\x0f" + stored), allow_nan=False)
