"""What one event may use, with all that follows from it: subrequests and processor time."""

from __future__ import annotations

import asyncio
from typing import Final

from durabox.engine.ops import GuestError

TOO_MANY: Final = "Too many subrequests."
#: Requests of one event that wait for the head of their answer at the same time, as on the platform; more wait for these.
_AT_ONCE: Final = 6


class Account:
    """
    The account of one event. `Work.cause` carries it to what goes on with the event later.

    Args:
        subrequests: How many requests to other servers it may still make.
    """

    __slots__ = ("_gate", "_subrequests", "_used_ns", "_used_since")

    def __init__(self, subrequests: int) -> None:
        self._subrequests = subrequests
        self._gate: asyncio.Semaphore | None = None
        self._used_ns = 0
        self._used_since = 0

    def take(self) -> asyncio.Semaphore:
        """
        Count one more request.

        Returns:
            What it holds while it waits for the head of its answer.
        Raises:
            GuestError: The event has made as many as it may.
        """
        if self._subrequests <= 0:
            raise GuestError("Error", TOO_MANY)
        self._subrequests -= 1
        gate = self._gate
        if gate is None:
            gate = self._gate = asyncio.Semaphore(_AT_ONCE)
        return gate

    def used_ns(self, incoming: int) -> int:
        """
        Processor time that it has used. As on the platform, each event that comes in gives those before it all their time again.

        Args:
            incoming: How many events have come in so far.
        """
        if incoming != self._used_since:
            self._used_since, self._used_ns = incoming, 0
        return self._used_ns

    def use(self, ns: int) -> None:
        """Count processor time that it used in a thread."""
        self._used_ns += ns

    def has_used(self, ns: int) -> None:
        """That much it has used now, what it had used before a turn included."""
        self._used_ns = ns
