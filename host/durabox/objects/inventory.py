"""`Inventory`: every object of a state directory from outside, without waking one or running its code.

The methods speak JSON's types where they are answers, so that the library, the admin API and the command line say the
same. Times are milliseconds since the epoch. An object is named by its name or by the 64 digits of its id.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from durabox.errors import DuraboxError, StorageError
from durabox.objects.access import Access
from durabox.objects.ids import IdFactory, name_inside
from durabox.objects.values import sql_as_json, stored_as_json
from durabox.storage import migrations, portable, queries, view
from durabox.storage.catalog import Entry
from durabox.storage.copying import Copying
from durabox.storage.database import ObjectDatabase
from durabox.storage.salvage import salvage

T = TypeVar("T")

#: Objects on one page of `Inventory.list`, at most and unless told otherwise.
MAX_PAGE: Final = 10_000
PAGE: Final = 1_000
#: Keys on one page of `Inventory.show`.
MAX_KEYS: Final = 1_000
KEYS: Final = 100
#: Sockets of an object that `Inventory.show` tells of.
MAX_SOCKETS: Final = 1_000
#: Names that are read from objects' files between two writes to the catalogue.
_GROUP: Final = 500
_ID: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)

#: Told of what is done so far, and of how much.
Progress = Callable[[int, int], None]


class NoSuchObjectError(DuraboxError):
    """
    The object stores nothing.

    Args:
        class_name: The class or folder asked for.
        target: The name or id asked for.
    """

    code = "no-such-object"

    def __init__(self, class_name: str, target: str) -> None:
        super().__init__(f"{class_name} {target!r} stores nothing.")
        self.class_name = class_name
        self.target = target


class ObjectExistsError(DuraboxError):
    """
    The object that would be overwritten stores something.

    Args:
        class_name: Its class or folder.
        target: Its name or id.
    """

    code = "object-exists"

    def __init__(self, class_name: str, target: str) -> None:
        super().__init__(
            f"{class_name} {target!r} stores something already; it is only overwritten by force."
        )
        self.class_name = class_name
        self.target = target


class BadArgumentError(DuraboxError):
    """An argument that makes no sense; the text says which and why."""

    code = "bad-argument"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """
    One object, from outside.

    Args:
        id: 64 hexadecimal digits.
        name: What the id was made from, ``None`` when nobody has told.
        size: Bytes on disk.
        used: When it was in use last.
        alarm: When its alarm is due, ``None`` for none.
        awake: Whether it is in memory.
    """

    id: str
    name: str | None
    size: int
    used: float
    alarm: float | None
    awake: bool


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some objects of a class.

    Args:
        objects: Those with a name by the bytes of it, then the others by id.
        cursor: Where the next page begins, ``None`` after the last.
    """

    objects: list[ObjectInfo]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """An object that was asked for: where it is, and what it was called."""

    class_name: str
    unique_key: str
    id: str
    name: str | None

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self.id if self.name is None else self.name


class Inventory:
    """
    What `Host.objects` is. For the thread of the event loop.

    Args:
        access: The way to the objects' databases.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._state = access.state

    @property
    def workshop(self) -> Path:
        """A folder for files in the making."""
        return self._state.workshop()

    # Many objects

    async def classes(self) -> list[dict[str, Any]]:
        """The classes that there are: name, folder, objects that store something, objects in memory."""
        found: list[dict[str, Any]] = []
        names = dict(self._access.classes())
        for key in self._state.unique_keys():
            if key not in names.values():
                names[key] = key
        for class_name, key in names.items():
            await self._refresh(key, None)
            count = await self._blocking(self._state.catalog(key).count)
            found.append(
                {"class": class_name, "folder": key, "objects": count, "awake": len(self._access.awake(key))}
            )
        return found

    async def list(
        self,
        class_name: str,
        *,
        prefix: str = "",
        cursor: str | None = None,
        limit: int = PAGE,
        progress: Progress | None = None,
    ) -> Page:
        """
        The objects of a class that store something.

        Args:
            class_name: A class, a binding, or a folder of the state directory.
            prefix: What the names begin with; ``""`` also finds objects without a name.
            cursor: Where the page before ended.
            limit: Most objects.
            progress: Told while names are read from files that the catalogue does not know.
        Raises:
            UnknownObjectClassError: There is no such class.
            BadArgumentError: The cursor or the limit is none.
            StorageError: The directory cannot be read.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise BadArgumentError(f"limit: expected 1 to {MAX_PAGE}, got {limit}")
        key = self._access.unique_key(class_name)
        after = None if cursor is None else _position(cursor)
        if after is None:
            await self._refresh(key, progress)
        catalog = self._state.catalog(key)
        entries = await self._blocking(partial(catalog.page, prefix, after, limit))
        alarms = await asyncio.wrap_future(self._state.alarms.get_many(key, [entry.id for entry in entries]))
        awake = self._access.awake(key)

        def describe() -> Iterator[ObjectInfo]:
            for entry in entries:
                stamp = catalog.shelf.stamp(entry.id)
                if stamp is not None:
                    used = max(entry.used, stamp.changed, awake.get(entry.id, 0.0))
                    alarm = alarms.get(entry.id)
                    yield ObjectInfo(
                        entry.id,
                        entry.name,
                        stamp.size,
                        used,
                        None if alarm is None else alarm / 1e6,
                        entry.id in awake,
                    )

        objects = await self._blocking(lambda: [*describe()])
        return Page(objects, _cursor(entries[-1]) if len(entries) == limit else None)

    async def sql(
        self, class_name: str, query: str, *, target: str | None = None, prefix: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """
        Run one query that only reads over one object or all objects of a class, each at a consistent moment.

        Args:
            class_name: As for `list`.
            query: One SQL statement.
            target: An object's name or id, ``None`` for all.
            prefix: As for `list`.
        Yields:
            ``{"id", "name", "columns", "rows"}``, one or more for each object that has rows, or
            ``{"id", "name", "error"}`` for an object that it fails on.
        Raises:
            UnknownObjectClassError: There is no such class.
            NoSuchObjectError: The object asked for stores nothing.
        """
        if target is not None:
            found = self._target(class_name, target)
            if not await self._exists(found):
                raise NoSuchObjectError(class_name, target)
            async for part in self._query(found, query):
                yield part
            return
        async for each in self.each(class_name, prefix=prefix):
            async for part in self._query(each, query):
                yield part

    async def each(
        self, class_name: str, *, prefix: str = "", progress: Progress | None = None
    ) -> AsyncIterator[Target]:
        """
        All objects of a class that store something, a page at a time.

        Args:
            class_name: As for `list`.
            prefix: As for `list`.
            progress: As for `list`.
        """
        key = self._access.unique_key(class_name)
        await self._refresh(key, progress)
        catalog = self._state.catalog(key)
        after: tuple[str | None, str] | None = None
        while True:
            entries = await self._blocking(partial(catalog.page, prefix, after, PAGE))
            for entry in entries:
                yield Target(class_name, key, entry.id, entry.name)
            if len(entries) < PAGE:
                return
            after = entries[-1].name, entries[-1].id

    async def migrate(
        self,
        class_name: str,
        script: str,
        *,
        javascript: bool,
        migration: str | None = None,
        prefix: str = "",
    ) -> AsyncIterator[dict[str, Any]]:
        """
        Change every object of a class, each exactly once: who runs it again, also after a crash, goes on where it ended.

        Args:
            class_name: As for `list`.
            script: SQL statements, or a module whose default export is ``async (storage, {id, name}) => …``.
            javascript: Which of the two.
            migration: What it is known by; its content if not given.
            prefix: As for `list`.
        Yields:
            ``{"id", "name", "outcome"}``; the outcome is ``done``, ``already`` when the object has had it, or ``failed``,
            with ``"error"``: then nothing has changed in the object, and the next run tries again.
        Raises:
            UnknownObjectClassError: There is no such class.
            ModuleError: The script does not load.
            StorageError: The directory cannot be read.
        """
        if migration is None:
            migration = hashlib.sha256(script.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        key = self._access.unique_key(class_name)
        journal = await self._blocking(partial(self._state.journal, migration, key))
        evaluated = None
        try:
            if javascript:
                from durabox.objects.host import SystemClock
                from durabox.objects.migration import evaluate

                evaluated = await evaluate(script, migration, SystemClock())
            async for found in self.each(class_name, prefix=prefix):
                outcome: dict[str, Any] = {"id": found.id, "name": found.name, "outcome": "already"}
                if not journal.has(found.id):
                    try:
                        async with self._access.alone(found.unique_key, found.id) as database:
                            if not await self._blocking(database.exists):
                                continue
                            if not await self._blocking(partial(migrations.has_had, database, migration)):
                                if evaluated is not None:
                                    await evaluated.run(
                                        database, self._state.alarms, key, found.id, found.name
                                    )
                                else:
                                    await self._blocking(
                                        partial(migrations.run_sql, database, script, migration)
                                    )
                                outcome["outcome"] = "done"
                        journal.add(found.id)
                    except DuraboxError as error:
                        outcome |= {"outcome": "failed", "error": str(error)}
                yield outcome
        finally:
            if evaluated is not None:
                evaluated.close()
            await self._blocking(journal.close)

    # One object

    async def show(
        self, class_name: str, target: str, *, prefix: str = "", cursor: str | None = None, limit: int = KEYS
    ) -> dict[str, Any]:
        """
        What an object stores: its keys with their values, and the shape of its SQL tables.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            prefix: What the keys begin with.
            cursor: Where the page of keys before ended.
            limit: Most keys.
        Returns:
            ``{"id", "name", "alarm", "awake", "keys": [{"key", "bytes", "value"}], "cursor", "tables": {name:
            [column]}, "sockets": [{"tags", "attachment"}]}``. A value is JSON as `values` has it, and left out when it
            is longer than 64 KiB; so is the attachment of a socket that has none. Of sockets, the first `MAX_SOCKETS`.
        Raises:
            NoSuchObjectError: It stores nothing.
            BadArgumentError: The cursor or the limit is none.
            StorageError: It cannot be read.
        """
        if not 1 <= limit <= MAX_KEYS:
            raise BadArgumentError(f"limit: expected 1 to {MAX_KEYS}, got {limit}")
        found = self._target(class_name, target)
        after = None if cursor is None else _decoded(cursor)
        start = prefix.encode("utf-8", "surrogatepass")
        seen = await self._access.read(
            found.unique_key, found.id, lambda database: view.look(database, start, after, limit)
        )
        if seen is None:
            raise NoSuchObjectError(class_name, target)
        sockets = self._access.sockets(found.unique_key, found.id)[:MAX_SOCKETS]

        def describe() -> dict[str, Any]:
            keys = []
            for key, length, value in seen.keys:
                entry: dict[str, object] = {"key": key.decode("utf-8", "replace"), "bytes": length}
                if value is not None:
                    entry["value"] = stored_as_json(value)
                keys.append(entry)
            return {
                "id": found.id,
                "name": seen.name if found.name is None else found.name,
                "alarm": None if seen.alarm is None else seen.alarm / 1e6,
                "awake": self._access.is_awake(found.unique_key, found.id),
                "keys": keys,
                "cursor": _encoded(seen.keys[-1][0]) if seen.more else None,
                "tables": dict(seen.tables),
                "sockets": [
                    {"tags": [*tags]} | ({"attachment": stored_as_json(value)} if value else {})
                    for tags, value in sockets
                ],
            }

        return await asyncio.to_thread(describe)

    async def export(
        self, class_name: str, target: str, path: Path, *, progress: Progress | None = None
    ) -> dict[str, Any]:
        """
        Write an object to a portable file, as it is at one moment, while it goes on working.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            path: The file; one that is there is replaced when the new one is complete.
            progress: Told of the pages that are copied.
        Returns:
            ``{"id", "name", "bytes"}``.
        Raises:
            NoSuchObjectError: It stores nothing.
            StorageError: It cannot be read, or the file not be written.
        """
        found = self._target(class_name, target)
        beside = path.with_name(f".{path.name}.unfinished")
        try:
            beside.unlink(missing_ok=True)
            name = await self._name(found)
            copy = await self._copy(found, str(beside), progress)
            sockets = self._access.sockets(found.unique_key, found.id)
            await asyncio.to_thread(
                portable.seal, copy, found.unique_key, found.id, time.time() * 1000.0, sockets
            )
            size = beside.stat().st_size
            await asyncio.to_thread(portable.publish, beside, path)
        except OSError as error:
            raise StorageError("export", f"{path}: {error.strerror or error}") from error
        finally:
            beside.unlink(missing_ok=True)
        return {"id": found.id, "name": name, "bytes": size}

    async def salvage(self, class_name: str, target: str, path: Path) -> dict[str, Any]:
        """
        Write what can still be read of an object whose file is damaged to a portable file.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            path: The file; one that is there is replaced when the new one is complete.
        Returns:
            ``{"id", "name", "bytes", "rows": {table: rows}, "loose", "errors": {table: message}}``; ``loose`` counts keys
            that nothing led to any more, which may be deleted ones.
        Raises:
            NoSuchObjectError: It stores nothing.
            BadArgumentError: The state is in memory.
            StorageError: The file cannot be copied or written.
        """
        found = self._target(class_name, target)
        source = self._state.file(found.unique_key, found.id)
        if source is None:
            raise BadArgumentError("State in memory has no files to salvage.")
        beside = path.with_name(f".{path.name}.unfinished")
        try:
            with tempfile.TemporaryDirectory() as folder:
                damaged = Path(folder) / source.name
                async with self._access.alone(found.unique_key, found.id):
                    if not source.exists():
                        raise NoSuchObjectError(class_name, target)
                    for suffix in ("", "-wal"):
                        with contextlib.suppress(FileNotFoundError):
                            await asyncio.to_thread(
                                shutil.copyfile, f"{source}{suffix}", f"{damaged}{suffix}"
                            )
                beside.unlink(missing_ok=True)
                content = apsw.Connection(str(beside))
                with _unless_used(content):
                    salvaged = await asyncio.to_thread(salvage, damaged, content)
                    if found.name is not None:
                        await asyncio.to_thread(portable.rename, content, found.name)
                    await asyncio.to_thread(
                        portable.seal, content, found.unique_key, found.id, time.time() * 1000.0
                    )
            size = beside.stat().st_size
            await asyncio.to_thread(portable.publish, beside, path)
        except OSError as error:
            raise StorageError("salvage", f"{path}: {error.strerror or error}") from error
        finally:
            beside.unlink(missing_ok=True)
        return {"id": found.id, "name": found.name, "bytes": size, **asdict(salvaged)}

    async def load(
        self, class_name: str, target: str | None, path: Path, *, force: bool = False
    ) -> dict[str, Any]:
        """
        Make an object from a portable file, or from an object's own file that is not in use.

        Args:
            class_name: As for `list`; a class that has no objects yet is fine.
            target: Its name or id; ``None`` for what the file says.
            path: The file.
            force: Whether an object that stores something is overwritten.
        Returns:
            ``{"id", "name"}``.
        Raises:
            ObjectExistsError: There is such an object.
            BadArgumentError: The file does not say which object it is, and nobody else did.
            StorageError: The file cannot be used, or the object not be written.
        """
        content, facts = await asyncio.to_thread(portable.read, path)
        with _unless_used(content):
            target = target if target is not None else facts.name if facts.name is not None else facts.id
            if target is None:
                raise BadArgumentError(f"{path.name} does not say which object it is: name one")
            key = self._access.new_unique_key(class_name, facts.unique_key)
            return await self._place(_target(class_name, key, target), content, facts, force=force)

    async def copy(
        self, class_name: str, target: str, to_class: str, to: str, *, force: bool = False
    ) -> dict[str, Any]:
        """
        Make an object that stores what another one stores at this moment, its alarm included.

        Args:
            class_name: As for `list`.
            target: The name or id of the object to copy.
            to_class: The class of the copy.
            to: The name or id of the copy.
            force: Whether an object that stores something is overwritten.
        Returns:
            ``{"id", "name"}`` of the copy.
        Raises:
            NoSuchObjectError: There is nothing to copy.
            ObjectExistsError: There is such an object.
            StorageError: One of them failed.
        """
        source = self._target(class_name, target)
        found = _target(to_class, self._access.new_unique_key(to_class, None), to)
        if (source.unique_key, source.id) == (found.unique_key, found.id):
            raise BadArgumentError("An object cannot be copied onto itself.")
        content = await self._copy(source, None)
        with _unless_used(content):
            facts = await asyncio.to_thread(portable.facts_of, content)
            return await self._place(found, content, facts, force=force)

    async def delete(self, class_name: str, target: str) -> None:
        """
        Remove an object with all that it stores, its alarm included.

        Raises:
            NoSuchObjectError: It stores nothing.
            StorageError: It cannot be removed.
        """
        found = self._target(class_name, target)
        async with self._access.alone(found.unique_key, found.id) as database:
            if not await self._blocking(database.exists):
                raise NoSuchObjectError(class_name, target)
            await self._blocking(partial(database.replace, None))
            self._state.alarms.set_later(found.unique_key, found.id, None, None)

    async def restore(self, class_name: str, target: str, to: str | float) -> dict[str, Any]:
        """
        Bring an object back to an earlier state, its alarm included.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            to: A bookmark, or a time in milliseconds since the epoch.
        Returns:
            ``{"undo"}``: the bookmark that undoes it.
        Raises:
            StorageError: The state is not to be had, or a file cannot be read or written.
        """
        found = self._target(class_name, target)

        def restore(database: ObjectDatabase) -> str:
            bookmarks = database.bookmarks
            undo = bookmarks.restore_next(to if isinstance(to, str) else bookmarks.at(to))
            database.restore()
            return undo

        async with self._access.alone(found.unique_key, found.id) as database:
            return {"undo": await self._blocking(partial(restore, database))}

    async def vacuum(self, class_name: str, target: str) -> dict[str, Any]:
        """
        Give back the disk space of what an object has deleted.

        Returns:
            ``{"before", "after"}`` in bytes.
        Raises:
            NoSuchObjectError: It stores nothing.
            StorageError: It failed and nothing has changed.
        """
        found = self._target(class_name, target)
        shelf = self._state.catalog(found.unique_key).shelf
        async with self._access.alone(found.unique_key, found.id) as database:
            before = shelf.stamp(found.id)
            if before is None:
                raise NoSuchObjectError(class_name, target)
            await self._blocking(database.vacuum)
            after = shelf.stamp(found.id)
        return {"before": before.size, "after": after.size if after else 0}

    # Inside

    def _target(self, class_name: str, target: str) -> Target:
        return _target(class_name, self._access.unique_key(class_name), target)

    async def _blocking(self, work: Callable[[], T]) -> T:
        """In a thread, unless the state is in memory, which has only one."""
        return work() if self._state.in_memory else await asyncio.to_thread(work)

    async def _exists(self, found: Target) -> bool:
        return await self._access.read(found.unique_key, found.id, ObjectDatabase.exists)

    async def _name(self, found: Target) -> str | None:
        if found.name is not None:
            return found.name
        return await self._access.read(found.unique_key, found.id, lambda database: database.metadata.name())

    async def _refresh(self, key: str, progress: Progress | None) -> None:
        """Bring the catalogue up to date with the objects' files."""
        catalog = self._state.catalog(key)
        unknown = await self._blocking(catalog.compare)
        for start in range(0, len(unknown), _GROUP):
            group = unknown[start : start + _GROUP]
            names = [(object_id, await self._stored_name(key, object_id)) for object_id in group]
            await self._blocking(partial(catalog.record, names))
            if progress is not None:
                progress(start + len(group), len(unknown))

    async def _stored_name(self, key: str, object_id: str) -> str | None:
        try:
            name = await self._access.read(key, object_id, lambda database: database.metadata.name())
        except StorageError:
            # Damaged: it is on the list all the same.
            name = None
        await asyncio.sleep(0)
        return name

    async def _copy(
        self, found: Target, path: str | None, progress: Progress | None = None
    ) -> apsw.Connection:
        """A copy of an object's database, which is the caller's."""
        if not await self._exists(found):
            raise NoSuchObjectError(found.class_name, found.label)
        copying = Copying(path, progress)
        try:
            await self._access.copy(found.unique_key, found.id, copying)
        except BaseException:
            copying.abandon()
            raise
        return copying.finish()

    async def _query(self, found: Target, query: str) -> AsyncIterator[dict[str, Any]]:
        """One object's rows, or what is wrong."""
        head: dict[str, Any] = {"id": found.id, "name": found.name}
        try:
            copy = await self._copy(found, None)
            batches = queries.query(copy, query)
            try:
                while (batch := await _in_thread(copy, partial(next, batches, None))) is not None:
                    yield head | {
                        "columns": list(batch.columns),
                        "rows": [[sql_as_json(value) for value in row] for row in batch.rows],
                    }
            finally:
                copy.close(True)
        except NoSuchObjectError:
            return  # it went while the others were asked
        except StorageError as error:
            yield head | {"error": error.message}

    async def _place(
        self, found: Target, content: apsw.Connection, facts: portable.Facts, *, force: bool
    ) -> dict[str, Any]:
        """Give an object the content of a database without a file."""
        key = found.unique_key
        name = name_inside(found.name)
        if name is None and facts.name is not None and IdFactory(key).from_name(facts.name) == found.id:
            name = facts.name
        await asyncio.to_thread(portable.rename, content, name)
        async with self._access.alone(key, found.id) as database:
            if not force and await self._blocking(database.exists):
                raise ObjectExistsError(found.class_name, found.label)
            alarms = self._state.alarms
            if facts.alarm is not None:
                await asyncio.wrap_future(alarms.set(key, found.id, name, facts.alarm))
            await self._blocking(partial(database.replace, content))
            if facts.alarm is None:
                alarms.set_later(key, found.id, name, None)
            self._state.catalog(key).note(found.id, name, time.time() * 1000.0)
        return {"id": found.id, "name": name}


def _target(class_name: str, unique_key: str, target: str) -> Target:
    ids = IdFactory(unique_key)
    if _ID.fullmatch(target):
        return Target(class_name, unique_key, ids.check(target), None)
    return Target(class_name, unique_key, ids.from_name(target), target)


@contextmanager
def _unless_used(content: apsw.Connection) -> Iterator[None]:
    """Close a database without a file when the block fails; else it has become an object's."""
    try:
        yield
    except BaseException:
        content.close(True)
        raise


async def _in_thread(copy: apsw.Connection, work: Callable[[], T]) -> T:
    """Work on a copy in a thread; when nobody waits for it any more, it is interrupted and then over."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        copy.interrupt()
        await asyncio.wait({running})
        raise


def _position(cursor: str) -> tuple[str | None, str]:
    try:
        name, object_id = json.loads(_decoded(cursor))
    except ValueError:
        raise BadArgumentError("cursor: not one of a list") from None
    if not isinstance(name, str | None) or not isinstance(object_id, str):
        raise BadArgumentError("cursor: not one of a list")
    return name, object_id


def _cursor(entry: Entry) -> str:
    return _encoded(json.dumps([entry.name, entry.id]).encode())


def _encoded(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode()


def _decoded(cursor: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(cursor)
    except (ValueError, binascii.Error):
        raise BadArgumentError("cursor: not one of this list") from None


def as_json(page: Page) -> dict[str, Any]:
    """A page as the admin API and the command line give it."""
    return {"objects": [asdict(each) for each in page.objects], "cursor": page.cursor}
