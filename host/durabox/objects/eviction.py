"""Which idle objects leave memory: a decision, not an action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

K = TypeVar("K")


def to_evict(live: Iterable[tuple[K, float, bool]], *, now: float, idle_ms: float, most: int) -> list[K]:
    """
    The objects to evict now.

    Args:
        live: ``(key, last use in ms, busy)`` of every live object.
        now: Clock reading in ms.
        idle_ms: An object that was not used for this long leaves.
        most: More live objects than this are not kept: the least recently used idle ones leave first.
    Returns:
        Keys, least recently used first. Busy objects are never among them.
    """
    everything = list(live)
    idle = sorted(((used, position) for position, (_, used, busy) in enumerate(everything) if not busy))
    excess = len(everything) - most
    return [
        everything[position][0]
        for rank, (used, position) in enumerate(idle)
        if rank < excess or now - used >= idle_ms
    ]
