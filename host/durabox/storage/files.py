"""The few things done to files outside SQLite, in one place where tests put their faults.

Paths are strings here: making a `Path` costs as much as the system call, and births are many.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import BinaryIO


class Files:
    """
    The real file system.

    A stand-in overrides these methods and names the SQLite VFS through which databases are opened.
    """

    #: Name of the SQLite VFS for database files, ``None`` for SQLite's own.
    vfs: str | None = None
    #: Whether nothing is done beside everything else, so that a test knows what comes next.
    in_order: bool = False

    def exists(self, path: str) -> bool:
        """
        Whether there is such a file.

        Raises:
            OSError: It cannot be told.
        """
        try:
            os.stat(path)
        except FileNotFoundError:
            return False
        return True

    def write(self, path: str, data: bytes | bytearray, *, sync: bool) -> None:
        """
        Make a new file.

        Args:
            path: It must not exist.
            data: All of its content.
            sync: Whether the content must be on disk when this returns.
        """
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            if sync:
                os.fsync(handle)
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
        """
        Write a file anew, whatever was there.

        Args:
            path: The file.
            data: All of its content.
            modified_ns: When it is to say that it was last changed, in nanoseconds since the epoch.
            placed: Called when it is there, before the wait for the disk.
            sync: Whether it must be on disk when this returns.
        """
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.utime(handle, ns=(modified_ns, modified_ns))
            placed()
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)

    def open(self, path: str) -> BinaryIO:
        """A file for reading. Not a database that is in use: closing it would drop SQLite's locks."""
        return open(path, "rb")

    def stat(self, path: str) -> os.stat_result:
        """A file's size and times."""
        return os.stat(path)

    def append(self, path: str, data: bytes, *, at: int, sync: bool) -> None:
        """
        Write behind what a file holds; made if absent.

        Args:
            path: The file.
            data: The bytes.
            at: Where they go; what was there, of a write that failed, is overwritten and cut off.
            sync: Whether they must be on disk when this returns.
        """
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.lseek(handle, at, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.ftruncate(handle, at + len(data))
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)

    def create(self, path: str) -> int:
        """Make a new, empty file for `extend`; its handle, which the caller closes."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def extend(self, handle: int, path: str, data: bytes, at: int) -> None:
        """
        Write behind what a file holds. It is on disk when this returns.

        Args:
            handle: One that `create` gave, of a file that no write to has failed.
            path: The file.
            data: The bytes.
            at: Where they go: the file's size.
        """
        view = memoryview(data)
        while view:
            written = os.pwrite(handle, view, at)
            view, at = view[written:], at + written
        os.fsync(handle)

    def truncate(self, path: str, size: int) -> None:
        """Cut a file off."""
        os.truncate(path, size)

    def list(self, path: str) -> list[tuple[str, int]]:
        """The files in a folder with their sizes; none if there is no folder."""
        try:
            with os.scandir(path) as entries:
                return [(entry.name, entry.stat().st_size) for entry in entries]
        except FileNotFoundError:
            return []

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; where that cannot be done, a copy of it. Nobody has it open."""
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
            self.sync_file(target)

    def date(self, path: str, modified_ns: int) -> None:
        """Have a file tell that it was last changed at that time, in nanoseconds since the epoch."""
        os.utime(path, ns=(modified_ns, modified_ns))

    def sync_file(self, path: str) -> None:
        """Wait until the file's content is on disk."""
        _sync(path)

    def sync_folder(self, path: str) -> None:
        """Wait until the names in the folder are on disk."""
        _sync(path)

    def rename(self, source: str, target: str) -> None:
        """Give the file its other name, atomically, in place of a file that has it."""
        os.rename(source, target)

    def remove(self, path: str) -> bool:
        """Remove a file; whether there was one."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def make_folders(self, path: str) -> None:
        """Make a folder and those it is in."""
        os.makedirs(path, exist_ok=True)

    def make_folder(self, path: str) -> bool:
        """Make a folder whose parent exists; whether it is new."""
        try:
            os.mkdir(path)
        except FileExistsError:
            return False
        return True


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
