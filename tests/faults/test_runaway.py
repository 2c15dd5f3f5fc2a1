"""One object that does not come to an end harms nobody else: its limits end it, with a clear error."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from tests.served import PATIENCE, Server, serve

PROJECT = Path(__file__).with_name("runaway")
CPU = "exceeded its CPU time limit"
MEMORY = "memory"
STACK = "stack"
#: Way of not ending → what its caller is told; alternatives where CPU and memory run a race.
WAYS = {
    "loop": CPU,
    "caughtLoop": CPU,
    "awaitLoop": CPU,
    "microtasks": CPU,
    "promiseFlood": f"{CPU}|{MEMORY}",
    "allocations": f"{CPU}|{MEMORY}",
    "caughtAllocations": f"{CPU}|{MEMORY}",
    "objects": f"{CPU}|{MEMORY}",
    "recursion": STACK,
    "caughtRecursion": f"{CPU}|{STACK}",
    "nestedJson": f"{CPU}|{MEMORY}|{STACK}",
    "nestedValue": f"{CPU}|{MEMORY}|{STACK}|DataCloneError|nested",
    "string": f"{CPU}|{MEMORY}|string",
    "padding": f"{CPU}|{MEMORY}|string",
    "regexp": CPU,
    "sort": f"{CPU}|{MEMORY}",
    "bigint": f"{CPU}|{MEMORY}|BigInt",
    "getterTrap": CPU,
    "proxyTrap": CPU,
    "toStringTrap": CPU,
    "valueOfTrap": CPU,
    "thenable": CPU,
    "comparator": CPU,
    "longSort": f"{CPU}|{MEMORY}",
    "jsonBomb": f"{CPU}|{MEMORY}",
    "stringifyBomb": f"{CPU}|{MEMORY}",
    "cloneBomb": f"{CPU}|{MEMORY}",
    "join": f"{CPU}|{MEMORY}|string",
    "repeat": f"{CPU}|{MEMORY}|string",
    "replacement": f"{CPU}|{MEMORY}",
    "bigPower": f"{CPU}|{MEMORY}|BigInt",
    "bigText": f"{CPU}|{MEMORY}|BigInt",
    "registries": f"{CPU}|{MEMORY}",
    "weakRefs": f"{CPU}|{MEMORY}",
    "timers": f"{CPU}|Too many timers",
    "timerLoop": CPU,
    "logs": CPU,
    "stubs": f"{CPU}|{MEMORY}|Too many",
    "puts": f"{CPU}|{MEMORY}",
    "headers": f"{CPU}|{MEMORY}",
    "response": f"{CPU}|{MEMORY}|string",
    "generator": f"{CPU}|{MEMORY}",
    "asyncGenerator": CPU,
    "url": f"{CPU}|{MEMORY}",
    "decode": CPU,
    "classes": f"{CPU}|{MEMORY}",
    "symbols": f"{CPU}|{MEMORY}",
    "catastrophe": CPU,
    "lookbehind": CPU,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("runaway")
    with serve(PROJECT, folder / "state", log_file=folder / "log") as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_runaway_is_ended_with_a_clear_error_and_the_object_serves_again(server: Server, way: str) -> None:
    answer = server.request("GET", f"/-/objects/Runaway/{way}/{way}")
    assert answer.status == 500
    assert re.search(WAYS[way], answer.text, re.IGNORECASE), answer.text
    answer = server.request("GET", f"/-/objects/Runaway/{way}/")
    assert (answer.status, answer.text) == (200, "came back")


def test_a_flood_of_log_lines_is_cut(server: Server) -> None:
    before = len(server.log)
    server.request("GET", "/-/objects/Runaway/wordy/logs")
    assert len(server.log) - before < 400_000
    assert "the rest is dropped" in server.log


def test_floods_leave_the_host_small(server: Server) -> None:
    for way in ("stubs", "puts", "response", "headers", "timers", "logs"):
        server.request("GET", f"/-/objects/Runaway/small-{way}/{way}")
    resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert resident
    assert int(resident[1]) < 600 << 10


def test_host_has_no_fault_of_its_own_to_report(server: Server) -> None:
    server.request("GET", "/-/objects/Runaway/faultless/loop")
    assert "Traceback" not in server.log


async def test_latency_of_other_objects_stays_within_three_times(server: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await _latencies(session, server, _seconds(0.5))
        alone = await _latencies(session, server, _seconds(1.0))
        url = f"http://127.0.0.1:{server.port}/-/objects/Runaway/noisy/loop"
        runaway = asyncio.ensure_future(session.get(url, timeout=aiohttp.ClientTimeout(PATIENCE)))
        beside = await _latencies(session, server, runaway)
        assert (await runaway).status == 500
    print(
        f"median latency {median(alone) * 1e3:.2f} ms alone, {median(beside) * 1e3:.2f} ms beside a runaway"
    )
    assert median(beside) <= 3 * median(alone)


def _seconds(seconds: float) -> asyncio.Future[object]:
    return asyncio.ensure_future(asyncio.sleep(seconds))


async def _latencies(
    session: aiohttp.ClientSession, server: Server, until: asyncio.Future[object]
) -> list[float]:
    """Seconds that each request took of 64 connections to 8 objects, each sending its next one at once."""
    taken: list[float] = []

    async def client(number: int) -> None:
        url = f"http://127.0.0.1:{server.port}/-/objects/Quiet/{number % 8}/"
        while not until.done():
            started = time.perf_counter()
            async with session.get(url) as response:
                assert await response.text() == "0"
            taken.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as clients:
        for number in range(64):
            clients.create_task(client(number))
    await until
    return taken
