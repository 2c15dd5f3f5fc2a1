"""The objects of a class that store something, from the catalogue and the objects' files: a page, or all."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

from durabox.errors import StorageError
from durabox.objects.access import Access
from durabox.objects.ids import IdFactory
from durabox.objects.targets import BadArgumentError, NoSuchObjectError, Target
from durabox.storage.catalog import Catalog, Entry
from durabox.storage.database import ObjectDatabase
from durabox.storage.facet_index import facet_id

#: Objects on one page, unless told otherwise.
PAGE: Final = 1_000
#: Names that are read from objects' files between two writes to the catalogue, and threads that do so.
_GROUP: Final = 2000
_LOOKERS: Final = 4

#: Told of what is done so far, and of how much.
Progress = Callable[[int, int], None]


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


class Listing:
    """
    What there is.

    Args:
        access: The way to the objects' databases.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._state = access.state

    async def classes(self) -> list[dict[str, Any]]:
        """See `Inventory.classes`."""
        found: list[dict[str, Any]] = []
        names = dict(self._access.classes())
        for key in self._state.unique_keys():
            if key not in names.values():
                names[key] = key
        for class_name, key in names.items():
            await self._refresh(key, None)
            count = await self._access.blocking(self._state.catalog(key).count)
            found.append(
                {"class": class_name, "folder": key, "objects": count, "awake": len(self._access.awake(key))}
            )
        return found

    async def page(
        self, key: str, prefix: str, cursor: str | None, limit: int, progress: Progress | None
    ) -> Page:
        """
        Some objects.

        Args:
            key: The unique key of their namespace.
            prefix: What the names begin with.
            cursor: Where the page before ended.
            limit: Most objects.
            progress: See `Inventory.list`.
        """
        after = None if cursor is None else _position(cursor)
        if after is None:
            await self._refresh(key, progress)
        catalog = self._state.catalog(key)
        entries = await self._access.blocking(partial(catalog.page, prefix, after, limit))
        alarms = await asyncio.wrap_future(self._state.alarms.get_many(key, [entry.id for entry in entries]))
        awake = self._access.awake(key)
        now = self._state.clock()

        def describe() -> Iterator[ObjectInfo]:
            for entry in entries:
                stamp = catalog.shelf.stamp(entry.id)
                if stamp is not None:
                    # A clock that was ahead for a while has left times that are still to come.
                    used = min(max(entry.used, stamp.changed, awake.get(entry.id, 0.0)), now)
                    alarm = alarms.get(entry.id)
                    yield ObjectInfo(
                        entry.id,
                        entry.name,
                        stamp.size,
                        used,
                        None if alarm is None else alarm / 1_000_000,
                        entry.id in awake,
                    )

        objects = await self._access.blocking(lambda: [*describe()])
        return Page(objects, _cursor(entries[-1]) if len(entries) == limit else None)

    async def each(self, class_name: str, prefix: str) -> AsyncIterator[Target]:
        """
        All objects, a page at a time.

        Args:
            class_name: What their class is called.
            prefix: See `page`.
        """
        key = self._access.unique_key(class_name)
        await self._refresh(key, None)
        catalog = self._state.catalog(key)
        after: tuple[str | None, str] | None = None
        while True:
            entries = await self._access.blocking(partial(catalog.page, prefix, after, PAGE))
            for entry in entries:
                yield Target(class_name, key, entry.id, entry.name)
            if len(entries) < PAGE:
                return
            after = entries[-1].name, entries[-1].id

    def facet(self, found: Target, names: Sequence[str]) -> int:
        """
        The number of a facet, or 0 for the object.

        Args:
            found: The object.
            names: Lead from there to the facet.
        Raises:
            NoSuchObjectError: There was never one.
        """
        index = self._state.facets(found.unique_key, found.id)
        number = 0
        for name in names:
            below = index.find(number, name)
            if below is None:
                raise NoSuchObjectError(found.class_name, "/".join([found.label, *names]))
            number = below
        return number

    async def facets(self, found: Target, number: int) -> list[dict[str, Any]]:
        """
        The facets that store something.

        Args:
            found: The object.
            number: That of the facet below which they are, 0 for the object.
        Returns:
            ``[{"path", "bytes"}]``: the names that lead to each, and what its database takes.
        """
        facets: list[dict[str, Any]] = []
        for below, path in self._state.facets(found.unique_key, found.id).below(number).items():
            size = await self._access.read(found.unique_key, facet_id(found.id, below), _size)
            if size is not None:
                facets.append({"path": [*path], "bytes": size})
        return facets

    async def _refresh(self, key: str, progress: Progress | None) -> None:
        """Bring the catalogue up to date with the objects' files."""
        catalog = self._state.catalog(key)
        in_memory = catalog.in_memory
        try:
            await self._read_names(catalog, key, progress)
        except StorageError:
            if in_memory or not catalog.in_memory:
                raise
            await self._read_names(catalog, key, progress)

    async def _read_names(self, catalog: Catalog, key: str, progress: Progress | None) -> None:
        ids = IdFactory(key)

        def look(some: list[str]) -> list[tuple[str, str | None, int | None, bool]]:
            """Ids, names, stamps, and whether that is all: an object that wrote may have to be taken into use for its name."""
            told: list[tuple[str, str | None, int | None, bool]] = []
            for object_id in some:
                stamp = catalog.stamp(object_id)
                try:
                    seen = catalog.shelf.glance(object_id)
                except StorageError:
                    # Damaged: it is on the list all the same.
                    told.append((object_id, None, stamp, True))
                    continue
                checked = seen.name is not None and ids.from_name(seen.name) == object_id
                told.append((object_id, seen.name, stamp, seen.whole or checked))
            return told

        unknown = await self._access.blocking(catalog.compare)
        for start in range(0, len(unknown), _GROUP):
            group = unknown[start : start + _GROUP]
            parts = (group[number::_LOOKERS] for number in range(_LOOKERS))
            looks = await asyncio.gather(*(self._access.blocking(partial(look, part)) for part in parts))
            names = [
                (object_id, name if known else await self._stored_name(key, object_id), stamp)
                for object_id, name, stamp, known in chain.from_iterable(looks)
            ]
            await self._access.blocking(partial(catalog.record, names))
            if progress is not None:
                progress(start + len(group), len(unknown))

    async def _stored_name(self, key: str, object_id: str) -> str | None:
        try:
            name = await self._access.read(key, object_id, lambda database: database.metadata.name())
        except StorageError:
            name = None  # damaged
        await asyncio.sleep(0)
        return name


def _position(cursor: str) -> tuple[str | None, str]:
    try:
        name, object_id = json.loads(decoded(cursor))
    except ValueError:
        raise BadArgumentError("cursor: not one of a list") from None
    if not isinstance(name, str | None) or not isinstance(object_id, str):
        raise BadArgumentError("cursor: not one of a list")
    return name, object_id


def _cursor(entry: Entry) -> str:
    return encoded(json.dumps([entry.name, entry.id]).encode())


def encoded(position: bytes) -> str:
    """A cursor for a position."""
    return base64.urlsafe_b64encode(position).decode()


def decoded(cursor: str) -> bytes:
    """The position of a cursor."""
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadArgumentError("cursor: not one of this list") from None


def as_json(page: Page) -> dict[str, Any]:
    """A page as the admin API and the command line give it."""
    return {"objects": [asdict(each) for each in page.objects], "cursor": page.cursor}


def _size(database: ObjectDatabase) -> int | None:
    return database.sql.size if database.exists() else None
