"""An event loop whose order of callbacks comes from a seed, and commits that take part in it.

asyncio runs what is ready in the order in which it became ready. Code must not depend on more of that than it says; under
`SeededLoop` what is ready at the same time runs in any order, the same for the same seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SeededLoop(asyncio.SelectorEventLoop):
    """
    asyncio's own loop; what is ready at once runs in an order that the seed decides.

    Args:
        seed: Repeats an order.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            handles = list(ready)
            ready.clear()
            self.chance.shuffle(handles)
            ready.extend(handles)
        super()._run_once()  # type: ignore[misc]


class SeededExecutor(Executor):
    """
    Runs what it is given on the loop itself, after up to ``most`` of the loop's turns; for commits, in place of threads.

    Args:
        loop: The loop.
        most: Turns of the loop.
    """

    def __init__(self, loop: SeededLoop, most: int = 4) -> None:
        self._loop = loop
        self._most = most

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `Executor`."""
        future: Future[T] = Future()

        def run(turns: int) -> None:
            if turns:
                self._loop.call_soon(run, turns - 1)
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)

        self._loop.call_soon(run, self._loop.chance.randint(0, self._most))
        return future
