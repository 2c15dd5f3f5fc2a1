"""`caches`: what is kept, for how long, and what of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from durabox.errors import NetworkError
from durabox.objects import cache as caches
from durabox.objects.messages import Response
from durabox.testing.plugin import HostUnderTest, OpenHost

MODULE = """
import { DurableObject } from "cloudflare:workers";
export class Cached extends DurableObject {
  async fetch(request) {
    const { run } = await request.json();
    const cache = caches.default;
    const keep = (headers, body = "kept", url = "http://a.example/x") => cache.put(url, new Response(body, { headers }));
    const look = async (init, url = "http://a.example/x") => { const r = await cache.match(new Request(url, init)); return r && [r.status, await r.text(), r.headers.get("cf-cache-status")]; };
    try { return Response.json((await RUNS[run].call(this, { cache, keep, look })) ?? null); } catch (error) { return Response.json(`${error.name}: ${error.message}`); }
  }
}
const RUNS = {
  /* runs */
};
"""

#: What is run → what comes of it.
RUNS: dict[str, tuple[str, Any]] = {
    "nothing": ("({ look }) => look()", None),
    "kept": ("async ({ keep, look }) => { await keep({}); return look(); }", [200, "kept", "HIT"]),
    "stored by url": ("async ({ keep, look }) => { await keep({}); return look({}, 'http://a.example/y'); }", None),
    "fragment": ("async ({ keep, look }) => { await keep({}); return look({}, 'http://a.example/x#z'); }", [200, "kept", "HIT"]),
    "deleted": ("async ({ cache, keep, look }) => { await keep({}); return [await cache.delete('http://a.example/x'), await cache.delete('http://a.example/x'), (await look()) === undefined]; }", [True, False, True]),
    "named": ("async ({ keep, look }) => { const c = await caches.open('other'); await keep({}); const before = await c.match('http://a.example/x'); await c.put('http://a.example/x', new Response('theirs')); return [before === undefined, await (await c.match('http://a.example/x')).text(), (await look())[1]]; }", [True, "theirs", "kept"]),
    "no-store": ("async ({ keep, look }) => { await keep({ 'cache-control': 'no-store' }); return look(); }", None),
    "private": ("async ({ keep, look }) => { await keep({ 'cache-control': 'private, max-age=60' }); return look(); }", None),
    "max-age 0": ("async ({ keep, look }) => { await keep({ 'cache-control': 'max-age=0' }); return look(); }", None),
    "s-maxage wins": ("async ({ keep, look }) => { await keep({ 'cache-control': 'max-age=0, s-maxage=60' }); return look(); }", [200, "kept", "HIT"]),
    "expired": ("async ({ keep, look }) => { await keep({ expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }); return look(); }", None),
    "cookie": ("async ({ keep, look }) => { await keep({ 'set-cookie': 'a=1' }); return look(); }", None),
    "private cookie": ("async ({ cache, keep }) => { await keep({ 'set-cookie': 'a=1', 'cache-control': 'private=set-cookie, max-age=9' }); return (await cache.match('http://a.example/x')).headers.has('set-cookie'); }", False),
    "if-none-match": ("async ({ keep, look }) => { await keep({ etag: '\"v1\"' }); return [await look({ headers: { 'if-none-match': '\"v0\", W/\"v1\"' } }), (await look({ headers: { 'if-none-match': '\"v2\"' } }))[0]]; }", [[304, "", "HIT"], 200]),
    "if-modified-since": ("async ({ keep, look }) => { await keep({ 'last-modified': 'Mon, 02 Jan 2023 00:00:00 GMT' }); return [(await look({ headers: { 'if-modified-since': 'Tue, 03 Jan 2023 00:00:00 GMT' } }))[0], (await look({ headers: { 'if-modified-since': 'Sun, 01 Jan 2023 00:00:00 GMT' } }))[0]]; }", [304, 200]),
    "range": ("async ({ keep, look }) => { await keep({}, 'abcdef'); const of = (range) => look({ headers: { range } }); return [await of('bytes=1-3'), await of('bytes=4-'), await of('bytes=-2'), (await of('bytes=9-'))[0], (await of('lines=1'))[0]]; }", [[206, "bcd", "HIT"], [206, "ef", "HIT"], [206, "ef", "HIT"], 416, 200]),
    "stream": ("async ({ keep, look }) => { const { readable, writable } = new TransformStream(); const w = writable.getWriter(); const kept = keep({}, readable); await w.write(new TextEncoder().encode('str')); await w.write(new TextEncoder().encode('eam')); await w.close(); await kept; return look(); }", [200, "stream", "HIT"]),
    "not get": ("({ cache }) => cache.put(new Request('http://a.example/', { method: 'POST' }), new Response(''))", "TypeError: Cannot cache response to non-GET request."),
    "partial": ("({ cache }) => cache.put('http://a.example/', new Response('', { status: 206 }))", "TypeError: Cannot cache response to a range request (206 Partial Content)."),
    "vary": ("({ cache }) => cache.put('http://a.example/', new Response('', { headers: { vary: 'accept, *' } }))", "TypeError: Cannot cache response with 'Vary: *' header."),
    "match post": ("async ({ cache, keep }) => { await keep({}); const post = new Request('http://a.example/x', { method: 'POST' }); return [(await cache.match(post)) === undefined, (await cache.match(post, { ignoreMethod: true })) === undefined]; }", [True, False]),
}  # fmt: skip


def _module() -> str:
    runs = "\n".join(f"  {name!r}: {source}," for name, (source, _) in RUNS.items())
    return MODULE.replace("  /* runs */", runs)


async def _run(host: HostUnderTest, name: str, object_name: str = "a") -> Any:
    body = f'{{"run": "{name}"}}'
    response = await host.namespace("Cached").get_by_name(object_name).fetch("/", method="POST", body=body)
    return await response.json()


@pytest.mark.parametrize("name", RUNS)
async def test_answers_are_kept_as_they_say(name: str, durabox_host: OpenHost) -> None:
    async with durabox_host(_module()) as host:
        assert await _run(host, name) == RUNS[name][1]


async def test_what_one_object_keeps_another_finds_until_it_is_stale(durabox_host: OpenHost) -> None:
    async with durabox_host(_module()) as host:
        assert await _run(host, "s-maxage wins", "a") == [200, "kept", "HIT"]
        assert await _run(host, "nothing", "b") == [200, "kept", "HIT"]
        await host.clock.advance(59_000)
        assert await _run(host, "nothing", "b") == [200, "kept", "HIT"]
        await host.clock.advance(1_001)
        assert await _run(host, "nothing", "b") is None


async def test_the_least_used_make_room() -> None:
    kept = caches.Caches(lambda: 0.0, most=10_000)
    for number in range(8):
        await kept.put(None, f"http://a.example/{number}", Response(200, body=bytes(2000)))
        kept.match(None, "http://a.example/0", [])
    found = [number for number in range(8) if kept.match(None, f"http://a.example/{number}", [])]
    assert found == [0, 6, 7]


async def test_an_answer_that_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "LARGEST", 1000)
    kept = caches.Caches(lambda: 0.0)
    with pytest.raises(Exception, match=re.escape("1000 bytes")):
        await kept.put(None, "http://a.example/", Response(200, body=bytes(1001)))
    assert kept.match(None, "http://a.example/", []) is None


class _Stalls:
    """A body that stops in the middle."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.stalled = asyncio.Event()
        self.cancelled = ""

    async def read(self) -> bytes:
        if not self.pieces:
            self.stalled.set()
            await asyncio.Future[bytes]()
        self.pieces -= 1
        return bytes(1000)

    async def cancel(self, reason: str) -> None:
        self.cancelled = reason


async def test_answers_that_are_being_read_are_held_to_the_same_bound() -> None:
    kept = caches.Caches(lambda: 0.0, most=10_000)
    slow = [_Stalls(3) for _ in range(3)]
    puts = [
        asyncio.ensure_future(kept.put(None, f"http://a.example/{n}", Response(200, body=body)))
        for n, body in enumerate(slow)
    ]
    for body in slow:
        await body.stalled.wait()
    refused = _Stalls(3)
    with pytest.raises(NetworkError, match="10000 bytes"):
        await kept.put(None, "http://a.example/more", Response(200, body=refused))
    assert "10000 bytes" in refused.cancelled
    puts[0].cancel()
    await asyncio.wait(puts[:1])
    await kept.put(None, "http://a.example/fits", Response(200, body=bytes(1000)))
    assert kept.match(None, "http://a.example/fits", []) is not None
    for put in puts:
        put.cancel()
