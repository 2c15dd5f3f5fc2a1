"""`Inventory`: every object of a state directory from outside, without waking one or running its code.

The methods speak JSON's types where they are answers, so that the library, the admin API and the command line say the
same. Times are milliseconds since the epoch. An object is named by its name or by the 64 digits of its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from durabox.errors import StorageError
from durabox.objects import queries
from durabox.objects.access import Access
from durabox.objects.listing import PAGE, Listing, Page, Progress, decoded, encoded
from durabox.objects.migrate_each import migrate_each
from durabox.objects.targets import BadArgumentError, NoSuchObjectError, Target, target_of
from durabox.objects.threads import in_thread
from durabox.objects.transfer import Transfer
from durabox.objects.values import stored_as_json
from durabox.storage import view
from durabox.storage.database import ObjectDatabase
from durabox.storage.facet_index import facet_id

#: Objects on one page of `Inventory.list`, at most.
MAX_PAGE: Final = 10_000
#: Keys on one page of `Inventory.show`, at most and unless told otherwise.
MAX_KEYS: Final = 1_000
KEYS: Final = 100
#: Sockets of an object that `Inventory.show` tells of.
MAX_SOCKETS: Final = 1_000


class Inventory:
    """
    What `Host.objects` is. For the thread of the event loop.

    Args:
        access: The way to the objects' databases.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._state = access.state
        self._listing = Listing(access)
        self._transfer = Transfer(access)

    @property
    def workshop(self) -> Path:
        """A folder for files in the making."""
        return self._state.workshop()

    # Many objects

    async def classes(self) -> list[dict[str, Any]]:
        """The classes that there are: name, folder, objects that store something, objects in memory."""
        return await self._listing.classes()

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
        return await self._listing.page(key, prefix, cursor, limit, progress)

    async def sql(
        self,
        class_name: str,
        query: str,
        *,
        target: str | None = None,
        prefix: str = "",
        facet: Sequence[str] = (),
    ) -> AsyncIterator[dict[str, Any]]:
        """
        Run one query that only reads over one object or all objects of a class, each at a consistent moment.

        Args:
            class_name: As for `list`.
            query: One SQL statement.
            target: An object's name or id, ``None`` for all.
            prefix: As for `list`.
            facet: The names that lead to a facet of that one object, to be asked instead.
        Yields:
            ``{"id", "name", "columns", "rows"}``, one or more for each object that has rows, or
            ``{"id", "name", "error"}`` for an object that it fails on.
        Raises:
            UnknownObjectClassError: There is no such class.
            NoSuchObjectError: The object asked for stores nothing.
        """
        if target is not None:
            found = self._target(class_name, target)
            asked = replace(found, id=facet_id(found.id, self._listing.facet(found, facet)))
            if not await self._access.read(found.unique_key, asked.id, ObjectDatabase.exists):
                raise NoSuchObjectError(class_name, target)
            async for part in self._query(asked, query):
                yield part | {"id": found.id}
            return
        async for each in self._listing.each(class_name, prefix):
            async for part in self._query(each, query):
                yield part

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
            BadArgumentError: There is no script, or the name is empty.
            ModuleError: The script does not load.
            StorageError: The directory cannot be read.
        """
        if not script.strip():
            raise BadArgumentError("script: there is nothing to do.")
        if migration == "":
            raise BadArgumentError("migration: the name is empty.")
        if migration is None:
            migration = hashlib.sha256(script.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        key = self._access.unique_key(class_name)
        each = self._listing.each(class_name, prefix)
        outcomes = migrate_each(self._access, key, each, script, javascript=javascript, migration=migration)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome

    # One object

    async def show(
        self,
        class_name: str,
        target: str,
        *,
        prefix: str = "",
        cursor: str | None = None,
        limit: int = KEYS,
        facet: Sequence[str] = (),
    ) -> dict[str, Any]:
        """
        What an object stores: its keys with their values, and the shape of its SQL tables.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            prefix: What the keys begin with.
            cursor: Where the page of keys before ended.
            limit: Most keys.
            facet: The names that lead to a facet of it, to be shown instead.
        Returns:
            ``{"id", "name", "alarm", "awake", "keys": [{"key", "bytes", "value"}], "cursor", "tables": {name:
            [column]}, "sockets": [{"tags", "attachment"}], "facets": [{"path", "bytes"}]}``: the last are all below it that
            store something, by the names that lead to them. A value is JSON as `values` has it, and left out when it
            is longer than 64 KiB; so is the attachment of a socket that has none. Of sockets, the first `MAX_SOCKETS`.
        Raises:
            NoSuchObjectError: It stores nothing.
            BadArgumentError: The cursor or the limit is none.
            StorageError: It cannot be read.
        """
        if not 1 <= limit <= MAX_KEYS:
            raise BadArgumentError(f"limit: expected 1 to {MAX_KEYS}, got {limit}")
        found = self._target(class_name, target)
        number = self._listing.facet(found, facet)
        part = facet_id(found.id, number)
        after = None if cursor is None else decoded(cursor)
        start = prefix.encode("utf-8", "surrogatepass")
        seen = await self._access.read(
            found.unique_key, part, lambda database: view.look(database, start, after, limit)
        )
        sockets = self._access.sockets(found.unique_key, part)[:MAX_SOCKETS]
        facets = await self._listing.facets(found, number)
        if seen is None:
            if not facets:
                raise NoSuchObjectError(class_name, target)
            seen = view.NOTHING

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
                "alarm": None if seen.alarm is None else seen.alarm / 1_000_000,
                "awake": self._access.is_awake(found.unique_key, part),
                "keys": keys,
                "cursor": encoded(seen.keys[-1][0]) if seen.more else None,
                "tables": dict(seen.tables),
                "sockets": [
                    {"tags": [*tags]} | ({"attachment": stored_as_json(value)} if value else {})
                    for tags, value in sockets
                ],
                "facets": facets,
            }

        return await in_thread(describe)

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
        return await self._transfer.export(self._target(class_name, target), path, progress)

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
        return await self._transfer.salvage(self._target(class_name, target), path)

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
        return await self._transfer.load(class_name, target, path, force=force)

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
        found = target_of(to_class, self._access.new_unique_key(to_class, None), to)
        return await self._transfer.copy(source, found, force=force)

    async def delete(self, class_name: str, target: str) -> None:
        """
        Remove an object with all that it stores, its alarm and its facets included.

        Raises:
            NoSuchObjectError: It stores nothing.
            StorageError: It cannot be removed.
        """
        await self._transfer.delete(self._target(class_name, target))

    async def restore(
        self, class_name: str, target: str, to: str | float, *, facet: Sequence[str] = ()
    ) -> dict[str, Any]:
        """
        Bring an object back to an earlier state, its alarm included; its facets stay as they are.

        Args:
            class_name: As for `list`.
            target: The object's name or id.
            to: A bookmark, or a time in milliseconds since the epoch.
            facet: The names that lead to a facet of it, to be brought back instead.
        Returns:
            ``{"undo"}``: the bookmark that undoes it.
        Raises:
            NoSuchObjectError: It stores nothing and never did, as far as is known.
            BadArgumentError: The time is before what is kept.
            StorageError: The state is not to be had, or a file cannot be read or written.
        """
        found = self._target(class_name, target)

        def restore(database: ObjectDatabase) -> str:
            bookmarks = database.bookmarks
            if not (database.exists() or bookmarks.kept):
                raise NoSuchObjectError(class_name, target)
            kept = bookmarks.range()
            if kept is not None and not isinstance(to, str) and to < kept[0].time:
                began = datetime.fromtimestamp(kept[0].time / 1000, UTC).isoformat(" ", "milliseconds")
                raise BadArgumentError(f"to: what is kept of {found.label} begins at {began}")
            undo = bookmarks.restore_next(to if isinstance(to, str) else bookmarks.at(to))
            database.restore()
            return undo

        number = self._listing.facet(found, facet)
        async with self._access.alone(found.unique_key, found.id) as database:
            if number == 0:
                return {"undo": await self._access.blocking(partial(restore, database))}
            with self._state.databases(found.unique_key, found.id, [number]) as databases:
                return {"undo": await self._access.blocking(partial(restore, databases[number]))}

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
            await self._access.blocking(database.vacuum)
            facets = self._state.facets(found.unique_key, found.id).below(0)
            with self._state.databases(found.unique_key, found.id, facets) as databases:
                for facet in databases.values():
                    await self._access.blocking(facet.vacuum)
            after = shelf.stamp(found.id)
        return {"before": before.size, "after": after.size if after else 0}

    # Inside

    async def _query(self, found: Target, query: str) -> AsyncIterator[dict[str, Any]]:
        """One object's rows, or what is wrong."""
        head: dict[str, Any] = {"id": found.id, "name": found.name}
        try:
            async with aclosing(queries.query(await self._transfer.content(found), query)) as parts:
                async for part in parts:
                    yield head | part
        except NoSuchObjectError:
            return  # it went while the others were asked
        except StorageError as error:
            yield head | {"error": error.message}

    def _target(self, class_name: str, target: str) -> Target:
        return target_of(class_name, self._access.unique_key(class_name), target)
