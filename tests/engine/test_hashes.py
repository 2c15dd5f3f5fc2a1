"""Hashes for guests, and what a guest that asks for nonsense is told."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.engine import hashes
from durabox.engine.ops import GuestError
from durabox.engine.webcrypto import CryptoRequest, perform


@given(
    st.sampled_from(sorted(hashes.ALGORITHMS)),
    st.binary(max_size=hashes.MOST_KEY),
    st.binary(max_size=40),
    st.lists(st.integers(1, 20), max_size=4),
)
def test_rounds_in_parts_are_pbkdf2(algorithm: str, password: bytes, salt: bytes, parts: list[int]) -> None:
    state = hashes.begin(algorithm, password)
    state.update(salt + struct.pack(">I", 1))
    block = state.digest() * 2
    for rounds in parts:
        block = hashes.pbkdf2_rounds(algorithm, password, rounds, block)
    expected = hashlib.pbkdf2_hmac(algorithm, password, salt, 1 + sum(parts))
    assert block[len(block) // 2 :] == expected


@pytest.mark.parametrize(
    ("algorithm", "password", "rounds", "block"),
    [
        ("nope", b"", 1, bytes(64)),
        ("sha256", bytes(hashes.MOST_KEY + 1), 1, bytes(64)),
        ("sha256", b"", 0, bytes(64)),
        ("sha256", b"", -1, bytes(64)),
        ("sha256", b"", hashes.MOST_ROUNDS + 1, bytes(64)),
        ("sha256", b"", 1, bytes(63)),
        ("sha256", b"", 1, b""),
        ("sha512", b"", 1, bytes(64)),
    ],
)
def test_rounds_of_nonsense_are_refused(algorithm: str, password: bytes, rounds: int, block: bytes) -> None:
    with pytest.raises(ValueError, match=r"\AInvalid "):
        hashes.pbkdf2_rounds(algorithm, password, rounds, block)


@pytest.mark.parametrize(
    ("cost", "length", "extra"),
    [
        (16, 8, b""),
        (0, 8, struct.pack(">III", 1, 1, 1 << 25)),
        (15, 8, struct.pack(">III", 1, 1, 1 << 25)),
        (1 << 21, 8, struct.pack(">III", 1, 1, 1 << 25)),
        (1 << 20, 8, struct.pack(">III", 8, 8, 2**32 - 1)),
        (1 << 20, 8, struct.pack(">III", 8, 1, 2**32 - 1)),
        (16, 8, struct.pack(">III", 0, 1, 1 << 25)),
        (16, 8, struct.pack(">III", 1, 0, 1 << 25)),
        (16, 8, struct.pack(">III", 1, 1, 100)),
        (16, -1, struct.pack(">III", 1, 1, 1 << 25)),
        (16, 1 << 30, struct.pack(">III", 1, 1, 1 << 25)),
    ],
)
def test_scrypt_with_numbers_that_do_not_fit_or_are_too_large_fails(
    cost: int, length: int, extra: bytes
) -> None:
    with pytest.raises(GuestError, match=r"\AScrypt failed"):
        perform(CryptoRequest("derive", "scrypt", "", cost, length, b"p", b"s", extra, b""))
