"""What a bundle is made of; see `bundle`."""

from __future__ import annotations

import marshal
import os
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.machinery import ExtensionFileLoader, PathFinder, SourceFileLoader
from typing import Final, NamedTuple

from durabox.cli.bundle import LENGTH, Stamp, stamp_of, stems_in

#: Nanoseconds within which a file system may give two changes the same time: more than a tick of any kernel.
YOUNG_NS: Final = 20_000_000


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


def content(imported: set[str], before: Mapping[str, Part]) -> Iterator[memoryview | bytes]:
    """
    A bundle, from the length of its index on: all modules as Python finds them now, without those that it does not find.

    Args:
        imported: Modules that have been imported.
        before: What an older bundle has, in which bytecode is that need not be read again.
    Raises:
        ImportError: A module cannot be read; `OSError` likewise.
        SyntaxError: A module has been changed, and cannot be compiled.
    """
    files = [sys.modules[name].__file__ or "" for name in imported] + [part.file for part in before.values()]
    folders = {os.path.dirname(file) for file in files}
    folders |= {os.path.dirname(folder) for folder in folders} | set(sys.path)
    # What has just been imported may have had its bytecode written, which leaves young folders.
    time.sleep(YOUNG_NS / 1e9)
    # Stamps are older than what they stand for: what changes meanwhile does not fit them.
    stamps = {folder: _lasting_stamp(folder) for folder in folders}
    parts: dict[str, Part] = {}
    for name in sorted(imported | before.keys()):  # packages before what is in them
        parent = name.rpartition(".")[0]
        if not parent:
            path = None
        elif parent in sys.modules:
            path = list(sys.modules[parent].__path__)
        elif parent in parts:
            path = [os.path.dirname(parts[parent].file)]
        else:
            continue
        part = _part(name, path, before.get(name))
        if part is not None:
            parts[name] = part
    entries = {}
    end = 0
    for name, part in parts.items():
        entries[name] = (part.file, part.is_package, part.stamp, end, len(part.code))
        end += len(part.code)
    names = {name.rpartition(".")[2] for name in parts}
    known = {
        folder: (stamp, names & stems)
        for folder, stamp in stamps.items()
        if stamp is not None and (stems := stems_in(folder)) is not None
    }
    index = marshal.dumps((entries, known))
    yield len(index).to_bytes(LENGTH, "little")
    yield index
    for part in parts.values():
        yield part.code


def _part(name: str, path: list[str] | None, before: Part | None) -> Part | None:
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.origin is None:
        return None
    is_package = spec.submodule_search_locations is not None
    match spec.loader:
        case ExtensionFileLoader():
            return Part(spec.origin, is_package, None, b"")
        case SourceFileLoader():
            stamp = _lasting_stamp(spec.origin)
            if stamp is None:
                return None
            if before is not None and (before.file, before.stamp) == (spec.origin, stamp):
                return Part(spec.origin, is_package, stamp, before.code)
            return Part(spec.origin, is_package, stamp, marshal.dumps(spec.loader.get_code(name)))
    return None


def _lasting_stamp(path: str) -> Stamp | None:
    """What no later change leaves as it is, ``None`` if there is no telling yet."""
    stamp = stamp_of(path)
    return stamp if stamp is not None and time.time_ns() - stamp[2] > YOUNG_NS else None
