"""How a connection is made ready for an object's own SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw

from durabox.storage.authorizer import MODULES, Authorizer

#: Length of a text, all its statements together.
TEXT_BYTES: Final = 100_000
#: Steps of SQLite's machine between two questions whether a statement may go on: about a millisecond.
_STEPS: Final = 50_000
_LIMITS: Final = {
    apsw.SQLITE_LIMIT_SQL_LENGTH: TEXT_BYTES,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 127,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
MAX_BINDINGS: Final = _LIMITS[apsw.SQLITE_LIMIT_VARIABLE_NUMBER]
_SETTINGS: Final = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 1),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 1),
)
_KEPT_MODULES: Final = (*MODULES, "json_each", "json_tree")


def set_up(connection: apsw.Connection, guard: Authorizer, is_overdue: Callable[[], bool]) -> None:
    """
    Prepare a connection, once.

    Args:
        connection: The object's.
        guard: What decides on its statements.
        is_overdue: Whether a statement must not go on, asked about every millisecond of it.
    Raises:
        apsw.Error: SQLite refuses a setting.
    """
    for setting, value in _SETTINGS:
        connection.config(setting, value)
    for limit, most in _LIMITS.items():
        connection.limit(limit, most)
    connection.execute("PRAGMA recursive_triggers = OFF").fetchall()
    connection.drop_modules(_KEPT_MODULES)
    connection.set_authorizer(guard)
    connection.set_progress_handler(is_overdue, _STEPS)
