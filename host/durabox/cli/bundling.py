"""What a bundle is made of; see `bundle`."""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ExtensionFileLoader, PathFinder, SourceFileLoader
from typing import NamedTuple

from durabox.cli.bundle import LENGTH, Stamp, stamp_of, stems_in


class Part(NamedTuple):
    """
    A module in a bundle.

    Args:
        file: What it is loaded from.
        is_package: Whether there are modules below it.
        stamp: The file's; ``None`` of an extension, which is loaded from it as ever.
        code: Its bytecode; none of an extension.
    """

    file: str
    is_package: bool
    stamp: Stamp | None
    code: memoryview | bytes

    @property
    def is_current(self) -> bool:
        """Whether the file is as it was."""
        now = stamp_of(self.file)
        return now is not None and self.stamp in (None, now)


def content(imported: set[str], kept: Mapping[str, Part]) -> Iterator[memoryview | bytes]:
    """
    A bundle, from the length of its index on.

    Args:
        imported: Modules that go into it as Python finds them now, without those that it does not find on a path.
        kept: Others, without those that are not as they were.
    Raises:
        ImportError: A module cannot be read; `OSError` likewise.
        SyntaxError: A module has been changed, and cannot be compiled.
    """
    files = [sys.modules[name].__file__ or "" for name in imported] + [part.file for part in kept.values()]
    folders = {os.path.dirname(file) for file in files}
    folders |= {os.path.dirname(folder) for folder in folders} | set(sys.path)
    # Stamps are older than what they stand for: what changes meanwhile does not fit them.
    stamps = {folder: stamp_of(folder) for folder in folders}
    parts = {name: part for name, part in kept.items() if part.is_current}
    parts.update((name, part) for name in imported if (part := _found(name)) is not None)
    entries = {}
    end = 0
    for name, part in parts.items():
        entries[name] = (part.file, part.is_package, part.stamp, end, len(part.code))
        end += len(part.code)
    stems = {name.rpartition(".")[2] for name in parts}
    index = marshal.dumps(
        (
            entries,
            {
                folder: (stamp, stems & (stems_in(folder) or frozenset()))
                for folder, stamp in stamps.items()
                if stamp
            },
        )
    )
    yield len(index).to_bytes(LENGTH, "little")
    yield index
    for part in parts.values():
        yield part.code


def _found(name: str) -> Part | None:
    parent = sys.modules.get(name.rpartition(".")[0])
    spec = PathFinder.find_spec(name, getattr(parent, "__path__", None))
    if spec is None or spec.origin is None:
        return None
    is_package = spec.submodule_search_locations is not None
    match spec.loader:
        case ExtensionFileLoader():
            return Part(spec.origin, is_package, None, b"")
        case SourceFileLoader():
            stamp = stamp_of(spec.origin)
            return Part(spec.origin, is_package, stamp, marshal.dumps(spec.loader.get_code(name)))
    return None
