"""WebSockets on the host's side: what a guest does with the ends that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durabox.engine.ops import GuestError
from durabox.errors import GuestProtocolError
from durabox.objects.sockets import ABNORMAL, SocketTable

if TYPE_CHECKING:
    from durabox.objects.ops import ActorOps

#: Bytes of a reason, as RFC 6455 has it.
_REASON_MOST = 123
#: Bytes of a serialized attachment, and of a tag, with some room: the guest has checked them in the platform's words.
_ATTACHMENT_MOST = 16_384 + 64
_TAGS_MOST = 10
_TAG_MOST = 256


class SocketOps:
    """
    One isolate's WebSockets; what is sent waits at the output gate, in order.

    Args:
        ops: Those of the isolate.
    """

    __slots__ = ("_actor", "_gate", "_table")

    def __init__(self, ops: ActorOps) -> None:
        self._actor = ops.actor
        self._gate = ops.gate
        self._table: SocketTable | None = None

    @property
    def table(self) -> SocketTable:
        """The isolate's sockets; most have none."""
        table = self._table
        if table is None:
            table = self._table = self._actor.router.sockets(self._actor)
        return table

    @property
    def standing(self) -> bool:
        """Whether there are open sockets that the isolate cannot leave alone."""
        return self._table is not None and bool(self._table.standing)

    def op_ws_accept(
        self, socket: int, hibernatable: bool, tags: list[str], half_open: bool, body: bytes
    ) -> None:
        """accept() and acceptWebSocket()."""
        if len(tags) > _TAGS_MOST or any(len(tag.encode()) > _TAG_MOST for tag in tags):
            raise GuestProtocolError("a socket with more or longer tags than there may be")
        self.table.accept(socket, hibernatable, tags, half_open)

    def op_ws_send(self, socket: int, is_text: bool, body: bytes) -> None:
        """send()."""
        end = self.table.find(socket)
        data = bytes(body)
        self._gate.let_out(lambda: end.half.send(data, is_text), len(data))

    def op_ws_close(self, socket: int, code: int, reason: str, body: bytes) -> None:
        """close()."""
        if not (1000 <= code <= 4999) or len(reason.encode()) > _REASON_MOST:
            raise GuestProtocolError(
                f"a Close frame with code {code} and a reason of {len(reason)} characters"
            )
        end = self.table.find(socket)
        if code == ABNORMAL:
            self._gate.let_out(end.lose)
        else:
            self._gate.let_out(lambda: end.close(code, reason))

    def op_ws_drop(self, socket: int, body: bytes) -> None:
        """The guest has seen the end of a socket."""
        table = self.table
        self._gate.let_out(lambda: table.drop(socket))

    def op_ws_attach(self, socket: int, body: bytes) -> None:
        """serializeAttachment()."""
        if len(body) > _ATTACHMENT_MOST:
            raise GuestError("Error", "A WebSocket 'attachment' is too large.")
        self.table.find(socket).attachment = bytes(body)

    def op_ws_list(self, tag: str | None, body: bytes) -> list[int]:
        """getWebSockets()."""
        return self.table.hibernating(tag)

    def op_ws_info(self, socket: int, body: bytes) -> list[Any]:
        """What the host keeps of a hibernatable socket."""
        end = self.table.find(socket)
        return [list(end.tags), end.attachment, end.close_sent, end.auto_answered]

    def op_ws_auto(self, request: str | None, response: str, body: bytes) -> None:
        """setWebSocketAutoResponse()."""
        self.table.auto = None if request is None else (request.encode(), response.encode())

    def op_ws_timeout(self, milliseconds: float | None, body: bytes) -> None:
        """setHibernatableWebSocketEventTimeout()."""
        self.table.event_timeout = milliseconds

    def op_ws_settings(self, body: bytes) -> list[Any]:
        """The answers of the getters."""
        table = self.table
        auto = table.auto
        texts = [None, ""] if auto is None else [auto[0].decode(), auto[1].decode()]
        return [*texts, table.event_timeout, table.last_own]

    def op_ws_done(self, event: int, body: bytes) -> None:
        """A handler whose time is limited has ended."""
        self.table.finished(event)
