"""Queries over copies of objects' databases, from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, TypeVar

import apsw

from durabox.objects.values import sql_as_json
from durabox.storage import queries

T = TypeVar("T")


async def query(copy: apsw.Connection, text: str) -> AsyncGenerator[dict[str, Any], None]:
    """
    Run one statement that only reads.

    Args:
        copy: The database, which is closed in the end.
        text: The statement.
    Yields:
        ``{"columns", "rows"}``, a batch of rows each.
    Raises:
        StorageError: It fails.
    """
    try:
        batches = queries.query(copy, text)
        while (batch := await _in_thread(copy, partial(next, batches, None))) is not None:
            yield {
                "columns": list(batch.columns),
                "rows": [[sql_as_json(value) for value in row] for row in batch.rows],
            }
    finally:
        copy.close(True)


async def _in_thread(copy: apsw.Connection, work: Callable[[], T]) -> T:
    """Work on a copy in a thread; when nobody waits for it any more, it is interrupted and then over."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        copy.interrupt()
        await asyncio.wait({running})
        running.exception()  # nobody wants to hear of it
        raise
