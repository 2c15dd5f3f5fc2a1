"""Several databases of one object take others' places as one: its own, and those of its facets.

::

    STATE/.durabox/exchange/<unique key>/<id>.<number>    a new content, complete; 0 is the object's own
    STATE/.durabox/exchange/<unique key>/<id>.plan        which databases get one, and which go

Until the plan is there nothing has happened. Once it is, the exchange will be done: each database is replaced for itself, and
what a killed process or a failing disk left undone is done before anybody uses one of the object's databases again. A
single database needs no plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import apsw
import msgspec

from durabox.errors import StorageError
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
        unfinished: Called, in whatever thread, when it was begun and could not be finished.
    """

    def __init__(
        self,
        folder: str | None,
        object_id: str,
        files: Files,
        index: FacetIndex,
        unfinished: Callable[[], None],
        *,
        sync: bool,
    ) -> None:
        self._folder = folder
        self._path = f"{folder}/{object_id}"
        self._prefix = f"{object_id}."
        self._files = files
        self._sync = sync
        self._index = index
        self._unfinished = unfinished
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
            StorageError: It failed. Nothing has changed, or it is `unfinished`.
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
        begun = False
        try:
            plan = self._make_plan(sorted(removed, reverse=True))
            begun = True
            self.finish(plan, databases)
        except StorageError:
            if begun or self._is_planned():
                self._unfinished()
            raise

    def planned(self) -> Plan | None:
        """
        What is left to be done, if anything is.

        Raises:
            OSError: It cannot be read.
            msgspec.DecodeError: It makes no sense.
        """
        try:
            with self._files.open(f"{self._path}.{_PLAN}") as file:
                return msgspec.msgpack.decode(file.read(), type=Plan)
        except FileNotFoundError:
            return None

    def finish(self, plan: Plan, databases: Mapping[int, ObjectDatabase]) -> None:
        """
        Do what is left to be done.

        Args:
            plan: That.
            databases: Those that it names.
        Raises:
            StorageError: It failed.
        """
        for number in plan.removed:
            databases[number].replace(None)
        for number in plan.placed:
            databases[number].replace(self._read(number))
        try:
            self._files.remove(f"{self._path}.{_PLAN}")
            # If it came back after a power cut, it would undo what is written from now on, or miss what it needs.
            self._sync_names()
            self._clear()
        except OSError as error:
            raise storage_error("replace", error, "an exchange of databases") from error

    def abandon(self) -> None:
        """It failed: leave nothing behind, unless it is `unfinished`."""
        while self._loose:
            self._loose.popitem()[1].close(True)
        with suppress(OSError):
            if self._folder is not None and not self._is_planned():
                self._clear()

    # Inside

    def _make_plan(self, removed: list[int]) -> Plan:
        self._write_loose()
        try:
            if any(self._placed):
                self._index.keep(max(self._placed))
            plan = Plan(self._placed, removed)
            self._make_folder()
            unfinished = f"{self._path}.new-{_PLAN}"
            self._files.write(unfinished, msgspec.msgpack.encode(plan), sync=self._sync)
            # The plan must not be found without what it needs.
            self._sync_names()
            self._files.rename(unfinished, f"{self._path}.{_PLAN}")
            self._sync_names()
        except OSError as error:
            raise storage_error("replace", error, "an exchange of databases") from error
        return plan

    def _sync_names(self) -> None:
        if self._sync and self._folder is not None:
            self._files.sync_folder(self._folder)

    def _is_planned(self) -> bool:
        try:
            return self._files.exists(f"{self._path}.{_PLAN}")
        except OSError:
            return True

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
        """Remove what is there of the object; there is no plan."""
        if self._folder is None:
            return
        for name, _ in self._files.list(self._folder):
            if name.startswith(self._prefix):
                self._files.remove(f"{self._folder}/{name}")
