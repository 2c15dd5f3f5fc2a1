"""Where an object's database is while the object does not use it: in a file, or in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

import apsw

from durabox.storage.birth import Birthplace, Work
from durabox.storage.connection import CHECKPOINT_PAGES, open_file, open_newborn
from durabox.storage.durability import Durability
from durabox.storage.facet_index import FacetIndex, facet_id
from durabox.storage.history.recorder import Recorder
from durabox.storage.history.restoring import Restoring
from durabox.storage.history.retention import Retention


class Home(Protocol):
    """One object's database at rest."""

    #: Names the database in messages.
    label: str
    #: Keeps its past; ``None`` if nobody does.
    history: Recorder | None
    #: Goes back to it; there is one if there is a history.
    restoring: Restoring | None

    def exists(self) -> bool:
        """
        Whether there is one.

        Raises:
            OSError: It cannot be told.
        """
        ...

    def open(self) -> apsw.Connection:
        """
        A connection to the existing database.

        Raises:
            apsw.Error: SQLite cannot open it.
            OSError: It was born just now and its file cannot be written.
        """
        ...

    def complete(self, connection: apsw.Connection) -> None:
        """
        Bring everything into the file, if it is one. Blocking.

        Args:
            connection: One that `open` gave; nothing is uncommitted in it.
        Raises:
            apsw.Error: SQLite failed.
            OSError: The file system failed.
        """
        ...

    def leave(self, connection: apsw.Connection) -> None:
        """Take back a connection that `open` gave; nothing is uncommitted in it."""
        ...

    @property
    def bears_together(self) -> bool:
        """Whether the first database can be put in place by `bear_together`."""
        ...

    def bear_together(self, image: bytearray, over: Callable[[OSError | None], object]) -> Work | None:
        """
        Put the first database in place, together with others; does not wait.

        Args:
            image: See `birth.image_of`.
            over: Called once, in another thread: with ``None`` when it is durable, or with why it failed.
        Returns:
            What some thread has to do now, ``None`` if one does it already.
        """
        ...

    def hurry(self) -> None:
        """Do now what `bear_together` has left to some thread. Blocking."""
        ...

    def bear(self, image: bytearray) -> None:
        """
        Put the first database in place. Blocking; durable when it returns.

        Args:
            image: See `birth.image_of`.
        Raises:
            OSError: The file system failed. There is no database.
        """
        ...

    def replace(self, old: apsw.Connection | None, new: apsw.Connection | None) -> None:
        """
        Put another database in place of the existing one, atomically. Blocking; durable when it returns.

        Args:
            old: The connection to the existing database, ``None`` if there is none.
            new: The committed newborn, ``None`` to remove the database. Both connections are used up.
        Raises:
            apsw.Error: SQLite failed.
            OSError: The file system failed. The old database or the new one is in place.
        """
        ...

    def discard(self) -> None:
        """
        Remove a database that cannot be opened. Blocking.

        Raises:
            OSError: The file system failed.
        """
        ...


class MemoryHome:
    """
    A database that lives as long as the host.

    Args:
        label: Names it in messages.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.history: Recorder | None = None
        self.restoring: Restoring | None = None
        self._connection: apsw.Connection | None = None

    def exists(self) -> bool:
        """See `Home`."""
        return self._connection is not None

    def open(self) -> apsw.Connection:
        """See `Home`."""
        assert self._connection is not None
        return self._connection

    def complete(self, connection: apsw.Connection) -> None:
        """See `Home`; there is nothing to do."""

    def leave(self, connection: apsw.Connection) -> None:
        """See `Home`; it is kept."""

    @property
    def bears_together(self) -> bool:
        """See `Home`; there is nothing to wait for."""
        return False

    def bear_together(self, image: bytearray, over: Callable[[OSError | None], object]) -> Work | None:
        """See `Home`; never called."""
        raise AssertionError("a database in memory has no log of births")

    def hurry(self) -> None:
        """See `Home`; there is nothing."""

    def bear(self, image: bytearray) -> None:
        """See `Home`."""
        self._connection = open_newborn()
        self._connection.deserialize("main", image)

    def replace(self, old: apsw.Connection | None, new: apsw.Connection | None) -> None:
        """See `Home`."""
        self._connection = new
        if old is not None:
            old.close(True)

    def size(self) -> int:
        """Bytes that it takes; only asked while it is there."""
        assert self._connection is not None
        pages: int = self._connection.pragma("page_count")
        return pages * int(self._connection.pragma("page_size"))

    def discard(self) -> None:
        """See `Home`."""
        self.close()

    def close(self) -> None:
        """Drop the database."""
        self.replace(self._connection, None)


class FileHome:
    """
    A database in a file of its own.

    Args:
        birthplace: Of the object's namespace.
        object_id: The object; names the file.
    """

    def __init__(self, birthplace: Birthplace, object_id: str) -> None:
        self.label = f"{birthplace.name}/{object_id}.sqlite"
        self.history: Recorder | None = None
        self.restoring: Restoring | None = None
        self._birthplace = birthplace
        self._path = f"{birthplace.path}/{object_id}.sqlite"

    def keep_history(
        self,
        folder: str,
        retention: Retention,
        clock: Callable[[], float],
        announce: Callable[[int | None], object],
    ) -> None:
        """
        Keep the database's past from now on.

        Args:
            folder: Where; need not exist.
            retention: How much.
            clock: Milliseconds since the epoch.
            announce: See `Restoring`.
        """
        birthplace = self._birthplace
        sync = birthplace.durability is not Durability.OFF
        settle = partial(birthplace.settle, self._path)
        self.history = Recorder(
            folder, self._path, self.label, birthplace.files, retention, sync, clock, settle
        )
        self.restoring = Restoring(self.history, birthplace, announce)

    def exists(self) -> bool:
        """See `Home`."""
        self._birthplace.place(self._path)
        return self._birthplace.files.exists(self._path)

    def open(self) -> apsw.Connection:
        """See `Home`."""
        birthplace = self._birthplace
        birthplace.place(self._path)
        connection = open_file(self._path, birthplace.durability, birthplace.files.vfs)
        if self.history is not None:
            self.history.opened(connection)
        elif birthplace.is_recorded(self._path):
            # In place of SQLite's own checkpoints, which do not know that.
            connection.set_wal_hook(self._checkpoint)
        return connection

    def complete(self, connection: apsw.Connection) -> None:
        """See `Home`."""
        self._birthplace.complete(self._path, connection, self.history)

    def leave(self, connection: apsw.Connection) -> None:
        """See `Home`; it is closed."""
        history = self.history
        if history is not None:
            history.leaving()
        connection.close(True)
        if history is not None:
            history.closed()

    @property
    def bears_together(self) -> bool:
        """See `Home`."""
        return self._birthplace.is_made and self._birthplace.takes_births(self.history)

    def bear_together(self, image: bytearray, over: Callable[[OSError | None], object]) -> Work | None:
        """See `Home`."""
        return self._birthplace.add(self._path, image, partial(self._born, over))

    def hurry(self) -> None:
        """See `Home`."""
        self._birthplace.hurry()

    def _born(self, over: Callable[[OSError | None], object], error: OSError | None) -> None:
        if error is None and self.history is not None:
            self.history.born()
        over(error)

    def bear(self, image: bytearray) -> None:
        """See `Home`."""
        self._birthplace.bear(self._path, image, self.history)

    def replace(self, old: apsw.Connection | None, new: apsw.Connection | None) -> None:
        """See `Home`."""
        self._birthplace.replace(self._path, old, new, self.history)

    def discard(self) -> None:
        """See `Home`."""
        self._birthplace.discard(self._path)

    def _checkpoint(self, connection: apsw.Connection, name: str, frames: int) -> int:
        """A commit was made. It is durable, whatever becomes of a checkpoint; the next commit tries again."""
        if frames >= CHECKPOINT_PAGES:
            with suppress(apsw.Error, OSError):
                self._birthplace.settle(self._path)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK


class FacetHome(FileHome):
    """
    The database of an object's facet.

    Args:
        birthplace: Of the object's namespace.
        object_id: The object.
        index: Of its facets.
        number: The facet's.
    """

    def __init__(self, birthplace: Birthplace, object_id: str, index: FacetIndex, number: int) -> None:
        super().__init__(birthplace, facet_id(object_id, number))
        self._index = index
        self._number = number

    def exists(self) -> bool:
        """See `Home`: a file whose number the index does not know is not the facet's."""
        return self._index.has(self._number) and super().exists()

    @property
    def bears_together(self) -> bool:
        """See `Home`: its number has to be kept first."""
        return False

    def bear(self, image: bytearray) -> None:
        """See `Home`."""
        self._index.keep(self._number)
        super().bear(image)

    def replace(self, old: apsw.Connection | None, new: apsw.Connection | None) -> None:
        """See `Home`."""
        if new is not None:
            self._index.keep(self._number)
        super().replace(old, new)
