"""One object's database: key-value operations, and the implicit transaction around them.

Lazy in every part. Nothing is opened before the first read that could find something or the first write; the
first write begins the implicit transaction; a savepoint becomes real with the first write inside it, so a
transaction that only reads costs nothing. An object that never wrote has no file; `homes` tells how it gets
one.

The connection in use is one of

* *at home*: to the database that exists; may be closed between transactions and opened again by the next use;
* *newborn*: no database exists yet; the first transaction's own, turned into one by the commit;
* *reborn*: ``delete_all`` ran in this transaction; a newborn, while the old connection waits for the outcome.

One thread uses a database at a time. `ObjectDatabase.commit` is meant for a worker thread; meanwhile nothing
but `ObjectDatabase.close` may be called, and that waits.

After an error: a statement that failed by itself leaves the transaction as it was. When SQLite gave up the
whole transaction (disk full, I/O error, out of memory) the database is broken: every later call raises that
first error until `rollback` or `close`. A failed commit has rolled back. Whether it is found after all when
its writes had reached the disk is decided by the next open, as after a power loss: never a part of it, and
never less than what was committed before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import apsw

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.connection import open_newborn
from durabox.storage.durability import Durability
from durabox.storage.failures import NO_LONGER_ACCESSIBLE, storage_error
from durabox.storage.homes import Home
from durabox.storage.open_files import OpenFiles

__all__ = ["Durability", "ObjectDatabase"]

#: ``[key, value, key, value, …]``.
Flat: TypeAlias = list[bytes]

#: Bytes of values that one read returns at most: a guest could otherwise have the host hold all it ever
#: stored.
MAX_RESULT: Final = 256 * 1024 * 1024
#: Savepoints inside savepoints; transactions nest as deep as the guest's stack lets them.
MAX_DEPTH: Final = 1000
_MAX_LIMIT: Final = 2**63 - 1

_BEGIN: Final = "BEGIN IMMEDIATE"
_SAVEPOINT: Final = "_cf_savepoint_"
_BATCH: Final = "_cf_batch"


class ObjectDatabase:
    """
    What one object stores. Keys are WTF-8, values opaque; order is that of the keys' bytes.

    Every method raises `StorageError` when SQLite or the file system fails, and after `close`.

    Args:
        home: Where the database is between uses.
        open_files: Bounds the number of open connections.
        on_close: Called once, by `close`.
    """

    def __init__(self, home: Home, open_files: OpenFiles, on_close: Callable[..., object]) -> None:
        #: Whether the implicit transaction is open.
        self.dirty = False
        #: Set by every use; see `OpenFiles`.
        self.recent = True
        self._home = home
        self._open_files = open_files
        self._on_close = on_close
        # Held by a commit, so that `close` waits for it.
        self._busy = threading.Lock()
        self._closed = False
        self._broken: StorageError | None = None
        #: Whether the home has a database; ``None`` until somebody asks.
        self._exists: bool | None = None
        self._connection: apsw.Connection | None = None
        self._newborn = False
        self._old: apsw.Connection | None = None
        self._depth = 0
        self._real_depth = 0
        # The two paths that must be fast: a cursor when the table is known to be there, and when in addition
        # the transaction and all savepoints are open.
        self._reader: apsw.Cursor | None = None
        self._writer: apsw.Cursor | None = None

    # Reads

    def get(self, key: bytes) -> bytes | None:
        """The key's value, ``None`` if there is none."""
        cursor = self._reader or self._open_to_read("get")
        if cursor is None:
            return None
        self.recent = True
        try:
            value: bytes | None = cursor.execute(statements.GET, (key,)).get
        except apsw.Error as error:
            raise self._failed("get", error) from error
        return value

    def get_many(self, keys: Iterable[bytes]) -> Flat:
        """Those of the keys that exist, with their values, in order and once each."""
        cursor = self._reader or self._open_to_read("get")
        if cursor is None:
            return []
        self.recent = True
        found: Flat = []
        room = MAX_RESULT
        try:
            for key in sorted(set(keys)):
                value = cursor.execute(statements.GET, (key,)).get
                if value is not None:
                    found += (key, value)
                    room -= len(value)
                    if room < 0:
                        raise _too_large("get")
        except apsw.Error as error:
            raise self._failed("get", error) from error
        return found

    def list(
        self, start: bytes | None, end: bytes | None, prefix: bytes | None, reverse: bool, limit: int
    ) -> Flat:
        """
        A range of keys with their values.

        Args:
            start: First key, ``None`` for no lower bound.
            end: The key after the last, ``None`` for no upper bound.
            prefix: What the keys begin with, besides being in the bounds.
            reverse: Descending order; the limit then counts from the upper end.
            limit: Most keys; negative for all.
        """
        cursor = self._reader or self._open_to_read("list")
        if cursor is None:
            return []
        self.recent = True
        lower, upper = start, end
        if prefix:
            after = statements.end_of_prefix(prefix)
            lower = prefix if lower is None else max(lower, prefix)
            upper = after if upper is None else upper if after is None else min(upper, after)
        bounds = [bound for bound in (lower, upper) if bound is not None]
        statement = statements.LIST[lower is not None, upper is not None, reverse]
        found: Flat = []
        room = MAX_RESULT
        try:
            for row in cursor.execute(statement, (*bounds, min(limit, _MAX_LIMIT) if limit >= 0 else -1)):
                found += row
                room -= len(row[1])
                if room < 0:
                    raise _too_large("list")
        except apsw.Error as error:
            raise self._failed("list", error) from error
        return found

    # Writes

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value."""
        cursor = self._writer or self._open_to_write("put")
        try:
            cursor.execute(statements.PUT, (key, value))
        except apsw.Error as error:
            raise self._failed("put", error) from error

    def put_many(self, flat: Flat) -> None:
        """
        Store several values, all or none.

        Args:
            flat: Keys and values by turns.
        """
        if not flat:
            return
        self._all_or_nothing("put", statements.PUT, zip(flat[::2], flat[1::2], strict=True))

    def delete(self, key: bytes) -> bool:
        """Remove a key; whether it existed."""
        return self.delete_many((key,)) == 1

    def delete_many(self, keys: Iterable[bytes]) -> int:
        """Remove several keys, all or none; how many existed. If none did, this is only a read."""
        cursor = self._reader or self._open_to_read("delete")
        if cursor is None:
            return 0
        self.recent = True
        try:
            found = [(key,) for key in set(keys) if cursor.execute(statements.EXISTS, (key,)).get]
        except apsw.Error as error:
            raise self._failed("delete", error) from error
        if found:
            self._all_or_nothing("delete", statements.DELETE, found)
        return len(found)

    def delete_all(self) -> None:
        """
        Remove everything, tables included, except the time of the alarm.

        What the transaction wrote before is gone as well. It takes effect with the commit, like any write; an
        object that then holds nothing has no file any more.

        Raises:
            StorageError: A savepoint is open.
        """
        self._check("deleteAll")
        if self._depth:
            raise StorageError("deleteAll", "Cannot call deleteAll() within a transaction")
        if self._newborn or self.dirty:
            self._abandon()
        if not self._find():
            return
        old = self._connection or self._connect()
        try:
            alarm = None
            if old.execute(statements.HAS_METADATA).get:
                alarm = old.execute(statements.GET_ALARM).get
            self._connection, self._old = None, old
            self._reader = self._writer = None
            newborn = self._begin()
            if alarm is not None:
                newborn.execute(statements.CREATE_METADATA)
                newborn.execute(statements.PUT_ALARM, (alarm,))
        except apsw.Error as error:
            self._abandon()
            raise storage_error("deleteAll", error, self._home.label) from error

    # The transaction

    def savepoint(self) -> int:
        """Open a savepoint inside those that are open; its depth, from 1."""
        self._check("savepoint")
        if self._depth >= MAX_DEPTH:
            raise StorageError("savepoint", "Transactions are nested too deeply.")
        self._depth += 1
        self._writer = None
        return self._depth

    def release(self, depth: int) -> None:
        """Keep what was done since the savepoint of that depth, and close it and those inside it."""
        self._close_savepoint("release", depth, "RELEASE {0}")

    def rollback_to(self, depth: int) -> None:
        """Undo what was done since the savepoint of that depth, and close it and those inside it."""
        self._close_savepoint("rollback", depth, "ROLLBACK TO {0}; RELEASE {0}")
        # The table may have been made inside.
        self._reader = None

    def commit(self) -> None:
        """
        Commit the implicit transaction, with all savepoints. Blocking; durable when it returns, as far as the
        durability promises.

        Raises:
            StorageError: It failed and was rolled back.
        """
        with self._busy:
            if not self.dirty:
                return
            try:
                self._check("commit")
                assert self._connection is not None
                self._connection.execute("COMMIT")
                if self._newborn:
                    self._settle()
            except (apsw.Error, OSError, StorageError) as error:
                failure = (
                    error
                    if isinstance(error, StorageError)
                    else storage_error("commit", error, self._home.label)
                )
                self._abandon()
                raise failure from error
            self._depth = self._real_depth = 0
            self._writer = None
            # Last: from here on the loop's thread may close the connection.
            self.dirty = False

    def rollback(self) -> None:
        """Back to what was committed last; a broken database works again."""
        with self._busy:
            self._abandon()

    def close(self) -> None:
        """Roll back, give up the connection and refuse further use. Waits for a commit under way."""
        with self._busy:
            if self._closed:
                return
            self._closed = True
            self._abandon()
            if self._connection is not None:
                self._leave()
        self._on_close()

    def rest(self) -> bool:
        """See `open_files.Rests`."""
        if self.dirty or self._connection is None:
            return False
        self._leave()
        return True

    # Inside

    def _check(self, operation: str) -> None:
        if self._closed:
            raise StorageError(operation, NO_LONGER_ACCESSIBLE)
        if self._broken is not None:
            first = self._broken
            raise StorageError(operation, first.message, first.sqlite_code, first.retryable)

    def _find(self) -> bool:
        if self._exists is None:
            try:
                self._exists = self._home.exists()
            except OSError as error:
                raise storage_error("open", error, self._home.label) from error
        return self._exists

    def _connect(self) -> apsw.Connection:
        """Open the database that exists."""
        try:
            self._connection = self._home.open()
        except apsw.Error as error:
            raise storage_error("open", error, self._home.label) from error
        self._open_files.opened(self)
        return self._connection

    def _leave(self) -> None:
        """Give the connection back; nothing is uncommitted in it."""
        assert self._connection is not None
        connection, self._connection = self._connection, None
        self._reader = self._writer = None
        self._open_files.closed(self)
        self._home.leave(connection)

    def _open_to_read(self, operation: str) -> apsw.Cursor | None:
        """A cursor to read the table with, ``None`` if there is no table."""
        self._check(operation)
        connection = self._connection
        if connection is None:
            if not self._find():
                return None
            connection = self._connect()
        try:
            if connection.execute(statements.HAS_KV).get:
                self._reader = connection.cursor()
        except apsw.Error as error:
            raise self._failed(operation, error) from error
        return self._reader

    def _open_to_write(self, operation: str) -> apsw.Cursor:
        """A cursor to write the table with, in the transaction and all savepoints."""
        self._check(operation)
        if self._connection is None and self._find():
            self._connect()
        try:
            if not self.dirty:
                self._begin()
            connection = self._connection
            assert connection is not None
            while self._real_depth < self._depth:
                connection.execute(f"SAVEPOINT {_SAVEPOINT}{self._real_depth + 1}")
                self._real_depth += 1
            if self._reader is None:
                if not connection.execute(statements.HAS_KV).get:
                    connection.execute(statements.CREATE_KV)
                self._reader = connection.cursor()
        except apsw.Error as error:
            raise self._failed(operation, error) from error
        self._writer = self._reader
        return self._writer

    def _begin(self) -> apsw.Connection:
        """Begin the implicit transaction, in a newborn if no connection is open."""
        if self._connection is None:
            self._connection = open_newborn()
            self._newborn = True
        self._connection.execute(_BEGIN)
        self.dirty = True
        return self._connection

    def _settle(self) -> None:
        """Give the committed newborn its home, or none if it is empty."""
        newborn, old = self._connection, self._old
        assert newborn is not None
        empty = newborn.execute(statements.HAS_ANYTHING).get is None
        self._connection = self._old = None
        self._reader = self._writer = None
        self._newborn = False
        self._exists = None
        if old is not None:
            self._open_files.closed(self)
        if empty:
            newborn.close(True)
        if old is not None or not empty:
            self._home.replace(old, None if empty else newborn)
        self._exists = not empty

    def _abandon(self) -> None:
        """Roll back, whatever state the transaction is in."""
        connection = self._connection
        self._reader = self._writer = None
        if self._newborn:
            assert connection is not None
            connection.close(True)
            self._connection, self._old = self._old, None
            self._newborn = False
        elif connection is not None and connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except apsw.Error:
                # Closing it does the same.
                self._leave()
        self._depth = self._real_depth = 0
        self._broken = None
        self.dirty = False

    def _close_savepoint(self, operation: str, depth: int, statement: str) -> None:
        self._check(operation)
        if not 1 <= depth <= self._depth:
            raise StorageError(operation, f"There is no savepoint of depth {depth}.")
        self._writer = None
        if depth <= self._real_depth:
            assert self._connection is not None
            try:
                self._connection.execute(statement.format(f"{_SAVEPOINT}{depth}")).fetchall()
            except apsw.Error as error:
                raise self._failed(operation, error) from error
            self._real_depth = depth - 1
        self._depth = depth - 1

    def _all_or_nothing(self, operation: str, statement: str, rows: Iterable[tuple[bytes, ...]]) -> None:
        cursor = self._writer or self._open_to_write(operation)
        try:
            cursor.execute(f"SAVEPOINT {_BATCH}")
            try:
                cursor.executemany(statement, rows)
            except apsw.Error:
                if cursor.connection.in_transaction:
                    cursor.execute(f"ROLLBACK TO {_BATCH}; RELEASE {_BATCH}").fetchall()
                raise
            cursor.execute(f"RELEASE {_BATCH}")
        except apsw.Error as error:
            raise self._failed(operation, error) from error

    def _failed(self, operation: str, error: apsw.Error) -> StorageError:
        """The error to raise; marks the database as broken if SQLite gave up the transaction."""
        failure = storage_error(operation, error, self._home.label)
        if self.dirty and (self._connection is None or not self._connection.in_transaction):
            self._broken = failure
            self._reader = self._writer = None
        return failure


def _too_large(operation: str) -> StorageError:
    return StorageError(
        operation,
        f"{operation}() would return more than {MAX_RESULT >> 20} MiB at once; ask for fewer keys at a time.",
        apsw.SQLITE_TOOBIG,
    )
