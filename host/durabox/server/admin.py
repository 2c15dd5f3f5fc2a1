"""The admin surface, everything below ``/-/``: who may use it, and what is there.

Whoever reaches it reads and changes the state of every object. So without a token it is only for programs on
this machine, and not for a browser that a page of some other origin has sent there: such a page can make requests to
any address, and (by DNS rebinding) under any name.
"""

from __future__ import annotations

import hmac
import ipaddress
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from durabox.objects.host import Host
from durabox.server.answers import plain

if TYPE_CHECKING:
    from durabox.server.paths import Paths

PREFIX: Final = "/-/"
OBJECTS: Final = "/-/objects/"


class Admin:
    """
    The admin surface of a host.

    Args:
        host: What is administered.
        token: Whoever sends it as ``Authorization: Bearer …`` may use the surface, from anywhere, and nobody else;
            ``None`` lets clients on this machine use it.
    """

    def __init__(self, host: Host, *, token: str | None = None) -> None:
        self._host = host
        self._expected = None if token is None else f"Bearer {token}".encode()

    def refusal(self, request: BaseRequest) -> StreamResponse | None:
        """Why the client may not use the surface, as the answer to give; ``None`` when it may."""
        headers = request.headers
        if self._expected is not None:
            given = headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
            if hmac.compare_digest(given, self._expected):
                return None
            refused = plain(
                HTTPStatus.UNAUTHORIZED, "The admin surface needs the token: Authorization: Bearer <token>"
            )
            refused.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return refused
        if not _is_loopback(request.remote):
            return plain(
                HTTPStatus.FORBIDDEN,
                "Without a token (--admin-token) the admin surface is only for clients on this machine.",
            )
        host = headers.get(hdrs.HOST, "localhost")
        if not _is_unambiguous(host):
            return plain(
                HTTPStatus.FORBIDDEN, "The admin surface answers under localhost and IP addresses only."
            )
        origin = headers.get(hdrs.ORIGIN)
        if (origin is not None and origin != f"{request.scheme}://{host}") or headers.get(
            "Sec-Fetch-Site", "none"
        ) not in ("none", "same-origin"):
            return plain(HTTPStatus.FORBIDDEN, "The admin surface is not for pages of other origins.")
        return None

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer a request that `refusal` has nothing against."""
        return await self._paths.handle(request)

    @cached_property
    def _paths(self) -> Paths:
        """What answers. Imported for the first who asks: a server starts without it."""
        from durabox.server.inventory import add_inventory
        from durabox.server.paths import Paths

        paths = Paths(self._host)
        add_inventory(paths, self._host.objects)
        return paths


def _is_loopback(address: str | None) -> bool:
    if address == "127.0.0.1":
        return True
    try:
        return ipaddress.ip_address((address or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


@lru_cache(256)
def _is_unambiguous(host: str) -> bool:
    """Whether a Host header names this machine by itself: nobody's DNS can have pointed it here."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
