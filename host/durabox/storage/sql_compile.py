"""What can be found out about an object's SQL by compiling it, without running it.

APSW has no way to compile alone: a cursor's tracer is told of each statement that is about to run, and raises. What is
compiled here is not kept.
"""

from __future__ import annotations

from typing import Any

import apsw

from durabox.storage.authorizer import Authorizer
from durabox.storage.sql_program import Program, program_of
from durabox.storage.sql_settings import MAX_BINDINGS


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
    return _first(connection, guard, statement, bindings)[1]


def start_of_last(connection: apsw.Connection, guard: Authorizer, text: str) -> int:
    """Where the last statement of a text begins."""
    at = 0
    # Only the last statement must have exactly as many bindings as parameters.
    while (length := _first(connection, guard, text[at:], MAX_BINDINGS)[0]) < len(text) - at:
        at += length
    return at


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


def _first(connection: apsw.Connection, guard: Authorizer, text: str, bindings: int) -> tuple[int, list[str]]:
    """Length and columns of a text's first statement."""
    length = len(text)
    names: list[str] = []

    def look(cursor: apsw.Cursor, statement: str, values: Any) -> bool:
        nonlocal length, names
        length = len(statement)
        names = [column[0] for column in cursor.get_description()]
        raise _CompiledError

    try:
        _compile(connection, guard, text, bindings, look)
    except (apsw.Error, _CompiledError, ValueError):
        pass
    return length, names


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
