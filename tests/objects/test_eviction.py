"""Who leaves memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durabox.objects.eviction import to_evict

objects = st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=30)


@given(objects, st.floats(0, 1000), st.floats(1, 500), st.integers(0, 30))
def test_only_idle_objects_leave_the_oldest_first_and_no_more_than_needed(
    live: list[tuple[float, bool]], now: float, idle_ms: float, most: int
) -> None:
    keyed = [(number, used, busy) for number, (used, busy) in enumerate(live)]
    gone = to_evict(keyed, now=now, idle_ms=idle_ms, most=most)
    assert len(set(gone)) == len(gone)
    assert not any(keyed[key][2] for key in gone)
    used = [keyed[key][1] for key in gone]
    assert used == sorted(used)
    stay = [one for one in keyed if one[0] not in gone and not one[2]]
    assert all(now - one[1] < idle_ms for one in stay)
    needed = max(0, len(keyed) - most)
    too_old = sum(1 for _, last, busy in keyed if not busy and now - last >= idle_ms)
    idle = sum(1 for one in keyed if not one[2])
    assert len(gone) == min(idle, max(needed, too_old))
