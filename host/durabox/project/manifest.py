"""
What a ``package.json`` says about imports: ``exports``, ``imports``, the entry points of before, the ``browser`` map.

The rules are Node's (its documentation's "Resolution Algorithm Specification"), with what wrangler's bundler adds for browsers
and Workers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from msgspec import Struct

from durabox.errors import ProjectError

#: Conditions that apply: wrangler's, and ``module``, under which packages keep code for bundlers that is free of CommonJS.
CONDITIONS: Final = frozenset({"workerd", "worker", "browser", "import", "module", "default"})
#: Where a package without ``exports`` says its entry point is, the best first.
_ENTRIES: Final = ("browser", "module", "main")
#: Segments that a target may not have, lest it leads out of its package.
_ASTRAY: Final = frozenset({"", ".", "..", "node_modules"})
#: Deeper nesting of conditions is an error.
_DEEPEST: Final = 32


class Refusal(Enum):
    """Why a manifest leads nowhere."""

    #: Nothing in it is about what is asked for, or none of the conditions holds.
    ABSENT = "absent"
    #: It says that there is nothing.
    NOTHING = "nothing"


class Manifest(Struct, frozen=True):
    """
    A package's manifest.

    Args:
        where: Name of the package's folder.
        content: The document.
    """

    where: str
    content: dict[str, Any]

    @classmethod
    def parse(cls, where: str, text: bytes) -> Manifest:
        """
        Read one.

        Raises:
            ProjectError: It is not a JSON object.
        """
        file = f"{where}/package.json".lstrip("/")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ProjectError(f'"{file}" cannot be read: {error}') from None
        if not isinstance(content, dict):
            raise ProjectError(f'"{file}" is not an object')
        return cls(where, content)

    @property
    def name(self) -> str:
        """The package's name, ``""`` if it has none."""
        name = self.content.get("name")
        return name if isinstance(name, str) else ""

    @property
    def has_exports(self) -> bool:
        """Whether only what ``exports`` names can be imported."""
        return self.content.get("exports") is not None

    @property
    def has_browser_map(self) -> bool:
        """Whether some modules are others in browsers and Workers."""
        return isinstance(self.content.get("browser"), dict)

    @property
    def is_esm(self) -> bool:
        """Whether its ``.js`` files say that they are ES modules."""
        return self.content.get("type") == "module"

    def entries(self) -> Iterator[str]:
        """Paths that may be the entry point, the best first, of a package without ``exports``."""
        for key in _ENTRIES:
            if isinstance(path := self.content.get(key), str):
                yield path

    def exported(self, subpath: str) -> str | Refusal:
        """
        The file behind an import of the package from outside, or by its own name.

        Args:
            subpath: ``.`` or ``./…``.
        Returns:
            A path that begins with ``./``, relative to the package.
        Raises:
            ProjectError: ``exports`` is malformed where it matters.
        """
        exports = self.content["exports"]
        if not isinstance(exports, dict) or not any(key.startswith(".") for key in exports):
            exports = {".": exports}
        return self._match(exports, subpath, "exports")

    def imported(self, specifier: str) -> str | Refusal:
        """
        What the package means by a specifier that begins with ``#``.

        Returns:
            A path that begins with ``./``, relative to the package, or the specifier of another package.
        Raises:
            ProjectError: ``imports`` is malformed where it matters.
        """
        imports = self.content.get("imports")
        if not isinstance(imports, dict) or specifier in ("#", "#/") or specifier.endswith("/"):
            return Refusal.ABSENT
        return self._match(imports, specifier, "imports")

    def in_browsers(self, wanted: str, endings: tuple[str, ...]) -> str | Refusal | None:
        """
        What the ``browser`` map puts in the place of a module.

        Args:
            wanted: ``./…`` for a file of the package, else the specifier of another package.
            endings: What may follow in the map, ``""`` among them.
        Returns:
            A path or specifier, `Refusal.NOTHING` for an empty module, ``None`` when the map leaves the module alone.
        """
        browser = self.content.get("browser")
        if not isinstance(browser, dict):
            return None
        stems = (wanted, wanted.removeprefix("./")) if wanted.startswith("./") else (wanted,)
        for key in (stem + ending for stem in stems for ending in endings):
            match browser.get(key):
                case str() as other:
                    return other
                case False:
                    return Refusal.NOTHING
        return None

    def _match(self, table: dict[str, Any], wanted: str, field: str) -> str | Refusal:
        if "*" not in wanted and wanted in table:
            return self._target(table[wanted], "", field)
        # Of the patterns that fit, the one whose part before the star is the longest, and then the longest.
        best, filling = "", ""
        for key in table:
            head, star, tail = key.partition("*")
            if not star or "*" in tail or wanted == head or len(wanted) < len(key):
                continue
            if not (wanted.startswith(head) and wanted.endswith(tail)):
                continue
            if (len(head), len(key)) > (len(best.partition("*")[0]), len(best)):
                best, filling = key, wanted[len(head) : len(wanted) - len(tail)]
        return self._target(table[best], filling, field) if best else Refusal.ABSENT

    def _target(self, target: Any, filling: str, field: str, depth: int = 0) -> str | Refusal:
        if depth > _DEEPEST:
            raise self._malformed(field, "conditions nested too deeply")
        match target:
            case str():
                return self._path(target, filling, field)
            case None:
                return Refusal.NOTHING
            case dict():
                for condition, value in target.items():
                    if condition in CONDITIONS:
                        found = self._target(value, filling, field, depth + 1)
                        if found is not Refusal.ABSENT:
                            return found
                return Refusal.ABSENT
            case list():
                last: str | Refusal | ProjectError = Refusal.NOTHING
                for value in target:
                    try:
                        last = self._target(value, filling, field, depth + 1)
                    except ProjectError as error:
                        last = error
                    if isinstance(last, str):
                        return last
                if isinstance(last, ProjectError):
                    raise last
                return last
            case _:
                raise self._malformed(field, f"{target!r} is no target")

    def _path(self, target: str, filling: str, field: str) -> str:
        path = target.replace("*", filling)
        if not target.startswith("./"):
            if field == "imports" and not target.startswith(("../", "/")):
                return path
            raise self._malformed(field, f'the target "{target}" must begin with "./"')
        segments = path.replace("\\", "/").split("/")[1:]
        if any(segment.lower().replace("%2e", ".") in _ASTRAY for segment in segments):
            raise self._malformed(field, f'the target "{path}" leads astray')
        return path

    def _malformed(self, field: str, message: str) -> ProjectError:
        return ProjectError(f'"{self.where}/package.json": {field}: {message}')
