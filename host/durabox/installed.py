"""Packages that are installed beside durabox: where, and in which version. Nothing of them is imported for that."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

_METADATA: Final = ".dist-info"


def folder(package: str) -> Path:
    """
    Where a package lies.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.submodule_search_locations[0])


def version(package: str) -> str:
    """
    The version of a package whose distribution has the same name.

    Installers write it into the name of a folder beside the package. `importlib.metadata`, which is asked when that folder is
    not there or not the only one, takes longer to import than Wasmtime's engine to load.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    beginning = f"{package}-"
    named = [
        name.removeprefix(beginning).removesuffix(_METADATA)
        for name in (entry.name for entry in folder(package).parent.iterdir())
        if name.startswith(beginning) and name.endswith(_METADATA)
    ]
    if len(named) == 1:
        return named[0]
    from importlib.metadata import version as recorded

    return recorded(package)
