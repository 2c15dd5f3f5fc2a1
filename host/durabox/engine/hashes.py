"""Hashes and HMACs for guests, in one piece or bit by bit."""

from __future__ import annotations

import hashlib
import hmac
from itertools import count
from typing import Final, Protocol

#: What guests may ask for. All are in every build of Python.
ALGORITHMS: Final = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
#: Bytes of a key for PBKDF2; no hash has longer blocks.
MOST_KEY: Final = 128
#: Of PBKDF2 at once; each takes about two microseconds.
MOST_ROUNDS: Final = 1000
#: Hashes under way in one isolate; each takes a few hundred bytes.
MOST_OPEN: Final = 1000


class State(Protocol):
    """What `hashlib` and `hmac` have in common."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""

    def digest(self) -> bytes:
        """The value so far."""

    def copy(self) -> State:
        """Another one, in the same state."""


def begin(algorithm: str, key: bytes | None) -> State:
    """
    A hash, or with a key an HMAC, of nothing yet.

    Raises:
        ValueError: There is no such algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError("Invalid digest")
    return (
        hashlib.new(algorithm, usedforsecurity=False) if key is None else hmac.new(key, digestmod=algorithm)
    )


def pbkdf2_rounds(algorithm: str, password: bytes, rounds: int, block: bytes) -> bytes:
    """
    Some of the rounds that make a block of PBKDF2 (RFC 8018, section 5.2).

    Args:
        algorithm: Of the HMAC.
        password: Its key, at most `MOST_KEY` bytes.
        rounds: How many, at most `MOST_ROUNDS`.
        block: The last round's value, and the sum of all so far.
    Returns:
        The same after these.
    Raises:
        ValueError: There is no such algorithm, or the numbers do not fit it.
    """
    if len(password) > MOST_KEY:
        raise ValueError("Invalid key of PBKDF2")
    state = begin(algorithm, password)
    size = len(block) // 2
    if not 0 < rounds <= MOST_ROUNDS or len(block) != 2 * len(state.digest()):
        raise ValueError("Invalid rounds of PBKDF2")
    value, total = bytes(block[:size]), int.from_bytes(block[size:], "big")
    for _ in range(rounds):
        step = state.copy()
        step.update(value)
        value = step.digest()
        total ^= int.from_bytes(value, "big")
    return value + total.to_bytes(size, "big")


class Hashes:
    """The hashes that one isolate has under way, by handle."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._handles = count(1)

    def keep(self, state: State) -> int:
        """
        A handle for a hash.

        Raises:
            ValueError: There are too many.
        """
        if len(self._states) >= MOST_OPEN:
            raise ValueError(f"more than {MOST_OPEN} hashes of long data are under way")
        handle = next(self._handles)
        self._states[handle] = state
        return handle

    def __getitem__(self, handle: int) -> State:
        """
        The hash of a handle.

        Raises:
            ValueError: There is none.
        """
        state = self._states.get(handle)
        if state is None:
            raise ValueError("there is no such hash")
        return state

    def take(self, handle: int) -> State:
        """
        The hash of a handle, which is none any more.

        Raises:
            ValueError: There is none.
        """
        state = self[handle]
        del self._states[handle]
        return state
