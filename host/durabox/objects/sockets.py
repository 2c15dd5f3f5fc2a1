"""WebSockets between isolates, clients and servers, as the host holds them.

A connection is two `Half`s. What one half's holder sends is received by the holder of the other: a guest's end
(`GuestEnd`), or a connection of the server's. A half may be handed on until its holder begins to receive; what arrives
before that waits in it.

`SocketTable` has the guest ends of one isolate, by the numbers that the guest uses: odd ones are chosen by the guest, even
ones here. An object's table outlives its isolate when sockets in it are hibernatable: an event for one of them wakes the object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct, field

from durabox.engine.ops import GuestError
from durabox.engine.protocol import EVENT
from durabox.errors import GuestProtocolError
from durabox.objects.work import Work

_MESSAGE: Final = EVENT["ws_message"]
_CLOSED: Final = EVENT["ws_closed"]

#: Hibernatable sockets of one object, as on the platform.
MAX_SOCKETS: Final = 32_768
#: Bytes that may wait for a holder that does not receive yet.
MAX_WAITING: Final = 32 * 1024 * 1024
#: What a message that waits takes besides its bytes.
MESSAGE_COST: Final = 256
#: Bytes of messages that wait for a guest: more of one connection, or of all of an isolate's, and their senders wait, too.
_CROWDED_END: Final = 256 * 1024
_CROWDED_TABLE: Final = 16 * 1024 * 1024
_SLOW: Final = "Too many messages wait for an end that does not receive."
#: Close codes that are never on the wire: no code was given; the connection was lost.
NO_CODE: Final = 1005
ABNORMAL: Final = 1006
#: The server goes away and comes back.
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013

LOST: Final = "WebSocket disconnected without sending Close frame."


class Receiver(Protocol):
    """Who holds a half and takes what the other sends. Called on the event loop, shallow."""

    def message(self, data: bytes, is_text: bool) -> None:
        """One message."""
        ...

    def closed(self, code: int, reason: str, clean: bool) -> None:
        """Nothing more comes: a Close frame, or (not clean) a connection that was lost (1006) or broke the protocol."""
        ...

    def crowded(self) -> asyncio.Future[None] | None:
        """Done when it can take more; ``None`` when it can now. Who may wait does."""
        ...


class Half:
    """One half of a connection. Made in pairs by `pair`."""

    __slots__ = ("_over", "_receiver", "_waiting", "_waiting_bytes", "other")

    other: Half

    def __init__(self) -> None:
        self._receiver: Receiver | None = None
        self._waiting: list[tuple[bytes, bool] | tuple[int, str, bool]] = []
        self._waiting_bytes = 0
        #: The other half has closed.
        self._over = False

    def attach(self, receiver: Receiver) -> None:
        """Begin to receive, first what has waited."""
        self._receiver = receiver
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            if len(item) == 2:
                receiver.message(*item)
            else:
                receiver.closed(*item)

    def send(self, data: bytes, is_text: bool) -> None:
        """A message for whoever holds the other half."""
        self.other._receive(data, is_text)

    def crowded(self) -> asyncio.Future[None] | None:
        """See `Receiver`, of whoever holds the other half."""
        receiver = self.other._receiver
        return None if receiver is None else receiver.crowded()

    def close(self, code: int = NO_CODE, reason: str = "", clean: bool = True) -> None:
        """The last that the other half hears of this one."""
        other = self.other
        if other._over:
            return
        other._over = True
        if other._receiver is not None:
            other._receiver.closed(code, reason, clean)
        else:
            other._waiting.append((code, reason, clean))

    def lose(self) -> None:
        """The holder is gone without a word, and hears of nothing any more."""
        self._over = True
        self._receiver = None
        self.close(ABNORMAL, LOST, False)

    def fail(self, code: int, description: str) -> None:
        """The holder broke the protocol, and hears of nothing any more; in the platform's words."""
        self._over = True
        self._receiver = None
        text = f"protocolError.statusCode = {code}; protocolError.description = {description}"
        self.close(code, f"WebSocket protocol error; {text}", False)

    def _receive(self, data: bytes, is_text: bool) -> None:
        if self._over:
            return
        if self._receiver is not None:
            self._receiver.message(data, is_text)
            return
        self._waiting_bytes += len(data) + MESSAGE_COST
        if self._waiting_bytes > MAX_WAITING + MESSAGE_COST:
            self._waiting = []
            self.give_up()
        else:
            self._waiting.append((data, is_text))

    def give_up(self) -> None:
        """Close both halves: the holder of this one does not take what it is sent."""
        self.close(TRY_AGAIN_LATER, _SLOW)
        self.other.close(TRY_AGAIN_LATER, _SLOW)


def pair() -> tuple[Half, Half]:
    """Both halves of a new connection."""
    one, two = Half(), Half()
    one.other, two.other = two, one
    return one, two


class GuestEnd:
    """
    The half that a guest holds.

    Args:
        table: The isolate's table.
        number: The guest's number for it.
        half: Its half of the connection.
    """

    __slots__ = (
        "attachment",
        "auto_answered",
        "close_sent",
        "half",
        "half_open",
        "hibernatable",
        "number",
        "relief",
        "table",
        "tags",
        "waiting",
    )

    def __init__(self, table: SocketTable, number: int, half: Half) -> None:
        self.table = table
        self.number = number
        self.half = half
        self.hibernatable = False
        #: The application answers a Close itself.
        self.half_open = False
        self.tags: tuple[str, ...] = ()
        #: V8-serialized, ``b""`` for none.
        self.attachment = b""
        #: When the last automatic answer was sent, in milliseconds since the epoch.
        self.auto_answered: float | None = None
        self.close_sent = False
        #: Bytes of messages that wait for the guest.
        self.waiting = 0
        #: Set while a sender waits for it to take some.
        self.relief: asyncio.Future[None] | None = None

    def message(self, data: bytes, is_text: bool) -> None:
        """See `Receiver`."""
        table = self.table
        if self.hibernatable and is_text and table.auto is not None and data == table.auto[0]:
            self.auto_answered = table.now()
            self.half.send(table.auto[1], True)
            return
        cost = len(data) + MESSAGE_COST
        if self.waiting > MAX_WAITING:
            # A connection waits; who cannot, another guest, has sent too much.
            self.half.give_up()
            return
        self.waiting += cost
        table.waiting += cost

        def taken() -> None:
            self.waiting -= cost
            table.waiting -= cost
            if self.relief is not None and self.waiting <= _CROWDED_END:
                self.relief.set_result(None)
                self.relief = None
            if table.relief is not None and table.waiting <= _CROWDED_TABLE:
                table.relief.set_result(None)
                table.relief = None

        table.deliver(self, _MESSAGE, [self.number, is_text], data, taken)

    def crowded(self) -> asyncio.Future[None] | None:
        """See `Receiver`."""
        table = self.table
        if self.waiting > _CROWDED_END:
            if self.relief is None:
                self.relief = asyncio.get_running_loop().create_future()
            return self.relief
        if table.waiting > _CROWDED_TABLE:
            if table.relief is None:
                table.relief = asyncio.get_running_loop().create_future()
            return table.relief
        return None

    def closed(self, code: int, reason: str, clean: bool) -> None:
        """See `Receiver`."""
        if clean and not self.hibernatable and not self.half_open:
            self.close(code, reason)
        self.table.deliver(self, _CLOSED, [self.number, code, reason, clean])

    def close(self, code: int, reason: str) -> None:
        """Send a Close frame, once."""
        if not self.close_sent:
            self.close_sent = True
            self.half.close(code, reason)

    def lose(self) -> None:
        """End the connection without a Close frame."""
        self.close_sent = True
        self.half.lose()


def _ignore(error: Exception) -> None:
    """An event for an isolate that is gone: its table has heard of that."""


class SocketTable(Struct):
    """
    The guest ends of one isolate.

    Args:
        submit: Queues work in the isolate, which it wakes first if it hibernates.
        now: Milliseconds since the epoch.
        limit: Has something happen after so many milliseconds, for handlers whose time is limited: ``limit(ms)`` resets the
            object then, unless what it returned was called.
    """

    submit: Callable[[Work], None]
    now: Callable[[], float]
    limit: Callable[[float], Callable[[], None]]
    #: Automatic answer to hibernatable sockets: request and response.
    auto: tuple[bytes, bytes] | None = None
    #: Milliseconds that a handler of a hibernatable socket's event may take.
    event_timeout: float | None = None
    ends: dict[int, GuestEnd] = field(default_factory=dict)
    #: Accepted ends that are not hibernatable: they keep the isolate in memory.
    standing: set[int] = field(default_factory=set)
    #: The highest number that the guest has chosen.
    last_own: int = -1
    #: As of an end, for all of them.
    waiting: int = 0
    relief: asyncio.Future[None] | None = None
    _hibernatable: int = 0
    _next: int = 2
    _events: int = 0
    _limited: dict[int, Callable[[], None]] = field(default_factory=dict)

    def deliver(
        self,
        end: GuestEnd,
        event: int,
        args: list[object],
        body: bytes = b"",
        taken: Callable[[], None] | None = None,
    ) -> None:
        """Hand an event to the guest; ``taken`` is called when it has left the queue."""
        number = 0
        if self.event_timeout and end.hibernatable:
            number = self._events = self._events + 1
            self._limited[number] = self.limit(self.event_timeout)
        abandon = _ignore if taken is None else lambda error: taken()
        self.submit(Work(event, [*args, number], body, abandon, taken=taken))

    def finished(self, event: int) -> None:
        """The handler of a limited event has ended."""
        stop = self._limited.pop(event, None)
        if stop is not None:
            stop()

    def open(self, number: int) -> Half:
        """
        The guest sends one end of a pair away and keeps the other under that number.

        Returns:
            The half that goes away.
        Raises:
            GuestProtocolError: The number is none of the guest's own.
        """
        return self.own(number).half.other

    def own(self, number: int) -> GuestEnd:
        """The guest's end of a pair; made on first use."""
        end = self.ends.get(number)
        if end is None:
            if number <= 0 or number % 2 == 0:
                raise GuestProtocolError(f"socket {number} does not exist")
            end = self.ends[number] = GuestEnd(self, number, pair()[0])
            self.last_own = max(self.last_own, number)
        return end

    def find(self, number: int) -> GuestEnd:
        """
        An end by its number.

        Raises:
            GuestProtocolError: There is none.
        """
        end = self.ends.get(number)
        if end is None:
            raise GuestProtocolError(f"socket {number} does not exist")
        return end

    def adopt(self, half: Half) -> int:
        """The guest is given a half that somebody else sent away; its number."""
        number = self._next
        self._next = number + 2
        self.ends[number] = GuestEnd(self, number, half)
        return number

    def hand_on(self, number: int) -> Half:
        """The guest passes an end on that it was given and has not accepted."""
        end = self.find(number)
        if number in self.standing or end.hibernatable:
            raise GuestProtocolError(f"socket {number} was accepted")
        del self.ends[number]
        return end.half

    def accept(self, number: int, hibernatable: bool, tags: Iterable[str], half_open: bool) -> None:
        """
        The guest begins to receive.

        Raises:
            GuestError: The object has as many hibernatable sockets as it may.
        """
        end = self.find(number) if number % 2 == 0 else self.own(number)
        if number in self.standing or end.hibernatable:
            raise GuestProtocolError(f"socket {number} was accepted before")
        if hibernatable:
            if self._hibernatable >= MAX_SOCKETS:
                raise GuestError(
                    "Error",
                    f"only {MAX_SOCKETS} websockets can be accepted on a single Durable Object instance",
                )
            end.hibernatable = True
            self._hibernatable += 1
            end.tags = tuple(tags)
        else:
            self.standing.add(number)
            end.half_open = half_open
        end.half.attach(end)

    def drop(self, number: int) -> None:
        """The guest is done with an end that has closed."""
        self.standing.discard(number)
        end = self.ends.pop(number, None)
        if end is not None:
            self._hibernatable -= end.hibernatable
            end.close(NO_CODE, "")

    def hibernating(self, tag: str | None) -> list[int]:
        """Hibernatable ends: all of them newest first, those with a tag oldest first, as on the platform."""
        if tag is None:
            return [number for number, end in reversed(self.ends.items()) if end.hibernatable]
        return [number for number, end in self.ends.items() if end.hibernatable and tag in end.tags]

    def seen(self) -> list[tuple[tuple[str, ...], bytes]]:
        """See `access.Access.sockets`."""
        return [(end.tags, end.attachment) for end in self.ends.values() if end.hibernatable]

    def evicted(self) -> None:
        """The isolate left memory: what was not accepted, or not for hibernation, is lost."""
        self.standing.clear()
        for number in [number for number, end in self.ends.items() if not end.hibernatable]:
            self.ends.pop(number).half.lose()

    def lose(self) -> None:
        """The isolate broke, and all its connections with it."""
        self.standing.clear()
        for event in list(self._limited):
            self.finished(event)
        ends, self.ends = self.ends, {}
        self._hibernatable = 0
        for end in ends.values():
            end.half.lose()
