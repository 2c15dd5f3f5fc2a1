"""nanoid, zod and superjson: values made, checked and kept with their types."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.packages.packages import Serve

ANN = {
    "name": "  Ann ",
    "email": "ann@example.com",
    "born": "1990-05-17",
    "likes": ["tea", "cake", "tea"],
    "address": {"kind": "home", "street": "Elm"},
}


def test_values_keep_their_types_through_calls_and_storage(serve: Serve) -> None:
    with serve("values") as server:
        first = server.request("POST", "/", json.dumps(ANN).encode())
        assert first.status == 200, first.text
        assert re.fullmatch(r"[\w-]{21}", first.text)
        second = server.request("POST", "/", json.dumps(ANN).encode())
        assert second.text != first.text
    with serve("values") as server:
        seen: Any = json.loads(server.request("GET", f"/{first.text}").body)
    assert seen["types"] == [True, True, True, "gi"]
    assert seen["never"] is True
    assert seen["guest"]["json"] == {
        "name": "Ann",
        "email": "ann@example.com",
        "born": "1990-05-17T00:00:00.000Z",
        "party": 1,
        "likes": ["tea", "cake"],
        "address": {"kind": "home", "street": "Elm"},
        "added": {"by": str(1 << 70), "never": None, "pattern": "/a+/gi"},
    }
    assert seen["guest"]["meta"]["values"] == {
        "born": ["Date"],
        "likes": ["set"],
        "added.by": ["bigint"],
        "added.never": ["undefined"],
        "added.pattern": ["regexp"],
    }


def test_what_does_not_fit_is_refused_with_reasons(serve: Serve) -> None:
    with serve("values") as server:
        bad = {**ANN, "name": " ", "email": "no", "born": "2024-01-01", "party": 1.5, "likes": ["gin"]}
        answer = server.request(
            "POST", "/", json.dumps({**bad, "address": {"kind": "none", "x": 1}}).encode()
        )
        assert answer.status == 400
        assert json.loads(answer.body) == {
            "formErrors": [],
            "fieldErrors": {
                "name": ["Too small: expected string to have >=1 characters"],
                "email": ["Invalid email address"],
                "born": ["Too big: expected date to be <=1577836800000"],
                "party": ["Invalid input: expected int, received number"],
                "likes": ['Invalid option: expected one of "tea"|"cake"'],
                "address": ['Unrecognized key: "x"'],
            },
        }
        assert server.request("GET", "/short").text.strip("abc") == ""
        refused = server.request("GET", "/not-a-key")
        assert (refused.status, refused.text.splitlines()[0]) == (
            400,
            "✖ Invalid string: must match pattern /^[A-Za-z0-9_-]{21}$/",
        )
        assert server.request("GET", f"/{'a' * 21}").status == 404
        schema = json.loads(server.request("GET", "/schema").body)
        assert schema["required"] == ["name", "email", "born", "likes", "address"]
        assert schema["properties"]["party"]["exclusiveMinimum"] == 0
