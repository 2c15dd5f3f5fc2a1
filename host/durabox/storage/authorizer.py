"""What an object's own SQL may do: the platform's lists, asked by SQLite whenever it compiles a statement.

SQLite forgets every compiled statement when its authorizer changes, so one stays in place for the life of a connection and
`Authorizer.guest` says whose statement is compiled. The host's statements pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import apsw

#: Names that begin like this, in any letter case, are the host's.
RESERVED: Final = "_cf_"

_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([-+]?)(?:0x([0-9a-f]+)|(\d+))", re.ASCII | re.IGNORECASE)

_NAMES: Final = """
    abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like likelihood
    likely load_extension lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign
    soundex substr substring total_changes trim typeof unhex unicode unlikely upper zeroblob date time datetime julianday
    unixepoch strftime timediff current_date current_time current_timestamp avg count group_concat sum total string_agg
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value acos acosh asin asinh
    atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt tan tanh trunc json
    json_array json_array_length json_extract json_insert json_object json_patch json_remove json_replace json_set json_type
    json_valid json_quote json_group_array json_group_object json_each json_tree -> ->> jsonb jsonb_array jsonb_extract
    jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_group_array jsonb_group_object match
    highlight bm25 snippet rtreecheck sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_drop_column
    sqlite_rename_quotefix
"""

MODULES: Final = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

FUNCTIONS: Final = frozenset(_NAMES.split())


def _is_boolean(argument: str) -> bool:
    # The platform looks at the beginning alone; SQLite takes what is none for false.
    return argument.lower().startswith(("on", "off", "true", "false", "yes", "no", "0", "1"))


def _is_number(argument: str) -> bool:
    found = _NUMBER.fullmatch(argument)
    if found is None:
        return False
    sign, hexadecimal, decimal = found.groups()
    # A longer text has no number of 32 bits, and may take long to read.
    digits = (hexadecimal or decimal).lstrip("0")[:12]
    number = int(digits or "0", 16 if hexadecimal else 10)
    return (-number if sign == "-" else number) in range(-(2**31), 2**31)


def _is_name(argument: str) -> bool:
    return not is_reserved(argument)


def _never(argument: str) -> bool:
    return False


def _always(argument: str) -> bool:
    return True


def _anything(argument: str) -> bool:
    return _is_number(argument) or _is_name(argument)


#: By name: whether it may stand alone, and which arguments it may have.
PRAGMAS: Final[dict[str, tuple[bool, Callable[[str], bool]]]] = {
    **dict.fromkeys(("data_version", "page_size"), (True, _never)),
    # All of them are listed anyway.
    "table_list": (True, _always),
    **dict.fromkeys(
        (
            "case_sensitive_like",
            "foreign_keys",
            "defer_foreign_keys",
            "ignore_check_constraints",
            "legacy_alter_table",
            "recursive_triggers",
            "reverse_unordered_selects",
        ),
        (True, _is_boolean),
    ),
    **dict.fromkeys(
        ("foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_xinfo"),
        (False, _is_name),
    ),
    "foreign_key_check": (True, _is_name),
    "quick_check": (True, _anything),
    "optimize": (True, _is_number),
}

#: Which of the two arguments of an action names what must not be the host's.
_FIRST: Final = (0,)
_BOTH: Final = (0, 1)
_NAMED: Final = {
    apsw.SQLITE_CREATE_TABLE: _FIRST,
    apsw.SQLITE_CREATE_INDEX: _BOTH,
    apsw.SQLITE_CREATE_TRIGGER: _BOTH,
    apsw.SQLITE_CREATE_VIEW: _FIRST,
    apsw.SQLITE_DROP_TABLE: _FIRST,
    apsw.SQLITE_DROP_INDEX: _BOTH,
    apsw.SQLITE_DROP_TRIGGER: _BOTH,
    apsw.SQLITE_DROP_VIEW: _FIRST,
    apsw.SQLITE_DROP_VTABLE: _FIRST,
    apsw.SQLITE_INSERT: _FIRST,
    apsw.SQLITE_UPDATE: _FIRST,
    apsw.SQLITE_DELETE: _FIRST,
    apsw.SQLITE_READ: _FIRST,
}
_FREE: Final = frozenset(
    {apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE, apsw.SQLITE_ANALYZE, apsw.SQLITE_REINDEX}
)
#: Where a statement has the names of all tables from.
_LISTS_OF_TABLES: Final = ("sqlite_master", "sqlite_schema", "pragma_table_list")
#: What leaves the schema and the settings alone.
_HARMLESS: Final = frozenset(
    {
        apsw.SQLITE_SELECT,
        apsw.SQLITE_RECURSIVE,
        apsw.SQLITE_READ,
        apsw.SQLITE_FUNCTION,
        apsw.SQLITE_INSERT,
        apsw.SQLITE_UPDATE,
        apsw.SQLITE_DELETE,
        apsw.SQLITE_TRANSACTION,
        apsw.SQLITE_SAVEPOINT,
    }
)
#: Nothing temporary can be made; what is left to look at is an empty schema, which ALTER TABLE changes as well.
_TEMPORARY: Final = frozenset({apsw.SQLITE_READ, apsw.SQLITE_UPDATE})


def is_reserved(name: str | None) -> bool:
    """Whether only the host may use that name."""
    return name is not None and name[: len(RESERVED)].lower() == RESERVED


class Authorizer:
    """
    Decides on one connection's statements.

    `guest` is up while the object's SQL is compiled or run (a schema change has SQLite compile anew in the middle).
    """

    __slots__ = ("bindings", "changes", "guest", "modules", "text", "transaction")

    def __init__(self) -> None:
        self.guest = False
        #: The text that is being compiled.
        self.text = ""
        #: Values of its parameters.
        self.bindings: Sequence[object] = ()
        #: Counts what may change the schema, or else what other statements compile to.
        self.changes = 0
        #: Whether a virtual table may have been made.
        self.modules = False
        #: Whether a refusal was that of a transaction's statement.
        self.transaction = False

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        """SQLite's question; see its documentation of ``sqlite3_set_authorizer``."""
        if action not in _HARMLESS:
            self.changes += 1
        if not self.guest or self._allows(action, first, second, database):
            return apsw.SQLITE_OK
        if action == apsw.SQLITE_PRAGMA and self._is_by_the_way(first or "", second):
            return apsw.SQLITE_IGNORE
        return apsw.SQLITE_DENY

    def _is_by_the_way(self, name: str, argument: str | None) -> bool:
        """
        Whether a pragma asks about a table of the host's that neither the text nor a value names.

        It comes from a join of all tables with ``pragma_table_info``, as query builders do it, and has no rows. Every
        object has such tables here, where workerd makes them for those that use the key-value store or alarms.
        """
        accepts = PRAGMAS.get(name.lower(), (False, _never))[1]
        if accepts is not _is_name or not is_reserved(argument):
            return False
        given = "\0".join([self.text, *(value for value in self.bindings if isinstance(value, str))]).lower()
        return RESERVED not in given and any(schema in given for schema in _LISTS_OF_TABLES)

    def _allows(self, action: int, first: str | None, second: str | None, database: str | None) -> bool:
        if database == "temp" and action not in _TEMPORARY:
            return False
        positions = _NAMED.get(action)
        if positions is not None:
            return not any(is_reserved((first, second)[position]) for position in positions)
        if action in _FREE:
            return True
        if action == apsw.SQLITE_FUNCTION:
            return second is not None and second.lower() in FUNCTIONS
        if action == apsw.SQLITE_PRAGMA:
            return self._allows_pragma(first or "", second)
        if action == apsw.SQLITE_ALTER_TABLE:
            # SQLite does not say what a table is renamed to, but its name must stand in the text as it is.
            text = self.text.lower()
            return not is_reserved(second) and (RESERVED not in text or "rename" not in text)
        if action == apsw.SQLITE_CREATE_VTABLE:
            self.modules = True
            return not is_reserved(first) and (second or "").lower() in MODULES
        if action in {apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT}:
            self.transaction = True
        return False

    @staticmethod
    def _allows_pragma(name: str, argument: str | None) -> bool:
        alone, accepts = PRAGMAS.get(name.lower(), (False, _never))
        return alone if argument is None else accepts(argument)
