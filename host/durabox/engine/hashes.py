"""Hashes and HMACs for guests, in one piece or bit by bit."""

from __future__ import annotations

import hashlib
import hmac
from itertools import count
from typing import Final, Protocol

#: What guests may ask for. All are in every build of Python.
ALGORITHMS: Final = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
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
