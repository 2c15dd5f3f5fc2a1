"""What `nest.js` and its facets hold after each of its steps, by the names that lead there."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

Content: TypeAlias = dict[str, str]

SOURCE = Path(__file__).with_name("nest.js")
#: Everywhere that something may be.
PATHS = ["", "a", "a/b", "a/b/c", "d", "d/b", "d/b/c", "d/old", "e"]
#: Every way in which several databases change at once.
STEPS = (
    "fill-",
    "fill-a",
    "fill-a/b/c",
    "fill-e",
    "fill-d/old",
    "clone",
    "fill-a/b",
    "delete",
    "fill-a",
    "clear",
    "fill-d/b",
    "renew",
)


def after(step: str, before: Content) -> Content:
    """The content after a step."""
    if step.startswith("fill-"):
        return before | {step[5:]: step}
    match step:
        case "clone":
            kept = {path: value for path, value in before.items() if path[:1] != "d"}
            return kept | {f"d{path[1:]}": value for path, value in before.items() if path[:1] == "a"}
        case "delete":
            return {path: value for path, value in before.items() if path[:1] != "a"}
        case "clear":
            return {}
        case "renew":
            return {"": step}
        case "":
            return before
    raise ValueError(step)
