"""`AsyncLocalStorage`: what follows the flow of asynchronous code, and the layer that it comes in."""

from __future__ import annotations

from tests.bindings_objects.conftest import InObject

IMPORT = 'import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"; const als = new AsyncLocalStorage();'


async def test_a_store_follows_awaits_timers_and_microtasks(in_object: InObject) -> None:
    body = """
      const seen = [];
      const note = (where) => seen.push([where, als.getStore()]);
      await als.run("a", async () => {
        note("sync");
        await null; note("await");
        await new Promise((done) => setTimeout(() => { note("timer"); done(); }, 1));
        await new Promise((done) => queueMicrotask(() => { note("microtask"); done(); }));
        await Promise.resolve().then(() => note("then"));
        als.run("b", () => note("inner"));
        als.exit(() => note("exit"));
        await storage.put("k", 1); note("storage");
      });
      note("after");
      return seen;"""
    assert await in_object(body, IMPORT) == [
        ["sync", "a"],
        ["await", "a"],
        ["timer", "a"],
        ["microtask", "a"],
        ["then", "a"],
        ["inner", "b"],
        ["exit", None],
        ["storage", "a"],
        ["after", None],
    ]


async def test_concurrent_flows_do_not_see_each_other(in_object: InObject) -> None:
    body = """
      const flow = (name) => als.run(name, async () => {
        await new Promise((done) => setTimeout(done, 1));
        return als.getStore();
      });
      return Promise.all(["a", "b", "c"].map(flow));"""
    assert await in_object(body, IMPORT) == ["a", "b", "c"]


async def test_bound_functions_and_snapshots_keep_the_context_they_were_made_in(in_object: InObject) -> None:
    body = """
      const [bound, snapshot, resource] = als.run("then", () => [
        AsyncLocalStorage.bind(() => als.getStore()), AsyncLocalStorage.snapshot(), new AsyncResource("R"),
      ]);
      return als.run("now", () => [
        bound(), snapshot(() => als.getStore()), resource.runInAsyncScope(() => als.getStore()), als.getStore(),
      ]);"""
    assert await in_object(body, IMPORT) == ["then", "then", "then", "now"]


async def test_a_critical_section_still_admits_its_own_work_inside_a_store(in_object: InObject) -> None:
    body = """
      return ctx.blockConcurrencyWhile(() => als.run("x", async () => {
        await new Promise((done) => setTimeout(done, 1));
        return als.getStore();
      }));"""
    assert await in_object(body, IMPORT) == "x"


async def test_built_in_modules_are_found_with_and_without_their_prefix(in_object: InObject) -> None:
    more = 'import * as a from "node:async_hooks"; import * as b from "async_hooks";'
    assert (
        await in_object("return a === b && a.default.AsyncLocalStorage === a.AsyncLocalStorage;", more)
        is True
    )


async def test_a_built_in_module_can_be_imported_dynamically(in_object: InObject) -> None:
    body = 'const { AsyncLocalStorage, default: whole } = await import("node:async_hooks"); return AsyncLocalStorage === whole.AsyncLocalStorage;'
    assert await in_object(body) is True
