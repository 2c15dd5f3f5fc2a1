"""SQLite connections to objects' files, set up for many small databases in one process.

Why these settings (measured with thousands of 8 KiB databases):

*Exclusive locking.* The state directory has one owner process, so nobody shares a file. SQLite then keeps the
WAL index in its heap, needs no ``-shm`` file and no locking calls: a point read takes 1 µs instead of 4. It
also keeps any other program, workerd included, from opening a file that is in use.

*Nothing is checkpointed on close.* A checkpoint syncs, and connections are closed on the event loop. The WAL
stays beside the file, which is complete and durable with it; the next open reads it. It is copied into the
file after `CHECKPOINT_PAGES`, in the commit that gets there, so it stays small and opening stays fast.

*Small memory.* SQLite allots 87 KB for the first 20 pages of every cache, unless the cache is tiny when its
first page is read. So the cache is made tiny, emptied, used once and only then given its size. With lookaside
memory off (120 KB) an open connection takes 70 KB instead of 260.
"""

from __future__ import annotations

import threading
from typing import Final

import apsw

from durabox.storage.durability import Durability

#: Most bytes in one row, its key, value and a few bytes of header; more is "string or blob too big".
MAX_ROW: Final = 8 * 1024 * 1024 + 34

#: Size of a page of a new database.
PAGE_BYTES: Final = 4096
#: The WAL is copied into the database file when it has this many pages of 4 KiB: seldom enough for events that write dozens of
#: them, and little enough to be read at once by whoever opens the file.
CHECKPOINT_PAGES: Final = 512
#: A WAL that a large transaction made longer is cut to this many bytes when it is used anew.
_WAL_BYTES_KEPT: Final = 4 * 1024 * 1024
_CACHE_PAGES: Final = 64
#: Compiled statements kept, the host's own and the object's. APSW keeps none of more than 16 KB of text: 2 MB at most.
#: It keeps them in a ring, where each use of one takes the next place and whoever has it goes: what an event runs a hundred
#: times must not cost it all the others.
_STATEMENTS: Final = 128

_SYNCHRONOUS: Final = {Durability.FULL: "FULL", Durability.NORMAL: "NORMAL", Durability.OFF: "OFF"}


class _Process:
    """SQLite's process-wide settings; made once."""

    lock = threading.Lock()
    set_up = False


def spare_memory() -> None:
    """
    Turn SQLite's lookaside memory off for connections opened from now on.

    The setting belongs to the whole process and can only be made while no connection is open; where the
    embedding program has some, they are left in peace and each of ours takes 120 KB more.
    """
    with _Process.lock:
        if _Process.set_up or apsw.connections():
            return
        apsw.shutdown()
        apsw.config(apsw.SQLITE_CONFIG_LOOKASIDE, 0, 0)
        apsw.initialize()
        _Process.set_up = True


def open_file(path: str, durability: Durability, vfs: str | None) -> apsw.Connection:
    """
    Open an object's file.

    Args:
        path: An existing file.
        durability: What commits guarantee.
        vfs: SQLite VFS, ``None`` for the default.
    Raises:
        apsw.Error: It cannot be opened, is in use or is no database.
    """
    connection = apsw.Connection(
        path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs, statementcachesize=_STATEMENTS
    )
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_ROW)
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        run = connection.cursor().execute
        # Before the first access to the file: it decides where the WAL index lives.
        run("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        run("PRAGMA cache_size = 2").fetchall()
        connection.release_memory()
        # Workerd's files are in this mode and ours are born in it: only a stranger is changed here.
        run("PRAGMA journal_mode = WAL").fetchall()
        run("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        run(f"PRAGMA cache_size = {_CACHE_PAGES}").fetchall()
        run(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}").fetchall()
        run(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}").fetchall()
    except BaseException:
        connection.close(True)
        raise
    return connection


def open_newborn() -> apsw.Connection:
    """
    A database without a file: in memory, and past 2 MB of it in a nameless temporary file.

    Raises:
        apsw.Error: SQLite cannot.
    """
    connection = apsw.Connection("", statementcachesize=_STATEMENTS)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_ROW)
    return connection
