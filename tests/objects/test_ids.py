"""Ids are those of workerd; the vectors below were printed by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.errors import InvalidObjectIdError
from durabox.objects.ids import IdFactory

#: unique key ``demo-C``; the last name is a lone surrogate.
WORKERD = {
    "a": "71511060028adfebdd5a3dd2b4c1092d51323c3a482cf8ee1534cbc7bb700c29",
    "": "c313d9346d810146ee6f8a87f0011c0e41fc46431d7179e91278d2c6d9f5d08b",
    "counter": "52a971d69d91d3db2f00f386442aac9c2cc464554e61555fa95ce9aeda5f3296",
    "héllo": "261948f5b34d4a13cc3eac04fdcad3f63b5afd335c3b997fc1555eb60e496847",
    "日本": "e6172e1d2cb57b93d3bdf494725bb4364b56f7190cd8241024431abc3a67a27a",
    "x" * 100: "0a8084039dfdf95067443b1f1d405507cea49ebd27a405b800933b379fa3b162",
    "\ud800": "ed61db1823d5424ee605a3ddde57d1d92a9dcb5697381f2be27e3364bf767b2c",
}


@pytest.mark.parametrize(("name", "expected"), WORKERD.items())
def test_a_name_gives_the_id_that_workerd_gives(name: str, expected: str) -> None:
    assert IdFactory("demo-C").from_name(name) == expected


@given(st.text(max_size=50), st.sampled_from(["demo-C", "other-C"]))
def test_ids_belong_to_one_namespace(name: str, key: str) -> None:
    mine, other = IdFactory(key), IdFactory("another-D")
    made = mine.from_name(name)
    assert mine.check(made) == made
    with pytest.raises(InvalidObjectIdError, match=r"Durable Object ID is not valid for this namespace\."):
        other.check(made)


def test_unique_ids_differ_and_belong_to_their_namespace() -> None:
    ids = IdFactory("demo-C")
    made = {ids.new() for _ in range(1000)}
    assert len(made) == 1000
    assert all(ids.check(one) == one for one in made)


def test_hex_digits_may_be_upper_case() -> None:
    ids = IdFactory("demo-C")
    made = ids.new()
    assert ids.check(made.upper()) == made


@pytest.mark.parametrize(
    "text", ["", "zz", "g" * 64, "0" * 63, "0" * 65, "0" * 63 + "\u0660", "../" * 20 + "abcd"]
)
def test_what_is_not_64_hex_digits_is_no_id(text: str) -> None:
    with pytest.raises(InvalidObjectIdError, match="must be 64 hex digits"):
        IdFactory("demo-C").check(text)
