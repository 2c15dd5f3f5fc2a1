"""What is lent over RPC lives as long as somebody may use it, and is disposed of exactly once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from durabox.objects.actor import Actor
from durabox.objects.host import Host
from durabox.objects.messages import Request
from durabox.testing import VirtualClock

SOURCE = Path(__file__).with_name("lifetimes.js")
GONE = "Error: The execution context which hosts this callback is no longer running."


class Stage:
    """A Worker that asks objects of one class."""

    def __init__(self, host: Host, clock: VirtualClock) -> None:
        self.host = host
        self.clock = clock

    async def open(self, path: str) -> tuple[int, bytes]:
        """One request to the Worker: status and body, read whole."""
        response = await self.host.fetch(Request("GET", f"http://worker/{path}", [], None))
        body = response.body
        if body is None or isinstance(body, bytes):
            return response.status, body or b""
        chunks = []
        while chunk := await body.read():
            chunks.append(chunk)
        return response.status, b"".join(chunks)

    async def ask(self, path: str) -> Any:
        """The JSON that the Worker answers with, and what that has led to done."""
        status, body = await self.open(path)
        assert status == 200, body
        await self.quiet()
        return json.loads(body)

    async def quiet(self) -> None:
        """Wait until nothing is on its way between isolates."""
        for _ in range(4):
            for actor in self.actors():
                await actor.quiesce()
            await asyncio.sleep(0)

    def actors(self) -> list[Actor]:
        """The Worker's isolate and the objects in memory."""
        space = self.host.namespace("Keeper")
        ids = self.host.actors.awake(space.unique_key)
        live = (self.host.actors.live(space.unique_key, each) for each in ids)
        return [self.host.actors.worker(), *(actor for actor in live if actor is not None)]

    async def called(self, name: str, method: str = "log") -> Any:
        """What a method of an object returns."""
        return await self.host.namespace("Keeper").get_by_name(name).call(method)

    async def log(self, name: str = "a") -> tuple[Any, Any]:
        """Who was disposed of in an object, and in the Worker, since the last time."""
        await self.quiet()
        return await self.called(name), await self.ask("log")

    @property
    def lent(self) -> list[tuple[int, int]]:
        """Of each isolate: what others have lent it, and what it has lent."""
        return [(len(actor.ops.lending), actor.ops.lending.lent) for actor in self.actors()]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as opened:
        yield opened


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    clock = VirtualClock()
    async with Host.open(SOURCE, clock=clock) as host:
        yield Stage(host, clock)


async def test_what_a_worker_holds_ends_with_its_request(stage: Stage) -> None:
    assert await stage.ask("hold") == "held"
    assert await stage.log() == (["held"], [])
    assert "on behalf of a different request" in await stage.ask("stale")
    assert await stage.ask("stale/dispose") == "disposed"
    assert await stage.log() == ([], [])


async def test_a_stub_of_an_object_that_was_lent_ends_with_it_too(stage: Stage) -> None:
    assert await stage.ask("hold/service") == 0
    for refused in await stage.ask("stale/service"):
        assert "on behalf of a different request" in refused
    assert await stage.ask("hold") == "held"


async def test_wait_until_prolongs_it(stage: Stage) -> None:
    status, _ = await stage.open("hold/wait")
    assert status == 200
    assert await stage.called("a") == []
    await stage.clock.advance(1000)
    assert await stage.log() == (["held"], [])
    assert await stage.ask("later") == "held"


async def test_so_does_a_body_that_is_still_read(stage: Stage) -> None:
    response = await stage.host.fetch(Request("GET", "http://worker/hold/body", [], None))
    body = response.body
    assert body is not None and not isinstance(body, bytes)
    assert await body.read() == b"first "
    assert await stage.called("a") == []
    assert await body.read() == b"held"
    assert await body.read() == b""
    assert await stage.log() == (["held"], [])


async def test_a_body_that_nobody_reads_on_ends_it_too(stage: Stage) -> None:
    response = await stage.host.fetch(Request("GET", "http://worker/hold/body", [], None))
    body = response.body
    assert body is not None and not isinstance(body, bytes)
    await body.read()
    await body.cancel("enough")
    assert await stage.log() == (["held"], [])


async def test_what_a_request_has_lent_cannot_be_called_after_it(stage: Stage) -> None:
    assert await stage.ask("lend") == 1
    assert await stage.ask("kept") == GONE
    # Its own context was over: nothing of it can run any more.
    assert await stage.ask("kept/drop") == "dropped"
    assert await stage.log() == ([], [])


async def test_it_can_be_called_while_wait_until_lasts(stage: Stage) -> None:
    await stage.open("lend/wait")
    assert await stage.called("a", "callKept") == 1
    assert await stage.called("a", "drop") is None
    assert await stage.log() == ([], ["lent"])
    await stage.clock.advance(1000)
    assert await stage.log() == ([], [])


@pytest.mark.parametrize("how", ["take", "fail", "missing", "private"])
async def test_an_argument_is_disposed_of_when_its_call_has_ended(stage: Stage, how: str) -> None:
    assert await stage.ask(f"argument/{how}") == [["argument"], []]


async def test_an_argument_that_cannot_be_sent_is_disposed_of(stage: Stage) -> None:
    assert await stage.ask("unsent") == ["DataCloneError", ["unsent"]]


async def test_an_argument_that_was_duplicated_lives_until_that_is_disposed_of(stage: Stage) -> None:
    assert await stage.ask("duplicate") == [[], 1, ["lent"]]


async def test_each_time_it_was_lent_counts_for_itself(stage: Stage) -> None:
    assert await stage.ask("same") == [["same"], ["same"], []]


async def test_twice_in_one_message_is_once(stage: Stage) -> None:
    assert await stage.ask("twice") == [[], ["twice"]]


async def test_the_disposer_of_a_returned_object_runs_when_its_caller_disposes_of_it(stage: Stage) -> None:
    assert await stage.ask("plain") == [[], ["inside", "plain"], []]
    assert await stage.ask("plain/keep") == 1
    assert await stage.log() == (["inside", "plain"], [])


async def test_that_of_a_function_too(stage: Stage) -> None:
    assert await stage.ask("function") == [[], ["function"]]


async def test_a_promise_is_disposed_of_with_its_result(stage: Stage) -> None:
    assert await stage.ask("promise") == ["Error: RPC stub used after being disposed.", ["held"]]


async def test_a_disposer_that_throws_harms_nobody(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "durabox.objects"):
        assert await stage.ask("throwing") == "thrown"
    assert "Error: in the disposer" in caplog.text
    assert await stage.ask("hold") == "held"


async def test_an_object_that_is_reset_lets_go_of_what_it_held(stage: Stage) -> None:
    assert await stage.ask("holder/reset") == [["lent"], []]


async def test_an_object_that_leaves_memory_lets_go_of_what_it_held(stage: Stage) -> None:
    assert await stage.called("a", "holdOther") == "held"
    assert (await stage.log("b"))[0] == []
    key = stage.host.namespace("Keeper").unique_key
    holder = stage.host.actors.live(key, stage.host.namespace("Keeper").get_by_name("a").id)
    assert holder is not None
    holder.close()
    assert (await stage.log("b"))[0] == ["held"]


async def test_a_stub_of_an_object_that_was_reset_is_broken(stage: Stage) -> None:
    assert await stage.called("a", "holdOther") == "held"
    assert await stage.ask("reset?b") == "Error: reset"
    assert await stage.ask("other") == GONE
    assert await stage.called("a", "dropOther") is None
    # What it would have disposed of is gone with its memory.
    assert (await stage.log("b"))[0] == []


async def test_a_call_whose_caller_has_gone_leaves_no_result_behind(stage: Stage) -> None:
    assert await stage.open("orphan") == (200, b'"Error: gone"')
    assert await stage.called("b", "letGo") is None
    assert (await stage.log("b"))[0] == ["late"]


async def test_an_entrypoint_goes_on_while_somebody_holds_what_it_returned(stage: Stage) -> None:
    assert await stage.ask("entry") == ["entry", "callback", [], ["entry"]]
    assert await stage.ask("entry/child") == ["child", ["child", "entry"]]


async def test_a_worker_uses_its_stubs_while_its_socket_is_open(stage: Stage) -> None:
    response = await stage.host.fetch(Request("GET", "http://worker/socket", ["Upgrade", "websocket"], None))
    assert response.status == 101 and response.socket is not None
    assert await stage.called("a") == []
    response.socket.lose()
    assert await stage.log() == (["held"], [])


async def test_ten_thousand_calls_leave_nothing_behind(stage: Stage) -> None:
    assert await stage.ask("many/2500") == 2500
    assert await stage.ask("many/object/2500") == 2500
    assert await stage.ask("many/missing/2500") == 2500
    assert await stage.ask("many/results/2500") == 2500
    await stage.quiet()
    assert set(stage.lent) == {(0, 0)}
    # Every one of them was collected in the isolate that lent it.
    assert await stage.ask("alive") == 0
    assert await stage.called("a", "alive") == 0
    assert await stage.called("b", "alive") == 0
