"""How ``durabox objects`` prints what it found: tables, and values for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_COLUMN: Final = 60


def print_json(value: object) -> None:
    """A value on a line of its own."""
    print(json.dumps(value))


def plain(text: str) -> str:
    """Without what a terminal would take for a command."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def cell(value: object) -> str:
    """A value of SQL: text as it is, NULL as nothing."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def in_bytes(size: int) -> str:
    """A number of bytes in the largest of the units that it is one of at least."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def moment(milliseconds: float | None) -> str:
    """Milliseconds since the epoch as local time; nothing for ``None`` and 0."""
    if not milliseconds:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000).isoformat(" ", "seconds")
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds:.0f} ms"


class Table:
    """
    A table that is printed as it comes: its columns only grow.

    Args:
        head: What the columns are called.
    """

    def __init__(self, *head: str) -> None:
        self._head: list[list[str]] = [[*head]]
        self._widths = [0] * len(head)

    def print(self, rows: Iterable[Sequence[object]]) -> None:
        """Some more rows."""
        cells = [*self._head, *([plain(str(value)) for value in row] for row in rows)]
        self._head = []
        for row in cells:
            for place, text in enumerate(row):
                most = _COLUMN if place == 0 else len(text)
                self._widths[place] = max(self._widths[place], min(len(text), most))
        for row in cells:
            print(
                "  ".join(text.ljust(width) for text, width in zip(row, self._widths, strict=True)).rstrip()
            )
