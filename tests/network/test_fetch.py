"""Classes fetch from other servers: gates, limits, aborts, and what the policy refuses."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import brotli
import pytest

from durabox import DuraboxError, Internet, JavaScriptError, Limits, Sandbox
from durabox.objects.coding import AtHand, CodedBody
from durabox.objects.messages import Request, Response
from durabox.testing import Fault, VirtualClock
from durabox.testing.plugin import HostUnderTest, OpenHost
from tests.origin import Origin, origin

MODULE = """
import { DurableObject } from "cloudflare:workers";

const report = async (run) => { try { return Response.json(await run()); } catch (e) { return Response.json({ error: `${e.name}: ${e.message}` }); } };

export class Client extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const target = url.searchParams.get("to");
    switch (url.pathname) {
      case "/get": return report(async () => { const r = await fetch(target); return [r.status, await r.text()]; });
      case "/pass": return fetch(target);
      case "/up": return report(async () => (await (await fetch(target, { method: "POST", body: request.body })).json()).body.length);
      case "/stored": await this.ctx.storage.put("a", 1); return report(async () => (await fetch(target)).status);
      case "/many": return report(async () => { for (let i = 0; ; i++) { try { await fetch(target); } catch (e) { return [i, e.message]; } await scheduler.wait(0); } });
      case "/at-once": return report(async () => (await Promise.all(Array.from({ length: 9 }, () => fetch(target)))).length);
      case "/section": return report(() => this.ctx.blockConcurrencyWhile(async () => (await fetch(target)).status));
      case "/abort": return report(() => { const c = new AbortController(); setTimeout(() => c.abort(), 5); return fetch(target, { signal: c.signal }); });
      case "/socket": return report(() => new Promise((done) => { const s = new WebSocket(target); s.onmessage; s.addEventListener("message", (e) => { s.close(); done(e.data); }); s.addEventListener("error", (e) => done(e.message)); s.addEventListener("open", () => s.send("hello")); }));
      case "/hold": { const s = new WebSocket(target); await new Promise((done) => s.addEventListener("open", done)); this.born ??= Math.random(); return Response.json(this.born); }
      case "/born": this.born ??= Math.random(); return Response.json(this.born);
      case "/wait": { this.aborted = []; request.signal.addEventListener("abort", () => this.aborted.push(request.signal.reason.name)); await new Promise((done) => request.signal.addEventListener("abort", done)); return new Response(); }
      case "/aborted": return Response.json(this.aborted);
    }
  }
}

export default {
  async fetch(request, env) {
    const stub = env.CLIENT.getByName("a");
    const url = new URL(request.url);
    if (url.pathname === "/signal") return stub.fetch("http://object/wait", { signal: request.signal });
    return stub.fetch(request);
  },
};
"""


@pytest.fixture
def server() -> Iterator[Origin]:
    """A web server on 127.0.0.1."""
    with origin() as running:
        yield running


async def _ask(host: HostUnderTest, path: str, target: str, **options: Any) -> Any:
    response = await host.namespace("Client").get_by_name("a").fetch(f"{path}?to={target}", **options)
    return await response.json()


async def test_without_a_network_the_error_names_the_cure(durabox_host: OpenHost) -> None:
    async with durabox_host(MODULE) as host:
        refused = await _ask(host, "/get", "http://example.com/")
        assert "--allow-net" in refused["error"]
        assert "network=" in refused["error"]
        assert "--allow-net" in await _ask(host, "/socket", "ws://example.com/")
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError, match="network="):
            await box.eval("fetch('http://example.com/')")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/status/200",
        "http://localhost:{port}/status/200",
        "http://0x7f.1:{port}/status/200",
        "http://2130706433:{port}/status/200",
        "http://0177.0.0.1:{port}/status/200",
        "http://[::ffff:127.0.0.1]:{port}/status/200",
        "http://[::1]:{port}/status/200",
        "http://0:{port}/status/200",
        "http://127.0.0.1.:{port}/status/200",
        "http://169.254.169.254/latest/meta-data",
        "http://%31%32%37.0.0.1:{port}/",
    ],
)
async def test_public_servers_alone_means_no_other_address_in_any_notation(
    target: str, server: Origin, durabox_host: OpenHost
) -> None:
    async with Internet() as network, durabox_host(MODULE, network=network) as host:
        refused = await _ask(host, "/get", target.format(port=server.port))
        assert "is not allowed" in refused["error"]
        assert "is not allowed" in await _ask(
            host, "/socket", target.format(port=server.port).replace("http", "ws")
        )
    assert server.connections == 0


async def test_a_named_server_is_reached_and_no_other(server: Origin, durabox_host: OpenHost) -> None:
    network = Internet(public=False, named=[f"127.0.0.1:{server.port}"])
    async with network, durabox_host(MODULE, network=network) as host:
        assert await _ask(host, "/get", f"{server.url}/status/200") == [200, "body"]
        assert await _ask(host, "/get", f"http://0x7f000001:{server.port}/status/200") == [200, "body"]
        refused = await _ask(host, "/get", f"http://localhost:{server.port}/status/200")
        assert f"--allow-net localhost:{server.port}" in refused["error"]


async def test_a_redirect_is_judged_like_a_first_request(server: Origin, durabox_host: OpenHost) -> None:
    network = Internet(named=[f"127.0.0.1:{server.port}"])
    async with network, durabox_host(MODULE, network=network) as host:
        refused = await _ask(
            host, "/get", f"{server.url}/redirect/302?to=http%3A%2F%2F127.0.0.2%3A{server.port}%2F"
        )
        assert "is not allowed" in refused["error"]


async def test_a_name_is_judged_by_the_addresses_that_are_connected_to(
    server: Origin, durabox_host: OpenHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def getaddrinfo(name: str, port: int, **options: object) -> list[tuple[Any, ...]]:
        asked.append(name)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:127.0.0.1", port, 0, 0)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%lo", port, 0, 1)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with Internet() as network, durabox_host(MODULE, network=network) as host:
        refused = await _ask(host, "/get", f"http://rebound.example:{server.port}/status/200")
        assert "rebound.example" in refused["error"]
        assert "127.0.0.1" not in refused["error"]
    assert asked == ["rebound.example"]
    assert server.connections == 0
    network = Internet(named=["rebound.example"])
    async with network, durabox_host(MODULE, network=network) as host:
        assert await _ask(host, "/get", f"http://rebound.example:{server.port}/status/200") == [200, "body"]


async def test_a_function_can_stand_in_for_the_network(durabox_host: OpenHost) -> None:
    seen: list[Request] = []

    def network(request: Request) -> Response:
        seen.append(request)
        if request.url.endswith("/moved"):
            return Response(302, headers=["Location", "/there"])
        return Response(200, headers=["Content-Type", "text/plain"], body=b"stubbed")

    async with durabox_host(MODULE, network=network) as host:
        assert await _ask(host, "/get", "https://api.example/moved") == [200, "stubbed"]
    assert [request.url for request in seen] == ["https://api.example/moved", "https://api.example/there"]


async def test_a_failing_stub_is_a_lost_connection(durabox_host: OpenHost) -> None:
    async def network(request: Request) -> Response:
        raise ZeroDivisionError

    async with durabox_host(MODULE, network=network) as host:
        assert await _ask(host, "/get", "https://api.example/") == {
            "error": "Error: Network connection lost."
        }


async def test_nothing_is_sent_before_the_writes_before_it_are_durable(durabox_host: OpenHost) -> None:
    sent: list[int] = []

    async with durabox_host(MODULE, network=lambda request: _note(sent, host)) as host:
        await host.namespace("Client").get_by_name("a").fetch("/born")
        host.files.fail(Fault(at=1, error=errno.ENOSPC, lasting=True))
        with pytest.raises(DuraboxError):
            await _ask(host, "/stored", "http://a.example/")
        assert sent == []
        host.files.mend()
        await host.evict()
        assert await _ask(host, "/stored", "http://a.example/") == 200
        assert len(sent) == 1


def _note(sent: list[int], host: HostUnderTest) -> Response:
    sent.append(len(host.files.calls))
    return Response(200)


async def test_an_event_makes_so_many_requests_and_no_more(durabox_host: OpenHost) -> None:
    count = 0

    def network(request: Request) -> Response:
        nonlocal count
        count += 1
        return Response(200)

    async with durabox_host(MODULE, network=network, limits=Limits(subrequests=7)) as host:
        asked = asyncio.ensure_future(_ask(host, "/many", "http://a.example/"))
        while not asked.done():
            await host.clock.advance(1)
        assert asked.result() == [7, "Too many subrequests."]
        # The next event has an account of its own.
        assert await _ask(host, "/get", "http://a.example/") == [200, ""]
    assert count == 8


async def test_six_requests_of_an_event_wait_for_their_answers_at_once(durabox_host: OpenHost) -> None:
    waiting: list[asyncio.Future[Response]] = []

    def network(request: Request) -> Awaitable[Response]:
        waiting.append(asyncio.get_running_loop().create_future())
        return waiting[-1]

    async with durabox_host(MODULE, network=network) as host:
        asked = asyncio.ensure_future(_ask(host, "/at-once", "http://a.example/"))
        await _until(lambda: len(waiting) == 6)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(waiting) == 6
        waiting[0].set_result(Response(200))
        await _until(lambda: len(waiting) == 7)
        waiting[1].set_result(Response(200))
        await _until(lambda: len(waiting) == 8)
        waiting[2].set_result(Response(200))
        await _until(lambda: len(waiting) == 9)
        for future in waiting[3:]:
            future.set_result(Response(200))
        assert await asked == 9


async def test_a_critical_section_may_fetch(durabox_host: OpenHost) -> None:
    async with durabox_host(MODULE, network=lambda request: Response(201)) as host:
        assert await _ask(host, "/section", "http://a.example/") == 201


async def test_an_abort_cancels_the_request(server: Origin, durabox_host: OpenHost) -> None:
    cancelled = asyncio.Event()

    async def network(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    async with durabox_host(MODULE, network=network) as host:
        asked = asyncio.ensure_future(_ask(host, "/abort", "http://a.example/"))
        while not asked.done():
            await host.clock.advance(1)
        assert asked.result() == {"error": "AbortError: The operation was aborted"}
        await asyncio.wait_for(cancelled.wait(), 5)


@pytest.mark.parametrize("path", ["/wait", "/signal"])
async def test_an_object_hears_that_the_client_of_its_worker_left(path: str, durabox_host: OpenHost) -> None:
    async with durabox_host(MODULE) as host:
        stub = host.namespace("Client").get_by_name("a")
        client = asyncio.ensure_future(host.fetch(Request("GET", f"http://worker{path}")))
        while await (await stub.fetch("/aborted")).text() != "[]":
            await asyncio.sleep(0)
        client.cancel()
        while await (await stub.fetch("/aborted")).json() != ["AbortError"]:
            await asyncio.sleep(0)


class _Endless:
    """A body of which it is counted how much was read."""

    def __init__(self) -> None:
        self.read_so_far = 0
        self.cancelled = asyncio.Event()

    async def read(self) -> bytes:
        self.read_so_far += 65536
        await asyncio.sleep(0)
        return bytes(65536)

    async def cancel(self, reason: str) -> None:
        self.cancelled.set()


async def test_a_body_is_read_no_faster_than_its_reader_reads(durabox_host: OpenHost) -> None:
    body = _Endless()
    async with durabox_host(MODULE, network=lambda request: Response(200, body=body)) as host:
        stub = host.namespace("Client").get_by_name("a")
        response = await stub.fetch("/pass?to=http://a.example/")
        assert not isinstance(response.body, bytes)
        assert response.body is body  # nothing in between: it is not copied through the guest
        for _ in range(3):
            await response.body.read()
        assert body.read_so_far == 3 * 65536
        await response.body.cancel("enough")
        assert body.cancelled.is_set()


async def test_large_bodies_pass_both_ways(server: Origin, durabox_host: OpenHost) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    network = Internet(public=False, named=["127.0.0.1"])
    async with network, durabox_host(MODULE, network=network) as host:
        stub = host.namespace("Client").get_by_name("a")
        assert len(await (await stub.fetch(f"/pass?to={server.url}/bytes/20000000")).read()) == 20_000_000
        length = await _ask(host, "/up", f"{server.url}/echo", method="POST", body=_Generated(pieces()))
        assert length == 4_000_000


class _Generated:
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        return await anext(self._pieces, b"")

    async def cancel(self, reason: str) -> None:
        pass


async def test_an_untouched_compressed_body_passes_as_it_came(server: Origin, durabox_host: OpenHost) -> None:
    network = Internet(public=False, named=["127.0.0.1"])
    async with network, durabox_host(MODULE, network=network) as host:
        response = await host.namespace("Client").get_by_name("a").fetch(f"/pass?to={server.url}/coded/gzip")
        assert response.header("content-encoding") == "gzip"
        assert isinstance(response.body, CodedBody)
        assert (await response.body.raw.read())[:2] == b"\x1f\x8b"


async def test_a_small_compressed_body_cannot_fill_the_memory_of_the_host(durabox_host: OpenHost) -> None:
    bomb = brotli.compress(bytes(20_000_000), quality=5)
    answer = Response(200, headers=["Content-Encoding", "br"], body=bomb)
    largest = 0

    async with durabox_host(MODULE, network=lambda request: answer) as host:
        stub = host.namespace("Client").get_by_name("a")
        response = await stub.fetch("/pass?to=http://a.example/")
        assert isinstance(response.body, CodedBody)
        assert await response.body.raw.read() == bomb

    body = CodedBody(AtHand(bomb), "br")
    total = 0
    while piece := await body.read():
        largest = max(largest, len(piece))
        total += len(piece)
    assert total == 20_000_000
    assert largest < 2 * 1024 * 1024


async def test_a_socket_to_a_server_keeps_its_object_in_memory(
    server: Origin, durabox_host: OpenHost
) -> None:
    network = Internet(public=False, named=["127.0.0.1"])
    async with network, durabox_host(MODULE, network=network) as host:
        socket_url = server.url.replace("http", "ws")
        assert await _ask(host, "/socket", f"{socket_url}/socket/echo") == "hello"
        born = await _ask(host, "/hold", f"{socket_url}/socket/echo")
        await host.evict()
        assert await _ask(host, "/born", "") == born


async def test_a_socket_to_a_server_may_stay_open_for_as_long_as_it_likes(
    server: Origin, durabox_host: OpenHost
) -> None:
    network, clock = Internet(public=False, named=["127.0.0.1"]), VirtualClock()
    async with network, durabox_host(MODULE, network=network, clock=clock) as host:
        born = await _ask(host, "/hold", f"{server.url.replace('http', 'ws')}/socket/echo")
        await clock.advance(24 * 3600_000)
        assert await _ask(host, "/born", "") == born


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
