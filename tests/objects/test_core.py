"""The actor loop's decisions under generated orders of events, and the cases worth naming."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from durabox.objects.core import (
    DEADLOCK,
    MAX_BATCH,
    MAX_SECTION_DEPTH,
    QUIET,
    SECTION_TIMEOUT_MS,
    TIMED_OUT,
    TOO_DEEP,
    Activate,
    ActorCore,
    Break,
    Commit,
    Failure,
    Phase,
    Run,
    StartSection,
    Turn,
    Wait,
)


@dataclass
class Job:
    """A piece of work as the model sees it."""

    number: int
    section: int = 0
    counted: int | None = None


@dataclass
class Write:
    """A write that no commit has covered yet."""

    confirmed: bool
    #: The outermost transaction it belongs to, 0 for none.
    transaction: int


@dataclass
class Model:
    """What an observer of the guest knows: sections by parent, writes, outputs."""

    parents: dict[int, int] = field(default_factory=dict)
    transactions: set[int] = field(default_factory=set)
    opened: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)

    def home(self, section: int) -> int:
        """The section that work tagged with ``section`` belongs to now."""
        while section and section in self.ended:
            section = self.parents[section]
        return section

    def outermost_transaction(self) -> int:
        """The open transaction that a write belongs to now."""
        return next((s for s in self.opened if s in self.transactions), 0)


class ActorMachine(RuleBasedStateMachine):
    """A guest that does anything, in any order, against the core."""

    def __init__(self) -> None:
        super().__init__()
        self.core: ActorCore[Job] = ActorCore()
        self.model = Model()
        self.now = 0.0
        self.jobs = 0
        self.sections = 0
        self.turn: Job | None = None  # the turn under way; section_start and activation are jobs too
        self.committing = False
        self.background: list[Job] = []
        self.arrived: list[int] = []
        self.ran: list[int] = []
        self.plain_order: list[int] = []
        self.held: list[int] = []

    def _job(self, section: int, counted: int | None = None) -> Job:
        self.jobs += 1
        return Job(self.jobs, section, counted)

    @rule()
    def a_request_arrives(self) -> None:
        job = self._job(0)
        self.arrived.append(job.number)
        self.core.arrive(job)

    @precondition(lambda self: self.background)
    @rule(data=st.data())
    def async_work_ends(self, data: st.DataObject) -> None:
        job = self.background.pop(data.draw(st.integers(0, len(self.background) - 1)))
        self.arrived.append(job.number)
        assert job.counted is not None
        self.core.arrive(job, job.counted)

    @rule()
    def the_shell_asks_what_to_do(self) -> None:
        self._step()

    def _step(self) -> bool:
        step = self.core.decide(self.now)
        if self.turn is not None or self.committing:
            assert isinstance(step, Wait), "nothing happens beside a turn or a commit"
            return False
        match step:
            case Activate():
                self.turn = Job(0)
            case Run(job):
                if job.counted is not None:
                    self.core.async_ended(job.counted)
                top = self.model.opened[-1] if self.model.opened else 0
                assert self.model.home(job.section) == top, "only the innermost section's work is admitted"
                if job.section == 0 and job.counted is None:
                    self.plain_order.append(job.number)
                self.ran.append(job.number)
                self.turn = job
            case StartSection(section):
                top = self.model.opened[-1] if self.model.opened else 0
                assert self.model.home(self.model.parents[section]) == top
                if section in self.model.transactions and not self.core.in_transaction:
                    pytest.fail("a started transaction is an open one")
                if not self.model.outermost_transaction():
                    assert not self.model.writes, "a section starts on a committed state"
                self.model.parents[section] = top
                self.model.opened.append(section)
                self.turn = Job(0, section)
            case Commit():
                assert self.model.writes, "there is something to commit"
                assert not self.model.outermost_transaction(), "no half of a transaction is committed"
                self.committing = True
            case Break(failure):
                assert failure.message == DEADLOCK
                assert self.model.opened, "only a section can be stuck"
                assert not self.background_of(self.model.opened[-1])
                return False
            case Wait():
                assert not self.model.writes or self.model.outermost_transaction(), (
                    "written state is committed"
                )
                return False
        return True

    def background_of(self, section: int) -> list[Job]:
        """Async work under way that belongs to a section."""
        return [job for job in self.background if self.model.home(job.section) == section]

    @precondition(lambda self: self.turn is not None)
    @rule(
        write=st.sampled_from(["none", "none", "confirmed", "unconfirmed"]),
        begin=st.lists(st.booleans(), max_size=2),
        start=st.integers(0, 2),
        end=st.booleans(),
    )
    def the_turn_ends(self, write: str, begin: list[bool], start: int, end: bool) -> None:
        self._end_turn(write, begin, start, end)

    def _end_turn(self, write: str, begin: list[bool], start: int, end: bool) -> None:
        turn, model = self.turn, self.model
        assert turn is not None
        home = model.home(turn.section)
        for transaction in begin:
            self.sections += 1
            model.parents[self.sections] = home
            if transaction:
                model.transactions.add(self.sections)
            self.core.section_requested(self.sections, turn.section, transaction)
        for _ in range(start):
            counted = self.core.async_started(turn.section)
            self.background.append(self._job(turn.section, counted))
        if write != "none":
            model.writes.append(Write(write == "confirmed", model.outermost_transaction()))
        ended: tuple[tuple[int, Failure | None], ...] = ()
        if end and model.opened and home == model.opened[-1]:
            ended = ((model.opened[-1], None),)
        self.turn = None
        self.core.turn_ended(Turn(bool(model.writes), write == "confirmed", ended))
        if self.core.phase is Phase.BROKEN:
            return
        for section, _ in ended:
            model.opened.pop()
            model.ended.add(section)
        transaction = model.outermost_transaction()
        must_hold = any(
            w.confirmed and (w.transaction != transaction or not transaction) for w in model.writes
        )
        assert self.core.locked == must_hold, (
            "outputs wait exactly for confirmed writes outside an open transaction"
        )
        if self.core.locked:
            self.held.append(turn.number)

    @precondition(lambda self: self.committing)
    @rule()
    def the_commit_ends(self) -> None:
        self.committing = False
        self.model.writes.clear()
        self.held.clear()
        self.core.committed()
        assert not self.core.locked

    @invariant()
    def requests_run_in_the_order_they_came(self) -> None:
        assert self.plain_order == sorted(self.plain_order)

    @invariant()
    def nothing_runs_twice_or_unasked(self) -> None:
        assert len(set(self.ran)) == len(self.ran)
        assert set(self.ran) <= set(self.arrived)

    def teardown(self) -> None:
        """Whatever happened before, when the guest finishes what it began everything has run."""
        for _ in range(10_000):
            if self.core.phase is Phase.BROKEN:
                assert self.core.failure is not None
                first = self.core.failure
                self.core.break_with(Failure("Error", "later"))
                assert self.core.decide(self.now) == Break(first), "the first failure stays"
                return
            if self.committing:
                self.the_commit_ends()
            elif self.turn is not None:
                self._end_turn("none", [], 0, True)
            elif self.background:
                job = self.background.pop()
                self.arrived.append(job.number)
                assert job.counted is not None
                self.core.arrive(job, job.counted)
            elif not self._step():
                break
        if self.core.phase is not Phase.BROKEN:
            assert sorted(self.ran) == sorted(self.arrived)
            assert self.core.idle
            assert not self.held


TestActorMachine = ActorMachine.TestCase
TestActorMachine.settings = settings(max_examples=150, stateful_step_count=40)


def ready() -> ActorCore[str]:
    """A core whose object is alive and has nothing to do."""
    core: ActorCore[str] = ActorCore()
    core.arrive("first")
    assert core.decide(0) == Activate()
    core.turn_ended(QUIET)
    assert core.decide(0) == Run("first")
    core.turn_ended(QUIET)
    assert core.decide(0) == Wait()
    assert core.idle
    return core


def in_section(core: ActorCore[str], transaction: bool = False, now: float = 0) -> None:
    """Bring the core into critical section 1, with async work of it under way."""
    core.arrive("opens")
    assert core.decide(now) == Run("opens")
    core.section_requested(1, 0, transaction)
    core.turn_ended(QUIET)
    assert core.decide(now) == StartSection(1)
    assert core.async_started(1) == 1
    core.turn_ended(QUIET)


def test_an_absent_object_wakes_for_its_first_work_only() -> None:
    core: ActorCore[str] = ActorCore()
    assert core.decide(0) == Wait()
    core.arrive("work")
    assert core.decide(0) == Activate()


def test_concurrent_requests_share_one_commit_and_answer_after_it() -> None:
    core = ready()
    for name in ("a", "b", "c"):
        core.arrive(name)
    for name in ("a", "b", "c"):
        assert core.decide(0) == Run(name)
        core.turn_ended(Turn(dirty=True, confirmed=True))
        assert core.locked
    assert core.decide(0) == Commit()
    assert core.decide(0) == Wait()
    core.committed()
    assert not core.locked
    assert core.decide(0) == Wait()


def test_a_flood_of_writes_is_committed_batch_by_batch() -> None:
    core = ready()
    for number in range(MAX_BATCH + 5):
        core.arrive(str(number))
    for _ in range(MAX_BATCH):
        assert isinstance(core.decide(0), Run)
        core.turn_ended(Turn(dirty=True, confirmed=True))
    assert core.decide(0) == Commit()


def test_a_section_shuts_out_other_requests_until_it_ends() -> None:
    core = ready()
    in_section(core)
    core.arrive("outside")
    assert isinstance(core.decide(0), Wait)
    core.arrive("inside", 1)
    core.async_ended(1)
    assert core.decide(0) == Run("inside")
    core.turn_ended(Turn(ended=((1, None),)))
    assert core.decide(0) == Run("outside")


def test_a_section_that_takes_too_long_breaks_the_object() -> None:
    core = ready()
    in_section(core, now=10)
    assert core.decide(11) == Wait(10 + SECTION_TIMEOUT_MS)
    assert core.decide(10 + SECTION_TIMEOUT_MS) == Break(Failure("Error", TIMED_OUT, overloaded=True))


def test_a_section_that_waits_for_nothing_is_a_deadlock() -> None:
    core = ready()
    in_section(core)
    core.arrive("only this could wake it")
    core.async_ended(1)
    step = core.decide(0)
    assert isinstance(step, Break)
    assert step.failure.message == DEADLOCK


def test_a_failed_section_breaks_the_object_but_a_failed_transaction_does_not() -> None:
    failure = Failure("TypeError", "boom")
    core = ready()
    in_section(core)
    core.turn_ended(Turn(ended=((1, failure),)))
    assert core.decide(0) == Break(failure)
    core = ready()
    in_section(core, transaction=True)
    core.turn_ended(Turn(ended=((1, failure),)))
    assert isinstance(core.decide(0), Wait)


def test_nothing_is_committed_while_a_transaction_is_open() -> None:
    core = ready()
    in_section(core, transaction=True)
    core.arrive("write", 1)
    assert core.decide(0) == Run("write")
    core.turn_ended(Turn(dirty=True, confirmed=True))
    assert not core.locked
    assert isinstance(core.decide(0), Wait)
    core.arrive("end", 1)
    assert core.decide(0) == Run("end")
    core.turn_ended(Turn(dirty=True, ended=((1, None),)))
    assert core.locked
    assert core.decide(0) == Commit()


def test_sections_nest_only_so_deep() -> None:
    core = ready()
    core.arrive("opens")
    assert core.decide(0) == Run("opens")
    for number in range(1, MAX_SECTION_DEPTH + 2):
        core.section_requested(number, number - 1, False)
    assert core.decide(0) == Break(Failure("Error", TOO_DEEP))


@pytest.mark.parametrize("number", [0, -1, 1])
def test_a_guest_cannot_open_a_section_under_a_number_in_use(number: int) -> None:
    core = ready()
    in_section(core)
    with pytest.raises(ValueError, match="cannot be opened"):
        core.section_requested(number, 0, False)


def test_ending_a_section_that_is_not_innermost_breaks_the_object() -> None:
    core = ready()
    in_section(core)
    core.turn_ended(Turn(ended=((7, None),)))
    assert isinstance(core.decide(0), Break)


def test_a_broken_object_gives_back_its_queue() -> None:
    core = ready()
    core.arrive("a")
    core.arrive("b")
    core.break_with(Failure("Error", "over"))
    assert list(core.drain()) == ["a", "b"]
