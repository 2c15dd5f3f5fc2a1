"""Which connection an object's database is used by, and where the database is then.

The connection in use is one of

* *at home*: to the database that exists; may be closed between transactions and opened again by the next use;
* *newborn*: no database exists yet; the first transaction's own, turned into one by the commit; or a *cradle*, as long as
  nothing but the host's own tables is used, see `cradles`;
* *reborn*: ``delete_all`` ran in this transaction; a newborn, while the old connection waits for the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.birth import image_of
from durabox.storage.connection import PAGE_BYTES, open_newborn
from durabox.storage.cradles import Cradles, move
from durabox.storage.failures import storage_error
from durabox.storage.history.restoring import Restoring
from durabox.storage.homes import Home
from durabox.storage.open_files import OpenFiles, Rests

#: A file that no connection can be had to.
_DAMAGED: Final = frozenset({apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB})


class Residence:
    """
    Of one object's database. Its methods raise `apsw.Error` and `OSError` unless they say something else.

    Args:
        home: Where the database is between uses.
        open_files: Bounds the number of open connections.
        user: Whose the connection is.
        max_bytes: What the database may take on disk.
        cradles: Where a first transaction may run; ``None`` if it must be in a newborn of its own.
        on_change: Called when another connection, or none, comes into use; the one before is still open then.
    """

    __slots__ = (
        "_cradles",
        "_max_bytes",
        "_old",
        "_on_change",
        "_open_files",
        "_user",
        "connection",
        "cradled",
        "home",
        "known",
        "named",
        "newborn",
    )

    def __init__(
        self,
        home: Home,
        open_files: OpenFiles,
        user: Rests,
        max_bytes: int,
        cradles: Cradles | None,
        on_change: Callable[[], None],
    ) -> None:
        self.home = home
        #: The one in use, if any is open.
        self.connection: apsw.Connection | None = None
        self.newborn = False
        #: Whether the newborn is a cradle.
        self.cradled = False
        #: Whether the home has a database; ``None`` until somebody asks.
        self.known: bool | None = None
        #: Whether the database at home was seen to have a name.
        self.named = False
        self._open_files = open_files
        self._user = user
        self._max_bytes = max_bytes
        self._cradles = cradles
        self._on_change = on_change
        #: Of one that is reborn.
        self._old: apsw.Connection | None = None

    def exists(self) -> bool:
        """
        Whether the home has a database.

        Raises:
            StorageError: It cannot be told.
        """
        if self.known is None:
            try:
                self.known = self.home.exists()
            except OSError as error:
                raise storage_error("open", error, self.home.label) from error
        return self.known

    def connect(self) -> apsw.Connection:
        """
        Open the database that exists.

        Raises:
            StorageError: SQLite cannot.
        """
        try:
            self.connection = self.home.open()
            self._limit(self.connection)
        except (apsw.Error, OSError) as error:
            raise storage_error("open", error, self.home.label) from error
        self._open_files.opened(self._user)
        return self.connection

    def leave(self) -> None:
        """Give the connection back; nothing is uncommitted in it."""
        assert self.connection is not None
        connection, self.connection = self.connection, None
        self._on_change()
        self._open_files.closed(self._user)
        self.home.leave(connection)

    # Newborns

    def open_newborn(self) -> apsw.Connection:
        """Use a newborn; no connection is open."""
        self.connection = self._make_newborn()
        self.newborn = True
        return self.connection

    def be_reborn(self) -> apsw.Connection:
        """Use a newborn from now on, while the connection waits."""
        newborn = self._make_newborn()
        self._on_change()
        self._old, self.connection = self.connection, newborn
        self.newborn = True
        return newborn

    def lie_down(self) -> bool:
        """Use a cradle with a transaction begun, if there are any; no connection is open."""
        if self._cradles is None:
            return False
        self.connection = self._cradles.take()
        self.newborn = self.cradled = True
        return True

    def move_out(self) -> apsw.Connection:
        """Go on in a newborn of its own; only in a cradle."""
        cradle = self.connection
        assert cradle is not None and self._cradles is not None
        self._on_change()
        newborn = self._make_newborn()
        try:
            newborn.execute("BEGIN IMMEDIATE")
            move(cradle, newborn)
        except BaseException:
            newborn.close(True)
            raise
        self.cradled = False
        self.connection = newborn
        self._cradles.give_back(cradle)
        return newborn

    def settle(self) -> None:
        """Give the newborn, which is committed unless it is a cradle, its home, or none if it is empty."""
        newborn = self.connection
        assert newborn is not None
        if self.cradled:
            image = image_of(newborn)
            if image is not None:
                self.empty_cradle(len(image))
                self.home.bear(image)
                self.known = True
                return
            newborn = self.move_out()
            newborn.execute("COMMIT")
        empty = newborn.execute(statements.HAS_ANYTHING).get is None
        self.part_with_newborn()
        old, self.connection = self.connection, None
        self._forget_home()
        if old is not None:
            self._open_files.closed(self._user)
        if empty:
            newborn.close(True)
        if old is not None or not empty:
            self.home.replace(old, None if empty else newborn)
        self.known = not empty

    def empty_cradle(self, size: int) -> None:
        """Let others have the cradle, which has so many bytes. Whether what was stored in it is to be found is not known yet."""
        cradle = self.connection
        assert cradle is not None and self._cradles is not None
        self.part_with_newborn()
        self._cradles.give_back(cradle, size // PAGE_BYTES)
        self._forget_home()

    def part_with_newborn(self) -> None:
        """The newborn is somebody else's; the connection is what was there before."""
        self._on_change()
        self.connection, self._old = self._old, None
        self.newborn = self.cradled = False

    def discard_newborn(self) -> None:
        """As if it had not been."""
        newborn, cradles = self.connection, self._cradles if self.cradled else None
        assert newborn is not None
        self.part_with_newborn()
        if cradles is None:
            newborn.close(True)
        else:
            cradles.give_back(newborn)

    # The whole; with nothing uncommitted

    def replace(self, new: apsw.Connection | None) -> None:
        """See `ObjectDatabase.replace`."""
        old = self.connection
        if old is None and self.exists():
            try:
                old = self.connect()
            except StorageError as error:
                if error.sqlite_code & 0xFF not in _DAMAGED:
                    raise
                self.home.discard()
        self._give_up()
        if old is not None or new is not None:
            self.home.replace(old, new)

    def restore(self, restoring: Restoring) -> None:
        """See `ObjectDatabase.restore`."""
        if self.connection is None and self.exists():
            self.connect()
        connection = self.connection
        self._give_up()
        try:
            restoring.carry_out(connection)
        finally:
            if connection is not None:
                connection.close(True)

    # Inside

    def _give_up(self) -> None:
        """The connection is about to be used up, and the home's database to be another one."""
        self._on_change()
        self.connection = None
        self._forget_home()
        self._open_files.closed(self._user)

    def _forget_home(self) -> None:
        self.known = None
        self.named = False

    def _make_newborn(self) -> apsw.Connection:
        newborn = open_newborn()
        try:
            self._limit(newborn)
        except apsw.Error:
            newborn.close(True)
            raise
        return newborn

    def _limit(self, connection: apsw.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._max_bytes // PAGE_BYTES}").fetchall()
