"""Run JavaScript Durable Objects, and JavaScript that is not trusted, from Python.

`Host` runs a project; `Sandbox` evaluates code. Both are imported when they are first asked for, so that one does
not pay for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durabox.errors import (
    DuraboxError,
    JavaScriptError,
    LimitExceededError,
    ModuleError,
    ObjectBrokenError,
    ProjectError,
    StateLockedError,
    StorageError,
)
from durabox.limits import Limits

if TYPE_CHECKING:
    from durabox.network.internet import Internet
    from durabox.objects.host import Host
    from durabox.sandbox import Sandbox
    from durabox.storage.durability import Durability
    from durabox.storage.history.retention import Retention

__all__ = [
    "Durability",
    "DuraboxError",
    "Host",
    "Internet",
    "JavaScriptError",
    "LimitExceededError",
    "Limits",
    "ModuleError",
    "ObjectBrokenError",
    "ProjectError",
    "Retention",
    "Sandbox",
    "StateLockedError",
    "StorageError",
]

_HOMES = {
    "Durability": "durabox.storage.durability",
    "Host": "durabox.objects.host",
    "Internet": "durabox.network.internet",
    "Retention": "durabox.storage.history.retention",
    "Sandbox": "durabox.sandbox",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
