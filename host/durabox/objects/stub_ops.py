"""Ids and stubs: how a guest names objects and entrypoints of its Worker. Nothing happens before a stub is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durabox.engine.ops import GuestError
from durabox.errors import GuestProtocolError, InvalidObjectIdError
from durabox.objects.capabilities import Stub

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps


class StubOps:
    """
    One isolate's stubs.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_operations", "_router", "_stubs")

    def __init__(self, ops: ActorOps) -> None:
        self._operations = ops.operations
        self._router = ops.actor.router
        self._stubs: dict[int, Stub] = {}

    def __len__(self) -> int:
        """Stubs that the guest has."""
        return len(self._stubs)

    def find(self, number: int) -> Stub | None:
        """The stub of that number."""
        return self._stubs.get(number)

    def add(self, number: int, stub: Stub) -> None:
        """The guest has one under that number."""
        self._stubs[number] = stub

    def drop(self, number: int) -> None:
        """The guest has none of that number any more."""
        self._stubs.pop(number, None)

    def declare(self, stub: int, namespace: int, object_id: str | None, name: str | None) -> Stub:
        """
        A stub of an object, by its id or its name.

        Raises:
            GuestError: The id is not one of that namespace.
        """
        try:
            if object_id is not None:
                object_id = self._router.id_from_string(namespace, object_id)
            elif name is not None:
                object_id = self._router.id_from_name(namespace, name)
            else:
                raise GuestProtocolError(f"stub {stub} has neither id nor name")
        except InvalidObjectIdError as error:
            raise GuestError("TypeError", str(error)) from None
        declared = self._stubs[stub] = Stub(namespace, object_id, name)
        return declared

    def op_id_from_name(self, namespace: int, name: str, body: bytes) -> str:
        """idFromName."""
        return self._router.id_from_name(namespace, name)

    def op_id_from_string(self, namespace: int, text: str, body: bytes) -> str:
        """idFromString."""
        try:
            return self._router.id_from_string(namespace, text)
        except InvalidObjectIdError as error:
            raise GuestError("TypeError", str(error)) from None

    def op_id_new(self, namespace: int, body: bytes) -> str:
        """newUniqueId."""
        return self._router.new_id(namespace)

    def op_stub_open(
        self, stub: int, namespace: int, object_id: str | None, name: str | None, gone: int, body: bytes
    ) -> None:
        """A stub was made; nothing happens until it is used."""
        self.drop(gone)
        self._operations.check_room()
        self.declare(stub, namespace, object_id, name)

    def op_service_open(self, stub: int, entrypoint: str | None, props: bytes, body: bytes) -> None:
        """A stub of an entrypoint of the Worker was made."""
        self._operations.check_room()
        self._stubs[stub] = Stub(-1, "", None, (entrypoint, props))

    def op_stub_close(self, stubs: list[int], body: bytes) -> None:
        """The guest dropped stubs."""
        for stub in stubs:
            self.drop(stub)

    def close(self) -> None:
        """The isolate has ended."""
        self._stubs.clear()
