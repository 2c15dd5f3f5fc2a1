"""The guest's async operations, from the op that begins one to the event ``complete`` that settles its promise.

Each is counted by the actor's core as async work of a critical section, and goes on with the account of the event that
started it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from durabox.engine.ops import GuestError
from durabox.engine.protocol import EVENT
from durabox.errors import DuraboxError, JavaScriptError, ObjectBrokenError
from durabox.objects.account import Account
from durabox.objects.guest_errors import to_wire
from durabox.objects.messages import Response
from durabox.objects.work import Work

if TYPE_CHECKING:
    from durabox.limits import Limits
    from durabox.objects.actor import Actor
    from durabox.objects.ops import ActorOps

logger = logging.getLogger("durabox.objects")

_COMPLETE = EVENT["complete"]

#: Kind of a response's body that is a socket which the guest is given.
_GIVEN_SOCKET = 5


class Operations:
    """
    One isolate's.

    Args:
        ops: Those of the isolate.
        limits: Its limits.
    """

    __slots__ = ("_actor", "_causes", "_limits", "_ops", "cause", "fetches")

    def __init__(self, ops: ActorOps, limits: Limits) -> None:
        self._actor = ops.actor
        self._ops = ops
        self._limits = limits
        #: The account of the event that runs; None until it is asked for.
        self.cause: Account | None = None
        #: The account of the event that started it, by async id.
        self._causes: dict[int, Account] = {}
        #: Fetches by async id: tasks of ours, or the object that was asked and the number of the request there; ``None`` for
        #: those that were given up while they waited at the output gate.
        self.fetches: dict[int, asyncio.Task[None] | tuple[Actor, int] | None] = {}

    def check_room(self, wanted: int = 1) -> None:
        """Refuse so much more of what occupies the host for the guest."""
        core = self._actor.core
        if core.under_way + core.sections + self._ops.kept + wanted > self._limits.pending:
            raise GuestError(
                "Error",
                f"Too many timers, stubs, streams and operations at once: the limit is {self._limits.pending}.",
            )

    def caused(self) -> Account:
        """The account of the event that runs, for what goes on with it later."""
        cause = self.cause
        if cause is None:
            cause = self.cause = Account(self._limits.subrequests)
        return cause

    def start(self, operation: int, section: int) -> int:
        """Count one that goes on with the event that runs; returns what `complete` is to be given."""
        counted = self._actor.core.async_started(section)
        self._causes[operation] = self.caused()
        return counted

    def use(self, operation: int, ns: int) -> None:
        """Count processor time that a thread used for one."""
        cause = self._causes.get(operation)
        if cause is not None:
            cause.use(ns)

    def under_way(self, operation: int) -> bool:
        """Whether one of that number has been started and not completed."""
        return operation in self._causes

    def complete(
        self,
        operation: int,
        counted: int,
        error: BaseException | None,
        value: object = None,
        body: bytes = b"",
        remote: bool = True,
    ) -> None:
        """
        It is over.

        Args:
            operation: Its async id.
            counted: The section whose async work it is.
            error: Why it failed, if it did.
            value: Its result.
            body: Goes with that.
            remote: See `to_wire`.
        """
        cause = self._causes.pop(operation, None)
        self.fetches.pop(operation, None)
        if self._actor.error is not None:
            return
        if error is None:
            work = Work(_COMPLETE, [operation, 0, value], body, pending=counted, cause=cause)
        else:
            wire: object
            match error:
                case DuraboxError():
                    wire = to_wire(error, remote, self._actor.router.dev)
                case GuestError():
                    wire = error.described
                case _:
                    wire = ["Error", "Network connection lost.", "", {"retryable": True}]
            if isinstance(error, ObjectBrokenError):
                logger.debug("stub call met a broken object: %s", error)
            thrown = error.value if isinstance(error, JavaScriptError) else b""
            work = Work(_COMPLETE, [operation, 1, wire], thrown, pending=counted, cause=cause)
        self._actor.deliver(work)

    def answered(self, operation: int, counted: int, url: str, response: Response) -> None:
        """An answer is there, of an object or of another server."""
        if self._actor.error is not None:
            self._ops.streams.drop(response)
            return
        if response.socket is not None:
            kind, handle, raw = _GIVEN_SOCKET, self._ops.sockets.table.adopt(response.socket), b""
        else:
            kind, handle, raw = self._ops.streams.give(response.body)
        value = [response.status, response.reason, response.headers, kind, handle, url]
        self.complete(operation, counted, None, value, raw)

    def op_abandon(self, operation: int, body: bytes) -> None:
        """The guest gave up, or the client has whose request it passed on."""
        fetch = self.fetches.get(operation)
        if isinstance(fetch, asyncio.Task):
            fetch.cancel()
        elif isinstance(fetch, tuple):
            fetch[0].incoming.abort_request(fetch[1])
        elif operation in self._causes:
            self.fetches[operation] = None

    def close(self) -> None:
        """The isolate has ended."""
        fetches = list(self.fetches.values())
        self.fetches.clear()
        for fetch in fetches:
            if isinstance(fetch, asyncio.Task):
                fetch.cancel()
