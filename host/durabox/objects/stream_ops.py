"""Bodies that pass between a guest and the host: the host's under handles, the guest's by number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durabox.engine.ops import GuestError
from durabox.engine.protocol import EVENT
from durabox.errors import DuraboxError, GuestProtocolError, ObjectBrokenError
from durabox.objects.guest_errors import WireError, from_wire
from durabox.objects.messages import BodyStream, Response
from durabox.objects.work import Work, nobody_waits

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps

_STREAM_PULL = EVENT["stream_pull"]
_STREAM_CANCEL = EVENT["stream_cancel"]


class GuestBody:
    """
    A guest's stream, read by the host: each `read` is one ``stream_pull`` event.

    Args:
        streams: Those of its isolate.
        stream: Its number.
        section: The critical section that it is read in.
    """

    __slots__ = ("_over", "_section", "_stream", "_streams")

    def __init__(self, streams: StreamOps, stream: int, section: int = 0) -> None:
        self._streams = streams
        self._stream = stream
        self._section = section
        self._over = False

    async def read(self) -> bytes:
        """The next chunk, ``b""`` at the end."""
        if self._over:
            return b""
        actor = self._streams.actor
        if actor.error is not None:
            raise actor.error
        future: asyncio.Future[bytes] = actor.loop.create_future()
        self._streams.pulls[self._stream] = future
        actor.submit(Work(_STREAM_PULL, [self._stream]), self._section)
        chunk = await future
        if not chunk:
            self._over = True
        return chunk

    async def cancel(self, reason: str) -> None:
        """Tell the guest that nobody reads on."""
        actor = self._streams.actor
        if self._over or actor.error is not None:
            return
        self._over = True
        self._streams.pulls.pop(self._stream, None)
        actor.submit(Work(_STREAM_CANCEL, [self._stream, reason]), self._section)

    def __del__(self) -> None:
        # Whoever was to read it has gone, or never got it.
        if not self._over:
            work = Work(_STREAM_CANCEL, [self._stream, "Nobody reads it."], abandon=nobody_waits)
            self._streams.actor.submit_later(work, self._section)


class StreamOps:
    """
    One isolate's streams.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_gate", "_next", "_operations", "_streams", "actor", "pulls")

    def __init__(self, ops: ActorOps) -> None:
        self.actor = ops.actor
        self._gate = ops.gate
        self._operations = ops.operations
        #: Guest streams that the host is reading, by their number.
        self.pulls: dict[int, asyncio.Future[bytes]] = {}
        self._streams: dict[int, BodyStream] = {}
        self._next = 1

    def __len__(self) -> int:
        """Handles that the guest has."""
        return len(self._streams)

    def add(self, body: BodyStream) -> int:
        """A handle under which the guest may read a host-side body."""
        handle = self._next
        self._next = handle + 1
        self._streams[handle] = body
        return handle

    def take(self, handle: int) -> BodyStream:
        """
        A host stream that the guest hands on.

        Raises:
            GuestError: It has none of that number, or not any more.
        """
        stream = self._streams.pop(handle, None)
        if stream is None:
            raise GuestError("TypeError", "This stream has already been read or handed on.")
        return stream

    def give(self, body: bytes | BodyStream | None) -> tuple[int, int, bytes]:
        """A body for the guest: its kind, the handle of a stream, the bytes of one that is there as a whole."""
        if body is None:
            return 0, 0, b""
        if isinstance(body, bytes):
            return 1, 0, body
        return 2, self.add(body), b""

    def body(self, kind: int, handle: int, raw: bytes, section: int = 0) -> bytes | BodyStream | None:
        """The guest's body of that kind; those above 2 are streams of its own."""
        if kind == 0:
            return None
        if kind == 1:
            return raw
        if kind == 2:
            return self.take(handle)
        if kind == 3:
            return GuestBody(self, handle, section)
        raise GuestProtocolError(f"body kind {kind} does not exist")

    def drop(self, response: Response) -> None:
        """Nobody wants that answer."""
        if response.socket is not None:
            response.socket.lose()
        elif response.body is not None and not isinstance(response.body, bytes):
            self.actor.loop.create_task(response.body.cancel("The client disconnected."))

    def op_stream_read(self, operation: int, section: int, handle: int, body: bytes) -> None:
        """Ask for the next chunk of a host stream."""
        self._operations.check_room()
        stream = self._streams.get(handle)
        if stream is None:
            raise GuestError("TypeError", "This stream has already been read or handed on.")
        counted = self._operations.start(operation, section)

        async def read() -> None:
            try:
                chunk = await stream.read()
            except (DuraboxError, OSError) as error:
                self._streams.pop(handle, None)
                self._operations.complete(operation, counted, error)
                return
            if not chunk:
                self._streams.pop(handle, None)
            self._operations.complete(operation, counted, None, not chunk, chunk)

        self.actor.spawn(self.actor.loop.create_task(read()))

    def op_stream_drop(self, handle: int, reason: str, body: bytes) -> None:
        """The guest does not want the rest of a host stream."""
        stream = self._streams.pop(handle, None)
        if stream is not None:
            self.actor.loop.create_task(stream.cancel(reason))

    def op_stream_write(self, stream: int, body: bytes) -> None:
        """A chunk of a guest stream."""
        chunk = bytes(body)
        if not chunk:
            raise GuestProtocolError("a stream chunk must not be empty")
        self._gate.let_out(lambda: self._pulled(stream, chunk), len(chunk))

    def op_stream_end(self, stream: int, body: bytes) -> None:
        """The end of a guest stream."""
        self._gate.let_out(lambda: self._pulled(stream, b""))

    def _pulled(self, stream: int, chunk: bytes) -> None:
        future = self.pulls.pop(stream, None)
        if future is not None and not future.done():
            future.set_result(chunk)

    def op_stream_error(self, stream: int, error: WireError, body: bytes) -> None:
        """A guest stream failed."""
        failure = from_wire(error)

        def fail() -> None:
            future = self.pulls.pop(stream, None)
            if future is not None and not future.done():
                future.set_exception(failure)

        self._gate.let_out(fail, len(failure.message) + len(failure.stack))

    def fail_all(self, error: ObjectBrokenError) -> None:
        """No guest stream is read any more."""
        pulls = list(self.pulls.values())
        self.pulls.clear()
        for pull in pulls:
            if not pull.done():
                pull.set_exception(error)

    def close(self, reason: str) -> None:
        """The isolate has ended."""
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            self.actor.loop.create_task(stream.cancel(reason))
