"""What one object may occupy of its host: operations under way, and room in the log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from durabox import Limits, ObjectBrokenError
from durabox.testing import VirtualClock
from tests.objects.conftest import OpenHost

CLASS = """
import { DurableObject } from "cloudflare:workers";
export class Busy extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    return new Response(String(await this[pathname.slice(1)](Number(searchParams.get("n")))));
  }
  async #most(start) {
    let started = 0;
    try {
      for (;;) { await start(); started++; }
    } catch (error) {
      return `${started} ${error.name}: ${error.message}`;
    }
  }
  timers() { return this.#most(() => { setTimeout(() => {}, 1000); }); }
  stubs() {
    const kept = [];
    return this.#most(() => {
      kept.push(this.env.BUSY.getByName(`other ${kept.length}`));
      return kept.at(-1).fetch("https://o/one");
    });
  }
  async dropped(n) {
    for (; n > 0; n--) {
      // Some at once, so that more go away together than are told of with the next one.
      const names = Array.from({ length: 3 }, (_, i) => `${n} ${i}`);
      await Promise.all(names.map((name) => this.env.BUSY.getByName(name).fetch("https://o/one")));
    }
    return "done";
  }
  async calls() {
    const stub = this.env.BUSY.getByName("other");
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => stub.fetch("https://o/wait")));
    return results.filter(({ reason }) => /^Too many /.test(reason?.message)).length;
  }
  async wait() { await scheduler.wait(10); return "waited"; }
  one() { const id = setTimeout(() => {}, 1000); clearTimeout(id); return "one"; }
  log(n) { for (let i = 0; i < n; i++) console.log("x".repeat(1000)); return "logged"; }
  big(n) { console.log("y".repeat(n)); return "logged"; }
  blank(n) { for (let i = 0; i < n; i++) console.log(""); return "logged"; }
  quiet(n) { for (let i = 0; i < n; i++) console.debug("z".repeat(1000)); console.log("heard"); return "logged"; }
}
"""
TEN = Limits(pending=10)


@pytest.mark.parametrize("what", ["timers", "stubs"])
async def test_what_is_there_at_once_is_limited(host_of: OpenHost, what: str) -> None:
    async with host_of(CLASS, limits=TEN, clock=VirtualClock()) as host:
        answer = await host.namespace("Busy").get_by_name("a").fetch(f"/{what}")
        # The tenth stub has no room left for its call.
        started = {"timers": 10, "stubs": 9}[what]
        assert await answer.text() == (
            f"{started} Error: Too many timers, stubs, streams and operations at once: the limit is 10."
        )


async def test_stubs_that_were_dropped_leave_room_for_others(host_of: OpenHost) -> None:
    async with host_of(CLASS, limits=TEN, clock=VirtualClock()) as host:
        answer = await host.namespace("Busy").get_by_name("a").fetch("/dropped?n=20")
        assert await answer.text() == "done"


async def test_calls_to_other_objects_count(host_of: OpenHost) -> None:
    clock = VirtualClock()
    async with host_of(CLASS, limits=TEN, clock=clock) as host:
        stub = host.namespace("Busy").get_by_name("a")
        calls = asyncio.ensure_future(stub.fetch("/calls"))
        while not calls.done():
            await clock.advance(10)
        # One of ten places is the stub's own.
        assert await (await calls).text() == "11"


async def test_room_comes_back_when_something_ends(host_of: OpenHost) -> None:
    clock = VirtualClock()
    async with host_of(CLASS, limits=TEN, clock=clock) as host:
        stub = host.namespace("Busy").get_by_name("a")
        for _ in range(3):
            assert (await (await stub.fetch("/timers")).text()).startswith("10 ")
            await clock.advance(1000)
        for _ in range(30):
            assert await (await stub.fetch("/one")).text() == "one"


async def _logged(
    host_of: OpenHost, caplog: pytest.LogCaptureFixture, paths: list[str], log_kb: int = 4
) -> list[str]:
    with caplog.at_level(logging.INFO, "durabox.console"):
        async with host_of(CLASS, limits=Limits(log_kb=log_kb)) as host:
            for path in paths:
                assert await (await host.namespace("Busy").get_by_name("a").fetch(path)).text() == "logged"
    return [record.getMessage() for record in caplog.records if record.name == "durabox.console"]


async def test_console_of_one_event_is_limited_and_says_so(
    host_of: OpenHost, caplog: pytest.LogCaptureFixture
) -> None:
    lines = await _logged(host_of, caplog, ["/log?n=50"])
    assert lines[:3] == ["x" * 1000] * 3
    assert sum(map(len, lines[:-1])) <= 4096
    assert lines[-1] == "more than 4 KiB in one event: the rest is dropped"


async def test_one_long_line_is_cut(host_of: OpenHost, caplog: pytest.LogCaptureFixture) -> None:
    first, notice = await _logged(host_of, caplog, ["/big?n=100000"])
    assert first == "y" * 4096
    assert "dropped" in notice


async def test_empty_lines_count_too(host_of: OpenHost, caplog: pytest.LogCaptureFixture) -> None:
    assert len(await _logged(host_of, caplog, ["/blank?n=5000"])) < 100


async def test_each_event_has_the_whole_of_it(host_of: OpenHost, caplog: pytest.LogCaptureFixture) -> None:
    assert await _logged(host_of, caplog, ["/log?n=3", "/log?n=3", "/log?n=3"]) == ["x" * 1000] * 9


async def test_lines_that_are_not_logged_do_not_count(
    host_of: OpenHost, caplog: pytest.LogCaptureFixture
) -> None:
    assert await _logged(host_of, caplog, ["/quiet?n=50"]) == ["heard"]


SPENDER = """
import { DurableObject } from "cloudflare:workers";
const work = {
  // 15 ms of a thread's time each, and none of the guest's.
  async threads() {
    const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
    const parameters = { name: "PBKDF2", salt: new Uint8Array(8), iterations: 50_000, hash: "SHA-256" };
    return () => crypto.subtle.deriveBits(parameters, key, 256);
  },
  async turns() { return () => { for (let i = 0; i < 10_000; i++) Math.random(); return scheduler.wait(0); }; },
  async timers() {
    let tick;
    setInterval(() => { for (let i = 0; i < 10_000; i++) Math.random(); tick(); }, 0);
    return () => new Promise((done) => { tick = done; });
  },
};
export class Spender extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const step = await work[pathname.slice(1)]();
    for (let n = Number(searchParams.get("n")); n > 0; n--) await step();
    return new Response("done");
  }
}
"""


@pytest.mark.parametrize("what", ["threads", "turns", "timers"])
async def test_time_of_threads_and_of_many_short_turns_counts(host_of: OpenHost, what: str) -> None:
    async with host_of(SPENDER, limits=Limits(cpu_ms=100)) as host:
        spender = host.namespace("Spender").get_by_name("a")
        with pytest.raises(ObjectBrokenError, match="exceeded its CPU time limit"):
            await spender.fetch(f"/{what}?n=1000000")
        assert await (await spender.fetch(f"/{what}?n=1")).text() == "done"


async def test_each_event_that_comes_in_gives_the_time_again(host_of: OpenHost) -> None:
    async with host_of(SPENDER, limits=Limits(cpu_ms=100)) as host:
        spender = host.namespace("Spender").get_by_name("a")
        for _ in range(20):
            assert await (await spender.fetch("/threads?n=1")).text() == "done"
