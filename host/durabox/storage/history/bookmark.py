"""Bookmarks: the names of an object's states, as the platform prints them."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from durabox.errors import RefusedError

_FORM: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{32})", re.ASCII)


class Bookmark(Struct, frozen=True):
    """
    The state after a commit. As text a later one compares greater.

    Args:
        commit: The commit's number, 64 bits.
        undo: 0, or the number of a restore: then the state just before that restore, which may be later than the
            commit. 32 bits.
        line: The history that the number belongs to, 16 bytes: another object's says nothing here.
    """

    commit: int
    undo: int
    line: bytes

    @classmethod
    def parse(cls, text: str, operation: str) -> Bookmark:
        """
        The bookmark of a text.

        Raises:
            RefusedError: The text is none.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise RefusedError(operation, f"Invalid bookmark: {text[:80]!r}.")
        high, low, undo, line = found.groups()
        return cls(int(high + low, 16), int(undo, 16), bytes.fromhex(line))

    def __str__(self) -> str:
        """Four groups of hexadecimal digits."""
        return f"{self.commit >> 32:08x}-{self.commit & 0xFFFFFFFF:08x}-{self.undo:08x}-{self.line.hex()}"
