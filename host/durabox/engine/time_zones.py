"""Offsets of time zones, for the guests' `Intl`: from the system's database, or that of the package `tzdata`."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

#: Seconds since the epoch between which changes are looked for. Before and after, the first and the last offset hold.
_FIRST: Final = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
_LAST: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
#: Seconds; what holds shorter than that is not seen.
_STEP: Final = 14 * 86_400
#: Seconds; nearly all changes fall on a multiple.
_USUAL: Final = 900


@cache
def names() -> list[str]:
    """Names of all time zones, sorted."""
    return sorted(zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"})


@cache
def periods(name: str) -> list[int] | None:
    """
    The offsets of a time zone, ``None`` if there is none of that name.

    Returns:
        Flat: from when on (seconds since the epoch), offset from UTC (seconds), 1 in summer time.
    """
    if name not in names():
        return None
    zone = zoneinfo.ZoneInfo(name)
    before, now = _FIRST, _at(zone, _FIRST)
    flat = [before, *_numbers(now)]
    for after in range(_FIRST + _STEP, _LAST, _STEP):
        if (then := _at(zone, after)) != now:
            flat += [_change(zone, before, after, now), *_numbers(then)]
            now = then
        before = after
    return flat


_State = tuple[timedelta | None, timedelta | None]


def _at(zone: zoneinfo.ZoneInfo, second: int) -> _State:
    """What holds then: the offset, and how much of it is summer time."""
    there = datetime.fromtimestamp(second, zone)
    return there.utcoffset(), there.dst()


def _numbers(state: _State) -> tuple[int, int]:
    offset, summer = state
    return int((offset or timedelta()).total_seconds()), int(bool(summer))


def _change(zone: zoneinfo.ZoneInfo, before: int, after: int, old: _State) -> int:
    """The second in which what held before ends."""
    low, high = before, after
    while high - low > 1:
        middle = (low + high) // 2
        if high - low > 2 * _USUAL:
            middle -= middle % _USUAL
        elif _at(zone, high - 1) == old:
            return high
        if _at(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high
