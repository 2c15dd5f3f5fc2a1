"""The alarm of one live object: what is stored, what the index knows, and the run under way.

The decisions are in `alarms`; this knows the database and the order of things in it. An object that has nothing
to do with alarms pays for it with one flag that its commits look at.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from durabox.errors import JavaScriptError
from durabox.objects.alarms import Begin, Order, Outcome, Retry, begin, order_of
from durabox.storage.alarms import Alarms
from durabox.storage.database import ObjectDatabase
from durabox.storage.metadata import Key


class Run:
    """One run of the handler, from before it is admitted until its writes are durable."""

    __slots__ = (
        "armed",
        "drop",
        "early",
        "ended",
        "failure",
        "number",
        "replaced_at",
        "retry",
        "scheduled",
        "time_limit",
        "wanted",
    )

    def __init__(
        self, number: int, retry: Retry, early: bool, drop: bool, ended: asyncio.Future[Outcome]
    ) -> None:
        self.number = number
        self.retry = retry
        #: It runs although the alarm is not due.
        self.early = early
        #: It is only cleared.
        self.drop = drop
        self.ended = ended
        #: The time that the handler is told; ``None`` until it has begun.
        self.scheduled: int | None = None
        #: Whether its success clears the stored time, unless it was replaced.
        self.armed = False
        #: The savepoint depth at which the handler set or deleted the alarm; ``None`` while it has not.
        self.replaced_at: int | None = None
        #: Whether another try is wanted should it break the object: see `DurableObjectState.abort`.
        self.wanted = True
        #: What the handler threw, or what broke the object.
        self.failure: JavaScriptError | None = None
        self.time_limit: asyncio.TimerHandle | None = None


class ObjectAlarm:
    """
    See the module's head. Those of its methods that read or write the database raise `StorageError`.

    Args:
        database: The object's.
        alarms: The index.
        unique_key: Of the object's class.
        object_id: The object's.
    """

    __slots__ = ("_alarms", "_database", "_known", "_loaded", "_next", "_object", "run", "stored", "touched")

    def __init__(self, database: ObjectDatabase, alarms: Alarms, unique_key: str, object_id: str) -> None:
        self._database = database
        self._alarms = alarms
        self._object = (unique_key, object_id)
        self._loaded = False
        #: The time in the index, or a later one.
        self._known: int | None = None
        #: The time that the commit under way makes the truth.
        self._next: int | None = None
        #: The time that is stored and committed, once anything was asked.
        self.stored: int | None = None
        #: Whether the uncommitted transaction has to do with the alarm, rolled back or not.
        self.touched = False
        self.run: Run | None = None

    def forget(self) -> None:
        """The database has become another one."""
        self._loaded = False

    # For JavaScript

    def get(self) -> int | None:
        """The time that the object may see."""
        run = self.run
        if run is not None and run.armed and run.replaced_at is None:
            return None
        return self._database.metadata.alarm()

    def put(self, time_ns: int | None) -> None:
        """Set or clear it."""
        self._load()
        self.touched = True
        if time_ns is not None or self._database.metadata.alarm() is not None:
            self._database.metadata.put(Key.ALARM, time_ns)
        run = self.run
        if run is not None:
            depth = self._database.depth
            run.replaced_at = depth if run.replaced_at is None else min(run.replaced_at, depth)

    def delete_all(self, *, with_alarm: bool) -> None:
        """Clear the whole database."""
        if with_alarm:
            self._load()
        self._database.delete_all(keep_alarm=not with_alarm)
        if with_alarm:
            self.touched = True
            if self.run is not None:
                self.run.replaced_at = 0

    def released(self, depth: int) -> None:
        """A savepoint was released: what was done in it belongs to the one around."""
        run = self.run
        if run is not None and run.replaced_at is not None:
            run.replaced_at = min(run.replaced_at, depth - 1)

    def rolled_back(self, depth: int) -> None:
        """What was done since the savepoint of that depth is undone."""
        run = self.run
        if run is not None and run.replaced_at is not None and run.replaced_at >= depth:
            run.replaced_at = None

    # The run

    def check(self, now: int) -> bool:
        """Whether there is something to run, for an object that is asleep; else the index is told."""
        self._load()
        if begin(self.stored, now) is not None:
            return True
        self.correct(self.stored)
        return False

    def begin(self, run: Run, now: int) -> Begin | None:
        """The handler's turn has come; ``None`` when there is nothing to run."""
        self._load()
        replaced = self.touched and self._database.metadata.alarm() != self.stored
        decision = begin(self.stored, now, replaced=replaced, early=run.early)
        if decision is None:
            # With what is committed: the index must not be told a later time that may still be lost.
            self.correct(self.stored)
        else:
            run.scheduled = decision.time_ns
            run.armed = decision.armed
        return decision

    def correct(self, stored: int | None) -> None:
        """The index was wrong about this object."""
        self._known = stored
        self._alarms.set_later(*self._object, self._database.name, stored)

    def clear(self) -> bool:
        """The run is over for good: the stored time goes, unless the handler set another; whether it went."""
        run = self.run
        if run is None or not run.armed or run.replaced_at is not None:
            return False
        run.armed = False
        self.touched = True
        self._database.metadata.put(Key.ALARM, None)
        return True

    # The commit

    def before_commit(self) -> Future[None] | None:
        """What the commit must wait for. Called between turns."""
        self._next = stored = self._database.metadata.alarm()
        if order_of(self._known, stored) is not Order.BEFORE:
            return None
        return self._alarms.set(*self._object, self._database.name, stored)

    def committed(self) -> None:
        """The commit is durable. Nothing is read here: what is committed must not fail any more."""
        stored = self._next
        if order_of(self._known, stored) is Order.AFTER:
            self._alarms.set_later(*self._object, self._database.name, stored)
        self._known = self.stored = stored
        self.touched = False

    # Inside

    def _load(self) -> None:
        """What is committed, before the first change. The index is at this time or earlier."""
        if not self._loaded:
            self._known = self.stored = self._database.metadata.alarm()
            self._loaded = True
