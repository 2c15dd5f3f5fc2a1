"""Blocking work in a thread that is always waited for: who gives up must not clean up under its feet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], interrupt: Callable[[], object] | None = None) -> T:
    """
    Do something that may block. Whoever waits for this may be cancelled; the cancellation comes when the work is over.

    Args:
        work: Called in a thread.
        interrupt: Called on the event loop when nobody waits for the work any more: it may cut it short.
    """
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if interrupt is not None:
            interrupt()
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                continue
        if not running.cancelled():
            running.exception()  # nobody wants to hear of it
        raise
