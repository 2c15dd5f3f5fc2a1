"""The admin API over objects from outside."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web_response import StreamResponse

from durabox.objects.host import Host
from durabox.server.admin import Admin
from durabox.server.app import Address, Application, listening
from tests.server.wire import Answer, Edge, OpenEdge

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  async fetch(request) {
    await this.ctx.storage.put("value", request.url);
    return new Response("put");
  }
}
export class Other extends Box {}
"""
API = "/-/api/classes"


async def ask(edge: Edge, method: str, path: str, body: Any = None) -> Answer:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: {len(content)}\n\n"
    return await edge.ask(head.replace("\n", "\r\n").encode() + content)


async def test_objects_are_listed_shown_and_deleted_without_being_woken(edge_of: OpenEdge) -> None:
    async with edge_of(SOURCE) as edge:
        await edge.get("/-/objects/Box/a%2Fb/x")
        classes = (await edge.get(API)).json()["classes"]
        assert [(each["class"], each["objects"]) for each in classes] == [("Box", 1), ("Other", 0)]
        (listed,) = (await edge.get(f"{API}/Box?prefix=a/")).json()["objects"]
        assert listed["name"] == "a/b"
        for name in ("a%2Fb", listed["id"]):
            shown = (await edge.get(f"{API}/Box/{name}")).json()
            assert [each["key"] for each in shown["keys"]] == ["value"]
        assert (
            await ask(edge, "POST", f"{API}/Box/a%2Fb/copy", {"class": "Other", "object": "c"})
        ).status == 200
        assert (await ask(edge, "DELETE", f"{API}/Box/a%2Fb")).json() == {}
        assert (await edge.get(f"{API}/Box")).json() == {"objects": [], "cursor": None}
        assert (await edge.get("/-/")).json()["live"] == 0


async def test_an_exported_object_is_imported_again(edge_of: OpenEdge) -> None:
    async with edge_of(SOURCE) as edge:
        await edge.get("/-/objects/Box/a/x")
        exported = await edge.get(f"{API}/Box/a/export")
        assert exported.header("content-type") == "application/vnd.sqlite3"
        assert exported.body.startswith(b"SQLite format 3\0")
        refused = await ask(edge, "POST", f"{API}/Box/import", exported.body)
        assert (refused.status, refused.json()["error"]["code"]) == (409, "object-exists")
        assert (await ask(edge, "POST", f"{API}/Box/import?force=1", exported.body)).status == 200
        assert (await ask(edge, "POST", f"{API}/Other/b/import", exported.body)).json()["name"] == "b"
        assert (await ask(edge, "POST", f"{API}/Other/c/import", b"nonsense")).status == 400


async def test_sql_and_migrations_answer_line_by_line(edge_of: OpenEdge) -> None:
    async with edge_of(SOURCE) as edge:
        for name in ("a", "b"):
            await edge.get(f"/-/objects/Box/{name}/x")
        script = {"script": "CREATE TABLE t (x); INSERT INTO t VALUES (7)", "language": "sql"}
        for outcome in ("done", "already"):
            answer = await ask(edge, "POST", f"{API}/Box/migrate", script)
            assert [json.loads(line)["outcome"] for line in answer.text.splitlines()] == [outcome] * 2
        answer = await ask(edge, "POST", f"{API}/Box/sql", {"query": "SELECT x FROM t"})
        assert [(part["name"], part["rows"]) for part in map(json.loads, answer.text.splitlines())] == [
            ("a", [[7]]),
            ("b", [[7]]),
        ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"{API}/Nobody", None, 404, "unknown-class"),
        ("GET", f"{API}/Box/nobody", None, 404, "no-such-object"),
        ("GET", f"{API}/Box/nobody/export", None, 404, "no-such-object"),
        ("GET", f"{API}/Box/{'ab' * 32}", None, 400, "invalid-id"),
        ("GET", f"{API}/Box?limit=0", None, 400, "bad-argument"),
        ("GET", f"{API}/Box?limit=x", None, 400, "bad-argument"),
        ("GET", f"{API}/Box?cursor=x", None, 400, "bad-argument"),
        ("DELETE", f"{API}/Box/nobody", None, 404, "no-such-object"),
        ("POST", f"{API}/Box/nobody/copy", {"object": "b"}, 404, "no-such-object"),
        ("POST", f"{API}/Box/nobody/copy", {"object": 1}, 400, "bad-argument"),
        ("POST", f"{API}/Box/nobody/vacuum", None, 404, "no-such-object"),
        ("POST", f"{API}/Box/sql", b"[" * 100_000, 400, "bad-argument"),
        ("POST", f"{API}/Box/sql", {"query": "SELECT 1", "object": "nobody"}, 404, "no-such-object"),
        ("POST", f"{API}/Box/sql", {"query": "SELECT 1", "other": 1}, 400, "bad-argument"),
        ("POST", f"{API}/Box/migrate", {"script": "x", "language": "perl"}, 400, "bad-argument"),
        ("POST", f"{API}/Box/migrate", {"script": "export (", "language": "javascript"}, 400, "module"),
    ],
)
async def test_what_cannot_be_is_refused(
    edge_of: OpenEdge, method: str, path: str, body: Any, status: int, code: str
) -> None:
    async with edge_of(SOURCE) as edge:
        answer = await ask(edge, method, path, body)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code)


NEST = """
import { DurableObject } from "cloudflare:workers";
export class Nest extends DurableObject {
  async fetch(request) {
    const [, name, rest] = new URL(request.url).pathname.match(/^\\/([^/]+)(.*)$/) ?? [];
    if (name === undefined) await this.ctx.storage.put("value", 1);
    else return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Nest })).fetch(new URL(rest || "/", request.url));
    return new Response("put");
  }
}
"""


async def test_a_facet_is_named_by_what_leads_to_it(edge_of: OpenEdge) -> None:
    async with edge_of(NEST) as edge:
        await edge.get("/-/objects/Nest/n/a/b")
        shown = (await edge.get(f"{API}/Nest/n")).json()
        assert [facet["path"] for facet in shown["facets"]] == [["a", "b"]]
        below = (await edge.get(f"{API}/Nest/n?facet=a&facet=b")).json()
        assert ([each["key"] for each in below["keys"]], below["facets"]) == (["value"], [])
        asked = {"query": "SELECT count(*) FROM _cf_KV", "object": "n", "facet": ["a", "b"]}
        assert json.loads((await ask(edge, "POST", f"{API}/Nest/sql", asked)).text)["rows"] == [[1]]
        assert (await edge.get(f"{API}/Nest/n?facet=c")).status == 404
        for path, body in (("sql", {"query": "SELECT 1", "object": "n"}), ("n/restore", {"to": 1})):
            wrong = await ask(edge, "POST", f"{API}/Nest/{path}", {**body, "facet": [1]})
            assert wrong.json()["error"]["code"] == "bad-argument"


@pytest.mark.parametrize(
    "request_line", ["GET /-/api/classes/Box/a/export", "POST /-/api/classes/Box/sql"], ids=["file", "lines"]
)
async def test_a_client_that_leaves_during_an_answer_is_no_error(
    edge_of: OpenEdge,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    request_line: str,
) -> None:
    written = asyncio.Event()

    async def write(answer: StreamResponse, data: bytes) -> None:
        """What aiohttp does between the loss of a connection and the end of its handler."""
        written.set()
        raise ConnectionResetError("Cannot write to closing transport")

    async with edge_of(SOURCE) as edge:
        await edge.get("/-/objects/Box/a/x")
        monkeypatch.setattr(StreamResponse, "write", write)
        wire = await edge.connect()
        body = '{"query": "SELECT 1"}'
        wire.send(f"{request_line} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}\n\n{body}")
        await written.wait()
        await edge.get(API)
    assert "failed" not in caplog.text


async def test_what_never_ends_holds_up_no_shutdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durabox.server.app._GRACE", 1.0)
    main = tmp_path / "main.js"
    main.write_text(SOURCE)
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    body = json.dumps({"query": endless})
    async with Host.open(main) as host:
        application = Application(host, admin=Admin(host))
        async with listening(application, Address(port=0)) as port:
            edge = Edge(port)
            await edge.get("/-/objects/Box/a/x")
            wire = await edge.connect()
            wire.send(f"POST {API}/Box/sql HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}\n\n{body}")
            await edge.settled(API)
            began = time.monotonic()
        assert time.monotonic() - began < 1.8, "aiohttp alone takes twice the grace"
        wire.writer.close()
