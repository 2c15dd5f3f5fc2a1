"""What the parts cost, in this process and without HTTP: `python -m bench.inside`.

Each line is the median of several batches, in processor time of this thread: what else runs on the machine takes its
time but does not count. A batch is long enough that the clock's own cost vanishes.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from bench import results
from durabox.engine.engine import Engine
from durabox.engine.image import Image
from durabox.engine.ops import V8, OpHandlers
from durabox.engine.protocol import EVENT
from durabox.limits import Limits
from durabox.objects.host import Host
from durabox.objects.loading import load
from durabox.project.project import load_project
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.history.retention import Retention

SOURCE = Path(__file__).with_name("inside.js")
BATCHES = 9
#: The number 1 in V8's serialization format.
ONE = V8(b"\xff\x0f\x49\x02")
ID = "0" * 64


class Instant(OpHandlers):
    """Answers every op at once: what is left is the way there and back."""

    def op_constructed(self, body: bytes) -> None:
        """Nothing to keep."""

    def op_respond(self, *answer: object) -> None:
        """Nothing to send."""

    def op_id_from_string(self, namespace: int, text: str, body: bytes) -> str:
        """Always the same id."""
        return ID

    def op_kv_get(self, key: bytes, body: bytes) -> V8:
        """Always the same value."""
        return ONE


async def _creation(image: Image) -> float:
    """Microseconds to make an isolate from an image."""

    async def batch() -> float:
        started = time.thread_time()
        isolates = [image.instantiate(Instant(), Limits()) for _ in range(100)]
        taken = time.thread_time() - started
        for isolate in isolates:
            isolate.close()
        return taken / 100

    return await _microseconds(batch)


async def _engine(image: Image) -> tuple[float, float, float]:
    """Microseconds per event entry, per op, and per ``await storage.get()`` with an instant host."""
    isolate = image.instantiate(Instant(), Limits())
    fetches = 0

    async def fetch(path: str) -> float:
        nonlocal fetches
        fetches += 1
        url = f"https://object{path}"
        started = time.thread_time()
        await isolate.run(EVENT["fetch"], [fetches, "GET", url, [], 0, 0, None, 0])
        return time.thread_time() - started

    async def entry() -> float:
        # No timer has this number: the guest looks it up and returns.
        number, none = EVENT["timer"], [1 << 30]
        started = time.thread_time()
        for _ in range(1000):
            turn = isolate.enter(number, none)
            if turn is not None:
                await turn.wait()
        return (time.thread_time() - started) / 1000

    async def op() -> float:
        return (await fetch("/ops/1000") - await fetch("/ops/0")) / 1000

    async def get() -> float:
        return (await fetch("/gets/1000") - await fetch("/gets/0")) / 1000

    try:
        await isolate.run(EVENT["start"], [])
        await isolate.run(EVENT["construct"], ["Parts", ID, None])
        return await _microseconds(entry), await _microseconds(op), await _microseconds(get)
    finally:
        isolate.close()


async def _request() -> float:
    """Microseconds from a request through a real object, its database and back, in process."""
    async with Host.open(SOURCE) as host:
        stub = host.namespace("Parts").get_by_name("a")

        async def batch() -> float:
            started = time.thread_time()
            for _ in range(500):
                response = await stub.fetch("/")
                await response.text()
            return (time.thread_time() - started) / 500

        return await _microseconds(batch)


async def _call() -> float:
    """Microseconds for an object to call a method of another one and have the result."""
    async with Host.open(SOURCE) as host:
        stub = host.namespace("Parts").get_by_name("a")

        async def fetch(path: str) -> float:
            started = time.thread_time()
            await stub.fetch(path)
            return time.thread_time() - started

        async def batch() -> float:
            return (await fetch("/calls/500") - await fetch("/calls/0")) / 500

        return await _microseconds(batch)


async def _storage(history: Retention | None) -> tuple[float, float]:
    """Microseconds per commit of a small value, checkpoints included and without fsync, and to open an object's file."""
    with tempfile.TemporaryDirectory() as folder:
        state = StateDirectory(Path(folder) / "state", durability=Durability.OFF, history=history)
        database = state.database("bench", ID)
        number = 0

        async def commits() -> float:
            nonlocal number
            started = time.thread_time()
            for _ in range(1024):
                number += 1
                database.kv.put(b"key", b"%d" % number)
                database.commit()
            return (time.thread_time() - started) / 1024

        async def opening() -> float:
            taken = 0.0
            for _ in range(50):
                opened = state.database("bench", ID)
                started = time.thread_time()
                opened.kv.get(b"key")
                taken += time.thread_time() - started
                opened.close()
            return taken / 50

        try:
            commit = await _microseconds(commits)
            database.close()
            return commit, await _microseconds(opening)
        finally:
            state.close()


async def _rows() -> float:
    """Microseconds per row of three columns in a scan of 100,000 rows, objects made of all of them."""
    async with Host.open(SOURCE) as host:
        stub = host.namespace("Parts").get_by_name("a")

        async def scan(rows: int) -> float:
            started = time.thread_time()
            await (await stub.fetch(f"/rows/{rows}")).text()
            return time.thread_time() - started

        async def batch() -> float:
            return (await scan(100_000) - await scan(0)) / 100_000

        return await _microseconds(batch)


async def _microseconds(batch: Callable[[], Awaitable[float]]) -> float:
    await batch()
    return median([await batch() for _ in range(BATCHES)]) * 1e6


async def _measure() -> list[list[str]]:
    engine = Engine.shared()
    loaded = await load(load_project(SOURCE), engine)
    entry, op, get = await _engine(loaded.image)
    plain_commit, _ = await _storage(None)
    commit, opening = await _storage(Retention())
    rows: list[tuple[str, float, float | None]] = [
        ("isolate creation, from the base image", await _creation(engine.base), 200),
        ("isolate creation, from a class image", await _creation(loaded.image), 200),
        ("event entry", entry, 5),
        ("op (`idFromString` with an instant host)", op, None),
        ("`await storage.get()` with an instant host", get, None),
        ("fetch → `storage.get` → response, in process", await _request(), 80),
        ("a call from object to object and back, in process", await _call(), 150),
        ("commit of a small value, no history and no fsync", plain_commit, None),
        ("the same with a history", commit, None),
        ("opening an existing object's database", opening, 1000),
        ("row of three columns in a scan of 100,000", await _rows(), 3),
    ]
    return [
        [
            title,
            f"{value:.1f} µs",
            f"≤ {mark:g} µs {'reached' if value <= mark else '**missed**'}" if mark else "—",
        ]
        for title, value, mark in rows
    ]


def main() -> None:
    """Print the table and write it into RESULTS.md."""
    rows = asyncio.run(_measure())
    text = f"## Inside\n\n`python -m bench.inside` on {results.machine()}.\n\n"
    text += results.table(["part", "cost", "mark"], rows)
    print(text)
    results.write("inside", text)


if __name__ == "__main__":
    main()
