"""WebSockets of real clients: what they and the object hear is what they hear of workerd."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType

from bench import workerd
from tests.served import free_port, peer, serve

SOURCE = Path(__file__).with_name("talker.js")
CLASSES = {"TALKER": "Talker", "SILENT": "Silent"}

#: Cases that are known to differ, each with what durabox does instead.
KNOWN = {
    # Closes are answered for hibernating sockets as well, as the platform documents.
    "hibernate: close",
    "hibernate: close 1000",
    "hibernate: close 1001",
    "hibernate: close without a code",
    "hibernate: close after a message",
    "hibernate: throw in close",
}


class Client:
    """A client of one object of one server; everything it sees goes into `seen`."""

    def __init__(self, session: aiohttp.ClientSession, base: str, name: str) -> None:
        self.session = session
        self.base = f"{base}/{{}}/{name}"
        self.seen: list[Any] = []

    async def open(self, path: str, kind: str = "TALKER", **options: Any) -> ClientWebSocketResponse:
        """Connect."""
        return await self.session.ws_connect(
            self.base.format(kind) + path, autoclose=False, max_msg_size=0, **options
        )

    async def get(self, path: str) -> Any:
        """A plain answer."""
        async with self.session.get(self.base.format("TALKER") + path) as response:
            text = await response.text()
        return json.loads(text) if text[:1] in "[{" else text

    async def hear(self, socket: ClientWebSocketResponse) -> Any:
        """Note what comes next."""
        try:
            async with asyncio.timeout(2):
                frame = await socket.receive()
        except TimeoutError:
            self.seen.append("nothing")
            return None
        if frame.type is WSMsgType.CLOSE:
            self.seen.append(["close", frame.data, frame.extra])
        elif frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.seen.append(frame.data if isinstance(frame.data, str) else list(frame.data))
        else:
            self.seen.append(["gone", socket.close_code])
        return frame.data

    async def log(self, entries: int) -> None:
        """Note what the object has noted, once there is that much."""
        found: Any = []
        for _ in range(100):
            found = await self.get("/log")
            if len(found) >= entries:
                break
            await asyncio.sleep(0.01)
        self.seen.append(found)


Case = Callable[[Client], Awaitable[None]]
CASES: dict[str, Case] = {}


def says(
    name: str, path: str, *messages: str | bytes, replies: int = 1, entries: int = 0, **options: Any
) -> None:
    """A case: connect, send those messages, hear so many replies, read the log."""

    async def case(client: Client) -> None:
        socket = await client.open(path, **options)
        for message in messages:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
        for _ in range(replies):
            await client.hear(socket)
        if entries:
            await client.log(entries)
        await socket.close()

    CASES[name] = case


def closes(
    name: str, path: str, code: int | None, reason: bytes = b"", entries: int = 1, before: str = ""
) -> None:
    """A case: connect, close in that way, hear the answer, read the log."""

    async def case(client: Client) -> None:
        socket = await client.open(path)
        if before:
            await socket.send_str(before)
            await client.hear(socket)
        if code is None:
            await socket._writer.send_frame(b"", WSMsgType.CLOSE)  # no code at all
        else:
            await socket._writer.close(code, reason)
        await client.hear(socket)
        await client.log(entries)
        await socket.close()

    CASES[name] = case


for mode in ("events", "hibernate"):
    path = f"/{mode}?buffer=1"
    says(f"{mode}: text", path, "héllo \U0001f600", entries=1)
    says(f"{mode}: bytes", path, b"\x00\xff", entries=1)
    says(f"{mode}: empty text", path, "", entries=1)
    says(f"{mode}: empty bytes", path, b"", entries=1)
    says(f"{mode}: empty answers", path, "empty", replies=2)
    says(f"{mode}: view", path, "view")
    says(f"{mode}: many", path, "many 200", replies=200)
    says(f"{mode}: order", path, *(f"m{i}" for i in range(50)), replies=50, entries=50)
    says(f"{mode}: state", path, "state")
    says(f"{mode}: hello", f"{path}&hello=1", replies=1)
    says(f"{mode}: the object closes", path, "close", entries=1)
    says(f"{mode}: the object closes with a code", path, "close 4001", entries=1)
    says(f"{mode}: the object closes with a reason", path, "close 4001 why", entries=1)
    says(f"{mode}: the object closes twice", path, "closetwice", entries=1)
    says(f"{mode}: the object sends after its close", path, "closesend", entries=2)
    says(f"{mode}: abort", path, "abort")
    says(f"{mode}: protocol", f"{path}&protocol=b", "state", protocols=["a", "b"])
    says(f"{mode}: large", path, "x" * 200_000, replies=1)
    closes(f"{mode}: close", path, 4000, b"mine")
    closes(f"{mode}: close 1000", path, 1000)
    closes(f"{mode}: close 1001", path, 1001, b"away")
    closes(f"{mode}: close without a code", path, None)
    closes(f"{mode}: close after a message", path, 4000, b"x", entries=2, before="a")
says("events: a listener throws", "/events", "throw", entries=2)
says("events: blob", "/events", b"x", entries=1)
says("events: closed at once", "/events?hello=1&closed=1", replies=2)
closes("half open: close", "/half", 4000, b"mine")
says("hibernate: a handler throws", "/hibernate", "throw", "after", entries=2)
says("hibernate: a handler rejects", "/hibernate", "reject", "after", entries=2)
says("hibernate: handlers interleave", "/hibernate", "slow", "fast", replies=2, entries=2)
says("hibernate: attachment", "/hibernate", "attach", "attach", replies=2)
says("hibernate: tags", "/hibernate?tag=a&tag=b&tag=a", "tags")
says("hibernate: property", "/hibernate", "property")
says("hibernate: accept", "/hibernate", "accept")
closes("hibernate: answered by the handler", "/hibernate?tag=answer", 4000, b"mine")
closes("hibernate: send in close", "/hibernate?tag=send", 4000, b"mine", entries=2)
closes("hibernate: throw in close", "/hibernate?tag=throw", 4000, b"mine")
says("silent", "/", "x", b"y", replies=1, kind="SILENT")


def case(function: Case) -> Case:
    """A case of its own."""
    CASES[function.__name__] = function
    return function


@case
async def lost_events(client: Client) -> None:
    await _lose(client, "/events", 3)


@case
async def lost_hibernate(client: Client) -> None:
    await _lose(client, "/hibernate", 2)


async def _lose(client: Client, path: str, entries: int) -> None:
    socket = await client.open(path)
    await socket.send_str("a")
    await client.hear(socket)
    assert socket._response.connection is not None
    socket._response.connection.transport.abort()
    await client.log(entries)


@case
async def pings_are_answered(client: Client) -> None:
    socket = await client.open("/hibernate")
    await socket.ping(b"data")
    frame = await asyncio.wait_for(_raw(socket), 5)
    client.seen.append([frame.type.name, bytes(frame.data).decode()])


async def _raw(socket: ClientWebSocketResponse) -> Any:
    return await socket._reader.read()


@case
async def automatic_answers(client: Client) -> None:
    socket = await client.open("/hibernate")
    await client.get("/auto")
    for message in ("answered", "ping", "ping ", "answered"):
        await socket.send_str(message)
        await client.hear(socket)
    await socket.send_bytes(b"ping")
    await client.log(3)


@case
async def several_sockets(client: Client) -> None:
    sockets = [
        await client.open(f"/hibernate?attach={i}&tag={'even' if i % 2 == 0 else 'odd'}") for i in range(5)
    ]
    client.seen.append(await client.get("/sockets"))
    client.seen.append(await client.get("/broadcast"))
    for socket in sockets:
        await client.hear(socket)
    await sockets[2]._writer.close(1000, b"")
    await client.log(1)


@case
async def an_early_attachment(client: Client) -> None:
    socket = await client.open("/hibernate?early=1")
    client.seen.append(await client.get("/sockets"))
    await socket.close()


@case
async def the_handshake(client: Client) -> None:
    socket = await client.open("/hibernate")
    headers = socket._response.headers
    client.seen.append([socket._response.status, headers.get("x-own"), headers.get("Upgrade", "").lower()])


@case
async def no_upgrade_wanted(client: Client) -> None:
    async with client.session.get(client.base.format("TALKER") + "/events") as response:
        client.seen.append(response.status)


@case
async def no_upgrade_given(client: Client) -> None:
    try:
        await client.open("/status")
    except aiohttp.WSServerHandshakeError as error:
        client.seen.append(error.status)


async def _answers(port: int) -> dict[str, list[Any]]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        clients = {
            name: Client(session, f"http://127.0.0.1:{port}", f"case{number}")
            for number, name in enumerate(CASES)
        }

        async def answer(name: str) -> None:
            try:
                async with asyncio.timeout(20):
                    await CASES[name](clients[name])
            except Exception as error:
                clients[name].seen.append(f"{type(error).__name__}: {error}")

        await asyncio.gather(*(answer(name) for name in CASES))
        return {name: client.seen for name, client in clients.items()}


async def test_clients_hear_what_they_hear_of_workerd(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.js").write_text(SOURCE.read_text())
    bindings = [{"name": name, "class_name": cls} for name, cls in CLASSES.items()]
    config = {"name": "talker", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (project / "wrangler.json").write_text(json.dumps(config))
    with serve(project, tmp_path / "durabox", log_file=tmp_path / "log") as server:
        ours = await _answers(server.port)
    port = free_port()
    described = workerd.PeerProject(root=project, main="index.js", bindings=CLASSES, vars={}, name="talker")
    with peer(workerd.start(described, port, tmp_path / "workerd"), port, tmp_path / "peer.log"):
        theirs = await _answers(port)
    assert len(ours) > 60
    different = {case: (ours[case], theirs[case]) for case in ours if ours[case] != theirs[case]}
    assert {case: pair for case, pair in different.items() if case not in KNOWN} == {}
