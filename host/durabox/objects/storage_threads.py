"""Threads that wait for the disk, for an event loop that goes on meanwhile.

Many objects' commits at once wait hardly longer than one. What a thread pool's futures cost for each is as much as
the commit's own work; so here a thread takes the next piece of work without a word to anybody, and one callback of
the event loop hears of all that are over.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from queue import SimpleQueue
from typing import Protocol

#: Called on the event loop with what the work raised, or ``None``.
Over = Callable[[BaseException | None], None]


class Threads(Protocol):
    """Does blocking work beside the event loop."""

    def submit(self, work: Callable[[], None], over: Over) -> None:
        """
        Do something.

        Args:
            work: May block.
            over: What to do then, on the event loop.
        """
        ...

    def tell(self, over: Over, error: BaseException | None) -> None:
        """
        Have the event loop hear that something else is over. From any thread.

        Args:
            over: What to do then.
            error: What it is given.
        """
        ...

    def close(self) -> None:
        """Wait for the work under way; nobody hears of it any more unless the loop goes on."""
        ...


class InExecutor:
    """
    `Threads` in an executor that somebody brought.

    Args:
        loop: Where is told what became of it.
        executor: Is shut down with the host.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, executor: Executor) -> None:
        self._loop = loop
        self._executor = executor

    def submit(self, work: Callable[[], None], over: Over) -> None:
        """See `Threads`."""
        self._executor.submit(work).add_done_callback(lambda future: self.tell(over, future.exception()))

    def tell(self, over: Over, error: BaseException | None) -> None:
        """See `Threads`."""
        self._loop.call_soon_threadsafe(over, error)

    def close(self) -> None:
        """See `Threads`."""
        self._executor.shutdown(wait=True)


class StorageThreads:
    """
    Does blocking work in threads of its own; they are started as they are needed.

    Args:
        loop: Where is told what became of it.
        threads: At most so many; more of them let the file system group the commits of many objects.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self._loop = loop
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._queue: SimpleQueue[tuple[Callable[[], None], Over] | None] = SimpleQueue()
        #: Handed over and not yet told.
        self._under_way = 0
        self._over: deque[tuple[Over, BaseException | None]] = deque()
        #: Whether the loop is going to look at what is over.
        self._told = False

    def submit(self, work: Callable[[], None], over: Over) -> None:
        """See `Threads`."""
        self._under_way += 1
        self._queue.put((work, over))
        if self._under_way > len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="durabox-storage", daemon=True)
            self._threads.append(thread)
            thread.start()

    def tell(self, over: Over, error: BaseException | None) -> None:
        """See `Threads`."""
        self._over.append((over, error))
        # Looked at after the append: who finds it set comes before the loop looks.
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._tell)

    def close(self) -> None:
        """See `Threads`."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            work, over = job
            try:
                work()
            except BaseException as error:
                self.tell(partial(self._ended, over), error)
            else:
                self.tell(partial(self._ended, over), None)

    def _tell(self) -> None:
        # Cleared before looking, so that what comes from now on is told by another callback.
        self._told = False
        waiting = self._over
        try:
            while waiting:
                over, error = waiting.popleft()
                over(error)
        finally:
            if waiting:
                # One of them raised: the others hear all the same.
                self._loop.call_soon(self._tell)

    def _ended(self, over: Over, error: BaseException | None) -> None:
        self._under_way -= 1
        over(error)
