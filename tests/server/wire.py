"""A server in this process, and a client that says exactly what a test wants it to say."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durabox import Host
from durabox.server.admin import Admin
from durabox.server.app import Address, Application, listening

EDGE = Path(__file__).with_name("edge.js")
#: The object endpoint of one object.
A = "/-/objects/Edge/a"


@dataclass
class Answer:
    """An HTTP answer, taken apart."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of that header, which may be there once."""
        values = self.all(name)
        assert len(values) < 2
        return values[0] if values else None

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str | bytes) -> None:
        """Send bytes; text as UTF-8, ``\\n`` as the end of a line of HTTP."""
        self.writer.write(text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode())

    async def line(self) -> str:
        """The next line."""
        return (await self.reader.readline()).decode("latin-1").rstrip("\r\n")

    async def head(self) -> Answer:
        """The next answer without its body."""
        version, status, *reason = (await self.line()).split(" ", 2)
        headers = []
        while line := await self.line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip().encode("latin-1").decode()))
        return Answer(version, int(status), " ".join(reason), headers)

    async def answer(self, *, head: bool = False) -> Answer:
        """The next answer with its body, unless it is one to HEAD."""
        answer = await self.head()
        length = answer.header("content-length")
        if head or answer.status in (204, 304):
            return answer
        if answer.header("transfer-encoding") == "chunked":
            while size := int(await self.line(), 16):
                answer.body += await self.reader.readexactly(size)
                assert await self.line() == ""
            assert await self.line() == ""
        elif length is not None:
            answer.body = await self.reader.readexactly(int(length))
        else:
            answer.body = await self.reader.read()
        return answer

    async def ended(self) -> bool:
        """Whether the server closes the connection and sends nothing more."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True

    def abort(self) -> None:
        """Leave at once, as a client does whose machine went away."""
        self.writer.transport.abort()


@dataclass
class Edge:
    """A running server."""

    port: int
    wires: list[Wire] = field(default_factory=list)

    async def connect(self, *, narrow: bool = False) -> Wire:
        """A new connection; on a narrow one the kernel keeps little of what is under way."""
        client = socket.socket()
        client.setblocking(False)
        if narrow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
        wire = Wire(*await asyncio.open_connection(sock=client))
        self.wires.append(wire)
        return wire

    async def ask(self, text: str | bytes, *, head: bool = False) -> Answer:
        """Send something on a connection of its own and read one answer."""
        wire = await self.connect()
        wire.send(text)
        answer = await wire.answer(head=head)
        wire.writer.close()
        return answer

    async def get(self, path: str, *headers: str) -> Answer:
        """GET with that path and those header lines."""
        lines = "".join(f"{line}\n" for line in headers)
        return await self.ask(f"GET {path} HTTP/1.1\nHost: localhost:{self.port}\n{lines}\n")

    async def until(self, path: str, satisfied: Callable[[Any], bool]) -> Any:
        """The JSON at that path, as soon as it is as it should be."""
        async with asyncio.timeout(30):
            while True:
                found = (await self.get(path)).json()
                if satisfied(found):
                    return found

    async def settled(self, path: str) -> Any:
        """The JSON at that path, when it has stopped changing while the server had every chance to go on."""
        same, last = 0, None
        async with asyncio.timeout(30):
            while same < 50:
                found = (await self.get(path)).json()
                same, last = (same + 1, last) if found == last else (0, found)
        return last


OpenEdge = Callable[..., AbstractAsyncContextManager[Edge]]


@asynccontextmanager
async def open_edge(
    project: Path = EDGE, *, admin: bool = True, token: str | None = None, dev: bool = False
) -> AsyncIterator[Edge]:
    """Serve a project on a free port until the block ends."""
    async with Host.open(project) as host:
        application = Application(host, admin=Admin(host, token=token) if admin else None, dev=dev)
        async with listening(application, Address(port=0)) as port:
            edge = Edge(port)
            try:
                yield edge
            finally:
                for wire in edge.wires:
                    wire.abort()
