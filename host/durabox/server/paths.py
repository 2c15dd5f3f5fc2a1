"""The paths of the admin surface, and what answers them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import cast

from aiohttp import hdrs, web

from durabox.objects.host import Host
from durabox.server.admin import OBJECTS, PREFIX
from durabox.server.answers import plain

#: Answers one request; gets the variable parts of its path, decoded.
Handler = Callable[[web.BaseRequest, Mapping[str, str]], Awaitable[web.StreamResponse]]


class Paths:
    """
    What answers below `PREFIX`, to those whom `Admin` lets through.

    Args:
        host: What is administered.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
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

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
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
    """What the router wants to have for a route; `Paths` calls its own handlers."""
    raise NotImplementedError
