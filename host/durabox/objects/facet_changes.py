"""Changes to the files of an object's facets: some store nothing any more, or what others do.

A change is all of it or, after a crash, nothing. One comes after the other, and while there are any no facet begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from durabox.errors import ObjectBrokenError, StorageError
from durabox.storage.copying import Copying

if TYPE_CHECKING:
    import apsw

    from durabox.objects.actor import Actor
    from durabox.objects.facet_actor import FacetActor
    from durabox.objects.facets import Change, FacetTree
    from durabox.objects.storage_threads import Threads
    from durabox.storage.database import ObjectDatabase
    from durabox.storage.exchange import Exchange

logger = logging.getLogger("durabox.objects")


class FacetChanges:
    """
    Those of one object. For the thread of the event loop.

    Args:
        tree: The facets.
        open_database: Opens the database of the one with that number.
        make_exchange: Begins an exchange of databases.
        threads: Where is waited for the disk.
    """

    def __init__(
        self,
        tree: FacetTree,
        open_database: Callable[[int], ObjectDatabase],
        make_exchange: Callable[[], Exchange],
        threads: Threads,
    ) -> None:
        self._tree = tree
        self._open_database = open_database
        self._make_exchange = make_exchange
        self._threads = threads
        #: Databases that changes use; a facet that begins takes its own over.
        self._lent: dict[int, ObjectDatabase] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> bool:
        """Whether one is not over."""
        return bool(self._tasks)

    def database(self, number: int) -> ObjectDatabase:
        """The database of a facet that begins."""
        lent = self._lent.pop(number, None)
        return self._open_database(number) if lent is None else lent

    def start(self, change: Change) -> asyncio.Task[None]:
        """Begin a change that counts as `busy` until it is over; one comes after the other."""

        async def run() -> None:
            try:
                async with self._one_at_a_time:
                    await change()
            except StorageError as error:
                # What those that began meanwhile have to find is not settled.
                self._tree.root.end_all(ObjectBrokenError("Error", error.message))
                raise
            finally:
                self._tree.release()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a change to facets failed: %s", error)

    async def quiet(self) -> None:
        """Wait for the changes under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def replace(self, numbers: Collection[int], copies: Mapping[int, int]) -> None:
        """
        Facets store nothing any more, or what others do: all of it or, after a crash, nothing.

        Args:
            numbers: Those that store nothing but what is copied.
            copies: From which to which.
        Raises:
            StorageError: It failed.
        """
        exchange = self._make_exchange()
        try:
            for source, target in copies.items():
                content = await self._copy(source)
                if content is not None:
                    await self._in_thread(partial(exchange.stage, target, content))
            await self._carry_out(exchange, {*numbers, *copies.values()}, {})
        except BaseException:
            await self._in_thread(exchange.abandon)
            raise

    async def empty(
        self, numbers: Collection[int], own: int, database: ObjectDatabase, left: apsw.Connection | None
    ) -> None:
        """
        An object has another content or none, and facets store nothing any more: all of it or, after a crash, nothing.

        Args:
            numbers: The facets.
            own: The object's number.
            database: Its database.
            left: The content: a database without a file, which is used up.
        Raises:
            StorageError: It failed.
        """
        exchange = self._make_exchange()
        try:
            if left is not None:
                await self._in_thread(partial(exchange.stage, own, left))
            await self._carry_out(exchange, {*numbers, own}, {own: database})
        except BaseException:
            await self._in_thread(exchange.abandon)
            raise

    async def _carry_out(
        self, exchange: Exchange, changed: Collection[int], at_hand: Mapping[int, ObjectDatabase]
    ) -> None:
        borrowed = [number for number in changed if number not in at_hand]
        databases = {number: self._borrow(number) for number in borrowed}
        try:
            await self._in_thread(partial(exchange.carry_out, changed, {**databases, **at_hand}))
        finally:
            for number in borrowed:
                self._give_back(number)

    async def _copy(self, number: int) -> apsw.Connection | None:
        """What a facet has committed, in a database without a file."""
        if not await self._looked(number, lambda database: database.exists()):
            return None
        copying = Copying()
        try:
            done = False
            while not done:
                done = await self._looked(number, copying.step)
                await asyncio.sleep(0)
        except BaseException:
            copying.abandon()
            raise
        return copying.finish()

    async def _looked(self, number: int, look: Callable[[ObjectDatabase], bool]) -> bool:
        """Look at a facet's database at a moment when nothing is uncommitted in it."""
        while (actor := self._live(number)) is not None:
            assert actor.storage is not None and actor.database is not None
            if actor.storage.settled:
                return look(actor.database)
            looked: asyncio.Future[bool | None] = actor.loop.create_future()
            actor.storage.when_settled(partial(_look, actor, look, looked))
            if (result := await looked) is not None:
                return result
        database = self._borrow(number)
        try:
            return look(database)
        finally:
            self._give_back(number)

    def _live(self, number: int) -> FacetActor | None:
        facet = self._tree.facet(number)
        return None if facet is None else facet.actor

    def _borrow(self, number: int) -> ObjectDatabase:
        """The database of a facet that does not use it."""
        actor = self._live(number)
        if actor is not None:
            assert actor.database is not None
            return actor.database
        database = self._lent[number] = self._open_database(number)
        return database

    def _give_back(self, number: int) -> None:
        database = self._lent.pop(number, None)
        if database is not None:
            database.close()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def over(error: BaseException | None) -> None:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        self._threads.submit(work, over)
        await done


def _look(actor: Actor, look: Callable[[ObjectDatabase], bool], looked: asyncio.Future[bool | None]) -> None:
    """A facet's database is settled: look at it, unless that is because the facet has ended."""
    assert actor.database is not None
    try:
        looked.set_result(look(actor.database) if actor.error is None else None)
    except StorageError as error:
        looked.set_exception(error)
