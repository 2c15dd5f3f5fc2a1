"""JavaScript in, plain data out: a module whose object runs the code under test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from durabox.objects.host import Host
from durabox.objects.messages import Request

#: `attempt` turns what a call does into data: its value, or the error's name and message.
MODULE = """
import { DurableObject } from "cloudflare:workers";
async function attempt(run) {
  try {
    const value = await run();
    return value instanceof Map ? [...value] : value === undefined ? "undefined" : value;
  } catch (error) {
    return error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : String(error);
  }
}
export class Probe extends DurableObject {
  async fetch(request) {
    const { ctx, env } = this, storage = ctx.storage;
    %s
  }
}
%s
"""


class InObject(Protocol):
    """The ``in_object`` fixture."""

    async def __call__(self, body: str, more: str = "", **options: Any) -> Any:
        """Run the body of an object's fetch handler and return the JSON value of its `return`."""
        ...


class OpenModule(Protocol):
    """The ``open_module`` fixture."""

    def __call__(self, source: str, **options: Any) -> AbstractAsyncContextManager[Host]:
        """Open a host on a module with that source."""
        ...


@pytest.fixture
def open_module(tmp_path: Path) -> OpenModule:
    """Open a `Host` on one module; the options are those of `Host.open`."""

    @asynccontextmanager
    async def opened(source: str, **options: Any) -> AsyncIterator[Host]:
        main = tmp_path / "main.js"
        main.write_text(source)
        async with Host.open(main, **options) as host:
            yield host

    return opened


@pytest.fixture
def in_object(open_module: OpenModule) -> InObject:
    """Run code inside an object named ``probe`` and get what it returns, through JSON."""

    async def run(body: str, more: str = "", **options: Any) -> Any:
        wrapped = f"return Response.json(await (async () => {{ {body} }})() ?? null);"
        async with open_module(MODULE % (wrapped, more), **options) as host:
            response = await host.namespace("Probe").get_by_name("probe").fetch("/")
            return json.loads(await response.text())

    return run


async def ask_worker(host: Host, path: str = "/") -> str:
    """The text that the Worker answers with."""
    return await (await host.fetch(Request("GET", f"http://worker{path}", [], None))).text()
