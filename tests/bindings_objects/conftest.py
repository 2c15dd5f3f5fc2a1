"""JavaScript in, plain data out: a module whose object runs the code under test."""

from __future__ import annotations

import json
from typing import Any, Protocol

import pytest

from durabox.objects.host import Host
from durabox.objects.messages import Request
from tests.objects.conftest import OpenHost as OpenModule
from tests.objects.conftest import host_of as open_module

__all__ = ["OpenModule", "open_module"]

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
