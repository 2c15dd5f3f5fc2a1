"""One piece of work for an actor: an event, what becomes of it, and who waits for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from durabox.errors import DuraboxError

if TYPE_CHECKING:
    from durabox.objects.account import Account

T_contra = TypeVar("T_contra", contravariant=True)


class Reply(Protocol[T_contra]):
    """Who waits for a result; an `asyncio.Future` is one."""

    def done(self) -> bool:
        """Whether it is known already, or nobody waits any more."""
        ...

    def set_result(self, result: T_contra, /) -> None:
        """Give the result."""
        ...

    def set_exception(self, exception: DuraboxError, /) -> None:
        """There will be none."""
        ...


def nobody_waits(error: DuraboxError) -> None:
    """What becomes of work that will never run and that nobody would miss."""


class Work:
    """
    One event that waits for its turn, or a ``step`` of the host's own, which runs in place of an event. ``taken`` is called when
    it runs, ``abandon`` with the error when it will never do so.
    """

    __slots__ = ("abandon", "args", "body", "cause", "event", "pending", "step", "taken")

    def __init__(
        self,
        event: int,
        args: list[object],
        body: bytes = b"",
        abandon: Callable[[DuraboxError], None] | None = None,
        pending: int | None = None,
        step: Callable[[], None] | None = None,
        cause: Account | None = None,
        taken: Callable[[], None] | None = None,
    ) -> None:
        self.event = event
        self.args = args
        self.body = body
        self.abandon = abandon
        #: The section whose count of async work this delivery reduces, or None.
        self.pending = pending
        self.step = step
        #: The account of the event that it goes on with; None for an event of its own.
        self.cause = cause
        self.taken = taken
