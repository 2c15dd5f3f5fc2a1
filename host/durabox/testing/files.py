"""The file system with a watcher: every change that durabox and SQLite make to files passes one method.

`WatchedFiles` stands in for `durabox.storage.files.Files`. It names an SQLite VFS of its own, so what SQLite does
with databases and their WALs passes `WatchedFiles.carry_out` like everything else. Reading is not watched, nor
are SQLite's temporary files.

An `OSError` out of `WatchedFiles.carry_out` reaches SQLite as the result code that its own VFS has for it.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import apsw

from durabox.storage.files import Files

T = TypeVar("T")

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_ERRORS: Final[dict[int, tuple[type[apsw.Error], str]]] = {
    apsw.SQLITE_CANTOPEN: (apsw.CantOpenError, "unable to open database file"),
    apsw.SQLITE_FULL: (apsw.FullError, "database or disk is full"),
    apsw.SQLITE_IOERR: (apsw.IOError, "disk I/O error"),
}

_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Call:
    """
    One change to files, or one step towards its safety.

    Args:
        operation: ``open``, ``create``, ``write``, ``truncate``, ``date``, ``sync``, ``sync_folder``, ``rename``, ``link``,
            ``remove`` or ``make_folder``.
        path: The file or folder.
        target: New name, of ``rename`` and ``link``.
        data: What ``write`` writes.
        offset: Where it writes; for ``truncate`` the new size, in bytes.
        modified_ns: When the file says that it was changed, in nanoseconds since the epoch; of ``date``, and of what
            `RecordedFiles` has recorded.
    """

    operation: str
    path: str
    target: str = ""
    data: bytes = b""
    offset: int = 0
    modified_ns: int = 0

    @property
    def label(self) -> str:
        """Names the point in the life of a database where this happens, such as ``sync wal``."""
        path = self.target or self.path
        kind = (
            "wal"
            if path.endswith("-wal")
            else "birth"
            if os.path.basename(os.path.dirname(path)) == "births"
            else "database"
            if path.endswith(".sqlite")
            else "facets"
            if path.endswith(".facets")
            else "plan"
            if path.endswith("plan")
            else "log of births"
            if os.path.basename(os.path.dirname(path)) == "newborns"
            else "folder"
        )
        return f"{self.operation} {kind}"


class WatchedFiles(Files):
    """
    The real file system; a subclass says in `carry_out` what else happens. Not for two processes at once.

    What durabox otherwise does beside everything else, such as writing the files of new objects after they were born, is done
    before the next thing.
    """

    in_order = True

    def __init__(self) -> None:
        self.vfs = f"durabox-testing-{next(_NUMBERS)}"
        self._vfs = _WatchedVFS(self.vfs, self)

    def carry_out(self, call: Call, really: Callable[[], T], half: Callable[[], object] | None = None) -> T:
        """
        Do what is asked. Runs in any thread that commits.

        Args:
            call: What is asked.
            really: Does it.
            half: Does the first half of it; only of ``write``.
        """
        return really()

    def write(self, path: str, data: bytes | bytearray, *, sync: bool) -> None:
        """See `Files`: in three steps."""
        handle = self.carry_out(
            Call("create", path),
            lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644),
        )
        try:
            self._put(handle, path, bytes(data), 0, sync)
        finally:
            os.close(handle)

    def place(
        self,
        path: str,
        data: bytes | bytearray,
        modified_ns: int,
        placed: Callable[[], object],
        *,
        sync: bool,
    ) -> None:
        """See `Files`: in three steps or four."""
        handle = self.carry_out(
            Call("truncate" if os.path.exists(path) else "create", path),
            lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644),
        )
        try:
            self._put(handle, path, bytes(data), 0, sync=False)
            self.carry_out(
                Call("date", path, modified_ns=modified_ns),
                lambda: os.utime(handle, ns=(modified_ns, modified_ns)),
            )
            placed()
            if sync:
                self.carry_out(Call("sync", path), lambda: os.fsync(handle))
        finally:
            os.close(handle)

    def append(self, path: str, data: bytes, *, at: int, sync: bool) -> None:
        """See `Files`: in up to four steps."""
        handle = self.carry_out(
            Call("open" if os.path.exists(path) else "create", path),
            lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644),
        )
        try:
            end = at + len(data)
            self._put(handle, path, data, at, sync=False)
            if os.fstat(handle).st_size > end:
                self.carry_out(Call("truncate", path, offset=end), lambda: os.ftruncate(handle, end))
            if sync:
                self.carry_out(Call("sync", path), lambda: os.fsync(handle))
        finally:
            os.close(handle)

    def create(self, path: str) -> int:
        """See `Files`."""
        return self.carry_out(Call("create", path), lambda: Files.create(self, path))

    def extend(self, handle: int, path: str, data: bytes, at: int) -> None:
        """See `Files`: in two steps."""
        self._put(handle, path, data, at, sync=True)

    def _put(self, handle: int, path: str, data: bytes, at: int, sync: bool) -> None:
        self.carry_out(
            Call("write", path, data=data, offset=at),
            lambda: os.pwrite(handle, data, at),
            lambda: os.pwrite(handle, data[: len(data) // 2], at),
        )
        if sync:
            self.carry_out(Call("sync", path), lambda: os.fsync(handle))

    def truncate(self, path: str, size: int) -> None:
        """See `Files`."""
        self.carry_out(Call("truncate", path, offset=size), lambda: Files.truncate(self, path, size))

    def link(self, source: str, target: str) -> None:
        """See `Files`."""
        self.carry_out(Call("link", source, target), lambda: Files.link(self, source, target))

    def make_folders(self, path: str) -> None:
        """See `Files`."""
        self.carry_out(Call("make_folder", path), lambda: Files.make_folders(self, path))

    def date(self, path: str, modified_ns: int) -> None:
        """See `Files`."""
        self.carry_out(
            Call("date", path, modified_ns=modified_ns), lambda: Files.date(self, path, modified_ns)
        )

    def sync_file(self, path: str) -> None:
        """See `Files`."""
        self.carry_out(Call("sync", path), lambda: Files.sync_file(self, path))

    def sync_folder(self, path: str) -> None:
        """See `Files`."""
        self.carry_out(Call("sync_folder", path), lambda: Files.sync_folder(self, path))

    def rename(self, source: str, target: str) -> None:
        """See `Files`."""
        self.carry_out(Call("rename", source, target), lambda: Files.rename(self, source, target))

    def remove(self, path: str) -> bool:
        """See `Files`."""
        return self.carry_out(Call("remove", path), lambda: Files.remove(self, path))

    def make_folder(self, path: str) -> bool:
        """See `Files`."""
        return self.carry_out(Call("make_folder", path), lambda: Files.make_folder(self, path))


class _WatchedVFS(apsw.VFS):
    """SQLite's own VFS, with its changes reported."""

    def __init__(self, name: str, files: WatchedFiles) -> None:
        super().__init__(name, "")
        self._files = files

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return apsw.VFSFile("", name, flags)
        new = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and not os.path.exists(path)
        with _as_sqlite(apsw.SQLITE_CANTOPEN):
            return self._files.carry_out(
                Call("create" if new else "open", path), lambda: _WatchedFile(self._files, name, path, flags)
            )

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with _as_sqlite(apsw.SQLITE_IOERR_DELETE):
            self._files.carry_out(
                Call("remove", filename), lambda: super(_WatchedVFS, self).xDelete(filename, False)
            )
        if syncdir:
            with _as_sqlite(apsw.SQLITE_IOERR_DIR_FSYNC):
                self._files.sync_folder(os.path.dirname(filename))

    def excepthook(self, *_: object) -> bool:
        """An error that SQLite had no use for: nobody needs to hear of it."""
        return True


class _WatchedFile(apsw.VFSFile):
    def __init__(
        self, files: WatchedFiles, name: str | apsw.URIFilename | None, path: str, flags: list[int]
    ) -> None:
        super().__init__("", name, flags)
        self._files = files
        self._path = path
        # SQLite syncs the folder of a journal with the first sync of the journal.
        self._names_journal = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))

    def xWrite(self, data: bytes, offset: int) -> None:
        content = bytes(data)
        write = super().xWrite
        with _as_sqlite(apsw.SQLITE_IOERR_WRITE):
            self._files.carry_out(
                Call("write", self._path, data=content, offset=offset),
                lambda: write(content, offset),
                lambda: write(content[: len(content) // 2], offset),
            )

    def xTruncate(self, size: int) -> None:
        truncate = super().xTruncate
        with _as_sqlite(apsw.SQLITE_IOERR_TRUNCATE):
            self._files.carry_out(Call("truncate", self._path, offset=size), lambda: truncate(size))

    def xSync(self, flags: int) -> None:
        sync = super().xSync
        with _as_sqlite(apsw.SQLITE_IOERR_FSYNC):
            self._files.carry_out(Call("sync", self._path), lambda: sync(flags))
            if self._names_journal:
                self._names_journal = False
                self._files.sync_folder(os.path.dirname(self._path))

    def excepthook(self, *_: object) -> bool:
        """See `_WatchedVFS.excepthook`."""
        return True


@contextmanager
def _as_sqlite(code: int) -> Iterator[None]:
    """The operating system's error as SQLite's VFS reports it."""
    try:
        yield
    except OSError as cause:
        if cause.errno in _NO_SPACE and code == apsw.SQLITE_IOERR_WRITE:
            code = apsw.SQLITE_FULL
        primary = code & 0xFF
        kind, text = _ERRORS[primary]
        error = kind(text)
        error.extendedresult = code  # type: ignore[attr-defined]
        raise error from cause
