"""One object's database: key-value operations, the implicit transaction, savepoints, the commit.

The first write opens the implicit transaction (`ObjectDatabase.dirty`); `commit` ends it. Everything but `commit`
runs on the event loop's thread within a turn; `commit` runs on another thread while nobody else uses the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Final, Protocol

import apsw

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.birth import unborn

#: Page cache of a connection, in KiB.
_CACHE_KB: Final = 512
#: What JavaScript is told when the implicit transaction was lost to a failing disk.
_LOST: Final = "Cannot commit transaction due to an earlier SQL critical error"
_RETRYABLE: Final = (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.NoMemError)


class Durability(Enum):
    """What a commit guarantees when it returns."""

    #: It survives a power failure.
    FULL = "full"
    #: It survives the death of the process; a power failure may undo the last commits.
    NORMAL = "normal"
    #: Nothing is synced; for tests and throw-away state.
    OFF = "off"


class Place(Protocol):
    """Where a database lives; the state directory."""

    def exists(self) -> bool:
        """Whether the object has stored anything."""
        ...

    def open(self) -> apsw.Connection:
        """A connection to the object's database, which exists."""
        ...

    def bear(self, connection: apsw.Connection) -> None:
        """Put the database of a new object in its place; blocking."""
        ...

    def opened(self, database: ObjectDatabase) -> None:
        """The database opened its connection."""
        ...

    def closing(self, database: ObjectDatabase, connection: apsw.Connection | None) -> None:
        """The database lets go of its connection, which `open` made; ``None`` when there was none."""
        ...


def configure(connection: apsw.Connection, durability: Durability) -> None:
    """Settings of every connection to an object's file."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute(
        f"PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = {durability.value}; "
        f"PRAGMA cache_size = -{_CACHE_KB}; PRAGMA trusted_schema = OFF"
    ).fetchall()


def failure(operation: str, error: Exception) -> StorageError:
    """What a failing SQLite or file system means to callers."""
    if isinstance(error, apsw.Error):
        code = error.extendedresult if error.extendedresult > 0 else 0
        return StorageError(operation, f"{operation}: {error}", code, isinstance(error, _RETRYABLE))
    return StorageError(operation, f"{operation}: {error}")


class ObjectDatabase:
    """
    The storage of one object. Made by `StateDirectory.database`.

    Args:
        place: Where it lives.
        label: Namespace and id, for messages.
    """

    __slots__ = ("_born", "_connection", "_depth", "_place", "_run", "dirty", "label")

    def __init__(self, place: Place, label: str) -> None:
        self._place = place
        self.label = label
        self._connection: apsw.Connection | None = None
        self._run: Callable[..., apsw.Cursor] | None = None
        #: False while the connection is to a database in memory that no commit has put in place.
        self._born = True
        self._depth = 0
        #: An implicit transaction is open.
        self.dirty = False

    # Reading

    def get(self, key: bytes) -> bytes | None:
        """
        The value of a key.

        Raises:
            StorageError: The database cannot be read.
        """
        run = self._run or self._open_to_read()
        if run is None:
            return None
        try:
            value: bytes | None = run(statements.GET, (key,)).get
        except apsw.Error as error:
            raise failure("get", error) from error
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes]:
        """Flat ``[key, value, …]`` of the keys that exist, in key order."""
        run = self._run or self._open_to_read()
        if run is None:
            return []
        flat: list[bytes] = []
        try:
            for key in sorted(set(keys)):
                value = run(statements.GET, (key,)).get
                if value is not None:
                    flat += (key, value)
        except apsw.Error as error:
            raise failure("get", error) from error
        return flat

    def list(
        self, start: bytes | None, end: bytes | None, prefix: bytes | None, reverse: bool, limit: int
    ) -> list[bytes]:
        """
        Flat ``[key, value, …]`` of a range.

        Args:
            start: First key, inclusive.
            end: First key beyond the range.
            prefix: What every key begins with.
            reverse: Whether the last keys come first.
            limit: At most this many pairs; negative for all.
        """
        run = self._run or self._open_to_read()
        if run is None:
            return []
        if prefix:
            start = prefix if start is None else max(start, prefix)
            beyond = statements.after_prefix(prefix)
            if beyond is not None:
                end = beyond if end is None else min(end, beyond)
        flat: list[bytes] = []
        try:
            for row in run(*statements.listing(start, end, reverse, limit)):
                flat += row
        except apsw.Error as error:
            raise failure("list", error) from error
        return flat

    # Writing

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key."""
        run = self._begin()
        try:
            run(statements.PUT, (key, value))
        except apsw.Error as error:
            raise failure("put", error) from error

    def put_many(self, flat: Sequence[bytes]) -> None:
        """Set the keys of a flat ``[key, value, …]``, all or none."""
        with self._all_or_nothing("put") as run:
            for position in range(0, len(flat), 2):
                run(statements.PUT, (flat[position], flat[position + 1]))

    def delete(self, key: bytes) -> bool:
        """Remove a key; whether it existed."""
        if not self.dirty and self._run is None and not self._place.exists():
            return False
        run = self._begin()
        try:
            run(statements.DELETE, (key,))
        except apsw.Error as error:
            raise failure("delete", error) from error
        assert self._connection is not None
        return self._connection.changes() > 0

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys, all or none; how many existed."""
        if not self.dirty and self._run is None and not self._place.exists():
            return 0
        count = 0
        with self._all_or_nothing("delete") as run:
            assert self._connection is not None
            for key in keys:
                run(statements.DELETE, (key,))
                count += self._connection.changes()
        return count

    def delete_all(self) -> None:
        """
        Remove everything the object stores, the user's own tables too.

        Raises:
            StorageError: A transaction is open.
        """
        if self._depth:
            raise StorageError("deleteAll", "Cannot call deleteAll() within a transaction")
        if not self.dirty and self._run is None and not self._place.exists():
            return
        with self._all_or_nothing("deleteAll") as run:
            for kind, name in run(statements.TABLES_OF_USERS).fetchall():
                quoted = name.replace('"', '""')
                run(f'DROP {kind} IF EXISTS "{quoted}"')
            run(statements.DELETE_ALL)

    # Transactions

    def savepoint(self) -> int:
        """Open a savepoint inside the implicit transaction; its depth, 1 for the outermost."""
        run = self._begin()
        try:
            run(f"SAVEPOINT durabox_{self._depth + 1}")
        except apsw.Error as error:
            raise failure("transaction", error) from error
        self._depth += 1
        return self._depth

    def release(self, depth: int) -> None:
        """Keep what was done since the savepoint of that depth; it and those inside it end."""
        self._end_savepoint(depth, f"RELEASE durabox_{depth}")

    def rollback_to(self, depth: int) -> None:
        """Undo what was done since the savepoint of that depth; it and those inside it end."""
        self._end_savepoint(depth, f"ROLLBACK TO durabox_{depth}; RELEASE durabox_{depth}")

    def commit(self) -> None:
        """
        End the implicit transaction; what it wrote is durable on return. Blocking.

        Raises:
            StorageError: Nothing of it was kept.
        """
        connection = self._connection
        assert connection is not None and self._run is not None and not self._depth
        try:
            if connection.get_autocommit():
                raise StorageError("commit", _LOST)
            self._run("COMMIT").fetchall()
            if not self._born:
                if connection.total_changes() > 0:
                    self._place.bear(connection)
                self._let_go()
        except (apsw.Error, OSError) as error:
            raise failure("commit", error) from error
        self.dirty = False

    def rollback(self) -> None:
        """Undo the implicit transaction."""
        if not self.dirty:
            return
        self._depth = 0
        self.dirty = False
        connection = self._connection
        assert connection is not None
        if not self._born:
            self._let_go()
        elif not connection.get_autocommit():
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Undo what is not committed and let go of the file; the next use opens it again."""
        self.rollback()
        if self._connection is not None:
            self._let_go()

    # Inside

    def _open_to_read(self) -> Callable[..., apsw.Cursor] | None:
        return self._open() if self._place.exists() else None

    def _open(self) -> Callable[..., apsw.Cursor]:
        try:
            self._connection = self._place.open()
        except (apsw.Error, OSError) as error:
            raise StorageError("open", f"{self.label}: {error}") from error
        self._born = True
        self._run = self._connection.execute
        self._place.opened(self)
        return self._run

    def _begin(self) -> Callable[..., apsw.Cursor]:
        """Open the implicit transaction if it is not open."""
        run = self._run
        if self.dirty:
            assert run is not None
            return run
        if run is None:
            if self._place.exists():
                run = self._open()
            else:
                self._connection = unborn()
                self._born = False
                run = self._run = self._connection.execute
        try:
            run("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise failure("begin", error) from error
        self.dirty = True
        return run

    @contextmanager
    def _all_or_nothing(self, operation: str) -> Iterator[Callable[..., apsw.Cursor]]:
        run = self._begin()
        try:
            run("SAVEPOINT durabox_many")
            try:
                yield run
            except apsw.Error:
                assert self._connection is not None
                if not self._connection.get_autocommit():
                    run("ROLLBACK TO durabox_many; RELEASE durabox_many").fetchall()
                raise
            run("RELEASE durabox_many")
        except apsw.Error as error:
            raise failure(operation, error) from error

    def _end_savepoint(self, depth: int, sql: str) -> None:
        if not 1 <= depth <= self._depth:
            raise StorageError("transaction", f"there is no open transaction of depth {depth}")
        assert self._run is not None
        try:
            self._run(sql).fetchall()
        except apsw.Error as error:
            raise failure("transaction", error) from error
        self._depth = depth - 1

    def _let_go(self) -> None:
        connection, self._connection, self._run = self._connection, None, None
        assert connection is not None
        self._place.closing(self, connection if self._born else None)
        connection.close()
