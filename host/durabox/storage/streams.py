"""Values that are streams of bytes, as the early API has them: kept in pieces, written and read without ever being whole
in memory.

The value in ``_cf_KV`` is a marker (`marker`): in V8's format an object of the platform, of a type that only we know, with the
stream's number. Workerd refuses to read such a value, and that key alone; everything else it reads and writes as ever.

::

    _cf_STREAM        id, state (0: not complete, 1: the value of its key, 2: nobody's value any more), how many pieces,
                      the key whose value it is, and the marker there
    _cf_STREAM_PIECE  position = id * 2**24 + number of the piece, from 0; data

A stream becomes a value in one transaction, when it is complete. When the key gets another value or goes, triggers on
``_cf_KV`` mark the stream as gone within the same transaction; its pieces are then removed a few at a time
(`StoredStreams.purge`), once nobody reads them. What a crash leaves half written is removed the same way.

The triggers are the connection's own: workerd works with no file that has any. What it did to keys whose values were
streams is found with the first commit after it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import apsw

from durabox.errors import StorageError

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase

#: Bytes in a piece.
PIECE: Final = 256 * 1024
#: Header of the format, version 15; object of the platform; its type, 1000, as the varint that the format asks for.
_MARKER: Final = b"\xff\x0f\\\xe8\x07"
_SHIFT: Final = 24
#: Pieces that are removed at once: 4 MiB.
_PURGED: Final = 16

DELETED: Final = "The stored stream was deleted while it was being read."

_HAS: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_cf_STREAM'"
#: The indexes on these tables, as the schema has them.
INDEXES: Final = (
    "CREATE INDEX _cf_STREAM_key ON _cf_STREAM (key) WHERE state = 1",
    "CREATE INDEX _cf_STREAM_waste ON _cf_STREAM (id) WHERE state <> 1",
)
_CREATE: Final = f"""
CREATE TABLE _cf_STREAM (id INTEGER PRIMARY KEY, state INTEGER, pieces INTEGER, key TEXT, marker BLOB);
{";".join(INDEXES)};
CREATE TABLE _cf_STREAM_PIECE (position INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
"""
_ARM: Final = """
CREATE TEMP TRIGGER IF NOT EXISTS _cf_STREAM_updated AFTER UPDATE ON main._cf_KV
BEGIN UPDATE _cf_STREAM SET state = 2 WHERE key = old.key AND state = 1; END;
CREATE TEMP TRIGGER IF NOT EXISTS _cf_STREAM_deleted AFTER DELETE ON main._cf_KV
BEGIN UPDATE _cf_STREAM SET state = 2 WHERE key = old.key AND state = 1; END;
"""
#: Streams whose keys another program has given other values.
_DISOWN: Final = """
UPDATE _cf_STREAM SET state = 2 WHERE state = 1 AND NOT EXISTS
(SELECT 1 FROM _cf_KV WHERE _cf_KV.key = _cf_STREAM.key AND _cf_KV.value = _cf_STREAM.marker)
"""
_LAST: Final = "SELECT max(id) FROM _cf_STREAM"
_BEGIN: Final = "INSERT INTO _cf_STREAM VALUES (?, 0, 0, NULL, NULL)"
_GROWN: Final = "UPDATE _cf_STREAM SET pieces = ? WHERE id = ?"
_ADD: Final = "INSERT INTO _cf_STREAM_PIECE VALUES (?, ?)"
_FINISH: Final = "UPDATE _cf_STREAM SET state = 1, key = CAST(?1 AS TEXT), marker = ?2 WHERE id = ?3"
_FAIL: Final = "UPDATE _cf_STREAM SET state = 2 WHERE id = ?"
_WRITTEN: Final = "SELECT 1 FROM _cf_STREAM WHERE id = ? AND state = 0"
_PIECES: Final = "SELECT pieces FROM _cf_STREAM WHERE id = ? AND state <> 0"
_PIECE_AT: Final = "SELECT data FROM _cf_STREAM_PIECE WHERE position = ?"
_WASTE: Final = "SELECT id FROM _cf_STREAM WHERE state <> 1"
_REMOVE_PIECES: Final = """
DELETE FROM _cf_STREAM_PIECE WHERE position IN
(SELECT position FROM _cf_STREAM_PIECE WHERE position >= ? AND position < ? LIMIT ?)
"""
_REMOVE: Final = "DELETE FROM _cf_STREAM WHERE id = ?"


def is_marker(value: bytes) -> bool:
    """Whether a stored value stands for a stream."""
    return value.startswith(_MARKER)


def marker(stream: int) -> bytes:
    """The value that stands for a stream."""
    varint = bytearray()
    while stream >= 0x80:
        varint.append(stream & 0x7F | 0x80)
        stream >>= 7
    varint.append(stream)
    return _MARKER + varint


class StoredStreams:
    """
    An object's streams. Errors are those of `ObjectDatabase`.

    Args:
        database: Where they are.
    """

    __slots__ = ("_database", "_last", "_looked", "_readers", "_writing", "armed", "known")

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        #: Whether the object has the tables, as far as anybody looked.
        self.known = False
        #: Whether the connection in use has the triggers, if it needs them.
        self.armed = False
        self._looked = False
        #: Numbers are not used twice while somebody may remember them.
        self._last = 0
        self._writing: set[int] = set()
        self._readers: Counter[int] = Counter()

    # Writing

    def begin(self) -> int:
        """A new stream, to `add` to."""
        connection = self._database.to_write("put")
        try:
            if not connection.execute(_HAS).get:
                connection.execute(_CREATE + _ARM).fetchall()
            last = connection.execute(_LAST).get
            stream = self._last = max(self._last, last if isinstance(last, int) else 0) + 1
            connection.execute(_BEGIN, (stream,)).fetchall()
        except apsw.Error as error:
            raise self._database.failed("put", error) from error
        self.known = True
        self._writing.add(stream)
        return stream

    def add(self, stream: int, pieces: list[bytes], before: int) -> None:
        """
        Add pieces to a stream that is being written.

        Args:
            stream: Its number.
            pieces: Each of `PIECE` bytes, the very last one of any length.
            before: How many it has already.
        """
        connection = self._database.to_write("put")
        first = (stream << _SHIFT) + before
        try:
            self._check_written(connection, stream)
            connection.execute(_GROWN, (before + len(pieces), stream)).fetchall()
            connection.executemany(_ADD, [(first + number, piece) for number, piece in enumerate(pieces)])
        except apsw.Error as error:
            raise self._database.failed("put", error) from error

    def finish(self, stream: int, key: bytes) -> None:
        """Make a stream the value of a key."""
        connection = self._database.to_write("put")
        try:
            self._check_written(connection, stream)
            # In this order: the first marks the key's stream so far, whichever it is, as gone.
            self._database.kv.put(key, marker(stream))
            connection.execute(_FINISH, (key, marker(stream), stream)).fetchall()
        except apsw.Error as error:
            raise self._database.failed("put", error) from error
        self._writing.discard(stream)

    def give_up(self, stream: int) -> None:
        """A stream will not be completed."""
        self._writing.discard(stream)
        connection = self._database.to_write("put")
        try:
            if connection.execute(_HAS).get:
                connection.execute(_FAIL, (stream,)).fetchall()
        except apsw.Error as error:
            raise self._database.failed("put", error) from error

    # Reading

    def open(self, stream: int) -> int:
        """
        Begin to read a stream; until `close` its pieces stay, even when the key gets another value.

        Returns:
            How many pieces it has.
        """
        connection = self._database.to_read("get")
        try:
            pieces = None
            if connection is not None and connection.execute(_HAS).get:
                pieces = connection.execute(_PIECES, (stream,)).get
        except apsw.Error as error:
            raise self._database.failed("get", error) from error
        if not isinstance(pieces, int):
            raise StorageError("get", DELETED)
        self.known = True
        self._readers[stream] += 1
        return pieces

    def piece(self, stream: int, number: int) -> bytes:
        """One piece."""
        connection = self._database.to_read("get")
        try:
            data = None
            if connection is not None:
                data = connection.execute(_PIECE_AT, ((stream << _SHIFT) + number,)).get
        except apsw.SQLError:
            # deleteAll has taken the table along.
            data = None
        except apsw.Error as error:
            raise self._database.failed("get", error) from error
        if not isinstance(data, bytes):
            raise StorageError("get", DELETED)
        return data

    def close(self, stream: int) -> None:
        """Nobody goes on with that reading."""
        self._readers[stream] -= 1
        if not self._readers[stream]:
            del self._readers[stream]

    # Removing

    def arm(self, connection: apsw.Connection) -> None:
        """Have a connection mark the streams that it takes from their keys. Before it begins a transaction."""
        self.armed = True
        if connection.execute(_HAS).get:
            self.known = True
            connection.execute(_ARM).fetchall()

    def look(self, connection: apsw.Connection) -> None:
        """Find what another program has left, once, in the object's first commit and in its thread."""
        if not self._looked:
            self._looked = True
            if self.known and connection.execute(_HAS).get:
                connection.execute(_DISOWN).fetchall()

    @property
    def waste(self) -> bool:
        """Whether `purge` has something to do."""
        return self.known and self._wasted() is not None

    def purge(self) -> None:
        """Remove a few pieces of a stream that nobody needs."""
        stream = self._wasted()
        if stream is None:
            return
        connection = self._database.to_write("delete")
        try:
            first = stream << _SHIFT
            connection.execute(_REMOVE_PIECES, (first, first + (1 << _SHIFT), _PURGED)).fetchall()
            if connection.changes() < _PURGED:
                connection.execute(_REMOVE, (stream,)).fetchall()
        except apsw.Error as error:
            raise self._database.failed("delete", error) from error

    def _wasted(self) -> int | None:
        connection = self._database.to_read("delete")
        if connection is None:
            return None
        try:
            if not connection.execute(_HAS).get:
                self.known = False
                return None
            for (stream,) in connection.execute(_WASTE):
                if stream not in self._writing and not self._readers[stream]:
                    return int(stream)
        except apsw.Error as error:
            raise self._database.failed("delete", error) from error
        return None

    def _check_written(self, connection: apsw.Connection, stream: int) -> None:
        """What was put inside a transaction is rolled back with it, and deleteAll takes all."""
        if not (connection.execute(_HAS).get and connection.execute(_WRITTEN, (stream,)).get):
            raise StorageError(
                "put", "The stream was not stored: what it had written was rolled back or deleted."
            )
