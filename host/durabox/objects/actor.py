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
from typing import Any, Protocol

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
from durabox.objects.alarms import MAX_RUN_MS, TOOK_TOO_LONG, Outcome, Retry
from durabox.objects.cache import Caches
from durabox.objects.capabilities import Capability, Chain, Entry, Item, Result, Target
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
from durabox.objects.messages import Request, Response
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.object_alarm import Run as AlarmRun
from durabox.objects.ops import ActorOps
from durabox.objects.outbound import Network
from durabox.objects.sockets import SocketTable
from durabox.objects.storage_ops import ObjectOps
from durabox.objects.storage_threads import Over, Threads
from durabox.objects.work import Reply, Work
from durabox.project.compatibility import Compatibility
from durabox.storage.database import ObjectDatabase
from durabox.wire import decode

logger = logging.getLogger("durabox.objects")

_START = EVENT["start"]
_CONSTRUCT = EVENT["construct"]
_FETCH = EVENT["fetch"]
_CALL = EVENT["call"]
_SECTION_START = EVENT["section_start"]
_FETCH_ABORT = EVENT["fetch_abort"]
_RELEASED = EVENT["released"]
_ASK = EVENT["ask"]
_ALARM = EVENT["alarm"]

#: Guests run for this long in one callback of the event loop before others get their chance. It is no number of turns:
#: many short ones in a row cost less than each by itself, and a few long ones would keep the others waiting.
_CALLBACK_NS = 2_000_000


def _ignore(error: DuraboxError) -> None:
    """Nobody waits for that work."""


class Clock(Protocol):
    """Time and timers, injected so that a virtual clock can stand in."""

    def now(self) -> float:
        """Milliseconds since the epoch."""
        ...

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Run the callback on the event loop after the delay; the handle cancels."""
        ...


class Actor:
    """
    One live object, or one Worker isolate.

    Args:
        image: The project's memory image.
        limits: Limits of the isolate.
        router: Where ops find namespaces, other objects and streams.
        threads: Where it waits for the disk.
        clock: Time and timers.
        identity: ``(class name, id, name)`` of an object, ``None`` for a Worker.
        database: The object's storage, ``None`` for a Worker.
        alarm: The object's alarm, ``None`` for a Worker.
        compatibility: What the project asks for.
        on_gone: Called once, when the actor broke or was closed.
    """

    def __init__(
        self,
        *,
        image: Image,
        limits: Limits,
        router: Router,
        threads: Threads,
        clock: Clock,
        identity: tuple[str, str, str | None] | None,
        database: ObjectDatabase | None,
        alarm: ObjectAlarm | None,
        compatibility: Compatibility,
        on_gone: Callable[[Actor], None],
    ) -> None:
        self.identity = identity
        self.router = router
        self.clock = clock
        self.database = database
        self.last_used = clock.now()
        self.core: ActorCore[Work] = ActorCore()
        self.alarm = alarm
        self.compatibility = compatibility
        self.ops = (
            ActorOps(self, limits)
            if database is None or alarm is None
            else ObjectOps(self, limits, database, alarm)
        )
        #: Closed while healthy: a stub that was connected may connect again.
        self.evicted = False
        self.requests: dict[int, Reply[Response]] = {}
        self.calls: dict[int, Reply[Result]] = {}
        #: Guest streams that the host is reading, by id.
        self.pulls: dict[int, asyncio.Future[bytes]] = {}
        self.loop = asyncio.get_running_loop()
        self._image = image
        self._limits = limits
        self._threads = threads
        self._on_gone = on_gone
        self._isolate: Isolate | None = None
        self._held: list[Callable[[], None]] = []
        self._after_commit: list[Callable[[], None]] = []
        self._when_settled: list[Callable[[], None]] = []
        self._when_idle: list[Callable[[], None]] = []
        self._pumping = False
        #: How long the guest ran in the current callback of the event loop.
        self._ran_ns = 0
        self._scheduled = False
        self._next_request = 1
        self._wake: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: asyncio.Future[None] | None = None
        #: A thread works with the database.
        self._database_in_use = False
        self._database_free: asyncio.Future[None] | None = None
        #: Bodies that others read out of the database.
        self.readers: set[object] = set()
        self._tidying = False
        self._error: ObjectBrokenError | None = None

    # For callers

    @property
    def error(self) -> ObjectBrokenError | None:
        """Why the actor broke, or ``None`` while it works."""
        return self._error

    @property
    def busy(self) -> bool:
        """Whether any work, request or answer is under way."""
        return (
            bool(
                self.requests
                or self.calls
                or self.pulls
                or self.readers
                or self._held
                or self._scheduled
                or self._tasks
            )
            or (self.alarm is not None and self.alarm.run is not None)
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

    async def fetch(self, request: Request, entry: Entry | None = None) -> Response:
        """
        Run the fetch handler.

        Args:
            request: What the guest gets; a stream body is handed over as a handle.
            entry: Which entrypoint of a Worker; ``None`` for the default export.
        Returns:
            The response; a stream body is read from the guest as the caller reads it.
        Raises:
            JavaScriptError: The handler threw.
            ObjectBrokenError: The object is broken or broke meanwhile.

        Cancelling it aborts ``request.signal`` in the guest.
        """
        future: asyncio.Future[Response] = self.loop.create_future()
        number = self.start_fetch(request, future, entry)
        try:
            return await future
        except asyncio.CancelledError:
            if self.requests.pop(number, None) is not None:
                if self._error is None:
                    self.submit(Work(_FETCH_ABORT, [number]))
            elif not future.cancelled() and future.exception() is None:
                # It was answered in the same moment.
                body = future.result().body
                if body is not None and not isinstance(body, bytes):
                    self.loop.create_task(body.cancel("The client disconnected."))
            raise

    def abort_request(self, number: int) -> None:
        """Whoever made that request does not want its answer any more: its signal aborts in the guest."""
        if number in self.requests and self._error is None:
            self.submit(Work(_FETCH_ABORT, [number]))

    def start_fetch(
        self, request: Request, reply: Reply[Response], entry: Entry | None = None, chain: Chain = ()
    ) -> int:
        """
        Like `fetch`, queued before it returns, so that calls keep their order.

        Args:
            request: See `fetch`.
            reply: Gets the response.
            entry: See `fetch`.
            chain: How the request came about.
        Returns:
            The request's number.
        """
        number = self._next_request
        self._next_request = number + 1
        body = request.body
        if body is None:
            kind, handle, raw = 0, 0, b""
        elif isinstance(body, bytes):
            kind, handle, raw = 1, 0, body
        else:
            kind, handle, raw = 2, self.ops.add_stream(body), b""
        self.requests[number] = reply
        self.submit(
            Work(
                _FETCH,
                [
                    number,
                    request.method,
                    request.url,
                    request.headers,
                    kind,
                    handle,
                    entry,
                    self._origin(number, chain),
                ],
                raw,
            )
        )
        return number

    def start_call(
        self,
        target: Target,
        path: list[str],
        is_call: bool,
        arguments: bytes,
        items: list[Item],
        reply: Reply[Result],
        chain: Chain = (),
    ) -> None:
        """
        Queue an RPC call.

        Args:
            target: Its stub or capability, which leads to this actor.
            path: Names to follow from there.
            is_call: Whether what is there is called; otherwise it is read.
            arguments: V8-serialized array.
            items: What goes with them.
            reply: Gets the V8-serialized result with what goes with it.
            chain: How the call came about.
        """
        number = self._next_request
        self._next_request = number + 1
        self.calls[number] = reply
        export, section, entry = (
            (target.export, target.section, None) if isinstance(target, Capability) else (0, 0, target.entry)
        )
        lent = self.ops.lending.give(items) if items else []
        origin = self._origin(number, chain)
        self.submit(Work(_CALL, [number, entry, export, path, is_call, lent, origin], arguments), section)

    def _origin(self, number: int, chain: Chain) -> int:
        """What the guest hands back with each call that a request leads to; 0 when nothing waits for it in a critical section."""
        if not chain:
            return 0
        self.ops.origins[number] = chain
        return -number

    async def ask(self, method: str, arguments: tuple[object, ...]) -> Any:
        """
        Call a method of the object's class.

        Args:
            method: Its name.
            arguments: Plain data.
        Returns:
            Its result, as plain data.
        Raises:
            JavaScriptError: It threw, or its result is not plain.
            ObjectBrokenError: The object is broken or broke meanwhile.
        """
        number = self._next_request
        self._next_request = number + 1
        future: asyncio.Future[Result] = self.loop.create_future()
        self.calls[number] = future
        self.submit(Work(_ASK, [number, [method], arguments]))
        return decode((await future)[0])

    def forget(self, export: int, times: int) -> None:
        """Nobody holds an export any more; whichever thread let go of it last calls this."""
        if self._error is None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.submit, Work(_RELEASED, [export, times], abandon=_ignore))

    def start_alarm(self, retry: Retry, *, early: bool = False, drop: bool = False) -> AlarmRun:
        """
        Queue a run of the alarm handler, unless one is under way: then that one is meant.

        Args:
            retry: The tries before it.
            early: Run it although it is not due.
            drop: Clear the alarm instead of running it.
        Returns:
            The run; await its ``ended``.
        """
        alarm = self.alarm
        assert alarm is not None
        run = alarm.run
        if run is not None:
            return run
        number = self._next_request
        self._next_request = number + 1
        run = AlarmRun(number, retry, early, drop, self.loop.create_future())
        if self._error is not None:
            run.failure = self._error
            run.ended.set_result(Outcome.INTERRUPTED)
            return run
        alarm.run = run
        run.time_limit = self.clock.call_later(MAX_RUN_MS, self._alarm_too_long)
        self.submit(Work(_ALARM, [number]))
        return run

    def alarm_ended(self, run: AlarmRun, outcome: Outcome) -> None:
        """The run of the alarm handler is over, and what it wrote durable."""
        alarm = self.alarm
        if alarm is None or alarm.run is not run:
            return
        alarm.run = None
        if run.time_limit is not None:
            run.time_limit.cancel()
        self.last_used = self.clock.now()
        if not run.ended.done():
            run.ended.set_result(outcome)

    def _alarm_too_long(self) -> None:
        self.core.break_with(Failure("Error", TOOK_TOO_LONG))
        self._schedule()

    def submit(self, work: Work, section: int = 0) -> None:
        """Queue work; it runs when the input gate admits it."""
        if self._error is not None:
            if work.abandon is not None:
                work.abandon(self._error)
            else:
                self._fail_waiting(self._error)
            return
        self.core.arrive(work, section)
        self._schedule()

    def deliver(self, work: Work) -> None:
        """Queue the end of async work that `ActorCore.async_started` counted in ``work.pending``."""
        self.submit(work, work.pending or 0)

    def spawn(self, step: asyncio.Task[None]) -> None:
        """Keep a task alive while it works for this actor; it ends with the actor."""
        self._tasks.add(step)
        step.add_done_callback(self._step_over)

    def _step_over(self, step: asyncio.Task[None]) -> None:
        self._tasks.discard(step)
        self._schedule()

    def after_commit(self, output: Callable[[], None]) -> None:
        """Do something when what is written so far is durable."""
        self._after_commit.append(output)

    @property
    def settled(self) -> bool:
        """Whether everything in its database is committed."""
        return not self._database_in_use and (self.database is None or not self.database.dirty)

    def when_settled(self, action: Callable[[], None]) -> None:
        """Do something the next time that `settled` holds, before anything else can be written."""
        self._when_settled.append(action)

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something at the next moment at which it is not `busy`, or has gone."""
        self._when_idle.append(action)

    def hold(self) -> None:
        """Let an actor that was not used yet take in work and do none of it, until `resume`."""
        self._scheduled = True

    def resume(self) -> None:
        """End `hold`."""
        self._scheduled = False
        self._schedule()

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

    def _schedule(self) -> None:
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
                        self.ops.cause = work.cause
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
                        self._commit()
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
            if self.database is not None and self.database.restore_wanted:
                self._in_thread(self.database.restore, self._restored)
                return False
            self._isolate = self._image.instantiate(self.ops, self._limits)
        except DuraboxError as error:
            self.core.break_with(Failure("Error", str(error), own=False))
            return True
        if not self._enter(_START, []):
            return False
        return self._construct()

    def _restored(self, error: BaseException | None) -> None:
        if error is not None:
            logger.error("%s: not restored: %s", self.label, error, extra={"object": self.label})
            self.core.break_with(Failure("Error", str(error), own=False))
        else:
            if self.alarm is not None:
                self.alarm.forget()
            if not self._activate():
                return
        self._pump()

    def _construct(self) -> bool:
        """After the start event; False when it goes on in a task."""
        if self.identity is None or self.core.phase is Phase.BROKEN:
            return True
        self.core.phase = Phase.ACTIVATING
        return self._enter(_CONSTRUCT, list(self.identity))

    def _enter(self, event: int, args: list[object], body: bytes = b"") -> bool:
        """One turn; False when it goes on in a task."""
        isolate = self._isolate
        assert isolate is not None
        try:
            slices = isolate.enter(event, args, body)
        except DuraboxError as error:
            self._turn_failed(error)
            return True
        if slices is None:
            self._ran_ns += isolate.last_slice_ns
            self._turn_over()
            return True
        task = self.loop.create_task(self._finish(slices, event))
        self.spawn(task)
        return False

    async def _finish(self, slices: Slices, event: int) -> None:
        """The rest of a turn that did not end in its first slice."""
        try:
            await slices.wait()
        except DuraboxError as error:
            self._turn_failed(error)
        else:
            self._turn_over()
            if event == _START:
                self._construct()
        self._schedule()

    def _turn_over(self) -> None:
        ops = self.ops
        core = self.core
        database = self.database
        dirty = database is not None and database.dirty
        if dirty or ops.ended or core.dirty:
            core.turn_ended(Turn(dirty, ops.confirmed, tuple(ops.ended)))
            ops.ended.clear()
            if not dirty:
                self._release()
            elif database is not None and database.broken is not None:
                # Whatever the guest made of the error: what it wrote before is gone as well.
                self._storage_failed("storage", database.broken)
        else:
            core.turn_ended(QUIET)
        ops.confirmed = False
        if ops.console is not None:
            ops.console.written = 0
        if ops.outputs:
            outputs = ops.outputs
            ops.outputs = []
            if core.locked:
                self._held.extend(outputs)
            elif core.phase is not Phase.BROKEN:
                ops.held_bytes = 0
                for output in outputs:
                    output()

    def _turn_failed(self, error: DuraboxError) -> None:
        self.ops.outputs = []
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

    @property
    def database_in_use(self) -> bool:
        """Whether a thread works with the database, so that nobody else may."""
        return self._database_in_use

    def database_free(self) -> asyncio.Future[None]:
        """Done when the thread has finished, or the actor ended."""
        free = self._database_free
        if free is None or free.done():
            free = self._database_free = self.loop.create_future()
        return free

    def tidy(self) -> None:
        """Have what stored streams have left behind removed, a little at a time."""
        database = self.database
        if database is None or self._tidying or self._database_in_use or self._error is not None:
            return
        try:
            self._tidying = database.streams.waste
        except StorageError as error:
            logger.warning("%s: %s", self.label, error, extra={"object": self.label})
        if self._tidying:
            self.submit(Work(0, [], step=self._purge))

    def _purge(self) -> None:
        assert self.database is not None
        self._tidying = False
        try:
            self.database.streams.purge()
        except StorageError as error:
            logger.warning("%s: %s", self.label, error, extra={"object": self.label})

    def _commit(self) -> None:
        assert self.database is not None
        alarm = self.alarm
        if alarm is not None and alarm.touched:
            try:
                indexed = alarm.before_commit()
            except StorageError as error:
                self.loop.call_soon(self._committed, error)
                return
            if indexed is not None:
                over = self._lend_database(self._indexed)
                indexed.add_done_callback(lambda done: self.loop.call_soon_threadsafe(over, done.exception()))
                return
        self._in_thread(self.database.commit, self._committed)

    def _indexed(self, error: BaseException | None) -> None:
        """The alarm that is about to be committed is in the index, or cannot be."""
        assert self.database is not None
        if error is None:
            self._in_thread(self.database.commit, self._committed)
        else:
            self._committed(error)

    def _in_thread(self, work: Callable[[], None], over: Over) -> None:
        """Have a thread work with the database; see `_lend_database`."""
        self._threads.submit(work, self._lend_database(over))

    def _lend_database(self, over: Over) -> Over:
        """Leave the database alone until what is returned is called; that goes on with `over` unless the actor ended."""
        self._database_in_use = True

        def done(error: BaseException | None) -> None:
            self._database_in_use = False
            if self._database_free is not None and not self._database_free.done():
                self._database_free.set_result(None)
            if self._error is None:
                over(error)
            elif self.database is not None:
                self.database.close()
                self._settle()

        return done

    def _committed(self, error: BaseException | None) -> None:
        if error is None:
            if self.alarm is not None and self.alarm.touched:
                self.alarm.committed()
            self.core.committed()
            self._release()
            assert self.database is not None
            if self.database.streams.known:
                self.tidy()
        else:
            self._storage_failed("commit", error)
        self._pump()

    def _storage_failed(self, what: str, error: BaseException) -> None:
        message = error.message if isinstance(error, StorageError) else str(error)
        logger.error("%s: %s failed: %s", self.label, what, error, extra={"object": self.label})
        self.core.break_with(Failure("Error", message, own=False))

    def _release(self) -> None:
        """Nothing is uncommitted any more: what waited for that may leave."""
        if self._held or self._after_commit:
            outputs = self._held + self._after_commit
            self._held = []
            self._after_commit = []
            self.ops.held_bytes = 0
            for output in outputs:
                output()
        if self._when_settled:
            self._settle()

    def _settle(self) -> None:
        waiting, self._when_settled = self._when_settled, []
        for action in waiting:
            action()

    def _sleep_until(self, until: float | None) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if until is not None:
            self._wake = self.clock.call_later(until - self.clock.now(), self._schedule)

    # Ends

    def _broke(self, failure: Failure) -> None:
        properties: dict[str, object] = {}
        if self.identity:
            properties["durableObjectReset"] = True
        if failure.overloaded:
            properties["overloaded"] = True
        outcome = Outcome.FAILED if failure.own else Outcome.INTERRUPTED
        self._dispose(ObjectBrokenError(failure.name, failure.message, failure.stack, properties), outcome)

    def _dispose(self, error: ObjectBrokenError, outcome: Outcome) -> None:
        if self._error is not None:
            return
        self._error = error
        self._held.clear()
        self._after_commit.clear()
        if self._wake is not None:
            self._wake.cancel()
        self._fail_waiting(error)
        run = self.alarm.run if self.alarm is not None else None
        if run is not None:
            run.failure = error
            self.alarm_ended(run, outcome if run.wanted else Outcome.DROPPED)
        self.ops.close(str(error))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._isolate is not None:
            self._isolate.close()
            self._isolate = None
        if self.database is not None and not self._database_in_use:
            self.database.close()
            self._settle()
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)
        self._on_gone(self)
        self._be_idle()

    def _fail_waiting(self, error: ObjectBrokenError) -> None:
        for work in self.core.drain():
            if work.abandon is not None:
                work.abandon(error)
        waiting: list[Reply[Any]] = [
            *self.requests.values(),
            *self.calls.values(),
            *self.pulls.values(),
        ]
        for table in (self.requests, self.calls, self.pulls):
            table.clear()
        for reply in waiting:
            if not reply.done():
                reply.set_exception(error)


class Router(Protocol):
    """What an actor's ops need from the host around it."""

    #: Who carries out requests to other servers.
    network: Network
    #: What `caches` keep.
    caches: Caches

    def id_from_name(self, namespace: int, name: str) -> str:
        """See ``op id_from_name``."""
        ...

    def id_from_string(self, namespace: int, text: str) -> str:
        """See ``op id_from_string``."""
        ...

    def new_id(self, namespace: int) -> str:
        """See ``op id_new``."""
        ...

    def locate(self, namespace: int, object_id: str, name: str | None) -> Actor:
        """The live object with that id, made if need be."""
        ...

    def worker(self) -> Actor:
        """The Worker's isolate, made if need be."""
        ...

    def sockets(self, actor: Actor) -> SocketTable:
        """The WebSockets of an isolate; those of an object may outlive it."""
        ...
