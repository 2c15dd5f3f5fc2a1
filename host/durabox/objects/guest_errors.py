"""How errors pass between a guest and the host."""

from __future__ import annotations

from typing import Any, TypeAlias

from durabox.engine.ops import GuestError
from durabox.errors import DuraboxError, JavaScriptError, NetworkError, StorageError

#: Name, message, stack and properties.
WireError: TypeAlias = tuple[str, str, str, dict[str, Any]]


def to_wire(error: DuraboxError, remote: bool = True, stack: bool = False) -> list[object]:
    """
    How an error reaches the JavaScript that waits for the failed work.

    Args:
        error: What went wrong.
        remote: Whether it was thrown there for this work, and not repeated by a stub whose object is broken.
        stack: Whether it tells where it was thrown.
    """
    if isinstance(error, JavaScriptError):
        properties = {**error.properties, "remote": True} if remote else error.properties
        return [error.name, error.message, error.trace if stack and error.stack else "", properties]
    if isinstance(error, NetworkError):
        return [error.name, str(error), "", {"retryable": True} if error.retryable else {}]
    return ["Error", str(error), "", {}]


def from_wire(error: WireError, value: bytes = b"") -> JavaScriptError:
    """The Python form of an error that the guest reported, with the value that was thrown."""
    name, message, stack, properties = error
    return JavaScriptError(name, message, stack, properties, value)


def thrown(error: StorageError) -> GuestError:
    """How JavaScript meets a failure of the storage; one that may pass is marked as the platform marks such."""
    return GuestError("Error", error.message, {"retryable": True} if error.retryable else None)
