"""Who of a project is in memory: its Worker, objects and facets. How they are found or made, and when they leave."""

from __future__ import annotations

import asyncio
from functools import partial

from durabox.engine.engine import Engine
from durabox.errors import HostClosedError
from durabox.limits import Limits
from durabox.objects.actor import Actor, Surroundings
from durabox.objects.cache import Caches
from durabox.objects.clock import Clock
from durabox.objects.eviction import to_evict
from durabox.objects.facet_actor import FacetActor, FacetAlarm
from durabox.objects.facets import Facet, Facets, FacetTree
from durabox.objects.ids import name_inside
from durabox.objects.loading import LoadedProject
from durabox.objects.namespace import Namespace, Namespaces
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.outbound import Network
from durabox.objects.socket_tables import SocketTables
from durabox.objects.sockets import SocketTable
from durabox.objects.storage_threads import Threads
from durabox.storage.directory import StateDirectory
from durabox.storage.facet_index import facet_id

#: Timers and subrequests that nobody waits for keep an idle object in memory for at most this long.
HOLD_MS = 15 * 60_000.0
#: Isolates that the engine keeps free: for the Worker, and for loading a project.
_SPARE = 64


class Actors:
    """
    The actors of a host; a `Router` for them.

    Args:
        loaded: The evaluated project.
        state: Where objects keep their databases.
        threads: Where commits run.

    All others are those of `Host.open`.
    """

    def __init__(
        self,
        loaded: LoadedProject,
        state: StateDirectory,
        *,
        limits: Limits,
        clock: Clock,
        idle_ms: float,
        max_live: int | None,
        threads: Threads,
        network: Network,
        dev: bool,
    ) -> None:
        self.namespaces = Namespaces(self, loaded)
        self.network = network
        self.dev = dev
        self.caches = Caches(clock.now)
        self.closed = False
        room = Engine.shared().capacity - _SPARE
        self.max_live = room if max_live is None else min(max_live, room)
        self._state = state
        self._clock = clock
        self._idle_ms = idle_ms
        self._threads = threads
        self._around = Surroundings(loaded.image, limits, self, threads, clock, loaded.project.compatibility)
        #: Objects and facets, by class name and id.
        self._actors: dict[tuple[str, str], Actor] = {}
        self._worker: Actor | None = None
        self._sockets = SocketTables(clock)
        #: Facets of objects, as long as the object or one of them lives or has sockets.
        self._trees: dict[tuple[str, str], FacetTree] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._noting = False
        self._schedule_sweep()

    def __len__(self) -> int:
        return len(self._actors)

    def get(self, namespace: Namespace, object_id: str, name: str | None) -> Actor:
        """
        The live object with that id; it is made if it is not in memory.

        Raises:
            HostClosedError: The host is closing.
        """
        key = (namespace.class_name, object_id)
        actor = self._actors.get(key)
        if actor is None:
            self._make_room()
            name = name_inside(name)
            database = self._state.database(namespace.unique_key, object_id, name)
            actor = self._actors[key] = Actor(
                self._around,
                identity=(namespace.class_name, object_id, name),
                database=database,
                alarm=ObjectAlarm(database, self._state.alarms, namespace.unique_key, object_id),
                on_gone=self._object_gone,
            )
        elif name is not None:
            actor.learn_name(name)
        actor.last_used = self._clock.now()
        return actor

    def live(self, unique_key: str, object_id: str) -> Actor | None:
        """An object, if it is in memory."""
        key = self._key(unique_key, object_id)
        return None if key is None else self._actors.get(key)

    def awake(self, unique_key: str) -> dict[str, float]:
        """The live objects of a namespace by id, and when each was used last, in milliseconds since the epoch."""
        space = self.namespaces.keyed(unique_key)
        name = None if space is None else space.class_name
        return {
            key[1]: actor.last_used
            for key, actor in self._actors.items()
            if key[0] == name and not isinstance(actor, FacetActor)
        }

    def facets_of(self, unique_key: str, object_id: str) -> FacetTree | None:
        """An object's facets, if it or one of them is in memory."""
        key = self._key(unique_key, object_id)
        return None if key is None else self._trees.get(key)

    def sockets_of(self, unique_key: str, object_id: str) -> SocketTable | None:
        """The WebSockets of an object or facet, if there are any; see `facet_id`."""
        root, _, number = object_id.partition(".")
        if number:
            tree = self.facets_of(unique_key, root)
            facet = None if tree is None else tree.facet(int(number))
            return None if facet is None else facet.sockets
        key = self._key(unique_key, object_id)
        return None if key is None else self._sockets.find(key)

    async def close(self, timeout: float) -> None:
        """
        Finish what is under way, then drop everything.

        Args:
            timeout: Seconds that requests under way may take.
        """
        self.closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        actors = [*self._actors.values(), *([self._worker] if self._worker else [])]
        busy = [asyncio.ensure_future(actor.quiesce()) for actor in actors if actor.busy]
        if busy:
            _, late = await asyncio.wait(busy, timeout=timeout)
            for task in late:
                task.cancel()
        for actor in actors:
            actor.close()
        self._sockets.close()
        for tree in list(self._trees.values()):
            await tree.changes.quiet()

    # For actors

    def id_from_name(self, namespace: int, name: str) -> str:
        """See `router.Router`."""
        return self.namespaces.numbered(namespace).ids.from_name(name)

    def id_from_string(self, namespace: int, text: str) -> str:
        """See `router.Router`."""
        return self.namespaces.numbered(namespace).ids.check(text)

    def new_id(self, namespace: int) -> str:
        """See `router.Router`."""
        return self.namespaces.numbered(namespace).ids.new()

    def locate(self, namespace: int, object_id: str, name: str | None) -> Actor:
        """See `router.Router`."""
        return self.get(self.namespaces.numbered(namespace), object_id, name)

    def worker(self) -> Actor:
        """See `router.Router`."""
        worker = self._worker
        if worker is None:
            self._check_open()
            worker = self._worker = Actor(
                self._around, identity=None, database=None, alarm=None, on_gone=self._worker_gone
            )
        return worker

    def sockets(self, actor: Actor) -> SocketTable:
        """See `router.Router`."""
        if isinstance(actor, FacetActor):
            return self._sockets.of_facet(actor.facet)
        if actor.identity is None:
            return self._sockets.of(None, self.worker, lambda: self._worker)
        class_name, object_id, name = actor.identity
        key = (class_name, object_id)
        space = self.namespaces.named(class_name)
        return self._sockets.of(key, lambda: self.get(space, object_id, name), lambda: self._actors.get(key))

    def facets(self, actor: Actor) -> Facets:
        """See `router.Router`."""
        if isinstance(actor, FacetActor):
            return actor.facet.below
        assert actor.identity is not None
        key = actor.identity[:2]
        tree = self._trees.get(key)
        if tree is None:
            unique_key = self.namespaces.named(key[0]).unique_key
            tree = self._trees[key] = FacetTree(
                self._state.facets(unique_key, key[1]),
                partial(self._facet_actor, key),
                lambda number: self._state.database(unique_key, facet_id(key[1], number)),
                partial(self._state.exchange, unique_key, key[1]),
                self._threads,
            )
        return tree.root

    def _facet_actor(self, key: tuple[str, str], facet: Facet) -> FacetActor:
        """See `facets.FacetTree`."""
        self._make_room()
        class_name, object_id = key
        own_key = (class_name, facet_id(object_id, facet.below.number))
        database = facet.of.tree.changes.database(facet.below.number)
        unique_key = self.namespaces.named(class_name).unique_key
        actor = self._actors[own_key] = FacetActor(
            facet,
            self._around,
            identity=(class_name, object_id, None),
            database=database,
            alarm=FacetAlarm(database, self._state.alarms, unique_key, own_key[1]),
            on_gone=partial(self._facet_gone, key, own_key),
        )
        return actor

    # Those who leave

    def _object_gone(self, actor: Actor) -> None:
        assert actor.identity is not None
        class_name, object_id, name = actor.identity
        key = (class_name, object_id)
        if self._actors.get(key) is actor:
            del self._actors[key]
        if actor.evicted and not self.closed:
            self._sockets.evicted(key)
        else:
            self._sockets.lost(key)
        if actor.database is not None:
            catalog = self._state.catalog(self.namespaces.named(class_name).unique_key)
            catalog.note(object_id, name, actor.last_used)
        tree = self._trees.get(key)
        if tree is not None:
            if not actor.evicted:
                assert actor.error is not None
                tree.root.end_all(actor.error)
            self._drop_tree(key)

    def _facet_gone(self, key: tuple[str, str], own_key: tuple[str, str], actor: Actor) -> None:
        assert isinstance(actor, FacetActor)
        if self._actors.get(own_key) is actor:
            del self._actors[own_key]
        actor.facet.gone(actor, closed=self.closed)
        self._drop_tree(key)

    def _drop_tree(self, key: tuple[str, str]) -> None:
        """Forget an object's facets if nothing of it is left in memory."""
        tree = self._trees.get(key)
        if tree is not None and key not in self._actors and not tree.in_use:
            del self._trees[key]

    def _worker_gone(self, actor: Actor) -> None:
        if self._worker is actor:
            self._worker = None
            self._sockets.lost(None)

    # Inside

    def _key(self, unique_key: str, object_id: str) -> tuple[str, str] | None:
        space = self.namespaces.keyed(unique_key)
        return None if space is None else (space.class_name, object_id)

    def _check_open(self) -> None:
        if self.closed:
            raise HostClosedError("The host is shutting down.")

    def _make_room(self) -> None:
        """There is about to be another actor."""
        self._check_open()
        if len(self._actors) >= self.max_live:
            self._evict()

    def _schedule_sweep(self) -> None:
        self._sweep = self._clock.call_later(max(self._idle_ms / 4, 50.0), self._swept)

    def _swept(self) -> None:
        self._evict()
        if not self._noting:
            self._noting = True
            self._threads.submit(self._state.write_catalogs, self._noted)
        self._schedule_sweep()

    def _noted(self, _: BaseException | None) -> None:
        """The catalogs were written, or will be by the next sweep."""
        self._noting = False

    def _evict(self) -> None:
        now = self._clock.now()
        live = (
            (
                key,
                actor.last_used,
                actor.busy
                or actor.ops.sockets.standing
                or (actor.waiting and now - actor.last_used < HOLD_MS),
            )
            for key, actor in self._actors.items()
        )
        for key in to_evict(live, now=now, idle_ms=self._idle_ms, most=self.max_live - 1):
            self._actors[key].close()
