"""Runs alarms when they are due: the asyncio around `alarms.Timetable`.

One timer for all classes, and one question to the index for all that is due; nothing is kept of the others, and
starting reads no more than that.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future

from durabox.errors import StorageError
from durabox.objects.alarms import MS, Again, Ask, Fire, Over, Retry, Sleep, Timetable
from durabox.objects.clock import Clock
from durabox.storage.alarm_index import Pending
from durabox.storage.alarms import Alarms

logger = logging.getLogger("durabox.objects")

#: The clock is looked at this often, in case that it was set.
_LONGEST_SLEEP_MS = 30_000.0

#: Runs an object's alarm: the class's unique key, the alarm, the tries before; says what follows.
RunAlarm = Callable[[str, Pending, Retry], Awaitable[Again | Over]]


class AlarmScheduler:
    """
    Fires the alarms of a host's classes until `close`.

    Args:
        alarms: Where they are.
        unique_keys: The classes'.
        run: Runs one.
        clock: Time and timers.
        most: How many run at once.
    """

    def __init__(
        self, alarms: Alarms, unique_keys: Iterable[str], run: RunAlarm, *, clock: Clock, most: int
    ) -> None:
        self._alarms = alarms
        self._run = run
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timetable = Timetable(max_running=most)
        self._timer: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._closed = False
        for unique_key in unique_keys:
            self._timetable.add(unique_key)
        alarms.listener = self._listen
        self._schedule()

    async def quiet(self) -> None:
        """Wait until no alarm is running, about to run, or being looked for."""
        while self._scheduled or not self._timetable.quiet:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def close(self) -> None:
        """Fire no more. What runs goes on."""
        self._closed = True
        self._alarms.listener = None
        if self._timer is not None:
            self._timer.cancel()

    # Inside

    def _listen(self, unique_key: str, object_id: str, time_ns: int | None) -> None:
        """See `Alarms.listener`."""
        if threading.get_ident() == self._thread:
            self._heard(unique_key, object_id, time_ns)
        else:
            self._loop.call_soon_threadsafe(self._heard, unique_key, object_id, time_ns)

    def _heard(self, unique_key: str, object_id: str, time_ns: int | None) -> None:
        self._timetable.heard(unique_key, object_id, time_ns)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._step)

    def _now(self) -> int:
        return int(self._clock.now() * MS)

    def _step(self) -> None:
        self._scheduled = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while not self._closed:
            now = self._now()
            match self._timetable.decide(now):
                case Ask(unique_key, after, until, limit):
                    asked = self._alarms.due(unique_key, after, until, limit)
                    asked.add_done_callback(self._answer(unique_key))
                case Fire(unique_key, alarm, retry):
                    task = self._loop.create_task(self._fire(unique_key, alarm, retry))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                case Sleep(until):
                    if until is not None:
                        # Whole milliseconds, upwards: a timer that comes too early would only be set again.
                        delay = -((now - until) // MS)
                        self._timer = self._clock.call_later(min(delay, _LONGEST_SLEEP_MS), self._step)
                    break
        if self._closed or self._timetable.quiet:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _answer(self, unique_key: str) -> Callable[[Future[tuple[list[Pending], int | None]]], None]:
        def in_thread(asked: Future[tuple[list[Pending], int | None]]) -> None:
            self._loop.call_soon_threadsafe(self._answered, unique_key, asked)

        return in_thread

    def _answered(self, unique_key: str, asked: Future[tuple[list[Pending], int | None]]) -> None:
        try:
            rows, following = asked.result()
        except StorageError as error:
            logger.error("%s: pending alarms cannot be read: %s", unique_key, error)
            self._timetable.unanswered(unique_key, self._now())
        else:
            self._timetable.answered(unique_key, rows, following)
        self._schedule()

    async def _fire(self, unique_key: str, alarm: Pending, retry: Retry) -> None:
        verdict = await self._run(unique_key, alarm, retry)
        self._timetable.ended(unique_key, alarm.object_id, verdict, self._now())
        self._schedule()
