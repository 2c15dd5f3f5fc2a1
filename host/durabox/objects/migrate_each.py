"""One migration of many objects, each exactly once."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from durabox.errors import DuraboxError
from durabox.objects.access import Access
from durabox.objects.clock import SystemClock
from durabox.objects.targets import Target
from durabox.storage import migrations
from durabox.storage.database import ObjectDatabase

if TYPE_CHECKING:
    from durabox.objects.migration import Script

#: Objects that are changed at the same time: most of the time each waits for the disk.
_TOGETHER: Final = 8


async def migrate_each(
    access: Access,
    key: str,
    objects: AsyncIterator[Target],
    script: str,
    *,
    javascript: bool,
    migration: str,
) -> AsyncGenerator[dict[str, Any], None]:
    """
    Change objects.

    Args:
        access: The way to their databases.
        key: The unique key of their namespace.
        objects: Which ones.
        script: See `Inventory.migrate`.
        javascript: See `Inventory.migrate`.
        migration: What it is known by.
    Yields:
        See `Inventory.migrate`.
    Raises:
        ModuleError: The script does not load.
        StorageError: The directory cannot be read.
    """
    shelf = access.state.catalog(key).shelf
    journal = await access.blocking(partial(access.state.journal, migration, key))
    evaluated: Script | None = None
    stopped = threading.Event()

    async def migrate(database: ObjectDatabase, found: Target) -> None:
        if evaluated is not None:
            await evaluated.run(database, access.state.alarms, key, found.id, found.name)
        else:
            await access.blocking(
                partial(migrations.run_sql, database, script, migration, stopped.is_set), stopped.set
            )

    async def visit(found: Target) -> dict[str, Any] | None:
        """What became of one object, ``None`` if it stores nothing any more."""
        outcome: dict[str, Any] = {"id": found.id, "name": found.name, "outcome": "already"}
        stamp = shelf.stamp(found.id)
        if stamp is not None and journal.has(found.id, stamp):
            return outcome
        try:
            async with access.alone(found.unique_key, found.id) as database:
                if not await access.blocking(database.exists):
                    return None
                if not await access.blocking(partial(migrations.has_had, database, migration)):
                    await migrate(database, found)
                    outcome["outcome"] = "done"
                stamp = shelf.stamp(found.id)
                if stamp is not None:
                    journal.add(found.id, stamp)
        except DuraboxError as error:
            outcome |= {"outcome": "failed", "error": str(error)}
        return outcome

    visits: deque[asyncio.Task[dict[str, Any] | None]] = deque()
    try:
        if javascript:
            # An engine, which only this needs.
            from durabox.objects.migration import evaluate

            evaluated = await evaluate(script, migration, SystemClock(), _TOGETHER)
        async for found in objects:
            visits.append(asyncio.ensure_future(visit(found)))
            if len(visits) == _TOGETHER and (outcome := await visits.popleft()) is not None:
                yield outcome
        while visits:
            if (outcome := await visits.popleft()) is not None:
                yield outcome
    finally:
        if visits:
            # Nobody wants to hear more: objects that are not done stay as they were.
            stopped.set()
            for each in visits:
                each.cancel()
            await asyncio.wait(visits)
        if evaluated is not None:
            evaluated.close()
        await access.blocking(journal.close)
