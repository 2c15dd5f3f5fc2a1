"""The decisions about alarms by themselves: plain data in, plain data out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from durabox.objects.alarms import (
    FIRST_TRY,
    MAX_RETRIES,
    MS,
    Again,
    Ask,
    Begin,
    Fire,
    GiveUp,
    Order,
    Outcome,
    Over,
    Retry,
    Sleep,
    Timetable,
    begin,
    ended,
    order_of,
)
from durabox.storage.alarm_index import Pending

times = st.one_of(st.none(), st.integers(0, 20))


@given(times, times)
def test_the_index_is_never_later_than_what_is_stored(known: int | None, stored: int | None) -> None:
    late = stored is not None and (known is None or known > stored)
    match order_of(known, stored):
        case Order.NOT:
            assert known == stored
        case Order.BEFORE:
            assert late
        case Order.AFTER:
            assert not late
            assert known != stored


@given(times, st.integers(0, 20), st.booleans())
def test_a_run_begins_only_when_the_stored_time_has_come(stored: int | None, now: int, early: bool) -> None:
    begun = begin(stored, now, early=early)
    if stored is None or (stored > now and not early):
        assert begun is None
    else:
        assert begun == Begin(stored, armed=True)


def test_an_alarm_that_was_just_replaced_runs_and_leaves_the_new_one_alone() -> None:
    assert begin(9, 10, replaced=True) == Begin(10, armed=False)


@pytest.mark.parametrize("stored", [None, 90])
def test_an_alarm_that_is_not_due_does_not_run_because_it_is_being_replaced(stored: int | None) -> None:
    assert begin(stored, 10, replaced=True) is None


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("stored", [None, 7])
def test_what_the_object_has_stored_meanwhile_counts(outcome: Outcome, stored: int | None) -> None:
    assert ended(outcome, FIRST_TRY, 5, stored, 0.5) == Over(stored)


def test_delays_double_and_the_seventh_failure_is_the_last() -> None:
    retry, delays = FIRST_TRY, []
    while isinstance(verdict := ended(Outcome.FAILED, retry, 5, 5, 0.0), Again):
        delays.append(verdict.delay_ns // MS)
        retry = verdict.retry
    assert verdict == GiveUp()
    assert delays == [2000, 4000, 8000, 16_000, 32_000, 64_000]
    assert retry.counted == MAX_RETRIES


def test_failures_that_are_not_its_own_do_not_count_and_end_at_a_delay() -> None:
    retry = FIRST_TRY
    for _ in range(30):
        verdict = ended(Outcome.INTERRUPTED, retry, 5, 5, 0.0)
        assert isinstance(verdict, Again)
        retry = verdict.retry
    assert (retry.counted, verdict.delay_ns // MS) == (0, 1_024_000)
    verdict = ended(Outcome.FAILED, retry, 5, 5, 1.0)
    assert isinstance(verdict, Again)
    assert (verdict.retry.counted, verdict.delay_ns // MS) == (1, 2500), "its own begin anew, with jitter"


def test_one_that_does_not_want_another_try_gets_none() -> None:
    assert ended(Outcome.DROPPED, FIRST_TRY, 5, 5, 0.0) == GiveUp()


@given(st.sampled_from(Outcome), st.integers(0, 6), st.integers(0, 40), st.booleans(), st.floats(0, 1))
def test_delays_stay_in_their_bounds(
    outcome: Outcome, counted: int, doublings: int, own: bool, chance: float
) -> None:
    verdict = ended(outcome, Retry(counted, doublings, own), 5, 5, chance)
    if isinstance(verdict, Again):
        assert 2000 * MS <= verdict.delay_ns <= 1_280_000 * MS
        assert verdict.retry.counted <= MAX_RETRIES


def test_a_class_with_much_to_do_does_not_keep_another_waiting() -> None:
    table = Timetable(max_running=4)
    table.add("busy")
    table.add("other")
    asked = []
    for _ in range(4):
        ask = table.decide(100)
        assert isinstance(ask, Ask)
        asked.append(ask.unique_key)
        table.answered(ask.unique_key, [Pending(f"{len(asked)}", None, 1)], 2)
        while isinstance(fire := table.decide(100), Fire):
            table.ended(fire.unique_key, fire.alarm.object_id, Over(None), 100)
            break
    assert asked == ["busy", "other", "busy", "other"]


class Scheduling(RuleBasedStateMachine):
    """
    A timetable on a model of the index: objects set and clear their alarms, runs end in any way, the clock jumps. What is
    due runs, once at a time, and nothing else does.
    """

    IDS = "abcdefgh"

    def __init__(self) -> None:
        super().__init__()
        self.table = Timetable(max_running=2, max_held=5)
        self.table.add("x")
        self.now = 1000
        self.index: dict[str, int] = {}
        self.running: dict[str, Fire] = {}
        self.asked: tuple[Ask, list[Pending], int | None] | None = None
        self.sleep: int | None = None
        self.decide()

    def decide(self) -> None:
        """Carry out what the timetable wants, until it wants to sleep."""
        while True:
            step = self.table.decide(self.now)
            match step:
                case Ask():
                    rows = sorted((time, key) for key, time in self.index.items() if (time, key) > step.after)
                    due = [row for row in rows if row[0] <= step.until_ns][: step.limit]
                    assert step.limit > 0
                    following = rows[len(due)][0] if len(rows) > len(due) else None
                    self.asked = (step, [Pending(key, None, time) for time, key in due], following)
                case Fire():
                    assert step.alarm.object_id not in self.running
                    self.running[step.alarm.object_id] = step
                case Sleep(until):
                    self.sleep = until
                    return

    @rule(key=st.sampled_from(IDS), time=st.one_of(st.none(), st.integers(900, 1100)))
    def set(self, key: str, time: int | None) -> None:
        if time is None:
            self.index.pop(key, None)
        else:
            self.index[key] = time
        self.table.heard("x", key, time)
        self.decide()

    @precondition(lambda self: self.asked is not None)
    @rule(fails=st.booleans())
    def answer(self, fails: bool) -> None:
        assert self.asked is not None
        _, rows, following = self.asked
        self.asked = None
        if fails:
            self.table.unanswered("x", self.now)
        else:
            self.table.answered("x", rows, following)
        self.decide()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["done", "again"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        fire = self.running.pop(key)
        stored = self.index.get(key)
        if outcome == "again" and stored == fire.alarm.time_ns:
            verdict: Again | Over = Again(50, Retry(1, 1, True))
        else:
            if stored is not None and stored <= self.now and stored == fire.alarm.time_ns:
                del self.index[key]
                stored = None
            verdict = Over(stored)
        self.table.ended("x", key, verdict, self.now)
        self.decide()

    @rule(step=st.integers(-30, 60))
    def pass_time(self, step: int) -> None:
        self.now += step
        self.decide()

    @invariant()
    def few_run(self) -> None:
        assert len(self.running) <= 2

    def teardown(self) -> None:
        """However it got here: when nothing else happens, all that is due gets its turn."""
        for _ in range(500):
            if self.asked is not None:
                self.answer(False)
            elif self.running:
                key = next(iter(self.running))
                del self.running[key]
                if self.index.get(key, self.now) <= self.now:
                    self.index.pop(key, None)
                self.table.ended("x", key, Over(self.index.get(key)), self.now)
                self.decide()
            else:
                if self.sleep is None or self.sleep > 10**10:
                    break
                self.now = max(self.now, self.sleep)
                self.decide()
        assert self.index == {}
        assert self.table.quiet


TestScheduling = Scheduling.TestCase
