"""A live object's database: whose it is at the moment.

It is the loop's between turns and within them, a thread's while that waits for the disk, and whoever looks in from outside
may do so when everything is committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import apsw

from durabox.errors import StorageError
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.storage_threads import Over, Threads
from durabox.objects.work import Work
from durabox.storage.database import ObjectDatabase

if TYPE_CHECKING:
    from durabox.objects.actor import Actor

logger = logging.getLogger("durabox.objects")


class LiveStorage:
    """
    See the module's head.

    Args:
        actor: The object.
        database: Its database.
        alarm: Its alarm, whose index hears of a commit.
        threads: Where it waits for the disk.
    """

    __slots__ = (
        "_actor",
        "_alarm",
        "_database",
        "_free",
        "_loop",
        "_threads",
        "_tidying",
        "_when_settled",
        "afterwards",
        "in_use",
        "instead",
        "readers",
    )

    def __init__(self, actor: Actor, database: ObjectDatabase, alarm: ObjectAlarm, threads: Threads) -> None:
        self._actor = actor
        self._alarm = alarm
        self._database = database
        self._threads = threads
        self._loop = actor.loop
        #: A thread works with the database, so that nobody else may.
        self.in_use = False
        #: Bodies that others read out of the database.
        self.readers: set[object] = set()
        #: What follows the next commit before that counts as done; goes on with what it is given.
        self.afterwards: Callable[[Over], None] | None = None
        #: What makes the next commit durable, instead of the database by itself; goes on with what it is given.
        self.instead: Callable[[Over], None] | None = None
        self._free: asyncio.Future[None] | None = None
        self._when_settled: list[Callable[[], None]] = []
        self._tidying = False

    # For others

    def free(self) -> asyncio.Future[None]:
        """Done when the thread has finished, or the actor ended."""
        free = self._free
        if free is None or free.done():
            free = self._free = self._loop.create_future()
        return free

    @property
    def settled(self) -> bool:
        """Whether everything is committed."""
        return not self.in_use and not self._database.dirty

    def when_settled(self, action: Callable[[], None]) -> None:
        """Do something the next time that `settled` holds, before anything else can be written."""
        self._when_settled.append(action)

    def tidy(self) -> None:
        """Have what stored streams have left behind removed, a little at a time."""
        if self._tidying or self.in_use or self._actor.error is not None:
            return
        try:
            self._tidying = self._database.streams.waste
        except StorageError as error:
            self._warn(error)
        if self._tidying:
            self._actor.submit(Work(0, [], step=self._purge))

    def _purge(self) -> None:
        self._tidying = False
        try:
            self._database.streams.purge()
        except StorageError as error:
            self._warn(error)

    def _warn(self, error: StorageError) -> None:
        label = self._actor.label
        logger.warning("%s: %s", label, error, extra={"object": label})

    # For the loop

    def restore(self, over: Over) -> None:
        """Make the database what its next start was to find."""
        self._in_thread(self._database.restore, partial(self._restored, over))

    def _restored(self, over: Over, error: BaseException | None) -> None:
        if error is None:
            self._alarm.forget()
        over(error)

    def commit(self, over: Over) -> None:
        """Make durable what was written, and see that the alarm is found."""
        if self.afterwards is not None:
            over = partial(self._written, over)
        alarm = self._alarm
        if alarm.touched:
            try:
                indexed = alarm.before_commit()
            except StorageError as error:
                self._loop.call_soon(over, error)
                return
            if indexed is not None:
                lent = self.lend(partial(self._indexed, over))
                indexed.add_done_callback(
                    lambda done: self._loop.call_soon_threadsafe(lent, done.exception())
                )
                return
        self._commit(over)

    def _commit(self, over: Over) -> None:
        instead, self.instead = self.instead, None
        if instead is not None:
            instead(over)
        elif self._database.may_commit_together:
            self._commit_together(self.lend(over))
        else:
            self._in_thread(self._database.commit, over)

    def _commit_together(self, over: Over) -> None:
        """Commit the first transaction together with those of other objects."""
        try:
            work = self._database.commit_together(partial(self._threads.tell, over))
        except StorageError as error:
            self._loop.call_soon(over, error)
            return
        if work is not None:
            # After all that is about to run: what is born meanwhile is recorded with it.
            self._loop.call_soon(self._threads.submit, work, _heard)

    def _indexed(self, over: Over, error: BaseException | None) -> None:
        """The alarm that is about to be committed is in the index, or cannot be."""
        if error is None:
            self._commit(over)
        else:
            over(error)

    def hand_over(self, over: Callable[[apsw.Connection | None], None], failed: Over) -> None:
        """
        Have what `delete_all` leaves, while the database is again what it was.

        Args:
            over: What to do with it, unless the actor ended.
            failed: What to do when it failed.
        """
        left: list[apsw.Connection | None] = []

        def done(error: BaseException | None) -> None:
            if error is not None:
                failed(error)
                return
            self.settle()
            over(left[0])

        self._in_thread(lambda: left.append(self._database.hand_over()), done)

    def _written(self, over: Over, error: BaseException | None) -> None:
        """It is committed, or cannot be, and something else follows."""
        afterwards, self.afterwards = self.afterwards, None
        if error is None and afterwards is not None:
            afterwards(partial(self._unless_ended, over))
        else:
            over(error)

    def _unless_ended(self, over: Over, error: BaseException | None) -> None:
        if self._actor.error is None:
            over(error)

    def committed(self) -> None:
        """The commit is durable."""
        if self._alarm.touched:
            self._alarm.committed()

    def settle(self) -> None:
        """Everything is committed: let those look who wait for that."""
        if self._when_settled:
            waiting, self._when_settled = self._when_settled, []
            for action in waiting:
                action()

    def close(self) -> None:
        """The actor has ended: the connection goes, now or when the thread has finished."""
        if not self.in_use:
            self._database.close()
            self.settle()

    def _in_thread(self, work: Callable[[], None], over: Over) -> None:
        """Have a thread work with the database; see `lend`."""
        self._threads.submit(work, self.lend(over))

    def lend(self, over: Over) -> Over:
        """Leave the database alone until what is returned is called; that goes on with `over` unless the actor ended."""
        self.in_use = True

        def done(error: BaseException | None) -> None:
            self.in_use = False
            if self._free is not None and not self._free.done():
                self._free.set_result(None)
            if self._actor.error is None:
                over(error)
            else:
                self.close()

        return done


def _heard(error: BaseException | None) -> None:
    """Each object is told by itself."""
