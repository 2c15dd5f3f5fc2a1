"""Packages whose ``__init__`` is executed when it is needed, although modules of theirs were imported before.

``import aiohttp.web_server`` executes ``aiohttp/__init__.py`` first. That loads the client, which reads the machine's
certificates twice: half of what it takes to import a server, for what most servers never use. A *late* package is in its
place with everything but the names that ``__init__`` makes. Whoever asks for one of these, as ``aiohttp.ClientSession`` and
``from aiohttp import *`` do, gets it: ``__init__`` is executed then, once, in the same module object.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _LatePackage(ModuleType):
    """A package before and while its ``__init__`` is executed; then it is an ordinary one."""

    def __getattr__(self, name: str) -> Any:
        """A name that the package does not have yet."""
        spec = self.__spec__
        assert spec is not None and spec.loader is not None
        if name.isidentifier() and find_spec(f"{spec.name}.{name}") is not None:
            return import_module(f"{spec.name}.{name}")
        with contextlib.suppress(AttributeError, ImportError, KeyError):
            self.__dict__[name] = spec.loader_state["early"][name]()
            return self.__dict__[name]
        with spec.loader_state["lock"]:
            # Its own modules ask for names too while it is executed: these are missing, as in any circle of imports.
            if type(self) is _LatePackage and not spec.loader_state["executing"]:
                spec.loader_state["executing"] = True
                try:
                    spec.loader.exec_module(self)
                    self.__class__ = ModuleType  # type: ignore[assignment]
                finally:
                    spec.loader_state["executing"] = False
        return ModuleType.__getattribute__(self, name)


def place(package: str, **early: Callable[[], object]) -> None:
    """
    Have a package executed late, if it is there and was not imported already.

    Args:
        package: Its name.
        early: Names that are asked for so soon that nothing would be put off, and what finds what ``__init__`` gives
            them. If it does not find it, by an `AttributeError` or `ImportError`, ``__init__`` is executed.
    """
    spec = None if package in sys.modules else find_spec(package)
    if spec is None:
        return
    spec.loader_state = {"early": early, "lock": threading.RLock(), "executing": False}
    module = module_from_spec(spec)
    module.__class__ = _LatePackage
    sys.modules[package] = module
