"""Run JavaScript Durable Objects, and JavaScript that is not trusted, from Python.

`Host` runs a project; `Sandbox` evaluates code. All names are imported when they are first asked for, so that nobody
pays for what he does not use.
"""

from __future__ import annotations

# As `typing` has it, which itself takes longer to import than anything else that is needed here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    "Limits": "durabox.limits",
    "Retention": "durabox.storage.history.retention",
    "Sandbox": "durabox.sandbox",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "durabox.errors")), name)
