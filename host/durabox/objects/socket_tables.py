"""Where isolates' WebSockets are kept, which may outlive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durabox.objects.clock import Clock
from durabox.objects.sockets import SocketTable

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.facets import Facet

EVENT_TIMED_OUT = "Actor exceeded event execution time and was disconnected."


class SocketTables:
    """
    Those of a host's objects, live or hibernating, and of its Worker; a facet has its own with it.

    Args:
        clock: Time and timers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: By class name and id; the Worker's by ``None``.
        self._tables: dict[tuple[str, str] | None, SocketTable] = {}

    def of(
        self, key: tuple[str, str] | None, wake: Callable[[], Actor], live: Callable[[], Actor | None]
    ) -> SocketTable:
        """
        The sockets of an object or the Worker.

        Args:
            key: Class name and id; ``None`` for the Worker.
            wake: Its actor, made if need be.
            live: Its actor, if there is one.
        """
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = self._table(wake, live)
        return table

    def of_facet(self, facet: Facet) -> SocketTable:
        """The sockets of a facet."""
        table = facet.sockets
        if table is None:
            table = facet.sockets = self._table(facet.connect, lambda: facet.actor)
        return table

    def find(self, key: tuple[str, str]) -> SocketTable | None:
        """An object's sockets, if there are any."""
        return self._tables.get(key)

    def evicted(self, key: tuple[str, str]) -> None:
        """An object has left memory."""
        table = self._tables.get(key)
        if table is not None:
            table.evicted()
            self._drop(key, table)

    def lost(self, key: tuple[str, str] | None) -> None:
        """An object or the Worker broke."""
        table = self._tables.get(key)
        if table is not None:
            table.lose()
            self._drop(key, table)

    def close(self) -> None:
        """All connections are lost."""
        for table in list(self._tables.values()):
            table.lose()

    def _drop(self, key: tuple[str, str] | None, table: SocketTable) -> None:
        if not table.ends and table.auto is None:
            del self._tables[key]

    def _table(self, wake: Callable[[], Actor], live: Callable[[], Actor | None]) -> SocketTable:
        def expired() -> None:
            actor = live()
            if actor is not None:
                actor.reset(EVENT_TIMED_OUT)

        clock = self._clock
        return SocketTable(
            lambda work: wake().submit(work),
            clock.now,
            lambda ms: clock.call_later(ms, expired).cancel,
        )
