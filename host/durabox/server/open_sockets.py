"""Clients' WebSockets that are open, and their end at shutdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durabox.network.sockets import Frames

#: Seconds that clients get to answer a Close at shutdown.
_SHUTDOWN_SECONDS: Final = 2.0

open_sockets: Final[set[Frames]] = set()


async def close_all() -> None:
    """Close every client's socket, for shutdown, and wait a while for the clients' answers."""
    sockets = list(open_sockets)
    for socket in sockets:
        socket.restart()
    if sockets:
        await asyncio.wait([socket.over for socket in sockets], timeout=_SHUTDOWN_SECONDS)
