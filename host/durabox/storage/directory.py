"""The state directory: one owner, one file per object, a bounded number of open files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections import OrderedDict
from pathlib import Path
from typing import Final

import apsw

from durabox.errors import StateLockedError, StorageError
from durabox.storage.birth import TEMPORARY, FolderSync, bear
from durabox.storage.database import Durability, ObjectDatabase, configure

#: Held by the process that owns the directory; its content is that process's id.
LOCK_FILE: Final = "durabox.lock"
#: Open connections; the least recently opened idle ones are closed beyond.
MAX_OPEN: Final = 512

_UNIQUE_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,200}")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{64}")


class _Owner:
    """An exclusive lock on a directory, held until `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_FILE
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._handle, 32).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise StateLockedError(
                f"the state directory {directory} is in use by another process{f' (pid {owner})' if owner else ''}: "
                "stop it, or choose another directory with --state"
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._handle)


class _Folder:
    """The folder of one namespace."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self.path = path
        new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if durability is Durability.FULL and new:
            FolderSync(path.parent).wait()
        for entry in os.scandir(path):
            if entry.name.endswith(TEMPORARY):
                os.unlink(entry.path)
        self.sync = FolderSync(path) if durability is Durability.FULL else None


class _FilePlace:
    """An object's file."""

    __slots__ = ("_directory", "_exists", "_folder", "_path")

    def __init__(self, directory: StateDirectory, folder: _Folder, object_id: str) -> None:
        self._directory = directory
        self._folder = folder
        self._path = folder.path / f"{object_id}.sqlite"
        self._exists: bool | None = None

    def exists(self) -> bool:
        exists = self._exists
        if exists is None:
            exists = self._exists = self._path.exists()
        return exists

    def open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=16)
        try:
            configure(connection, self._directory.durability)
        except apsw.Error:
            connection.close()
            raise
        return connection

    def bear(self, connection: apsw.Connection) -> None:
        bear(connection, self._path, self._folder.sync)
        self._exists = True

    def opened(self, database: ObjectDatabase) -> None:
        self._directory.opened(database)

    def closing(self, database: ObjectDatabase, connection: apsw.Connection | None) -> None:
        if connection is not None:
            self._directory.closed(database)


class _MemoryPlace:
    """An object's database while the directory lives."""

    __slots__ = ("_content",)

    def __init__(self) -> None:
        self._content: bytes | None = None

    def exists(self) -> bool:
        return self._content is not None

    def open(self) -> apsw.Connection:
        assert self._content is not None
        connection = apsw.Connection(":memory:", statementcachesize=16)
        connection.deserialize("main", self._content)
        return connection

    def bear(self, connection: apsw.Connection) -> None:
        self._content = connection.serialize("main")

    def opened(self, database: ObjectDatabase) -> None:
        pass

    def closing(self, database: ObjectDatabase, connection: apsw.Connection | None) -> None:
        if connection is not None:
            self._content = connection.serialize("main")


class StateDirectory:
    """
    Where the objects of one host keep their databases: ``<directory>/<unique key>/<64-hex id>.sqlite``.

    Args:
        path: The directory; made if it is not there. ``None`` keeps everything in memory.
        durability: What a commit guarantees when it returns.
        max_open: Connections that stay open at most, not counting those in the middle of a transaction.
    Raises:
        StateLockedError: Another process owns it.
        StorageError: It cannot be made or written.
    """

    def __init__(
        self, path: Path | None, *, durability: Durability = Durability.FULL, max_open: int = MAX_OPEN
    ) -> None:
        self.durability = durability
        self._path = path
        self._max_open = max_open
        self._open: OrderedDict[ObjectDatabase, None] = OrderedDict()
        self._folders: dict[str, _Folder] = {}
        self._memory: dict[tuple[str, str], _MemoryPlace] = {}
        self._owner: _Owner | None = None
        if path is not None:
            try:
                path.mkdir(parents=True, exist_ok=True)
                self._owner = _Owner(path)
            except OSError as error:
                raise StorageError(
                    "open", f"the state directory {path} cannot be used: {error.strerror}: choose another with --state"
                ) from None

    def database(self, unique_key: str, object_id: str) -> ObjectDatabase:
        """
        The database of an object; nothing is opened or written yet. One per object may be in use at a time.

        Args:
            unique_key: The namespace's key.
            object_id: 64 lowercase hex digits.
        Raises:
            StorageError: A key or id that cannot be a file name, or a folder that cannot be made.
        """
        if not _UNIQUE_KEY.fullmatch(unique_key) or not _OBJECT_ID.fullmatch(object_id):
            raise StorageError("open", f"{unique_key!r}, {object_id!r} cannot name a database")
        label = f"{unique_key}/{object_id}"
        if self._path is None:
            place = self._memory.setdefault((unique_key, object_id), _MemoryPlace())
            return ObjectDatabase(place, label)
        folder = self._folders.get(unique_key)
        if folder is None:
            try:
                folder = self._folders[unique_key] = _Folder(self._path / unique_key, self.durability)
            except OSError as error:
                raise StorageError("open", f"{unique_key}: {error.strerror}") from None
        return ObjectDatabase(_FilePlace(self, folder, object_id), label)

    def opened(self, database: ObjectDatabase) -> None:
        """A database opened its file: others make room."""
        self._open[database] = None
        if len(self._open) > self._max_open:
            for other in list(self._open):
                if other is not database and not other.dirty:
                    other.close()
                    if len(self._open) <= self._max_open:
                        break

    def closed(self, database: ObjectDatabase) -> None:
        """A database closed its file."""
        self._open.pop(database, None)

    def close(self) -> None:
        """Close all files and give the directory up. Uncommitted transactions are undone."""
        for database in list(self._open):
            with contextlib.suppress(apsw.Error):
                database.close()
        if self._owner is not None:
            self._owner.release()
            self._owner = None
