"""Outside access to the objects of a running host; see `access`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Final, TypeVar

from durabox.errors import UnknownObjectClassError
from durabox.objects.access import Access
from durabox.objects.actor import Actor
from durabox.objects.actors import Actors
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory

T = TypeVar("T")

#: Seconds that a live object gets to finish what is under way before it is reset.
_GRACE: Final = 2.0

RESET: Final = "Durable Object was reset because its storage was replaced."


class HostAccess(Access):
    """
    Access to the objects of a running host.

    Args:
        actors: The objects in memory.
        state: Its state directory.
    """

    def __init__(self, actors: Actors, state: StateDirectory) -> None:
        super().__init__(state)
        self._actors = actors

    def classes(self) -> Mapping[str, str]:
        """See `Access`."""
        return {space.class_name: space.unique_key for space in self._actors.namespaces}

    def unique_key(self, class_name: str) -> str:
        """See `Access`: a class, a binding, or a folder."""
        try:
            return self._actors.namespaces.named(class_name).unique_key
        except UnknownObjectClassError:
            if class_name in self.state.unique_keys():
                return class_name
            raise

    def awake(self, unique_key: str) -> Mapping[str, float]:
        """See `Access`."""
        return self._actors.awake(unique_key)

    def is_awake(self, unique_key: str, object_id: str) -> bool:
        """See `Access`."""
        return self._actors.live(unique_key, object_id) is not None

    def sockets(self, unique_key: str, object_id: str) -> list[tuple[tuple[str, ...], bytes]]:
        """See `Access`."""
        table = self._actors.sockets_of(unique_key, object_id)
        return [] if table is None else table.seen()

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

        async with self.turns.turn(unique_key, object_id):
            actor = self._actors.live(unique_key, object_id)
            storage = None if actor is None else actor.storage
            if storage is None or storage.settled:
                return visit()
            seen: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            storage.when_settled(settled)
            return await seen

    @asynccontextmanager
    async def alone(self, unique_key: str, object_id: str) -> AsyncIterator[ObjectDatabase]:
        """See `Access`."""
        async with self.turns.turn(unique_key, object_id):
            with ExitStack() as held:
                taken: asyncio.Future[ObjectDatabase] = asyncio.get_running_loop().create_future()

                def take() -> None:
                    """In one go: a request that comes now waits for the object's next incarnation."""
                    self._dismiss(unique_key, object_id)
                    if not taken.done():
                        taken.set_result(held.enter_context(self._held(unique_key, object_id)))

                def take_if_idle() -> None:
                    if not taken.done() and not any(
                        actor.busy for actor in self._lives(unique_key, object_id)
                    ):
                        take()

                # Who gives up waiting must not get it later.
                held.callback(taken.cancel)
                busy = [actor for actor in self._lives(unique_key, object_id) if actor.busy]
                for actor in busy:
                    actor.when_idle(take_if_idle)
                if busy:
                    await asyncio.wait({taken}, timeout=_GRACE)
                if not taken.done():
                    take()
                facets = self._actors.facets_of(unique_key, object_id)
                if facets is not None:
                    await facets.changes.quiet()
                yield taken.result()

    @contextmanager
    def _held(self, unique_key: str, object_id: str) -> Iterator[ObjectDatabase]:
        """The database of an object that is not in memory; its requests and those of its facets wait until the block ends."""
        space = self._actors.namespaces.keyed(unique_key)
        if space is None:
            with self.state.visit(unique_key, object_id) as database:
                yield database
            return
        actor = self._actors.get(space, object_id, None)
        actor.hold()
        tree = self._actors.facets_of(unique_key, object_id)
        if tree is not None:
            tree.busy += 1
        try:
            assert actor.database is not None
            yield actor.database
        finally:
            if tree is not None:
                tree.release()
            if actor.core.idle:
                actor.close()
            else:
                actor.resume()

    def _lives(self, unique_key: str, object_id: str) -> list[Actor]:
        """An object and its facets, as far as they are in memory."""
        actor = self._actors.live(unique_key, object_id)
        facets = self._actors.facets_of(unique_key, object_id)
        return [
            *([] if actor is None else [actor]),
            *([] if facets is None else facets.actors()),
        ]

    def _dismiss(self, unique_key: str, object_id: str) -> None:
        """Have an object and its facets leave memory."""
        for actor in self._lives(unique_key, object_id):
            if actor.error is not None:
                continue  # the object took it along
            if actor.busy:
                actor.reset(RESET)
            else:
                actor.close()
