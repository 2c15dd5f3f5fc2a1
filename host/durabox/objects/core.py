"""The actor loop's decisions, and nothing else: plain data in, plain data out.

No asyncio, no clock, no I/O. The shell (`actor.py`) tells the core what happened and then asks `decide` what
to do next, until the answer is `Wait`. The same core therefore runs under the real event loop, under a
virtual clock, and under a generated order of events in the tests.

What it decides:

*Input gate.* Work waits in one queue per critical section (0 = outside of any). With no section open, queue 0 is
served in order. While a section is open only its own queue is served; a section it opened itself comes before
that queue, so the parent pauses until its child has ended. Sections that wait to open go ahead of other work.
Work tagged with a section that has ended belongs to the nearest ancestor that is still open.

*Commit.* Turns run until no more work is admitted (or the batch is full); then everything they wrote is
committed at once. A section starts on a committed state, and nothing is committed while one is
open, so a commit never holds half of a transaction.

*Output gate.* Outputs of a turn wait for the commit when a confirmed write was uncommitted at the end of the
turn. What an open transaction has written does not hold the transaction's own outputs.

*Broken is sticky.* After a failed constructor, critical section or commit, an abort or a limit, the only answer is
`Break` with the first error.

Source: reference on gates and transactions (§§3.3, 4.7, 6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Final, Generic, TypeVar

from msgspec import Struct, field

W = TypeVar("W")

#: Turns in one batch before it is committed, so that a flood of requests cannot put off the first answer.
MAX_BATCH: Final = 256
#: A critical section must end within this many milliseconds.
SECTION_TIMEOUT_MS: Final = 30_000
#: Sections inside sections; the platform's limit.
MAX_SECTION_DEPTH: Final = 64

TIMED_OUT: Final = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. "
    "The call was canceled and the Durable Object was reset."
)
DEADLOCK: Final = (
    "A critical section within this Durable Object awaited a Promise that apparently will never complete. "
    "This could happen in particular if a critical section awaits a task that was initiated outside of the "
    "critical section. Since a critical section blocks all other tasks from completing, this leads to deadlock."
)
TOO_DEEP: Final = "blockConcurrencyWhile() calls are nested too deeply."


class Phase(Enum):
    """Where an object is in its life."""

    ABSENT = "absent"  # no isolate yet; the first work activates it
    ACTIVATING = "activating"  # isolate and constructor are under way
    READY = "ready"  # between turns
    RUNNING = "running"  # a turn is under way
    COMMITTING = "committing"  # a commit is under way; nothing else touches the database
    BROKEN = "broken"  # the first error decides; only a fresh object helps


class Failure(Struct, frozen=True):
    """
    Why an object broke: a JavaScript error's name and message, and the flags its callers see.

    ``own`` says whether it is the fault of the object's code, ``value`` is what that threw, if that can be copied.
    """

    name: str
    message: str
    stack: str = ""
    overloaded: bool = False
    own: bool = True
    value: bytes = b""


class Activate(Struct, frozen=True):
    """Make the isolate and run the constructor; report with `turn_ended`."""


class Run(Struct, Generic[W], frozen=True):
    """Enter the guest with this work; report with `turn_ended`."""

    work: W


class StartSection(Struct, frozen=True):
    """Enter the guest with ``section_start``; report with `turn_ended`."""

    section: int


class Commit(Struct, frozen=True):
    """Commit the implicit transaction; report with `committed`. Held outputs leave after that."""


class Break(Struct, frozen=True):
    """Fail all work, drop all held outputs and the isolate."""

    failure: Failure


class Wait(Struct, frozen=True):
    """
    Nothing to do until something is reported.

    Args:
        until: Clock reading in milliseconds at which to ask again (a section's deadline), or ``None``.
    """

    until: float | None = None


class _Section(Struct):
    number: int
    parent: int
    transaction: bool
    depth: int
    deadline: float = 0.0


class Turn(Struct, frozen=True):
    """
    What a turn did, as far as the core must know.

    Args:
        dirty: Whether the implicit transaction is open at the end of the turn.
        confirmed: Whether any write of the turn must be durable before outputs leave.
        ended: Critical sections that ended, in order, with the failure of those that must break the object.
    """

    dirty: bool = False
    confirmed: bool = False
    ended: tuple[tuple[int, Failure | None], ...] = ()


#: What most turns report: nothing written, no section touched.
QUIET: Final = Turn()


class ActorCore(Struct, Generic[W]):
    """State of one object's loop; see the module's head. ``W`` is whatever the shell calls a piece of work."""

    phase: Phase = Phase.ABSENT
    failure: Failure | None = None
    dirty: bool = False
    #: Outputs wait for the next commit.
    locked: bool = False
    _queues: dict[int, deque[W]] = field(default_factory=lambda: {0: deque()})
    _openings: dict[int, deque[int]] = field(default_factory=dict)  # parent → sections that wait to open
    _sections: dict[int, _Section] = field(default_factory=dict)  # waiting or open
    _stack: list[int] = field(default_factory=list)  # open sections, innermost last
    _ended: dict[int, int] = field(
        default_factory=dict
    )  # ended section → parent, while work may come back to it
    #: Async work under way, of all sections.
    under_way: int = 0
    _pending: dict[int, int] = field(default_factory=dict)  # section → its share of that
    _transactions: int = 0  # open transaction sections
    _transaction_wrote: bool = False  # a confirmed write waits for the outermost transaction's end
    _batch: int = 0

    # What happened

    def arrive(self, work: W, section: int = 0) -> None:
        """Queue work that belongs to a section (0: none)."""
        self._queues[self._effective(section)].append(work)

    def async_started(self, section: int) -> int:
        """Count a piece of async work; returns the section to hand to `async_ended`."""
        if section:
            section = self._effective(section)
        self._pending[section] = self._pending.get(section, 0) + 1
        self.under_way += 1
        return section

    def async_ended(self, section: int) -> None:
        """The work that `async_started` counted was delivered or cancelled."""
        section = self._effective(section)
        self.under_way -= 1
        left = self._pending.get(section, 0) - 1
        if left > 0:
            self._pending[section] = left
        else:
            self._pending.pop(section, None)

    def section_requested(self, section: int, parent: int, transaction: bool) -> None:
        """
        A turn asked for a critical section.

        Raises:
            ValueError: The number is in use or not positive: a guest that breaks the protocol.
        """
        if section <= 0 or section in self._sections or section in self._ended:
            raise ValueError(f"critical section {section} cannot be opened")
        parent = self._effective(parent)
        depth = self._sections[parent].depth + 1 if parent else 1
        if depth > MAX_SECTION_DEPTH:
            self.break_with(Failure("Error", TOO_DEEP))
            return
        self._sections[section] = _Section(section, parent, transaction, depth)
        self._openings.setdefault(parent, deque()).append(section)

    def turn_ended(self, turn: Turn) -> None:
        """The turn that `Activate`, `Run` or `StartSection` asked for is over."""
        if self.phase is Phase.BROKEN:
            return
        self.phase = Phase.READY
        if turn is QUIET:
            return
        self.dirty = turn.dirty
        if not turn.dirty:
            # deleteAll took back what was not committed: there is nothing to wait for.
            self.locked = self._transaction_wrote = False
        elif turn.confirmed:
            if self._transactions:
                self._transaction_wrote = True
            else:
                self.locked = True
        for number, failure in turn.ended:
            self._end(number, failure)

    def committed(self) -> None:
        """The commit is durable: the shell lets the held outputs go."""
        if self.phase is Phase.COMMITTING:
            self.phase = Phase.READY
        self.dirty = self.locked = False
        self._batch = 0

    def break_with(self, failure: Failure) -> None:
        """The object broke; the first failure stays."""
        if self.failure is None:
            self.failure = failure
        self.phase = Phase.BROKEN

    # What to do

    def decide(self, now: float) -> Activate | Run[W] | StartSection | Commit | Break | Wait:
        """
        The next step.

        Args:
            now: Clock reading in milliseconds, only compared with section deadlines.
        """
        match self.phase:
            case Phase.BROKEN:
                assert self.failure is not None
                return Break(self.failure)
            case Phase.ABSENT:
                if not self._queues[0]:
                    return Wait()
                self.phase = Phase.ACTIVATING
                return Activate()
            case Phase.ACTIVATING | Phase.RUNNING | Phase.COMMITTING:
                return Wait(self._deadline())
            case Phase.READY:
                pass
        top = self._stack[-1] if self._stack else 0
        if top and now >= self._sections[top].deadline:
            self.break_with(Failure("Error", TIMED_OUT, overloaded=True))
            return self.decide(now)
        must_commit = self.dirty and not self._transactions
        if must_commit and self._batch >= MAX_BATCH:
            return self._commit()
        openings = self._openings.get(top)
        if openings:
            section = self._sections[openings[0]]
            if must_commit:
                return self._commit()
            openings.popleft()
            if not openings:
                del self._openings[top]
            self._open(section, now)
            return StartSection(section.number)
        queue = self._queues[top]
        if queue:
            self.phase = Phase.RUNNING
            self._batch += 1
            return Run(queue.popleft())
        if must_commit:
            return self._commit()
        self._batch = 0
        if top and not self._pending.get(top):
            self.break_with(Failure("Error", DEADLOCK))
            return self.decide(now)
        return Wait(self._deadline())

    @property
    def idle(self) -> bool:
        """Nothing is queued, running, uncommitted or inside a critical section."""
        return (
            self.phase in (Phase.READY, Phase.ABSENT)
            and not self.dirty
            and not self._sections
            and not self._queues[0]
        )

    @property
    def waiting(self) -> bool:
        """Timers, subrequests or other async work of the guest is under way."""
        return bool(self._pending)

    def has_section(self, number: int) -> bool:
        """Whether a critical section waits or is open."""
        return number in self._sections

    @property
    def sections(self) -> int:
        """Critical sections that wait or are open."""
        return len(self._sections)

    @property
    def in_transaction(self) -> bool:
        """A transaction is open, so nothing can be committed now."""
        return self._transactions > 0

    def drain(self) -> Iterable[W]:
        """Take out all queued work, for failing it."""
        for number in sorted(self._queues):
            queue = self._queues[number]
            while queue:
                yield queue.popleft()

    # Inside

    def _effective(self, section: int) -> int:
        """The section itself while it waits or is open, else its nearest such ancestor, else 0."""
        while section and section not in self._sections:
            section = self._ended.get(section, 0)
        return section

    def _open(self, section: _Section, now: float) -> None:
        section.deadline = now + SECTION_TIMEOUT_MS
        self._stack.append(section.number)
        self._queues[section.number] = deque()
        if section.transaction:
            self._transactions += 1
        self.phase = Phase.RUNNING
        self._batch += 1

    def _end(self, number: int, failure: Failure | None) -> None:
        section = self._sections.get(number)
        if section is None or not self._stack or self._stack[-1] != number:
            self.break_with(
                Failure(
                    "Error", "A critical section ended although it was not the innermost one that was open."
                )
            )
            return
        if failure is not None and not section.transaction:
            self.break_with(failure)
            return
        self._stack.pop()
        del self._sections[number]
        parent = section.parent
        pending = self._pending.pop(number, 0)
        if pending:
            self._ended[number] = parent
            self._pending[parent] = self._pending.get(parent, 0) + pending
        if not self._stack:
            self._ended.clear()
        self._queues[parent].extend(self._queues.pop(number))
        orphans = self._openings.pop(number, None)
        if orphans:
            for orphan in orphans:
                self._sections[orphan].parent = parent
            self._openings.setdefault(parent, deque()).extend(orphans)
        if section.transaction:
            self._transactions -= 1
            if not self._transactions and self._transaction_wrote:
                self._transaction_wrote = False
                self.locked = True

    def _commit(self) -> Commit:
        self.phase = Phase.COMMITTING
        return Commit()

    def _deadline(self) -> float | None:
        return self._sections[self._stack[-1]].deadline if self._stack else None
