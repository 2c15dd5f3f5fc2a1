"""WebSockets of real clients: events, hibernation, closing, and a Worker in between."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import v8serialize
from aiohttp import WSMsgType

from durabox import Host
from durabox.server.admin import Admin
from durabox.server.app import Address, Application, listening
from durabox.testing import VirtualClock

ROOMS = Path(__file__).with_name("rooms.js")
ROOM = "/-/objects/Room/r"


class Rooms:
    """A running server, and a client for its sockets."""

    def __init__(self, port: int, session: aiohttp.ClientSession, clock: VirtualClock, host: Host) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.session = session
        self.clock = clock
        self.host = host

    async def open(self, path: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        """Connect to that path."""
        return await self.session.ws_connect(self.base + path, **options)

    async def get(self, path: str) -> Any:
        """The JSON at that path."""
        async with self.session.get(self.base + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def log(self) -> Any:
        """What the object has logged, once it has logged something."""
        async with asyncio.timeout(30):
            while not (found := await self.get(f"{ROOM}/log")):
                pass
        return found

    async def sleep(self) -> None:
        """Let idle objects leave memory."""
        await self.clock.advance(60_000)
        assert self.host.live == 0


@pytest.fixture
async def rooms() -> AsyncIterator[Rooms]:
    async with open_rooms() as opened:
        yield opened
        await opened.session.close()


@asynccontextmanager
async def open_rooms() -> AsyncIterator[Rooms]:
    clock = VirtualClock()
    # The clients outlive the server.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, Host.open(ROOMS, clock=clock) as host:
        application = Application(host, admin=Admin(host))
        async with listening(application, Address(port=0)) as port:
            yield Rooms(port, session, clock, host)


async def said(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """What the server says next: a text, bytes, or the code and reason of its Close."""
    async with asyncio.timeout(30):
        frame = await socket.receive()
    if frame.type is WSMsgType.CLOSE:
        return (frame.data, frame.extra)
    return (socket.close_code,) if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR) else frame.data


@pytest.mark.parametrize("path", [f"{ROOM}/events", "/pass/r/events"])
async def test_messages_are_answered_by_an_objects_listeners(rooms: Rooms, path: str) -> None:
    socket = await rooms.open(path)
    await socket.send_str("héllo")
    assert await said(socket) == "héllo"
    await socket.send_bytes(b"\x00\xff")
    assert await said(socket) == "bytes 0,255"
    await socket.send_str("store")
    assert await said(socket) == "stored"
    await socket.send_str("big")
    assert await said(socket) == bytes(300_000)
    await socket.send_str("many")
    assert [await said(socket) for _ in range(1000)] == [str(i) for i in range(1000)]
    assert await socket.close(code=4000, message=b"done")
    assert await rooms.log() == [[4000, "done", True, 3]]


async def test_a_worker_may_stand_between_client_and_object(rooms: Rooms) -> None:
    socket = await rooms.open("/mid/r/events")
    await socket.send_str("a")
    assert await said(socket) == "via a"
    await socket.close(code=4003, message=b"through")
    assert (await rooms.log())[0][:2] == [4003, "through"]


async def test_the_object_may_close(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/events", autoclose=False)
    await socket.send_str("bye")
    assert await said(socket) == (4001, "as asked")
    await socket.close(code=4001)


async def test_a_half_open_socket_is_closed_by_the_application(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/half", autoclose=False)
    await socket.close(code=4000, message=b"mine")
    assert socket.close_code == 4002
    assert (await rooms.log())[0] == [4000, "mine", True, 2]


async def test_a_lost_connection_is_reported_as_such(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/events")
    await socket.send_str("x")
    await said(socket)
    assert socket._response.connection is not None
    socket._response.connection.transport.abort()
    assert await rooms.log() == [[1006, "WebSocket disconnected without sending Close frame.", False, 1]]


async def test_the_protocol_that_the_object_chose_is_agreed(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/events", protocols=["chat", "other"])
    assert socket.protocol == "chat"
    await socket.close()


async def test_compression_is_agreed_when_the_client_offers_it(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/events", compress=15)
    assert socket.compress == 15
    for text in ("short", "long " * 5000):
        await socket.send_str(text)
        assert await said(socket) == text
    await socket.close()


async def test_a_hibernating_object_is_woken_by_a_message(rooms: Rooms) -> None:
    sockets = [
        await rooms.open(f"{ROOM}/hibernate?name={name}&tag=all&tag={name}") for name in ("ann", "bob", "cid")
    ]
    for socket in sockets:
        assert await said(socket) == "welcome"
    await rooms.sleep()
    await sockets[1].send_str("who")
    assert json.loads(await said(sockets[1])) == [{"name": "bob"}, ["all", "bob"], 2]
    await rooms.sleep()
    await sockets[0].send_str("all")
    assert [await said(socket) for socket in sockets] == ["to all"] * 3
    assert await rooms.get(f"{ROOM}/starts") == [3, 3]
    assert await rooms.get(f"{ROOM}/tagged?tag=all") == [{"name": "ann"}, {"name": "bob"}, {"name": "cid"}]
    assert await rooms.get(f"{ROOM}/tagged?tag=cid") == [{"name": "cid"}]
    late = await rooms.open(f"{ROOM}/hibernate?name=dan")
    assert await said(late) == "welcome"
    await rooms.sleep()
    await late.send_str("who")
    assert json.loads(await said(late)) == [{"name": "dan"}, [], 4]


async def test_closing_a_hibernating_socket_wakes_the_object(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate", autoclose=False)
    await said(socket)
    await rooms.sleep()
    await socket.close(code=4000, message=b"gone")
    assert socket.close_code == 4000
    assert await rooms.log() == [["close", 4000, "gone", True, 1]]
    assert await rooms.get(f"{ROOM}/starts") == [2, 0]


async def test_an_automatic_answer_wakes_nobody(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate")
    await said(socket)
    await socket.send_str("when")
    assert await said(socket) == "false"
    await socket.send_str("auto")
    await socket.send_str("now it is set")
    assert await said(socket) == "echo now it is set"
    await socket.send_str("ping")
    assert await said(socket) == "pong"
    await rooms.sleep()
    await socket.send_str("ping")
    assert await said(socket) == "pong"
    assert rooms.host.live == 0
    await socket.send_str("when")
    assert await said(socket) == "true"


async def test_an_exception_in_a_handler_leaves_the_socket_open(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate")
    await said(socket)
    await socket.send_str("throw")
    await socket.send_str("after")
    assert await said(socket) == "echo after"


async def test_a_handler_past_its_time_resets_the_object(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate")
    await said(socket)
    await socket.send_str("timeout")
    await socket.send_str("now it is set")
    assert await said(socket) == "echo now it is set"
    await socket.send_str("hang")
    await socket.send_str("next")
    assert await said(socket) == "echo next"
    await rooms.clock.advance(30)
    assert await said(socket) == (1006,)
    assert rooms.host.live == 0


async def test_a_reset_object_loses_its_sockets(rooms: Rooms) -> None:
    sockets = [await rooms.open(f"{ROOM}/{kind}") for kind in ("hibernate", "events")]
    await said(sockets[0])
    async with rooms.session.get(f"{rooms.base}{ROOM}/abort") as response:
        assert response.status == 500
    assert [await said(socket) for socket in sockets] == [(1006,), (1006,)]
    assert await rooms.get(f"{ROOM}/starts") == [2, 0]


async def test_an_object_with_an_ordinary_socket_stays_in_memory(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/events")
    await rooms.clock.advance(60_000)
    assert rooms.host.live == 1
    await socket.send_str("still")
    assert await said(socket) == "still"
    await socket.close()
    await rooms.get(f"{ROOM}/starts")
    await rooms.sleep()


async def test_shutdown_closes_with_service_restart() -> None:
    async with open_rooms() as rooms:
        sockets = [await rooms.open(f"{ROOM}/{kind}", autoclose=True) for kind in ("hibernate", "events")]
        await said(sockets[0])
        waiting = [asyncio.ensure_future(said(socket)) for socket in sockets]
        await asyncio.sleep(0)
    assert [(await done)[0] for done in waiting] == [1012, 1012]


async def test_a_socket_for_a_request_that_wants_none_is_an_error(rooms: Rooms) -> None:
    async with rooms.session.get(f"{rooms.base}{ROOM}/events") as response:
        assert response.status == 500
        assert "Upgrade: websocket" in await response.text()


@pytest.mark.parametrize("path", ["events", "hibernate"])
@pytest.mark.parametrize("code", [5000, 65535])
async def test_a_code_that_no_close_may_have_does_not_reach_the_object(
    rooms: Rooms, path: str, code: int
) -> None:
    socket = await rooms.open(f"{ROOM}/{path}", autoclose=False)
    if path == "hibernate":
        await said(socket)
    await socket._writer.send_frame(code.to_bytes(2, "big"), WSMsgType.CLOSE)
    assert (await said(socket))[0] == 1002
    (entry,) = await rooms.log()
    assert (entry[1:4] if path == "hibernate" else entry[:3]) == [1002, "", True]


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
}


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Sec-WebSocket-Key", None, 400),
        ("Sec-WebSocket-Key", "AAA=", 400),
        ("Sec-WebSocket-Version", None, 426),
        ("Sec-WebSocket-Version", "8", 426),
        ("Connection", "keep-alive", 400),
    ],
)
async def test_a_broken_handshake_is_the_clients_fault(
    rooms: Rooms, name: str, value: str | None, status: int
) -> None:
    headers = {**HANDSHAKE, name: value}
    kept = {name: value for name, value in headers.items() if value is not None}
    async with rooms.session.get(f"{rooms.base}{ROOM}/events", headers=kept) as response:
        assert response.status == status
        assert response.headers.get("Sec-WebSocket-Version") == ("13" if status == 426 else None)


async def test_a_socket_begins_with_a_get(rooms: Rooms) -> None:
    async with rooms.session.post(f"{rooms.base}{ROOM}/events", headers=HANDSHAKE) as response:
        assert response.status == 400


async def test_protocols_that_the_object_did_not_choose_are_no_warning(
    rooms: Rooms, capfd: pytest.CaptureFixture[str]
) -> None:
    socket = await rooms.open(f"{ROOM}/plain", protocols=["other"])
    assert socket.protocol is None
    await socket.close()
    assert capfd.readouterr().err == ""


async def test_too_large_a_message_closes_with_its_code(rooms: Rooms) -> None:
    for _ in range(3):
        socket = await rooms.open(f"{ROOM}/events", max_msg_size=0)
        await socket.send_bytes(bytes(33 << 20))
        code, reason = await said(socket)
        assert (code, "33554432" in reason) == (1009, True)


def _frame(code: int, payload: bytes = b"", bits: int = 0x80) -> bytes:
    """A client's frame, masked with zeros."""
    return bytes([bits | code, 0x80 | len(payload)]) + bytes(4) + payload


async def _raw(rooms: Rooms, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that may break the protocol."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rooms.base.rpartition(":")[2]))
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".encode()
        + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


BROKEN = pytest.mark.parametrize(
    ("sent", "code"),
    [
        (_frame(5, b"x"), 1002),
        (_frame(1, b"x", 0xF0), 1002),
        (b"\x82\xff" + bytes([0, 0, 0, 0, 4, 0, 0, 0]), 1009),
    ],
    ids=["opcode", "reserved", "size"],
)


@BROKEN
async def test_an_object_hears_of_a_broken_protocol_as_an_error(rooms: Rooms, sent: bytes, code: int) -> None:
    reader, writer = await _raw(rooms, f"{ROOM}/hibernate?name=n")
    writer.write(sent)
    [[what, message, state, attachment, listed]] = await rooms.log()
    assert (what, state, attachment, listed) == ("error", 2, {"name": "n"}, 1)
    assert message.startswith(f"Error: WebSocket protocol error; protocolError.statusCode = {code}; ")
    assert await rooms.get(f"{ROOM}/starts") == [1, 0]
    # The client is told, and what it still sends is no matter.
    writer.write(bytes(1 << 20))
    writer.write_eof()
    answer = await reader.read()
    close = answer.index(b"\x88")
    assert int.from_bytes(answer[close + 2 : close + 4], "big") == code
    assert b"nobody hears this" not in answer
    writer.close()


async def test_a_broken_protocol_wakes_a_hibernating_object(rooms: Rooms) -> None:
    _, writer = await _raw(rooms, f"{ROOM}/hibernate?name=n")
    await rooms.sleep()
    writer.write(_frame(5))
    assert [entry[0] for entry in await rooms.log()] == ["error"]
    assert await rooms.get(f"{ROOM}/starts") == [2, 0]
    writer.close()


@BROKEN
async def test_a_listener_hears_of_it_too_and_of_no_close(rooms: Rooms, sent: bytes, code: int) -> None:
    _, writer = await _raw(rooms, f"{ROOM}/events")
    writer.write(sent)
    [[message, error, state]] = await rooms.log()
    assert message == f"Uncaught Error: {error}"
    assert (f"statusCode = {code};" in error, state) == (True, 3)
    writer.close()


async def test_a_client_that_vanishes_is_no_error(rooms: Rooms) -> None:
    _, writer = await _raw(rooms, f"{ROOM}/hibernate")
    writer.write(_frame(1, b"half a message")[:8])
    writer.transport.abort()
    lost = "WebSocket disconnected without sending Close frame."
    assert await rooms.log() == [["close", 1006, lost, False, 1]]


@pytest.mark.parametrize("message", ["x" * (32 << 20), "é" * (16 << 20), "日" * ((32 << 20) // 3)])
async def test_the_largest_message_leaves_the_object_alive(rooms: Rooms, message: str) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate")
    assert await said(socket) == "welcome"
    for _ in range(2):
        await socket.send_str(message)
        assert await said(socket) == f"{len(message)}"
    assert await rooms.get(f"{ROOM}/starts") == [1, 1]


async def test_sockets_are_seen_from_outside_and_an_export_tells_of_them(
    rooms: Rooms, tmp_path: Path
) -> None:
    ann = await rooms.open(f"{ROOM}/hibernate?name=ann&tag=a&tag=b")
    objects = rooms.host.objects
    told = [{"tags": ["a", "b"], "attachment": {"name": "ann"}}]
    assert (await objects.show("Room", "r"))["sockets"] == told
    await rooms.sleep()
    assert (await objects.show("Room", "r"))["sockets"] == told, "they outlive its leaving memory"
    file = tmp_path / "room.sqlite"
    await objects.export("Room", "r", file)
    with sqlite3.connect(file) as tool:
        ((tags, attachment),) = tool.execute("SELECT tags, attachment FROM _cf_PORTABLE_SOCKET")
    tool.close()
    assert json.loads(tags) == ["a", "b"]
    assert dict(v8serialize.loads(attachment)) == {"name": "ann"}
    await objects.load("Room", "copy", file)
    assert (await objects.show("Room", "copy"))["sockets"] == [], "a connection does not travel"
    assert (await objects.show("Room", "copy"))["tables"] == {}
    await ann.close()


async def test_a_client_that_does_not_read_stalls_nobody_and_is_given_up(rooms: Rooms) -> None:
    slow = await rooms.open(f"{ROOM}/events")
    for _ in range(100):
        await slow.send_str("big")
    quick = await rooms.open(f"{ROOM}/events")
    for text in ("one", "two"):
        await quick.send_str(text)
        assert await said(quick) == text
    assert await rooms.log() == [[1006, "WebSocket disconnected without sending Close frame.", False, 1]]
    await quick.send_str("three")
    assert await said(quick) == "three"


async def test_a_client_that_floods_a_busy_object_is_held_back(rooms: Rooms) -> None:
    socket = await rooms.open(f"{ROOM}/hibernate")
    assert await said(socket) == "welcome"
    await socket.send_str("busy")
    assert await said(socket) == "busy"
    sent = 0
    with suppress(TimeoutError):
        while sent < 500:
            sent += 1
            async with asyncio.timeout(1):
                await socket.send_str("x" * 1_000_001)
    assert sent < 100
    while rooms.host.live:
        await rooms.clock.advance(30_000)
    assert [await said(socket) for _ in range(sent)] == ["1000001"] * sent


async def test_an_object_has_as_many_hibernatable_sockets_as_on_the_platform(rooms: Rooms) -> None:
    most, message, left = await rooms.get(f"{ROOM}/fill")
    assert most == left == 32_768
    assert message == "only 32768 websockets can be accepted on a single Durable Object instance"


async def test_idle_sockets_do_not_keep_an_object(rooms: Rooms) -> None:
    sockets = await asyncio.gather(*(rooms.open(f"{ROOM}/hibernate?name={i}") for i in range(200)))
    for socket in sockets:
        assert await said(socket) == "welcome"
    await rooms.sleep()
    await sockets[7].send_str("all")
    assert [await said(socket) for socket in sockets] == ["to all"] * 200
