"""The server: one handler for every request, and its life from the ready line to the last answer."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from msgspec import Struct

from durabox.errors import (
    DuraboxError,
    HostClosedError,
    InvalidObjectIdError,
    JavaScriptError,
    UnknownObjectClassError,
)
from durabox.objects.host import Host
from durabox.objects.messages import Request, Response
from durabox.server import answers
from durabox.server.admin import OBJECTS, PREFIX, Admin
from durabox.server.bodies import Upload, incoming
from durabox.server.connection import listener
from durabox.server.open_sockets import close_all
from durabox.server.routes import BadPathError, Routes
from durabox.server.targets import BadRequestError, origin_of, path_of

logger = logging.getLogger("durabox.server")

#: Connections that may wait to be accepted.
_BACKLOG: Final = 1024
#: Seconds that requests under way get at shutdown.
_GRACE: Final = 30.0
_MOMENT: Final = 1.0
#: The caller's doing, or logged where it happened: nothing for the log.
_EXPECTED: Final = (HostClosedError, InvalidObjectIdError, JavaScriptError, UnknownObjectClassError)

_Fetch = Callable[[Request], Awaitable[Response]]


class CannotListenError(DuraboxError):
    """The address cannot be listened on."""

    code = "cannot-listen"


class Address(Struct, frozen=True):
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
        admin: The admin surface, ``None`` for none; without it the object endpoints under ``/-/`` are not there either.
        dev: Whether errors carry stacks.
    """

    def __init__(self, host: Host, *, admin: Admin | None = None, dev: bool = False) -> None:
        self._host = host
        self._admin = admin
        self._dev = dev
        self._routes = Routes(host)

    def announce(self, address: Address, port: int) -> None:
        """Leave word in the state directory where the admin surface answers, if there is one."""
        if self._admin is not None:
            everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
            self._host.announce(_url(everywhere.get(address.host, address.host), port))

    async def close(self, timeout: float) -> None:
        """See `Host.close`."""
        await self._host.close(timeout)

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer one request."""
        try:
            path = path_of(request)
            admin = self._admin
            if admin is not None and path.startswith(PREFIX):
                refused = admin.refusal(request)
                if refused is not None:
                    return refused
                if not path.startswith(OBJECTS):
                    return await admin.handle(request)
                stub, path = self._routes.object_at(path[len(OBJECTS) :])
                return await self._exchange(request, path, stub.request)
            if self._host.has_worker:
                return await self._exchange(request, path, self._host.fetch)
            stub, path = self._routes.object_at(path[1:])
            return await self._exchange(request, path, stub.request)
        except BadPathError as error:
            return answers.plain(HTTPStatus.NOT_FOUND, str(error))
        except BadRequestError as error:
            return answers.plain(HTTPStatus.BAD_REQUEST, str(error))
        except DuraboxError as error:
            if not isinstance(error, _EXPECTED):
                logger.error("%s %s: %s", request.method, request.raw_path, error)
            return answers.failure(error, dev=self._dev)

    @staticmethod
    async def _exchange(request: BaseRequest, path: str, fetch: _Fetch) -> StreamResponse:
        """Hand the request over, and its answer back."""
        url = origin_of(request) + path
        headers: list[str] = []
        for name, value in request.raw_headers:
            headers.append(name.decode("latin-1"))
            try:
                headers.append(value.decode())
            except UnicodeDecodeError:
                headers.append(value.decode("latin-1"))
        body = await incoming(request)
        message = Request(request.method, url, headers, body)
        if not isinstance(body, Upload):
            return await answers.send(request, await fetch(message))
        try:
            response = await fetch(message)
            if not isinstance(response.body, bytes | None):
                # It may be read while the answer is being sent.
                await body.invite()
            return await answers.send(request, response)
        finally:
            body.close()


@asynccontextmanager
async def listening(application: Application, address: Address) -> AsyncIterator[int]:
    """
    Answer requests until the block ends, and then those that are under way.

    Args:
        application: What answers.
        address: Where to listen.
    Returns:
        The port that was taken.
    Raises:
        CannotListenError: The port is in use, or the address is not ours.
    """
    connections = listener(application.handle)
    try:
        server = await asyncio.get_running_loop().create_server(
            connections, address.host, address.port, backlog=_BACKLOG, reuse_address=True
        )
    except OSError as error:
        raise CannotListenError(_why_not(error, address)) from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await close_all()
        server.close()
        # Requests that have come already are begun, before connections without one are closed.
        await asyncio.sleep(0)
        connections.pre_shutdown()
        await connections.shutdown(_GRACE)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_not(error: OSError, address: Address) -> str:
    text = f"cannot listen on {address.host}:{address.port}: "
    match error.errno:
        case errno.EADDRINUSE:
            return f"{text}the port is in use: stop what uses it, or choose another with --port (0 takes any free one)"
        case errno.EACCES:
            return f"{text}permission denied: choose a port above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"{text}this machine has no such address: choose one of its own with --host"
        case _:
            return f"{text}{error.strerror or error}"


async def serve(application: Application, address: Address, started: Callable[[], None]) -> None:
    """
    Serve until SIGTERM or SIGINT, then answer what is under way and return. A second signal ends the process at once.

    Args:
        application: What to serve.
        address: Where; the ready line on stdout names the port that was taken.
        started: Called after that.
    Raises:
        CannotListenError: The port is in use, or the address is not ours.
    """
    stop = asyncio.Event()

    def signalled(number: int) -> None:
        if stop.is_set():
            # Not an orderly exit: nothing more is answered, so nothing that was acknowledged is lost.
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled, number)
    async with listening(application, address) as port:
        application.announce(address, port)
        print(f"durabox listening on {_url(address.host, port)}", flush=True)
        started()
        await stop.wait()
        ends = asyncio.get_running_loop().time() + _GRACE
        logger.debug("finishing the requests under way; a second signal ends them")
    # What they have begun has what is left of that time; who was cut off lets go of objects first.
    await application.close(max(ends - asyncio.get_running_loop().time(), _MOMENT))
