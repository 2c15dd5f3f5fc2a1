"""``ctx.storage``'s alarm methods and the alarm handler, on the host's side."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from durabox.engine.ops import GuestError
from durabox.errors import GuestProtocolError, StorageError
from durabox.limits import Limits
from durabox.objects.alarms import MS, Outcome
from durabox.objects.core import Failure
from durabox.objects.object_alarm import ObjectAlarm, Run
from durabox.objects.ops import ActorOps, WireError, from_wire

if TYPE_CHECKING:
    from durabox.objects.actor import Actor

logger = logging.getLogger("durabox.objects")

#: The latest time that fits, in milliseconds: nanoseconds in 63 bits.
_LATEST_MS = (2**63 - 1) // MS


def thrown(error: StorageError) -> GuestError:
    """How JavaScript meets a failure of the storage; one that may pass is marked as the platform marks such."""
    return GuestError("Error", error.message, {"retryable": True} if error.retryable else None)


class AlarmOps(ActorOps):
    """
    `ActorOps` plus the object's alarm.

    Args:
        actor: The object.
        limits: Those of its isolate.
        alarm: Its alarm.
    """

    def __init__(self, actor: Actor, limits: Limits, alarm: ObjectAlarm) -> None:
        super().__init__(actor, limits)
        self.alarm = alarm

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
        self._put(max(int(time), math.floor(self.actor.clock.now())) * MS, unconfirmed)

    def op_alarm_delete(self, unconfirmed: bool, body: bytes) -> None:
        """There is none."""
        self._put(None, unconfirmed)

    def _put(self, time_ns: int | None, unconfirmed: bool) -> None:
        try:
            self.alarm.put(time_ns)
        except StorageError as error:
            raise thrown(error) from None
        self.confirmed |= not unconfirmed

    # The handler

    def op_alarm_begin(self, number: int, body: bytes) -> list[float] | None:
        """What the handler is told, if there is still something to run."""
        run = self._run(number)
        try:
            begun = self.alarm.begin(run, int(self.actor.clock.now() * MS))
        except StorageError as error:
            self._broken(error)
            return None
        if begun is None or run.drop:
            self._clear()
            self.outputs.append(lambda: self.actor.alarm_ended(run, Outcome.DONE))
            return None
        return [float(begun.time_ns // MS), float(run.retry.counted)]

    def op_alarm_done(self, number: int, body: bytes) -> None:
        """The handler has returned. The run is over when what it wrote is durable."""
        run = self._run(number)
        self._clear()
        self.outputs.append(lambda: self.actor.alarm_ended(run, Outcome.DONE))

    def op_alarm_failed(self, number: int, error: WireError, body: bytes) -> None:
        """The handler threw."""
        run = self._run(number)
        failure = from_wire(error)
        self._log("error", f"Uncaught {failure.trace}")
        if run.retry.last and self._clear():
            logger.error(
                "%s: the alarm is given up after %d tries",
                self.actor.label,
                run.retry.counted + 1,
                extra={"object": self.actor.label},
            )
        run.failure = failure
        self.outputs.append(lambda: self.actor.alarm_ended(run, Outcome.FAILED))

    def op_alarm_missing(self, number: int, body: bytes) -> None:
        """The class no longer has a handler: the alarm is dropped."""
        logger.warning(
            "%s: an alarm was due, but the class has no alarm() handler",
            self.actor.label,
            extra={"object": self.actor.label},
        )
        self.op_alarm_done(number, body)

    def op_abort(self, reason: str, retry_alarm: bool, body: bytes) -> None:
        """ctx.abort(): ends the isolate here and now."""
        if self.alarm.run is not None:
            self.alarm.run.wanted = retry_alarm
        super().op_abort(reason, retry_alarm, body)

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
        self.confirmed |= cleared
        return cleared

    def _broken(self, error: StorageError) -> None:
        self.actor.core.break_with(Failure("Error", error.message, own=False))
