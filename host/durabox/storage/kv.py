"""``ctx.storage``'s keys and values: the table ``_cf_KV``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

import apsw

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.table import Table

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase

#: ``[key, value, key, value, …]``.
Flat: TypeAlias = list[bytes]

#: Bytes that one read returns at most: a guest could otherwise have the host hold all it ever stored.
MAX_RESULT: Final = 256 * 1024 * 1024
#: Bytes after which a part of a list ends.
_PART: Final = 64 * 1024
_MAX_LIMIT: Final = 2**63 - 1
_BATCH: Final = "_cf_batch"


class KeyValueStore:
    """
    Keys are WTF-8, values opaque; order is that of the keys' bytes. Errors are those of `ObjectDatabase`.

    Args:
        database: Where they are.
    """

    __slots__ = ("_database", "_table")

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        self._table = Table(database, statements.HAS_KV, statements.CREATE_KV, cradle=True)

    # Reads

    def get(self, key: bytes) -> bytes | None:
        """The key's value, ``None`` if there is none."""
        cursor = self._table.reader or self._table.to_read("get")
        if cursor is None:
            return None
        self._database.recent = True
        try:
            value: bytes | None = cursor.execute(statements.GET, (key,)).get
        except apsw.Error as error:
            raise self._database.failed("get", error) from error
        return value

    def get_many(self, keys: Iterable[bytes]) -> Flat:
        """Those of the keys that exist, with their values, in order and once each."""
        cursor = self._table.reader or self._table.to_read("get")
        if cursor is None:
            return []
        self._database.recent = True
        found: Flat = []
        room = MAX_RESULT
        try:
            for some in _portions(sorted(set(keys))):
                for key, value in cursor.execute(statements.GET_SEVERAL[len(some)], some):
                    if value is not None:
                        found += (key, value)
                        room -= len(value)
                        if room < 0:
                            raise _too_large("get")
        except apsw.Error as error:
            raise self._database.failed("get", error) from error
        return found

    def list(
        self,
        start: bytes | None,
        end: bytes | None,
        prefix: bytes | None,
        reverse: bool,
        limit: int,
        *,
        part: bool = False,
    ) -> Flat:
        """
        A range of keys with their values.

        Args:
            start: First key, ``None`` for no lower bound.
            end: The key after the last, ``None`` for no upper bound.
            prefix: What the keys begin with, besides being in the bounds.
            reverse: Descending order; the limit then counts from the upper end.
            limit: Most keys; negative for all.
            part: End early after some ten kilobytes of values, instead of failing after `MAX_RESULT`.
        """
        cursor = self._table.reader or self._table.to_read("list")
        if cursor is None:
            return []
        self._database.recent = True
        lower, upper = start, end
        if prefix:
            after = statements.end_of_prefix(prefix)
            lower = prefix if lower is None else max(lower, prefix)
            upper = after if upper is None else upper if after is None else min(upper, after)
        bounds = [bound for bound in (lower, upper) if bound is not None]
        statement = statements.LIST[lower is not None, upper is not None, reverse]
        found: Flat = []
        room = _PART if part else MAX_RESULT
        try:
            for row in cursor.execute(statement, (*bounds, min(limit, _MAX_LIMIT) if limit >= 0 else -1)):
                found += row
                room -= len(row[0]) + len(row[1])
                if room < 0:
                    if part:
                        break
                    raise _too_large("list")
        except apsw.Error as error:
            raise self._database.failed("list", error) from error
        except TypeError:
            # NULL, which nobody ever stored.
            malformed = apsw.CorruptError("database disk image is malformed")
            malformed.extendedresult = apsw.SQLITE_CORRUPT  # type: ignore[attr-defined]
            raise self._database.failed("list", malformed) from None
        return found

    # Writes

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value."""
        cursor = self._table.writer or self._table.to_write("put")
        try:
            cursor.execute(statements.PUT, (key, value))
        except apsw.Error as error:
            raise self._database.failed("put", error) from error

    def put_many(self, flat: Flat) -> None:
        """
        Store several values, all or none.

        Args:
            flat: Keys and values by turns.
        """
        if not flat:
            return
        with self._all_or_nothing("put") as cursor:
            for some in _portions(flat, each=2):
                cursor.execute(statements.PUT_SEVERAL[len(some) // 2], some)

    def delete(self, key: bytes) -> bool:
        """Remove a key; whether it existed."""
        cursor = self._table.reader or self._table.to_read("delete")
        if cursor is None:
            return False
        self._database.recent = True
        try:
            if not cursor.execute(statements.EXISTS, (key,)).get:
                return False
            cursor = self._table.writer or self._table.to_write("delete")
            cursor.execute(statements.DELETE, (key,))
        except apsw.Error as error:
            raise self._database.failed("delete", error) from error
        return True

    def delete_many(self, keys: Iterable[bytes]) -> int:
        """Remove several keys, all or none; how many existed. If none did, this is only a read."""
        cursor = self._table.reader or self._table.to_read("delete")
        if cursor is None:
            return 0
        self._database.recent = True
        left = _portions(list(set(keys)))
        exists = statements.ANY_EXISTS
        try:
            found = next((some for some in left if cursor.execute(exists[len(some)], some).get), None)
        except apsw.Error as error:
            raise self._database.failed("delete", error) from error
        if found is None:
            return 0
        count = 0
        with self._all_or_nothing("delete") as cursor:
            for some in chain((found,), left):
                cursor.execute(statements.DELETE_SEVERAL[len(some)], some)
                count += cursor.connection.changes()
        return count

    # Inside

    @contextmanager
    def _all_or_nothing(self, operation: str) -> Iterator[apsw.Cursor]:
        """A cursor for several writes, which are undone when one of them fails."""
        cursor = self._table.writer or self._table.to_write(operation)
        try:
            cursor.execute(f"SAVEPOINT {_BATCH}")
            try:
                yield cursor
            except apsw.Error:
                if cursor.connection.in_transaction:
                    cursor.execute(f"ROLLBACK TO {_BATCH}; RELEASE {_BATCH}").fetchall()
                raise
            cursor.execute(f"RELEASE {_BATCH}")
        except apsw.Error as error:
            raise self._database.failed(operation, error) from error


def _portions(flat: Flat, each: int = 1) -> Iterator[Flat]:
    """The list in parts of as many items, of `each` elements, as there are statements for."""
    at = 0
    for items in statements.SEVERAL:
        step = items * each
        for end in range(at + step, len(flat) + 1, step):
            yield flat[at:end]
            at = end


def _too_large(operation: str) -> StorageError:
    return StorageError(
        operation,
        f"{operation}() would return more than {MAX_RESULT >> 20} MiB at once; ask for fewer keys at a time.",
        apsw.SQLITE_TOOBIG,
    )
