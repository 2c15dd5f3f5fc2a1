"""What can be found out about an object's SQL by compiling it, without running it.

APSW has no way to compile alone: a cursor's tracer is told of each statement that is about to run, and raises. What is
compiled here is not kept.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import apsw

from durabox.storage.authorizer import Authorizer
from durabox.storage.sql_program import Program, program_of
from durabox.storage.sql_settings import MAX_BINDINGS

NOTHING: Final = "SQL code did not contain a statement."
_WRONG_COUNT: Final = "Wrong number of parameter bindings for SQL query."
EARLY_BINDINGS: Final = (
    "When executing multiple SQL statements in a single call, only the last statement can have parameters."
)
_SPACE: Final = " \t\r\n\f"


class _CompiledError(Exception):
    """A statement is compiled, and must not run."""


def program(connection: apsw.Connection, guard: Authorizer, statement: str, bindings: int) -> Program:
    """
    What a statement compiles to; that of one that does not compile is empty.

    Args:
        connection: The object's.
        guard: What decides on its statements.
        statement: One statement.
        bindings: How many parameters it has.
    """
    changes = guard.changes
    guard.guest = True
    try:
        rows = connection.execute(
            statement, (None,) * min(bindings, MAX_BINDINGS), explain=1, can_cache=False
        )
        return program_of(rows)
    except (apsw.Error, ValueError):
        return Program()
    finally:
        guard.guest = False
        # Nothing was run.
        guard.changes = changes


def columns(connection: apsw.Connection, guard: Authorizer, statement: str, bindings: int) -> list[str]:
    """The names of a statement's columns; see `program`."""
    return _first(connection, guard, statement, bindings).columns


def start_of_last(connection: apsw.Connection, guard: Authorizer, text: str) -> int:
    """Where the last statement of a text begins."""
    at = 0
    # Only the last statement must have exactly as many bindings as parameters.
    while (length := _first(connection, guard, text[at:], MAX_BINDINGS).length) < len(text) - at:
        at += length
    return at


def wrong_bindings(connection: apsw.Connection, guard: Authorizer, text: str) -> str:
    """Which mistake was made with the parameters of a text's first statement; as a message."""
    without = _first(connection, guard, text, 0)
    if not without.exists:
        return NOTHING
    if start_of_last(connection, guard, text) != 0:
        return EARLY_BINDINGS
    if has_empty_tail(text):
        # It has parameters if it does not compile without.
        return EARLY_BINDINGS if without.refused else NOTHING
    return _WRONG_COUNT


def has_empty_tail(statement: str) -> bool:
    """Whether a statement, the last of its text, is followed by another one that is empty."""
    end = statement.rstrip(_SPACE)
    return end.endswith(";") and end[:-1].rstrip(_SPACE).endswith(";")


def located(
    connection: apsw.Connection, guard: Authorizer, statement: str, bindings: int, error: apsw.Error
) -> apsw.Error:
    """
    The same error with its place, which SQLite does not tell of a statement that it compiles anew as it runs.

    Args:
        connection: The object's.
        guard: What decides on its statements.
        statement: What failed.
        bindings: How many parameters it has.
        error: How.
    """
    if getattr(error, "error_offset", 0) >= 0:
        return error
    try:
        _compile(connection, guard, statement, bindings, _stop)
    except apsw.Error as again:
        if str(again) == str(error):
            return again
    except _CompiledError:
        pass
    return error


class _Statement(NamedTuple):
    """What a text begins with."""

    #: In characters.
    length: int
    columns: list[str]
    #: Whether there is one.
    exists: bool
    #: It does not compile, or has another number of parameters; nothing else is known then.
    refused: bool


def _first(connection: apsw.Connection, guard: Authorizer, text: str, bindings: int) -> _Statement:
    """A text's first statement."""
    found = _Statement(len(text), [], exists=True, refused=True)

    def look(cursor: apsw.Cursor, statement: str, values: Any) -> bool:
        nonlocal found
        columns = [column[0] for column in cursor.get_description()]
        found = _Statement(len(statement), columns, cursor.has_vdbe, refused=False)
        raise _CompiledError

    try:
        _compile(connection, guard, text, bindings, look)
    except (apsw.Error, _CompiledError, ValueError):
        pass
    return found


def _compile(
    connection: apsw.Connection, guard: Authorizer, text: str, bindings: int, look: apsw.ExecTracer
) -> None:
    """Compile a text's first statement; `look` must raise."""
    cursor = connection.cursor()
    cursor.exec_trace = look
    guard.guest = True
    try:
        cursor.execute(text, (None,) * bindings, can_cache=False)
    finally:
        guard.guest = False
        cursor.close(True)


def _stop(cursor: apsw.Cursor, statement: str, bindings: Any) -> bool:
    raise _CompiledError
