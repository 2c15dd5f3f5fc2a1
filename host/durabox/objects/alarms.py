"""What to do about alarms, and nothing else: plain data in, plain data out.

No asyncio, no clock, no I/O: `object_alarm` and `alarm_scheduler` carry out what is decided here. All times are
nanoseconds since the epoch, as they are stored.

*Two places.* The time in an object's own database is the truth; the index over all objects only says when to look. So the
index must never be later than the truth: `order_of` says whether it is told before a commit or after. Whatever
goes wrong in between leaves an index that is too early, and `begin` then finds that there is nothing to run yet.

*At least once.* The stored time goes when the handler has succeeded, in the same commit as its writes, and only if the
handler set no other. A failed run leaves it; `ended` says when it is tried again.

*Many.* `Timetable` knows what runs, what waits for another try, and, of each class, the time of the one alarm that
comes next. All others stay in the index. It reads on behind the last row it took, so rows that are being worked
on are not read again; a time that is set before that place moves it back.

Source: reference on alarms (§7).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct, field

from durabox.storage.alarm_index import START, Pending, Position

MS: Final = 1_000_000

#: A handler that fails is tried again this often; failures that are not its own do not count.
MAX_RETRIES: Final = 6
#: Before the first other try; twice as long before each one after it.
FIRST_DELAY_MS: Final = 2_000
#: The delay does not double more often than this.
MAX_DOUBLINGS: Final = 9
#: Up to this share of the delay is added, so that what failed together is not tried again together.
JITTER: Final = 0.25
_LONGEST_DELAY_NS: Final = int((FIRST_DELAY_MS << MAX_DOUBLINGS) * (1 + JITTER)) * MS
#: A handler may take this long.
MAX_RUN_MS: Final = 15 * 60_000
TOOK_TOO_LONG: Final = "Alarm exceeded its allowed execution time"
#: Handlers that run at once, of all objects together.
MAX_RUNNING: Final = 256
#: Alarms in memory: those that run and those that wait for another try. With more of them no new ones are begun.
MAX_HELD: Final = 65_536
#: When the index could not be read it is asked again after this long.
READ_AGAIN_MS: Final = 1_000


class Order(Enum):
    """When the index is told about what a commit does to an object's alarm."""

    NOT = "not"  # it knows
    BEFORE = "before"  # it would otherwise look too late
    AFTER = "after"  # it would otherwise look too early, which does no harm


def order_of(known: int | None, stored: int | None) -> Order:
    """
    When to tell the index.

    Args:
        known: The time it has, ``None`` for none.
        stored: The time that the commit makes the truth.
    """
    if known == stored:
        return Order.NOT
    if stored is not None and (known is None or stored < known):
        return Order.BEFORE
    return Order.AFTER


class Begin(Struct, frozen=True):
    """
    Run the handler.

    Args:
        time_ns: The time it is told.
        armed: Whether its success clears the stored time.
    """

    time_ns: int
    armed: bool


def begin(stored: int | None, now: int, *, replaced: bool = False, early: bool = False) -> Begin | None:
    """
    Whether an alarm that the index says is due is to run; otherwise the index is to be told the stored time.

    Args:
        stored: The time in the object's database, as it was committed.
        now: The time.
        replaced: Whether the object has just replaced that alarm, and the replacement is not committed yet. What is due must
            run nevertheless, for the replacement may still be lost.
        early: Run it although it is not due.
    """
    if stored is None or (stored > now and not early):
        return None
    return Begin(now, armed=False) if replaced else Begin(stored, armed=True)


class Retry(Struct, frozen=True):
    """
    How often an alarm has been tried.

    Args:
        counted: Failures of its own; the handler's ``retryCount``.
        doublings: How often the delay has doubled.
        own: Whether the last failure was its own.
    """

    counted: int = 0
    doublings: int = 0
    own: bool = True

    @property
    def last(self) -> bool:
        """Whether the alarm is given up when it fails once more."""
        return self.counted >= MAX_RETRIES


FIRST_TRY: Final = Retry()


class Outcome(Enum):
    """How a run ended."""

    DONE = "done"  # the handler returned, or there was nothing to run
    FAILED = "failed"  # the handler threw, or what it did broke the object
    INTERRUPTED = "interrupted"  # not its fault: storage, shortage of room, the end of the host
    DROPPED = "dropped"  # it failed and does not want to be tried again


class Again(Struct, frozen=True):
    """Try again after a delay in nanoseconds."""

    delay_ns: int
    retry: Retry


class GiveUp(Struct, frozen=True):
    """Clear the stored time: the alarm is lost."""


class Over(Struct, frozen=True):
    """The alarm is done with; the object has another one, or none."""

    stored: int | None


def ended(
    outcome: Outcome, retry: Retry, fired: int | None, stored: int | None, chance: float
) -> Again | GiveUp | Over:
    """
    What follows from a run.

    Args:
        outcome: How it ended.
        retry: The tries before it.
        fired: The time that was stored when it began.
        stored: The time that is stored, committed, now.
        chance: At random from 0 to 1.
    """
    if outcome is Outcome.DONE or stored is None or stored != fired:
        return Over(stored)
    if outcome is Outcome.DROPPED or (outcome is Outcome.FAILED and retry.last):
        return GiveUp()
    own = outcome is Outcome.FAILED
    # After failures that were not its own, one of its own is probably another matter.
    doublings = 0 if own and not retry.own else retry.doublings
    delay = FIRST_DELAY_MS << min(doublings, MAX_DOUBLINGS)
    delay += int(delay * JITTER * chance)
    return Again(delay * MS, Retry(retry.counted + own, doublings + 1, own))


# When to look at which object


class Ask(Struct, frozen=True):
    """Ask the index for what is due; report with `Timetable.answered` or `Timetable.unanswered`."""

    unique_key: str
    after: Position
    until_ns: int
    limit: int


class Fire(Struct, frozen=True):
    """Run the object's alarm, if `begin` agrees; report with `Timetable.ended`."""

    unique_key: str
    alarm: Pending
    retry: Retry


class Sleep(Struct, frozen=True):
    """Nothing to do before that time, or until something is reported."""

    until_ns: int | None


class _Class(Struct):
    after: Position = START
    #: Nothing behind `after` is due before this; ``None`` when nothing is there.
    following: int | None = START[0]
    asking: bool = False
    #: The earliest time that was set while the index was being asked.
    heard: int | None = None


class _Held(Struct):
    alarm: Pending
    retry: Retry
    #: When it is tried again; ``None`` while it runs or is about to.
    until: int | None = None


class Timetable(Struct):
    """The alarms of all classes; see the module's head."""

    max_running: int = MAX_RUNNING
    max_held: int = MAX_HELD
    running: int = 0
    _classes: dict[str, _Class] = field(default_factory=dict)
    _held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    _ready: deque[tuple[str, str]] = field(default_factory=deque)
    #: Those that wait for another try, by time; an entry counts only if the one held still says the same time.
    _retries: list[tuple[int, str, str]] = field(default_factory=list)

    # What happened

    def add(self, unique_key: str) -> None:
        """A class whose alarms are to be run."""
        self._classes[unique_key] = _Class()

    def heard(self, unique_key: str, object_id: str, time_ns: int | None) -> None:
        """The object's alarm was set to that time, or cleared."""
        entry = self._classes.get(unique_key)
        if entry is None:
            return
        held = self._held.get((unique_key, object_id))
        if held is not None and held.until is not None:
            # It need not be tried again; what was set anew is tried anew.
            del self._held[unique_key, object_id]
        if time_ns is not None:
            self._expect(entry, time_ns)

    def answered(self, unique_key: str, rows: Iterable[Pending], following: int | None) -> None:
        """The index's answer to `Ask`."""
        entry = self._classes[unique_key]
        entry.asking = False
        entry.following = following
        for row in rows:
            entry.after = (row.time_ns, row.object_id)
            key = (unique_key, row.object_id)
            if key not in self._held:
                self._held[key] = _Held(row, FIRST_TRY)
                self._ready.append(key)
        if entry.heard is not None:
            self._expect(entry, entry.heard)
            entry.heard = None

    def unanswered(self, unique_key: str, now: int) -> None:
        """The index could not be asked."""
        entry = self._classes[unique_key]
        entry.asking = False
        entry.following = now + READ_AGAIN_MS * MS

    def ended(self, unique_key: str, object_id: str, verdict: Again | Over, now: int) -> None:
        """The run that `Fire` asked for is over."""
        self.running -= 1
        key = (unique_key, object_id)
        held = self._held[key]
        match verdict:
            case Again(delay_ns, retry):
                held.until = now + delay_ns
                held.retry = retry
                heapq.heappush(self._retries, (held.until, *key))
            case Over(stored):
                del self._held[key]
                if stored is not None:
                    self._expect(self._classes[unique_key], stored)

    # What to do

    def decide(self, now: int) -> Ask | Fire | Sleep:
        """
        The next step.

        Args:
            now: The time.
        """
        self._collect_retries(now)
        if self._ready and self.running < self.max_running:
            key = self._ready.popleft()
            held = self._held[key]
            self.running += 1
            return Fire(key[0], held.alarm, held.retry)
        # Some are fetched ahead, not one by one.
        room = 0
        if len(self._ready) <= self.max_running // 2:
            room = min(self.max_running - len(self._ready), self.max_held - len(self._held))
        earliest = self._retries[0][0] if self._retries else None
        for unique_key, entry in self._classes.items():
            following = entry.following
            if entry.asking or following is None:
                continue
            if following <= now:
                if room > 0:
                    entry.asking = True
                    # The others come first next time.
                    self._classes[unique_key] = self._classes.pop(unique_key)
                    return Ask(unique_key, entry.after, now, room)
            elif earliest is None or following < earliest:
                earliest = following
        return Sleep(earliest)

    @property
    def quiet(self) -> bool:
        """Whether nothing runs, is about to, or is being asked for."""
        return (
            not self.running and not self._ready and not any(entry.asking for entry in self._classes.values())
        )

    # Inside

    def _expect(self, entry: _Class, time_ns: int) -> None:
        if entry.asking:
            entry.heard = time_ns if entry.heard is None else min(entry.heard, time_ns)
            return
        if entry.following is None or time_ns < entry.following:
            entry.following = time_ns
        entry.after = min(entry.after, (time_ns, ""))

    def _collect_retries(self, now: int) -> None:
        # One that is further off than it could have been put was put there by a clock that has jumped back.
        while self._retries and not now < self._retries[0][0] <= now + _LONGEST_DELAY_NS:
            until, unique_key, object_id = heapq.heappop(self._retries)
            key = (unique_key, object_id)
            held = self._held.get(key)
            if held is not None and held.until == until:
                held.until = None
                self._ready.append(key)
