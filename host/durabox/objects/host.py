"""`Host`: a project, running. The server is one user of it, tests are another."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from durabox.engine.engine import Engine
from durabox.errors import (
    DuraboxError,
    HostClosedError,
    InvalidObjectIdError,
    StorageError,
    UnknownObjectClassError,
)
from durabox.limits import Limits
from durabox.objects.actor import Actor
from durabox.objects.alarm_scheduler import AlarmScheduler
from durabox.objects.alarms import FIRST_TRY, MAX_RUNNING, MS, Again, GiveUp, Outcome, Over, Retry, ended
from durabox.objects.cache import Caches
from durabox.objects.clock import Clock
from durabox.objects.eviction import to_evict
from durabox.objects.facet_actor import FacetActor, FacetAlarm
from durabox.objects.facets import Facet, Facets, FacetTree
from durabox.objects.ids import name_inside
from durabox.objects.loading import LoadedProject, load
from durabox.objects.messages import Request, Response
from durabox.objects.namespace import Namespace, Stub
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.outbound import Network, refuse
from durabox.objects.sockets import SocketTable
from durabox.objects.storage_threads import InExecutor, StorageThreads
from durabox.project.project import Project, load_project
from durabox.storage.alarm_index import Pending
from durabox.storage.database import MAX_BYTES, Durability, ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.facet_index import facet_id
from durabox.storage.files import Files
from durabox.storage.history.retention import Retention
from durabox.storage.metadata import Key

logger = logging.getLogger("durabox.objects")

if TYPE_CHECKING:
    from durabox.objects.inventory import Inventory

#: Threads that wait for fsync; more of them let the file system group the commits of many objects.
STORAGE_THREADS = 16
#: Idle objects leave memory after this long, as on the platform.
IDLE_MS = 10_000.0
#: Timers and subrequests that nobody waits for keep an idle object in memory for at most this long.
HOLD_MS = 15 * 60_000.0
EVENT_TIMED_OUT = "Actor exceeded event execution time and was disconnected."
#: Isolates that the engine keeps free: for the Worker, and for loading a project.
_SPARE = 64


class SystemClock:
    """The real time and the running event loop's timers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Milliseconds since the epoch."""
        return time.time() * 1000.0

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `Clock`."""
        return self._loop.call_later(max(delay_ms, 0.0) / 1000.0, callback)


class Host:
    """
    Runs one project's Worker and Durable Objects in this process. Use `Host.open`.

    Args:
        loaded: The evaluated project.
        state: Where objects keep their databases.
        limits: Limits of every isolate.
        clock: Time and timers.
        idle_ms: Idle objects are evicted after this many milliseconds.
        max_live: At most this many live objects; beyond, the least recently used idle ones leave. At most, and
            unless given, what the process has room for.
        executor: Where commits run; threads of the host's own if not given.
        network: Who carries out requests to other servers; they are refused if not given.
        dev: See `open`.
    """

    def __init__(
        self,
        loaded: LoadedProject,
        state: StateDirectory,
        *,
        limits: Limits,
        clock: Clock,
        idle_ms: float = IDLE_MS,
        max_live: int | None = None,
        executor: Executor | None = None,
        network: Network | None = None,
        dev: bool = False,
    ) -> None:
        self.network = network or refuse
        self.dev = dev
        self.caches = Caches(clock.now)
        self._loaded = loaded
        self._state = state
        self._limits = limits
        self._clock = clock
        self._idle_ms = idle_ms
        room = Engine.shared().capacity - _SPARE
        self._max_live = room if max_live is None else min(max_live, room)
        loop = asyncio.get_running_loop()
        self._threads = (
            StorageThreads(loop, STORAGE_THREADS) if executor is None else InExecutor(loop, executor)
        )
        project = loaded.project
        self._namespaces = tuple(Namespace(self, name, project.unique_key(name)) for name in loaded.classes)
        self._by_name = {space.class_name: space for space in self._namespaces}
        self._by_key = {space.unique_key: space for space in self._namespaces}
        for binding in project.bindings:
            self._by_name.setdefault(binding.name, self._by_name[binding.class_name])
        self._actors: dict[tuple[str, str], Actor] = {}
        self._worker: Actor | None = None
        self._worker_sockets: SocketTable | None = None
        #: WebSockets of objects, live or hibernating.
        self._sockets: dict[tuple[str, str], SocketTable] = {}
        #: Facets of objects, as long as the object or one of them lives or has sockets.
        self._trees: dict[tuple[str, str], FacetTree] = {}
        self._closed = False
        self._sweep: asyncio.TimerHandle | None = None
        self._noting = False
        self._schedule_sweep()
        self._alarms = AlarmScheduler(
            state.alarms,
            self._by_key,
            self._run_due,
            clock=clock,
            most=max(min(MAX_RUNNING, self._max_live // 2), 1),
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        project: str | Path | Project,
        state: str | Path = ":memory:",
        *,
        durability: Durability = Durability.FULL,
        history: Retention | None = Retention(),  # noqa: B008
        max_object_bytes: int = MAX_BYTES,
        limits: Limits | None = None,
        clock: Clock | None = None,
        idle_ms: float = IDLE_MS,
        max_live: int | None = None,
        files: Files | None = None,
        executor: Executor | None = None,
        network: Network | None = None,
        dev: bool = False,
    ) -> AsyncIterator[Host]:
        """
        Load a project and run it until the block ends.

        Args:
            project: A ``.js``/``.mjs`` file, a project folder, or a loaded `Project`.
            state: State directory, or ``:memory:`` for state that ends with the host.
            durability: What a commit guarantees when it returns.
            history: How much of each object's past is kept for point-in-time recovery, ``None`` for nothing. Only
                with a state directory.
            max_object_bytes: What one object's database may take.
            limits: Limits of every isolate; the project's ``limits.cpu_ms`` wins over the default.
            clock: Time and timers; the system's if not given.
            idle_ms: Idle objects are evicted after this many milliseconds.
            max_live: Cap on live objects.
            files: The file system under the state directory; the real one if not given.
            executor: Where commits run; threads of the host's own if not given.
            network: Who carries out requests to other servers: an `Internet`, or a function from a `Request` to its `Response`,
                which may be a coroutine. Without one they are refused.
            dev: Whether an error that passes from one object or Worker to another brings its stack, for development.
        Raises:
            ProjectError: The project's files or configuration cannot be used.
            ModuleError: Its modules do not load.
            StateLockedError: Another process owns the state directory.
        """
        if not isinstance(project, Project):
            project = load_project(Path(project))
        if limits is None:
            limits = Limits() if project.cpu_ms is None else replace(Limits(), cpu_ms=project.cpu_ms)
        loaded = await load(project, Engine.shared().base)
        clock = clock or SystemClock()
        directory = StateDirectory(
            None if str(state) == ":memory:" else Path(state),
            durability=durability,
            max_object_bytes=max_object_bytes,
            files=files,
            history=history,
            clock=clock.now,
        )
        try:
            # Before any object is in use: an index that is missing is made from their databases.
            for name in loaded.classes:
                try:
                    await asyncio.wrap_future(directory.alarms.open(loaded.project.unique_key(name)))
                except StorageError as error:
                    # It is tried again by whatever needs it; the objects can do without until then.
                    logger.error("the pending alarms of %s cannot be read: %s", name, error)
            host = cls(
                loaded,
                directory,
                limits=limits,
                clock=clock,
                idle_ms=idle_ms,
                max_live=max_live,
                executor=executor,
                network=network,
                dev=dev,
            )
            try:
                yield host
            finally:
                await host.close()
        finally:
            directory.close()

    @property
    def has_worker(self) -> bool:
        """Whether the project's default export answers requests."""
        return self._loaded.has_worker

    @property
    def class_names(self) -> tuple[str, ...]:
        """Object classes, by the name they are exported under."""
        return self._loaded.classes

    @property
    def binding_names(self) -> tuple[str, ...]:
        """Every name that `namespace` takes: classes and bindings."""
        return tuple(self._by_name)

    @property
    def live(self) -> int:
        """Objects in memory."""
        return len(self._actors)

    def namespace(self, name: str) -> Namespace:
        """
        The namespace of an object class.

        Args:
            name: The class or the name of a binding.
        Raises:
            UnknownObjectClassError: Neither exists.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownObjectClassError(name, list(self._by_name)) from None

    async def fetch(self, request: Request) -> Response:
        """
        Call the Worker's fetch handler.

        Raises:
            JavaScriptError: The handler threw.
            HostClosedError: The host is closing.
        """
        return await self.worker().incoming.fetch(request)

    def actor(self, namespace: Namespace, object_id: str, name: str | None) -> Actor:
        """
        The live object with that id; it is made if it is not in memory.

        Raises:
            HostClosedError: The host is closing.
        """
        key = (namespace.class_name, object_id)
        actor = self._actors.get(key)
        if actor is None:
            self._check_open()
            if len(self._actors) >= self._max_live:
                self._evict()
            name = name_inside(name)
            database = self._state.database(namespace.unique_key, object_id, name)
            actor = self._actors[key] = Actor(
                image=self._loaded.image,
                limits=self._limits,
                router=self,
                threads=self._threads,
                clock=self._clock,
                identity=(namespace.class_name, object_id, name),
                database=database,
                alarm=ObjectAlarm(database, self._state.alarms, namespace.unique_key, object_id),
                compatibility=self._loaded.project.compatibility,
                on_gone=self._object_gone,
            )
        elif name is not None:
            actor.learn_name(name)
        actor.last_used = self._clock.now()
        return actor

    async def run_alarm(self, stub: Stub) -> bool:
        """
        Run an object's alarm now, due or not; for tests.

        Args:
            stub: The object.
        Returns:
            Whether an alarm was pending, and ran.
        Raises:
            JavaScriptError: The handler threw, or the object broke. The alarm stays as it was.
        """
        actor = self.actor(stub.namespace, stub.id, stub.name)
        assert actor.alarms is not None
        run = actor.alarms.start(FIRST_TRY, early=True)
        await run.ended
        if run.failure is not None:
            raise run.failure
        return run.scheduled is not None

    async def alarms_quiet(self) -> None:
        """Wait until no alarm that is due is running or about to; for tests that move the clock."""
        await self._alarms.quiet()

    async def close(self, timeout: float = 30.0) -> None:
        """
        Finish what is under way, then drop everything.

        Args:
            timeout: Seconds that requests under way may take.
        """
        if self._closed:
            return
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._alarms.close()
        actors = [*self._actors.values(), *([self._worker] if self._worker else [])]
        busy = [asyncio.ensure_future(actor.quiesce()) for actor in actors if actor.busy]
        if busy:
            _, late = await asyncio.wait(busy, timeout=timeout)
            for task in late:
                task.cancel()
        for actor in actors:
            actor.close()
        for table in list(self._sockets.values()):
            table.lose()
        for tree in list(self._trees.values()):
            await tree.quiet()
        self._threads.close()
        self._loaded.image.close()

    @cached_property
    def objects(self) -> Inventory:
        """All objects from outside. Imported with its first use: a host starts without it."""
        from durabox.objects.access import HostAccess
        from durabox.objects.inventory import Inventory

        return Inventory(HostAccess(self, self._state))

    def announce(self, url: str) -> None:
        """Leave word in the state directory where this host's admin surface answers."""
        self._state.announce(url)

    # For `access.HostAccess`

    def awake(self, unique_key: str) -> dict[str, float]:
        """The live objects of a namespace by id, and when each was used last, in milliseconds since the epoch."""
        space = self._by_key.get(unique_key)
        name = None if space is None else space.class_name
        return {
            key[1]: actor.last_used
            for key, actor in self._actors.items()
            if key[0] == name and not isinstance(actor, FacetActor)
        }

    def live_actor(self, unique_key: str, object_id: str) -> Actor | None:
        """An object, if it is in memory."""
        space = self._by_key.get(unique_key)
        return None if space is None else self._actors.get((space.class_name, object_id))

    def facets_of(self, unique_key: str, object_id: str) -> FacetTree | None:
        """An object's facets, if it or one of them is in memory."""
        space = self._by_key.get(unique_key)
        return None if space is None else self._trees.get((space.class_name, object_id))

    def sockets_of(self, unique_key: str, object_id: str) -> list[tuple[tuple[str, ...], bytes]]:
        """See `access.Access.sockets`."""
        space = self._by_key.get(unique_key)
        if space is None:
            return []
        root, _, number = object_id.partition(".")
        table = self._sockets.get((space.class_name, object_id))
        if number:
            tree = self._trees.get((space.class_name, root))
            facet = None if tree is None else tree.facet(int(number))
            table = None if facet is None else facet.sockets
        return [] if table is None else table.seen()

    @contextmanager
    def held(self, unique_key: str, object_id: str) -> Iterator[ObjectDatabase]:
        """The database of an object that is not in memory; its requests and those of its facets wait until the block ends."""
        space = self._by_key.get(unique_key)
        if space is None:
            with self._state.visit(unique_key, object_id) as database:
                yield database
            return
        actor = self.actor(space, object_id, None)
        actor.hold()
        tree = self._trees.get((space.class_name, object_id))
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

    # For actors

    def id_from_name(self, namespace: int, name: str) -> str:
        """See `actor.Router`."""
        return self._space(namespace).ids.from_name(name)

    def id_from_string(self, namespace: int, text: str) -> str:
        """See `actor.Router`."""
        return self._space(namespace).ids.check(text)

    def new_id(self, namespace: int) -> str:
        """See `actor.Router`."""
        return self._space(namespace).ids.new()

    def locate(self, namespace: int, object_id: str, name: str | None) -> Actor:
        """See `actor.Router`."""
        return self.actor(self._space(namespace), object_id, name)

    def worker(self) -> Actor:
        """See `actor.Router`."""
        worker = self._worker
        if worker is None:
            self._check_open()
            worker = self._worker = Actor(
                image=self._loaded.image,
                limits=self._limits,
                router=self,
                threads=self._threads,
                clock=self._clock,
                identity=None,
                database=None,
                alarm=None,
                compatibility=self._loaded.project.compatibility,
                on_gone=self._worker_gone,
            )
        return worker

    def sockets(self, actor: Actor) -> SocketTable:
        """See `actor.Router`."""
        if isinstance(actor, FacetActor):
            return self._facet_sockets(actor)
        identity = actor.identity
        if identity is None:
            table = self._worker_sockets
            if table is None:
                table = self._worker_sockets = SocketTable(
                    lambda work: self.worker().submit(work),
                    self._clock.now,
                    self._limiter(lambda: self._worker),
                )
            return table
        key = identity[:2]
        table = self._sockets.get(key)
        if table is None:
            space = self._by_name[identity[0]]
            table = self._sockets[key] = SocketTable(
                lambda work: self.actor(space, identity[1], identity[2]).submit(work),
                self._clock.now,
                self._limiter(lambda: self._actors.get(key)),
            )
        return table

    def _facet_sockets(self, actor: FacetActor) -> SocketTable:
        facet = actor.facet
        table = facet.sockets
        if table is None:
            table = facet.sockets = SocketTable(
                lambda work: facet.connect().submit(work),
                self._clock.now,
                self._limiter(lambda: facet.actor),
            )
        return table

    def facets(self, actor: Actor) -> Facets:
        """See `router.Router`."""
        if isinstance(actor, FacetActor):
            return actor.facet.below
        assert actor.identity is not None
        key = actor.identity[:2]
        tree = self._trees.get(key)
        if tree is None:
            unique_key = self._by_name[key[0]].unique_key
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
        self._check_open()
        if len(self._actors) >= self._max_live:
            self._evict()
        class_name, object_id = key
        own_key = (class_name, facet_id(object_id, facet.below.number))
        database = facet.of.tree.database(facet.below.number)
        actor = FacetActor(
            facet,
            image=self._loaded.image,
            limits=self._limits,
            router=self,
            threads=self._threads,
            clock=self._clock,
            identity=(class_name, object_id, None),
            database=database,
            alarm=FacetAlarm(database, self._state.alarms, self._by_name[class_name].unique_key, own_key[1]),
            compatibility=self._loaded.project.compatibility,
            on_gone=partial(self._facet_gone, key, own_key),
        )
        self._actors[own_key] = actor
        return actor

    # Alarms

    async def _run_due(self, unique_key: str, alarm: Pending, retry: Retry) -> Again | Over:
        """See `alarm_scheduler.RunAlarm`."""
        space = self._by_key[unique_key]
        alarms = self._state.alarms
        try:
            object_id = space.ids.check(alarm.object_id)
        except InvalidObjectIdError as error:
            logger.warning("%s: an alarm of %r: %s", unique_key, alarm.object_id, error)
            alarms.set_later(unique_key, alarm.object_id, None, None)
            return Over(None)
        try:
            actor = self.actor(space, object_id, alarm.name)
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
        live = self._actors.get((space.class_name, object_id))
        if live is not None:
            assert live.alarms is not None
            await live.alarms.start(FIRST_TRY, drop=True).ended
            return
        database = self._state.database(space.unique_key, object_id)
        try:
            if database.metadata.alarm() == time_ns:
                database.metadata.put(Key.ALARM, None)
                await asyncio.to_thread(database.commit)
                self._state.alarms.set_later(space.unique_key, object_id, None, None)
        finally:
            database.close()

    # Inside

    def _limiter(self, find: Callable[[], Actor | None]) -> Callable[[float], Callable[[], None]]:
        """See `sockets.SocketTable`."""

        def expired() -> None:
            actor = find()
            if actor is not None:
                actor.reset(EVENT_TIMED_OUT)

        return lambda ms: self._clock.call_later(ms, expired).cancel

    def _space(self, number: int) -> Namespace:
        if not 0 <= number < len(self._namespaces):
            raise UnknownObjectClassError(str(number), list(self._by_name))
        return self._namespaces[number]

    def _check_open(self) -> None:
        if self._closed:
            raise HostClosedError("The host is shutting down.")

    def _object_gone(self, actor: Actor) -> None:
        assert actor.identity is not None
        key = (actor.identity[0], actor.identity[1])
        if self._actors.get(key) is actor:
            del self._actors[key]
        table = self._sockets.get(key)
        if table is not None:
            if actor.evicted and not self._closed:
                table.evicted()
            else:
                table.lose()
            if not table.ends and table.auto is None:
                del self._sockets[key]
        if actor.database is not None:
            catalog = self._state.catalog(self._by_name[key[0]].unique_key)
            catalog.note(key[1], actor.identity[2], actor.last_used)

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
        actor.facet.gone(actor, closed=self._closed)
        self._drop_tree(key)

    def _drop_tree(self, key: tuple[str, str]) -> None:
        """Forget an object's facets if nothing of it is left in memory."""
        tree = self._trees.get(key)
        if tree is not None and key not in self._actors and not tree.in_use:
            del self._trees[key]

    def _worker_gone(self, actor: Actor) -> None:
        if self._worker is actor:
            self._worker = None
            if self._worker_sockets is not None:
                self._worker_sockets.lose()
                self._worker_sockets = None

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
        for key in to_evict(live, now=now, idle_ms=self._idle_ms, most=self._max_live - 1):
            self._actors[key].close()
