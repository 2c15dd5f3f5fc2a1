"""The bytecode of everything that a command imports, in one file.

Python looks for each module along a path, opens its file and checks it: a sixth of what it takes to import the four hundred
modules of a server. A *bundle* has their bytecode, and where they lie. While a command starts, modules come from it; what is
not in it, or not as it was, is imported as ever, and then the bundle is written anew for the next start.

A module comes from the bundle only where `PathFinder` would import the same:

* Its file has the size and the times that it had: that of its last change of any kind, which nobody can set, among them.
* The folders that it lies in have the times that they had, so that nothing was added, renamed or removed there; and no folder
  before them on the path has anything of its name.

Bytecode is code: a bundle is used only if it is this user's and nobody else may write it.
"""

from __future__ import annotations

import marshal
import mmap
import os
import sys
import zlib
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader

from durabox import cache_files

# As `typing` has it: whatever is imported here is imported without a bundle.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, ModuleType

#: A file or folder: bytes, nanoseconds of its change and of its last change of any kind.
Stamp = tuple[int, int, int]
#: A module: its file, whether it is a package; of a source its stamp, and where its bytecode begins and how long that is.
Entry = tuple[str, bool, Stamp | None, int, int]

#: What a bundle begins with, and how many bytes tell the length of its index.
_MAGIC = b"durabox bundle 1"
LENGTH = 8
#: What Python has by itself: for archives and for folders. Whoever adds to them finds modules in ways that are unknown here.
_PATH_HOOKS = 2


def stamp_of(path: str) -> Stamp | None:
    """What tells whether a file or folder has changed, ``None`` if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def stems_in(folder: str) -> frozenset[str] | None:
    """What modules in a folder may be called; ``None`` of what is no folder but may have modules."""
    try:
        return frozenset(name.partition(".")[0] for name in os.listdir(folder))
    except FileNotFoundError:
        return frozenset()
    except (OSError, TypeError):
        return None


class _Loader(SourceFileLoader):
    """Loads a module whose file is as it was when it was bundled."""

    def __init__(self, name: str, path: str, bytecode: Callable[[], memoryview]) -> None:
        super().__init__(name, path)
        self._bytecode: Callable[[], memoryview] | None = bytecode

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code; who asks again, or when the bundle is closed, gets what the file is by then."""
        bytecode, self._bytecode = self._bytecode, None
        if bytecode is not None:
            try:
                code: CodeType = marshal.loads(bytecode())
                return code
            except (EOFError, TypeError, ValueError):
                pass
        return super().get_code(fullname)


_LOADERS = (SourceFileLoader, _Loader, ExtensionFileLoader)


class Bundle:
    """
    Finds modules in a bundle, from the beginning of a block until its end or `close`.

    Args:
        name: What of durabox imports them: its bundle is its own, as it is of this installation and this Python. ``None`` for
            none: then nothing is found.
    """

    def __init__(self, name: str | None) -> None:
        self._is_wanted = (
            name is not None
            and len(sys.path_hooks) == _PATH_HOOKS
            and PathFinder in sys.meta_path
            # What an archive has nobody can tell from its name.
            and not any(map(os.path.isfile, sys.path))
        )
        # The version's text is another one whenever bytecode is.
        whose = name, os.path.dirname(__file__), sys.prefix, sys.version, sys.flags.optimize
        self._head = _MAGIC + repr(whose).encode()
        self._path = cache_files.path(f"{name}-{zlib.crc32(self._head):08x}.bundle")
        self._bytecode = memoryview(b"")
        self._entries: dict[str, Entry] = {}
        #: Of folders: their stamps, and which modules of the bundle something in them may be.
        self._folders: dict[str, tuple[Stamp | None, frozenset[str]]] = {}
        #: Of those that were looked at: what modules in them may be called, and whether they are as they were.
        self._seen: dict[str, tuple[frozenset[str] | None, bool]] = {}
        #: Modules that were there before, and those that came from the bundle.
        self._before = frozenset(sys.modules)
        self._found: set[str] = set()

    def __enter__(self) -> Bundle:
        if self._is_wanted:
            self._open()
            sys.meta_path.insert(sys.meta_path.index(PathFinder), self)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close(write=error is None)

    def close(self, *, write: bool = True) -> None:
        """
        Have modules imported as ever from now on.

        Args:
            write: Whether to write the bundle anew if it lacked modules, which takes a while.
        """
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        imported = self._imported()
        if write and not sys.dont_write_bytecode and not imported <= self._found:
            from durabox.cli.bundling import Part, content

            before = {
                name: Part(file, is_package, stamp, self._bytecode[begin : begin + length])
                for name, (file, is_package, stamp, begin, length) in self._entries.items()
            }
            try:
                cache_files.store(self._path, [self._head, *content(imported, before)])
            except (ImportError, OSError, SyntaxError):
                pass  # No place for it, or a source that is being changed: the next start is as slow as this one.
        self._bytecode = memoryview(b"")
        self._entries, self._folders = {}, {}

    def _open(self) -> None:
        try:
            with open(self._path, "rb") as file:
                if not cache_files.is_trusted(os.fstat(file.fileno())):
                    return
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            begin = len(self._head) + LENGTH
            if content[: len(self._head)] == self._head:
                end = begin + int.from_bytes(content[begin - LENGTH : begin], "little")
                self._entries, self._folders = marshal.loads(content[begin:end])
                self._bytecode = content[end:]
        except (OSError, EOFError, TypeError, ValueError):
            pass  # There is none, or not a whole one.

    def find_spec(
        self, name: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What `PathFinder` would find, or ``None`` where that has to be asked."""
        entry = self._entries.get(name)
        if entry is None or not self._is_there(name, entry, sys.path if path is None else path):
            return None
        file, is_package, stamp, begin, length = entry
        loader: SourceFileLoader | ExtensionFileLoader
        if stamp is None:
            loader = ExtensionFileLoader(name, file)
        elif stamp == stamp_of(file):
            loader = _Loader(name, file, lambda: self._bytecode[begin : begin + length])
        else:
            return None
        self._found.add(name)
        spec = ModuleSpec(name, loader, origin=file, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def _is_there(self, name: str, entry: Entry, path: Iterable[str]) -> bool:
        """Whether a module's file is still the first of its name on a path."""
        folder = os.path.dirname(entry[0])
        if entry[1]:
            if not self._look(folder)[1]:
                return False
            folder = os.path.dirname(folder)
        stem = name.rpartition(".")[2]
        for place in path:
            stems, is_as_it_was = self._look(place or os.curdir)
            if place == folder:
                return is_as_it_was
            if stems is None or stem in stems:
                return False
        return False

    def _look(self, folder: str) -> tuple[frozenset[str] | None, bool]:
        seen = self._seen.get(folder)
        if seen is None:
            stamp, stems = self._folders.get(folder, (None, frozenset()))
            is_as_it_was = stamp is not None and stamp == stamp_of(folder)
            seen = self._seen[folder] = (stems, True) if is_as_it_was else (stems_in(folder), False)
        return seen

    def _imported(self) -> set[str]:
        """What has been imported from files since the beginning."""
        modules = [
            (name, getattr(module, "__spec__", None))
            for name, module in list(sys.modules.items())
            if name not in self._before
        ]
        return {
            name
            for name, spec in modules
            if spec is not None and spec.name == name and type(spec.loader) in _LOADERS
        }
