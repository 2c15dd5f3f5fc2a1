"""The state directory: who owns it, where each object's database is, and how many are open.

::

    STATE/<unique key>/<64 hex digits>.sqlite    an object's database (and its -wal)
    STATE/<unique key>/<64 hex digits>.facets    names and numbers of its facets, if it has had any
    STATE/<unique key>/<64 hex digits>.3.sqlite  the database of the one with number 3
    STATE/<unique key>/metadata.sqlite           the class's pending alarms
    STATE/.durabox/lock                          held by the process that owns the directory
    STATE/.durabox/births/                       files that are not finished
    STATE/.durabox/catalog/<unique key>.sqlite   names of objects, derived
    STATE/.durabox/exchange/                     databases that take others' places; see `exchange`
    STATE/.durabox/history/                      what the databases held before; see `history.log`
    STATE/.durabox/newborns/                     new objects whose files may not be on disk; see `birth_log`
    STATE/.durabox/migrations.sqlite             objects that a migration is done with, derived
    STATE/.durabox/server                        where the owner answers, while it does

The first four lines are workerd's layout. Files that are not ours are left alone.
"""

from __future__ import annotations

import logging
import re
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from durabox.errors import InvalidObjectIdError, StorageError
from durabox.storage import alarm_index
from durabox.storage.alarm_index import AlarmIndex, Pending
from durabox.storage.alarms import Alarms
from durabox.storage.birth import Birthplace
from durabox.storage.birth_log import BirthLog, replay
from durabox.storage.catalog import Catalog
from durabox.storage.connection import PAGE_BYTES, spare_memory
from durabox.storage.cradles import Cradles
from durabox.storage.database import MAX_BYTES, ObjectDatabase
from durabox.storage.durability import Durability
from durabox.storage.exchange import Exchange, Plan
from durabox.storage.facet_index import FacetIndex, facet_id
from durabox.storage.files import Files
from durabox.storage.history.retention import Retention
from durabox.storage.homes import FacetHome, FileHome, MemoryHome
from durabox.storage.lock import OwnerLock
from durabox.storage.migrations import Journal
from durabox.storage.open_files import OpenFiles
from durabox.storage.shelves import FolderShelf, MemoryShelf

logger = logging.getLogger("durabox.storage")

_OWN: Final = ".durabox"
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PART: Final = re.compile(r"([0-9a-f]{64})(?:\.([1-9][0-9]{0,4}))?", re.ASCII)
#: A part of a path: no separator or control character, not hidden (which also rules out ``.`` and ``..``).
_UNIQUE_KEY: Final = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
_NAME_BYTES: Final = 255
#: An open database takes two file handles; at least half of the process's are for others.
_HANDLES_EACH: Final = 4


class StateDirectory:
    """
    Where a host keeps its objects' databases.

    All methods, and those of the databases other than `ObjectDatabase.commit`, are for one thread.

    Args:
        path: The directory; made if absent. ``None`` keeps everything in memory until `close`.
        durability: What commits guarantee.
        max_open: How many files are open at once, not counting those with uncommitted writes; a process
            that may have few file handles opens fewer.
        max_object_bytes: What one object's database may take.
        files: The file system.
        history: How much of each object's past is kept, ``None`` for nothing. Only of objects in files.
        clock: Milliseconds since the epoch.
    Raises:
        StateLockedError: Another process owns the directory.
        StorageError: The directory cannot be made or used.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        durability: Durability = Durability.FULL,
        max_open: int = 384,
        max_object_bytes: int = MAX_BYTES,
        files: Files | None = None,
        history: Retention | None = Retention(),  # noqa: B008
        clock: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        spare_memory()
        self._path = path
        self._durability = durability
        self._max_object_bytes = max_object_bytes
        #: For objects in files: in memory each needs a database of its own.
        self._cradles = None if path is None else Cradles(max_object_bytes // PAGE_BYTES)
        self._files = files or Files()
        self._history = history
        #: Milliseconds since the epoch.
        self.clock = clock
        self._open_files = OpenFiles(min(max_open, _most_open()))
        self._birthplaces: dict[str, Birthplace] = {}
        self._memory: dict[tuple[str, str], MemoryHome] = {}
        self._live: dict[tuple[str, str], ObjectDatabase] = {}
        #: Those in files are read again when somebody needs them.
        self._facets: MutableMapping[tuple[str, str], FacetIndex] = (
            {} if path is None else WeakValueDictionary()
        )
        # Who looks at many objects asks as well, in a thread.
        self._facets_lock = threading.Lock()
        #: Objects with an exchange of databases that was begun and not finished.
        self._unfinished: set[tuple[str, str]] = set()
        self._closed = False
        self._catalogs: dict[str, Catalog] = {}
        self._announced: Path | None = None
        self._births: BirthLog | None = None
        #: Pending alarms of all objects.
        self.alarms = Alarms(self._open_alarms)
        self._lock: OwnerLock | None = None
        if path is not None:
            try:
                self._lock = self._take(path)
            except OSError as error:
                raise StorageError(
                    "open", f"The state directory {path} cannot be used: {error.strerror or error}"
                ) from error
            if durability is Durability.FULL:
                self._births = BirthLog(str(path), f"{path}/{_OWN}/newborns", self._files)
            try:
                self._finish_exchanges(path / _OWN / "exchange")
            except BaseException:
                self.close()
                raise

    def database(self, unique_key: str, object_id: str, name: str | None = None) -> ObjectDatabase:
        """
        An object's database. Touches no file yet.

        At most one is in use for each object: an earlier one that was not closed is closed now, after the
        commit that it may be busy with.

        Args:
            unique_key: The namespace's.
            object_id: 64 lowercase hexadecimal digits; of a facet, those of its object and its number: see `facet_id`.
            name: See `ObjectDatabase`.
        Raises:
            InvalidObjectIdError: The id is malformed.
            StorageError: The unique key cannot name a folder, or the directory was closed.
        """
        if self._closed:
            raise StorageError("open", "The state directory is closed.")
        part = _PART.fullmatch(object_id)
        if part is None:
            raise InvalidObjectIdError(f"{object_id!r} is no object id: it must be 64 hexadecimal digits.")
        _check_unique_key(unique_key)
        if (unique_key, part[1]) in self._unfinished:
            self._finish_exchange(unique_key, part[1])
        key = (unique_key, object_id)
        earlier = self._live.get(key)
        if earlier is not None:
            earlier.close()
        home = self._home(unique_key, object_id)
        if self._path is not None and part[2] is not None:
            index = self.facets(unique_key, part[1])
            home = FacetHome(self._birthplace(unique_key), part[1], index, int(part[2]))
        if self._history is not None and isinstance(home, FileHome):
            home.keep_history(
                f"{self._path}/{_OWN}/history/{unique_key}/{object_id}",
                self._history,
                self.clock,
                partial(self._restored_alarm, unique_key, object_id) if part[2] is None else _nothing,
            )
        database = self._live[key] = ObjectDatabase(
            home,
            self._open_files,
            partial(self._live.pop, key),
            name,
            self._max_object_bytes,
            self._cradles,
        )
        return database

    def facets(self, unique_key: str, object_id: str) -> FacetIndex:
        """
        Which facets an object has; the same index for all who ask while anybody has it. Touches no file yet. From any
        thread.

        Args:
            unique_key: The namespace's, as for `database`.
            object_id: The object's id, as for `database`.
        """
        key = (unique_key, object_id)
        with self._facets_lock:
            index = self._facets.get(key)
            if index is None:
                birthplace = None if self._path is None else self._birthplace(unique_key)
                index = self._facets[key] = FacetIndex(birthplace, object_id)
        return index

    def exchange(self, unique_key: str, object_id: str) -> Exchange:
        """
        Replaces databases of an object and its facets as one.

        Args:
            unique_key: The namespace's, as for `database`.
            object_id: The object's id, as for `database`.
        """
        return Exchange(
            None if self._path is None else f"{self._path}/{_OWN}/exchange/{unique_key}",
            object_id,
            self._files,
            self.facets(unique_key, object_id),
            partial(self._unfinished.add, (unique_key, object_id)),
            sync=self._durability is not Durability.OFF,
        )

    @contextmanager
    def databases(
        self, unique_key: str, object_id: str, numbers: Iterable[int]
    ) -> Iterator[dict[int, ObjectDatabase]]:
        """
        Databases of an object (0) and its facets that nobody uses, for a moment.

        Raises:
            InvalidObjectIdError: The id is malformed.
            StorageError: See `database`.
        """
        opened: dict[int, ObjectDatabase] = {}
        try:
            for number in numbers:
                opened[number] = self.database(unique_key, facet_id(object_id, number))
            yield opened
        finally:
            for database in opened.values():
                database.close()

    @contextmanager
    def visit(self, unique_key: str, object_id: str) -> Iterator[ObjectDatabase]:
        """
        An object's database for a moment: the one in use, or one of its own if the object is not in memory.

        Raises:
            InvalidObjectIdError: The id is malformed.
            StorageError: See `database`.
        """
        live = self._live.get((unique_key, object_id))
        if live is not None:
            yield live
            return
        database = self.database(unique_key, object_id)
        try:
            yield database
        finally:
            database.close()

    def announce(self, url: str) -> None:
        """Leave word for other programs where the owner of the directory answers, until `close`."""
        if self._path is not None:
            self._announced = self._path / _OWN / "server"
            self._announced.write_text(url + "\n")

    def workshop(self) -> Path:
        """A folder for files in the making, on the state's file system; what is left there ends with the owner."""
        return Path(tempfile.gettempdir()) if self._path is None else self._path / _OWN / "births"

    def file(self, unique_key: str, object_id: str) -> Path | None:
        """
        Where an object's database is, or would be; ``None`` in memory.

        Raises:
            OSError: The object was born just now and its file cannot be written.
        """
        if self._path is None:
            return None
        path = self._path / unique_key / f"{object_id}.sqlite"
        if self._births is not None:
            self._births.place(str(path))
        return path

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process; then everything in it is for one thread."""
        return self._path is None

    def unique_keys(self) -> list[str]:
        """The namespaces that have a folder, in order."""
        if self._path is None:
            return sorted({key for (key, _), home in self._memory.items() if home.exists()})
        return sorted(
            entry.name
            for entry in self._path.iterdir()
            if entry.is_dir() and _UNIQUE_KEY.fullmatch(entry.name)
        )

    def catalog(self, unique_key: str) -> Catalog:
        """The index of a namespace's objects."""
        catalog = self._catalogs.get(unique_key)
        if catalog is None:
            if self._path is None:
                catalog = Catalog(
                    MemoryShelf(self._memory, unique_key, partial(self.facets, unique_key)), None
                )
            else:
                catalog = Catalog(
                    self._shelf(unique_key),
                    self._path / _OWN / "catalog" / f"{unique_key}.sqlite",
                )
            self._catalogs[unique_key] = catalog
        return catalog

    def journal(self, migration: str, unique_key: str) -> Journal:
        """
        The journal of a migration over a class.

        Raises:
            StorageError: It cannot be used.
        """
        return Journal(
            None if self._path is None else self._path / _OWN / "migrations.sqlite", migration, unique_key
        )

    def write_catalogs(self) -> None:
        """Write what the indexes have noted, a few rows at a time. Blocking; may run in any thread."""
        for catalog in list(self._catalogs.values()):
            if catalog.behind:
                catalog.write()

    def close(self) -> None:
        """Roll back what is uncommitted, close every file and let others have the directory."""
        self._closed = True
        for database in list(self._live.values()):
            database.close()
        self.alarms.close()
        for home in self._memory.values():
            home.close()
        self._memory.clear()
        self._facets.clear()
        for catalog in self._catalogs.values():
            catalog.close()
        if self._cradles is not None:
            self._cradles.close()
        # Last: an index may have been born just now.
        if self._births is not None:
            self._births.close()
        if self._announced is not None:
            self._announced.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _home(self, unique_key: str, part: str) -> FileHome | MemoryHome:
        if self._path is None:
            key = (unique_key, part)
            home = self._memory.get(key)
            if home is None:
                home = self._memory[key] = MemoryHome(f"{unique_key}/{part}")
            return home
        return FileHome(self._birthplace(unique_key), part)

    def _birthplace(self, unique_key: str) -> Birthplace:
        assert self._path is not None
        birthplace = self._birthplaces.get(unique_key)
        if birthplace is None:
            # The thread of the alarms asks as well; there must be one for each folder.
            birthplace = self._birthplaces.setdefault(
                unique_key,
                Birthplace(
                    self._path / unique_key,
                    self._path / _OWN / "births",
                    self._durability,
                    self._files,
                    self._births,
                ),
            )
        return birthplace

    def _shelf(self, unique_key: str) -> FolderShelf:
        assert self._path is not None
        return FolderShelf(
            self._path / unique_key, partial(self.facets, unique_key), self._births, self._files.vfs
        )

    def _restored_alarm(self, unique_key: str, object_id: str, time_ns: int | None) -> None:
        """A state with that alarm is about to be the object's."""
        if time_ns is None:
            self.alarms.set_later(unique_key, object_id, None, None)
        else:
            self.alarms.set(unique_key, object_id, None, time_ns).result()

    def _open_alarms(self, unique_key: str) -> AlarmIndex:
        """See `alarms.OpenIndex`."""
        _check_unique_key(unique_key)
        home = self._home(unique_key, alarm_index.FILE)
        return AlarmIndex(home, self._durability, self._stored_alarms(unique_key))

    def _stored_alarms(self, unique_key: str) -> Iterator[Pending]:
        """Imported by who has to look: an index that is there needs nobody's."""
        if self._path is None:
            return
        from durabox.storage.stored_alarms import stored_alarms

        yield from stored_alarms(
            unique_key, self._shelf(unique_key), partial(self._home, unique_key), lambda: self._closed
        )

    def _finish_exchanges(self, folder: Path) -> None:
        """Do what a killed owner was about to do."""
        for plan in folder.glob("*/*.plan"):
            self._finish_exchange(plan.parent.name, plan.stem)
        for unplanned in folder.glob("*/*"):
            unplanned.unlink()

    def _finish_exchange(self, unique_key: str, object_id: str) -> None:
        """Do what was begun with an object's databases. Blocking."""
        logger.info("%s/%s: finishing the exchange of its databases", unique_key, object_id)
        exchange = self.exchange(unique_key, object_id)
        try:
            plan = exchange.planned()
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                "open", f"The plan of an exchange of databases cannot be read: {error}"
            ) from error
        self._unfinished.discard((unique_key, object_id))
        # Without a plan all is done, and only that has to be made sure of.
        plan = plan or Plan([], [])
        try:
            with self.databases(unique_key, object_id, [*plan.placed, *plan.removed]) as databases:
                exchange.finish(plan, databases)
        except StorageError:
            self._unfinished.add((unique_key, object_id))
            raise

    def _take(self, path: Path) -> OwnerLock:
        """Own the directory and remove what a killed owner left unfinished."""
        own = path / _OWN
        births, newborns = own / "births", own / "newborns"
        missing = [folder for folder in (path, *path.absolute().parents) if not folder.exists()]
        births.mkdir(parents=True, exist_ok=True)
        new = not newborns.exists()
        newborns.mkdir(exist_ok=True)
        if self._durability is Durability.FULL:
            for folder in (*missing, *([own, newborns] if new else [])):
                self._files.sync_folder(str(folder.parent))
        lock = OwnerLock(own / "lock", path)
        try:
            (own / "server").unlink(missing_ok=True)
            replay(str(path), str(newborns), str(births / ".replayed"), self._files)
            for unfinished in births.iterdir():
                unfinished.unlink()
        except BaseException:
            lock.release()
            raise
        return lock


def _check_unique_key(unique_key: str) -> None:
    if not _UNIQUE_KEY.fullmatch(unique_key) or len(unique_key.encode("utf-8", "replace")) > _NAME_BYTES:
        raise StorageError("open", f"The unique key {unique_key!r} cannot name a folder of objects.")


def _nothing(*_: object) -> None:
    """A facet is restored: no index knows of its alarm."""


def _most_open() -> int:
    """How many files the process's limit on file handles leaves room for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if limit == resource.RLIM_INFINITY else max(limit // _HANDLES_EACH, 1)
