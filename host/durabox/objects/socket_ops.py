"""WebSockets on the host's side: what a guest does with the ends that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durabox.engine.ops import GuestError
from durabox.engine.platform_ops import PlatformOps
from durabox.errors import GuestProtocolError
from durabox.objects.sockets import ABNORMAL, SocketTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from durabox.objects.actor import Actor

#: Bytes of a reason, as RFC 6455 has it.
_REASON_MOST = 123
#: Bytes of a serialized attachment, and of a tag, with some room: the guest has checked them in the platform's words.
_ATTACHMENT_MOST = 16_384 + 64
_TAGS_MOST = 10
_TAG_MOST = 256


class SocketOps(PlatformOps):
    """The part of `ops.ActorOps` that is about WebSockets; what is sent waits at the output gate, in order."""

    actor: Actor
    let_out: Callable[..., None]  # of `ops.ActorOps`
    _sockets: SocketTable | None = None

    @property
    def sockets(self) -> SocketTable:
        """The isolate's sockets; most have none."""
        table = self._sockets
        if table is None:
            table = self._sockets = self.actor.router.sockets(self.actor)
        return table

    @property
    def standing(self) -> bool:
        """Whether there are open sockets that the isolate cannot leave alone."""
        return self._sockets is not None and bool(self._sockets.standing)

    def op_ws_accept(
        self, socket: int, hibernatable: bool, tags: list[str], half_open: bool, body: bytes
    ) -> None:
        """accept() and acceptWebSocket()."""
        if len(tags) > _TAGS_MOST or any(len(tag.encode()) > _TAG_MOST for tag in tags):
            raise GuestProtocolError("a socket with more or longer tags than there may be")
        self.sockets.accept(socket, hibernatable, tags, half_open)

    def op_ws_send(self, socket: int, is_text: bool, body: bytes) -> None:
        """send()."""
        end = self.sockets.find(socket)
        data = bytes(body)
        self.let_out(lambda: end.half.send(data, is_text), len(data))

    def op_ws_close(self, socket: int, code: int, reason: str, body: bytes) -> None:
        """close()."""
        if not (1000 <= code <= 4999) or len(reason.encode()) > _REASON_MOST:
            raise GuestProtocolError(
                f"a Close frame with code {code} and a reason of {len(reason)} characters"
            )
        end = self.sockets.find(socket)
        if code == ABNORMAL:
            self.let_out(end.lose)
        else:
            self.let_out(lambda: end.close(code, reason))

    def op_ws_drop(self, socket: int, body: bytes) -> None:
        """The guest has seen the end of a socket."""
        table = self.sockets
        self.let_out(lambda: table.drop(socket))

    def op_ws_attach(self, socket: int, body: bytes) -> None:
        """serializeAttachment()."""
        if len(body) > _ATTACHMENT_MOST:
            raise GuestError("Error", "A WebSocket 'attachment' is too large.")
        self.sockets.find(socket).attachment = bytes(body)

    def op_ws_list(self, tag: str | None, body: bytes) -> list[int]:
        """getWebSockets()."""
        return self.sockets.hibernating(tag)

    def op_ws_info(self, socket: int, body: bytes) -> list[Any]:
        """What the host keeps of a hibernatable socket."""
        end = self.sockets.find(socket)
        return [list(end.tags), end.attachment, end.close_sent, end.auto_answered]

    def op_ws_auto(self, request: str | None, response: str, body: bytes) -> None:
        """setWebSocketAutoResponse()."""
        self.sockets.auto = None if request is None else (request.encode(), response.encode())

    def op_ws_timeout(self, milliseconds: float | None, body: bytes) -> None:
        """setHibernatableWebSocketEventTimeout()."""
        self.sockets.event_timeout = milliseconds

    def op_ws_settings(self, body: bytes) -> list[Any]:
        """The answers of the getters."""
        table = self.sockets
        auto = table.auto
        texts = [None, ""] if auto is None else [auto[0].decode(), auto[1].decode()]
        return [*texts, table.event_timeout, table.last_own]

    def op_ws_done(self, event: int, body: bytes) -> None:
        """A handler whose time is limited has ended."""
        self.sockets.finished(event)
