"""``ctx.blockConcurrencyWhile``: when its callback runs, and what its end means."""

from __future__ import annotations

import pytest

from durabox.errors import ObjectBrokenError

from .conftest import InObject, OpenModule

HEAD = 'import { DurableObject } from "cloudflare:workers";\n'


async def test_the_callback_runs_after_the_turn_that_asked_for_it(in_object: InObject) -> None:
    assert await in_object("""
      const log = ["a"];
      const promise = ctx.blockConcurrencyWhile(async () => {
        log.push("callback");
        await storage.get("x");
        await new Promise((resolve) => setTimeout(resolve, 5));
        log.push("callback ends");
        return 9;
      });
      log.push("b");
      await storage.get("x");
      log.push("c");
      setTimeout(() => log.push("timer"), 1);
      promise.then(() => log.push("then"));
      log.push(await promise);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return log;
    """) == ["a", "b", "c", "callback", "callback ends", "then", 9, "timer"]


async def test_a_plain_value_is_accepted_and_a_callback_is_demanded(in_object: InObject) -> None:
    assert await in_object("""
      return [await ctx.blockConcurrencyWhile(() => 5), await attempt(() => ctx.blockConcurrencyWhile(5))];
    """) == [
        5,
        "TypeError: Failed to execute 'blockConcurrencyWhile' on 'DurableObjectState': "
        "parameter 1 is not of type 'function'.",
    ]


async def test_sections_nest(in_object: InObject) -> None:
    assert await in_object("""
      const log = [];
      await ctx.blockConcurrencyWhile(async () => {
        log.push("outer");
        const inner = ctx.blockConcurrencyWhile(async () => { log.push("inner"); await storage.get("a"); log.push("i2"); });
        log.push("outer goes on");
        await inner;
        log.push("outer ends");
      });
      return log;
    """) == ["outer", "outer goes on", "inner", "i2", "outer ends"]


@pytest.mark.parametrize("how", ["async () => { throw error; }", "() => { throw error; }"])
async def test_a_failing_callback_resets_the_object_and_its_promise_never_settles(
    open_module: OpenModule, how: str
) -> None:
    source = (
        HEAD
        + """
    export class Fragile extends DurableObject {
      async fetch(request) {
        if (request.url.endsWith("count")) return new Response(String(await this.ctx.storage.get("count")));
        await this.ctx.storage.put("count", 1);
        const error = new RangeError("broken");
        try { await this.ctx.blockConcurrencyWhile(HOW); } catch {}
        return new Response("settled");
      }
    }""".replace("HOW", how)
    )
    async with open_module(source) as host:
        stub = host.namespace("Fragile").get_by_name("a")
        with pytest.raises(ObjectBrokenError) as caught:
            await stub.fetch("/")
        assert (caught.value.name, caught.value.message) == ("RangeError", "broken")
        assert await (await stub.fetch("/count")).text() == "1"
