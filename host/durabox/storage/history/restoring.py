"""Going back to an earlier state, at the next start of the object.

What is wanted lies in the history's folder as a file, so that it outlives the object that asked for it, and the
process. The state is built beside the database and takes its place by a rename, as any replacement does, so the
history goes on: what was there before the restore can be had back too.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import apsw
import msgspec

from durabox.errors import StorageError
from durabox.storage import statements
from durabox.storage.birth import Birthplace
from durabox.storage.history.bookmark import Bookmark
from durabox.storage.history.past import Past
from durabox.storage.history.recorder import Recorder
from durabox.storage.metadata import Key

logger = logging.getLogger("durabox.storage")

_OPERATION = "restore"


class _Wanted(msgspec.Struct, array_like=True, frozen=True):
    """The request: a bookmark, and the number that the restore will have."""

    bookmark: str
    undo: int


class Restoring:
    """
    Restores of one object.

    Args:
        recorder: Of its history.
        birthplace: Puts its files in place.
        announce: Told of the alarm that the restored state has, in nanoseconds since the epoch or ``None``, before it
            is in place.
    """

    def __init__(
        self, recorder: Recorder, birthplace: Birthplace, announce: Callable[[int | None], object]
    ) -> None:
        self._recorder = recorder
        self._birthplace = birthplace
        self._announce = announce
        self._file = f"{recorder.log.folder}/restore"

    @property
    def wanted(self) -> bool:
        """Whether the next start must restore something."""
        return self._recorder.exists and self._recorder.files.exists(self._file)

    def request(self, past: Past, bookmark: Bookmark) -> str:
        """
        Have the next start go back to a bookmark; an earlier request is forgotten.

        Args:
            past: The object's.
            bookmark: One that it let pass.
        Returns:
            The bookmark of the state just before that, whichever it will be.
        Raises:
            OSError: The request cannot be written.
        """
        undo = secrets.randbits(32) or 1
        log, files = self._recorder.log, self._recorder.files
        new = self._birthplace.unfinished()
        files.write(new, msgspec.msgpack.encode(_Wanted(str(bookmark), undo)), sync=log.sync)
        files.rename(new, self._file)
        if log.sync:
            files.sync_folder(log.folder)
        return str(Bookmark(past.commit, undo, bookmark.line))

    def carry_out(self, connection: apsw.Connection | None) -> None:
        """
        Restore what is wanted. Blocking.

        A history that turns out not to have the state any more leaves the object as it is, which the log says.

        Args:
            connection: To the database, ``None`` if there is none. It is used up.
        Raises:
            apsw.Error: SQLite failed.
            OSError: The file system failed; the request stays.
        """
        recorder = self._recorder
        exists = connection is not None
        if connection is not None:
            recorder.checkpoint(connection, whole=True)
            connection.close(True)
            recorder.closed()
        try:
            with recorder.files.open(self._file) as file:
                wanted = msgspec.msgpack.decode(file.read(), type=_Wanted)
            past = Past(recorder, _OPERATION)
            if not past.has_undo(wanted.undo):
                self._replace(past, past.check(wanted.bookmark).commit, wanted.undo, exists=exists)
        except (StorageError, ValueError) as error:
            logger.error("%s: not restored, the object stays as it is: %s", recorder.label, error)
        recorder.files.remove(self._file)

    def _replace(self, past: Past, commit: int, undo: int, *, exists: bool) -> None:
        files = self._recorder.files
        new = self._birthplace.unfinished()
        built = past.build(commit, new)
        try:
            alarm = None
            if built:
                files.sync_file(new)
                alarm = _alarm(new)
            self._announce(alarm)
            self._birthplace.put_in_place(
                self._recorder.path, new if built else None, self._recorder, replaces=exists, undo=undo
            )
        finally:
            files.remove(new)
        logger.info("%s: restored to an earlier state", self._recorder.label)


def _alarm(path: str) -> int | None:
    """The alarm in a database file that nobody uses."""
    connection = apsw.Connection(
        f"file:{path}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    try:
        if not connection.execute(statements.HAS_METADATA).get:
            return None
        value = connection.execute(statements.GET_METADATA, (int(Key.ALARM),)).get
        return value if isinstance(value, int) else None
    finally:
        connection.close(True)
