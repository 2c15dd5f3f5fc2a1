"""What is closed leaves nothing behind: no object of ours once garbage is collected, and no memory of a guest before that."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from durabox import Host, Sandbox
from durabox.engine.engine import Engine
from durabox.engine.ops import OpHandlers
from durabox.limits import Limits
from durabox.objects.messages import Request

#: Its image has 12 MB. The number makes each project's another one.
MODULE = """
import { DurableObject } from "cloudflare:workers";
const bytes = new Uint8Array(12e6).fill(%d);
export class Counter extends DurableObject {
  async fetch(request) {
    setTimeout(() => {}, 1e6);
    await this.ctx.storage.put("n", ((await this.ctx.storage.get("n")) ?? 0) + 1);
    return new Response(`${bytes[0]} ${await this.ctx.storage.get("n")}`);
  }
}
export default { fetch: (request, env) => env.Counter.getByName("a").fetch(request) };
"""
ROUNDS = 5


def _ours() -> dict[str, int]:
    """How many objects of our classes are alive."""
    gc.collect()
    found: dict[str, int] = {}
    for each in gc.get_objects():
        kind = type(each)
        if str(kind.__module__).startswith("durabox"):
            found[kind.__qualname__] = found.get(kind.__qualname__, 0) + 1
    return found


def _resident() -> int:
    """Bytes of this process that are in memory, those of files and images among them.

    What the C library keeps of freed memory, for what it gives out next, is given back first: nobody holds it.
    """
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
    text = Path("/proc/self/smaps_rollup").read_text()
    found = re.search(r"^Rss: +(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


async def _host(folder: Path, number: int) -> None:
    main = folder / "main.js"
    main.write_text(MODULE % number)
    async with Host.open(main, folder / "state") as host:
        assert (await host.fetch(Request("GET", "http://x/", []))).status == 200
        assert (await host.namespace("Counter").get_by_name("b").fetch("/")).status == 200
        await host.objects.classes()


async def _sandbox(folder: Path, number: int) -> None:
    async with Sandbox() as box:
        assert (
            await box.eval(f"setTimeout(() => {{}}, 1e6); new Uint8Array(15e6).fill(1).length + {number}")
            == 15_000_000 + number
        )


async def _migration(folder: Path, number: int) -> None:
    main = folder / "main.js"
    main.write_text(MODULE % 0)
    script = (
        f'const n = new Uint8Array(12e6).fill({number}); export default (storage) => storage.put("m", n[0]);'
    )
    async with Host.open(main, folder / "state") as host:
        await host.namespace("Counter").get_by_name("a").fetch("/")
        outcomes = [
            each["outcome"] async for each in host.objects.migrate("Counter", script, javascript=True)
        ]
    assert outcomes == ["done"]


async def _isolate(folder: Path, number: int) -> None:
    # Never closed: it ends with the last reference to it.
    Engine.shared().base.instantiate(OpHandlers(), Limits())


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="tells of memory as Linux does")
@pytest.mark.parametrize("use", [_host, _sandbox, _migration, _isolate])
async def test_what_is_closed_leaves_nothing_behind(
    use: Callable[[Path, int], Awaitable[None]], tmp_path: Path
) -> None:
    # What is made once for all, and the slots that the engine keeps for the next isolates.
    for number in range(2):
        await use(tmp_path, number)
    objects, memory = _ours(), _resident()
    gc.disable()
    try:
        for number in range(ROUNDS):
            await use(tmp_path, 10 + number)
        await asyncio.sleep(0)
        assert _resident() - memory < 30_000_000
    finally:
        gc.enable()
    left = _ours()
    assert {
        kind: left[kind] - objects.get(kind, 0)
        for kind in left
        if left[kind] >= objects.get(kind, 0) + ROUNDS
    } == {}
