"""Requests to other servers, as the host sees them: who carries them out, what an event may make of them.

`Network` is whoever carries out one exchange: `durabox.network.Internet` over real connections, or a function of a test's.
Redirects are the guest's business: each hop is an exchange of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeAlias

from durabox.errors import NetworkError
from durabox.objects.messages import BodyStream, Request, Response

#: Carries out one exchange. A request with ``Upgrade: websocket`` may be answered by status 101 and a socket.
Network: TypeAlias = Callable[[Request], Response | Awaitable[Response]]

REFUSED: Final = (
    "fetch() and WebSockets to other servers are not allowed here. To allow them, start `durabox serve` with --allow-net, "
    "or open the Host with network=."
)


async def refuse(request: Request) -> Response:
    """The network of a host that has none."""
    raise NetworkError(REFUSED, retryable=False)


async def exchange(network: Network, request: Request) -> Response:
    """
    Have a network answer a request.

    Raises:
        NetworkError: It could not, or may not.
    """
    answer = network(request)
    return await answer if isawaitable(answer) else answer


class SizedBody:
    """
    A body that must have a certain length: what is sent under a Content-Length.

    Args:
        body: The bytes.
        length: How many there must be.
    """

    __slots__ = ("_body", "_left", "length")

    def __init__(self, body: BodyStream, length: int) -> None:
        self._body = body
        self._left = length
        self.length = length

    async def read(self) -> bytes:
        """See `BodyStream`."""
        chunk = await self._body.read()
        self._left -= len(chunk)
        if self._left < 0 or (not chunk and self._left):
            raise NetworkError(
                "The body is longer than its Content-Length."
                if self._left < 0
                else "The body is shorter than its Content-Length.",
                name="TypeError",
                retryable=False,
            )
        return chunk

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        await self._body.cancel(reason)
