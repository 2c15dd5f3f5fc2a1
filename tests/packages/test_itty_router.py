"""itty-router in front of objects and inside of them."""

from __future__ import annotations

import json

from tests.packages.packages import Serve


def test_routes_answers_and_errors(serve: Serve) -> None:
    with serve("itty") as server:

        def ask(method: str, path: str) -> tuple[int, object]:
            answer = server.request(method, path)
            return answer.status, json.loads(answer.body or b"null")

        assert ask("GET", "/hello/you?a=1&b=2&b=3") == (
            200,
            {"hello": "you", "query": {"a": "1", "b": ["2", "3"]}},
        )
        assert ask("GET", "/hello") == (200, {"hello": "nobody", "query": {}})
        assert ask("GET", "/greedy/a/b/c") == (200, "a/b/c")
        assert ask("GET", "/file.tar") == (200, {"ext": "tar"})
        assert ask("GET", "/fail") == (418, {"status": 418, "error": "short and stout"})
        assert ask("DELETE", "/gone") == (204, None)
        assert ask("GET", "/nowhere") == (404, {"status": 404, "no": "/nowhere"})
        preflight = server.request("OPTIONS", "/tally/a/b", headers={"origin": "https://app.example"})
        assert (preflight.status, preflight.header("access-control-allow-methods")) == (204, "POST")


def test_a_router_inside_of_an_object_keeps_its_state(serve: Serve) -> None:
    body, typed = b'{"by": 2}', {"content-type": "application/json"}
    for run in (1, 2):
        with serve("itty") as server:
            answer = server.request("POST", "/tally/mine/a/b", body, typed)
            assert json.loads(answer.body) == {"key": "a/b", "total": 2 * run}
            assert answer.header("access-control-allow-origin") == "https://app.example"
            assert json.loads(server.request("GET", "/tally/mine").body) == {"a/b": 2 * run}
            assert json.loads(server.request("GET", "/tally/yours").body) == {}
            assert server.request("PUT", "/tally/mine/a").status == 405
