"""What `bank.js` holds after each of its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

Content: TypeAlias = dict[str, Any]

SOURCE = Path(__file__).with_name("bank.js")
#: When the alarm rings, in milliseconds.
FAR = 4_000_000_000_000
#: Every way in which a file changes: born, changed, checkpointed, replaced, removed, born again.
STEPS = (
    "birth",
    "change",
    "transaction",
    "tables",
    "large",
    "rows",
    "rebirth",
    "change",
    "death",
    "birth",
    "tables",
)


def after(step: str, before: Content) -> Content:
    """The content after a step."""
    match step:
        case "birth":
            return before | {"a": 1, "b": 2}
        case "change":
            return {key: value for key, value in before.items() if key != "b"} | {"a": 2}
        case "transaction":
            return before | {"c": 3, "d": 4}
        case "large":
            return before | {"large": 1_100_000}
        case "tables":
            return before | {"tables": 1, "words": [[1, "one"], [2, "two"]], "alarm": FAR}
        case "rows":
            return before | {"rows": 1, "words": [[2, "two!"]], "alarm": FAR - 1000}
        case "rebirth":
            return {"again": 1}
        case "death":
            return {}
    raise ValueError(step)
