"""Queries over copies of objects' databases, from the event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import apsw

from durabox.objects.threads import in_thread
from durabox.objects.values import sql_as_json
from durabox.storage import queries


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
        while (batch := await in_thread(partial(next, batches, None), copy.interrupt)) is not None:
            yield {
                "columns": list(batch.columns),
                "rows": [[sql_as_json(value) for value in row] for row in batch.rows],
            }
    finally:
        copy.close(True)
