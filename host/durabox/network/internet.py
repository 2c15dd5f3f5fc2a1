"""`Internet`: exchanges with other servers over aiohttp's client, within a `Policy`.

Names are resolved here, and only addresses that the policy admits are handed to the connector: it cannot connect to another one
than was judged. Each exchange is judged anew, so a redirect is too.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_middlewares import ClientHandlerType
from multidict import CIMultiDict
from yarl import URL

from durabox.errors import JavaScriptError, NetworkError
from durabox.network.policy import BadHostError, Policy, literal
from durabox.network.sockets import MAX_MESSAGE, Frames
from durabox.objects.messages import OF_CONNECTION, BodyStream, Request, Response
from durabox.objects.sockets import pair

#: Seconds until a connection must stand.
_CONNECT_SECONDS: Final = 30.0
#: Bytes of an answer that wait for their reader.
_BUFFER: Final = 256 * 1024
#: Bytes of one header, and how many there may be.
_MAX_FIELD: Final = 128 * 1024
_MAX_HEADERS: Final = 1024
#: Headers that belong to one connection, and those that this side computes.
_OWN: Final = OF_CONNECTION | {"content-length", "expect", "host"}
_HANDSHAKE: Final = frozenset(
    {
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)
#: Headers that aiohttp would add.
_UNASKED: Final = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)
_BODILESS: Final = frozenset({101, 204, 205, 304})
#: Methods without a body; all others have one, even if it is empty.
_ASKING: Final = frozenset({"GET", "HEAD"})


class NotAllowedError(NetworkError):
    """
    The policy refuses a server.

    Args:
        host: The server.
        port: Its port.
        public: Whether public servers are allowed.
    """

    code = "network-not-allowed"

    def __init__(self, host: str, port: int, public: bool) -> None:
        name = f"[{host}]" if ":" in host else host
        why = "it has no public address" if public else "only servers that were named are allowed"
        super().__init__(
            f"Connecting to {name}:{port} is not allowed: {why}. To allow it, name it: --allow-net {name}:{port}",
            retryable=False,
        )
        self.host = host
        self.port = port


class _Resolver(AbstractResolver):
    """Gives away addresses only that the policy admits."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See `AbstractResolver`."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
        )
        results = [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
            if isinstance(address[0], str) and self._policy.admits(host, port, address[0])
        ]
        if not results:
            raise NotAllowedError(host, port, self._policy.public)
        return results

    async def close(self) -> None:
        """See `AbstractResolver`."""


def load_client() -> None:
    """Have aiohttp's client imported, which `serve` puts off, so that the first exchange does not wait for it."""
    _ = aiohttp.ClientSession


class Internet:
    """
    Carries out exchanges; a `Network`. Use it as a context manager around the host that it is given to.

    Args:
        public: Whether every server with a public address may be reached.
        named: Servers that may be reached whatever their address is, such as ``localhost:9000``; without a port, on every one.
    Raises:
        BadHostError: One of them is no host.
    """

    def __init__(self, *, public: bool = True, named: Iterable[str] = ()) -> None:
        self._policy = Policy.of(public, named)
        self._session: aiohttp.ClientSession | None = None
        self._sockets: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Internet:
        """Ready for exchanges."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for task in self._sockets:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    async def __call__(self, request: Request) -> Response:
        """
        One exchange.

        Raises:
            NetworkError: The server cannot be reached, or may not be (`NotAllowedError`), or speaks no HTTP.
        """
        url = self._checked(request.url)
        try:
            if _wants_socket(request.headers):
                return await self._connect(url, request)
            return await self._exchange(self._opened(), url, request)
        except NetworkError:
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _reason(error) from error

    def _checked(self, text: str) -> URL:
        """The URL, if it may be asked; of a name, its addresses are judged when it has been resolved."""
        url = URL(text, encoded=True)
        host, port = url.raw_host, url.port
        if host is None or port is None:
            raise NetworkError(f"Invalid URL: {text}", name="TypeError", retryable=False)
        try:
            address = literal(host)
        except BadHostError:
            raise NetworkError(f"Invalid URL: {text}", name="TypeError", retryable=False) from None
        if address is None:
            allowed = self._policy.public or self._policy.names(host, port)
        else:
            allowed = self._policy.admits(host, port, str(address))
        if not allowed:
            raise NotAllowedError(host, port, self._policy.public)
        return url.with_user(None).with_fragment(None) if url.user or url.raw_fragment else url

    def _opened(self) -> aiohttp.ClientSession:
        session = self._session
        if session is None:
            connector = aiohttp.TCPConnector(limit=0, resolver=_Resolver(self._policy), use_dns_cache=False)
            session = self._session = self._session_over(connector, owner=True)
        return session

    @staticmethod
    def _session_over(
        connector: aiohttp.BaseConnector | None,
        *,
        owner: bool,
        middlewares: tuple[
            Callable[[aiohttp.ClientRequest, ClientHandlerType], Awaitable[aiohttp.ClientResponse]], ...
        ] = (),
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=owner,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_UNASKED,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            auto_decompress=False,
            read_bufsize=_BUFFER,
            max_line_size=_MAX_FIELD,
            max_field_size=_MAX_FIELD,
            max_headers=_MAX_HEADERS,
            middlewares=middlewares,
        )

    async def _exchange(self, session: aiohttp.ClientSession, url: URL, request: Request) -> Response:
        body = request.body
        headers = _headers(request.headers, _OWN)
        data: bytes | AsyncIterator[bytes] | None
        failed: list[NetworkError] = []
        if body is None or isinstance(body, bytes):
            data = body or None
            if not data and request.method not in _ASKING:
                headers[hdrs.CONTENT_LENGTH] = "0"
        else:
            data = _pieces(body, failed)
            length = getattr(body, "length", None)
            if length is not None:
                headers[hdrs.CONTENT_LENGTH] = str(length)
        try:
            answer = await session.request(
                request.method, url, headers=headers, data=data, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, asyncio.CancelledError):
            if failed:
                raise failed[0] from None
            raise
        return _answer(answer, request.method)

    async def _connect(self, url: URL, request: Request) -> Response:
        """A request for a WebSocket."""
        refused: list[aiohttp.ClientResponse] = []
        opened: list[tuple[aiohttp.ClientResponse, asyncio.Transport | None]] = []

        async def look(asked: aiohttp.ClientRequest, ask: ClientHandlerType) -> aiohttp.ClientResponse:
            """Keep the answer of a server that does not open a socket, which aiohttp would throw away."""
            answer = await ask(asked)
            if answer.status != 101:
                refused.append(answer)
                raise _NoSocketError
            line = answer.connection
            opened.append((answer, None if line is None else line.transport))
            return answer

        headers = _headers(request.headers, _OWN | _HANDSHAKE)
        protocols = [
            protocol.strip()
            for at in range(0, len(request.headers), 2)
            if request.headers[at].lower() == "sec-websocket-protocol"
            for protocol in request.headers[at + 1].split(",")
        ]
        session = self._session_over(self._opened().connector, owner=False, middlewares=(look,))
        try:
            connection = await session.ws_connect(
                url,
                protocols=protocols,
                headers=headers,
                compress=15,
                autoclose=False,
                max_msg_size=MAX_MESSAGE + 1,
                decode_text=False,
            )
        except _NoSocketError:
            return _answer(refused[0], request.method)
        finally:
            session.detach()
        ours, theirs = pair()
        answer, transport = opened[0]

        async def serve() -> None:
            try:
                await Frames(connection, ours).run(transport)
            finally:
                answer.close()

        task = asyncio.get_running_loop().create_task(serve())
        self._sockets.add(task)
        task.add_done_callback(self._sockets.discard)
        return Response(101, answer.reason or "", _flat(answer.raw_headers), socket=theirs)


class _NoSocketError(Exception):
    """The server answered a request for a WebSocket as one without."""


def _wants_socket(headers: list[str]) -> bool:
    return any(
        headers[at].lower() == "upgrade" and headers[at + 1].strip().lower() == "websocket"
        for at in range(0, len(headers), 2)
    )


def _headers(flat: list[str], unwanted: frozenset[str]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    # A session takes a name in another case for another header, and keeps the last of them alone.
    names: dict[str, str] = {}
    for at in range(0, len(flat), 2):
        lower = flat[at].lower()
        if lower not in unwanted:
            headers.add(names.setdefault(lower, flat[at]), flat[at + 1])
    return headers


def _flat(raw: Iterable[tuple[bytes, bytes]]) -> list[str]:
    flat: list[str] = []
    for name, value in raw:
        flat.append(name.decode("latin-1"))
        try:
            flat.append(value.decode())
        except UnicodeDecodeError:
            flat.append(value.decode("latin-1"))
    return flat


async def _pieces(body: BodyStream, failed: list[NetworkError]) -> AsyncIterator[bytes]:
    """A request's body as aiohttp reads it, no faster than the connection takes it."""
    try:
        while piece := await body.read():
            yield piece
    except NetworkError as error:
        failed.append(error)
        raise
    except JavaScriptError as error:
        # The guest's own stream.
        failed.append(NetworkError(error.message, name=error.name, retryable=False))
        raise


def _answer(answer: aiohttp.ClientResponse, method: str) -> Response:
    headers = _flat(answer.raw_headers)
    content = answer.content
    body: bytes | BodyStream | None
    if method == "HEAD" or answer.status in _BODILESS:
        answer.release()
        body = None
    elif content.is_eof() and content.exception() is None:
        # It came together with its head.
        body = content.read_nowait()
        answer.release()
    else:
        body = _Body(answer)
    return Response(answer.status, answer.reason or "", headers, body)


class _Body:
    """The body of an answer. The connection is read no faster than this is."""

    __slots__ = ("_answer", "length")

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.length = answer.content_length

    async def read(self) -> bytes:
        """See `BodyStream`."""
        try:
            chunk = await self._answer.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NetworkError from error
        except RuntimeError:
            # The connection allows one reader; that there are two is the guest's doing.
            raise NetworkError(
                "This stream is being read already.", name="TypeError", retryable=False
            ) from None
        return chunk

    async def cancel(self, reason: str) -> None:
        """See `BodyStream`."""
        self._answer.close()


def _reason(error: Exception) -> NetworkError:
    """What the guest is told: never more than that there is no connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NetworkError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkError("TLS peer's certificate is not trusted.", retryable=False)
        cause = cause.__cause__ or cause.__context__
    return NetworkError()
