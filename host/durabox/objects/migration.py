"""Migrations in JavaScript: a function over each object's storage, in a sandbox of its own, without the object's class.

The script is a module whose default export is ``async (storage, {id, name}) => …``. It runs inside of one
``storage.transaction()``, so that it is done to an object whole or not at all; the mark that it is done is written
just before that transaction's end.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from durabox.engine.engine import Engine
from durabox.engine.ops import GuestError
from durabox.errors import DuraboxError, ModuleError, NetworkError, StorageError
from durabox.limits import Limits
from durabox.objects.actor import Actor, Surroundings
from durabox.objects.clock import Clock
from durabox.objects.loading import LoadedProject, load
from durabox.objects.messages import Request, Response
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.ops import ObjectOps
from durabox.objects.storage_threads import StorageThreads
from durabox.project.project import load_project
from durabox.storage import migrations
from durabox.storage.alarms import Alarms
from durabox.storage.database import ObjectDatabase

_CLASS: Final = "Migration"
_ALONE: Final = "A migration has only the storage of the object that it is for."
_WRAPPER: Final = f"""
import {{ DurableObject }} from "cloudflare:workers";
import * as script from "./migration.js";
const migrate = script.default;
if (typeof migrate !== "function") throw new TypeError("The script's default export is not a function.");
export class {_CLASS} extends DurableObject {{
  async fetch() {{
    const {{ id, storage }} = this.ctx;
    await storage.transaction(() => migrate(storage, {{ id: id.toString(), name: id.name }}));
    return new Response();
  }}
  alarm() {{}}
}}
"""


class _Nowhere:
    """What a migration's router is: there is nothing but the object."""

    dev = False

    def __init__(self) -> None:
        self.caches = self

    def __getattr__(self, name: str) -> Any:
        raise GuestError("Error", _ALONE)

    async def network(self, request: Request) -> Response:
        """See `Router`."""
        raise NetworkError(_ALONE, retryable=False)

    async def put(self, *response: object) -> None:
        """See `Caches`."""
        raise NetworkError(_ALONE, retryable=False)


class _Borrowed:
    """A database that an actor may commit and roll back, but not close."""

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def close(self) -> None:
        """It is not the actor's: only what is uncommitted goes."""
        self._database.rollback()


class _MigrationOps(ObjectOps):
    """`ObjectOps` that mark the object as the migration's transaction ends."""

    def __init__(
        self, migration: str, actor: Actor, limits: Limits, database: ObjectDatabase, alarm: ObjectAlarm
    ) -> None:
        super().__init__(actor, limits, database, alarm)
        self._migration = migration
        self._database = database

    def op_savepoint_release(self, depth: int, body: bytes) -> None:
        """Keep what was done; with the outermost savepoint, that the migration is done."""
        if depth == 1:
            try:
                migrations.mark(self._database, self._migration)
            except StorageError as error:
                raise GuestError("Error", error.message) from None
            # Whether the script wrote anything or not: its answer says that it is marked.
            self.gate.confirmed = True
        self.storage.op_savepoint_release(depth, body)


class Script:
    """
    A migration's script, evaluated. Made by `evaluate`.

    Args:
        loaded: The script with its wrapper.
        migration: What objects are marked with.
        clock: Time and timers.
        together: Most objects that it is run over at the same time.
    """

    def __init__(self, loaded: LoadedProject, migration: str, clock: Clock, together: int) -> None:
        self._loaded = loaded
        self._migration = migration
        self._threads = StorageThreads(asyncio.get_running_loop(), together)
        self._around = Surroundings(
            loaded.image,
            Limits(),
            cast(Any, _Nowhere()),
            self._threads,
            clock,
            loaded.project.compatibility,
        )

    async def run(
        self, database: ObjectDatabase, alarms: Alarms, unique_key: str, object_id: str, name: str | None
    ) -> None:
        """
        Change an object and mark it, in one transaction; durable when it returns.

        Args:
            database: The object's, with nothing uncommitted and for nobody else meanwhile.
            alarms: Hears of the alarm that the script sets.
            unique_key: Its class's.
            object_id: Its id.
            name: Its name, if known.
        Raises:
            DuraboxError: It failed and nothing has changed.
        """
        borrowed = cast(ObjectDatabase, _Borrowed(database))
        alarm = ObjectAlarm(borrowed, alarms, unique_key, object_id)
        actor = Actor(
            self._around,
            identity=(_CLASS, object_id, name),
            database=borrowed,
            alarm=alarm,
            on_gone=lambda actor: None,
            object_ops=partial(_MigrationOps, self._migration),
        )
        try:
            await actor.incoming.fetch(Request("POST", "http://migration/", [], None))
        finally:
            actor.close()
        if not migrations.has_had(database, self._migration):
            raise DuraboxError("The script ended without keeping what it did.")

    def close(self) -> None:
        """Let the thread and the image go."""
        self._threads.close()
        self._loaded.image.close()


async def evaluate(source: str, migration: str, clock: Clock, together: int) -> Script:
    """
    Evaluate a migration's script.

    Args:
        source: The module.
        migration: What objects are marked with.
        clock: Time and timers.
        together: Most objects that it is run over at the same time.
    Raises:
        ModuleError: It does not load.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "migration.js").write_text(source, "utf-8", "surrogatepass")
        (Path(folder) / "index.js").write_text(_WRAPPER)
        try:
            loaded = await load(load_project(Path(folder) / "index.js"), Engine.shared())
        except ModuleError as error:
            if error.file != "index.js":
                raise
            # Nobody knows that file.
            raise ModuleError(error.message, "migration.js") from None
    return Script(loaded, migration, clock, together)
