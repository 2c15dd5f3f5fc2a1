"""Bodies go through in pieces, no faster than their reader, and end when either side leaves."""

from __future__ import annotations

import pytest

from tests.server.wire import A, Edge, OpenEdge

HOST = "Host: localhost"
#: More than what the kernel and every stage of the server may hold together, and far less than what is sent.
BOUND = 16 << 20
WHOLE = 64 << 20
LIVE = """
import { DurableObject } from "cloudflare:workers";
const encoder = new TextEncoder();
export class Live extends DurableObject {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/say") { await this.write(encoder.encode(`data: ${search.slice(1)}\\n\\n`)); return new Response("said"); }
    if (pathname === "/end") { await this.end(); return new Response("ended"); }
    const type = pathname === "/sse" ? "text/event-stream" : "text/plain";
    if (pathname === "/writer") {
      const { readable, writable } = new TransformStream(), writer = writable.getWriter();
      this.write = (chunk) => writer.write(chunk);
      this.end = () => writer.close();
      return new Response(readable, { headers: { "content-type": type } });
    }
    return new Response(new ReadableStream({ start: (controller) => {
      this.write = (chunk) => controller.enqueue(chunk);
      this.end = () => controller.close();
    } }), { headers: { "content-type": type } });
  }
}
export default { fetch: (request, env) => env.LIVE.getByName("a").fetch(request.url.replace("/via", ""), request) };
"""
VIA = pytest.mark.parametrize("prefix", [A, "/via/a"], ids=["object", "worker"])


@VIA
async def test_answer_is_made_no_faster_than_it_is_read(edge: Edge, prefix: str) -> None:
    wire = await edge.connect(narrow=True)
    wire.send(f"GET {prefix}/stream?chunks={WHOLE >> 16} HTTP/1.1\n{HOST}\nConnection: close\n\n")
    assert (await wire.head()).header("transfer-encoding") == "chunked"
    made = (await edge.settled(f"{A}/state"))["pulled"] << 16
    assert 0 < made < BOUND
    received = 0
    while chunk := await wire.reader.read(1 << 20):
        received += len(chunk)
    assert received > WHOLE


@VIA
async def test_upload_is_taken_no_faster_than_the_class_reads(edge: Edge, prefix: str) -> None:
    wire = await edge.connect(narrow=True)
    wire.send(f"POST {prefix}/hold HTTP/1.1\n{HOST}\nContent-Length: {WHOLE}\n\n")
    await edge.until(f"{A}/state", lambda state: state["seen"] == ["reading"] or wire.send(bytes(65_536)))
    transport = wire.writer.transport
    sent = 65_536
    while sent < WHOLE:
        if transport.get_write_buffer_size() > 0:
            await edge.settled(f"{A}/state")
            if transport.get_write_buffer_size() > 0:
                break
        wire.send(bytes(65_536))
        sent += 65_536
    assert sent < BOUND
    await edge.get(f"{A}/release")
    while sent < WHOLE:
        wire.send(bytes(65_536))
        sent += 65_536
        await wire.writer.drain()
    assert (await wire.answer()).json() == WHOLE


@pytest.mark.parametrize("action", ["echo", "relay"])
@VIA
async def test_upload_comes_back_while_it_is_sent(edge: Edge, prefix: str, action: str) -> None:
    wire = await edge.connect()
    wire.send(f"POST {prefix}/{action} HTTP/1.1\n{HOST}\nTransfer-Encoding: chunked\n\n1\na\n")
    assert (await wire.head()).status == 200
    for byte in "abcd":
        assert await wire.line() == "1"
        assert await wire.line() == byte
        following = chr(ord(byte) + 1)
        wire.send(f"1\n{following}\n" if byte < "d" else "0\n\n")
    assert await wire.line() == "0"


@VIA
async def test_first_piece_arrives_while_the_rest_is_to_come(edge: Edge, prefix: str) -> None:
    wire = await edge.connect()
    wire.send(f"GET {prefix}/events HTTP/1.1\n{HOST}\n\n")
    assert (await wire.head()).status == 200
    assert (await wire.line(), await wire.line()) == ("6", "first")
    await edge.get(f"{A}/release")
    assert [await wire.line() for _ in range(4)] == ["", "7", "second", ""]


@pytest.mark.parametrize("accepted", ["identity", "gzip, br"])
@pytest.mark.parametrize("kind", ["sse", "text", "writer"])
@pytest.mark.parametrize("prefix", ["/-/objects/Live/a", "/via"], ids=["object", "worker"])
async def test_each_piece_arrives_before_the_next_is_written(
    edge_of: OpenEdge, prefix: str, kind: str, accepted: str
) -> None:
    async with edge_of(LIVE) as edge:
        wire = await edge.connect()
        wire.send(f"GET {prefix}/{kind} HTTP/1.1\n{HOST}\nAccept-Encoding: {accepted}\n\n")
        head = await wire.head()
        assert (head.status, head.header("transfer-encoding")) == (200, "chunked")
        for number in range(5):
            # Nothing more is written until this has arrived.
            await edge.get(f"/-/objects/Live/a/say?{number}")
            piece = f"data: {number}\n\n"
            assert await wire.line() == f"{len(piece):x}"
            assert [await wire.line() for _ in range(3)] == [f"data: {number}", "", ""]
        await edge.get("/-/objects/Live/a/end")
        assert await wire.line() == "0"


@VIA
async def test_answer_of_a_known_length_is_not_chunked(edge: Edge, prefix: str) -> None:
    answer = await edge.get(f"{prefix}/stream?chunks=3&size=5&length=15")
    assert (answer.header("transfer-encoding"), answer.header("content-length")) == (None, "15")
    assert answer.body == bytes(15)


@pytest.mark.parametrize("length", [14, 16])
async def test_answer_of_another_length_than_it_claims_ends_the_connection(edge: Edge, length: int) -> None:
    wire = await edge.connect()
    wire.send(f"GET {A}/stream?chunks=3&size=5&length={length} HTTP/1.1\n{HOST}\n\n")
    assert (await wire.head()).header("content-length") == str(length)
    with pytest.raises((ConnectionResetError, EOFError)):
        await wire.reader.readexactly(length)
        await wire.reader.readexactly(1)


@VIA
async def test_answer_that_fails_midway_does_not_look_whole(edge: Edge, prefix: str) -> None:
    wire = await edge.connect()
    wire.send(f"GET {prefix}/broken?after=2 HTTP/1.1\n{HOST}\n\n")
    assert (await wire.head()).status == 200
    rest = b""
    try:
        while piece := await wire.reader.read(100):
            rest += piece
    except ConnectionResetError:
        pass
    assert not rest.endswith(b"0\r\n\r\n")


async def test_class_learns_that_its_client_left(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send(f"GET {A}/slow HTTP/1.1\n{HOST}\n\n")
    await edge.until(f"{A}/state", lambda state: state["seen"] == ["waiting"])
    wire.abort()
    await edge.until(f"{A}/state", lambda state: state["seen"] == ["waiting", "aborted"])


@VIA
async def test_answer_is_cancelled_when_its_client_leaves(edge: Edge, prefix: str) -> None:
    wire = await edge.connect(narrow=True)
    wire.send(f"GET {prefix}/stream?chunks={WHOLE >> 16} HTTP/1.1\n{HOST}\n\n")
    await wire.head()
    wire.abort()
    state = await edge.until(f"{A}/state", lambda state: state["seen"])
    assert state["seen"] == ["cancelled"]
    assert state["pulled"] < BOUND >> 16


@VIA
async def test_upload_whose_client_leaves_fails_in_the_class(edge: Edge, prefix: str) -> None:
    wire = await edge.connect()
    wire.send(f"POST {prefix}/count HTTP/1.1\n{HOST}\nContent-Length: 1000000\n\nsome")
    await edge.settled(f"{A}/state")
    wire.abort()
    state = await edge.until(f"{A}/state", lambda state: state["seen"])
    assert state["seen"] == ["failed after 4: Network connection lost."]


async def test_upload_cannot_be_read_once_the_answer_is_out(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send(f"POST {A}/late HTTP/1.1\n{HOST}\nContent-Length: 200000\n\n")
    assert (await wire.answer()).text == "answered"
    await edge.get(f"{A}/release")
    state = await edge.until(f"{A}/state", lambda state: state["seen"])
    assert state["seen"] == ["TypeError: Can't read from request stream after response has been sent."]


async def test_connection_goes_on_after_an_upload_that_nobody_read(edge: Edge) -> None:
    wire = await edge.connect()
    for _ in range(2):
        wire.send(f"POST {A}/path HTTP/1.1\n{HOST}\nContent-Length: 500000\n\n")
        wire.send(bytes(500_000))
        assert (await wire.answer()).status == 200
