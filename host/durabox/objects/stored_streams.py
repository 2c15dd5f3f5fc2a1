"""Streams into and out of an object's storage: what `storage.streams` does in steps, driven by the event loop.

Writing: pieces are read from the source one after the other and collected; about every MiB is written in a step of its own,
which waits at the input gate like any event, so it belongs to the transaction in which ``put`` was called and never to another
one. Other events go on in between. Meanwhile at most one more step's worth is read.

Reading: a piece at a time, whenever no thread uses the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from durabox.errors import DuraboxError, JavaScriptError, StorageError
from durabox.objects.messages import BodyStream
from durabox.objects.work import Work
from durabox.storage.streams import PIECE, StoredStreams

if TYPE_CHECKING:
    from durabox.objects.actor import Actor

_PIECES_IN_STEP: Final = 4

T = TypeVar("T")


class StoredBody:
    """
    A stored stream that is being read.

    Args:
        actor: The object.
        streams: Its streams.
        stream: Which one.
    Raises:
        StorageError: It is not there any more.
    """

    __slots__ = ("_actor", "_next", "_pieces", "_storage", "_stream", "_streams")

    def __init__(self, actor: Actor, streams: StoredStreams, stream: int) -> None:
        assert actor.storage is not None
        self._actor = actor
        self._storage = actor.storage
        self._streams = streams
        self._stream = stream
        self._next = 0
        self._pieces = streams.open(stream)

    async def read(self) -> bytes:
        """See `BodyStream`. While it is being read the object is busy."""
        actor = self._actor
        while actor.error is None and self._storage.in_use:
            await self._storage.free()
        if actor.error is not None:
            raise actor.error
        if self._next >= self._pieces:
            self._over()
            return b""
        self._storage.readers.add(self)
        try:
            piece = self._streams.piece(self._stream, self._next)
        except StorageError as error:
            self._over()
            raise JavaScriptError("Error", error.message) from None
        self._next += 1
        return piece

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        self._over()

    def _over(self) -> None:
        if self._pieces >= 0:
            self._pieces = -1
            self._storage.readers.discard(self)
            self._streams.close(self._stream)
            self._storage.tidy()


class StreamPut:
    """
    One ``put`` of a stream.

    Args:
        actor: The object.
        streams: Its streams.
        source: The bytes, or a stream of them, which is used up.
        section: The critical section that it belongs to.
    """

    __slots__ = ("_actor", "_section", "_source", "_streams")

    def __init__(
        self, actor: Actor, streams: StoredStreams, source: bytes | BodyStream, section: int
    ) -> None:
        self._actor = actor
        self._streams = streams
        self._source = source
        self._section = section

    async def run(self, key: bytes, confirmed: bool) -> None:
        """
        Store the whole stream under the key, or leave the old value.

        Raises:
            DuraboxError: The source failed, or the storage did.
        """
        streams = self._streams
        stream = 0
        try:
            stream = await self._step(streams.begin)
            await self._copy(stream)
            await self._step(lambda: streams.finish(stream, key), confirmed=confirmed)
        except BaseException as error:
            if self._actor.error is None:
                if not isinstance(self._source, bytes):
                    await self._source.cancel(str(error))
                if stream:
                    with suppress(DuraboxError):
                        await self._step(lambda: streams.give_up(stream))
            raise

    async def _copy(self, stream: int) -> None:
        full = _PIECES_IN_STEP * PIECE
        waiting: list[bytes] = []
        length = written = 0
        while True:
            chunk = await self._read()
            waiting.append(chunk)
            length += len(chunk)
            if length < full and chunk:
                continue
            data = b"".join(waiting)
            # The last piece of a step that is not the last step must be a whole one.
            end = len(data) if not chunk else length - length % PIECE
            pieces = [data[at : min(at + PIECE, end)] for at in range(0, end, PIECE)]
            waiting = [data[end:]]
            length = len(waiting[0])
            if pieces:
                before, written = written, written + len(pieces)
                await self._step(partial(self._streams.add, stream, pieces, before))
            if not chunk:
                return

    async def _read(self) -> bytes:
        if isinstance(self._source, bytes):
            whole, self._source = self._source, b""
            return whole
        return await self._source.read()

    async def _step(self, step: Callable[[], T], *, confirmed: bool = False) -> T:
        """Run it when the input gate lets it."""
        actor = self._actor
        done: asyncio.Future[T] = actor.loop.create_future()

        def run() -> None:
            try:
                result = step()
            except StorageError as error:
                if not done.done():
                    done.set_exception(JavaScriptError("Error", error.message))
                return
            actor.ops.gate.confirmed |= confirmed
            if not done.done():
                done.set_result(result)

        def abandon(error: DuraboxError) -> None:
            if not done.done():
                done.set_exception(error)

        actor.submit(Work(0, [], abandon=abandon, step=run), self._section)
        return await done
