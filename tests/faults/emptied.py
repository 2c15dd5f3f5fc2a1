"""Steps of `nest.js` in which several databases first change when an object empties its own and those of its facets."""

from __future__ import annotations

from tests.faults.nest import SOURCE

__all__ = ["SOURCE", "STEPS"]

STEPS = ("fill-", "fill-a", "fill-a/b", "renew", "fill-a/b", "clear", "fill-d")
