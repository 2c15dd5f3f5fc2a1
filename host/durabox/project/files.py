"""
The files that a project's modules may be, by name.

A name is a path relative to the project's folder, with ``/``, of the file itself and not of a link to it: a package finds its
dependencies beside itself, wherever a package manager has linked it from. Nothing outside of the project has a name but the
packages that links in ``node_modules`` lead to: those get one below ``node_modules/.linked-<number>``, which says nothing
about the machine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from durabox.errors import ProjectError

_PACKAGES: Final = "node_modules"


class Files:
    """
    Files by name.

    Args:
        root: The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        #: Folders by the prefix of their names; the project's own first.
        self._folders: dict[str, Path] = {"": self.root}
        #: The paths without links of folders that were looked into, by name: a large package has hundreds of files in each.
        self._known: dict[str, Path | None] = {"": self.root}

    @staticmethod
    def normal(path: PurePosixPath) -> str:
        """
        A name without ``.`` and ``..``.

        Raises:
            ProjectError: It leads out of the project.
        """
        parts: list[str] = []
        for part in path.parts:
            if part == "..":
                if not parts:
                    raise ProjectError(f'"{path}" lies outside of the project.')
                parts.pop()
            elif part not in (".", "/"):
                parts.append(part)
        return "/".join(parts)

    def find(self, name: str) -> str | None:
        """The name of the file to which a name leads, ``None`` if there is no file."""
        path = self._file(name)
        return None if path is None else self._name(path)

    def find_package(self, name: str) -> str | None:
        """
        The name of a package's folder, ``None`` if there is none.

        Args:
            name: ``…/node_modules/<package>``; where it leads belongs to the project from now on.
        """
        path = self._folder(name)
        try:
            if path is None or not path.is_dir():
                return None
        except OSError:  # a name too long
            return None
        if self._name(path) is None:
            self._admit(path)
        return self._name(path)

    def read(self, name: str) -> bytes:
        """
        A file's content.

        Raises:
            ProjectError: There is no such file, or it cannot be read.
        """
        path = self._file(self.normal(PurePosixPath(name)))
        if path is None or self._name(path) is None:
            raise ProjectError(f'No such module "{name}".')
        try:
            return path.read_bytes()
        except OSError as error:
            raise ProjectError(f'"{name}" cannot be read: {error.strerror}') from None

    def _admit(self, package: Path) -> None:
        """Let the project see a package outside of it, with those that are installed beside it."""
        parts = package.parts
        folder = Path(*parts[: parts.index(_PACKAGES) + 1]) if _PACKAGES in parts else package
        if (self.root / _PACKAGES).resolve() == folder:
            self._folders[_PACKAGES] = folder
        else:
            self._folders[f"{_PACKAGES}/.linked-{len(self._folders)}/{folder.name}"] = folder

    def _file(self, name: str) -> Path | None:
        """The path without links of a file, wherever it is."""
        folder, _, last = name.rpartition("/")
        parent = self._folder(folder)
        if parent is None or not last or "\0" in name:
            return None
        path = parent / last
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                path = path.resolve()
                mode = os.lstat(path).st_mode
        except (OSError, RuntimeError):  # not there, a name too long, links in a circle
            return None
        return path if stat.S_ISREG(mode) else None

    def _folder(self, name: str) -> Path | None:
        """The path without links of what has that name or would have it, ``None`` if there can be nothing."""
        if name not in self._known:
            prefix = max(
                (known for known in self._folders if f"{name}/".startswith(f"{known}/")), key=len, default=""
            )
            try:
                self._known[name] = (self._folders[prefix] / name[len(prefix) :].lstrip("/")).resolve()
            except (OSError, RuntimeError, ValueError):
                self._known[name] = None
        return self._known[name]

    def _name(self, path: Path) -> str | None:
        """The name of a path without links, ``None`` outside of what the project may see."""
        for prefix, folder in self._folders.items():
            if path.is_relative_to(folder):
                return self.normal(PurePosixPath(prefix, path.relative_to(folder).as_posix()))
        return None
