"""One migration of many objects, each exactly once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from durabox.errors import DuraboxError
from durabox.objects.access import Access
from durabox.objects.targets import Target
from durabox.storage import migrations
from durabox.storage.database import ObjectDatabase

if TYPE_CHECKING:
    from durabox.objects.migration import Script


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
    journal = await access.blocking(partial(access.state.journal, migration, key))
    evaluated: Script | None = None

    async def migrate(database: ObjectDatabase, found: Target) -> None:
        if evaluated is not None:
            await evaluated.run(database, access.state.alarms, key, found.id, found.name)
        else:
            await access.blocking(partial(migrations.run_sql, database, script, migration))

    try:
        if javascript:
            # An engine, which only this needs.
            from durabox.objects.host import SystemClock
            from durabox.objects.migration import evaluate

            evaluated = await evaluate(script, migration, SystemClock())
        async for found in objects:
            outcome: dict[str, Any] = {"id": found.id, "name": found.name, "outcome": "already"}
            if not journal.has(found.id):
                try:
                    async with access.alone(found.unique_key, found.id) as database:
                        if not await access.blocking(database.exists):
                            continue
                        if not await access.blocking(partial(migrations.has_had, database, migration)):
                            await migrate(database, found)
                            outcome["outcome"] = "done"
                    journal.add(found.id)
                except DuraboxError as error:
                    outcome |= {"outcome": "failed", "error": str(error)}
            yield outcome
    finally:
        if evaluated is not None:
            evaluated.close()
        await access.blocking(journal.close)
