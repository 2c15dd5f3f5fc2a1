"""Critical sections, and how the calls came about that are made because one waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durabox.errors import GuestProtocolError
from durabox.objects.capabilities import LONGEST_CHAIN, Chain
from durabox.objects.core import Failure
from durabox.objects.guest_errors import WireError

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps


class SectionOps:
    """
    One isolate's critical sections; the actor's core opens them.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_operations", "_origins", "_requests", "ended")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._operations = ops.operations
        #: How requests under way came about, by number; only those that a critical section somewhere waits for.
        self._requests: dict[int, Chain] = {}
        #: The same for those that opened a critical section, by that.
        self._origins: dict[int, Chain] = {}
        #: Those that ended in the current turn, with the failure of those that must break the object.
        self.ended: list[tuple[int, Failure | None]] = []

    def origin(self, request: int, chain: Chain) -> int:
        """What the guest hands back with each call that a request leads to; 0 when nothing waits for it in a critical section."""
        if not chain:
            return 0
        self._requests[request] = chain
        return -request

    def answered(self, request: int) -> None:
        """That request leads to no more calls."""
        self._requests.pop(request, None)

    def chain(self, section: int) -> Chain:
        """How a call came about that the guest makes in a critical section or (negative) because of a request."""
        if section > 0:
            return (*self._origins.get(section, ()), (self._actor, section))[-LONGEST_CHAIN:]
        origin = self._requests.get(-section)
        return (*origin, (self._actor, 0))[-LONGEST_CHAIN:] if origin else ()

    def op_section_begin(self, section: int, parent: int, transaction: bool, body: bytes) -> None:
        """blockConcurrencyWhile and transaction ask for the gate."""
        self._operations.check_room()
        try:
            self._actor.core.section_requested(section, parent, transaction)
        except ValueError as error:
            raise GuestProtocolError(str(error)) from None
        if parent:
            origin = self._origins.get(parent) if parent > 0 else self._requests.get(-parent)
            if origin:
                self._origins[section] = origin

    def op_section_end(self, section: int, error: WireError | None, body: bytes) -> None:
        """The section's callback settled."""
        self._origins.pop(section, None)
        failure = Failure(error[0], error[1], error[2], value=bytes(body)) if error else None
        self.ended.append((section, failure))
