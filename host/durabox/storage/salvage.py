"""What can still be read of a damaged database, row by row and then page by page.

First through SQLite: every table from its beginning until an error, from its end backwards until an error, and, where
rows have numbers, the stretch between in ever smaller pieces. Then, for keys and values, past SQLite: every page that looks
like a leaf of ``_cf_KV`` is read by itself, which also finds what the way from the root no longer leads to. Such
loose pages may be ones that SQLite no longer used: a key that was deleted, or an old value of one that was not
found otherwise, may come back with them.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

from durabox.storage import statements
from durabox.storage.connection import MAX_ROW
from durabox.storage.failures import storage_error

#: Pieces that the damaged stretch of one table is looked at in.
_MOST_PIECES: Final = 4_000
_TABLES: Final = (
    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
_REST: Final = "SELECT sql FROM sqlite_schema WHERE type IN ('index', 'view', 'trigger') AND sql IS NOT NULL"
_KEEP: Final = "INSERT OR IGNORE INTO _cf_KV VALUES (CAST(? AS TEXT), ?)"

_INTERIOR_INDEX: Final = 2
_LEAF_INDEX: Final = 10
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))
#: Chains of overflow pages that may lead through one page; a sound file has one, and some that were deleted.
_MOST_CHAINS: Final = 16
_DEFAULT_PAGE: Final = 4096
_FIRST_PAGE_HEADER: Final = 100


@dataclass(slots=True)
class Salvaged:
    """
    What was found.

    Args:
        rows: Rows of each table, those from loose pages not counted.
        loose: Keys that only loose pages had.
        errors: The first thing that went wrong, by table.
    """

    rows: dict[str, int] = field(default_factory=dict)
    loose: int = 0
    errors: dict[str, str] = field(default_factory=dict)


def salvage(path: Path, target: apsw.Connection) -> Salvaged:
    """
    Read what can be read. Blocking.

    Args:
        path: A copy of the damaged file, with its WAL beside it if there was one; both may be changed.
        target: An empty database.
    Returns:
        What is in the target now.
    Raises:
        StorageError: The target cannot be written.
        OSError: The file cannot be read.
    """
    found = Salvaged()
    try:
        with _Pages(path) as pages, target:
            try:
                source = apsw.Connection(str(path))
            except apsw.Error as error:
                found.errors["the file"] = str(error)
            else:
                with contextlib.closing(source):
                    # A checkpoint would cut the file to what the WAL says its size is; its pages are still to be looked at.
                    source.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                    _through_sqlite(source, target, found)
            if not target.execute(statements.HAS_KV).get and any(True for _ in pages.records()):
                target.execute(statements.CREATE_KV)
            if target.execute(statements.HAS_KV).get:
                before = target.total_changes()
                target.executemany(_KEEP, pages.records())
                found.loose = target.total_changes() - before
    except apsw.Error as error:
        raise storage_error("salvage", error, "the salvaged copy") from error
    return found


def _through_sqlite(source: apsw.Connection, target: apsw.Connection, found: Salvaged) -> None:
    tables: list[tuple[str, str]] = []
    rest: list[str] = []
    try:
        source.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_ROW)
        source.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
        source.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        source.execute("PRAGMA cell_size_check = ON").fetchall()
        for name, sql in source.execute(_TABLES):
            tables.append((str(name), str(sql)))
        for (sql,) in source.execute(_REST):
            rest.append(str(sql))
    except (apsw.Error, UnicodeDecodeError) as error:
        found.errors["the schema"] = str(error)
    for name, sql in tables:
        try:
            target.execute(sql)
        except (apsw.Error, ValueError) as error:  # ValueError: damage has left a NUL in the statement
            found.errors[name] = str(error)
        else:
            found.rows[name] = _Table(source, target, name, found).copy()
    for sql in rest:
        try:
            target.execute(sql)
        except (apsw.Error, ValueError) as error:  # ValueError: damage has left a NUL in the statement
            found.errors[sql] = str(error)


class _Table:
    """
    One table on its way.

    Args:
        source: The damaged database.
        target: Where it goes; has the empty table.
        name: Its name.
        found: Takes what goes wrong.
    """

    def __init__(self, source: apsw.Connection, target: apsw.Connection, name: str, found: Salvaged) -> None:
        self._source = source
        self._target = target
        self._name = name
        self._found = found
        self._last: int | None = None
        quoted = '"' + name.replace('"', '""') + '"'
        info = target.execute(f"PRAGMA table_info({quoted})").fetchall()
        columns = ['"' + str(row[1]).replace('"', '""') + '"' for row in info]
        keys = [
            column for place, column in sorted(zip((row[5] for row in info), columns, strict=True)) if place
        ]
        self._numbered = not target.execute(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (name,)
        ).get
        self._order = ["rowid"] if self._numbered else keys
        # Text is carried as bytes: damage may have made it no text.
        read = [
            f"typeof({c}), CASE WHEN typeof({c}) = 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
            for c in columns
        ]
        first = 2 if self._numbered else 1
        marks = [
            f"CASE ?{n} WHEN 'text' THEN CAST(?{n + 1} AS TEXT) ELSE ?{n + 1} END"
            for n in range(first, first + 2 * len(columns), 2)
        ]
        if self._numbered:
            columns, read, marks = ["rowid", *columns], ["rowid", *read], ["?1", *marks]
        self._keep = f"INSERT OR IGNORE INTO {quoted} ({', '.join(columns)}) VALUES ({', '.join(marks)})"
        self._rows = f"SELECT {', '.join(read)} FROM {quoted}"

    def copy(self) -> int:
        """Keep what can be read; how many rows that is."""
        before = self._target.total_changes()
        if not self._part(f" ORDER BY {', '.join(self._order)}"):
            lowest, self._last = self._last, None
            self._part(f" ORDER BY {', '.join(f'{column} DESC' for column in self._order)}")
            if self._numbered:
                self._between(lowest, self._last)
        return self._target.total_changes() - before

    def _between(self, lowest: int | None, highest: int | None) -> None:
        low = -(2**63) if lowest is None else lowest + 1
        high = 2**63 - 1 if highest is None else highest - 1
        stretches = [(low, high)]
        for _ in range(_MOST_PIECES):
            if not stretches:
                return
            first, end = stretches.pop()
            if first <= end and not self._part(" WHERE rowid BETWEEN ? AND ? ORDER BY rowid", (first, end)):
                middle = (first + end) // 2
                if first < end:
                    stretches += [(first, middle), (middle + 1, end)]

    def _part(self, which: str, bindings: tuple[int, ...] = ()) -> bool:
        """Keep some of the rows; whether there was no error."""
        try:
            rows = self._source.execute(self._rows + which, bindings)
        except apsw.Error as error:
            self._found.errors.setdefault(self._name, str(error))
            return False
        while True:
            try:
                row = next(rows, None)
            except apsw.Error as error:
                self._found.errors.setdefault(self._name, str(error))
                return False
            if row is None:
                return True
            if self._numbered and isinstance(row[0], int):
                self._last = row[0]
            self._target.execute(self._keep, row)


class _Pages:
    """
    The pages of a database file and, over them, those of its WAL; none of them is trusted.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        # Read, not mapped: the end of a mapped file that becomes shorter is the end of the process.
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        head = os.pread(self._handle, 100, 0)
        size = int.from_bytes(head[16:18], "big")
        self._size = 65536 if size == 1 else size if size in _PAGE_SIZES else _DEFAULT_PAGE
        reserved = head[20] if len(head) > 20 and head[20] < 64 else 0
        self._usable = self._size - reserved
        #: How often each page was met in chains: a damaged file may lead through the same ones again and again.
        self._met: Counter[int] = Counter()
        self._newer: dict[int, bytes] = {}
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            self._read_wal(wal.read_bytes())
        self._count = max([-(-path.stat().st_size // self._size), *self._newer])

    def __enter__(self) -> _Pages:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values on pages that look like those of ``_cf_KV``."""
        self._met.clear()
        for number in range(1, self._count + 1):
            page = self._page(number)
            start = _FIRST_PAGE_HEADER if number == 1 else 0
            if len(page) != self._size or page[start] not in (_INTERIOR_INDEX, _LEAF_INDEX):
                continue
            interior = page[start] == _INTERIOR_INDEX
            (cells,) = struct.unpack_from(">H", page, start + 3)
            array = start + (12 if interior else 8)
            for cell in range(min(cells, (self._size - array) // 2)):
                (offset,) = struct.unpack_from(">H", page, array + 2 * cell)
                with contextlib.suppress(IndexError, ValueError, struct.error):
                    record = self._payload(page, offset + (4 if interior else 0))
                    if (pair := _pair(record)) is not None:
                        yield pair

    def _page(self, number: int) -> bytes:
        return self._newer.get(number) or os.pread(self._handle, self._size, (number - 1) * self._size)

    def _read_wal(self, wal: bytes) -> None:
        salt = wal[16:24]
        for start in range(
            _WAL_HEADER, len(wal) - _FRAME_HEADER - self._size + 1, _FRAME_HEADER + self._size
        ):
            number = int.from_bytes(wal[start : start + 4], "big")
            if wal[start + 8 : start + 16] == salt and 0 < number < 1 << 31:
                self._newer[number] = wal[start + _FRAME_HEADER : start + _FRAME_HEADER + self._size]

    def _payload(self, page: bytes, offset: int) -> bytes:
        """A cell's record, with what is on overflow pages."""
        length, offset = _varint(page, offset)
        if length > MAX_ROW:
            raise ValueError("longer than any row")
        usable = self._usable
        most, least = (usable - 12) * 64 // 255 - 23, (usable - 12) * 32 // 255 - 23
        if length <= most:
            return page[offset : offset + length]
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        parts = [page[offset : offset + local]]
        left = length - local
        (following,) = struct.unpack_from(">I", page, offset + local)
        while left > 0:
            if not 1 < following <= self._count:
                raise ValueError("a chain that leads nowhere")
            self._met[following] += 1
            if self._met[following] > _MOST_CHAINS:
                raise ValueError("a chain through pages of many others")
            overflow = self._page(following)
            (following,) = struct.unpack_from(">I", overflow, 0)
            parts.append(overflow[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
        return b"".join(parts)


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for place in range(9):
        byte = data[offset + place]
        if place == 8:
            return value << 8 | byte, offset + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + place + 1
    raise ValueError("no number")


def _pair(record: bytes) -> tuple[bytes, bytes] | None:
    """Key and value, if the record has just those two and the value begins as stored values do."""
    head, offset = _varint(record, 0)
    key, offset = _varint(record, offset)
    value, offset = _varint(record, offset)
    if offset != head or key < 13 or key % 2 == 0 or value < 12 or value % 2:
        return None
    middle = head + (key - 13) // 2
    end = middle + (value - 12) // 2
    if end != len(record) or record[middle : middle + 1] != b"\xff":
        return None
    return record[head:middle], record[middle:end]
