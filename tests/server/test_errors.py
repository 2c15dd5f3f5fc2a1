"""What clients are told when something is wrong, and what the log has of it."""

from __future__ import annotations

import re

import pytest

from tests.server.wire import A, Edge, OpenEdge, open_edge

LEAKS = re.compile(r"/home|/tmp|/work|site-packages|\.py\b|Traceback|File \"")


def console(caplog: pytest.LogCaptureFixture) -> str:
    """What the log has of the guests."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name == "durabox.console")


async def test_class_that_does_not_exist_is_answered_with_those_that_do(edge: Edge) -> None:
    answer = await edge.get("/-/objects/Missing/a/")
    assert answer.status == 404
    assert answer.text == "There is no Durable Object class or binding named 'Missing'; known: Edge, EDGE.\n"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("Edge", 404, "The path of an object is"),
        ("Edge/", 404, "The path of an object is"),
        ("", 404, "The path of an object is"),
        ("/a/", 404, "The path of an object is"),
        (f"Edge/{'a' * 64}/", 400, "Durable Object ID is not valid for this namespace."),
        ("Edge/%FF/", 400, "must be UTF-8"),
        ("%FF/a/", 400, "must be UTF-8"),
    ],
)
async def test_path_that_names_no_object_is_refused(edge: Edge, path: str, status: int, text: str) -> None:
    answer = await edge.get(f"/-/objects/{path}")
    assert (answer.status, text in answer.text) == (status, True), answer


async def test_error_of_a_class_is_answered_with_its_message_alone(edge: Edge) -> None:
    answer = await edge.get(f"{A}/fail")
    assert (answer.status, answer.text) == (500, "TypeError: this is wrong\n")


async def test_error_that_a_worker_passes_on_is_answered_with_its_message(edge: Edge) -> None:
    answer = await edge.get("/via/a/fail")
    assert (answer.status, answer.text) == (500, "TypeError: this is wrong\n")
    answer = await edge.get("/worker-fails")
    assert (answer.status, answer.text) == (500, "RangeError: the Worker is wrong\n")


async def test_log_has_the_stack_of_the_users_own_file(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    await edge.get(f"{A}/fail")
    lines = console(caplog).splitlines()
    assert lines[0] == "Uncaught TypeError: this is wrong"
    assert re.fullmatch(r"    at fail \(edge\.js:\d+:\d+\)", lines[1])
    assert all("edge.js" in line for line in lines[1:])
    [record] = [record for record in caplog.records if record.name == "durabox.console"]
    assert getattr(record, "object", "").startswith("Edge/")


async def test_answer_has_the_stack_only_in_development(caplog: pytest.LogCaptureFixture) -> None:
    async with open_edge(dev=True) as edge:
        answer = await edge.get(f"{A}/fail")
    lines = answer.text.splitlines()
    assert lines[0] == "TypeError: this is wrong"
    assert re.fullmatch(r"    at fail \(edge\.js:\d+:\d+\)", lines[1])
    assert not any("durabox:" in line for line in lines)


@pytest.mark.parametrize("what", ["text", "object", "nothing"])
async def test_anything_can_be_thrown(edge: Edge, what: str) -> None:
    answer = await edge.get(f"{A}/failWith?what={what}")
    assert (answer.status, answer.text.strip() != "") == (500, True)


async def test_what_is_no_response_is_an_error_of_the_class(edge: Edge) -> None:
    answer = await edge.get(f"{A}/nothing")
    assert answer.status == 500
    assert "Response" in answer.text


async def test_failing_body_is_logged(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    wire = await edge.connect()
    wire.send(f"GET {A}/broken HTTP/1.1\nHost: localhost\n\n")
    assert (await wire.head()).status == 200
    await edge.settled(f"{A}/state")
    assert "the source ran dry" in "\n".join(record.getMessage() for record in caplog.records)


async def test_broken_constructor_is_answered_with_its_message(edge_of: OpenEdge) -> None:
    source = """
        import { DurableObject } from "cloudflare:workers";
        export class Bad extends DurableObject {
          constructor(ctx, env) { super(ctx, env); throw new Error("cannot begin"); }
          fetch() { return new Response("never"); }
        }
    """
    async with edge_of(source) as edge:
        for _ in range(2):
            answer = await edge.get("/Bad/a/")
            assert (answer.status, answer.text) == (500, "Error: cannot begin\n")


async def test_class_without_fetch_says_so(edge_of: OpenEdge) -> None:
    async with edge_of(
        "import { DurableObject } from 'cloudflare:workers'; export class Mute extends DurableObject {}"
    ) as edge:
        answer = await edge.get("/Mute/a/")
        assert answer.status == 500
        assert "fetch" in answer.text


async def test_nothing_of_the_host_is_told(edge: Edge) -> None:
    for path in (
        f"{A}/fail", f"{A}/leak", "/-/objects/Missing/a/", f"{A}/nothing", "/-/none", f"/-/objects/Edge/{'a' * 64}/",
    ):  # fmt: skip
        assert not LEAKS.search((await edge.get(path)).text)


async def test_fault_of_the_server_itself_is_told_as_that_alone(
    edge: Edge, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: object) -> None:
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr("durabox.server.answers.send", fail)
    answer = await edge.get(f"{A}/path")
    assert (answer.status, answer.text) == (500, "An internal error occurred.\n")
    assert any(record.exc_info for record in caplog.records)


async def test_without_a_worker_objects_answer_under_their_class(edge_of: OpenEdge) -> None:
    source = """
        import { DurableObject } from "cloudflare:workers";
        export class RateLimiter extends DurableObject {
          fetch(request) { return new Response(`${this.ctx.id.name} ${new URL(request.url).pathname}`); }
        }
    """
    async with edge_of(source) as edge:
        for path in ("/RateLimiter/a/b/c", "/RATE_LIMITER/a/b/c", "/-/objects/RATE_LIMITER/a/b/c"):
            assert (await edge.get(path)).text == "a /b/c"
        answer = await edge.get("/")
        assert answer.status == 404
        assert "RateLimiter" in answer.text


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [
        ("a%2Fb%20%C3%A9/describe", "a/b é", "/describe"),
        ("%2E%2E/describe", "..", "/describe"),
        ("a%3Fb/describe?x", "a?b", "/describe?x"),
        ("A/describe", "A", "/describe"),
    ],
)
async def test_names_in_paths_are_percent_decoded(edge: Edge, path: str, name: str, rest: str) -> None:
    seen = (await edge.get(f"/-/objects/EDGE/{path}")).json()
    assert (seen["name"], seen["url"]) == (name, f"http://localhost:{edge.port}{rest}")


async def test_slash_in_a_query_is_no_part_of_the_path(edge: Edge) -> None:
    for path in ("/-/objects/Edge/a?next=/b", "/-/objects/Edge/a/?next=/b"):
        assert (await edge.get(path)).json() == {"path": "/", "query": "?next=/b"}


async def test_id_in_a_path_is_the_object_of_that_id(edge: Edge) -> None:
    by_name = (await edge.get(f"{A}/describe")).json()
    for identity in (by_name["id"], by_name["id"].upper()):
        assert (await edge.get(f"/-/objects/Edge/{identity}/describe")).json()["id"] == by_name["id"]
