"""Several databases of one object take others' places as one: its own, and those of its facets.

::

    STATE/.durabox/exchange/<unique key>/<id>.<number>    a new content, complete; 0 is the object's own
    STATE/.durabox/exchange/<unique key>/<id>.plan        which databases get one, and which go

Until the plan is there nothing has happened. Once it is, the exchange will be done: each database is replaced for itself, and
what a killed process left undone the next one does before anything else. A single database needs no plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import apsw
import msgspec

from durabox.storage.connection import open_newborn
from durabox.storage.failures import storage_error

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase
    from durabox.storage.facet_index import FacetIndex
    from durabox.storage.files import Files

_PLAN: Final = "plan"
#: Copied in one step.
_PAGES: Final = 256


class Plan(msgspec.Struct, array_like=True, frozen=True):
    """Numbers of databases: those that get a content, and those that store nothing any more."""

    placed: list[int]
    removed: list[int]


class Exchange:
    """
    One exchange. All methods are blocking.

    Args:
        folder: Where those of the object's namespace are prepared; ``None`` in memory.
        object_id: The object.
        files: The file system.
        sync: Whether what is prepared must be on disk.
        index: The numbers of the object's facets.
    """

    def __init__(
        self, folder: str | None, object_id: str, files: Files, index: FacetIndex, *, sync: bool
    ) -> None:
        self._folder = folder
        self._path = f"{folder}/{object_id}"
        self._prefix = f"{object_id}."
        self._files = files
        self._sync = sync
        self._index = index
        #: Contents that are in no file.
        self._loose: dict[int, apsw.Connection] = {}
        self._placed: list[int] = []

    def stage(self, number: int, content: apsw.Connection) -> None:
        """
        Have a content for a database.

        Args:
            number: The database's.
            content: A database without a file, which is used up.
        Raises:
            StorageError: It cannot be written.
        """
        if self._folder is not None:
            self._write_loose()
        self._loose[number] = content

    def carry_out(self, numbers: Collection[int], databases: Mapping[int, ObjectDatabase]) -> None:
        """
        Do it. Durable when it returns.

        Args:
            numbers: Databases that store nothing any more, unless they have been given a content.
            databases: All of these, and those that were given a content, with nothing uncommitted.
        Raises:
            StorageError: It failed; if that was in the middle, some databases have changed.
        """
        placed = [*self._placed, *self._loose]
        removed = [number for number in numbers if number not in placed and databases[number].exists()]
        if self._folder is None or len(placed) + len(removed) <= 1:
            for number in sorted(removed, reverse=True):
                databases[number].replace(None)
            while self._loose:
                number, content = self._loose.popitem()
                databases[number].replace(content)
            return
        try:
            self._write_loose()
            if any(self._placed):
                self._index.keep(max(self._placed))
            plan = Plan(self._placed, sorted(removed, reverse=True))
            unfinished = f"{self._path}.new-{_PLAN}"
            self._make_folder()
            self._files.write(unfinished, msgspec.msgpack.encode(plan), sync=self._sync)
            self._files.rename(unfinished, f"{self._path}.{_PLAN}")
            if self._sync:
                self._files.sync_folder(self._folder)
        except OSError as error:
            raise storage_error("replace", error, "an exchange of databases") from error
        self.finish(plan, databases)

    def planned(self) -> Plan:
        """
        What a killed process has left to be done.

        Raises:
            OSError: It cannot be read.
            msgspec.DecodeError: It makes no sense.
        """
        with self._files.open(f"{self._path}.{_PLAN}") as file:
            return msgspec.msgpack.decode(file.read(), type=Plan)

    def finish(self, plan: Plan, databases: Mapping[int, ObjectDatabase]) -> None:
        """
        Do what is left to be done.

        Args:
            plan: That.
            databases: Those that it names.
        Raises:
            StorageError: It failed.
        """
        try:
            for number in plan.removed:
                databases[number].replace(None)
            for number in plan.placed:
                databases[number].replace(self._read(number))
        finally:
            # Also after a failure: what is written from then on must not be undone by the next start.
            self._clear()

    def abandon(self) -> None:
        """Leave nothing behind."""
        while self._loose:
            self._loose.popitem()[1].close(True)
        self._clear()

    # Inside

    def _write_loose(self) -> None:
        """Put what is in no file into one."""
        while self._loose:
            number, content = self._loose.popitem()
            try:
                self._make_folder()
                path = f"{self._path}.{number}"
                target = apsw.Connection(path, vfs=self._files.vfs)
                try:
                    for setting in ("locking_mode = EXCLUSIVE", "synchronous = OFF", "journal_mode = OFF"):
                        target.execute(f"PRAGMA {setting}").fetchall()
                    with target.backup("main", content, "main") as backup:
                        while not backup.done:
                            backup.step(_PAGES)
                finally:
                    target.close(True)
                if self._sync:
                    self._files.sync_file(path)
            except (apsw.Error, OSError) as error:
                raise storage_error("replace", error, "an exchange of databases") from error
            finally:
                content.close(True)
            self._placed.append(number)

    def _read(self, number: int) -> apsw.Connection:
        content = open_newborn()
        try:
            # A copy says that it has a WAL, and has none.
            source = apsw.Connection(
                f"file:{quote(f'{self._path}.{number}')}?immutable=1",
                flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
                vfs=self._files.vfs,
            )
            try:
                with content.backup("main", source, "main") as backup:
                    backup.step(-1)
            finally:
                source.close(True)
        except apsw.Error as error:
            content.close(True)
            raise storage_error("replace", error, "an exchange of databases") from error
        return content

    def _make_folder(self) -> None:
        """Have the folder, with nothing of the object in it."""
        if self._folder is None or self._placed:
            return
        self._clear()
        if not self._files.exists(self._folder):
            self._files.make_folders(self._folder)
            if self._sync:
                for folder in Path(self._folder).parents[:2]:
                    self._files.sync_folder(str(folder))

    def _clear(self) -> None:
        """Remove what is there of the object, the plan before what it needs."""
        if self._folder is None:
            return
        names = [name for name, _ in self._files.list(self._folder) if name.startswith(self._prefix)]
        for name in sorted(names, key=lambda name: not name.endswith(_PLAN)):
            self._files.remove(f"{self._folder}/{name}")
            if name.endswith(_PLAN) and self._sync:
                self._files.sync_folder(self._folder)
