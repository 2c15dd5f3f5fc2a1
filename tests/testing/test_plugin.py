"""`durabox` as others use it in their tests."""

from __future__ import annotations

import asyncio
import errno
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from durabox.errors import ObjectBrokenError
from durabox.storage.files import Files
from durabox.testing import Fault, WatchedFiles, settle
from durabox.testing.plugin import OpenHost
from durabox.testing.plugin import durabox_host as durabox_host

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  async fetch(request) {
    if (request.method === "POST") await this.ctx.storage.put("n", ((await this.ctx.storage.get("n")) ?? 0) + 1);
    if (new URL(request.url).pathname === "/later") await scheduler.wait(1000);
    return Response.json((await this.ctx.storage.get("n")) ?? 0);
  }
}
"""


async def test_every_host_of_the_fixture_has_state_of_its_own(durabox_host: OpenHost) -> None:
    for _ in range(2):
        async with durabox_host(SOURCE) as host:
            answer = await host.namespace("Box").get_by_name("a").fetch("/", "POST")
            assert await answer.text() == "1"


async def test_state_that_is_named_is_shared(durabox_host: OpenHost) -> None:
    async with durabox_host(SOURCE) as host:
        await host.namespace("Box").get_by_name("a").fetch("/", "POST")
    async with durabox_host(SOURCE, host.state) as host:
        assert await (await host.namespace("Box").get_by_name("a").fetch("/")).text() == "1"


async def test_time_stands_still_until_it_is_moved(durabox_host: OpenHost) -> None:
    async with durabox_host(SOURCE) as host:
        stub = host.namespace("Box").get_by_name("a")
        await stub.fetch("/")
        answer = asyncio.ensure_future(stub.fetch("/later"))
        await settle()
        await host.clock.advance(999)
        assert not answer.done()
        await host.clock.advance(1)
        assert await (await asyncio.wait_for(answer, 5)).text() == "0"
        await host.evict()
        assert host.host.live == 0


async def test_disks_fail_on_demand(durabox_host: OpenHost) -> None:
    async with durabox_host(SOURCE) as host:
        space = host.namespace("Box")
        await space.get_by_name("a").fetch("/", "POST")
        host.files.fail(Fault(1, errno.ENOSPC, lasting=True))
        with pytest.raises(ObjectBrokenError, match="database or disk is full: SQLITE_FULL"):
            await space.get_by_name("b").fetch("/", "POST")
        host.files.mend()
        assert await (await space.get_by_name("b").fetch("/", "POST")).text() == "1"


def test_the_plugin_is_announced_to_pytest() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    plugin = project["project"]["entry-points"]["pytest11"]["durabox"]
    assert hasattr(import_module(plugin), "durabox_host")


def test_whatever_changes_files_is_watched() -> None:
    changes = {name for name in vars(Files) if not name.startswith("_")} - {
        "vfs",
        "exists",
        "open",
        "stat",
        "list",
    }
    assert changes <= vars(WatchedFiles).keys()
