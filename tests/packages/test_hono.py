"""hono in front of objects and inside of them."""

from __future__ import annotations

import json
import re

from tests.packages.packages import Serve


def test_routes_middleware_and_errors(serve: Serve) -> None:
    with serve("hono") as server:
        home = server.request("GET", "/")
        assert (home.status, home.text) == (200, "Welcome!")
        assert home.header("x-powered-by") == "Hono"
        assert home.header("x-frame-options") == "SAMEORIGIN"
        assert re.fullmatch(r"total;dur=[\d.]+.*", home.header("server-timing") or "")
        assert server.request("GET", "/id").text != server.request("GET", "/id").text
        assert server.request("GET", "/id", headers={"x-request-id": "mine"}).text == "mine"
        missing = server.request("POST", "/nowhere?x=1")
        assert (missing.status, json.loads(missing.body)) == (404, {"missing": "/nowhere"})
        thrown = server.request("GET", "/throw")
        assert (thrown.status, thrown.text) == (500, "TypeError: oh no")
        refused = server.request("GET", "/admin/a")
        assert (refused.status, refused.text) == (401, "not you")
        page = server.request("GET", "/admin/a/b?title=a%20b", headers={"authorization": "Bearer key"})
        assert (page.status, page.text) == (200, "<h1>a b</h1>")
        assert page.header("content-type") == "text/html; charset=UTF-8"
        head = server.request("HEAD", "/")
        assert (head.status, head.body) == (200, b"")
        preflight = server.request(
            "OPTIONS",
            "/api/x",
            headers={"origin": "https://shop.example", "access-control-request-method": "PUT"},
        )
        assert preflight.status == 204
        assert preflight.header("access-control-allow-origin") == "https://shop.example"
        assert preflight.header("access-control-allow-methods") == "GET,PUT"


def test_a_session_cookie_leads_to_its_object(serve: Serve) -> None:
    with serve("hono") as server:
        first = server.request("PUT", "/cart/apple", b'{"count": 2}', {"content-type": "application/json"})
        assert (first.status, json.loads(first.body)) == (200, {"apple": 2})
        cookie = first.header("set-cookie") or ""
        assert re.fullmatch(r"session=[0-9a-f-]{36}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax", cookie)
        mine = {"cookie": f"other=x; {cookie.partition(';')[0]}", "content-type": "application/json"}
        second = server.request("PUT", "/cart/pear", b'{"count": 1}', mine)
        assert json.loads(second.body) == {"apple": 2, "pear": 1}
        assert second.header("set-cookie") is None
        wrong = server.request("PUT", "/cart/pear", b'{"count": 1.5}', mine)
        assert (wrong.status, json.loads(wrong.body)) == (422, {"error": "count must be whole"})
        broken = server.request("PUT", "/cart/pear", b"{", mine)
        assert (broken.status, broken.text) == (400, "Malformed JSON in request body")
        assert server.request("PUT", "/cart/7up", b'{"count": 1}', mine).status == 404
        assert json.loads(server.request("GET", "/cart/direct/count", headers=mine).body) == 2
        assert json.loads(server.request("DELETE", "/cart/direct/apple", headers=mine).body) is True
        assert json.loads(server.request("GET", "/cart/all", headers=mine).body) == {"pear": 1}
        assert json.loads(server.request("GET", "/cart/all").body) == {}
        left = server.request("POST", "/cart/leave", headers=mine)
        assert left.text == "bye 36"
        assert left.header("set-cookie") == "session=; Max-Age=0; Path=/"


def test_streaming_helpers(serve: Serve) -> None:
    with serve("hono") as server:
        assert server.request("GET", "/stream/bytes").body == b"\0\1\2end"
        text = server.request("GET", "/stream/text")
        assert (text.text, text.header("x-content-type-options")) == ("one\ntwo\n", "nosniff")
        events = server.request("GET", "/stream/events")
        assert events.header("content-type") == "text/event-stream"
        assert events.text == "".join(
            f"event: tick\ndata: line\ndata: of {number}\nid: {number}\n\n" for number in range(2)
        )
        assert server.request("GET", "/stream/broken").text == "failed: no more"


def test_forms_with_files(serve: Serve) -> None:
    boundary = "x-boundary"
    body = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="name"\r\n\r\nÄnne\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n'
        f"content-type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n"
    )
    with serve("hono") as server:
        answer = server.request(
            "POST", "/form", body.encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}
        )
        assert json.loads(answer.body) == {"name": "Änne", "file": ["a.txt", "text/plain", "hello"]}
