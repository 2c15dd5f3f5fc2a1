"""How objects' databases are got at from outside, while some of the objects are alive and none is to be woken.

Whoever looks gets the database at a moment when nothing is uncommitted; whoever changes it gets it alone, with the
object out of memory and its requests waiting. `Access` is the one thing that differs between a running host and a
state directory that nobody serves.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from durabox.errors import UnknownObjectClassError
from durabox.storage.copying import Copying
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.host import Host

T = TypeVar("T")

#: Seconds that a live object gets to finish what is under way before it is reset.
_GRACE: Final = 2.0

RESET: Final = "Durable Object was reset because its storage was replaced."


class _Turn:
    """One object's turns: who has it, and how many want it."""

    __slots__ = ("lock", "wanted")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


class _Turns:
    """Lets those who want an object from outside take turns, in order."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str], _Turn] = {}

    @asynccontextmanager
    async def turn(self, unique_key: str, object_id: str) -> AsyncIterator[None]:
        """Have the object until the block ends."""
        key = (unique_key, object_id)
        turn = self._turns.setdefault(key, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[key]


class Access(ABC):
    """
    The way to objects' databases. For the thread of the event loop.

    Args:
        state: The directory that they are in.
    """

    def __init__(self, state: StateDirectory) -> None:
        self.state = state
        self._turns = _Turns()

    @abstractmethod
    def classes(self) -> Mapping[str, str]:
        """Unique keys by class name."""

    @abstractmethod
    def unique_key(self, class_name: str) -> str:
        """
        The key of the namespace that a class name stands for.

        Raises:
            UnknownObjectClassError: It stands for none.
        """

    def new_unique_key(self, class_name: str, origin: str | None) -> str:
        """
        The same for an object that is to be made, whose class may have none yet.

        Args:
            class_name: See `unique_key`.
            origin: The namespace that the object comes from, if known.
        """
        return self.unique_key(class_name)

    @abstractmethod
    def awake(self, unique_key: str) -> Mapping[str, float]:
        """The live objects by id, and when each was used last, in milliseconds since the epoch."""

    @abstractmethod
    def is_awake(self, unique_key: str, object_id: str) -> bool:
        """Whether an object is in memory."""

    def sockets(self, unique_key: str, object_id: str) -> list[tuple[tuple[str, ...], bytes]]:
        """Tags and attachment (V8's format) of each of an object's WebSockets that outlive its leaving memory."""
        return []

    async def blocking(self, work: Callable[[], T]) -> T:
        """Do something that may block in a thread, unless the state is in memory, which has only one."""
        return work() if self.state.in_memory else await asyncio.to_thread(work)

    @abstractmethod
    async def read(self, unique_key: str, object_id: str, look: Callable[[ObjectDatabase], T]) -> T:
        """
        Look at an object's database at a moment when nothing is uncommitted in it.

        Args:
            unique_key: The namespace's.
            object_id: The object.
            look: Called on the event loop: it must be short, and keeps nothing of the database.
        """

    @abstractmethod
    def alone(self, unique_key: str, object_id: str) -> AbstractAsyncContextManager[ObjectDatabase]:
        """The object's database, with the object and its facets out of memory until the block ends; its requests wait."""

    async def copy(self, unique_key: str, object_id: str, copying: Copying) -> None:
        """
        Copy an object's database, step by step; the object goes on working, and may wake or fall asleep meanwhile.

        Raises:
            StorageError: See `Copying.step`.
        """
        done = False
        while not done:
            if self.is_awake(unique_key, object_id):
                done = await self.read(unique_key, object_id, copying.step)
                await asyncio.sleep(0)
                continue
            async with self._turns.turn(unique_key, object_id):
                # Kept from step to step; an object that wakes takes it away.
                database = self.state.database(unique_key, object_id)
                try:
                    while not (done or self.is_awake(unique_key, object_id)):
                        done = copying.step(database)
                        await asyncio.sleep(0)
                finally:
                    database.close()


class DirectoryAccess(Access):
    """Access to a state directory that no host runs on."""

    def classes(self) -> Mapping[str, str]:
        """See `Access`; folders are all that is known."""
        return {key: key for key in self.state.unique_keys()}

    def unique_key(self, class_name: str) -> str:
        """See `Access`: a folder, or the class that only one folder's name ends with."""
        keys = self.state.unique_keys()
        if class_name in keys:
            return class_name
        ending = [key for key in keys if key.endswith(f"-{class_name}")]
        if len(ending) != 1:
            raise UnknownObjectClassError(class_name, ending or keys)
        return ending[0]

    def new_unique_key(self, class_name: str, origin: str | None) -> str:
        """See `Access`: also a folder that is not there yet, by its whole name or that of the class it comes from."""
        try:
            return self.unique_key(class_name)
        except UnknownObjectClassError:
            if origin is not None and origin.endswith(f"-{class_name}"):
                return origin
            if "-" in class_name:
                return class_name
            raise

    def awake(self, unique_key: str) -> Mapping[str, float]:
        """See `Access`: none."""
        return {}

    def is_awake(self, unique_key: str, object_id: str) -> bool:
        """See `Access`."""
        return False

    async def read(self, unique_key: str, object_id: str, look: Callable[[ObjectDatabase], T]) -> T:
        """See `Access`."""
        async with self._turns.turn(unique_key, object_id):
            with self.state.visit(unique_key, object_id) as database:
                return look(database)

    @asynccontextmanager
    async def alone(self, unique_key: str, object_id: str) -> AsyncIterator[ObjectDatabase]:
        """See `Access`."""
        async with self._turns.turn(unique_key, object_id):
            with self.state.visit(unique_key, object_id) as database:
                yield database


class HostAccess(Access):
    """
    Access to the objects of a running host.

    Args:
        host: The host.
        state: Its state directory.
    """

    def __init__(self, host: Host, state: StateDirectory) -> None:
        super().__init__(state)
        self._host = host

    def classes(self) -> Mapping[str, str]:
        """See `Access`."""
        return {name: self._host.namespace(name).unique_key for name in self._host.class_names}

    def unique_key(self, class_name: str) -> str:
        """See `Access`: a class, a binding, or a folder."""
        try:
            return self._host.namespace(class_name).unique_key
        except UnknownObjectClassError:
            if class_name in self.state.unique_keys():
                return class_name
            raise

    def awake(self, unique_key: str) -> Mapping[str, float]:
        """See `Access`."""
        return self._host.awake(unique_key)

    def is_awake(self, unique_key: str, object_id: str) -> bool:
        """See `Access`."""
        return self._host.live_actor(unique_key, object_id) is not None

    def sockets(self, unique_key: str, object_id: str) -> list[tuple[tuple[str, ...], bytes]]:
        """See `Access`."""
        return self._host.sockets_of(unique_key, object_id)

    async def read(self, unique_key: str, object_id: str, look: Callable[[ObjectDatabase], T]) -> T:
        """See `Access`."""

        def visit() -> T:
            with self.state.visit(unique_key, object_id) as database:
                return look(database)

        def settled() -> None:
            if seen.done():
                return
            try:
                seen.set_result(visit())
            except Exception as error:
                seen.set_exception(error)

        async with self._turns.turn(unique_key, object_id):
            actor = self._host.live_actor(unique_key, object_id)
            storage = None if actor is None else actor.storage
            if storage is None or storage.settled:
                return visit()
            seen: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            storage.when_settled(settled)
            return await seen

    @asynccontextmanager
    async def alone(self, unique_key: str, object_id: str) -> AsyncIterator[ObjectDatabase]:
        """See `Access`."""
        async with self._turns.turn(unique_key, object_id):
            with ExitStack() as held:
                taken: asyncio.Future[ObjectDatabase] = asyncio.get_running_loop().create_future()

                def take() -> None:
                    """In one go: a request that comes now waits for the object's next incarnation."""
                    self._dismiss(unique_key, object_id)
                    if not taken.done():
                        taken.set_result(held.enter_context(self._host.held(unique_key, object_id)))

                def take_if_idle() -> None:
                    if not taken.done() and not any(
                        actor.busy for actor in self._actors(unique_key, object_id)
                    ):
                        take()

                busy = [actor for actor in self._actors(unique_key, object_id) if actor.busy]
                for actor in busy:
                    actor.when_idle(take_if_idle)
                if busy:
                    await asyncio.wait({taken}, timeout=_GRACE)
                if not taken.done():
                    take()
                facets = self._host.facets_of(unique_key, object_id)
                if facets is not None:
                    await facets.quiet()
                yield taken.result()

    def _actors(self, unique_key: str, object_id: str) -> list[Actor]:
        """An object and its facets, as far as they are in memory."""
        actor = self._host.live_actor(unique_key, object_id)
        facets = self._host.facets_of(unique_key, object_id)
        return [
            *([] if actor is None else [actor]),
            *([] if facets is None else facets.actors()),
        ]

    def _dismiss(self, unique_key: str, object_id: str) -> None:
        """Have an object and its facets leave memory."""
        for actor in self._actors(unique_key, object_id):
            if actor.error is not None:
                continue  # the object took it along
            if actor.busy:
                actor.reset(RESET)
            else:
                actor.close()
