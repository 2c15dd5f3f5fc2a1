"""One object as one file that can be carried elsewhere: an ordinary SQLite database.

It is a copy of the object's own database, in the layout that workerd reads, with one table more::

    _cf_PORTABLE (key TEXT PRIMARY KEY, value) WITHOUT ROWID
        format       1
        unique_key   the namespace that the object was in
        id           its id there
        exported     milliseconds since the epoch

and, when the object had WebSockets that outlive its leaving memory, what was known of each of them::

    _cf_PORTABLE_SOCKET (tags TEXT, attachment BLOB)    a JSON array; in V8's format, NULL for none

A connection itself does not travel: an import takes no notice of that table.

An object with facets has the format 2, and their databases in two tables, whole and in pieces::

    _cf_PORTABLE_FACET (facet INTEGER PRIMARY KEY, path TEXT)              a JSON array of the names that lead to it
    _cf_PORTABLE_FACET_PIECE (position INTEGER PRIMARY KEY, data BLOB)     facet * 2^32 + number of the piece

Its name and its alarm are rows of ``_cf_METADATA``, as in every object's file. A file without that table, such as an
object's own, can be imported as well; one that is damaged or whose reserved tables are not ours cannot.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from durabox.errors import RefusedError, StorageError
from durabox.storage import statements
from durabox.storage.connection import MAX_ROW, open_newborn
from durabox.storage.failures import storage_error
from durabox.storage.metadata import Key, name_bytes, name_from
from durabox.storage.streams import INDEXES

FORMAT: Final = 1
WITH_FACETS: Final = 2
_TABLE: Final = "_cf_PORTABLE"
_CREATE: Final = f"CREATE TABLE {_TABLE} (key TEXT PRIMARY KEY, value) WITHOUT ROWID"
_SOCKETS: Final = f"{_TABLE}_SOCKET"
_FACETS: Final = f"{_TABLE}_FACET"
_PIECES: Final = f"{_TABLE}_FACET_PIECE"
_CREATE_FACETS: Final = f"""
CREATE TABLE IF NOT EXISTS {_FACETS} (facet INTEGER PRIMARY KEY, path TEXT);
CREATE TABLE IF NOT EXISTS {_PIECES} (position INTEGER PRIMARY KEY, data BLOB);
"""
_HAS_FACETS: Final = f"SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '{_FACETS}'"
_PIECE_BYTES: Final = 1 << 20
#: Names that lead to a facet, and bytes of one.
_DEEPEST: Final = 3
_LONGEST: Final = 256
_HAS: Final = f"SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '{_TABLE}'"
_READ: Final = f"SELECT key, value FROM {_TABLE} WHERE key IN ('format', 'unique_key', 'id')"
#: Nothing that stands on a reserved table may run when the host writes to it.
_INTRUDERS: Final = rf"""
SELECT name FROM sqlite_schema
WHERE type <> 'table' AND sql IS NOT NULL AND sql NOT IN ({", ".join("?" * len(INDEXES))})
AND (name LIKE '\_cf\_%' ESCAPE '\' OR tbl_name LIKE '\_cf\_%' ESCAPE '\')
"""
_PLAIN_COLUMNS: Final = (
    ("_cf_KV", [("key", "TEXT", 1, 0), ("value", "BLOB", 0, 0)]),
    ("_cf_METADATA", [("key", "INTEGER", 1, 0), ("value", "BLOB", 0, 0)]),
    (
        "_cf_STREAM",
        [
            ("id", "INTEGER", 1, 0),
            ("state", "INTEGER", 0, 0),
            ("pieces", "INTEGER", 0, 0),
            ("key", "TEXT", 0, 0),
            ("marker", "BLOB", 0, 0),
        ],
    ),
    ("_cf_STREAM_PIECE", [("position", "INTEGER", 1, 0), ("data", "BLOB", 0, 0)]),
)
_COLUMNS: Final = "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)"
_DAMAGE_SHOWN: Final = 3
_MAGIC: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What a portable file says about the object in it.

    Args:
        unique_key: The namespace it was in, ``None`` when the file does not say.
        id: Its id there, ``None`` when the file does not say.
        name: Its name, ``None`` when unknown.
        alarm: When its alarm is due, in nanoseconds since the epoch.
    """

    unique_key: str | None
    id: str | None
    name: str | None
    alarm: int | None


def seal(
    copy: apsw.Connection,
    unique_key: str,
    object_id: str,
    now: float,
    sockets: Sequence[tuple[Sequence[str], bytes]] = (),
) -> None:
    """
    Make a finished copy of an object's database a portable file, and close it. Blocking.

    Args:
        copy: The copy, in a file.
        unique_key: The namespace of the object.
        object_id: Its id.
        now: The time, in milliseconds since the epoch.
        sockets: Tags and attachment (``b""`` for none) of each of its WebSockets.
    Raises:
        StorageError: It cannot be written.
    """
    path = copy.db_filename("main")
    number = WITH_FACETS if copy.execute(_HAS_FACETS).get else FORMAT
    facts = {"format": number, "unique_key": unique_key, "id": object_id, "exported": int(now)}
    try:
        # One file, that every tool opens without leaving others beside it.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        with copy:
            copy.execute(_CREATE)
            copy.executemany(f"INSERT INTO {_TABLE} VALUES (?, ?)", facts.items())
            if sockets:
                copy.execute(f"CREATE TABLE {_SOCKETS} (tags TEXT, attachment BLOB)")
                copy.executemany(
                    f"INSERT INTO {_SOCKETS} VALUES (?, ?)",
                    ((json.dumps([*tags]), attachment or None) for tags, attachment in sockets),
                )
        copy.close()
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except (apsw.Error, OSError) as error:
        raise storage_error("export", error, "the exported file") from error
    finally:
        copy.close(True)


def add_facet(copy: apsw.Connection, facet: int, path: Sequence[str], content: Path) -> None:
    """
    Add the database of one of the object's facets to a copy of the object's own. Blocking.

    Args:
        copy: The copy, in a file.
        facet: A number for it.
        path: The names that lead to it.
        content: Its complete database.
    Raises:
        StorageError: It cannot be read or written.
    """
    try:
        with copy, content.open("rb") as file:
            copy.execute(_CREATE_FACETS)
            copy.execute(f"INSERT INTO {_FACETS} VALUES (?, ?)", (facet, json.dumps([*path])))
            position = facet << 32
            while piece := file.read(_PIECE_BYTES):
                copy.execute(f"INSERT INTO {_PIECES} VALUES (?, ?)", (position, piece))
                position += 1
    except (apsw.Error, OSError) as error:
        raise storage_error("export", error, "the exported file") from error


def facets(path: Path) -> Iterator[tuple[tuple[str, ...], apsw.Connection]]:
    """
    Take an object's facets out of a file, one at a time. Blocking.

    Args:
        path: As for `read`.
    Yields:
        The names that lead to it, and a database without a file, which is the caller's.
    Raises:
        StorageError: See `read`.
    """
    try:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            source.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            source.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            found = (
                source.execute(f"SELECT facet, path FROM {_FACETS}")
                if source.execute(_HAS_FACETS).get
                else ()
            )
            for facet, names in found:
                with tempfile.NamedTemporaryFile() as file:
                    if not isinstance(facet, int) or not 0 <= facet < 1 << 31:
                        raise RefusedError("import", f"The file has a facet {facet!r}.")
                    pieces = source.execute(
                        f"SELECT data FROM {_PIECES} WHERE position >= ? AND position < ? ORDER BY position",
                        (facet << 32, facet + 1 << 32),
                    )
                    for (piece,) in pieces:
                        if not isinstance(piece, bytes):
                            raise RefusedError(
                                "import", f"The file is damaged: facet {facet}.", apsw.SQLITE_CORRUPT
                            )
                        file.write(piece)
                    file.flush()
                    file.seek(0)
                    if file.read(len(_MAGIC)) != _MAGIC:
                        # SQLite would take a file that is cut short for an empty one.
                        raise RefusedError(
                            "import", f"The file is damaged: facet {facet}.", apsw.SQLITE_CORRUPT
                        )
                    yield _path(names), _content(file.name)
        finally:
            source.close(True)
    except (apsw.Error, OSError) as error:
        raise _unusable(error) from error


def _path(stored: apsw.SQLiteValue) -> tuple[str, ...]:
    try:
        names = json.loads(stored) if isinstance(stored, str) else None
    except ValueError:
        names = None
    if (
        not isinstance(names, list)
        or not 1 <= len(names) <= _DEEPEST
        or not all(isinstance(name, str) and 0 < len(name_bytes(name) or b"") <= _LONGEST for name in names)
    ):
        raise RefusedError("import", f"The file has a facet that is called {stored!r}.")
    return tuple(names)


def unfinished(path: Path) -> Path:
    """
    Where a file is written until it is complete, beside its place.

    Args:
        path: Its place.
    Raises:
        StorageError: A folder is there.
    """
    if path.is_dir():
        raise StorageError("export", f"{path}: {os.strerror(errno.EISDIR)}")
    # Whoever else writes the same file at the same time has a name of his own.
    return path.with_name(f".{secrets.token_hex(8)}.unfinished")


def publish(finished: Path, path: Path) -> None:
    """
    Give a finished file its name, in place of a file that has it. Blocking.

    Raises:
        OSError: The file system failed.
    """
    finished.replace(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> tuple[apsw.Connection, Facts]:
    """
    Take an object out of a file. Blocking.

    Args:
        path: A portable file, or an object's own that is not in use.
    Returns:
        A database without a file, for `ObjectDatabase.replace`, and what is said about the object.
    Raises:
        StorageError: The file cannot be read, is damaged, or holds what no object's database holds.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise StorageError("import", f"{path}: {error.strerror or error}") from error
    if magic != _MAGIC:
        # SQLite would take an empty file for an empty database.
        raise RefusedError("import", "The file is not a database.", apsw.SQLITE_NOTADB)
    try:
        content = _content(str(path))
    except (apsw.Error, OSError) as error:
        raise _unusable(error) from error
    try:
        return content, _facts(content)
    except apsw.Error as error:
        content.close(True)
        raise _unusable(error) from error
    except BaseException:
        content.close(True)
        raise


def _content(path: str) -> apsw.Connection:
    """A database in a file, checked, as one without a file."""
    content = open_newborn()
    try:
        source = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            source.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_ROW)
            source.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            source.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            _check(source)
            with content.backup("main", source, "main") as backup:
                backup.step(-1)
        finally:
            source.close(True)
    except BaseException:
        content.close(True)
        raise
    return content


def rename(content: apsw.Connection, name: str | None) -> None:
    """
    Give the object in a database without a file its name.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        if content.execute(statements.HAS_METADATA).get:
            content.execute("DELETE FROM _cf_METADATA WHERE key = ?", (int(Key.NAME),))
        elif name is not None:
            content.execute(statements.CREATE_METADATA)
        if name is not None:
            content.execute(statements.PUT_NAME, (int(Key.NAME), name_bytes(name)))
    except apsw.Error as error:
        raise storage_error("import", error, "the copy") from error


def facts_of(content: apsw.Connection) -> Facts:
    """
    What a copy of an object's own database says about it.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        return _facts(content)
    except apsw.Error as error:
        raise storage_error("copy", error, "the copy") from error


def _unusable(error: apsw.Error | OSError) -> StorageError:
    failed = storage_error("import", error, "the file")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return RefusedError("import", failed.message, failed.sqlite_code)
    return failed


def _check(source: apsw.Connection) -> None:
    damage = source.execute(f"PRAGMA integrity_check({_DAMAGE_SHOWN})").fetchall()
    if damage != [("ok",)]:
        raise RefusedError(
            "import", f"The file is damaged: {'; '.join(str(row[0]) for row in damage)}", apsw.SQLITE_CORRUPT
        )
    intruders = [str(row[0]) for row in source.execute(_INTRUDERS, INDEXES)]
    for table, columns in _PLAIN_COLUMNS:
        found = source.execute(_COLUMNS, (table,)).fetchall()
        if found and found != columns:
            intruders.append(table)
    if intruders:
        raise RefusedError("import", f"The file is no object's: its schema has {intruders[0]!r}.")


def _facts(content: apsw.Connection) -> Facts:
    said: dict[apsw.SQLiteValue, apsw.SQLiteValue] = {}
    if content.execute(_HAS).get:
        said = dict(row[:2] for row in content.execute(_READ))
        if said.get("format") not in (FORMAT, WITH_FACETS):
            raise RefusedError(
                "import",
                f"The file has the format {said.get('format')!r}; this reads {FORMAT} and {WITH_FACETS}.",
            )
        content.execute(f"DROP TABLE {_TABLE}; DROP TABLE IF EXISTS {_SOCKETS}")
        if content.execute(_HAS_FACETS).get:
            content.execute(f"DROP TABLE {_FACETS}; DROP TABLE IF EXISTS {_PIECES}; VACUUM")
    name, alarm = None, None
    if content.execute(statements.HAS_METADATA).get:
        name = name_from(content.execute(statements.GET_NAME, (int(Key.NAME),)).get)
        alarm = content.execute(statements.GET_METADATA, (int(Key.ALARM),)).get
    unique_key, object_id = said.get("unique_key"), said.get("id")
    return Facts(
        unique_key if isinstance(unique_key, str) else None,
        object_id if isinstance(object_id, str) else None,
        name,
        alarm if isinstance(alarm, int) else None,
    )
