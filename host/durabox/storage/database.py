"""One object's database: its connection, and the implicit transaction.

What is stored is the business of the parts that stand on this: `kv.KeyValueStore` and its siblings, each on tables of its own
(`table.Table`), all in the one transaction.

Lazy in every part. Nothing is opened before the first read that could find something or the first write; the
first write begins the implicit transaction; a savepoint becomes real with the first write inside it, so a
transaction that only reads costs nothing. An object that never wrote has no file; `residence` tells which connection
is in use, and `homes` how it gets a file.

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
from durabox.storage.birth import Work, small_image_of
from durabox.storage.bookmarks import Bookmarks
from durabox.storage.cradles import Cradles
from durabox.storage.durability import Durability
from durabox.storage.failures import NO_LONGER_ACCESSIBLE, storage_error
from durabox.storage.homes import Home
from durabox.storage.kv import KeyValueStore
from durabox.storage.metadata import Key, Metadata, name_bytes, name_from
from durabox.storage.open_files import OpenFiles
from durabox.storage.residence import Residence
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
        #: Whether the implicit transaction is open.
        self.dirty = False
        #: Set by every use; see `OpenFiles`.
        self.recent = True
        #: Names it in messages.
        self._label = home.label
        self._residence = Residence(home, open_files, self, max_bytes, cradles, self._connection_changes)
        self._on_close = on_close
        # Held by what a thread does, so that `close` waits for it and `rest` leaves its connection alone.
        self._busy = threading.Lock()
        #: A commit that others share is under way.
        self._together = False
        self._closed = False
        #: Why SQLite gave up the transaction, until `rollback` or `close`.
        self.broken: StorageError | None = None
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
        residence = self._residence
        if residence.newborn or self.dirty:
            self._abandon()
        if not residence.exists():
            if alarm is not None:
                self.metadata.put(Key.ALARM, alarm)
            return
        old = residence.connection or residence.connect()
        try:
            if self.name is None and old.execute(statements.HAS_METADATA).get:
                self.name = name_from(old.execute(statements.GET_NAME, (Key.NAME,)).get)
            self.sql.deleted()
            residence.be_reborn()
            newborn = self._begin()
            if alarm is not None:
                newborn.execute(statements.CREATE_METADATA)
                newborn.execute(statements.PUT_METADATA, (Key.ALARM, alarm))
        except apsw.Error as error:
            self._abandon()
            raise storage_error("deleteAll", error, self._label) from error

    # The whole

    def exists(self) -> bool:
        """Whether anything was committed that is still there."""
        self._check("open")
        return self._residence.exists()

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
                self._residence.replace(new)
            except (apsw.Error, OSError) as error:
                raise storage_error("replace", error, self._label) from error

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
                self._residence.home.complete(connection)
            except (apsw.Error, OSError) as error:
                raise storage_error("vacuum", error, self._label) from error

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
            residence = self._residence
            try:
                connection, named = self._commit()
                if residence.newborn:
                    residence.settle()
                elif residence.home.history is not None:
                    residence.home.history.committed(connection)
                residence.named = named and bool(residence.known)
            except _FAILURES as error:
                raise self._commit_failed(error) from error
            self._over()

    @property
    def may_commit_together(self) -> bool:
        """Whether the transaction can be committed by `commit_together`: it is a small first one in a cradle."""
        residence = self._residence
        if not residence.cradled or self._closed or self.broken is not None:
            return False
        cradle = residence.connection
        assert cradle is not None
        return residence.home.bears_together and int(cradle.pragma("page_count")) <= _SMALL_PAGES

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
        self._together = True
        try:
            cradle, named = self._commit()
            image = small_image_of(cradle)
            self._residence.empty_cradle(len(image))
            return self._residence.home.bear_together(image, partial(self._born, named, over))
        except BaseException as error:
            failure = self._commit_failed(error) if isinstance(error, _FAILURES) else None
            self._together = False
            self._busy.release()
            if failure is None:
                raise
            raise failure from error

    def _born(
        self, named: bool, over: Callable[[StorageError | None], object], error: OSError | None
    ) -> None:
        failure: StorageError | None = None
        if error is None:
            self._residence.known = True
            self._residence.named = named
            self._over()
        else:
            failure = self._commit_failed(error)
        self._together = False
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
            self._residence.part_with_newborn()
            self._over()
            if not empty:
                return newborn
            newborn.close(True)
            return None

    @property
    def restore_wanted(self) -> bool:
        """Whether `restore` must be called before anything else."""
        restoring = self._residence.home.restoring
        try:
            return restoring is not None and restoring.wanted
        except OSError as error:
            raise storage_error("restore", error, self._label) from error

    def restore(self) -> None:
        """Go back to the state that was asked for. Blocking: run it in a worker thread; nothing may be uncommitted."""
        with self._busy:
            restoring = self._residence.home.restoring
            if restoring is None or not self.restore_wanted:
                return
            self._check("restore")
            self._part_with_connection()
            try:
                self._residence.restore(restoring)
            except (apsw.Error, OSError) as error:
                raise storage_error("restore", error, self._label) from error

    def rollback(self) -> None:
        """Back to what was committed last; a broken database works again."""
        with self._busy:
            self._abandon()

    def close(self) -> None:
        """Roll back, give up the connection and refuse further use. Waits for a commit under way."""
        if self._together:
            self._residence.home.hurry()
        with self._busy:
            if self._closed:
                return
            self._closed = True
            self._abandon()
            if self._residence.connection is not None:
                self._residence.leave()
        self._on_close()

    def rest(self) -> bool:
        """See `open_files.Rests`."""
        residence = self._residence
        if (
            self.dirty
            or residence.newborn
            or residence.connection is None
            or not self._busy.acquire(blocking=False)
        ):
            return False
        try:
            self.sql.queries.put_aside(all_of_them=True)
            residence.leave()
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
        residence = self._residence
        if residence.connection is not None:
            return residence.connection
        return residence.connect() if residence.exists() else None

    def to_run(self, operation: str) -> apsw.Connection:
        """
        The connection, for what may turn out to be a read or a write: to a newborn if there is no database.

        Args:
            operation: What it is for, in messages.
        """
        self._check(operation)
        self.recent = True
        self._move_out(operation)
        residence = self._residence
        if residence.connection is not None:
            return residence.connection
        return residence.connect() if residence.exists() else residence.open_newborn()

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
        residence = self._residence
        if residence.connection is None and residence.exists():
            residence.connect()
        try:
            if not self.dirty:
                # Only with a name: what is stored has both tables then.
                cradle = cradle and residence.connection is None and not self._depth and self.name is not None
                if cradle and residence.lie_down():
                    self.dirty = True
                    # There are no streams in it.
                    self.streams.armed = True
                else:
                    self._begin()
            connection = residence.connection
            assert connection is not None
            while self._real_depth < self._depth:
                connection.execute(f"SAVEPOINT {_SAVEPOINT}{self._real_depth + 1}")
                self._real_depth += 1
        except apsw.Error as error:
            raise self.failed(operation, error) from error
        return connection

    def failed(self, operation: str, error: apsw.Error) -> StorageError:
        """The error to raise for one of SQLite's; marks the database as broken if SQLite gave up the transaction."""
        failure = storage_error(operation, error, self._label)
        connection = self._residence.connection
        if self.dirty and (connection is None or not connection.in_transaction):
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

    def _part_with_connection(self) -> None:
        """Have no statement under way and no newborn that nothing was written to; only with nothing uncommitted."""
        self.sql.queries.put_aside(all_of_them=True)
        self.sql.lost()
        if self._residence.newborn:
            self._abandon()

    def _begin(self) -> apsw.Connection:
        """Begin the implicit transaction, in a newborn if no connection is open."""
        connection = self._residence.connection or self._residence.open_newborn()
        if not self.streams.armed:
            self.streams.arm(connection)
        connection.execute(_BEGIN)
        self.dirty = True
        return connection

    def _move_out(self, operation: str) -> None:
        """Go on in a newborn of its own; nothing to do for a database that is in no cradle."""
        if not self._residence.cradled:
            return
        try:
            self._residence.move_out()
        except apsw.Error as error:
            raise self.failed(operation, error) from error
        # There are no streams in it.
        self.streams.armed = True

    def _record_name(self, connection: apsw.Connection, name: str) -> None:
        """Keep the object's name with what it stores, in the same transaction; a name that is there stays."""
        if not self._residence.cradled:
            if self._residence.newborn and not connection.execute(statements.HAS_ANYTHING).get:
                return
            if not connection.execute(statements.HAS_METADATA).get:
                connection.execute(statements.CREATE_METADATA)
        # SQL can ask for the row that was inserted last.
        rowid = connection.last_insert_rowid()
        connection.execute(statements.PUT_NAME, (int(Key.NAME), name_bytes(name)))
        connection.set_last_insert_rowid(rowid)

    def _commit(self) -> tuple[apsw.Connection, bool]:
        """Commit in SQLite: the connection, and whether a name is kept there if anything is."""
        self._check("commit")
        residence = self._residence
        connection = residence.connection
        assert connection is not None
        # Read once: the loop's thread may learn the name meanwhile.
        name = self.name
        if name is not None and not residence.named:
            self._record_name(connection, name)
        if self.bookmarks.promised:
            self.bookmarks.keep_promise()
        self.streams.look(connection)
        # A newborn does not stay, and SQLite refuses to commit in the middle of a write.
        self.sql.queries.put_aside(all_of_them=residence.newborn)
        if not residence.cradled:
            connection.execute("COMMIT")
        return connection, name is not None

    def _commit_failed(self, error: apsw.Error | OSError | StorageError) -> StorageError:
        """What to raise for an error in a commit, which is rolled back."""
        self._abandon()
        return error if isinstance(error, StorageError) else storage_error("commit", error, self._label)

    def _over(self) -> None:
        """The transaction has ended well."""
        self._depth = self._real_depth = 0
        self._forget_writers()
        # Last: from here on the loop's thread may close the connection.
        self.dirty = False

    def _abandon(self) -> None:
        """Roll back, whatever state the transaction is in."""
        residence = self._residence
        connection = residence.connection
        self._forget_tables()
        if residence.newborn:
            residence.discard_newborn()
        elif connection is not None and connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except apsw.Error:
                # Closing it does the same.
                residence.leave()
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
            connection = self._residence.connection
            assert connection is not None
            try:
                connection.execute(statement.format(f"{_SAVEPOINT}{depth}")).fetchall()
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
        connection = self._residence.connection
        assert connection is not None
        self.sql.queries.put_aside(all_of_them=False)
        try:
            connection.execute(f"SAVEPOINT {_MODULES}; RELEASE {_MODULES}").fetchall()
        except apsw.Error as error:
            raise self.failed("rollback", error) from error

    def _connection_changes(self) -> None:
        """See `Residence`."""
        self.sql.lost()
        self._forget_tables()

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
