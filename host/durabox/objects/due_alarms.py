"""Runs the alarm of an object that the index says is due, and says what follows."""

from __future__ import annotations

import logging
import random

from durabox.errors import DuraboxError, HostClosedError, InvalidObjectIdError
from durabox.objects.actors import Actors
from durabox.objects.alarms import FIRST_TRY, MS, Again, GiveUp, Outcome, Over, Retry, ended
from durabox.objects.clock import Clock
from durabox.objects.namespace import Namespace
from durabox.objects.threads import in_thread
from durabox.storage.alarm_index import Pending
from durabox.storage.directory import StateDirectory
from durabox.storage.metadata import Key

logger = logging.getLogger("durabox.objects")


class DueAlarms:
    """
    The alarms of a host's objects.

    Args:
        actors: The objects.
        state: Where their databases are.
        clock: The time.
    """

    def __init__(self, actors: Actors, state: StateDirectory, clock: Clock) -> None:
        self._actors = actors
        self._state = state
        self._clock = clock

    async def run(self, unique_key: str, alarm: Pending, retry: Retry) -> Again | Over:
        """See `alarm_scheduler.RunAlarm`."""
        space = self._actors.namespaces.keyed(unique_key)
        assert space is not None
        alarms = self._state.alarms
        try:
            object_id = space.ids.check(alarm.object_id)
        except InvalidObjectIdError as error:
            logger.warning("%s: an alarm of %r: %s", unique_key, alarm.object_id, error)
            alarms.set_later(unique_key, alarm.object_id, None, None)
            return Over(None)
        try:
            actor = self._actors.get(space, object_id, alarm.name)
            assert actor.alarms is not None
            own = actor.alarms.alarm
            if actor.asleep and not own.check(int(self._clock.now() * MS)):
                # There is nothing to wake it for.
                return Over(own.stored)
            run = actor.alarms.start(retry)
            outcome = await run.ended
            if run.scheduled is None and outcome is not Outcome.DONE:
                # It broke before its turn came: nothing has changed.
                verdict = ended(outcome, retry, alarm.time_ns, alarm.time_ns, random.random())
            else:
                verdict = ended(outcome, retry, run.scheduled, own.stored, random.random())
            if not isinstance(verdict, GiveUp):
                return verdict
            await self._give_up(space, object_id, run.scheduled or alarm.time_ns)
            return Over(None)
        except HostClosedError:
            return Over(None)
        except DuraboxError as error:
            logger.error("%s/%s: its alarm cannot be run: %s", space.class_name, object_id, error)
            again = ended(Outcome.INTERRUPTED, retry, alarm.time_ns, alarm.time_ns, random.random())
            assert isinstance(again, Again)
            return again

    async def _give_up(self, space: Namespace, object_id: str, time_ns: int) -> None:
        """Clear the alarm of an object that broke, so that nobody takes it for one to come."""
        logger.warning("%s/%s: its alarm is given up", space.class_name, object_id)
        live = self._actors.live(space.unique_key, object_id)
        if live is not None:
            assert live.alarms is not None
            await live.alarms.start(FIRST_TRY, drop=True).ended
            return
        database = self._state.database(space.unique_key, object_id)
        try:
            if database.metadata.alarm() == time_ns:
                database.metadata.put(Key.ALARM, None)
                await in_thread(database.commit)
                self._state.alarms.set_later(space.unique_key, object_id, None, None)
        finally:
            database.close()
