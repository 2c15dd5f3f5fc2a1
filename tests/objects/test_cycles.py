"""Objects that call each other in a circle: it works, or fails at once with the circle's name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
export class Node extends DurableObject {
  at(name) { return this.env.NODE.getByName(name); }
  value() { return 5; }
  ping(names, left) { const [next, ...rest] = names; return left === 0 ? "end" : this.at(next).ping([...rest, next], left - 1); }
  call(path) { return path.length === 0 ? 5 : this.at(path[0]).call(path.slice(1)); }
  async later(path) { await null; await this.ctx.storage.put("x", 1); await wait(1); return await this.call(path); }
  async fetching(path) { return path.length === 0 ? 5 : await (await this.at(path[0]).fetch("http://h/", { method: "POST", body: JSON.stringify(path.slice(1)) })).json(); }
  async fetch(request) { return Response.json(await this.fetching(await request.json())); }
  section(path, how = "call") { return this.ctx.blockConcurrencyWhile(() => this.careful(path, how)); }
  async careful(path, how) { try { return await this[how](path); } catch (error) { return error.message; } }
  transaction(path) { return this.ctx.storage.transaction(() => this.careful(path, "call")); }
  async relay(path) { return await this.at(path[0]).section(path.slice(1)); }
  callBack(f) { return f(); }
  lend(other) { return this.ctx.blockConcurrencyWhile(() => this.at(other).callBack(() => this.value())); }
  after(path) { this.ctx.blockConcurrencyWhile(async () => { this.later(path).then((v) => (this.found = v), (e) => (this.found = e.message)); }); }
  async found_() { while (this.found === undefined) await wait(1); return this.found; }
  async together(name) {
    const section = this.ctx.blockConcurrencyWhile(async () => { await wait(20); return "section"; });
    return [await section, await this.at(name).call([this.ctx.id.name, name])];
  }
}
"""
WAITS = (
    "This call would wait for itself, since an object in blockConcurrencyWhile() or a transaction takes no other "
    "calls until that has ended: "
)


async def _ask(host_of: OpenHost, method: str, *arguments: object, name: str = "a") -> Any:
    async with host_of(SOURCE) as host:
        result = await host.namespace("Node").get_by_name(name).call(method, *arguments)
        ids = {host.namespace("Node").get_by_name(each).id: each for each in "abcd"}
    if isinstance(result, str):
        for hexadecimal, each in ids.items():
            result = result.replace(f"Node/{hexadecimal}", each)
    return result


async def test_circles_without_critical_sections_work(host_of: OpenHost) -> None:
    assert await _ask(host_of, "ping", ["b", "a"], 20) == "end"
    assert await _ask(host_of, "call", ["a", "a", "b", "a"]) == 5


@pytest.mark.parametrize(
    ("method", "arguments", "way"),
    [
        ("section", (["b", "a"],), "a → b → a"),
        ("section", (["a"],), "a → a"),
        ("section", (["b", "c", "d", "a"],), "a → b → c → d → a"),
        ("section", (["b", "a"], "later"), "a → b → a"),
        ("section", (["b", "a"], "fetching"), "a → b → a"),
        ("section", (["b", "a"], "relay"), "a → b → a"),
        ("transaction", (["b", "a"],), "a → b → a"),
    ],
)
async def test_a_call_that_waits_for_itself_fails_and_names_the_way(
    host_of: OpenHost, method: str, arguments: tuple[object, ...], way: str
) -> None:
    assert await _ask(host_of, method, *arguments) == f"{WAITS}{way}."


async def test_what_was_lent_from_a_critical_section_may_be_called_in_it(host_of: OpenHost) -> None:
    assert await _ask(host_of, "lend", "b") == 5


async def test_calls_of_a_section_that_has_ended_go_round(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        node = host.namespace("Node").get_by_name("a")
        await node.call("after", ["b", "a"])
        assert await node.call("found_") == 5


async def test_an_unrelated_section_is_waited_for(host_of: OpenHost) -> None:
    assert await _ask(host_of, "together", "b") == ["section", 5]
