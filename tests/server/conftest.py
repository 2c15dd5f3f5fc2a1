"""A server in this process for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.server.wire import Edge, OpenEdge, open_edge


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A server of ``edge.js``."""
    async with open_edge() as opened:
        yield opened


@pytest.fixture
def edge_of(tmp_path: Path) -> OpenEdge:
    """Serve a module with that source."""

    def open_source(source: str, **options: Any) -> AbstractAsyncContextManager[Edge]:
        main = tmp_path / "main.js"
        main.write_text(source)
        return open_edge(main, **options)

    return open_source
