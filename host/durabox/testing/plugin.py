"""pytest: the fixture ``durabox_host``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from durabox.objects.host import IDLE_MS, Host
from durabox.objects.messages import Request, Response
from durabox.objects.namespace import Namespace
from durabox.project.project import Project
from durabox.testing.clock import VirtualClock
from durabox.testing.faults import FaultyFiles


@dataclass(frozen=True, slots=True)
class HostUnderTest:
    """
    A host, and the means to test what runs on it.

    Args:
        host: The host.
        clock: Its time.
        files: The file system under its state.
        state: Its state directory.
    """

    host: Host
    clock: VirtualClock
    files: FaultyFiles
    state: Path

    def namespace(self, name: str) -> Namespace:
        """See `Host.namespace`."""
        return self.host.namespace(name)

    async def fetch(self, request: Request) -> Response:
        """See `Host.fetch`."""
        return await self.host.fetch(request)

    async def evict(self) -> None:
        """Let time pass until every idle object has left memory."""
        await self.clock.advance(2 * IDLE_MS)


class OpenHost(Protocol):
    """The fixture ``durabox_host``."""

    def __call__(
        self, project: str | Path | Project, state: Path | None = None, **options: Any
    ) -> AbstractAsyncContextManager[HostUnderTest]:
        """
        Open a host.

        Args:
            project: As for `Host.open`; or the source of a module.
            state: State directory; a fresh one if not given.
            options: Those of `Host.open`.
        """
        ...


@pytest.fixture
def durabox_host(tmp_path: Path) -> OpenHost:
    """Open a `Host` with state of its own, a clock that stands still and files that can fail."""
    numbers = count(1)

    @asynccontextmanager
    async def opened(
        project: str | Path | Project, state: Path | None = None, **options: Any
    ) -> AsyncIterator[HostUnderTest]:
        number = next(numbers)
        if isinstance(project, str) and "\n" in project:
            main = tmp_path / f"module-{number}" / "index.js"
            main.parent.mkdir()
            main.write_text(project)
            project = main
        clock: VirtualClock = options.pop("clock", None) or VirtualClock()
        files: FaultyFiles = options.pop("files", None) or FaultyFiles()
        state = state or tmp_path / f"state-{number}"
        async with Host.open(project, state, clock=clock, files=files, **options) as host:
            yield HostUnderTest(host, clock, files, state)

    return opened
