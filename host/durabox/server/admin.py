"""The admin surface, everything below ``/-/``: who may use it, and what is there.

Whoever reaches it reads and changes the state of every object. So without a token it is only for programs on
this machine, and not for a browser that a page of some other origin has sent there: such a page can make requests to
any address, and (by DNS rebinding) under any name.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast

from aiohttp import hdrs, web

from durabox.objects.host import Host
from durabox.server.answers import plain

PREFIX: Final = "/-/"
OBJECTS: Final = "/-/objects/"

#: Answers one request; gets the variable parts of its path, decoded.
Handler = Callable[[web.BaseRequest, Mapping[str, str]], Awaitable[web.StreamResponse]]


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
        self._router = web.UrlDispatcher()
        self._handlers: dict[web.AbstractRoute, Handler] = {}
        self.add("GET", PREFIX, self._status)

    def add(self, method: str, path: str, handler: Handler) -> None:
        """
        Hang a handler on a path.

        Args:
            method: HTTP method; ``GET`` answers ``HEAD`` too.
            path: Begins with `PREFIX`; ``{name}`` stands for one part of it.
            handler: What answers.
        """
        resource = self._router.add_resource(path)
        for each in (method, hdrs.METH_HEAD) if method == hdrs.METH_GET else (method,):
            self._handlers[resource.add_route(each, _unused)] = handler

    def refusal(self, request: web.BaseRequest) -> web.StreamResponse | None:
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

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that `refusal` has nothing against."""
        match = await self._router.resolve(cast(web.Request, request))
        handler = self._handlers.get(match.route)
        if handler is not None:
            return await handler(request, match)
        error = match.http_exception
        if error is not None and error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = plain(HTTPStatus.METHOD_NOT_ALLOWED, f"Allowed here: {error.headers[hdrs.ALLOW]}.")
            allowed.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return allowed
        return plain(
            HTTPStatus.NOT_FOUND, f"There is nothing here. Objects are at {OBJECTS}<Class>/<name>/<path>."
        )

    async def _status(self, request: web.BaseRequest, parts: Mapping[str, str]) -> web.StreamResponse:
        host = self._host
        return in_json(
            {
                "classes": host.class_names,
                "bindings": host.binding_names,
                "worker": host.has_worker,
                "live": host.live,
            }
        )


def in_json(value: object, status: int = HTTPStatus.OK) -> web.Response:
    """A value as the answer to an admin request."""
    answer = plain(status, json.dumps(value))
    answer.content_type = "application/json"
    return answer


async def _unused(request: web.Request) -> web.StreamResponse:
    """What the router wants to have for a route; `Admin` calls its own handlers."""
    raise NotImplementedError


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
