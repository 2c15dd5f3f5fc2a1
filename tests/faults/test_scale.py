"""A hundred thousand objects through one host: files, connections, memory and WALs stay within what a few hundred need.

Every object is made and written, then read in another order, a few dozen requests at a time, while one object writes
without a pause. What the process holds is looked at along the way.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from durabox.objects.host import Host
from durabox.storage.durability import Durability

SHELF = Path(__file__).with_name("shelf.js")
UNIQUE_KEY = "shelf-Shelf"
MAX_OPEN = 384
TOGETHER = 32
#: Milliseconds since the epoch; nobody waits for it.
FAR = 4_000_000_000_000
#: A checkpoint is due at 512 frames; the commit that gets there has some more.
WAL_BYTES = 640 * (4096 + 24)
#: Of what is kept for all objects together, where one transaction changes many pages.
INDEX_WAL_BYTES = 16 << 20


class Watch:
    """What the process holds, looked at now and then."""

    def __init__(self, state: Path, host: Host, most: int) -> None:
        self.state = state
        self.folder = state / UNIQUE_KEY
        self.host = host
        self.most = most
        self.began = time.monotonic()
        self.memory: list[int] = []

    def look(self, phase: str, done: int) -> None:
        """Print a line, and hold what is seen against its bounds."""
        open_files = [*_open_files()]
        ours = [path for path in open_files if path.parent == self.folder]
        connections = len(apsw.connections())
        memory = _private()
        wal = _longest(path for path in ours if path.stem != "metadata")
        indexes = [
            self.folder / "metadata.sqlite-wal",
            self.state / ".durabox/catalog" / f"{UNIQUE_KEY}.sqlite-wal",
        ]
        self.memory.append(memory)
        print(
            f"{time.monotonic() - self.began:5.0f} s  {phase} {done:,}: {self.host.live:,} alive, "
            f"{len(open_files)} descriptors, {connections} connections, {memory >> 20} MiB of its own, "
            f"WAL {wal >> 10} KiB, of indexes {_longest(indexes) >> 10} KiB",
            flush=True,
        )
        # A database that is being written may be open beyond the bound.
        assert connections <= MAX_OPEN + TOGETHER + 10
        assert len(ours) <= 3 * (MAX_OPEN + TOGETHER)
        assert len(open_files) <= len(ours) + 100
        assert self.host.live <= self.most
        assert wal <= WAL_BYTES
        assert _longest(indexes) <= INDEX_WAL_BYTES


def _longest(paths: Iterable[Path]) -> int:
    """The size of the largest WAL among some files."""
    return max(
        (path.stat().st_size for path in paths if path.suffix == ".sqlite-wal" and path.exists()), default=0
    )


def _open_files() -> Iterator[Path]:
    """What the process's descriptors are open for."""
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the list itself is closed by now
            yield link.readlink()


def _private() -> int:
    """Bytes of memory that are this process's alone."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) << 10


async def _all(numbers: Iterator[int], touch: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Touch every object, a few dozen at a time."""

    async def some() -> None:
        for number in numbers:
            await touch(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(TOGETHER):
            group.create_task(some())


async def _touch_all(state: Path, objects: int, most: int) -> None:
    # What other tests left is not counted.
    gc.collect()
    assert not apsw.connections()
    async with Host.open(SHELF, state, durability=Durability.OFF, max_live=most) as host:
        space = host.namespace("Shelf")
        watch = Watch(state, host, most)
        done = written = 0

        def counted(phase: str) -> None:
            nonlocal done
            done += 1
            if done % (objects // 20) == 0:
                watch.look(phase, done)

        async def make(number: int) -> None:
            query = (
                f"/?value={number}{'&row' if number % 2 else ''}{f'&alarm={FAR}' if number % 10 == 0 else ''}"
            )
            await space.get_by_name(f"n{number:06}").fetch(query, method="POST")
            counted("made")

        async def read(number: int) -> None:
            answer = await space.get_by_name(f"n{number:06}").fetch("/")
            assert await answer.text() == str(number)
            counted("read")

        async def write() -> None:
            nonlocal written
            while not over:
                await space.get_by_name("busy").fetch(f"/?value={written}&more", method="POST")
                written += 1

        over = False
        busy = asyncio.ensure_future(write())
        await _all(iter(range(objects)), make)
        done = 0
        # In an order in which neighbours were made far from each other.
        await _all((place * 7919 % objects for place in range(objects)), read)
        over = True
        await busy
        print(f"{written:,} writes of one object meanwhile")
        assert written > objects / TOGETHER
        early, late = watch.memory[1], max(watch.memory[1:])
        assert late - early < 128 << 20, f"{early >> 20} MiB became {late >> 20} MiB"
        page = await host.objects.list("Shelf", limit=10)
        assert [each.name for each in page.objects] == ["busy", *(f"n{number:06}" for number in range(9))]
        [shelf] = await host.objects.classes()
        assert shelf["objects"] == objects + 1
    assert not apsw.connections()
    assert _longest(watch.folder.iterdir()) <= WAL_BYTES


async def test_five_hundred_objects_take_what_a_few_do(tmp_path: Path) -> None:
    await _touch_all(tmp_path / "state", 500, most=50)


@pytest.mark.torture
async def test_a_hundred_thousand_objects_take_what_a_few_hundred_do(tmp_path: Path) -> None:
    await _touch_all(tmp_path / "state", 100_000, most=2_000)
