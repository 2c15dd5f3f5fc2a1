"""Input gate, critical sections, output gate and broken objects, seen through `Host`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.testing import VirtualClock, settle
from tests.objects.conftest import OpenHost


@pytest.fixture
def host_of(host_of: OpenHost) -> OpenHost:
    """With the class that all objects here extend."""
    return lambda source, **options: host_of(
        f'import {{ DurableObject }} from "cloudflare:workers";\n{source}', **options
    )


async def text(stub, path: str = "/", **options) -> str:  # type: ignore[no-untyped-def]
    """The body of an answer."""
    return await (await stub.fetch(path, **options)).text()


async def test_nothing_comes_between_a_read_and_the_write_after_it(host_of: OpenHost) -> None:
    source = """
    export class Counter extends DurableObject {
      async fetch() {
        const value = (await this.ctx.storage.get("value")) ?? 0;
        await this.ctx.storage.put("value", value + 1);
        return new Response(String(value + 1));
      }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("Counter").get_by_name("a")
        answers = await asyncio.gather(*(text(stub) for _ in range(100)))
        assert sorted(map(int, answers)) == list(range(1, 101))


async def test_the_constructors_critical_section_comes_before_any_request(host_of: OpenHost) -> None:
    source = """
    export class Slow extends DurableObject {
      constructor(ctx, env) {
        super(ctx, env);
        this.log = [];
        ctx.blockConcurrencyWhile(async () => {
          this.log.push("begin");
          await new Promise((resolve) => setTimeout(resolve, 50));
          this.log.push("end");
        });
      }
      async fetch(request) {
        this.log.push(new URL(request.url).pathname);
        return new Response(this.log.join(" "));
      }
    }"""
    clock = VirtualClock()
    async with host_of(source, clock=clock) as host:
        stub = host.namespace("Slow").get_by_name("a")
        first = asyncio.ensure_future(text(stub, "/1"))
        await settle()
        assert not first.done()
        await clock.advance(50)
        assert await first == "begin end /1"


async def test_a_critical_section_returns_its_value_and_keeps_others_out(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      log = [];
      async fetch(request) {
        const name = new URL(request.url).pathname.slice(1);
        if (name === "log") return new Response(this.log.join(" "));
        const got = await this.ctx.blockConcurrencyWhile(async () => {
          this.log.push(name + ">");
          await scheduler.wait(10);
          await new Promise((resolve) => setTimeout(resolve, 10));
          this.log.push("<" + name);
          return "value of " + name;
        });
        return new Response(got);
      }
    }"""
    clock = VirtualClock()
    async with host_of(source, clock=clock) as host:
        stub = host.namespace("Box").get_by_name("a")
        answers = [asyncio.ensure_future(text(stub, f"/{name}")) for name in "abc"]
        for _ in range(8):
            await clock.advance(10)
        assert await asyncio.gather(*answers) == ["value of a", "value of b", "value of c"]
        assert await text(stub, "/log") == "a> <a b> <b c> <c"


async def test_critical_sections_nest(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch() {
        const log = [];
        await this.ctx.blockConcurrencyWhile(async () => {
          log.push(1);
          await this.ctx.blockConcurrencyWhile(async () => {
            log.push(2);
            await scheduler.wait(1);
            log.push(3);
          });
          log.push(4);
        });
        log.push(5);
        return Response.json(log);
      }
    }"""
    async with host_of(source) as host:
        assert await text(host.namespace("Box").get_by_name("a")) == "[1,2,3,4,5]"


async def test_a_failing_critical_section_resets_the_object(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      visits = 0;
      async fetch(request) {
        this.visits++;
        if (request.url.endsWith("/break")) {
          await this.ctx.storage.put("kept", 1);
          await this.ctx.blockConcurrencyWhile(async () => {
            await this.ctx.storage.put("lost", 1);
            throw new RangeError("out of range");
          });
        }
        const [kept, lost] = [await this.ctx.storage.get("kept"), await this.ctx.storage.get("lost")];
        return Response.json([this.visits, kept ?? null, lost ?? null]);
      }
    }"""
    async with host_of(source) as host:
        space = host.namespace("Box")
        assert await text(space.get_by_name("a")) == "[1,null,null]"
        with pytest.raises(ObjectBrokenError, match="out of range") as caught:
            await text(space.get_by_name("a"), "/break")
        assert caught.value.name == "RangeError"
        assert await text(space.get_by_name("a")) == "[1,1,null]"


async def test_a_throwing_constructor_fails_the_requests_that_waited_and_the_next_tries_again(
    host_of: OpenHost,
) -> None:
    source = """
    export class Box extends DurableObject {
      constructor(ctx, env) {
        super(ctx, env);
        ctx.blockConcurrencyWhile(async () => {
          const tries = (await ctx.storage.get("tries")) ?? 0;
          if (tries < 1) await ctx.storage.put("tries", tries + 1);
        });
        throw new Error("not yet");
      }
      fetch() { return new Response("never"); }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("Box").get_by_name("a")
        for _ in range(2):
            with pytest.raises(ObjectBrokenError, match="not yet"):
                await text(stub)


async def test_abort_resets_the_object_at_once(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch(request) {
        if (request.url.endsWith("/wait")) await new Promise(() => {});
        if (request.url.endsWith("/abort")) {
          this.ctx.storage.put("never", 1);
          this.ctx.abort("enough");
          return new Response("unreachable");
        }
        return Response.json((await this.ctx.storage.get("never")) ?? "nothing");
      }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("Box").get_by_name("a")
        waiting = asyncio.ensure_future(text(stub, "/wait"))
        await settle()
        with pytest.raises(ObjectBrokenError, match="enough"):
            await text(stub, "/abort")
        with pytest.raises(ObjectBrokenError, match="enough"):
            await waiting
        assert await text(stub) == '"nothing"'


async def test_a_throwing_handler_leaves_the_object_alive(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      visits = 0;
      fetch(request) {
        this.visits++;
        if (request.url.endsWith("/throw")) throw new TypeError("no such thing");
        return new Response(String(this.visits));
      }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("Box").get_by_name("a")
        with pytest.raises(JavaScriptError, match="no such thing") as caught:
            await text(stub, "/throw")
        assert caught.value.name == "TypeError"
        assert not isinstance(caught.value, ObjectBrokenError)
        assert "main.js:" in caught.value.stack
        assert await text(stub) == "2"


async def test_a_write_without_await_is_there_after_the_answer(host_of: OpenHost, tmp_path: Path) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch(request) {
        if (request.method === "POST") { this.ctx.storage.put("k", "kept"); return new Response("ok"); }
        return new Response(await this.ctx.storage.get("k"));
      }
    }"""
    state = tmp_path / "state"
    async with host_of(source, state=state) as host:
        assert await text(host.namespace("Box").get_by_name("a"), method="POST") == "ok"
    async with host_of(source, state=state) as host:
        assert await text(host.namespace("Box").get_by_name("a")) == "kept"


async def test_wait_until_keeps_working_after_the_answer(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch(request) {
        if (request.method === "POST") {
          this.ctx.waitUntil(scheduler.wait(100).then(() => this.ctx.storage.put("late", true)));
          return new Response("early");
        }
        return Response.json((await this.ctx.storage.get("late")) ?? false);
      }
    }"""
    clock = VirtualClock()
    async with host_of(source, clock=clock, idle_ms=50) as host:
        stub = host.namespace("Box").get_by_name("a")
        assert await text(stub, method="POST") == "early"
        assert await text(stub) == "false"
        await clock.advance(99)
        assert host.live == 1, "pending work keeps the object in memory"
        await clock.advance(1)
        assert await text(stub) == "true"


async def test_idle_objects_leave_memory_and_come_back_with_their_state(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      memory = 0;
      async fetch() {
        const stored = ((await this.ctx.storage.get("n")) ?? 0) + 1;
        await this.ctx.storage.put("n", stored);
        return Response.json([++this.memory, stored]);
      }
    }"""
    clock = VirtualClock()
    async with host_of(source, clock=clock, idle_ms=10_000) as host:
        stub = host.namespace("Box").get_by_name("a")
        assert [await text(stub), await text(stub)] == ["[1,1]", "[2,2]"]
        await clock.advance(20_000)
        assert host.live == 0
        assert await text(stub) == "[1,3]"


async def test_beyond_the_cap_the_least_recently_used_object_leaves(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      memory = 0;
      fetch() { return new Response(String(++this.memory)); }
    }"""
    clock = VirtualClock()
    async with host_of(source, clock=clock, max_live=3) as host:
        space = host.namespace("Box")
        for name in ("a", "b", "c", "a", "d"):
            await text(space.get_by_name(name))
            await clock.advance(1)
        assert host.live == 3
        assert await text(space.get_by_name("a")) == "3"
        assert await text(space.get_by_name("b")) == "1"


async def test_a_transaction_is_all_or_nothing(host_of: OpenHost) -> None:
    source = """
    export class Bank extends DurableObject {
      async fetch(request) {
        const how = new URL(request.url).pathname.slice(1);
        const { storage } = this.ctx;
        let outcome = "committed";
        try {
          await storage.transaction(async (txn) => {
            await txn.put({ a: 1, b: 2 });
            await scheduler.wait(1);
            if (how === "throw") throw new Error("changed my mind");
            if (how === "rollback") txn.rollback();
            if (how === "nested") {
              await storage.transaction(async (inner) => { await inner.put("c", 3); });
              await storage.transaction(async (inner) => { await inner.put("d", 4); inner.rollback(); });
            }
          });
        } catch (error) { outcome = error.message; }
        const all = Object.fromEntries(await storage.list());
        await storage.deleteAll();
        return Response.json([outcome, all]);
      }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("Bank").get_by_name("a")
        assert await text(stub, "/") == '["committed",{"a":1,"b":2}]'
        assert await text(stub, "/throw") == '["changed my mind",{}]'
        assert await text(stub, "/rollback") == '["committed",{}]'
        assert await text(stub, "/nested") == '["committed",{"a":1,"b":2,"c":3}]'


async def test_two_objects_talk_through_stubs_and_errors_say_that_they_are_remote(host_of: OpenHost) -> None:
    source = """
    export class Front extends DurableObject {
      async fetch(request) {
        const stub = this.env.BACK.getByName("b");
        try {
          const answer = await stub.fetch("http://back" + new URL(request.url).pathname, { method: "POST", body: "hi" });
          return new Response(await answer.text(), { status: answer.status });
        } catch (error) {
          return Response.json([error.name, error.message, error.remote]);
        }
      }
    }
    export class Back extends DurableObject {
      async fetch(request) {
        if (request.url.endsWith("/throw")) throw new RangeError("far away");
        return new Response((await request.text()) + " there", { status: 201 });
      }
    }"""
    async with host_of(source) as host:
        stub = host.namespace("FRONT").get_by_name("a")
        answer = await stub.fetch("/ok")
        assert (answer.status, await answer.text()) == (201, "hi there")
        assert await text(stub, "/throw") == '["RangeError","far away",true]'


async def test_a_section_can_send_a_body_that_waits(host_of: OpenHost) -> None:
    source = """
    export class Echo extends DurableObject { async fetch(request) { return new Response(await request.text()); } }
    export class Box extends DurableObject {
      async fetch() {
        const { storage } = this.ctx;
        const parts = ["a", "b"];
        const slow = () => new ReadableStream({
          async pull(controller) {
            await storage.put("left", parts.length);
            await storage.sync();
            await scheduler.wait(1);
            const part = parts.shift();
            if (part === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(part));
          },
        });
        const echo = this.ctx.exports.Echo.getByName("e");
        return this.ctx.blockConcurrencyWhile(async () =>
          new Response(await (await echo.fetch("https://o/", { method: "POST", body: slow() })).text()));
      }
    }"""
    async with host_of(source) as host:
        assert await text(host.namespace("Box").get_by_name("a")) == "ab"


async def test_a_section_that_waits_for_outside_work_is_reset_with_the_reason(host_of: OpenHost) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch() {
        await this.ctx.blockConcurrencyWhile(() => new Promise(() => {}));
        return new Response("never");
      }
    }"""
    async with host_of(source) as host:
        with pytest.raises(ObjectBrokenError, match="will never complete"):
            await text(host.namespace("Box").get_by_name("a"))


async def test_closing_the_host_finishes_what_is_under_way(host_of: OpenHost, tmp_path: Path) -> None:
    source = """
    export class Box extends DurableObject {
      async fetch(request) {
        if (request.method === "POST") {
          await scheduler.wait(20);
          await this.ctx.storage.put("k", 1);
          return new Response("written");
        }
        return Response.json(await this.ctx.storage.get("k"));
      }
    }"""
    state = tmp_path / "state"
    async with host_of(source, state=state) as host:
        under_way = asyncio.ensure_future(text(host.namespace("Box").get_by_name("a"), method="POST"))
        await settle()
    assert await under_way == "written"
    async with host_of(source, state=state) as host:
        assert await text(host.namespace("Box").get_by_name("a")) == "1"
