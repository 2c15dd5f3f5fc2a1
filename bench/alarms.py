"""What an alarm costs, against the number of alarms that are pending: set, fired, and starting with that many.

``python -m bench.alarms`` fills an index with alarms that are far off, starts a host on it and sets and fires the
alarms of some objects. Every number is the least of some rounds: what others do on the machine only ever adds. A request
that sets an alarm waits for two syncs, of the index and of its own object; so the index is measured alone, too. The
numbers go into RESULTS.md.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import results
from durabox import Host
from durabox.objects.ids import IdFactory
from durabox.storage.directory import StateDirectory

PENDING = (1_000, 100_000, 1_000_000)
OBJECTS = 400
TOGETHER = 50
ROUNDS = 5
#: Enough for some checkpoints in each round.
_GROUPS = 40
FAR_NS = 4_000_000_000 * 10**9
UNIQUE_KEY = "main-Bell"

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Bell extends DurableObject {
  async fetch(request) {
    await this.ctx.storage.setAlarm(Number(new URL(request.url).searchParams.get("at")));
    return new Response();
  }
  alarm() {}
}
"""


def _fill(state: Path, pending: int) -> None:
    """As many alarms, of objects that nobody has made yet."""
    directory = StateDirectory(state)
    ids = IdFactory(UNIQUE_KEY)
    for number in range(pending):
        directory.alarms.set_later(UNIQUE_KEY, ids.new(), None, FAR_NS + number)
    directory.close()


def _index(state: Path) -> float:
    """Microseconds of a set in the index alone, some at a time and synced."""
    directory = StateDirectory(state)
    directory.alarms.open(UNIQUE_KEY).result()
    ids = IdFactory(UNIQUE_KEY)
    together = [ids.new() for _ in range(TOGETHER)]
    costs = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        for turn in range(_GROUPS):
            # Each time earlier than the one before, which is the costlier way.
            at = FAR_NS - number * _GROUPS - turn
            for written in [directory.alarms.set(UNIQUE_KEY, each, None, at) for each in together]:
                written.result()
        costs.append((time.perf_counter() - began) / _GROUPS / TOGETHER)
    directory.close()
    return min(costs) * 1e6


async def _start(main: Path, state: Path) -> float:
    """Milliseconds until a host knows what is due."""
    began = time.perf_counter()
    async with Host.open(main, state) as host:
        await host.alarms_quiet()
        return (time.perf_counter() - began) * 1e3


async def _measure(main: Path, state: Path) -> tuple[float, float, int]:
    """Microseconds of a request that sets an alarm and of an alarm that is fired; MiB of the process's own."""
    async with Host.open(main, state) as host:
        stubs = [host.namespace("Bell").get_by_name(f"n{number}") for number in range(OBJECTS)]

        async def set_all(at_ms: float) -> float:
            began = time.perf_counter()
            for first in range(0, OBJECTS, TOGETHER):
                together = stubs[first : first + TOGETHER]
                await asyncio.gather(*(stub.fetch(f"/?at={at_ms:.0f}") for stub in together))
            return (time.perf_counter() - began) / OBJECTS

        async def fire_all() -> float:
            due = time.time() + 2
            await set_all(due * 1000)
            await asyncio.sleep(max(due - time.time(), 0))
            await asyncio.sleep(0.01)
            await host.alarms_quiet()
            return (time.time() - due) / OBJECTS

        await set_all(FAR_NS / 10**6)
        set_ = min([await set_all(FAR_NS / 10**6 - 1000 * number) for number in range(1, ROUNDS + 1)])
        fired = min([await fire_all() for _ in range(ROUNDS)])
        status = Path("/proc/self/status").read_text()
    own = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return set_ * 1e6, fired * 1e6, int(own[1]) >> 10 if own else 0


def _row(pending: int) -> list[str]:
    """A line of the table, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        main_module = Path(folder) / "main.js"
        main_module.write_text(SOURCE)
        state = Path(folder) / "state"
        _fill(state, pending)
        start = min([asyncio.run(_start(main_module, state)) for _ in range(ROUNDS)])
        alone = _index(state)
        set_, fired, own = asyncio.run(_measure(main_module, state))
    return [
        f"{pending:,}",
        f"{alone:.0f} µs",
        f"{set_:.0f} µs",
        f"{fired:.0f} µs",
        f"{start:.0f} ms",
        f"{own} MiB",
    ]


def main() -> None:
    """Print the table and write it into RESULTS.md."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as processes:
        rows = list(processes.map(_row, PENDING))
    text = (
        f"## Alarms\n\n`python -m bench.alarms` on {results.machine()}: {OBJECTS} objects, {TOGETHER} at a time, "
        f"every commit fsynced; the least of {ROUNDS} rounds.\n\n"
    )
    text += results.table(
        ["alarms pending", "set, in the index", "set, a request", "fired", "start of the host", "own memory"],
        rows,
    )
    print(text)
    results.write("alarms", text)


if __name__ == "__main__":
    main()
