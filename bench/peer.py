"""The same class on durabox and on workerd, side by side: `python -m bench.peer [--rounds N] [--seconds N]`.

Both sides run `counter.js` on their on-disk storage with every commit fsynced, one after the other, several
rounds, each round in fresh processes on fresh state. A ratio is the median of the rounds' own ratios, so that
a slow moment of the machine that hits both sides of a round cancels out. durabox is measured at the
object's own endpoint (the headline) and through the Worker; workerd has only the latter.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import results, workerd
from bench.load import EVERY_TIME_ANOTHER, Load, load

SOURCE = Path(__file__).with_name("counter.js")
PEER_PROJECT = workerd.PeerProject(SOURCE.parent, SOURCE.name, {"COUNTER": "Counter"})
PATIENCE = 30.0
LIVE_OBJECTS = 2_000

Start = Callable[[int, Path], "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Side:
    """A server and the way its objects are reached."""

    name: str
    start: Start
    prefix: str


@dataclass(frozen=True)
class Measure:
    """A row of the table: what is measured, how a number reads, and the mark for durabox : workerd."""

    title: str
    unit: str
    mark: float
    more_is_better: bool = True

    def reached(self, ratio: float) -> bool:
        """Whether the ratio reaches the mark."""
        return ratio >= self.mark if self.more_is_better else ratio <= self.mark


READS = Measure("reads, one object, 64 connections", "/s", 1.3)
INCREMENTS = Measure("durable increments, one object, 64 connections", "/s", 3.0)
SPREAD = Measure("durable increments over 64 objects", "/s", 1.5)
CREATED = Measure("new objects created, written and answered", "/s", 3.0)
MEMORY = Measure(
    f"private memory per live object ({LIVE_OBJECTS:,} alive, each written once)", " KB", 0.5, False
)
START = Measure("process start to first answer (warm caches)", " ms", 2.5, False)
MEASURES = (READS, INCREMENTS, SPREAD, CREATED, MEMORY, START)

Numbers = dict[Measure, list[float]]


def starter(source: Path) -> Start:
    """Starts durabox on a file."""

    def start(port: int, state: Path) -> subprocess.Popen[bytes]:
        code = "from durabox.cli import main; main()"
        # An installation has its bytecode, and the caches are warm: an environment that forbids it is not what is measured.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            [sys.executable, "-c", code, "serve", source, "--port", str(port), "--state", state],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )

    return start


def _start_workerd(port: int, state: Path) -> subprocess.Popen[bytes]:
    return workerd.start(PEER_PROJECT, port, state)


ENDPOINT = Side("durabox, object endpoint", starter(SOURCE), "/-/objects/Counter/")
WORKER = Side("durabox, through the Worker", starter(SOURCE), "/")
WORKERD = Side("workerd", _start_workerd, "/")
SIDES = (ENDPOINT, WORKER, WORKERD)


@dataclass
class Running:
    """A server that has given its first answer."""

    process: subprocess.Popen[bytes]
    port: int
    start_ms: float

    @property
    def private_kb(self) -> float:
        """Memory that belongs to this process alone."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return float(sum(int(kb) for kb in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.MULTILINE)))


@contextmanager
def running(side: Side, states: Path) -> Iterator[Running]:
    """Start a side on fresh state; end it with the block."""
    state = Path(tempfile.mkdtemp(dir=states))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = side.start(port, state)
    try:
        _first_answer(process, port, f"{side.prefix}first")
        yield Running(process, port, (time.perf_counter() - started) * 1e3)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _first_answer(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {response.read()[:500]!r}")
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}") from None
            time.sleep(0.001)
        finally:
            connection.close()
    raise RuntimeError(f"nothing answers on port {port}")


def _round(side: Side, states: Path, seconds: float) -> dict[Measure, float]:
    """Every rate and the start time, once."""
    with running(side, states) as server:

        def rate(method: str, group: str, spread: int) -> float:
            return load(Load(server.port, method, f"{side.prefix}{group}-", spread=spread, seconds=seconds))

        rate("POST", "one", 1)
        return {
            READS: rate("GET", "one", 1),
            INCREMENTS: rate("POST", "one", 1),
            SPREAD: rate("POST", "many", 64),
            CREATED: rate("POST", "new", EVERY_TIME_ANOTHER),
            START: server.start_ms,
        }


def _memory(side: Side, states: Path) -> float:
    """Kilobytes of private memory per live object."""
    with running(side, states) as server:
        prefix = f"{side.prefix}live-"
        before = server.private_kb
        everyone = Load(server.port, "POST", prefix, spread=LIVE_OBJECTS, requests=LIVE_OBJECTS)
        load(everyone)
        # The first ones may have been evicted for idleness by now: this makes all of them live again.
        load(Load(server.port, "GET", prefix, spread=LIVE_OBJECTS, requests=LIVE_OBJECTS))
        return (server.private_kb - before) / LIVE_OBJECTS


def _report(numbers: dict[Side, Numbers], command: str) -> str:
    rows = []
    for measure in MEASURES:
        peer = numbers[WORKERD][measure]
        row = [measure.title]
        row += [
            f"{median(numbers[side][measure]):,.0f}{measure.unit}" if numbers[side][measure] else "—"
            for side in SIDES
        ]
        for side in (ENDPOINT, WORKER):
            ours = numbers[side][measure]
            row.append(f"{_ratio(ours, peer):.2f}" if ours else "—")
        sign = "≥" if measure.more_is_better else "≤"
        reached = measure.reached(_ratio(numbers[ENDPOINT][measure], peer))
        row.append(f"{sign} {measure.mark:g} {'reached' if reached else '**missed**'}")
        rows.append(row)
    head = ["measure", *(side.name for side in SIDES), "ratio, endpoint", "ratio, Worker", "mark"]
    client = "wrk" if shutil.which("wrk") else "bench/load.py"
    return (
        f"## durabox and workerd {workerd.VERSION}\n\n"
        f"`{command}` on {results.machine()}; client: {client}.\n\n{results.table(head, rows)}"
    )


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def _measure(states: Path, rounds: int, seconds: float) -> dict[Side, Numbers]:
    with running(ENDPOINT, states):
        pass  # fills the compiled-code cache, which the measure of start times takes as given
    numbers: dict[Side, Numbers] = {side: {measure: [] for measure in MEASURES} for side in SIDES}
    for number in range(rounds):
        for side in SIDES:
            print(f"round {number + 1} of {rounds}: {side.name} …", file=sys.stderr)
            for measure, value in _round(side, states, seconds).items():
                numbers[side][measure].append(value)
    for side in (ENDPOINT, WORKERD):
        print(f"memory of {LIVE_OBJECTS:,} live objects: {side.name} …", file=sys.stderr)
        numbers[side][MEMORY].append(_memory(side, states))
    return numbers


def main() -> None:
    """Run all rounds, print the table and write it into RESULTS.md."""
    parser = argparse.ArgumentParser(description="Compare durabox with workerd.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each single run")
    options = parser.parse_args()
    workerd.install()
    # Beside the repository's other caches: the same disk for both, not a file system in memory. Removed at the very
    # end: ext4 without a journal takes seconds of processor time to make files soon after many were deleted.
    with tempfile.TemporaryDirectory(prefix="states-", dir=workerd.CACHE) as states:
        numbers = _measure(Path(states), options.rounds, options.seconds)
    text = _report(numbers, f"python -m bench.peer --rounds {options.rounds} --seconds {options.seconds:g}")
    print(text)
    results.write("peer", text)


if __name__ == "__main__":
    main()
