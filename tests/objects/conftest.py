"""A project from a string."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from durabox.objects.host import Host


class OpenHost(Protocol):
    """The ``host_of`` fixture."""

    def __call__(self, source: str, **options: Any) -> AbstractAsyncContextManager[Host]:
        """Open a host on a module with that source."""
        ...


@pytest.fixture
def host_of(tmp_path: Path) -> OpenHost:
    """Open a `Host` on one module; its options are those of `Host.open`."""

    @asynccontextmanager
    async def open_host(source: str, **options: Any) -> AsyncIterator[Host]:
        main = tmp_path / "main.js"
        main.write_text(source)
        async with Host.open(main, **options) as host:
            yield host

    return open_host
