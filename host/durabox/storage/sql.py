"""``ctx.storage.sql``: an object's own SQL on its database.

A text may hold several statements. All but the last run one step each as they are compiled; the last becomes a `Query`, whose
rows are read in batches. A statement is compiled before it is known whether it writes: only one that does begins the transaction,
in between compiling and running it. Compiled statements are kept by APSW, under flags of their own, so that none of the host's is
ever found under an object's text.

A text that is run again and again, as long as it is one statement which writes and has no rows, gets a number and is run by
that. Most of these are *plain*: their program takes little memory and sets off nothing else, so that nothing needs to be
prepared for it. Whatever may change what a text compiles to ends all numbers.

And some of those are *certain*: they insert one row, into a table where nothing can forbid it. Unless the storage itself fails,
which is the end of the transaction, such a statement need not be waited for: those that follow one may be gathered and run
together, in the same turn and before anything else.

A text that is one statement which only reads gets a number too if it is a *lookup*: it goes by an index to all it reads, so that
nothing has to be counted, and again its program takes little memory.

What SQLite is told is the business of `authorizer`. Beyond that: the schema is not trusted, tables behind virtual tables and the
schema itself cannot be written, sizes are limited, and a statement that runs for long asks every few thousand steps whether it
may go on. A single call of a function on megabytes of text is one step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import apsw

from durabox.errors import StorageError
from durabox.storage import sql_compile
from durabox.storage.authorizer import Authorizer
from durabox.storage.failures import NO_LONGER_ACCESSIBLE
from durabox.storage.sql_compile import EARLY_BINDINGS, NOTHING, has_empty_tail
from durabox.storage.sql_program import Program
from durabox.storage.sql_query import BATCH_BYTES, NO_MEMORY, OpenQueries, Query
from durabox.storage.sql_settings import TEXT_BYTES, set_up
from durabox.storage.sql_texts import Repeated, Texts
from durabox.wire import append, array_header

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase

#: What a binding may be; numbers are reals, as in JavaScript.
Binding = float | str | bytes | None

#: Memory that SQLite may take while it runs an object's statement, besides what it holds already. The limit is the
#: whole process's, so it is only there meanwhile.
_MEMORY: Final = 256 * 1024 * 1024
#: Object's statements are told from the host's in APSW's cache by these flags.
_FLAGS: Final = apsw.SQLITE_PREPARE_PERSISTENT

#: Without one of these words a statement that writes has no rows.
_WRITE_WITH_ROWS: Final = re.compile("returning|pragma|explain", re.ASCII | re.IGNORECASE)

_TRANSACTIONS: Final = (
    "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the "
    "SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on "
    "exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing."
)
_TOO_LONG: Final = "statement too long: SQLITE_TOOBIG"
_DELETED: Final = "SQLite query was canceled because the database was deleted."


class _RefusedError(Exception):
    """A statement must not run; the message is for JavaScript."""


class SqlStore:
    """
    Errors are those of `ObjectDatabase`, with the platform's messages.

    Args:
        database: Where the tables are.
    """

    __slots__ = (
        "_again",
        "_at",
        "_before",
        "_changes",
        "_connection",
        "_counting",
        "_database",
        "_empty_tail",
        "_last_rowid",
        "_statement",
        "_statements",
        "_text",
        "_texts",
        "_trace",
        "_writes",
        "guard",
        "overdue",
        "queries",
        "visited",
        "writer",
        "wrote",
    )

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        #: Whether a statement has run for too long, asked about every millisecond of it.
        self.overdue: Callable[[], bool] = _never
        self.guard = Authorizer()
        #: Those whose statements go on.
        self.queries = OpenQueries()
        #: Rows that the statement which ended last visited, as far as SQLite counts them.
        self.visited = 0
        #: Whether the text that ran last wrote in any of its statements.
        self.wrote = False
        #: The connection that was prepared for this.
        self._connection: apsw.Connection | None = None
        #: For what is run again; on the connection.
        self._again: apsw.Cursor | None = None
        #: The same, when the transaction and all savepoints are open; the database takes it away.
        self.writer: apsw.Cursor | None = None
        #: What the connection before this told as `last_insert_rowid()`.
        self._last_rowid = 0
        #: Whether the visited rows of a statement are being counted.
        self._counting = False
        self._texts = Texts()
        self._trace = self._about_to_run
        # Of the text that is being run: itself, how much of it was compiled, and what is known of the statement compiled last.
        self._text = ""
        self._at = 0
        self._empty_tail = False
        self._before = 0
        self._statement = ""
        self._writes = False
        self._statements = 0
        #: Of the guard's count, what `forget` has been called for.
        self._changes = 0

    def exec(self, text: str, bindings: Sequence[Binding]) -> Query:
        """
        Run all statements of a text; the last one up to its first row.

        Args:
            text: One statement or several.
            bindings: Values of the last one's parameters.
        Raises:
            StorageError: A statement failed or is not allowed; what those before it wrote stays.
        """
        connection = self._prepare()
        self.wrote = False
        # Long in characters is long in bytes, but not the other way round.
        if len(text) > TEXT_BYTES // 4 and len(text.encode()) > TEXT_BYTES:
            raise StorageError("exec", _TOO_LONG, apsw.SQLITE_TOOBIG)
        self._statements = 0
        cursor = self._run(connection, text, bindings)
        while self._at < len(self._text):
            # A statement in the middle has a row: that was its one step.
            cursor.close(True)
            cursor = self._run(connection, self._text[self._at :], bindings)
        if self._empty_tail:
            cursor.close(True)
            raise StorageError("exec", NOTHING)
        changes = connection.total_changes() - self._before if self._writes else 0
        columns = self._columns(connection, cursor, len(bindings))
        query = Query(self, cursor if columns else None, columns, self._writes, changes)
        if columns:
            self.queries.add(query)
        elif self._writes and self._statements == 1:
            self._texts.know(text)
        return query

    def run_script(self, script: str, stopped: Callable[[], bool]) -> None:
        """
        Run all statements of a text to their ends, in whatever thread has the database: by the object's rules, with the memory
        that it takes.

        Args:
            script: Statements without parameters; none is fine.
            stopped: Whether to give up, asked about every millisecond.
        Raises:
            StorageError: A statement failed or is not allowed, or was given up; what those before it wrote stays.
        """
        connection = self._prepare()
        self._database.to_write("exec")
        overdue, self.overdue = self.overdue, stopped
        guard = self.guard
        guard.text = script
        guard.transaction = False
        guard.guest = True
        try:
            for _ in connection.execute(script, prepare_flags=_FLAGS):
                pass
        except apsw.Error as error:
            raise self.failed(error) from error
        except (MemoryError, ValueError) as error:
            raise StorageError("exec", str(error)) from error
        finally:
            guard.guest = False
            self.overdue = overdue
            self._look_for_changes()

    def exec_again(self, text: str, bindings: Sequence[Binding]) -> int | None:
        """
        As `exec`, but only for a text that it has run and that is one statement which writes and has no rows: there is
        nothing to find out about it any more.

        Returns:
            How many rows were changed; ``None`` for any other text, which was not run.
        """
        if text not in self._texts.known:
            return None
        self.wrote = True
        texts = self._texts
        # Before it runs, for what is found out by compiling has SQL's `changes()` forget what was changed.
        program = self._program(text, len(bindings)) if texts.number_of(text) is None else None
        cursor = self.writer or self._to_write()
        connection = cursor.connection
        before = connection.total_changes()
        self._execute(connection, cursor, text, bindings)
        if program is not None:
            if texts.full:
                self.forget()
            texts.give_number(text, program)
        return connection.total_changes() - before

    def repeated(self, text: str) -> Repeated | None:
        """How to run a text by a number from now on, if `exec_again` has given it one that still counts."""
        return self._texts.number_of(text)

    def run(self, number: int, bindings: Sequence[Binding]) -> int | None:
        """
        As `exec_again`, by a number.

        Args:
            number: What `repeated` told, or anything else.
            bindings: Values of the parameters.
        Returns:
            How many rows were changed; ``None`` when nothing was run, for the number stands for no text any more.
        Raises:
            TypeError: A value that no binding can have.
        """
        text = self._texts.plain.get(number)
        if text is None:
            text = self._texts.numbered.get(number)
            return None if text is None else self.exec_again(text, bindings)
        cursor = self.writer or self._to_write()
        guard = self.guard
        guard.guest = True
        try:
            # Without the object's flags, for a quarter less: SQLite has asked about this text, and no text of the host's passes.
            cursor.execute(text, bindings)
        except Exception as error:
            self._text = text
            self._at = 0
            raise self._failure(error, cursor.connection, cursor, text, bindings) from None
        finally:
            guard.guest = False
        return cursor.connection.changes()

    def number_to_read(self, text: str, bindings: int) -> int:
        """
        How to run a text from now on that `exec` has just run: by that number, with `look_up`. 0 if it has to be `exec`.

        Args:
            text: What was run.
            bindings: How many it has.
        """
        if self.wrote or self._statements != 1:
            return 0
        return self._texts.number_to_read(text, lambda: self._program(text, bindings))

    def look_up(self, number: int, bindings: Sequence[Binding]) -> bytes | None:
        """
        All rows of a lookup.

        Args:
            number: What `number_to_read` told, or anything else.
            bindings: Values of the parameters.
        Returns:
            Them in a msgpack array; ``None`` when the number stands for no text any more, or `exec` has to tell what fails or to
            give more rows than fit one answer.
        """
        text = self._texts.lookups.get(number)
        connection = self._connection
        if text is None or connection is None:
            return None
        self._database.recent = True
        rows = bytearray()
        length = 0
        guard = self.guard
        guard.guest = True
        try:
            # As `run`.
            cursor = connection.execute(text, bindings)
            for row in cursor:
                append(row, rows, -1)
                length += 1
                if len(rows) > BATCH_BYTES:
                    cursor.close(True)
                    self._texts.refuse_to_read(number)
                    return None
        except (apsw.Error, MemoryError, OverflowError, TypeError, ValueError):
            # `exec` says what it is.
            return None
        finally:
            guard.guest = False
        return array_header(length) + rows

    def is_certain(self, number: int) -> bool:
        """Whether a statement that was run by its number is certain; `add` may run those that follow."""
        return number in self._texts.certain

    def add(self, number: int, rows: Sequence[Sequence[Binding]]) -> bool:
        """
        Run a statement for each of some rows.

        Args:
            number: Of a certain statement.
            rows: Values of the parameters, for each row.
        Returns:
            Whether it is such a statement; otherwise nothing was run.
        Raises:
            StorageError: Some rows are there and some are not.
            TypeError: A value that no binding can have.
        """
        text = self._texts.certain.get(number)
        if text is None:
            return False
        cursor = self.writer or self._to_write()
        guard = self.guard
        guard.guest = True
        try:
            cursor.executemany(text, rows)
        except Exception as error:
            raise self._failure(error, cursor.connection, cursor, text, ()) from None
        finally:
            guard.guest = False
        return True

    def forget(self) -> None:
        """What a text compiles to may have changed, or the connection is another one."""
        self.writer = None
        self._texts.forget()

    def entries_per_row(self, text: str, bindings: int) -> int:
        """
        How many entries of tables and indexes a changed row takes.

        Args:
            text: What was run; its last statement counts.
            bindings: How many that one has.
        """
        start = sql_compile.start_of_last(self._prepare(), self.guard, text)
        return self._program(text[start:], bindings).entries

    @property
    def size(self) -> int:
        """Bytes of pages in use, uncommitted ones included."""
        connection = self._prepare()
        try:
            pages, free, bytes_each = (
                connection.execute(f"PRAGMA {name}").get
                for name in ("page_count", "freelist_count", "page_size")
            )
        except apsw.Error as error:
            raise self._database.failed("databaseSize", error) from error
        return int((pages - free) * bytes_each)

    # For the database and the queries

    def failed(self, error: apsw.Error) -> StorageError:
        """The error to raise for one of SQLite's."""
        if self.guard.transaction:
            self.guard.transaction = False
            return StorageError("exec", _TRANSACTIONS, apsw.SQLITE_AUTH)
        return self._database.failed("exec", error)

    def enter(self, *, counting: bool) -> None:
        """The object's statements are compiled or run from here on."""
        self.guard.guest = True
        apsw.hard_heap_limit(apsw.memory_used() + _MEMORY)
        if counting and self._connection is not None:
            self._counting = True
            self._connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._count)

    def leave(self) -> None:
        """The host's again."""
        guard = self.guard
        guard.guest = False
        apsw.hard_heap_limit(0)
        self._look_for_changes()
        if self._counting:
            self._counting = False
            if self._connection is not None:
                self._connection.trace_v2(0, None)

    def _look_for_changes(self) -> None:
        """Whether what texts compile to may have changed."""
        if self.guard.changes != self._changes:
            self._changes = self.guard.changes
            self.forget()

    def deleted(self) -> None:
        """The database was deleted: what was read of it is no more."""
        self.queries.cancel(_DELETED)

    def lost(self) -> None:
        """The connection is about to be closed, or its transaction was given up."""
        self.queries.cancel(NO_LONGER_ACCESSIBLE)
        if self._connection is not None:
            with suppress(apsw.ConnectionClosedError):
                self._last_rowid = self._connection.last_insert_rowid()
        self._connection = self._again = None
        self.forget()

    # Inside

    def _to_write(self) -> apsw.Cursor:
        """A cursor in the transaction and all savepoints."""
        connection = self._prepare()
        self._database.to_write("exec")
        cursor = self._again
        if cursor is None:
            cursor = self._again = connection.cursor()
        self.writer = cursor
        return cursor

    def _program(self, statement: str, bindings: int) -> Program:
        """What a statement compiles to, without running it."""
        return sql_compile.program(self._prepare(), self.guard, statement, bindings)

    def _count(self, event: dict[str, Any]) -> None:
        """A statement has ended; see `apsw.Connection.trace_v2`."""
        steps = event["stmt_status"]["SQLITE_STMTSTATUS_FULLSCAN_STEP"]
        self.visited = steps + 1 if steps else 0

    def _prepare(self) -> apsw.Connection:
        connection = self._database.to_run("exec")
        if connection is not self._connection:
            try:
                set_up(connection, self.guard, self._is_overdue)
            except apsw.Error as error:
                raise self._database.failed("exec", error) from error
            self._connection = connection
            self._again = None
            connection.set_last_insert_rowid(self._last_rowid)
        return connection

    def _is_overdue(self) -> bool:
        if not self.guard.guest:
            return False
        return self.queries.keeping_is_over if self.queries.keeping else self.overdue()

    def _run(self, connection: apsw.Connection, text: str, bindings: Sequence[Binding]) -> apsw.Cursor:
        """Run a text's statements until one has a row or all are done."""
        self._empty_tail = False
        self.visited = 0
        cursor = connection.cursor()
        cursor.exec_trace = self._trace
        self._execute(connection, cursor, text, bindings)
        if self._at == 0:
            raise StorageError("exec", NOTHING)
        return cursor

    def _execute(
        self, connection: apsw.Connection, cursor: apsw.Cursor, text: str, bindings: Sequence[Binding]
    ) -> None:
        guard = self.guard
        self._text = guard.text = text
        guard.bindings = bindings
        self._at = 0
        guard.transaction = False
        self.enter(counting=False)
        try:
            cursor.execute(text, bindings, prepare_flags=_FLAGS)
        except Exception as error:
            raise self._failure(error, connection, cursor, text, bindings) from None
        finally:
            self.leave()
            # They may be large.
            guard.bindings = ()

    def _failure(
        self,
        error: Exception,
        connection: apsw.Connection,
        cursor: apsw.Cursor,
        text: str,
        bindings: Sequence[Binding],
    ) -> Exception:
        """What to raise for an error of `cursor`, which is closed."""
        failure: Exception
        match error:
            case apsw.BindingsError():
                failure = StorageError(
                    "exec", sql_compile.wrong_bindings(connection, self.guard, self._text[self._at :])
                )
            case apsw.Error():
                statement = self._statement if self._at else self._text
                failure = self.failed(
                    sql_compile.located(connection, self.guard, statement, len(bindings), error)
                )
            case _RefusedError():
                failure = StorageError("exec", str(error))
            case MemoryError():
                failure = StorageError("exec", NO_MEMORY, apsw.SQLITE_NOMEM)
            case ValueError():
                # A null character, where SQLite would stop reading.
                head, _, _ = text.partition("\0")
                self._run(connection, head, bindings).close(True)
                failure = StorageError("exec", NOTHING)
            case _:
                failure = error
        cursor.close(True)
        if cursor is self._again:
            self._again = self.writer = None
        return failure

    def _about_to_run(self, cursor: apsw.Cursor, statement: str, bindings: Any) -> bool:
        """A statement was compiled and is about to run; see `apsw.Cursor.exec_trace`."""
        self._at += len(statement)
        self._statements += 1
        if not cursor.has_vdbe:
            raise _RefusedError(NOTHING)
        self._empty_tail = self._at == len(self._text) and has_empty_tail(statement)
        if (self._at < len(self._text) or self._empty_tail) and cursor.bindings_count:
            raise _RefusedError(EARLY_BINDINGS)
        self._statement = statement
        self._writes = not cursor.is_readonly
        if self._writes:
            self._before = cursor.connection.total_changes()
            self.wrote = True
            guard = self.guard
            guard.guest = False
            self._database.to_write("exec")
            guard.guest = True
        else:
            cursor.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._count)
        return True

    def _columns(self, connection: apsw.Connection, cursor: apsw.Cursor, bindings: int) -> list[str]:
        """
        The names of the columns of the statement that ran last.

        They are not known before it runs: SQLite then compiles it anew if the schema has become another one. And APSW only
        tells them while there is a row.
        """
        statement = self._statement
        if self._writes and _WRITE_WITH_ROWS.search(statement) is None:
            return []
        try:
            return [column[0] for column in cursor.get_description()]
        except apsw.ExecutionCompleteError:
            pass
        columns = self._texts.columns_of(statement)
        if columns is None:
            columns = sql_compile.columns(connection, self.guard, statement, bindings)
            self._texts.keep_columns(statement, columns)
        return columns


def _never() -> bool:
    return False
