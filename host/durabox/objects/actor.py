"""The shell around `core.ActorCore`: one live isolate, and the asyncio that its decisions need.

`Actor` serves both kinds of isolate: an object (with a database and an instance) and a Worker (neither). Work
comes in by `submit`; `_pump` asks the core what to do and does it, without a task of its own: turns run right in
the event loop's callback, a turn that outlives its first slice is finished by a task, and commits run in a
thread. So an idle object costs no task, and a request to a busy one costs no hop more than it needs.

Whoever waits for a result gets it at once (`Reply`), but no turn runs before the next callback, even when it could: the same
step of many requests in a row costs a third less than all steps of each in turn (bench/RESULTS.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from durabox.engine.image import Image
from durabox.engine.isolate import Isolate
from durabox.engine.isolate import Turn as Slices
from durabox.engine.protocol import EVENT
from durabox.errors import (
    DuraboxError,
    JavaScriptError,
    LimitExceededError,
    ObjectBrokenError,
    StorageError,
)
from durabox.limits import Limits
from durabox.objects.alarm_ops import AlarmOps
from durabox.objects.alarms import Outcome
from durabox.objects.clock import Clock
from durabox.objects.core import (
    QUIET,
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
from durabox.objects.ids import name_inside
from durabox.objects.live_storage import LiveStorage
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.ops import ActorOps, ObjectOps
from durabox.objects.router import Router
from durabox.objects.storage_threads import Threads
from durabox.objects.work import Work
from durabox.project.compatibility import Compatibility
from durabox.storage.database import ObjectDatabase

logger = logging.getLogger("durabox.objects")

_START = EVENT["start"]
_CONSTRUCT = EVENT["construct"]
_SECTION_START = EVENT["section_start"]

#: Guests run for this long in one callback of the event loop before others get their chance. It is no number of turns:
#: many short ones in a row cost less than each by itself, and a few long ones would keep the others waiting.
_CALLBACK_NS = 2_000_000


class Surroundings(Struct, frozen=True):
    """
    What all actors of a project have in common.

    Args:
        image: The project's memory image.
        limits: Limits of each isolate.
        router: Where ops find namespaces, other objects and streams.
        threads: Where they wait for the disk.
        clock: Time and timers.
        compatibility: What the project asks for.
    """

    image: Image
    limits: Limits
    router: Router
    threads: Threads
    clock: Clock
    compatibility: Compatibility


class Actor:
    """
    One live object, or one Worker isolate.

    Args:
        around: What it shares with others.
        identity: ``(class name, id, name)`` of an object, ``None`` for a Worker.
        database: The object's storage, ``None`` for a Worker.
        alarm: The object's alarm, ``None`` for a Worker.
        on_gone: Called once, when the actor broke or was closed.
        object_ops: Makes the ops of an object.
    """

    def __init__(
        self,
        around: Surroundings,
        *,
        identity: tuple[str, str, str | None] | None,
        database: ObjectDatabase | None,
        alarm: ObjectAlarm | None,
        on_gone: Callable[[Actor], None],
        object_ops: Callable[[Actor, Limits, ObjectDatabase, ObjectAlarm], ObjectOps] = ObjectOps,
    ) -> None:
        self.identity = identity
        self.router = around.router
        self.clock = around.clock
        self.database = database
        self.loop = asyncio.get_running_loop()
        self.last_used = around.clock.now()
        self.core: ActorCore[Work] = ActorCore()
        self.compatibility = around.compatibility
        self.storage: LiveStorage | None = None
        self.alarms: AlarmOps | None = None
        if database is None or alarm is None:
            self.ops = ActorOps(self, around.limits)
        else:
            self.storage = LiveStorage(self, database, alarm, around.threads)
            self.ops = object_ops(self, around.limits, database, alarm)
            self.alarms = self.ops.alarms
        self.incoming = self.ops.incoming
        #: Closed while healthy: a stub that was connected may connect again.
        self.evicted = False
        self._image = around.image
        self._limits = around.limits
        self._on_gone = on_gone
        self._isolate: Isolate | None = None
        self._when_idle: list[Callable[[], None]] = []
        self._pumping = False
        #: Events that have come in: not what goes on with one.
        self._incoming = 0
        #: How long the guest ran in the current callback of the event loop.
        self._ran_ns = 0
        self._scheduled = False
        self._wake: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: asyncio.Future[None] | None = None
        self._error: ObjectBrokenError | None = None

    # For callers

    @property
    def error(self) -> ObjectBrokenError | None:
        """Why the actor broke, or ``None`` while it works."""
        return self._error

    @property
    def busy(self) -> bool:
        """Whether any work, request or answer is under way."""
        ops = self.ops
        return (
            bool(len(self.incoming) or ops.streams.pulls or ops.gate.holds or self._scheduled or self._tasks)
            or (self.storage is not None and bool(self.storage.readers))
            or (self.alarms is not None and self.alarms.alarm.run is not None)
            or not self.core.idle
        )

    @property
    def asleep(self) -> bool:
        """Whether nothing has happened to it yet: only then others may look into the database."""
        return self.core.phase is Phase.ABSENT and self.core.idle and not self._scheduled

    @property
    def waiting(self) -> bool:
        """Whether timers, subrequests or other async work that nobody outside waits for is under way."""
        return self.core.waiting

    @property
    def memory_exhausted(self) -> bool:
        """Whether the isolate's memory has grown to its limit, or nearly."""
        isolate = self._isolate
        return isolate is not None and isolate.memory_bytes > 0.9 * (self._limits.memory_mb << 20)

    @property
    def label(self) -> str:
        """Class and id for logs, ``worker`` for a Worker."""
        return f"{self.identity[0]}/{self.identity[1]}" if self.identity else "worker"

    def learn_name(self, name: str) -> None:
        """The object was reached by its name; if it only knew its id so far, the name is kept with its next write."""
        if self.identity is not None and self.identity[2] is None and self.database is not None:
            known = name_inside(name)
            self.identity = (*self.identity[:2], known)
            self.database.name = known

    def submit(self, work: Work, section: int = 0) -> None:
        """Queue work; it runs when the input gate admits it."""
        if self._error is not None:
            if work.abandon is not None:
                work.abandon(self._error)
            else:
                self._fail_waiting(self._error)
            return
        self.core.arrive(work, section)
        self.schedule()

    def submit_later(self, work: Work, section: int = 0) -> None:
        """Submit what the end of a Python object leads to, in whichever thread and wherever that came."""
        if self._error is None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.submit, work, section)

    def deliver(self, work: Work) -> None:
        """Queue the end of async work that `ActorCore.async_started` counted in ``work.pending``."""
        self.submit(work, work.pending or 0)

    def spawn(self, step: asyncio.Task[None]) -> None:
        """Keep a task alive while it works for this actor; it ends with the actor."""
        self._tasks.add(step)
        step.add_done_callback(self._step_over)

    def _step_over(self, step: asyncio.Task[None]) -> None:
        self._tasks.discard(step)
        self.schedule()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something at the next moment at which it is not `busy`, or has gone."""
        self._when_idle.append(action)

    def hold(self) -> None:
        """Let an actor that was not used yet take in work and do none of it, until `resume`."""
        self._scheduled = True

    def resume(self) -> None:
        """End `hold`."""
        self._scheduled = False
        self.schedule()

    def overdue(self) -> LimitExceededError | None:
        """See `Isolate.overdue`."""
        return None if self._isolate is None else self._isolate.overdue()

    async def quiesce(self) -> None:
        """Wait until nothing is queued, running or uncommitted."""
        while self.busy and self._error is None:
            self._quiet = self.loop.create_future()
            await self._quiet

    def close(self) -> None:
        """Drop the isolate and the connection. Only for an actor that is not busy, or at the end of a drain."""
        self.evicted = True
        self._dispose(ObjectBrokenError("Error", "The object was shut down."), Outcome.INTERRUPTED)

    def reset(self, message: str) -> None:
        """Break the object, whatever it is doing: what is under way fails with the message."""
        self._broke(Failure("Error", message, own=False))

    # The loop

    def schedule(self) -> None:
        """Have `_pump` called soon, unless it will be or is under way."""
        if not (self._scheduled or self._pumping):
            self._scheduled = True
            self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        if self._pumping or self._error is not None:
            return
        self._pumping = True
        core = self.core
        self._ran_ns = 0
        try:
            while True:
                step = core.decide(self.clock.now())
                match step:
                    case Run(work):
                        if work.pending is not None:
                            core.async_ended(work.pending)
                        if work.taken is not None:
                            work.taken()
                        self.ops.operations.cause = work.cause
                        if work.cause is None:
                            self._incoming += 1
                        if work.step is not None:
                            work.step()
                            self._ran_ns = _CALLBACK_NS
                            self._turn_over()
                        elif not self._enter(work.event, work.args, work.body):
                            return
                        if self._ran_ns >= _CALLBACK_NS:
                            self._scheduled = True
                            self.loop.call_soon(self._pump)
                            return
                    case Wait(until):
                        self._sleep_until(until)
                        break
                    case StartSection(section):
                        if not self._enter(_SECTION_START, [section]):
                            return
                    case Commit():
                        assert self.storage is not None
                        self.storage.commit(self._committed)
                        return
                    case Activate():
                        if not self._activate():
                            return
                    case Break(failure):
                        self._broke(failure)
                        break
        finally:
            self._pumping = False
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)
        if self._when_idle and not self.busy:
            self._be_idle()

    def _be_idle(self) -> None:
        waiting, self._when_idle = self._when_idle, []
        for action in waiting:
            action()

    def _activate(self) -> bool:
        """Make the isolate and the instance; False when that goes on elsewhere."""
        self.last_used = self.clock.now()
        try:
            if self.storage is not None and self.database is not None and self.database.restore_wanted:
                self.storage.restore(self._restored)
                return False
            self._isolate = self._image.instantiate(self.ops, self._limits)
        except DuraboxError as error:
            self.core.break_with(Failure("Error", str(error), own=False))
            return True
        if self.identity is None:
            return self._enter(_START, [])
        self.core.phase = Phase.ACTIVATING
        return self._construct(self.identity)

    def _restored(self, error: BaseException | None) -> None:
        if error is not None:
            logger.error("%s: not restored: %s", self.label, error, extra={"object": self.label})
            self.core.break_with(Failure("Error", str(error), own=False))
        elif not self._activate():
            return
        self._pump()

    def _construct(self, identity: tuple[str, str, str | None]) -> bool:
        """Make the instance; False when that goes on in a task."""
        return self._enter(_CONSTRUCT, list(identity))

    def _enter(self, event: int, args: list[object], body: bytes = b"") -> bool:
        """One turn; False when it goes on in a task."""
        isolate = self._isolate
        assert isolate is not None
        account = self.ops.operations.cause
        isolate.carried_ns = 0 if account is None else account.used_ns(self._incoming)
        try:
            slices = isolate.enter(event, args, body)
        except DuraboxError as error:
            self._turn_failed(error)
            return True
        if slices is None:
            self._ran_ns += isolate.last_slice_ns
            self._turn_over()
            return True
        task = self.loop.create_task(self._finish(slices))
        self.spawn(task)
        return False

    async def _finish(self, slices: Slices) -> None:
        """The rest of a turn that did not end in its first slice."""
        try:
            await slices.wait()
        except DuraboxError as error:
            self._turn_failed(error)
        else:
            self._turn_over()
        self.schedule()

    def _turn_over(self) -> None:
        ops = self.ops
        account = ops.operations.cause
        if account is not None and self._isolate is not None:
            account.has_used(self._isolate.event_cpu_ns)
        gate = ops.gate
        ended = ops.sections.ended
        core = self.core
        database = self.database
        dirty = database is not None and database.dirty
        # deleteAll may have taken back, within the turn, what something waits for.
        if dirty or ended or core.dirty or gate.waiting:
            core.turn_ended(Turn(dirty, gate.confirmed, tuple(ended)))
            ended.clear()
            if not dirty:
                self._release()
            elif database is not None and database.broken is not None:
                # Whatever the guest made of the error: what it wrote before is gone as well.
                self._storage_failed("storage", database.broken)
        else:
            core.turn_ended(QUIET)
        gate.confirmed = False
        if ops.console is not None:
            ops.console.written = 0
        if gate.outputs:
            if core.phase is Phase.BROKEN:
                gate.outputs = []
            else:
                gate.turn_over(locked=core.locked)

    def _turn_failed(self, error: DuraboxError) -> None:
        self.ops.gate.outputs = []
        if isinstance(error, LimitExceededError):
            what = "Durable Object" if self.identity else "Worker"
            text = {
                "cpu": f"{what} exceeded its CPU time limit and was reset.",
                "memory": f"{what}'s isolate exceeded its memory limit and was reset.",
            }.get(error.limit, f"{what} was reset: {error}")
            failure = Failure("Error", text, overloaded=True)
        elif isinstance(error, JavaScriptError):
            failure = Failure(error.name, error.message, error.stack)
        else:
            failure = Failure("Error", str(error))
        logger.error("%s: %s", self.label, error, extra={"object": self.label})
        self.core.break_with(failure)

    def _committed(self, error: BaseException | None) -> None:
        assert self.storage is not None
        if error is None:
            self.storage.committed()
            self.core.committed()
            self._release()
            self.storage.tidy()
        else:
            self._storage_failed("commit", error)
        self._pump()

    def _storage_failed(self, what: str, error: BaseException) -> None:
        message = error.message if isinstance(error, StorageError) else str(error)
        logger.error("%s: %s failed: %s", self.label, what, error, extra={"object": self.label})
        self.core.break_with(Failure("Error", message, own=False))

    def _release(self) -> None:
        """Nothing is uncommitted any more."""
        self.ops.gate.release()
        if self.storage is not None:
            self.storage.settle()

    def _sleep_until(self, until: float | None) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if until is not None:
            self._wake = self.clock.call_later(until - self.clock.now(), self.schedule)

    # Ends

    def _broke(self, failure: Failure) -> None:
        properties: dict[str, object] = {}
        if self.identity:
            properties["durableObjectReset"] = True
        if failure.overloaded:
            properties["overloaded"] = True
        outcome = Outcome.FAILED if failure.own else Outcome.INTERRUPTED
        error = ObjectBrokenError(failure.name, failure.message, failure.stack, properties, failure.value)
        self._dispose(error, outcome)

    def _dispose(self, error: ObjectBrokenError, outcome: Outcome) -> None:
        if self._error is not None:
            return
        self._error = error
        self.ops.gate.drop()
        if self._wake is not None:
            self._wake.cancel()
        self._fail_waiting(error)
        if self.alarms is not None:
            self.alarms.broke(error, outcome)
        self.ops.close(str(error))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._isolate is not None:
            self._isolate.close()
            self._isolate = None
        if self.storage is not None:
            self.storage.close()
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)
        self._on_gone(self)
        self._be_idle()

    def _fail_waiting(self, error: ObjectBrokenError) -> None:
        for work in self.core.drain():
            if work.abandon is not None:
                work.abandon(error)
        self.incoming.fail_all(error)
        self.ops.streams.fail_all(error)
