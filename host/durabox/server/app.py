"""The server: one handler for every request, and its life from the ready line to the last answer."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import signal
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from durabox.errors import DuraboxError, JavaScriptError
from durabox.objects.host import Host
from durabox.objects.messages import Request
from durabox.server import answers
from durabox.server.bodies import incoming
from durabox.server.routes import OBJECTS, BadPathError, Routes

logger = logging.getLogger("durabox.server")

_ADMIN: Final = "/-/"
#: Seconds that requests under way get at shutdown.
_GRACE: Final = 30.0


class CannotListenError(DuraboxError):
    """The address cannot be listened on."""

    code = "cannot-listen"


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where to listen.

    Args:
        host: Name or address of an interface.
        port: TCP port, 0 for any free one.
    """

    host: str = "127.0.0.1"
    port: int = 8787


class Application:
    """
    Serves a host's Worker and objects.

    Args:
        host: What is served.
        admin: Whether the admin surface and the object endpoints under ``/-/`` exist.
        dev: Whether errors carry stacks.
    """

    def __init__(self, host: Host, *, admin: bool = True, dev: bool = False) -> None:
        self._host = host
        self._admin = admin
        self._dev = dev
        self._routes = Routes(host)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        target = request.message.path
        try:
            if target.startswith(_ADMIN) and self._admin:
                return await self._administer(request, target)
            if self._host.has_worker:
                message = await self._message(request, self._absolute(request, target))
                return await answers.send(request, await self._host.fetch(message))
            return await self._call(request, target.removeprefix("/"))
        except BadPathError as error:
            return answers.plain(HTTPStatus.NOT_FOUND, str(error))
        except DuraboxError as error:
            if not isinstance(error, JavaScriptError):
                logger.error("%s %s: %s", request.method, target, error)
            return answers.failure(error, dev=self._dev)

    async def _administer(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        if not _is_loopback(request.remote):
            return answers.plain(
                HTTPStatus.FORBIDDEN, "The admin surface is only for clients on this machine."
            )
        if target.startswith(OBJECTS):
            return await self._call(request, target[len(OBJECTS) :])
        if target.partition("?")[0] == _ADMIN:
            status = {
                "classes": self._host.class_names,
                "bindings": self._host.binding_names,
                "worker": self._host.has_worker,
                "live": self._host.live,
            }
            return web.Response(text=json.dumps(status) + "\n", content_type="application/json")
        return answers.plain(
            HTTPStatus.NOT_FOUND, f"Nothing is at {target}. Objects are at {OBJECTS}<Class>/<name>/."
        )

    async def _call(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        stub, rest = self._routes.object_at(path)
        message = await self._message(request, self._absolute(request, rest))
        return await answers.send(request, await stub.request(message))

    @staticmethod
    def _absolute(request: web.BaseRequest, path: str) -> str:
        if not path.startswith("/"):
            return path  # absolute-form
        return f"{request.scheme}://{request.headers.get('Host', 'localhost')}{path}"

    @staticmethod
    async def _message(request: web.BaseRequest, url: str) -> Request:
        headers: list[str] = []
        for name, value in request.raw_headers:
            headers.append(name.decode("latin-1"))
            try:
                headers.append(value.decode())
            except UnicodeDecodeError:
                headers.append(value.decode("latin-1"))
        return Request(request.method, url, headers, await incoming(request))


def _is_loopback(address: str | None) -> bool:
    if address == "127.0.0.1":
        return True
    try:
        return ipaddress.ip_address((address or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


async def serve(application: Application, address: Address) -> None:
    """
    Serve until SIGTERM or SIGINT, then answer what is under way and return.

    Args:
        application: What to serve.
        address: Where; the ready line on stdout names the port that was taken.
    Raises:
        CannotListenError: The port is in use, or the address is not ours.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = web.Server(application.handle, handler_cancellation=True, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port, backlog=1024, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            raise CannotListenError(
                f"cannot listen on {address.host}:{address.port}: {error.strerror or error}: "
                "stop what uses it, or choose another with --port (0 takes any free one)"
            ) from None
        port = runner.addresses[0][1]
        shown = f"[{address.host}]" if ":" in address.host else address.host
        print(f"durabox listening on http://{shown}:{port}", flush=True)
        await stop.wait()
        logger.debug("shutting down")
    finally:
        await runner.cleanup()
