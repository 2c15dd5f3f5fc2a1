"""``ctx.storage``'s bookmarks: points in the object's history, and the way back to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durabox.errors import RefusedError
from durabox.storage.failures import storage_error
from durabox.storage.history.past import Moment, Past
from durabox.storage.history.recorder import Recorder
from durabox.storage.history.restoring import Restoring
from durabox.storage.metadata import Key

if TYPE_CHECKING:
    from durabox.storage.database import ObjectDatabase

#: What workerd answers, which never has a history.
NOT_KEPT: Final = "This Durable Object's storage back-end does not implement point-in-time recovery."


class Bookmarks:
    """
    An object's states by bookmark. Errors are those of `ObjectDatabase`.

    Args:
        database: The object's.
        history: Its past, ``None`` if none is kept.
        restoring: Goes back to it.
    """

    __slots__ = ("_database", "_history", "_restoring", "promised")

    def __init__(
        self, database: ObjectDatabase, history: Recorder | None, restoring: Restoring | None
    ) -> None:
        self._database = database
        self._history = history
        self._restoring = restoring
        #: Whether somebody has the bookmark of the commit to come, so that it must change something.
        self.promised = False

    def current(self) -> str:
        """
        The present state. With writes that are not committed yet it is that of the commit that will hold them.

        Without a history it is a counter, as with workerd, and counting is a write.
        """
        if self._history is None:
            count = self._count()
            return f"{count >> 32:08x}-{count & 0xFFFFFFFF:08x}-00000000-{0:032x}"
        past = self._past("getCurrentBookmark")
        if not self._database.dirty:
            return past.newest.bookmark
        self.promised = True
        return past.next()

    def at(self, time: float) -> str:
        """
        The state at a time.

        Args:
            time: Milliseconds since the epoch, within what is kept.
        """
        return self._past("getBookmarkForTime").at(time).bookmark

    def restore_next(self, bookmark: str) -> str:
        """
        Go back to a bookmark at the next start of the object.

        Returns:
            The bookmark that undoes it.
        """
        operation = "onNextSessionRestoreBookmark"
        restoring = self._restoring
        if restoring is None:
            raise RefusedError(operation, NOT_KEPT)
        past = self._past(operation)
        try:
            return restoring.request(past, past.check(bookmark))
        except OSError as error:
            raise storage_error(operation, error, "history") from error

    @property
    def kept(self) -> bool:
        """Whether there is a history on disk."""
        return self._history is not None and self._history.exists

    def range(self) -> tuple[Moment, Moment] | None:
        """The oldest state that can be had back and the present one; ``None`` without a history."""
        if self._history is None:
            return None
        past = self._past("history")
        return past.oldest, past.newest

    def keep_promise(self) -> None:
        """Write something, so that there is a commit for the bookmark that was given out."""
        self.promised = False
        self._count()

    def _count(self) -> int:
        metadata = self._database.metadata
        stored = metadata.get(Key.BOOKMARK)
        count = (stored if isinstance(stored, int) else 0) + 1
        metadata.put(Key.BOOKMARK, count)
        return count

    def _past(self, operation: str) -> Past:
        if self._history is None:
            raise RefusedError(operation, NOT_KEPT)
        # A first look at the file, so that the WAL is known.
        self._database.to_read(operation)
        return Past(self._history, operation)
