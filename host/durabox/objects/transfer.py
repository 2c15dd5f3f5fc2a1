"""Objects as whole databases: out of a state directory, into it, and from one object to another."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from durabox.errors import StorageError
from durabox.objects.access import Access
from durabox.objects.ids import IdFactory, name_inside
from durabox.objects.listing import Progress
from durabox.objects.targets import BadArgumentError, NoSuchObjectError, ObjectExistsError, Target, target_of
from durabox.objects.threads import in_thread
from durabox.storage import portable
from durabox.storage.copying import Copying
from durabox.storage.database import ObjectDatabase
from durabox.storage.exchange import Exchange
from durabox.storage.facet_index import facet_id
from durabox.storage.salvage import salvage


class Transfer:
    """
    See the module's head; what its methods give and raise is what those of `Inventory` do.

    Args:
        access: The way to the objects' databases.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._state = access.state

    async def export(self, found: Target, path: Path, progress: Progress | None) -> dict[str, Any]:
        """An object as a portable file."""
        beside = portable.unfinished(path)
        try:
            name = await self._name(found)
            copy = await self._whole(found, beside, progress)
            sockets = self._access.sockets(found.unique_key, found.id)
            await in_thread(
                partial(portable.seal, copy, found.unique_key, found.id, time.time() * 1000.0, sockets)
            )
            size = beside.stat().st_size
            await in_thread(partial(portable.publish, beside, path))
        except OSError as error:
            raise StorageError("export", f"{path}: {error.strerror or error}") from error
        finally:
            beside.unlink(missing_ok=True)
        return {"id": found.id, "name": name, "bytes": size}

    async def salvage(self, found: Target, path: Path) -> dict[str, Any]:
        """What can still be read of one, as a portable file."""
        if self._state.in_memory:
            raise BadArgumentError("State in memory has no files to salvage.")
        beside = portable.unfinished(path)
        try:
            with self._scratch() as damaged:
                async with self._access.alone(found.unique_key, found.id):
                    source = self._state.file(found.unique_key, found.id)
                    assert source is not None
                    if not source.exists():
                        raise NoSuchObjectError(found.class_name, found.label)
                    for suffix in ("", "-wal"):
                        with contextlib.suppress(FileNotFoundError):
                            await in_thread(
                                partial(shutil.copyfile, f"{source}{suffix}", f"{damaged}{suffix}")
                            )
                content = apsw.Connection(str(beside))
                with _unless_used(content):
                    salvaged = await in_thread(partial(salvage, damaged, content))
                    if found.name is not None:
                        await in_thread(partial(portable.rename, content, found.name))
                    await in_thread(
                        partial(portable.seal, content, found.unique_key, found.id, time.time() * 1000.0)
                    )
            size = beside.stat().st_size
            await in_thread(partial(portable.publish, beside, path))
        except OSError as error:
            raise StorageError("salvage", f"{path}: {error.strerror or error}") from error
        finally:
            beside.unlink(missing_ok=True)
        return {"id": found.id, "name": found.name, "bytes": size, **asdict(salvaged)}

    async def load(self, class_name: str, target: str | None, path: Path, *, force: bool) -> dict[str, Any]:
        """An object from a portable file."""
        content, facts = await in_thread(partial(portable.read, path))
        with _unless_used(content):
            target = target if target is not None else facts.name if facts.name is not None else facts.id
            if target is None:
                raise BadArgumentError("The file does not say which object it is: name one.")
            key = self._access.new_unique_key(class_name, facts.unique_key)
            at = target_of(class_name, key, target)
            return await self._place(at, content, facts, portable.facets(path), force=force)

    async def copy(self, source: Target, found: Target, *, force: bool) -> dict[str, Any]:
        """An object from another one."""
        if (source.unique_key, source.id) == (found.unique_key, found.id):
            raise BadArgumentError("An object cannot be copied onto itself.")
        if not await self._facets(source):
            content = await self.content(source)
            with _unless_used(content):
                facts = await in_thread(partial(portable.facts_of, content))
                return await self._place(found, content, facts, iter(()), force=force)
        with self._scratch() as file:
            await self.export(source, file, None)
            content, facts = await in_thread(partial(portable.read, file))
            with _unless_used(content):
                return await self._place(found, content, facts, portable.facets(file), force=force)

    async def content(
        self, found: Target, path: str | None = None, progress: Progress | None = None
    ) -> apsw.Connection:
        """
        A copy of an object's database, which is the caller's.

        Args:
            found: The object.
            path: Where the copy's file is to be; ``None`` for a copy without one.
            progress: Told of the pages that are copied.
        Raises:
            NoSuchObjectError: It stores nothing.
        """
        if not await self._access.read(found.unique_key, found.id, ObjectDatabase.exists):
            raise NoSuchObjectError(found.class_name, found.label)
        copying = Copying(path, progress)
        try:
            await self._access.copy(found.unique_key, found.id, copying)
        except BaseException:
            copying.abandon()
            raise
        return copying.finish()

    async def delete(self, found: Target) -> None:
        """An object goes, with its facets."""
        async with self._access.alone(found.unique_key, found.id) as database:
            if not await self.stores_something(found, database):
                raise NoSuchObjectError(found.class_name, found.label)
            await self.carry_out(found, self._state.exchange(found.unique_key, found.id), database)
            self._state.alarms.set_later(found.unique_key, found.id, None, None)

    async def carry_out(self, found: Target, exchange: Exchange, own: ObjectDatabase) -> None:
        """Replace everything that an object stores; it is out of memory, and nobody but `own` has its database."""
        facets = list(self._state.facets(found.unique_key, found.id).below(0))
        with self._state.databases(found.unique_key, found.id, facets) as databases:
            await self._access.blocking(partial(exchange.carry_out, [0, *facets], {0: own, **databases}))

    async def stores_something(self, found: Target, own: ObjectDatabase) -> bool:
        """The same as `exists`, for an object that is out of memory."""
        facets = list(self._state.facets(found.unique_key, found.id).below(0))
        with self._state.databases(found.unique_key, found.id, facets) as databases:
            return await self._access.blocking(
                lambda: own.exists() or any(database.exists() for database in databases.values())
            )

    async def exists(self, found: Target) -> bool:
        """Whether the object or a facet of it stores something."""
        own = await self._access.read(found.unique_key, found.id, ObjectDatabase.exists)
        return own or bool(await self._facets(found))

    async def _facets(self, found: Target) -> list[tuple[int, tuple[str, ...]]]:
        """The facets of an object that store something, with the names that lead to them."""
        index = self._state.facets(found.unique_key, found.id)
        return [
            (number, path)
            for number, path in index.below(0).items()
            if await self._access.read(found.unique_key, facet_id(found.id, number), ObjectDatabase.exists)
        ]

    async def _whole(self, found: Target, path: Path, progress: Progress | None) -> apsw.Connection:
        """A copy of an object's database in a file, with those of its facets, each at a moment of its own."""
        facets = await self._facets(found)
        try:
            copy = await self.content(found, str(path), progress)
        except NoSuchObjectError:
            if not facets:
                raise
            copy = apsw.Connection(str(path))
        with _unless_used(copy):
            for number, names in facets:
                with self._scratch() as file:
                    part = facet_id(found.id, number)
                    try:
                        content = await self.content(replace(found, id=part), str(file), progress)
                    except NoSuchObjectError:
                        continue  # it went meanwhile
                    content.close()
                    await in_thread(partial(portable.add_facet, copy, number, names, file))
        return copy

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A name for a database in the making, on the state's file system."""
        path = self._state.workshop() / f"scratch.{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)

    async def _name(self, found: Target) -> str | None:
        if found.name is not None:
            return found.name
        return await self._access.read(found.unique_key, found.id, lambda database: database.metadata.name())

    async def _place(
        self,
        found: Target,
        content: apsw.Connection,
        facts: portable.Facts,
        facets: Iterator[tuple[tuple[str, ...], apsw.Connection]],
        *,
        force: bool,
    ) -> dict[str, Any]:
        """Give an object the content of a database without a file, and the facets that come with it."""
        key = found.unique_key
        name = name_inside(found.name)
        if name is None and facts.name is not None and IdFactory(key).from_name(facts.name) == found.id:
            name = facts.name
        await in_thread(partial(portable.rename, content, name))
        async with self._access.alone(key, found.id) as database:
            if not force and await self.stores_something(found, database):
                raise ObjectExistsError(found.class_name, found.label)
            exchange = self._state.exchange(key, found.id)
            index = self._state.facets(key, found.id)
            try:
                await self._access.blocking(partial(exchange.stage, 0, content))
                while (facet := await self._access.blocking(partial(next, facets, None))) is not None:
                    number = 0
                    for step in facet[0]:
                        number = index.number(number, step)
                    await self._access.blocking(partial(exchange.stage, number, facet[1]))
                alarms = self._state.alarms
                if facts.alarm is not None:
                    await asyncio.wrap_future(alarms.set(key, found.id, name, facts.alarm))
                await self.carry_out(found, exchange, database)
            except BaseException:
                await self._access.blocking(exchange.abandon)
                raise
            if facts.alarm is None:
                alarms.set_later(key, found.id, name, None)
            self._state.catalog(key).note(found.id, name, time.time() * 1000.0)
        return {"id": found.id, "name": name}


@contextmanager
def _unless_used(content: apsw.Connection) -> Iterator[None]:
    """Close a database without a file when the block fails; else it has become an object's."""
    try:
        yield
    except BaseException:
        content.close(True)
        raise
