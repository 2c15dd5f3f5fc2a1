"""How much of an object's past is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 24 * 3600 * 1000

_AGE_MS: Final = 30 * DAY_MS
_BYTES: Final = 10**9

_AGES: Final = {"m": DAY_MS // 1440, "h": DAY_MS // 24, "d": DAY_MS}
_SIZES: Final = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(m|h|d|MB|GB|TB)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Retention:
    """
    Bounds of each object's history; what is over either is dropped when more is added.

    Args:
        age_ms: Milliseconds that a state can be had back, at least as long as the size allows.
        size: Bytes on disk.
    """

    age_ms: float = _AGE_MS
    size: float = _BYTES

    @classmethod
    def parse(cls, text: str) -> Retention | None:
        """
        From a text like ``30d``, ``10GB``, ``7d,500MB`` or ``off``; what is not named keeps its default.

        Raises:
            ValueError: It is none of these.
        """
        if text == "off":
            return None
        age_ms, size = float(_AGE_MS), float(_BYTES)
        for part in text.split(","):
            found = _PART.fullmatch(part.strip())
            if found is None:
                raise ValueError(
                    f"{part!r} is no bound of a history: write an age (30d, 12h), a size (500MB, 10GB) or off"
                )
            number, unit = float(found[1]), found[2]
            if unit in _AGES:
                age_ms = number * _AGES[unit]
            else:
                size = number * _SIZES[unit]
        return cls(age_ms, size)
