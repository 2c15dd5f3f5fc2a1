"""The output gate: what turns want to let out, and what of it waits for a commit.

Nobody sees an effect that a crash could undo: while a confirmed write is uncommitted, outputs are held back, in order.
"""

from __future__ import annotations

from collections.abc import Callable

from durabox.engine.ops import GuestError
from durabox.errors import LimitExceededError
from durabox.limits import Limits


class OutputGate:
    """
    One actor's.

    Args:
        limits: Those of its isolate.
    """

    __slots__ = ("_held", "_limits", "confirmed", "held_bytes", "outputs", "sent_bytes", "waiting")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: What the current turn wants to let out.
        self.outputs: list[Callable[[], None]] = []
        #: Whether what the current turn wrote must be durable before anything leaves.
        self.confirmed = False
        #: Bytes of outputs that have not left.
        self.held_bytes = 0
        #: Bytes of calls that have not been answered.
        self.sent_bytes = 0
        #: What is done when what is written so far is durable.
        self.waiting: list[Callable[[], None]] = []
        self._held: list[Callable[[], None]] = []

    # For the ops of a turn

    def let_out(self, output: Callable[[], None], size: int = 0) -> None:
        """
        Queue what the turn wants to let out.

        Args:
            output: Lets it out.
            size: Bytes that stay with the host until then. A guest may have as many there as it has memory.
        """
        self.held_bytes += size
        most = self._limits.memory_mb << 20
        if self.held_bytes + self.sent_bytes > most:
            raise LimitExceededError("output", most, "bytes")
        if len(self.outputs) >= self._limits.pending:
            raise LimitExceededError("output", self._limits.pending, "count")
        self.outputs.append(output)

    def check_sent(self, size: int) -> None:
        """Refuse a call with that many bytes while too much waits for an answer."""
        if self.sent_bytes + size > self._limits.memory_mb << 20:
            raise GuestError(
                "Error", "Durable Object is overloaded. Too much data queued.", {"overloaded": True}
            )

    def after_commit(self, output: Callable[[], None]) -> None:
        """Do something when what is written so far is durable."""
        self.waiting.append(output)

    # For the loop

    @property
    def holds(self) -> bool:
        """Whether something waits for a commit."""
        return bool(self._held)

    def turn_over(self, *, locked: bool) -> None:
        """Let the turn's outputs go, or hold them until `release`."""
        outputs, self.outputs = self.outputs, []
        if locked:
            self._held.extend(outputs)
        else:
            self.held_bytes = 0
            for output in outputs:
                output()

    def release(self) -> None:
        """Nothing is uncommitted any more: what waited for that may leave."""
        if self._held or self.waiting:
            outputs = self._held + self.waiting
            self._held = []
            self.waiting = []
            self.held_bytes = 0
            for output in outputs:
                output()

    def drop(self) -> None:
        """Nothing leaves any more."""
        self._held.clear()
        self.waiting.clear()
