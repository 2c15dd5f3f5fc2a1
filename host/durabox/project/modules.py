"""A project's modules: where imports lead, and what lies there."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from durabox.errors import ProjectError
from durabox.project.files import Files
from durabox.project.manifest import Manifest, Refusal

#: What an import may leave out, where bundlers let it.
_ENDINGS: Final = ("", ".js", ".mjs", ".json")
_INDEXES: Final = ("/index.js", "/index.mjs")
_KINDS: Final = {"ESModule": "esm", "Text": "text", "Data": "data"}
#: Name of the module in the place of those that a ``browser`` map takes away.
_NOTHING: Final = "(nothing)"

_COMMENT: Final = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_ES_MODULE: Final = re.compile(r"(?:^|[;}\s])(?:import|export)(?:\s*[{*\"']|\s+[A-Za-z_$])|\bimport\.meta\b")
_COMMONJS: Final = re.compile(r"\bmodule\.exports\b|\bexports\b\s*[.,)[]|\brequire\s*\(")
#: How a project with CommonJS packages is made into one that can be served.
_BUNDLE: Final = (
    "esbuild {main} --bundle --format=esm --conditions=workerd,worker,browser"
    " '--external:cloudflare:*' '--external:node:*' --outfile=dist/index.js"
)


class UnusableImportError(ProjectError):
    """
    An import leads to nothing that can be loaded.

    Args:
        message: What is wrong.
        specifier: As written in the import.
        referrer: Name of the importing module.
    """

    code = "unusable-import"

    def __init__(self, message: str, specifier: str, referrer: str) -> None:
        super().__init__(message)
        self.specifier = specifier
        self.referrer = referrer


class MissingModuleError(UnusableImportError):
    """An import leads nowhere."""

    code = "missing-module"


class CommonJSError(UnusableImportError):
    """An import leads to a module of the kind that only Node and bundlers know."""

    code = "commonjs-module"


class Rule(Struct, frozen=True):
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
    The module graph's files.

    Args:
        root: The project's folder.
        rules: The project's own rules, before the default ones.
    """

    def __init__(self, root: Path, rules: Sequence[Rule] = ()) -> None:
        self._files = Files(root)
        self._rules = (*rules, *DEFAULT_RULES)
        self._manifests: dict[str, Manifest | None] = {}

    def resolve(self, specifier: str, referrer: str) -> str:
        """
        The name of the module that an import means.

        Args:
            specifier: As written in the import.
            referrer: Name of the importing module; ``""`` for the project itself.
        Raises:
            UnusableImportError: There is no such module, or it is CommonJS.
            ProjectError: It lies outside of the project, or a package's manifest is malformed.
        """
        where = f', imported from "{referrer}"' if referrer else ""
        try:
            found = self._lead(specifier, referrer)
        except ProjectError as error:
            raise UnusableImportError(f"{error}{where and f' ({where[2:]})'}", specifier, referrer) from None
        if found is None:
            raise MissingModuleError(f'No such module "{specifier}"{where}.', specifier, referrer)
        if referrer and self._is_commonjs(found):
            scope = self._scope(found)
            package = scope.name if scope and scope.name else found
            raise CommonJSError(
                f'The package "{package}" is not an ES module but CommonJS ("{found}"{where}). Bundle the project and'
                f" serve the bundle: {_BUNDLE.format(main='src/index.js')}",
                specifier,
                referrer,
            )
        return found

    def describe(self, name: str) -> tuple[str, str]:
        """
        A module's kind (``esm``, ``json``, ``text``, ``data``) and its ``import.meta.url``.

        Raises:
            ProjectError: No rule says what it is.
        """
        if name == _NOTHING:
            return "json", f"file:///{name}"
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
        if name == _NOTHING:
            return b"{}"
        content = self._files.read(name)
        if name.endswith((".js", ".mjs", ".json")):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                raise ProjectError(f'"{name}" is not UTF-8: bad byte at offset {error.start}') from None
        return content

    # The kinds of specifiers

    def _lead(self, specifier: str, referrer: str) -> str | None:
        if not referrer or specifier in (".", "..") or specifier.startswith(("./", "../", "/")):
            return self._path(specifier, referrer)
        if specifier.startswith("#"):
            return self._internal(specifier, referrer)
        if specifier.startswith("cloudflare:"):
            raise ProjectError(f'No such module "{specifier}". Of that kind there is: cloudflare:workers.')
        if ":" in specifier.split("/", 1)[0]:
            raise ProjectError(f'No such module "{specifier}". Of that kind there is none.')
        return self._bare(specifier, referrer)

    def _path(self, specifier: str, referrer: str) -> str | None:
        folder = (
            PurePosixPath() if specifier.startswith("/") or not referrer else PurePosixPath(referrer).parent
        )
        stem = self._files.normal(folder / specifier.lstrip("/"))
        replaced = self._replaced_file(stem)
        if replaced is not None:
            return replaced
        return self._in_folder(stem) if specifier.endswith(("/", ".")) else self._probe(stem)

    def _internal(self, specifier: str, referrer: str) -> str | None:
        scope = self._scope(referrer)
        target = scope.imported(specifier) if scope else Refusal.ABSENT
        if scope is None or isinstance(target, Refusal):
            return None
        if target.startswith("./"):
            return self._files.find(self._below(scope, target))
        return self._package(target, self._below(scope, "package.json"))

    def _bare(self, specifier: str, referrer: str) -> str | None:
        scope = self._scope(referrer)
        other = scope.in_browsers(specifier, _ENDINGS) if scope else None
        if scope is None or other is None:
            return self._package(specifier, referrer)
        if isinstance(other, Refusal):
            return _NOTHING
        if other.startswith("./"):
            return self._probe(self._below(scope, other))
        return self._package(other, referrer)

    # Packages

    def _package(self, specifier: str, referrer: str) -> str | None:
        parts = specifier.split("/")
        length = 2 if specifier.startswith("@") else 1
        package, rest = "/".join(parts[:length]), "/".join(parts[length:])
        if len(parts) < length or not all(parts[:length]) or package.startswith(".") or "\\" in package:
            return None
        scope = self._scope(referrer)
        if scope is not None and scope.name == package and scope.has_exports:
            return self._in_package(scope.where, rest)
        folder = PurePosixPath(referrer).parent
        for above in (folder, *folder.parents):
            if above.name == "node_modules":
                continue
            base = self._files.find_package(str(above / "node_modules" / package))
            found = None if base is None else self._in_package(base, rest)
            if found is not None:
                return found
        return None

    def _in_package(self, base: str, rest: str) -> str | None:
        manifest = self._manifest(base)
        if manifest is not None and manifest.has_exports:
            target = manifest.exported(f"./{rest}" if rest else ".")
            if isinstance(target, Refusal):
                raise ProjectError(
                    f'The package "{manifest.name}" exports no {f"./{rest}" if rest else "main module"}'
                    " under the conditions that apply here."
                )
            return self._files.find(self._below(manifest, target))
        if not rest:
            return self._in_folder(base)
        stem = self._files.normal(PurePosixPath(base, rest))
        return self._replaced_file(stem) or self._probe(stem)

    def _replaced_file(self, stem: str) -> str | None:
        """What the ``browser`` map of a file's package has in its place, ``None`` for nothing."""
        scope = self._scope(stem)
        if scope is None or not scope.has_browser_map:
            return None
        inside = PurePosixPath(stem).relative_to(scope.where or ".")
        other = scope.in_browsers(f"./{inside}", (*_ENDINGS, *_INDEXES))
        if other is None:
            return None
        if isinstance(other, Refusal):
            return _NOTHING
        if other.startswith("."):
            return self._probe(self._below(scope, other))
        return self._package(other, self._below(scope, "package.json"))

    # Files

    def _probe(self, stem: str) -> str | None:
        """The module that a path means, with what it may leave out."""
        return self._first(stem, _ENDINGS) or self._in_folder(stem)

    def _first(self, stem: str, endings: Sequence[str]) -> str | None:
        return next(filter(None, (self._files.find(stem + ending) for ending in endings)), None)

    def _in_folder(self, folder: str) -> str | None:
        """The module that a folder means: its package's entry point, its index."""
        candidates = list(self._entries(folder))
        # An ES module is better than what would come first for a bundler but cannot be loaded.
        usable = (found for found in candidates if not self._is_commonjs(found))
        return next(usable, candidates[0] if candidates else None)

    def _entries(self, folder: str) -> Iterator[str]:
        """The modules that a folder may mean, the best first."""
        manifest = self._manifest(folder)
        for entry in manifest.entries() if manifest else ():
            stem = self._files.normal(PurePosixPath(folder, entry))
            found = self._replaced_file(stem) or self._first(stem, (*_ENDINGS, *_INDEXES))
            if found is not None:
                yield found
        index = self._first(folder, _INDEXES)
        if index is not None:
            yield index

    def _below(self, manifest: Manifest, path: str) -> str:
        return self._files.normal(PurePosixPath(manifest.where, path))

    def _manifest(self, folder: str) -> Manifest | None:
        """The manifest in a folder."""
        if folder not in self._manifests:
            file = self._files.find(f"{folder}/package.json")
            self._manifests[folder] = Manifest.parse(folder, self._files.read(file)) if file else None
        return self._manifests[folder]

    def _scope(self, name: str) -> Manifest | None:
        """The manifest of the package that a file belongs to."""
        folder = name.rpartition("/")[0]
        while folder != "node_modules" and not folder.endswith("/node_modules"):
            manifest = self._manifest(folder)
            if manifest is not None or not folder:
                return manifest
            folder = folder.rpartition("/")[0]
        return None

    def _is_commonjs(self, name: str) -> bool:
        """Whether a file of a package is CommonJS: by its name, else by what it does, as bundlers tell."""
        if name.endswith(".cjs"):
            return True
        if not name.endswith(".js") or "node_modules/" not in name:
            return False
        scope = self._scope(name)
        if scope is not None and scope.is_esm:
            return False
        text = _COMMENT.sub("", self._files.read(name).decode("utf-8", "replace"))
        return _COMMONJS.search(text) is not None and _ES_MODULE.search(text) is None
