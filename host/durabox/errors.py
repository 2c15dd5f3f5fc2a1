"""Every error that durabox raises in Python.

One base, and a family for each party that must act: the user's JavaScript, the user's
project, the caller of a limit, the disk, or us. Nobody needs to match message text: an error
carries its facts as attributes and a stable ``code``.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

#: A frame of a JavaScript stack that lies in the bindings.
_OWN_FRAME: Final = re.compile(r"^\s*at (?:.*\()?durabox:bindings:\d")


class DuraboxError(Exception):
    """Base of all durabox errors; never raised itself. ``code`` is stable across versions."""

    code: ClassVar[str] = "durabox"


class JavaScriptError(DuraboxError):
    """
    User JavaScript threw and nothing in the guest caught it.

    Args:
        name: The JavaScript error's class name, such as ``TypeError``.
        message: Its message.
        stack: Its stack with positions in the user's own files, or ``""``.
        properties: Flags that travel with the error across object boundaries
            (``remote``, ``retryable``, ``overloaded``, ``durableObjectReset``, ``durableObjectId``).
        value: The thrown value itself, V8-serialized, for other JavaScript; ``b""`` when it cannot be copied.
    """

    code = "javascript"

    def __init__(
        self,
        name: str,
        message: str,
        stack: str = "",
        properties: dict[str, object] | None = None,
        value: bytes = b"",
    ) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.stack = stack
        self.properties = properties or {}
        self.value = value

    @property
    def trace(self) -> str:
        """What a developer wants to see: name, message, and the frames of the stack that are not durabox's own."""
        frames = [line for line in self.stack.splitlines() if line and not _OWN_FRAME.search(line)]
        if frames and frames[0].startswith(str(self).partition("\n")[0]):
            return "\n".join(frames)
        return "\n".join([str(self), *frames])


class ObjectBrokenError(JavaScriptError):
    """The object was reset (constructor, critical section, storage, abort, limit); a new stub starts a fresh one."""

    code = "object-broken"


class FacetEndedError(ObjectBrokenError):
    """The object above a facet has ended it, or could not say what it is."""

    code = "facet-ended"


class StreamLostError(DuraboxError):
    """A stream that another isolate has lent came to no end: its source failed, or has gone."""

    code = "stream-lost"


class NetworkError(DuraboxError):
    """
    An exchange with another server failed, or was refused.

    Args:
        message: What JavaScript is told.
        name: The class of the error that JavaScript gets.
        retryable: Whether the same request may succeed later.
    """

    code = "network"

    def __init__(
        self, message: str = "Network connection lost.", *, name: str = "Error", retryable: bool = True
    ) -> None:
        super().__init__(message)
        self.name = name
        self.retryable = retryable


class LimitExceededError(DuraboxError):
    """
    The guest went past one of its limits and was ended.

    Args:
        limit: ``cpu``, ``wall``, ``memory`` or another name from ``Limits``.
        value: The limit's value.
        unit: The value's unit: ``ms``, ``bytes`` or ``count``.
    """

    code = "limit"

    def __init__(self, limit: str, value: float, unit: str) -> None:
        super().__init__(f"JavaScript exceeded its {limit} limit of {value:g} {unit}.")
        self.limit = limit
        self.value = value
        self.unit = unit


class GuestProtocolError(DuraboxError):
    """The guest handed over a bad pointer, length, number or payload; its isolate is discarded."""

    code = "guest-protocol"


class IsolateClosedError(DuraboxError):
    """The isolate was already closed or discarded."""

    code = "isolate-closed"


class EngineError(DuraboxError):
    """The engine image or the Wasmtime library cannot be used (missing, damaged, wrong version)."""

    code = "engine"


class ModuleError(DuraboxError):
    """
    The user's module graph cannot be loaded: a syntax error, a missing module, a failing evaluation.

    Args:
        message: What is wrong, in one line.
        file: The user's file, or ``""`` when no single file is at fault.
        line: 1-based line, 0 when unknown.
        column: 1-based column, 0 when unknown.
        frame: A few source lines with a marker, or ``""``.
    """

    code = "module"

    def __init__(self, message: str, file: str = "", line: int = 0, column: int = 0, frame: str = "") -> None:
        where = f"{file}:{line}:{column}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + message + (f"\n{frame}" if frame else ""))
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.frame = frame


class ProjectError(DuraboxError):
    """The project's files or its configuration cannot be used; the text names the file and the cure."""

    code = "project"


class StorageError(DuraboxError):
    """
    SQLite or the file system failed an operation.

    Args:
        operation: What was being done, such as ``commit``.
        message: The cause, in the platform's wording where JavaScript sees it.
        sqlite_code: Extended SQLite result code, or 0.
        retryable: Whether the same operation may succeed later.
    """

    code = "storage"

    def __init__(self, operation: str, message: str, sqlite_code: int = 0, retryable: bool = False) -> None:
        super().__init__(message)
        self.operation = operation
        self.message = message
        self.sqlite_code = sqlite_code
        self.retryable = retryable


class RefusedError(StorageError):
    """What was asked for or handed over is of no use: a bookmark, a time, a file. The disk is not at fault."""

    code = "refused"


class StateLockedError(DuraboxError):
    """Another process owns the state directory."""

    code = "state-locked"


class UnknownObjectClassError(DuraboxError):
    """
    No Durable Object class or binding has that name.

    Args:
        name: The name asked for.
        known: The names that exist.
    """

    code = "unknown-class"

    def __init__(self, name: str, known: list[str]) -> None:
        names = ", ".join(known) if known else "none"
        super().__init__(f"There is no Durable Object class or binding named {name!r}; known: {names}.")
        self.name = name
        self.known = known


class InvalidObjectIdError(DuraboxError):
    """A 64-digit id that is malformed or belongs to another namespace."""

    code = "invalid-id"


class HostClosedError(DuraboxError):
    """The host is shutting down or closed."""

    code = "host-closed"


class InternalError(DuraboxError):
    """Our own bug; JavaScript sees only a generic message."""

    code = "internal"
