"""``ctx.storage`` on the host's side: key-value ops and savepoints, straight to the object's database.

They run within the turn, so an ``await`` of one never lets other events in. A confirmed write marks the turn: its
outputs wait for the commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durabox import wire
from durabox.engine.ops import V8, GuestError
from durabox.engine.protocol import EVENT
from durabox.errors import DuraboxError, StorageError
from durabox.objects.guest_errors import thrown
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.stored_streams import StoredBody, StreamPut
from durabox.objects.work import Work
from durabox.project.compatibility import Change
from durabox.storage.database import ObjectDatabase

if TYPE_CHECKING:
    from durabox.objects.ops import ObjectOps

_COMPLETE = EVENT["complete"]
#: Where a part is read: the guest's business.
_UNREAD: Final = bytes(8)


class StorageOps:
    """
    An object's own storage.

    Args:
        ops: Those of the object.
        database: The storage.
        alarm: The object's alarm, which is kept in it.
    """

    __slots__ = ("_actor", "_alarm", "_database", "_facets", "_gate", "_kv", "_operations", "_streams")

    def __init__(self, ops: ObjectOps, database: ObjectDatabase, alarm: ObjectAlarm) -> None:
        self._actor = ops.actor
        self._alarm = alarm
        self._database = database
        self._facets = ops.facets
        self._gate = ops.gate
        self._kv = database.kv
        self._operations = ops.operations
        self._streams = ops.streams

    def op_kv_get(self, key: bytes, body: bytes) -> V8 | None:
        """One value."""
        try:
            value = self._kv.get(key)
        except StorageError as error:
            raise thrown(error) from None
        return None if value is None else V8(value)

    def op_kv_get_many(self, keys: list[bytes], body: bytes) -> list[bytes]:
        """The values of the keys that exist, in key order."""
        try:
            return self._kv.get_many(keys)
        except StorageError as error:
            raise thrown(error) from None

    def op_kv_put(self, key: bytes, body: bytes) -> None:
        """One confirmed write."""
        try:
            self._kv.put(key, bytes(body))
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed = True

    def op_kv_put_many(self, flat: list[bytes], unconfirmed: bool, body: bytes) -> None:
        """Several writes, all or nothing."""
        if len(flat) % 2:
            raise GuestError("TypeError", "put() needs a value for every key.")
        try:
            self._kv.put_many(flat)
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed |= not unconfirmed

    def op_kv_put_stream(
        self, operation: int, section: int, key: bytes, kind: int, handle: int, unconfirmed: bool, body: bytes
    ) -> None:
        """A stream's bytes as a value: takes a while, and then counts at once."""
        self._operations.check_room()
        source = self._streams.body(kind, handle, bytes(body), section)
        counted = self._actor.core.async_started(section)
        put = StreamPut(self._actor, self._database.streams, source or b"", counted)

        async def run() -> None:
            try:
                await put.run(key, not unconfirmed)
            except DuraboxError as error:
                self._operations.complete(operation, counted, error)
            else:
                self._operations.complete(operation, counted, None)

        self._actor.spawn(self._actor.loop.create_task(run()))

    def op_stored_stream(self, stream: int, body: bytes) -> int:
        """A value that is a stream, to be read; it stays what it is now."""
        self._operations.check_room()
        try:
            return self._streams.add(StoredBody(self._actor, self._database.streams, stream))
        except StorageError as error:
            raise thrown(error) from None

    def op_kv_delete(self, key: bytes, body: bytes) -> bool:
        """One confirmed deletion."""
        try:
            existed = self._kv.delete(key)
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed = True
        return existed

    def op_kv_delete_many(self, keys: list[bytes], unconfirmed: bool, body: bytes) -> int:
        """Several deletions."""
        try:
            count = self._kv.delete_many(keys)
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed |= not unconfirmed
        return count

    def op_kv_list(
        self,
        start: bytes | None,
        end: bytes | None,
        prefix: bytes | None,
        reverse: bool,
        limit: int,
        body: bytes,
    ) -> list[bytes]:
        """A range of keys and values."""
        try:
            return self._kv.list(start, end, prefix, reverse, limit)
        except StorageError as error:
            raise thrown(error) from None

    def op_kv_part(
        self,
        start: bytes | None,
        end: bytes | None,
        prefix: bytes | None,
        reverse: bool,
        limit: int,
        body: bytes,
    ) -> bytes:
        """The beginning of a range, to be read pair by pair."""
        try:
            flat = self._kv.list(start, end, prefix, reverse, limit, part=True)
        except StorageError as error:
            raise thrown(error) from None
        return _UNREAD + wire.encode(flat)

    def op_kv_delete_all(self, body: bytes) -> None:
        """Everything goes, facets included."""
        try:
            self._facets.look()
            self._alarm.delete_all(with_alarm=self._actor.compatibility.has(Change.DELETE_ALL_DELETES_ALARM))
            self._facets.delete_all()
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed = True

    def op_sync(self, operation: int, section: int, body: bytes) -> None:
        """Completes after the next commit; at once when nothing is uncommitted, or when only a transaction is."""
        actor = self._actor
        self._operations.check_room()
        counted = actor.core.async_started(section)

        def done() -> None:
            actor.deliver(Work(_COMPLETE, [operation, 0, None], pending=counted))

        if self._database.dirty and not actor.core.in_transaction:
            self._gate.after_commit(done)
        else:
            self._gate.let_out(done)

    def op_bookmark_current(self, body: bytes) -> str:
        """The present state; it may be that of the commit to come, so it waits for that."""
        try:
            bookmark = self._database.bookmarks.current()
        except StorageError as error:
            raise thrown(error) from None
        self._gate.confirmed = True
        return bookmark

    def op_bookmark_at(self, time: float, body: bytes) -> str:
        """The state at a time."""
        try:
            return self._database.bookmarks.at(time)
        except StorageError as error:
            raise thrown(error) from None

    def op_bookmark_restore(self, bookmark: str, body: bytes) -> str:
        """Where to go back at the next start."""
        try:
            return self._database.bookmarks.restore_next(bookmark)
        except StorageError as error:
            raise thrown(error) from None

    def op_savepoint(self, section: int, body: bytes) -> int:
        """Open a savepoint, in the implicit transaction."""
        try:
            return self._database.savepoint()
        except StorageError as error:
            raise thrown(error) from None

    def op_savepoint_release(self, depth: int, body: bytes) -> None:
        """Keep what was done since the savepoint."""
        try:
            self._database.release(depth)
            self._alarm.released(depth)
        except StorageError as error:
            raise thrown(error) from None

    def op_savepoint_rollback(self, depth: int, body: bytes) -> None:
        """Undo what was done since the savepoint."""
        try:
            self._database.rollback_to(depth)
            self._alarm.rolled_back(depth)
        except StorageError as error:
            raise thrown(error) from None
