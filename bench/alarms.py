"""What an alarm costs, against the number of alarms that are pending: set, fired, and starting with that many.

``python -m bench.alarms`` fills an index with alarms that are far off, starts a host on it and sets and fires the
alarms of some objects. The numbers go into RESULTS.md.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from pathlib import Path

from bench import results
from durabox import Host
from durabox.objects.ids import IdFactory
from durabox.storage.directory import StateDirectory

PENDING = (1_000, 100_000, 1_000_000)
OBJECTS = 400
TOGETHER = 50
FAR_NS = 4_000_000_000 * 10**9

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
    ids = IdFactory("main-Bell")
    for number in range(pending):
        directory.alarms.set_later("main-Bell", ids.new(), None, FAR_NS + number)
    directory.close()


async def _measure(main: Path, state: Path) -> tuple[float, float, float, float]:
    """Milliseconds of starting; microseconds of a set and of a fired alarm; MiB that the process took at most."""
    began = time.perf_counter()
    async with Host.open(main, state) as host:
        await host.alarms_quiet()
        start = time.perf_counter() - began
        stubs = [host.namespace("Bell").get_by_name(f"n{number}") for number in range(OBJECTS)]

        async def set_all(at: float) -> float:
            began = time.perf_counter()
            for first in range(0, OBJECTS, TOGETHER):
                together = stubs[first : first + TOGETHER]
                await asyncio.gather(*(stub.fetch(f"/?at={at:.0f}") for stub in together))
            return (time.perf_counter() - began) / OBJECTS

        await set_all(FAR_NS / 10**6)
        # Each time earlier than the one before, which is the costlier way.
        cost = await set_all(FAR_NS / 10**6 - 1000)
        due = time.time() + 4
        await set_all(due * 1000)
        await asyncio.sleep(max(due - time.time(), 0))
        await asyncio.sleep(0.01)
        await host.alarms_quiet()
        fired = (time.time() - due) / OBJECTS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return start * 1e3, cost * 1e6, fired * 1e6, peak


def main() -> None:
    """Print the table and write it into RESULTS.md."""
    rows = []
    for pending in PENDING:
        with tempfile.TemporaryDirectory() as folder:
            main_module = Path(folder) / "main.js"
            main_module.write_text(SOURCE)
            state = Path(folder) / "state"
            _fill(state, pending)
            start, cost, fired, peak = asyncio.run(_measure(main_module, state))
            rows.append(
                [f"{pending:,}", f"{cost:.0f} µs", f"{fired:.0f} µs", f"{start:.0f} ms", f"{peak:.0f} MiB"]
            )
    text = (
        f"## Alarms\n\n`python -m bench.alarms` on {results.machine()}: {OBJECTS} objects, {TOGETHER} requests at a time, "
        "every commit fsynced.\n\n"
    )
    text += results.table(
        ["alarms pending", "set", "fired", "start of the host", "memory of the process"], rows
    )
    print(text)
    results.write("alarms", text)


if __name__ == "__main__":
    main()
