"""`Host`: a project, running. The server is one user of it, tests are another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from durabox.engine.engine import Engine
from durabox.errors import StorageError
from durabox.limits import Limits
from durabox.objects.actors import Actors
from durabox.objects.alarm_scheduler import AlarmScheduler
from durabox.objects.alarms import FIRST_TRY, MAX_RUNNING
from durabox.objects.clock import Clock, SystemClock
from durabox.objects.due_alarms import DueAlarms
from durabox.objects.loading import LoadedProject, load
from durabox.objects.messages import Request, Response
from durabox.objects.namespace import Namespace, Stub
from durabox.objects.outbound import Network, refuse
from durabox.objects.storage_threads import InExecutor, StorageThreads, Threads
from durabox.project.project import Project, load_project
from durabox.storage.database import MAX_BYTES, Durability
from durabox.storage.directory import StateDirectory
from durabox.storage.files import Files
from durabox.storage.history.retention import Retention

if TYPE_CHECKING:
    from durabox.objects.inventory import Inventory

logger = logging.getLogger("durabox.objects")

#: Threads that wait for fsync; more of them let the file system group the commits of many objects.
STORAGE_THREADS = 16
#: Idle objects leave memory after this long, as on the platform.
IDLE_MS = 10_000.0


class Host:
    """
    Runs one project's Worker and Durable Objects in this process. Use `Host.open`.

    Args:
        loaded: The evaluated project.
        state: Where objects keep their databases.
        actors: Who of it is in memory.
        threads: Where commits run.
        clock: Time and timers.
    """

    def __init__(
        self, loaded: LoadedProject, state: StateDirectory, actors: Actors, threads: Threads, clock: Clock
    ) -> None:
        self._loaded = loaded
        self._state = state
        self._threads = threads
        #: What is in memory, for other parts of durabox.
        self.actors = actors
        self._alarms = AlarmScheduler(
            state.alarms,
            actors.namespaces.unique_keys,
            DueAlarms(actors, state, clock).run,
            clock=clock,
            most=max(min(MAX_RUNNING, actors.max_live // 2), 1),
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
            max_live: At most this many live objects; beyond, the least recently used idle ones leave. At most, and
                unless given, what the process has room for.
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
        loaded = await load(project, Engine.shared())
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
            loop = asyncio.get_running_loop()
            threads = (
                StorageThreads(loop, STORAGE_THREADS) if executor is None else InExecutor(loop, executor)
            )
            actors = Actors(
                loaded,
                directory,
                limits=limits,
                clock=clock,
                idle_ms=idle_ms,
                max_live=max_live,
                threads=threads,
                network=network or refuse,
                dev=dev,
            )
            host = cls(loaded, directory, actors, threads, clock)
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
        return self.actors.namespaces.names

    @property
    def live(self) -> int:
        """Objects in memory."""
        return len(self.actors)

    def namespace(self, name: str) -> Namespace:
        """
        The namespace of an object class.

        Args:
            name: The class or the name of a binding.
        Raises:
            UnknownObjectClassError: Neither exists.
        """
        return self.actors.namespaces.named(name)

    async def fetch(self, request: Request) -> Response:
        """
        Call the Worker's fetch handler.

        Raises:
            JavaScriptError: The handler threw.
            HostClosedError: The host is closing.
        """
        return await self.actors.worker().incoming.fetch(request)

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
        actor = self.actors.get(stub.namespace, stub.id, stub.name)
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
        if self.actors.closed:
            return
        self._alarms.close()
        await self.actors.close(timeout)
        self._threads.close()
        self._loaded.image.close()

    @cached_property
    def objects(self) -> Inventory:
        """All objects from outside. Imported with its first use: a host starts without it."""
        from durabox.objects.host_access import HostAccess
        from durabox.objects.inventory import Inventory

        return Inventory(HostAccess(self.actors, self._state))

    def announce(self, url: str) -> None:
        """Leave word in the state directory where this host's admin surface answers."""
        self._state.announce(url)
