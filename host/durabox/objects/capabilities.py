"""What isolates lend each other: functions and objects by reference, stubs, streams.

A value that passes between isolates is bytes that its receiver alone decodes; what cannot be copied travels beside them
as a list of items. `Lending` is one isolate's end: it turns the numbers that its guest uses into items, and items into
numbers.

A `Capability` is held by whoever may call it: tables of handles, and messages under way. When the last one lets go of it,
its isolate hears so; that is Python's reference count, so no path can forget to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakValueDictionary

from durabox.engine.protocol import EVENT
from durabox.errors import DuraboxError, GuestProtocolError, JavaScriptError, StreamLostError
from durabox.objects.messages import BodyStream
from durabox.objects.stream_ops import GuestBody
from durabox.objects.work import Work, nobody_waits

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.ops import ActorOps
    from durabox.objects.router import Router

_RELEASED: Final = EVENT["released"]

_EXPORT: Final = 0
_HANDLE: Final = 1
_STUB: Final = 2
_GUEST_STREAM: Final = 3
_HOST_STREAM: Final = 4

#: How a call came about, when that began in a critical section: who has called whom, each with the critical section in which it
#: did so, 0 for none.
Chain: TypeAlias = "tuple[tuple[Actor, int], ...]"
#: Calls in a chain that are remembered.
LONGEST_CHAIN: Final = 64

#: Which entrypoint of a Worker: its name (``None`` for the default export) and V8-serialized props.
Entry: TypeAlias = tuple[str | None, bytes]


class Stub:
    """
    A reference to an object, or to an entrypoint of the Worker (``namespace`` -1), and the live actor that it is connected to.

    Args:
        namespace: The object's, by its number.
        object_id: The object.
        name: Its name, if known.
        entry: The entrypoint of the Worker.
    """

    __slots__ = ("_actor", "entry", "name", "namespace", "object_id")

    def __init__(self, namespace: int, object_id: str, name: str | None, entry: Entry | None = None) -> None:
        self.namespace = namespace
        self.object_id = object_id
        self.name = name
        self.entry = entry
        self._actor: Actor | None = None

    def connect(self, router: Router) -> Actor:
        """Its actor: a broken one stays with its stub, an evicted one is replaced."""
        actor = self._actor
        if actor is None or (actor.error is not None and (actor.evicted or self.namespace < 0)):
            actor = self._actor = (
                router.worker()
                if self.namespace < 0
                else router.locate(self.namespace, self.object_id, self.name)
            )
        return actor

    def copy(self) -> Stub:
        """The same for another holder, not connected."""
        return Stub(self.namespace, self.object_id, self.name, self.entry)


class Capability:
    """
    A value inside an isolate that its holders may call.

    Args:
        actor: Where it lives.
        export: Its number there.
        section: The critical section it was lent in: calls of it are admitted into that section.
    """

    __slots__ = ("__weakref__", "_revoked", "actor", "export", "section")

    def __init__(self, actor: Actor, export: int, section: int) -> None:
        self.actor = actor
        self.export = export
        self.section = section
        self._revoked = False

    def revoke(self) -> None:
        """What it stands for has ended, though its isolate goes on."""
        self._revoked = True

    def connect(self, router: Router) -> Actor:
        """Its actor, alive."""
        if self._revoked or self.actor.error is not None:
            raise JavaScriptError(
                "Error", "The execution context which hosts this callback is no longer running."
            )
        return self.actor

    def __del__(self) -> None:
        if not self._revoked:
            self.actor.submit_later(Work(_RELEASED, [self.export], abandon=nobody_waits))


class LentBody(GuestBody):
    """A stream that a guest lends to another: why it fails is not told on the platform."""

    __slots__ = ()

    async def read(self) -> bytes:
        """See `GuestBody`."""
        try:
            return await super().read()
        except DuraboxError:
            raise StreamLostError("ReadableStream received over RPC disconnected prematurely.") from None


def cycle(chain: Chain, actor: Actor) -> str | None:
    """
    Whether a call can never be admitted.

    Args:
        chain: How it came about.
        actor: Whom it calls, by an ordinary stub.
    Returns:
        The way from the critical section that waits for this call, and that this call waits for; ``None`` without one.
    """
    for position, (caller, section) in enumerate(chain):
        if caller is actor and section and actor.core.has_section(section):
            return " → ".join([*(each.label for each, _ in chain[position:]), actor.label])
    return None


Item: TypeAlias = Capability | Stub | BodyStream
Target: TypeAlias = Capability | Stub
#: Of a call: V8-serialized, and what goes with it.
Result: TypeAlias = tuple[bytes, list[Item]]


class Lending:
    """
    One isolate's end.

    Args:
        ops: Its ops: streams and stubs are declared there.
    """

    __slots__ = ("_exports", "_handles", "_next", "_ops")

    def __init__(self, ops: ActorOps) -> None:
        self._ops = ops
        self._exports: WeakValueDictionary[int, Capability] = WeakValueDictionary()
        self._handles: dict[int, Target] = {}
        self._next = 1

    def __len__(self) -> int:
        """Handles that the guest holds."""
        return len(self._handles)

    @property
    def lent(self) -> int:
        """What the guest has lent and others still hold."""
        return len(self._exports)

    def target(self, kind: int, number: int) -> Target:
        """
        What the guest calls.

        Raises:
            GuestProtocolError: It has no such stub or handle.
        """
        found = (
            self._ops.stubs.find(number)
            if kind == 0
            else self._handles.get(number)
            if kind == _HANDLE
            else None
        )
        if found is None:
            raise GuestProtocolError(f"target {number} of kind {kind} does not exist")
        return found

    def take(self, flat: Sequence[int], section: int) -> list[Item]:
        """
        The items that the guest lends.

        Args:
            flat: ``lent`` as in `engine.protocol`.
            section: The critical section in which it does so.
        Raises:
            GuestProtocolError: Something that is not there.
        """
        if len(flat) % 2:
            raise GuestProtocolError("an odd number of items is lent")
        return [
            self._item(flat[position], flat[position + 1], section) for position in range(0, len(flat), 2)
        ]

    def give(self, items: list[Item]) -> list[int]:
        """Numbers under which the guest finds items that were lent to it."""
        flat: list[int] = []
        for item in items:
            if isinstance(item, Capability | Stub):
                number = self._next
                self._next = number + 1
                self._handles[number] = item
                flat += (_HANDLE, number)
            else:
                flat += (_HOST_STREAM, self._ops.streams.add(item))
        return flat

    def release(self, handle: int) -> None:
        """The guest will not use a handle again."""
        self._handles.pop(handle, None)

    def revoke(self, export: int) -> None:
        """What the guest lent under that number has ended."""
        capability = self._exports.get(export)
        if capability is not None:
            capability.revoke()

    def close(self) -> None:
        """The isolate has ended."""
        self._handles.clear()

    def _item(self, kind: int, number: int, section: int) -> Item:
        if kind == _EXPORT and number > 0:
            capability = self._exports[number] = Capability(self._ops.actor, number, section)
            return capability
        if kind in (_HANDLE, _STUB):
            held = self.target(0 if kind == _STUB else _HANDLE, number)
            return held.copy() if isinstance(held, Stub) else held
        if kind == _GUEST_STREAM:
            return LentBody(self._ops.streams, number)
        if kind == _HOST_STREAM:
            return self._ops.streams.take(number)
        raise GuestProtocolError(f"an item of kind {kind} cannot be lent")
