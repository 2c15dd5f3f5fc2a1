"""The pending alarms of all objects: writes grouped, everything in one thread of its own.

A caller never waits for SQLite on the event loop: each method gives a future. Changes of one class that come in
while its index is being written are written together afterwards, so that many objects that set alarms at once
share one fsync.

Changes that may wait (a later time, no alarm any more) wait for the next one that may not, or for the next look at
the index: until then a crash costs a needless look at the object, and nothing more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

from durabox.errors import StorageError
from durabox.storage.alarm_index import AlarmIndex, Pending, Position, UnfinishedIndexError

logger = logging.getLogger("durabox.storage")

#: Changes that may wait, of one class; with more of them they are written.
_MOST_WAITING: Final = 1024

Listener = Callable[[str, str, int | None], None]


class OpenIndex(Protocol):
    """How a class's index is opened: blocking; raises `StorageError`."""

    def __call__(self, unique_key: str) -> AlarmIndex:
        """Open it, or make it."""
        ...


class _Class:
    """One class's index and what is to be written to it."""

    __slots__ = ("changes", "index", "writing")

    def __init__(self) -> None:
        #: Opened by the thread.
        self.index: AlarmIndex | None = None
        self.changes: dict[str, tuple[str | None, int | None]] = {}
        #: The write that will take the changes along.
        self.writing: Future[None] | None = None

    def note(self, object_id: str, name: str | None, time_ns: int | None) -> None:
        """A change to write; what is known of the name stays known."""
        if name is None and object_id in self.changes:
            name = self.changes[object_id][0]
        self.changes[object_id] = (name, time_ns)


class Alarms:
    """
    When to look at which object. Made by `StateDirectory`; its methods may be called from any thread.

    An object's own database says when its alarm is due (`metadata.Key.ALARM`). Whoever changes it outside of a live
    object, by copying, importing, restoring or deleting an object, says so here by `set`.

    Args:
        open_index: Opens a class's index.
    """

    def __init__(self, open_index: OpenIndex) -> None:
        self._open_index = open_index
        self._lock = threading.Lock()
        self._classes: dict[str, _Class] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="durabox-alarms")
        #: Told of every change: the unique key, the object's id, its time in ns or ``None``. In any thread.
        self.listener: Listener | None = None

    def open(self, unique_key: str) -> Future[None]:
        """
        Open a class's index, or make it: from the objects' databases if there are any, which must not be in use then.

        The future raises `StorageError`.
        """
        entry = self._class(unique_key)
        return self._executor.submit(self._opened, unique_key, entry)

    def set(self, unique_key: str, object_id: str, name: str | None, time_ns: int | None) -> Future[None]:
        """
        The object's alarm is, or is about to be, due at that time.

        A time earlier than the one before must be here before it is in the object's database.

        Args:
            unique_key: The namespace's.
            object_id: 64 lowercase hexadecimal digits.
            name: What the id was made from, if known; a name that is known already stays.
            time_ns: Nanoseconds since the epoch, as in the object's database; ``None`` for no alarm.
        Returns:
            Done when it is durable; raises `StorageError`.
        """
        entry = self._class(unique_key)
        with self._lock:
            entry.note(object_id, name, time_ns)
            writing = self._write_soon(unique_key, entry)
        self._tell(unique_key, object_id, time_ns)
        return writing

    def set_later(self, unique_key: str, object_id: str, name: str | None, time_ns: int | None) -> None:
        """Like `set`, for a time that is not earlier than the one before: it may wait, and nobody waits for it."""
        entry = self._class(unique_key)
        with self._lock:
            entry.note(object_id, name, time_ns)
            if len(entry.changes) >= _MOST_WAITING:
                self._write_soon(unique_key, entry)
        self._tell(unique_key, object_id, time_ns)

    def get(self, unique_key: str, object_id: str) -> Future[int | None]:
        """
        When the object's alarm is due, in nanoseconds since the epoch; does not wake the object.

        The future raises `StorageError`.
        """
        entry = self._class(unique_key)

        def read() -> int | None:
            return self._current(unique_key, entry).get(object_id)

        return self._executor.submit(read)

    def get_many(self, unique_key: str, object_ids: Iterable[str]) -> Future[dict[str, int]]:
        """
        When the alarms of those objects that have one are due; see `get`.

        The future raises `StorageError`.
        """
        entry = self._class(unique_key)

        def read() -> dict[str, int]:
            return self._current(unique_key, entry).get_many(object_ids)

        return self._executor.submit(read)

    def due(
        self, unique_key: str, after: Position, until_ns: int, limit: int
    ) -> Future[tuple[list[Pending], int | None]]:
        """See `AlarmIndex.due`; includes every change made before the call."""
        entry = self._class(unique_key)

        def read() -> tuple[list[Pending], int | None]:
            return self._current(unique_key, entry).due(after, until_ns, limit)

        return self._executor.submit(read)

    def close(self) -> None:
        """Write what waits and give the files back. Blocking."""
        self._executor.submit(self._close).result()
        self._executor.shutdown()

    # Inside

    def _class(self, unique_key: str) -> _Class:
        with self._lock:
            entry = self._classes.get(unique_key)
            if entry is None:
                entry = self._classes[unique_key] = _Class()
            return entry

    def _tell(self, unique_key: str, object_id: str, time_ns: int | None) -> None:
        listener = self.listener
        if listener is not None:
            listener(unique_key, object_id, time_ns)

    def _write_soon(self, unique_key: str, entry: _Class) -> Future[None]:
        if entry.writing is None:
            # Many wait for it: as it counts as running at once, none of them can cancel it for the others.
            writing = entry.writing = Future[None]()
            writing.set_running_or_notify_cancel()
            self._executor.submit(self._write_for, unique_key, entry, writing)
        return entry.writing

    # In the thread

    def _opened(self, unique_key: str, entry: _Class) -> None:
        if entry.index is None:
            entry.index = self._open_index(unique_key)

    def _write_for(self, unique_key: str, entry: _Class, writing: Future[None]) -> None:
        try:
            self._write(unique_key, entry)
        except BaseException as error:
            writing.set_exception(error)
        else:
            writing.set_result(None)

    def _write(self, unique_key: str, entry: _Class) -> None:
        with self._lock:
            changes, entry.changes = entry.changes, {}
            entry.writing = None
        if not changes:
            return
        try:
            self._opened(unique_key, entry)
            assert entry.index is not None
            entry.index.write(changes)
        except BaseException:
            # Those who wait hear of it and their objects take it back. What could wait still can, unless
            # something newer has come.
            with self._lock:
                entry.changes = {**changes, **entry.changes}
            raise

    def _current(self, unique_key: str, entry: _Class) -> AlarmIndex:
        """The index with all changes written to it."""
        self._opened(unique_key, entry)
        self._write(unique_key, entry)
        assert entry.index is not None
        return entry.index

    def _close(self) -> None:
        for unique_key, entry in self._classes.items():
            try:
                self._write(unique_key, entry)
            except UnfinishedIndexError:
                pass
            except StorageError as error:
                # None of these had to be written: who waited for one has been told.
                logger.warning("%s: %s", unique_key, error)
            if entry.index is not None:
                entry.index.close()
