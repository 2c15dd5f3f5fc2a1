"""How objects' databases are got at from outside, while some of the objects are alive and none is to be woken.

Whoever looks gets the database at a moment when nothing is uncommitted; whoever changes it gets it alone, with the
object out of memory and its requests waiting. `Access` is the one thing that differs between a running host and a
state directory that nobody serves.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from durabox.errors import UnknownObjectClassError
from durabox.objects.threads import in_thread
from durabox.storage.copying import Copying
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory

T = TypeVar("T")


class _Turn:
    """One object's turns: who has it, and how many want it."""

    __slots__ = ("lock", "wanted")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


class Turns:
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
        self.turns = Turns()

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

    async def blocking(self, work: Callable[[], T], interrupt: Callable[[], object] | None = None) -> T:
        """`in_thread`, unless the state is in memory, which has only one thread."""
        return work() if self.state.in_memory else await in_thread(work, interrupt)

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
            async with self.turns.turn(unique_key, object_id):
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
        async with self.turns.turn(unique_key, object_id):
            with self.state.visit(unique_key, object_id) as database:
                return look(database)

    @asynccontextmanager
    async def alone(self, unique_key: str, object_id: str) -> AsyncIterator[ObjectDatabase]:
        """See `Access`."""
        async with self.turns.turn(unique_key, object_id):
            with self.state.visit(unique_key, object_id) as database:
                yield database
