"""The SQL of the key-value store.

Keys are TEXT in the file, as workerd writes them, and bytes here: a key may hold a lone surrogate in its
three-byte form, which no Python string carries. ``CAST`` turns bytes to TEXT and back without touching them, and sees
to it that a value is bytes even in a damaged file.
Text is compared byte by byte (collation BINARY), which is the order of the store.
"""

from __future__ import annotations

from typing import Final

HAS_KV: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_cf_KV'"
CREATE_KV: Final = "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
HAS_METADATA: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_cf_METADATA'"
CREATE_METADATA: Final = "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)"
GET_METADATA: Final = "SELECT value FROM _cf_METADATA WHERE key = ?"
PUT_METADATA: Final = "INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)"
GET_NAME: Final = "SELECT CAST(value AS BLOB) FROM _cf_METADATA WHERE key = ?"
PUT_NAME: Final = "INSERT OR IGNORE INTO _cf_METADATA VALUES (?, CAST(? AS TEXT))"
HAS_ANYTHING: Final = "SELECT 1 FROM sqlite_schema LIMIT 1"

GET: Final = "SELECT CAST(value AS BLOB) FROM _cf_KV WHERE key = CAST(? AS TEXT)"
EXISTS: Final = "SELECT 1 FROM _cf_KV WHERE key = CAST(? AS TEXT)"
DELETE: Final = "DELETE FROM _cf_KV WHERE key = CAST(? AS TEXT)"

#: How many keys are given to one statement, or rows: to run one costs as much as to look for a key.
SEVERAL: Final = (32, 4, 1)


def _put(rows: int) -> str:
    values = ", ".join(["(CAST(? AS TEXT), ?)"] * rows)
    return f"INSERT INTO _cf_KV VALUES {values} ON CONFLICT (key) DO UPDATE SET value = excluded.value"


def _one_of(keys: int) -> str:
    return f"key IN ({', '.join(['CAST(? AS TEXT)'] * keys)})"


#: By number of keys.
GET_SEVERAL: Final = {
    keys: f"SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM _cf_KV WHERE {_one_of(keys)} ORDER BY key"
    for keys in SEVERAL
}
ANY_EXISTS: Final = {keys: f"SELECT 1 FROM _cf_KV WHERE {_one_of(keys)} LIMIT 1" for keys in SEVERAL}
DELETE_SEVERAL: Final = {keys: f"DELETE FROM _cf_KV WHERE {_one_of(keys)}" for keys in SEVERAL}
PUT_SEVERAL: Final = {rows: _put(rows) for rows in SEVERAL}
PUT: Final = PUT_SEVERAL[1]


def _list(lower: bool, upper: bool, reverse: bool) -> str:
    bounds = [
        text
        for wanted, text in ((lower, "key >= CAST(? AS TEXT)"), (upper, "key < CAST(? AS TEXT)"))
        if wanted
    ]
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    order = " DESC" if reverse else ""
    return f"SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM _cf_KV{where} ORDER BY key{order} LIMIT ?"


#: By (lower bound?, upper bound?, reverse?).
LIST: Final = {
    (lower, upper, reverse): _list(lower, upper, reverse)
    for lower in (False, True)
    for upper in (False, True)
    for reverse in (False, True)
}


def end_of_prefix(prefix: bytes) -> bytes | None:
    """The least key that is greater than every key with the prefix; ``None`` if there is none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None
