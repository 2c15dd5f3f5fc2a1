"""One object's database: its connection, and the implicit transaction.

What is stored is the business of the parts that stand on this: `kv.KeyValueStore` and its siblings, each on tables of its own
(`table.Table`), all in the one transaction.

Lazy in every part. Nothing is opened before the first read that could find something or the first write; the
first write begins the implicit transaction; a savepoint becomes real with the first write inside it, so a
transaction that only reads costs nothing. An object that never wrote has no file; `homes` tells how it gets
one.

The connection in use is one of

* *at home*: to the database that exists; may be closed between transactions and opened again by the next use;
* *newborn*: no database exists yet; the first transaction's own, turned into one by the commit; or a *cradle*, as long as
  nothing but the host's own tables is used, see `cradles`;
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
from collections.abc import Callable
from functools import partial
from typing import Final

import apsw

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.birth import Work, image_of
from durabox.storage.bookmarks import Bookmarks
from durabox.storage.connection import PAGE_BYTES, open_newborn
from durabox.storage.cradles import Cradles, move
from durabox.storage.durability import Durability
from durabox.storage.failures import NO_LONGER_ACCESSIBLE, storage_error
from durabox.storage.homes import Home
from durabox.storage.kv import KeyValueStore
from durabox.storage.metadata import Key, Metadata, name_bytes, name_from
from durabox.storage.open_files import OpenFiles
from durabox.storage.sql import SqlStore
from durabox.storage.streams import StoredStreams
from durabox.storage.table import Table

__all__ = ["Durability", "ObjectDatabase"]

#: Savepoints inside savepoints; transactions nest as deep as the guest's stack lets them.
MAX_DEPTH: Final = 1000

#: Pages of a first transaction that is committed where it was made.
_SMALL_PAGES: Final = 32
#: What a commit fails with.
_FAILURES: Final = (apsw.Error, OSError, StorageError)
#: A file that no connection can be had to.
_DAMAGED: Final = frozenset({apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB})
#: Size of a database, as on the platform.
MAX_BYTES: Final = 10 * 1024**3

_BEGIN: Final = "BEGIN IMMEDIATE"
_SAVEPOINT: Final = "_cf_savepoint_"
_MODULES: Final = "_cf_modules"


class ObjectDatabase:
    """
    What one object stores.

    Every method raises `StorageError` when SQLite or the file system fails, and after `close`.

    Args:
        home: Where the database is between uses.
        open_files: Bounds the number of open connections.
        on_close: Called once, by `close`.
        name: The name that the object's id was made from; it is kept with what the object stores. ``None`` when
            unknown.
        max_bytes: What it may take on disk; a write past that fails as a full disk would.
        cradles: Where its first transaction may run; ``None`` if it must be in a newborn of its own.
    """

    def __init__(
        self,
        home: Home,
        open_files: OpenFiles,
        on_close: Callable[..., object],
        name: str | None = None,
        max_bytes: int = MAX_BYTES,
        cradles: Cradles | None = None,
    ) -> None:
        self.name = name
        self._max_bytes = max_bytes
        #: Whether the implicit transaction is open.
        self.dirty = False
        #: Set by every use; see `OpenFiles`.
        self.recent = True
        self._home = home
        self._open_files = open_files
        self._on_close = on_close
        # Held by what a thread does, so that `close` waits for it and `rest` leaves its connection alone.
        self._busy = threading.Lock()
        self._closed = False
        #: Why SQLite gave up the transaction, until `rollback` or `close`.
        self.broken: StorageError | None = None
        #: Whether the home has a database; ``None`` until somebody asks.
        self._exists: bool | None = None
        self._connection: apsw.Connection | None = None
        self._newborn = False
        self._cradles = cradles
        #: Whether the newborn is a cradle.
        self._cradled = False
        #: Whether the database at home was seen to have a name.
        self._named = False
        self._old: apsw.Connection | None = None
        self._depth = 0
        self._real_depth = 0
        self._tables: list[Table] = []
        #: ``ctx.storage``'s keys and values.
        self.kv = KeyValueStore(self)
        #: ``ctx.storage.sql``.
        self.sql = SqlStore(self)
        #: What the host itself keeps with them.
        self.metadata = Metadata(self)
        #: Those values that are streams.
        self.streams = StoredStreams(self)
        #: Its earlier states.
        self.bookmarks = Bookmarks(self, home.history, home.restoring)

    @property
    def depth(self) -> int:
        """How many savepoints are open."""
        return self._depth

    def delete_all(self, *, keep_alarm: bool = True) -> None:
        """
        Remove everything, tables included.

        What the transaction wrote before is gone as well. It takes effect with the commit, like any write; an
        object that then holds nothing has no file any more.

        Args:
            keep_alarm: Whether the time of the alarm stays, as it is in the transaction.
        Raises:
            StorageError: A savepoint is open.
        """
        self._check("deleteAll")
        if self._depth:
            raise StorageError("deleteAll", "Cannot call deleteAll() within a transaction")
        alarm = self.metadata.alarm() if keep_alarm else None
        if self._newborn or self.dirty:
            self._abandon()
        if not self._find():
            if alarm is not None:
                self.metadata.put(Key.ALARM, alarm)
            return
        old = self._connection or self._connect()
        try:
            if self.name is None and old.execute(statements.HAS_METADATA).get:
                self.name = name_from(old.execute(statements.GET_NAME, (Key.NAME,)).get)
            self.sql.deleted()
            self._connection, self._old = None, old
            self._forget_tables()
            newborn = self._begin()
            if alarm is not None:
                newborn.execute(statements.CREATE_METADATA)
                newborn.execute(statements.PUT_METADATA, (Key.ALARM, alarm))
        except apsw.Error as error:
            self._abandon()
            raise storage_error("deleteAll", error, self._home.label) from error

    # The whole

    def exists(self) -> bool:
        """Whether anything was committed that is still there."""
        self._check("open")
        return self._find()

    def replace(self, new: apsw.Connection | None) -> None:
        """
        Have another content, or none. Blocking, and durable when it returns; only with nothing uncommitted.

        Args:
            new: A database without a file, which is used up; ``None`` to store nothing any more.
        Raises:
            StorageError: It failed; the old content or the new one is in place.
        """
        with self._busy:
            try:
                self._check("replace")
                self._part_with_connection()
                old = self._connection
                if old is None and self._find():
                    try:
                        old = self._connect()
                    except StorageError as error:
                        if error.sqlite_code & 0xFF not in _DAMAGED:
                            raise
                        self._home.discard()
                self._connection = None
                self._forget_tables()
                self._open_files.closed(self)
                self._exists = None
                self._named = False
                if old is not None or new is not None:
                    self._home.replace(old, new)
            except (apsw.Error, OSError) as error:
                raise storage_error("replace", error, self._home.label) from error

    def vacuum(self) -> None:
        """
        Give back the space that what was deleted took. Blocking; only with nothing uncommitted.

        Raises:
            StorageError: It failed and nothing has changed.
        """
        with self._busy:
            self._part_with_connection()
            connection = self.to_read("vacuum")
            if connection is None:
                return
            self._forget_tables()
            try:
                connection.execute("VACUUM").fetchall()
                self._home.complete(connection)
            except (apsw.Error, OSError) as error:
                raise storage_error("vacuum", error, self._home.label) from error

    # The transaction

    def savepoint(self) -> int:
        """Open a savepoint inside those that are open; its depth, from 1."""
        self._check("savepoint")
        if self._depth >= MAX_DEPTH:
            raise StorageError("savepoint", "Transactions are nested too deeply.")
        self._move_out("savepoint")
        self._depth += 1
        self._forget_writers()
        return self._depth

    def release(self, depth: int) -> None:
        """Keep what was done since the savepoint of that depth, and close it and those inside it."""
        self._close_savepoint("release", depth, "RELEASE {0}")

    def rollback_to(self, depth: int) -> None:
        """Undo what was done since the savepoint of that depth, and close it and those inside it."""
        if self.sql.guard.modules and depth <= self._real_depth:
            self._tell_modules()
        self._close_savepoint("rollback", depth, "ROLLBACK TO {0}; RELEASE {0}")
        # Tables may have been made inside.
        self._forget_tables()

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
                connection, named = self._commit()
                if self._cradled:
                    self._leave_cradle(connection)
                elif self._newborn:
                    self._settle()
                elif self._home.history is not None:
                    self._home.history.committed(connection)
                self._named = named and bool(self._exists)
            except _FAILURES as error:
                raise self._commit_failed(error) from error
            self._over()

    @property
    def may_commit_together(self) -> bool:
        """Whether the transaction can be committed by `commit_together`: it is a small first one in a cradle."""
        if not self._cradled or self._closed or self.broken is not None:
            return False
        cradle = self._connection
        assert cradle is not None
        return self._home.bears_together and int(cradle.pragma("page_count")) <= _SMALL_PAGES

    def commit_together(self, over: Callable[[StorageError | None], object]) -> Work | None:
        """
        Commit the implicit transaction together with other objects' first ones. Only if `may_commit_together`. Does not
        wait; until it is over nothing but `close` may be called, and that waits.

        Args:
            over: Called once, in another thread: with ``None`` when it is durable, as far as the durability promises, or
                with why it was rolled back.
        Returns:
            What some thread has to do now, ``None`` if one does it already.
        Raises:
            StorageError: It failed and was rolled back.
        """
        # Given back by the thread that records it.
        self._busy.acquire()
        try:
            cradle, named = self._commit()
            image = image_of(cradle)
            assert image is not None
            self._empty_cradle(cradle)
            return self._home.bear_together(image, partial(self._born, named, over))
        except BaseException as error:
            failure = self._commit_failed(error) if isinstance(error, _FAILURES) else None
            self._busy.release()
            if failure is None:
                raise
            raise failure from error

    def _born(
        self, named: bool, over: Callable[[StorageError | None], object], error: OSError | None
    ) -> None:
        failure: StorageError | None = None
        if error is None:
            self._exists = True
            self._named = named
            self._over()
        else:
            failure = self._commit_failed(error)
        self._busy.release()
        over(failure)

    def hand_over(self) -> apsw.Connection | None:
        """
        End a transaction that `delete_all` was called in without an effect: what was committed before is still there, and what
        is to be there instead is for `replace`. Blocking: run it in a worker thread.

        Returns:
            A database without a file; ``None`` when nothing is stored any more.
        Raises:
            StorageError: It failed and was rolled back.
        """
        with self._busy:
            try:
                self._move_out("commit")
                newborn, _ = self._commit()
                empty = newborn.execute(statements.HAS_ANYTHING).get is None
            except _FAILURES as error:
                raise self._commit_failed(error) from error
            self._part_with_newborn()
            self._over()
            if not empty:
                return newborn
            newborn.close(True)
            return None

    @property
    def restore_wanted(self) -> bool:
        """Whether `restore` must be called before anything else."""
        restoring = self._home.restoring
        try:
            return restoring is not None and restoring.wanted
        except OSError as error:
            raise storage_error("restore", error, self._home.label) from error

    def restore(self) -> None:
        """Go back to the state that was asked for. Blocking: run it in a worker thread; nothing may be uncommitted."""
        with self._busy:
            restoring = self._home.restoring
            if restoring is None or not self.restore_wanted:
                return
            self._check("restore")
            self._part_with_connection()
            try:
                if self._connection is None and self._find():
                    self._connect()
                connection, self._connection = self._connection, None
                self._exists = None
                self._named = False
                self._forget_tables()
                if connection is not None:
                    self._open_files.closed(self)
                try:
                    restoring.carry_out(connection)
                finally:
                    if connection is not None:
                        connection.close(True)
            except (apsw.Error, OSError) as error:
                raise storage_error("restore", error, self._home.label) from error

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
        if self.dirty or self._newborn or self._connection is None or not self._busy.acquire(blocking=False):
            return False
        try:
            self.sql.queries.put_aside(all_of_them=True)
            self._leave()
        finally:
            self._busy.release()
        return True

    # For the parts

    def add(self, table: Table) -> None:
        """Have a table hear when what it knows of the connection or the transaction no longer holds."""
        self._tables.append(table)

    def to_read(self, operation: str, *, of_host: bool = False) -> apsw.Connection | None:
        """
        The connection, for reading; ``None`` if there is no database.

        Args:
            operation: What it is for, in messages.
            of_host: Whether it is for the host's two tables alone.
        """
        self._check(operation)
        self.recent = True
        if not of_host:
            self._move_out(operation)
        if self._connection is not None:
            return self._connection
        return self._connect() if self._find() else None

    def to_run(self, operation: str) -> apsw.Connection:
        """
        The connection, for what may turn out to be a read or a write: to a newborn if there is no database.

        Args:
            operation: What it is for, in messages.
        """
        self._check(operation)
        self.recent = True
        self._move_out(operation)
        if self._connection is not None:
            return self._connection
        if self._find():
            return self._connect()
        self._connection = self._open_newborn()
        return self._connection

    def to_write(self, operation: str, *, of_host: bool = False, cradle: bool = False) -> apsw.Connection:
        """
        The connection, in the implicit transaction and all savepoints.

        Args:
            operation: What it is for, in messages.
            of_host: Whether it is for the host's two tables alone.
            cradle: Whether it may be a cradle, if there is no database yet.
        """
        self._check(operation)
        if not of_host:
            self._move_out(operation)
        if self._connection is None and self._find():
            self._connect()
        try:
            if not self.dirty:
                # Only with a name: what is stored has both tables then.
                if cradle and self._connection is None and not self._depth and self.name is not None:
                    self._lie_down()
                else:
                    self._begin()
            connection = self._connection
            assert connection is not None
            while self._real_depth < self._depth:
                connection.execute(f"SAVEPOINT {_SAVEPOINT}{self._real_depth + 1}")
                self._real_depth += 1
        except apsw.Error as error:
            raise self.failed(operation, error) from error
        return connection

    def failed(self, operation: str, error: apsw.Error) -> StorageError:
        """The error to raise for one of SQLite's; marks the database as broken if SQLite gave up the transaction."""
        failure = storage_error(operation, error, self._home.label)
        if self.dirty and (self._connection is None or not self._connection.in_transaction):
            self.broken = failure
            self._forget_tables()
        return failure

    # Inside

    def _check(self, operation: str) -> None:
        if self._closed:
            raise StorageError(operation, NO_LONGER_ACCESSIBLE)
        if self.broken is not None:
            first = self.broken
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
            self._limit(self._connection)
        except (apsw.Error, OSError) as error:
            raise storage_error("open", error, self._home.label) from error
        self._open_files.opened(self)
        return self._connection

    def _leave(self) -> None:
        """Give the connection back; nothing is uncommitted in it."""
        assert self._connection is not None
        connection, self._connection = self._connection, None
        self.sql.lost()
        self._forget_tables()
        self._open_files.closed(self)
        self._home.leave(connection)

    def _part_with_connection(self) -> None:
        """Have no statement under way and no newborn that nothing was written to; only with nothing uncommitted."""
        self.sql.queries.put_aside(all_of_them=True)
        self.sql.lost()
        if self._newborn:
            self._abandon()

    def _begin(self) -> apsw.Connection:
        """Begin the implicit transaction, in a newborn if no connection is open."""
        if self._connection is None:
            self._connection = self._open_newborn()
        if not self.streams.armed:
            self.streams.arm(self._connection)
        self._connection.execute(_BEGIN)
        self.dirty = True
        return self._connection

    def _lie_down(self) -> None:
        """Begin the implicit transaction in a cradle, if there are any."""
        if self._cradles is None:
            self._begin()
            return
        self._connection = self._cradles.take()
        self._newborn = self._cradled = self.dirty = True
        # There are no streams in it.
        self.streams.armed = True

    def _move_out(self, operation: str) -> None:
        """Go on in a newborn of its own; nothing to do for a database that is in no cradle."""
        if not self._cradled:
            return
        cradle = self._connection
        assert cradle is not None and self._cradles is not None
        self._forget_tables()
        newborn = open_newborn()
        try:
            self._limit(newborn)
            newborn.execute(_BEGIN)
            move(cradle, newborn)
        except apsw.Error as error:
            newborn.close(True)
            raise self.failed(operation, error) from error
        self.streams.armed = True
        self._cradled = False
        self._connection = newborn
        self._cradles.give_back(cradle)

    def _leave_cradle(self, cradle: apsw.Connection) -> None:
        """Give what is stored in the cradle its home."""
        assert self._cradles is not None
        image = image_of(cradle)
        if image is None:
            self._move_out("commit")
            assert self._connection is not None
            self._connection.execute("COMMIT")
            self._settle()
            return
        self._empty_cradle(cradle)
        self._home.bear(image)
        self._exists = True

    def _empty_cradle(self, cradle: apsw.Connection) -> None:
        """Let others have the cradle. Whether what was stored in it is to be found is not known yet."""
        assert self._cradles is not None
        self._part_with_newborn()
        self._cradles.give_back(cradle)
        self._named = False
        self._exists = None

    def _open_newborn(self) -> apsw.Connection:
        connection = open_newborn()
        self._limit(connection)
        self._newborn = True
        return connection

    def _limit(self, connection: apsw.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._max_bytes // PAGE_BYTES}").fetchall()

    def _record_name(self, connection: apsw.Connection, name: str) -> None:
        """Keep the object's name with what it stores, in the same transaction; a name that is there stays."""
        if not self._cradled:
            if self._newborn and not connection.execute(statements.HAS_ANYTHING).get:
                return
            if not connection.execute(statements.HAS_METADATA).get:
                connection.execute(statements.CREATE_METADATA)
        connection.execute(statements.PUT_NAME, (int(Key.NAME), name_bytes(name)))

    def _commit(self) -> tuple[apsw.Connection, bool]:
        """Commit in SQLite: the connection, and whether a name is kept there if anything is."""
        self._check("commit")
        connection = self._connection
        assert connection is not None
        # Read once: the loop's thread may learn the name meanwhile.
        name = self.name
        if name is not None and not self._named:
            self._record_name(connection, name)
        if self.bookmarks.promised:
            self.bookmarks.keep_promise()
        self.streams.look(connection)
        # A newborn does not stay, and SQLite refuses to commit in the middle of a write.
        self.sql.queries.put_aside(all_of_them=self._newborn)
        if not self._cradled:
            connection.execute("COMMIT")
        return connection, name is not None

    def _commit_failed(self, error: apsw.Error | OSError | StorageError) -> StorageError:
        """What to raise for an error in a commit, which is rolled back."""
        self._abandon()
        return error if isinstance(error, StorageError) else storage_error("commit", error, self._home.label)

    def _over(self) -> None:
        """The transaction has ended well."""
        self._depth = self._real_depth = 0
        self._forget_writers()
        # Last: from here on the loop's thread may close the connection.
        self.dirty = False

    def _settle(self) -> None:
        """Give the committed newborn its home, or none if it is empty."""
        newborn = self._connection
        assert newborn is not None
        empty = newborn.execute(statements.HAS_ANYTHING).get is None
        self._part_with_newborn()
        old, self._connection = self._connection, None
        self._named = False
        self._exists = None
        if old is not None:
            self._open_files.closed(self)
        if empty:
            newborn.close(True)
        if old is not None or not empty:
            self._home.replace(old, None if empty else newborn)
        self._exists = not empty

    def _part_with_newborn(self) -> None:
        """The newborn is somebody else's; the connection is what was there before."""
        self.sql.lost()
        self._forget_tables()
        self._connection, self._old = self._old, None
        self._newborn = self._cradled = False

    def _abandon(self) -> None:
        """Roll back, whatever state the transaction is in."""
        connection = self._connection
        self._forget_tables()
        if self._newborn:
            assert connection is not None
            cradles = self._cradles if self._cradled else None
            self._part_with_newborn()
            if cradles is None:
                connection.close(True)
            else:
                cradles.give_back(connection)
        elif connection is not None and connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except apsw.Error:
                # Closing it does the same.
                self._leave()
        self._depth = self._real_depth = 0
        self.broken = None
        self.bookmarks.promised = False
        self.dirty = False

    def _close_savepoint(self, operation: str, depth: int, statement: str) -> None:
        self._check(operation)
        if not 1 <= depth <= self._depth:
            raise StorageError(operation, f"There is no savepoint of depth {depth}.")
        self._forget_writers()
        if depth <= self._real_depth:
            assert self._connection is not None
            try:
                self._connection.execute(statement.format(f"{_SAVEPOINT}{depth}")).fetchall()
            except apsw.Error as error:
                raise self.failed(operation, error) from error
            self._real_depth = depth - 1
        self._depth = depth - 1

    def _tell_modules(self) -> None:
        """
        Have virtual tables hear of the savepoints that are open.

        SQLite tells one that is made within a savepoint only of those that come later. So it would not hear that it is
        rolled back, and write what it holds into tables that are gone, with the next statement that changes the schema.
        """
        self._check("rollback")
        assert self._connection is not None
        self.sql.queries.put_aside(all_of_them=False)
        try:
            self._connection.execute(f"SAVEPOINT {_MODULES}; RELEASE {_MODULES}").fetchall()
        except apsw.Error as error:
            raise self.failed("rollback", error) from error

    def _forget_tables(self) -> None:
        """The connection or its schema may be another one."""
        self.streams.armed = False
        self.sql.forget()
        for table in self._tables:
            table.reader = table.writer = None

    def _forget_writers(self) -> None:
        """The transaction, or a savepoint in it, has to be begun before the next write."""
        self.sql.writer = None
        for table in self._tables:
            table.writer = None
