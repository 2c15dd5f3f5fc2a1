"""A project's modules: where imports lead, and what lies there. Nothing outside of the project is reachable."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from durabox.errors import ProjectError

#: Conditions of package.json ``exports`` that apply here, as Workers' bundlers set them.
_CONDITIONS: Final = frozenset({"workerd", "worker", "browser", "import", "module", "default"})
_SUFFIXES: Final = ("", ".js", ".mjs", ".json", "/index.js", "/index.mjs")
_KINDS: Final = {"ESModule": "esm", "Text": "text", "Data": "data"}


class MissingModuleError(ProjectError):
    """
    An import leads nowhere.

    Args:
        message: What is missing.
        specifier: As written in the import.
        referrer: Name of the importing module.
    """

    code = "missing-module"

    def __init__(self, message: str, specifier: str, referrer: str) -> None:
        super().__init__(message)
        self.specifier = specifier
        self.referrer = referrer


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What a file is, by its path.

    Args:
        kind: ``esm``, ``json``, ``text`` or ``data``.
        globs: Patterns of paths relative to the project.
    """

    kind: str
    globs: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Whether the rule is about this module."""
        return any(
            fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase("/" + name, glob) for glob in self.globs
        )


#: Rules that hold when no rule of the project matches.
DEFAULT_RULES: Final = (
    Rule("esm", ("**/*.js", "**/*.mjs")),
    Rule("json", ("**/*.json",)),
    Rule("text", ("**/*.txt", "**/*.html", "**/*.sql")),
    Rule("data", ("**/*.bin",)),
)


def rule_of(kind: str, globs: Sequence[str]) -> Rule:
    """
    A rule as wrangler writes it.

    Raises:
        ProjectError: A type that durabox does not run.
    """
    if kind not in _KINDS:
        raise ProjectError(f"modules of type {kind} are not supported; supported: {', '.join(_KINDS)}")
    return Rule(_KINDS[kind], tuple(globs))


class Modules:
    """
    The module graph's files. Names are paths relative to the project's folder, with ``/``.

    Args:
        root: The project's folder.
        rules: The project's own rules, before the default ones.
    """

    def __init__(self, root: Path, rules: Sequence[Rule] = ()) -> None:
        self.root = root.resolve()
        self._rules = (*rules, *DEFAULT_RULES)

    def resolve(self, specifier: str, referrer: str) -> str:
        """
        The name of the module that an import means.

        Args:
            specifier: As written in the import.
            referrer: Name of the importing module; ``""`` for the project itself.
        Raises:
            MissingModuleError: There is no such module.
            ProjectError: It lies outside of the project.
        """
        if specifier.startswith(("./", "../", "/")) or not referrer:
            base = (
                PurePosixPath()
                if specifier.startswith("/") or not referrer
                else PurePosixPath(referrer).parent
            )
            found = self._probe(self._normal(base / specifier.lstrip("/")))
        elif ":" in specifier.split("/", 1)[0]:
            known = "cloudflare:workers" if specifier.startswith("cloudflare:") else "none"
            raise MissingModuleError(
                f'No such module "{specifier}", imported from "{referrer}". Built-in modules of that kind: {known}.',
                specifier,
                referrer,
            )
        else:
            found = self._package(specifier, referrer)
        if found is None:
            where = f', imported from "{referrer}"' if referrer else ""
            raise MissingModuleError(f'No such module "{specifier}"{where}.', specifier, referrer)
        return found

    def describe(self, name: str) -> tuple[str, str]:
        """
        A module's kind (``esm``, ``json``, ``text``, ``data``) and its ``import.meta.url``.

        Raises:
            ProjectError: No rule says what it is.
        """
        for rule in self._rules:
            if rule.matches(name):
                return rule.kind, f"file:///{name}"
        raise ProjectError(
            f'"{name}" cannot be imported: no rule says what kind of module it is. Add one to "rules".'
        )

    def source(self, name: str) -> bytes:
        """
        A module's bytes.

        Raises:
            ProjectError: It cannot be read, or it is code that is not UTF-8.
        """
        path = self._path(self._normal(PurePosixPath(name)))
        if path is None:
            raise ProjectError(f'No such module "{name}".')
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProjectError(f'"{name}" cannot be read: {error.strerror}') from None
        if name.endswith((".js", ".mjs", ".json")):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                raise ProjectError(f'"{name}" is not UTF-8: bad byte at offset {error.start}') from None
        return content

    # Inside

    @staticmethod
    def _normal(path: PurePosixPath) -> str:
        parts: list[str] = []
        for part in path.parts:
            if part == "..":
                if not parts:
                    raise ProjectError(f'"{path}" lies outside of the project.')
                parts.pop()
            elif part not in (".", "/"):
                parts.append(part)
        return "/".join(parts)

    def _path(self, name: str) -> Path | None:
        """The file of a module; links are followed, but not out of the project."""
        if "\0" in name:
            return None
        try:
            path = (self.root / name).resolve()
            inside = path.is_relative_to(self.root) and path.is_file()
        except (OSError, RuntimeError):
            return None
        return path if inside else None

    def _probe(self, stem: str) -> str | None:
        for suffix in _SUFFIXES:
            if self._path(stem + suffix) is not None:
                return stem + suffix
        return None

    def _package(self, specifier: str, referrer: str) -> str | None:
        parts = specifier.split("/")
        length = 2 if specifier.startswith("@") else 1
        package, rest = "/".join(parts[:length]), "/".join(parts[length:])
        folder = PurePosixPath(referrer).parent
        while True:
            base = self._normal(folder / "node_modules" / package)
            manifest = self._path(base + "/package.json")
            if manifest is not None:
                return self._in_package(base, rest, manifest)
            if folder == folder.parent or not folder.parts:
                return None
            folder = folder.parent

    def _in_package(self, base: str, rest: str, manifest: Path) -> str | None:
        try:
            described = json.loads(manifest.read_bytes())
        except (OSError, ValueError) as error:
            raise ProjectError(f'"{base}/package.json" cannot be read: {error}') from None
        if not isinstance(described, dict):
            raise ProjectError(f'"{base}/package.json" is not an object')
        exports = described.get("exports")
        if exports is not None:
            target = self._exported(exports, "./" + rest if rest else ".")
            return self._probe(self._normal(PurePosixPath(base) / target)) if target else None
        if rest:
            return self._probe(self._normal(PurePosixPath(base) / rest))
        for key in ("module", "main"):
            if isinstance(described.get(key), str):
                found = self._probe(self._normal(PurePosixPath(base) / described[key]))
                if found:
                    return found
        return self._probe(base + "/index")

    def _exported(self, exports: Any, wanted: str) -> str | None:
        if isinstance(exports, dict) and any(key.startswith(".") for key in exports):
            if wanted in exports:
                return self._condition(exports[wanted])
            best = ""
            for key in exports:
                head, star, tail = key.partition("*")
                if (
                    star
                    and wanted.startswith(head)
                    and wanted.endswith(tail)
                    and len(head) > len(best.partition("*")[0])
                ):
                    best = key
            if not best:
                return None
            head, _, tail = best.partition("*")
            target = self._condition(exports[best])
            return target and target.replace("*", wanted[len(head) : len(wanted) - len(tail) or None])
        return self._condition(exports) if wanted == "." else None

    def _condition(self, target: Any) -> str | None:
        if isinstance(target, str):
            return target
        if isinstance(target, dict):
            for key, value in target.items():
                if key in _CONDITIONS:
                    found = self._condition(value)
                    if found:
                        return found
        if isinstance(target, list):
            return next((found for found in map(self._condition, target) if found), None)
        return None
