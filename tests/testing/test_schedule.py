"""Orders that a seed decides: they repeat, they differ, and objects answer rightly in all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from durabox.objects.host import Host
from durabox.testing import SeededExecutor, SeededLoop

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Queue extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx, how = new URL(request.url).pathname;
    if (how === "/all") return Response.json([await storage.get("n"), [...(await storage.list({ prefix: "k" })).values()]]);
    const step = async (store) => {
      const n = ((await store.get("n")) ?? 0) + 1;
      await store.put("n", n);
      await store.put("k" + String(n).padStart(3, "0"), n);
      return n;
    };
    const n = how === "/transaction" ? await storage.transaction(step) : how === "/section"
      ? await this.ctx.blockConcurrencyWhile(() => step(storage)) : await step(storage);
    return Response.json(n);
  }
}
"""


def _run(seed: int, main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: SeededLoop(seed)) as runner:
        return runner.run(main)


async def _order() -> list[int]:
    order: list[int] = []

    async def work(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(work(number) for number in range(8)))
    return order


def test_a_seed_repeats_its_order() -> None:
    assert _run(7, _order()) == _run(7, _order())


def test_seeds_differ_in_their_orders() -> None:
    assert len({tuple(_run(seed, _order())) for seed in range(5)}) == 5


@pytest.mark.parametrize("seed", range(8))
def test_no_order_of_callbacks_and_commits_mixes_requests_up(seed: int, tmp_path: Path) -> None:
    main = tmp_path / "index.js"
    main.write_text(SOURCE)
    ways = ["/", "/transaction", "/section"] * 10

    async def requests() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SeededLoop)
        async with Host.open(main, tmp_path / "state", executor=SeededExecutor(loop)) as host:
            stub = host.namespace("Queue").get_by_name("a")
            answers = await asyncio.gather(*(stub.fetch(way) for way in ways))
            numbers = [json.loads(await answer.text()) for answer in answers]
            everything = json.loads(await (await stub.fetch("/all")).text())
        assert sorted(numbers) == list(range(1, len(ways) + 1)), "each number once"
        assert everything == [len(ways), sorted(numbers)]

    _run(seed, requests())
