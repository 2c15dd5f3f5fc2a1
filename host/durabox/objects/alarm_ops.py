"""``ctx.storage``'s alarm methods and the alarm handler, on the host's side."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from durabox.engine.protocol import EVENT
from durabox.errors import GuestProtocolError, ObjectBrokenError, StorageError
from durabox.objects.alarms import MAX_RUN_MS, MS, TOOK_TOO_LONG, Outcome, Retry
from durabox.objects.core import Failure
from durabox.objects.guest_errors import WireError, from_wire, thrown
from durabox.objects.object_alarm import ObjectAlarm, Run
from durabox.objects.work import Work

if TYPE_CHECKING:
    from durabox.objects.ops import ObjectOps

logger = logging.getLogger("durabox.objects")

_ALARM = EVENT["alarm"]

#: The latest time that fits, in milliseconds: nanoseconds in 63 bits.
_LATEST_MS = (2**63 - 1) // MS


class AlarmOps:
    """
    One object's alarm: its handler's runs, and the ops.

    Args:
        ops: Those of the object.
        alarm: What is stored and known of it.
    """

    __slots__ = ("_actor", "_gate", "_incoming", "_ops", "alarm")

    def __init__(self, ops: ObjectOps, alarm: ObjectAlarm) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._incoming = ops.incoming
        self._ops = ops
        self.alarm = alarm

    # For the host

    def start(self, retry: Retry, *, early: bool = False, drop: bool = False) -> Run:
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
        run = alarm.run
        if run is not None:
            return run
        actor = self._actor
        number = self._incoming.number()
        run = Run(number, retry, early, drop, actor.loop.create_future())
        if actor.error is not None:
            run.failure = actor.error
            run.ended.set_result(Outcome.INTERRUPTED)
            return run
        alarm.run = run
        run.time_limit = actor.clock.call_later(MAX_RUN_MS, self._too_long)
        actor.submit(Work(_ALARM, [number]))
        return run

    def ended(self, run: Run, outcome: Outcome) -> None:
        """The run of the alarm handler is over, and what it wrote durable."""
        alarm = self.alarm
        if alarm.run is not run:
            return
        alarm.run = None
        if run.time_limit is not None:
            run.time_limit.cancel()
        self._actor.last_used = self._actor.clock.now()
        if not run.ended.done():
            run.ended.set_result(outcome)

    def broke(self, error: ObjectBrokenError, outcome: Outcome) -> None:
        """The object broke, or was closed."""
        run = self.alarm.run
        if run is not None:
            run.failure = error
            self.ended(run, outcome if run.wanted else Outcome.DROPPED)

    def _too_long(self) -> None:
        self._actor.core.break_with(Failure("Error", TOOK_TOO_LONG))
        self._actor.schedule()

    # For JavaScript

    def op_alarm_get(self, body: bytes) -> float | None:
        """When it is due."""
        try:
            time = self.alarm.get()
        except StorageError as error:
            raise thrown(error) from None
        return None if time is None else float(time // MS)

    def op_alarm_set(self, time: float, unconfirmed: bool, body: bytes) -> None:
        """It is due then, or now if that is past."""
        if not 0 < time <= _LATEST_MS:
            raise GuestProtocolError(f"an alarm at {time}")
        self._put(max(int(time), math.floor(self._actor.clock.now())) * MS, unconfirmed)

    def op_alarm_delete(self, unconfirmed: bool, body: bytes) -> None:
        """There is none."""
        self._put(None, unconfirmed)

    def _put(self, time_ns: int | None, unconfirmed: bool) -> None:
        try:
            self.alarm.put(time_ns)
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed |= not unconfirmed

    # The handler

    def op_alarm_begin(self, number: int, body: bytes) -> list[float] | None:
        """What the handler is told, if there is still something to run."""
        run = self._run(number)
        try:
            begun = self.alarm.begin(run, int(self._actor.clock.now() * MS))
        except StorageError as error:
            self._broken(error)
            return None
        if begun is None or run.drop:
            self._clear()
            self._gate.outputs.append(lambda: self.ended(run, Outcome.DONE))
            return None
        return [float(begun.time_ns // MS), float(run.retry.counted)]

    def op_alarm_done(self, number: int, body: bytes) -> None:
        """The handler has returned. The run is over when what it wrote is durable."""
        run = self._run(number)
        self._clear()
        self._gate.outputs.append(lambda: self.ended(run, Outcome.DONE))

    def op_alarm_failed(self, number: int, error: WireError, body: bytes) -> None:
        """The handler threw."""
        run = self._run(number)
        failure = from_wire(error)
        self._ops.log("error", f"Uncaught {failure.trace}")
        if run.retry.last and self._clear():
            logger.error(
                "%s: the alarm is given up after %d tries",
                self._actor.label,
                run.retry.counted + 1,
                extra={"object": self._actor.label},
            )
        run.failure = failure
        self._gate.outputs.append(lambda: self.ended(run, Outcome.FAILED))

    def op_alarm_missing(self, number: int, body: bytes) -> None:
        """The class no longer has a handler: the alarm is dropped."""
        logger.warning(
            "%s: an alarm was due, but the class has no alarm() handler",
            self._actor.label,
            extra={"object": self._actor.label},
        )
        self.op_alarm_done(number, body)

    def _run(self, number: int) -> Run:
        run = self.alarm.run
        if run is None or run.number != number:
            raise GuestProtocolError(f"alarm run {number} is not under way")
        return run

    def _clear(self) -> bool:
        try:
            cleared = self.alarm.clear()
        except StorageError as error:
            self._broken(error)
            return False
        self._gate.confirmed |= cleared
        return cleared

    def _broken(self, error: StorageError) -> None:
        self._actor.core.break_with(Failure("Error", error.message, own=False))
