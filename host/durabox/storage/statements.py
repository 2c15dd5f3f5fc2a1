"""The SQL of an object's database: workerd's tables (reference §11), and what key-value operations run.

Keys travel as bytes: UTF-8 in which lone surrogates keep their three-byte form. SQLite stores them as TEXT
without looking at them, so a blob that is cast to TEXT is exactly the key that workerd writes, and keys sort by
their bytes.
"""

from __future__ import annotations

from typing import Final

CREATE_KV: Final = "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"

GET: Final = "SELECT value FROM _cf_KV WHERE key = CAST(?1 AS TEXT)"
PUT: Final = "INSERT INTO _cf_KV VALUES (CAST(?1 AS TEXT), ?2) ON CONFLICT DO UPDATE SET value = excluded.value"
DELETE: Final = "DELETE FROM _cf_KV WHERE key = CAST(?1 AS TEXT)"
DELETE_ALL: Final = "DELETE FROM _cf_KV"

TABLES_OF_USERS: Final = (
    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC, name"
)


def listing(start: bytes | None, end: bytes | None, reverse: bool, limit: int) -> tuple[str, list[object]]:
    """
    The statement for a range of keys; few enough forms for every one to stay prepared.

    Args:
        start: First key, inclusive.
        end: First key beyond the range.
        reverse: Whether the last keys come first.
        limit: At most this many; negative for all.
    Returns:
        SQL and its bindings.
    """
    conditions: list[str] = []
    bindings: list[object] = []
    for key, operator in ((start, ">="), (end, "<")):
        if key is not None:
            conditions.append(f"key {operator} CAST(? AS TEXT)")
            bindings.append(key)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    bindings.append(limit)
    order = " DESC" if reverse else ""
    return f"SELECT CAST(key AS BLOB), value FROM _cf_KV{where} ORDER BY key{order} LIMIT ?", bindings


def after_prefix(prefix: bytes) -> bytes | None:
    """The first key that sorts after every key with the prefix; ``None`` when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
