"""What a client sends is what the class gets, and the other way round."""

from __future__ import annotations

import pytest

from tests.server.wire import A, Edge

HOST = "Host: localhost"


async def test_request_arrives_as_it_was_sent(edge: Edge) -> None:
    answer = await edge.ask(
        f"POST {A}/describe?q=%20x&q=/y HTTP/1.1\nHost: localhost:1\nX-Twice: 1\nx-twice: 2\nX-Text: é\nContent-Length: 3\n\nabc"
    )
    seen = answer.json()
    assert (seen["method"], seen["url"]) == ("POST", "http://localhost:1/describe?q=%20x&q=/y")
    assert seen["headers"] == [
        ["content-length", "3"],
        ["host", "localhost:1"],
        ["x-text", "é"],
        ["x-twice", "1, 2"],
    ]
    assert bytes(seen["body"]) == b"abc"


async def test_answer_leaves_as_the_class_made_it(edge: Edge) -> None:
    answer = await edge.get(f"{A}/cookies")
    assert answer.body == b"crumbs"
    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2, c"]
    assert answer.header("x-plain") == "é"
    assert answer.header("content-type") == "text/x"
    assert (answer.header("date"), answer.header("server")) == ("yesterday", "mine")


async def test_answer_says_when_but_not_what_served_it(edge: Edge) -> None:
    answer = await edge.get(f"{A}/status?code=200")
    assert answer.header("date") is not None
    assert answer.header("server") is None
    assert answer.header("content-type") is None


async def test_headers_of_the_connection_are_not_for_the_class_to_set(edge: Edge) -> None:
    answer = await edge.get(f"{A}/hop")
    assert (answer.status, answer.body) == (200, b"x")
    for name in ("connection", "keep-alive", "transfer-encoding", "upgrade", "te"):
        assert answer.header(name) is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PATCH", "PUT", "PURGE", "PROPFIND"])
async def test_any_method_reaches_the_class(edge: Edge, method: str) -> None:
    answer = await edge.ask(f"{method} {A}/describe HTTP/1.1\n{HOST}\n\n")
    assert answer.json()["method"] == method


@pytest.mark.parametrize(
    ("path", "length"), [("/cookies", "6"), ("/stream?chunks=3", None), ("/stream?chunks=3&length=9", "9")]
)
async def test_head_is_answered_without_a_body(edge: Edge, path: str, length: str | None) -> None:
    wire = await edge.connect()
    wire.send(f"HEAD {A}{path} HTTP/1.1\n{HOST}\n\n")
    answer = await wire.answer(head=True)
    assert (answer.status, answer.header("content-length")) == (200, length)
    wire.send(f"GET {A}/path HTTP/1.1\n{HOST}\n\n")
    assert (await wire.answer()).json()["path"] == "/path"


async def test_body_that_head_does_not_want_is_cancelled(edge: Edge) -> None:
    await edge.ask(f"HEAD {A}/stream?chunks=3 HTTP/1.1\n{HOST}\n\n", head=True)
    state = await edge.until(f"{A}/state", lambda state: state["seen"])
    assert state["seen"] == ["cancelled"]


@pytest.mark.parametrize("code", [204, 205, 304])
async def test_status_without_body_is_answered_without_one(edge: Edge, code: int) -> None:
    wire = await edge.connect()
    wire.send(f"GET {A}/status?code={code} HTTP/1.1\n{HOST}\n\n")
    answer = await wire.head()
    assert (answer.status, answer.header("transfer-encoding")) == (code, None)
    assert answer.header("content-length") in (None, "0")
    wire.send(f"GET {A}/path HTTP/1.1\n{HOST}\n\n")
    assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("code=299&text=Odd%20One", (299, "Odd One")),
        ("code=404", (404, "Not Found")),
        ("code=418&text=%0A", None),
    ],
)
async def test_status_text_is_that_of_the_class(edge: Edge, query: str, line: tuple[int, str] | None) -> None:
    answer = await edge.get(f"{A}/status?{query}")
    assert (answer.status, answer.reason) == line if line else answer.status in (418, 500)


async def test_compressed_bodies_pass_both_ways_untouched(edge: Edge) -> None:
    answer = await edge.get(f"{A}/packed", "Accept-Encoding: gzip")
    assert (answer.header("content-encoding"), answer.body) == ("gzip", bytes([31, 139, 1]))
    answer = await edge.ask(
        f"POST {A}/describe HTTP/1.1\n{HOST}\nContent-Encoding: gzip\nContent-Length: 3\n\nnot".encode().replace(
            b"\n", b"\r\n"
        )
    )
    assert bytes(answer.json()["body"]) == b"not"


async def test_chunked_request_is_put_together(edge: Edge) -> None:
    answer = await edge.ask(
        f"POST {A}/describe HTTP/1.1\n{HOST}\nTransfer-Encoding: chunked\n\n3\nabc\n2;x=y\nde\n0\n\n"
    )
    assert bytes(answer.json()["body"]) == b"abcde"


async def test_requests_on_one_connection_are_answered_in_order(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send("".join(f"GET {A}/path{number} HTTP/1.1\n{HOST}\n\n" for number in range(20)))
    for number in range(20):
        assert (await wire.answer()).json()["path"] == f"/path{number}"


async def test_old_clients_are_answered_in_their_version(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send(f"GET {A}/stream?chunks=2&size=3 HTTP/1.0\n\n")
    answer = await wire.answer()
    assert (answer.version, answer.header("transfer-encoding")) == ("HTTP/1.0", None)
    assert answer.body == bytes(6)


async def test_url_of_an_old_client_without_host_is_local(edge: Edge) -> None:
    answer = await edge.ask("GET /elsewhere HTTP/1.0\n\n")
    assert answer.json() == {"worker": "http://localhost/elsewhere"}


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("http://proxied.example/a?b=c", "http://localhost/a?b=c"),
        ("HTTP://proxied.example", "http://localhost/"),
        ("http://proxied.example?x=1", "http://localhost/?x=1"),
        ("/a#fragment", "http://localhost/a"),
        ("/a//b/%2F?%3F", "http://localhost/a//b/%2F?%3F"),
        ("//a/b", "http://localhost//a/b"),
        ("/a?x=http://b/c", "http://localhost/a?x=http://b/c"),
    ],
)
async def test_worker_gets_the_url_that_was_asked_for(edge: Edge, target: str, url: str) -> None:
    answer = await edge.ask(f"GET {target} HTTP/1.1\n{HOST}\n\n")
    assert answer.json() == {"worker": url}


async def test_client_that_waits_is_told_to_go_on(edge: Edge) -> None:
    for action, length in (("describe", 3), ("count", 200_000)):
        wire = await edge.connect()
        wire.send(f"POST {A}/{action} HTTP/1.1\n{HOST}\nExpect: 100-continue\nContent-Length: {length}\n\n")
        assert (await wire.head()).status == 100
        wire.send(bytes(length))
        assert (await wire.answer()).status == 200


async def test_client_that_waits_may_be_answered_without_its_body(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send(f"POST {A}/path HTTP/1.1\n{HOST}\nExpect: 100-continue\nContent-Length: 200000\n\n")
    assert (await wire.answer()).json()["path"] == "/path"


async def test_client_that_waits_is_told_before_its_own_body_answers(edge: Edge) -> None:
    wire = await edge.connect()
    wire.send(f"POST {A}/echo HTTP/1.1\n{HOST}\nExpect: 100-continue\nContent-Length: 200000\n\n")
    assert (await wire.head()).status == 100
    wire.send(bytes(200_000))
    assert (await wire.answer()).body == bytes(200_000)


async def test_connection_goes_on_after_a_declined_upgrade(edge: Edge) -> None:
    wire = await edge.connect()
    for _ in range(2):
        wire.send(f"GET {A}/path HTTP/1.1\n{HOST}\nConnection: Upgrade\nUpgrade: websocket\n\n")
        assert (await wire.answer()).status == 200


BAD = {
    "no HTTP": ("\0\1\2\n\n", 400),
    "no target": ("GET\n\n", 400),
    "unknown method": ("get / HTTP/1.1\nHost: a\n\n", 400),
    "no host": ("GET / HTTP/1.1\n\n", 400),
    "two hosts": ("GET / HTTP/1.1\nHost: a\nHost: b\n\n", 400),
    "host with a path": ("GET / HTTP/1.1\nHost: a/b?c\n\n", 400),
    "host with a user": ("GET / HTTP/1.1\nHost: user@a\n\n", 400),
    "port out of range": ("GET / HTTP/1.1\nHost: a:65536\n\n", 400),
    "asterisk": ("OPTIONS * HTTP/1.1\nHost: a\n\n", 400),
    "tunnel": ("CONNECT a:80 HTTP/1.1\nHost: a:80\n\n", 400),
    "bytes beyond ASCII in the path": ("GET /é HTTP/1.1\nHost: a\n\n", 400),
    "length that is no number": ("POST / HTTP/1.1\nHost: a\nContent-Length: x\n\n", 400),
    "two ways to end the body": (
        "POST / HTTP/1.1\nHost: a\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n",
        400,
    ),
    "chunk size that is no number": (
        "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nzz\nabc\n0\n\n",
        400,
    ),
    "space before the colon": ("GET / HTTP/1.1\nHost: a\nX : y\n\n", 400),
    "long URL": (f"GET /{'a' * 20_000} HTTP/1.1\nHost: a\n\n", 414),
    "long header": (f"GET / HTTP/1.1\nHost: a\nX: {'a' * 40_000}\n\n", 431),
    "many headers": ("GET / HTTP/1.1\nHost: a\n" + "X: y\n" * 300 + "\n", 400),
}


@pytest.mark.parametrize("case", BAD)
async def test_malformed_request_is_refused_in_plain_words(
    edge: Edge, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, status = BAD[case]
    answer = await edge.ask(sent)
    assert answer.status == status
    assert len(answer.text.splitlines()) == 1
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert "aiohttp" not in repr(answer)
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_long_url_and_header_within_the_limits_arrive(edge: Edge) -> None:
    answer = await edge.get(f"{A}/describe?{'a' * 15_000}", f"X-Long: {'b' * 30_000}")
    assert answer.json()["url"].endswith("a" * 15_000)
    assert ["x-long", "b" * 30_000] in answer.json()["headers"]
