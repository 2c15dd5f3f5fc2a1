"""Alarms, seen through `Host`, under a virtual clock."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.limits import Limits
from durabox.objects.alarms import MS
from durabox.objects.host import Host
from durabox.objects.namespace import Stub
from durabox.project.project import load_project
from durabox.storage.directory import StateDirectory
from durabox.testing import VirtualClock
from tests.objects.conftest import OpenHost

#: `how` says what the handler does; everything that happens is stored under "log".
SOURCE = """
import { DurableObject } from "cloudflare:workers";

let constructed = 0;

export class Bell extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.life = ++constructed;
    if (ctx.id.name === "fragile") throw new Error("cannot be made");
  }
  async note(entry) {
    const log = (await this.ctx.storage.get("log")) ?? [];
    await this.ctx.storage.put("log", [...log, entry]);
  }
  async fetch(request) {
    const { storage } = this.ctx;
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/set":
        await storage.put("how", searchParams.get("how") ?? "");
        await storage.setAlarm(Date.now() + Number(searchParams.get("in") ?? 1000));
        return new Response();
      case "/delete": await storage.deleteAlarm(); return new Response();
      case "/delete-all": await storage.deleteAll(); return new Response();
      case "/touch": await storage.put("touched", true); return new Response();
      case "/get": return Response.json(await storage.getAlarm());
      case "/go": this.go?.(); return new Response();
      case "/run": return Response.json(await (0, eval)("1"));
    }
    return Response.json((await storage.get("log")) ?? []);
  }
  async alarm(info) {
    const { storage } = this.ctx;
    const how = await storage.get("how");
    await this.note([info.retryCount, await storage.getAlarm()]);
    switch (how) {
      case "throw": throw new RangeError("not today");
      case "throw-twice": if (info.retryCount < 2) throw new RangeError("not today"); break;
      case "abort": this.ctx.abort("enough"); break;
      case "abort-for-good": this.ctx.abort("enough", { retryAlarm: false }); break;
      case "again": await storage.setAlarm(info.scheduledTime + 1000); break;
      case "now": if ((await storage.get("log")).length < 3) await storage.setAlarm(Date.now()); break;
      case "again-and-throw":
        if ((await storage.get("log")).length < 2) { await storage.setAlarm(Date.now() + 500); throw new Error("late"); }
        break;
      case "delete-and-throw": await storage.deleteAlarm(); throw new Error("late");
      case "delete-all": await storage.deleteAll(); break;
      case "rolled-back":
        await storage.transaction(async (txn) => { await txn.setAlarm(4e12); txn.rollback(); });
        await this.note(["after", await storage.getAlarm()]);
        break;
      case "rolled-back-inside":
        await storage.transaction(async (txn) => {
          await txn.setAlarm(3e12);
          await storage.transaction(async (inner) => { await inner.setAlarm(4e12); inner.rollback(); });
        });
        break;
      case "rolled-back-sync":
        try { storage.transactionSync(() => { storage.setAlarm(4e12); throw new Error("no"); }); } catch {}
        await this.note(["after", await storage.getAlarm()]);
        break;
      case "hang": await new Promise((resolve) => { this.go = resolve; }); await this.note("went"); break;
      case "spin": for (;;) {}
    }
  }
}

export class Deaf extends DurableObject {
  constructor(ctx, env) { super(ctx, env); if (ctx.id.name === "early") ctx.storage.setAlarm(Date.now() + 1000); }
  async fetch(request) {
    if (request.method === "POST") await this.ctx.storage.setAlarm(Date.now() + 1000);
    return Response.json(await this.ctx.storage.getAlarm());
  }
}
"""

START = 1_700_000_000_000


class Rig:
    """A host on `SOURCE` whose clock is moved by hand."""

    def __init__(self, host: Host, clock: VirtualClock) -> None:
        self.host = host
        self.clock = clock

    def bell(self, name: str = "a") -> Stub:
        return self.host.namespace("Bell").get_by_name(name)

    async def ask(self, path: str, name: str = "a") -> Any:
        text = await (await self.bell(name).fetch(path)).text()
        return json.loads(text) if text else None

    async def log(self, name: str = "a") -> list[Any]:
        log: list[Any] = await self.ask("/", name)
        return log

    async def at(self, milliseconds: float) -> None:
        """Move the clock to that time after the start and let what is due happen."""
        await self.clock.advance(START + milliseconds - self.clock.now())
        await self.quiet()

    async def quiet(self) -> None:
        async with asyncio.timeout(10):
            await self.host.alarms_quiet()

    async def entries(self, count: int, name: str = "a") -> list[Any]:
        """The log once it is that long."""
        async with asyncio.timeout(10):
            while len(log := await self.log(name)) < count:
                await asyncio.sleep(0)
        return log


@asynccontextmanager
async def rig(host_of: OpenHost, source: str = SOURCE, **options: Any) -> AsyncIterator[Rig]:
    """A `Rig`; the options are those of `Host.open`."""
    clock = options.pop("clock", None) or VirtualClock()
    async with host_of(source, clock=clock, **options) as host:
        yield Rig(host, clock)


async def test_an_alarm_fires_at_its_time_and_not_before(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000")
        assert await bell.ask("/get") == START + 1000
        await bell.at(999)
        assert await bell.log() == []
        await bell.at(1000)
        assert await bell.log() == [[0, None]]
        assert await bell.ask("/get") is None
        await bell.at(10_000_000)
        assert await bell.log() == [[0, None]]


async def test_a_time_in_the_past_is_now(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=-5000&how=again")
        await bell.quiet()
        assert await bell.log() == [[0, None]]
        assert await bell.ask("/get") == START + 1000, "the time it was told is the time of setting it"


async def test_setting_and_deleting_replace_the_alarm(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000")
        await bell.ask("/set?in=3000")
        await bell.at(2000)
        assert await bell.log() == []
        await bell.ask("/set?in=500")
        await bell.at(2500)
        assert await bell.log() == [[0, None]]
        await bell.ask("/set?in=500")
        await bell.ask("/delete")
        await bell.at(10_000)
        assert await bell.log() == [[0, None]]


async def test_a_handler_that_throws_is_tried_again_and_told_so(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=throw-twice")
        await bell.at(1000)
        assert await bell.ask("/get") == START + 1000, "between tries the stored time is there"
        await bell.at(2999)
        assert await bell.log() == [[0, None]]
        await bell.at(1000 + 2500)
        assert await bell.log() == [[0, None], [1, None]]
        await bell.at(1000 + 2500 + 5000)
        assert await bell.log() == [[0, None], [1, None], [2, None]]
        assert await bell.ask("/get") is None


async def test_after_six_more_tries_an_alarm_is_given_up(
    host_of: OpenHost, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=0&how=throw")
        time = 0.0
        for delay in (0, 2, 4, 8, 16, 32, 64):
            time += delay * 1250
            await bell.at(time)
        assert [entry[0] for entry in await bell.log()] == list(range(7))
        assert await bell.ask("/get") is None
        assert "given up after 7 tries" in caplog.text
        await bell.at(time + 1e7)
        assert len(await bell.log()) == 7
        await bell.ask("/set?in=0&how=")
        await bell.at(time + 1e7)
        assert (await bell.log())[-1] == [0, None], "a new alarm starts anew"


@pytest.mark.parametrize("how", ["abort", "spin"])
async def test_an_alarm_that_breaks_its_object_is_tried_again_and_given_up(
    host_of: OpenHost, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(host_of, limits=Limits(cpu_ms=20)) as bell:
        await bell.ask(f"/set?in=0&how={how}")
        time = 0.0
        for delay in (0, 2, 4, 8, 16, 32, 64):
            time += delay * 1250
            await bell.at(time)
        assert "its alarm is given up" in caplog.text
        assert await bell.ask("/get") is None
        # What it wrote was never committed.
        assert await bell.log() == []


async def test_an_abort_can_do_without_another_try(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=abort-for-good")
        await bell.at(1000)
        assert await bell.ask("/get") is None
        await bell.at(100_000)
        assert await bell.log() == []


async def test_a_constructor_that_throws_is_a_failed_try(
    host_of: OpenHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = VirtualClock()
    state = tmp_path / "state"
    async with rig(host_of, SOURCE.replace('"fragile"', '""'), clock=clock, state=state) as bell:
        await bell.ask("/set?in=1000", "fragile")
    async with rig(host_of, clock=clock, state=state) as bell:
        time = 1000.0
        for delay in (0, 2, 4, 8, 16, 32, 64):
            time += delay * 1250
            await bell.at(time)
        assert "its alarm is given up" in caplog.text
        assert caplog.text.count("cannot be made") == 7
    async with rig(host_of, SOURCE.replace('"fragile"', '""'), clock=clock, state=state) as bell:
        assert await bell.ask("/get", "fragile") is None


async def test_an_alarm_set_by_its_handler_comes_next(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=again")
        for second in range(1, 5):
            await bell.at(second * 1000)
        assert await bell.log() == [[0, None]] * 4
        assert await bell.ask("/get") == START + 5000


async def test_an_alarm_for_this_very_moment_set_by_its_handler_fires_too(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=now")
        await bell.at(1000)
        assert await bell.log() == [[0, None]] * 3
        assert await bell.ask("/get") is None


async def test_a_new_time_replaces_the_next_try(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=again-and-throw")
        await bell.at(1000)
        assert await bell.ask("/get") == START + 1500
        await bell.at(1500)
        assert await bell.log() == [[0, None], [0, None]]
        await bell.at(100_000)
        assert len(await bell.log()) == 2


async def test_a_deleted_alarm_is_not_tried_again(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=delete-and-throw")
        await bell.at(1000)
        assert await bell.ask("/get") is None
        await bell.at(100_000)
        assert await bell.log() == [[0, None]]
        await bell.ask("/set?in=1000&how=throw")
        await bell.at(101_000)
        await bell.ask("/delete")
        await bell.at(1_000_000)
        assert len(await bell.log()) == 2, "deleted between two tries"


async def test_a_rolled_back_alarm_was_never_set(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=rolled-back", "a")
        await bell.ask("/set?in=1000&how=rolled-back-sync", "b")
        await bell.ask("/set?in=1000&how=rolled-back-inside", "c")
        await bell.at(1000)
        for name in "ab":
            assert await bell.log(name) == [[0, None], ["after", None]]
            assert await bell.ask("/get", name) is None, "the alarm that fired is done with"
        assert await bell.ask("/get", "c") == 3_000_000_000_000


async def test_two_runs_never_overlap_and_others_come_in_between(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=hang")
        await bell.clock.advance(1000)
        await bell.entries(1)
        await bell.ask("/set?in=0&how=")
        for _ in range(20):
            await bell.clock.advance(100)
        assert await bell.log() == [[0, None]], "the second waits for the end of the first"
        await bell.ask("/go")
        await bell.quiet()
        assert await bell.log() == [[0, None], "went", [0, None]]


async def test_a_handler_that_takes_too_long_is_ended_and_tried_again(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000&how=hang")
        await bell.clock.advance(1000)
        await bell.entries(1)
        waiting = asyncio.ensure_future(bell.host.run_alarm(bell.bell()))
        await bell.clock.advance(15 * 60_000)
        with pytest.raises(ObjectBrokenError, match="Alarm exceeded its allowed execution time"):
            await waiting
        await bell.clock.advance(2500)
        assert await bell.entries(2) == [[0, None], [1, None]]
        await bell.ask("/go")
        await bell.quiet()


async def test_an_alarm_wakes_an_object_that_left_memory_and_knows_its_name(host_of: OpenHost) -> None:
    source = SOURCE.replace("const how = ", "await this.note(ctxName(this)); const how = ") + (
        "function ctxName(object) { return [object.ctx.id.name ?? null, object.life]; }"
    )
    async with rig(host_of, source, idle_ms=10_000) as bell:
        await bell.ask("/set?in=60000", "ann")
        await bell.at(50_000)
        assert bell.host.live == 0, "a pending alarm does not keep an object in memory"
        await bell.at(60_000)
        assert (await bell.log("ann"))[0][0] == "ann"
        await bell.at(100_000)
        assert bell.host.live == 0


async def test_late_alarms_fire_at_the_next_start(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    clock = VirtualClock()
    async with rig(host_of, clock=clock, state=state) as bell:
        await bell.ask("/set?in=1000", "a")
        await bell.ask("/set?in=1000000", "b")
    await clock.advance(5000)
    async with rig(host_of, clock=clock, state=state) as bell:
        await bell.quiet()
        assert bell.host.live == 1
        assert await bell.log("a") == [[0, None]]
        assert await bell.log("b") == []


class HeldThreads(ThreadPoolExecutor):
    """Commits wait until they may go on."""

    def __init__(self) -> None:
        super().__init__(2)
        self.free = threading.Event()
        self.free.set()
        self.waiting = 0

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Any:
        def wait_and_work() -> Any:
            self.free.wait()
            return work(*arguments, **options)

        self.waiting += not self.free.is_set()
        return super().submit(wait_and_work)


async def test_an_index_that_is_out_of_date_wakes_nobody(
    host_of: OpenHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    async with rig(host_of, state=state) as bells:
        space = bells.host.namespace("Bell")
    there = (space.unique_key, space.ids.from_name("fragile"))
    directory = StateDirectory(state)
    directory.alarms.set(*there, "fragile", (START + 1000) * MS).result()
    directory.close()
    async with rig(host_of, state=state) as bells:
        await bells.at(1000)
    assert "cannot be made" not in caplog.text
    directory = StateDirectory(state)
    assert directory.alarms.get(*there).result() is None
    directory.close()


async def test_an_index_that_is_out_of_date_runs_no_handler_while_an_alarm_is_being_set(
    host_of: OpenHost, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with rig(host_of, state=state) as bells:
        await bells.ask("/set")
        await bells.ask("/delete")
        space = bells.host.namespace("Bell")
    # As after a crash: the index has a time that the object has given up.
    directory = StateDirectory(state)
    directory.alarms.set(space.unique_key, space.ids.from_name("a"), "a", (START + 1000) * MS).result()
    directory.close()
    threads = HeldThreads()
    async with rig(host_of, state=state, executor=threads) as bells, asyncio.timeout(10):
        await bells.ask("/")
        threads.free.clear()
        try:
            first = asyncio.ensure_future(bells.ask("/touch"))
            while not threads.waiting:
                await asyncio.sleep(0)
            second = asyncio.ensure_future(bells.ask("/set?in=8000"))
            await bells.clock.advance(1000)
            while not any("_fire" in repr(task.get_coro()) for task in asyncio.all_tasks()):
                await asyncio.sleep(0)
        finally:
            threads.free.set()
        await asyncio.gather(first, second)
        await bells.quiet()
        assert await bells.log() == []
        assert await bells.ask("/get") == START + 9000
        await bells.at(8999)
        assert await bells.log() == []
        await bells.at(9000)
        assert await bells.log() == [[0, None]]


async def test_a_try_that_was_due_is_made_after_a_restart(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    clock = VirtualClock()
    async with rig(host_of, clock=clock, state=state) as bell:
        await bell.ask("/set?in=1000&how=throw-twice")
        await bell.at(1000)
    async with rig(host_of, clock=clock, state=state) as bell:
        await bell.quiet()
        assert await bell.log() == [[0, None], [0, None]]


async def test_many_late_alarms_start_few_objects_at_once(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    clock = VirtualClock()
    names = [f"n{number}" for number in range(40)]
    async with rig(host_of, clock=clock, state=state) as bell:
        await asyncio.gather(*(bell.ask("/set?in=1000&how=hang", name) for name in names))
    await clock.advance(1000)
    async with rig(host_of, clock=clock, state=state, max_live=20) as bell:
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert bell.host.live == 10
        went: set[str] = set()
        while len(went) < len(names):
            for name in names:
                if name not in went and (await bell.log(name))[-1:] == ["went"]:
                    went.add(name)
                else:
                    await bell.ask("/go", name)
        await bell.quiet()
        assert [await bell.log(name) for name in names] == [[[0, None], "went"]] * 40


@pytest.mark.parametrize("jump", [-3_600_000, 3_600_000])
async def test_a_clock_that_jumps_loses_nothing(host_of: OpenHost, jump: int) -> None:
    async with rig(host_of) as bell:
        await bell.ask("/set?in=1000", "a")
        await bell.ask("/set?in=600000", "b")
        await bell.at(1000)
        bell.clock.set(bell.clock.now() + jump)
        await bell.clock.advance(30_000)
        await bell.quiet()
        late = jump > 0
        assert await bell.log("b") == ([[0, None]] if late else [])
        await bell.ask("/set?in=1000", "c")
        await bell.clock.advance(1000)
        await bell.quiet()
        assert await bell.log("c") == [[0, None]]
        await bell.clock.advance(600_000 - jump)
        await bell.quiet()
        assert await bell.log("b") == [[0, None]]
        assert await bell.log("a") == [[0, None]]


async def test_a_class_without_a_handler_cannot_set_one_but_its_constructor_can(
    host_of: OpenHost, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(host_of) as bell:
        space = bell.host.namespace("Deaf")
        with pytest.raises(
            JavaScriptError, match=r"must have an alarm\(\) handler in order to call setAlarm"
        ):
            await space.get_by_name("late").fetch("/", method="POST")
        early = space.get_by_name("early")
        assert await (await early.fetch("/")).json() == START + 1000
        caplog.set_level(logging.WARNING)
        await bell.at(1000)
        assert "has no alarm() handler" in caplog.text
        assert await (await early.fetch("/")).json() is None
        await bell.at(1_000_000)
        assert caplog.text.count("has no alarm() handler") == 1


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, False),
        ({"compatibility_date": "2026-02-23"}, True),
        ({"compatibility_date": "2026-02-24"}, False),
        ({"compatibility_date": "2025-01-01", "compatibility_flags": ["delete_all_deletes_alarm"]}, False),
        ({"compatibility_date": "2026-11-01", "compatibility_flags": ["delete_all_preserves_alarm"]}, True),
    ],
)
async def test_delete_all_takes_the_alarm_along_from_the_date_of_that_change(
    tmp_path: Path, settings: dict[str, object], kept: bool
) -> None:
    (tmp_path / "main.js").write_text(SOURCE)
    (tmp_path / "wrangler.json").write_text(json.dumps({"name": "w", "main": "main.js", **settings}))
    clock = VirtualClock()
    async with Host.open(load_project(tmp_path), clock=clock) as host:
        bell = Rig(host, clock)
        await bell.ask("/set?in=1000", "a")
        await bell.ask("/delete-all", "a")
        assert await bell.ask("/get", "a") == (START + 1000 if kept else None)
        await bell.at(1000)
        assert await bell.log("a") == ([[0, None]] if kept else [])


async def test_a_test_can_run_an_alarm_before_its_time(host_of: OpenHost) -> None:
    async with rig(host_of) as bell:
        assert await bell.host.run_alarm(bell.bell()) is False
        await bell.ask("/set?in=60000")
        assert await bell.host.run_alarm(bell.bell()) is True
        assert await bell.log() == [[0, None]]
        await bell.at(100_000)
        assert await bell.log() == [[0, None]]
        await bell.ask("/set?in=60000&how=throw")
        with pytest.raises(JavaScriptError, match="not today"):
            await bell.host.run_alarm(bell.bell())
        assert await bell.ask("/get") == START + 160_000


async def test_an_object_without_alarms_tells_the_index_nothing(host_of: OpenHost, tmp_path: Path) -> None:
    told: list[object] = []
    async with rig(host_of, state=tmp_path / "state") as bell:
        bell.host._state.alarms.listener = lambda *change: told.append(change)
        await bell.ask("/delete")
        await bell.ask("/delete-all")
        assert told == []


async def test_a_host_starts_although_an_index_cannot_be_opened(
    host_of: OpenHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "state" / "main-Bell" / "metadata.sqlite"
    index.mkdir(parents=True)
    async with rig(host_of, state=tmp_path / "state") as bell:
        assert "the pending alarms of Bell cannot be read" in caplog.text
        assert await bell.ask("/") == []
        with pytest.raises(ObjectBrokenError, match="unable to open database file"):
            await bell.ask("/set?in=1000")
        index.rmdir()
        await bell.ask("/set?in=1000")
        await bell.at(1000)
        await bell.at(2000)
        assert await bell.log() == [[0, None]]
