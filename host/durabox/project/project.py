"""What durabox knows of a project before it runs: name, main module, bindings, variables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from durabox.errors import ProjectError
from durabox.project.compatibility import Compatibility
from durabox.project.modules import Modules

CONFIG_FILES: Final = ("wrangler.jsonc", "wrangler.json", "wrangler.toml")
_MAINS: Final = ("src/index.js", "src/index.mjs", "index.js", "index.mjs", "worker.js", "src/worker.js")
_IS_MODULE: Final = re.compile(r"^\s*(?:import\b|export\b)", re.MULTILINE)
_LISTENS: Final = re.compile(r"\baddEventListener\s*\(")
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ObjectBinding(Struct, frozen=True):
    """
    A namespace under a name in ``env``.

    Args:
        name: Its name there.
        class_name: The exported class.
    """

    name: str
    class_name: str


class ServiceBinding(Struct, frozen=True):
    """
    An entrypoint of the project itself under a name in ``env``.

    Args:
        name: Its name there.
        entrypoint: The exported class, ``None`` for the default export.
        props: What it finds as ``ctx.props``.
    """

    name: str
    entrypoint: str | None
    props: dict[str, Any]


class Project(Struct, frozen=True):
    """
    A project that can be loaded. Made by `load_project`.

    Args:
        name: The script's name; part of the unique keys of its namespaces.
        root: Its folder.
        main: Name of the main module.
        format: ``module``, or ``script`` for the service-worker format.
        modules: Its files.
        bindings: Namespaces in ``env``.
        services: Entrypoints in ``env``.
        vars: Other values in ``env``.
        cpu_ms: Processor time of one event, ``None`` for the default.
        compatibility: Which changes of the platform it has taken part in.
        implied_bindings: Whether classes without a binding get one under their own name and its
            SCREAMING_SNAKE form; so without a configuration that names any.
    """

    name: str
    root: Path
    main: str
    format: str
    modules: Modules
    bindings: tuple[ObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    vars: dict[str, Any] = field(default_factory=dict)
    cpu_ms: int | None = None
    compatibility: Compatibility = field(default_factory=Compatibility)
    implied_bindings: bool = True

    def unique_key(self, class_name: str) -> str:
        """The key of a class's namespace: ids and the state folder derive from it, as in local wrangler."""
        return f"{self.name}-{class_name}"

    def with_classes(self, classes: Sequence[str]) -> Project:
        """The project with the bindings that its exported classes imply."""
        if not self.implied_bindings:
            return self
        taken = {binding.name for binding in self.bindings} | set(self.vars)
        added = []
        for class_name in classes:
            for name in dict.fromkeys((class_name, _WORD.sub("_", class_name).upper())):
                if name not in taken:
                    taken.add(name)
                    added.append(ObjectBinding(name, class_name))
        return replace(self, bindings=(*self.bindings, *added)) if added else self


def detect_format(source: str) -> str:
    """``module`` or ``script``, by what the main file does."""
    return "script" if _LISTENS.search(source) and not _IS_MODULE.search(source) else "module"


def load_project(path: Path) -> Project:
    """
    Read a project.

    Args:
        path: A ``.js`` or ``.mjs`` file, or a folder with a wrangler configuration or an obvious main file.
    Raises:
        ProjectError: It is not there or cannot be used; the text names the file and the cure.
    """
    if path.is_file():
        if path.name in CONFIG_FILES:
            return _configured(path)
        if path.suffix not in (".js", ".mjs"):
            raise ProjectError(f"{path}: expected a .js or .mjs file, or a folder with {CONFIG_FILES[-1]}")
        return plain(path.parent, path.name, path.stem)
    if not path.is_dir():
        raise ProjectError(f"{path}: there is no such file or folder")
    for name in CONFIG_FILES:
        if (path / name).is_file():
            return _configured(path / name)
    for name in _MAINS:
        if (path / name).is_file():
            return plain(path, name, path.resolve().name)
    raise ProjectError(
        f"{path}: neither a configuration ({', '.join(CONFIG_FILES)}) nor a main file ({', '.join(_MAINS)}) is here"
    )


def _configured(path: Path) -> Project:
    """A project with a configuration, whose reader stands on this module."""
    from durabox.project.wrangler import read

    return read(path)


def plain(root: Path, main: str, name: str) -> Project:
    """A project without configuration."""
    modules = Modules(root)
    script = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "worker"
    source = modules.source(main).decode("utf-8", "replace")
    return Project(script, root, main, detect_format(source), modules)
