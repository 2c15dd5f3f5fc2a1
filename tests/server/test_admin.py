"""Who may use ``/-/``: programs on this machine, or whoever has the token; never a page of another origin."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from durabox import Host
from durabox.server.admin import Admin
from tests.server.wire import EDGE, Answer, Edge, open_edge

PATHS = ["/-/", "/-/objects/Edge/a/path"]


async def _get(edge: Edge, path: str, host: str, *headers: str) -> Answer:
    lines = "".join(f"{line}\n" for line in headers)
    return await edge.ask(f"GET {path} HTTP/1.1\nHost: {host}\n{lines}\n")


async def test_status_names_what_is_served(edge: Edge) -> None:
    answer = await edge.get("/-/")
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.json() == {"classes": ["Edge"], "bindings": ["Edge", "EDGE"], "worker": True, "live": 0}
    await edge.get("/-/objects/Edge/a/path")
    assert (await edge.get("/-/")).json()["live"] == 1


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8787", "a.localhost", "127.0.0.1:1", "[::1]:1", "10.0.0.1", "LOCALHOST."]
)
@pytest.mark.parametrize("path", PATHS)
async def test_local_names_are_answered(edge: Edge, path: str, host: str) -> None:
    assert (await _get(edge, path, host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "1e100.net:80"]
)
@pytest.mark.parametrize("path", PATHS)
async def test_name_that_was_pointed_here_is_refused(edge: Edge, path: str, host: str) -> None:
    answer = await _get(edge, path, host)
    assert answer.status == 403
    assert (await _get(edge, "/elsewhere", host)).json() == {"worker": f"http://{host}/elsewhere"}


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost:5173",
        "Origin: https://localhost:1",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_page_of_another_origin_is_refused(edge: Edge, path: str, header: str) -> None:
    assert (await _get(edge, path, "localhost:1", header)).status == 403


@pytest.mark.parametrize(
    "header", ["Origin: http://localhost:1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"]
)
@pytest.mark.parametrize("path", PATHS)
async def test_page_of_this_origin_is_answered(edge: Edge, path: str, header: str) -> None:
    assert (await _get(edge, path, "localhost:1", header)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_token_opens_the_surface_whatever_the_name(path: str) -> None:
    async with open_edge(token="s3crét") as edge:
        assert (await _get(edge, path, "any.example", "Authorization: Bearer s3crét")).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "X: y",
        "Authorization: Bearer wrong",
        "Authorization: s3cret",
        "Authorization: Bearer s3cret2",
        "Authorization: Basic s3cret",
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_without_the_token_nobody_is_answered(path: str, header: str) -> None:
    async with open_edge(token="s3cret") as edge:
        answer = await _get(edge, path, "localhost", header)
        assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
        assert (await edge.get("/elsewhere")).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_surface_the_worker_gets_its_paths(path: str) -> None:
    async with open_edge(admin=False) as edge:
        assert (await edge.get(path)).json() == {"worker": f"http://localhost:{edge.port}{path}"}


async def test_what_is_not_there_says_where_objects_are(edge: Edge) -> None:
    answer = await edge.get("/-/nothing")
    assert (answer.status, "/-/objects/" in answer.text) == (404, True)
    answer = await edge.ask("POST /-/ HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n")
    assert (answer.status, answer.header("allow")) == (405, "GET,HEAD")


async def test_status_is_there_for_head(edge: Edge) -> None:
    answer = await edge.ask("HEAD /-/ HTTP/1.1\nHost: localhost\n\n", head=True)
    assert answer.status == 200


async def test_absolute_target_does_not_get_around_the_check(edge: Edge) -> None:
    answer = await edge.ask("GET http://localhost/-/ HTTP/1.1\nHost: evil.example\n\n")
    assert answer.status == 403


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", None),
        ("127.8.9.10", None),
        ("::1", None),
        ("10.0.0.7", 403),
        ("fe80::1%eth0", 403),
        ("", 403),
    ],
)
async def test_clients_on_other_machines_are_refused(peer: str, status: int | None) -> None:
    transport = Mock()
    transport.get_extra_info.side_effect = {"peername": (peer, 50_000), "sslcontext": None}.get
    request = make_mocked_request("GET", "/-/", {"Host": "localhost"}, transport=transport)
    async with Host.open(EDGE) as host:
        refused = Admin(host).refusal(request)
    assert (refused and refused.status) == status
