"""Namespaces, ids and stubs as JavaScript sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durabox.objects.host import Host
from durabox.objects.messages import Request

from .conftest import InObject, OpenModule

OTHER = """
export class Other extends DurableObject {
  local = 5;
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new TypeError("thrown there");
    const headers = [...request.headers];
    return Response.json([request.method, request.url, headers, await request.text(), request.redirect, this.ctx.id.name]);
  }
  hello(name) { return `hello ${name}`; }
  nothing() {}
  fails() { throw new RangeError("in method"); }
  _underscore() { return [...arguments]; }
  get property() { return 5; }
}
export class Plain extends DurableObject { fetch() { return new Response("plain"); } method() {} }
export class Handlerless extends DurableObject {}
"""


async def test_ids_of_a_name_are_equal_and_carry_the_name(in_object: InObject) -> None:
    assert await in_object(
        """
        const id = env.Other.idFromName("n"), again = env.Other.idFromString(String(id).toUpperCase());
        const unique = env.Other.newUniqueId();
        return [
          id.toString().length, id.name, again.name ?? null, id.equals(again), id.equals(env.Plain.idFromName("n")),
          id.equals(unique), unique.toString() === String(unique), JSON.stringify(id), Object.keys(id),
          await attempt(() => { id.name = "x"; }).then((text) => text.startsWith("TypeError")),
        ];
        """,
        OTHER,
    ) == [64, "n", None, True, False, False, True, '{"name":"n"}', ["jurisdiction", "name"], True]


async def test_the_id_of_an_object_is_the_one_its_callers_use(in_object: InObject) -> None:
    assert await in_object('return [ctx.id.equals(env.Probe.idFromName("probe")), ctx.id.name];') == [
        True,
        "probe",
    ]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("env.Other.idFromString('ab')", "TypeError: Invalid Durable Object ID: must be 64 hex digits"),
        (
            "env.Other.idFromString(String(env.Plain.idFromName('n')))",
            "TypeError: Durable Object ID is not valid for this namespace.",
        ),
        (
            "env.Other.get('n')",
            "TypeError: Failed to execute 'get' on 'DurableObjectNamespace': "
            "parameter 1 is not of type 'DurableObjectId'.",
        ),
        (
            "env.Other.idFromName()",
            "TypeError: Failed to execute 'idFromName' on 'DurableObjectNamespace': "
            "parameter 1 is not of type 'string'.",
        ),
        (
            "env.Other.getByName('n', 5)",
            "TypeError: Failed to execute 'getByName' on 'DurableObjectNamespace': "
            "parameter 2 is not of type 'GetDurableObjectOptions'.",
        ),
        ("env.Other.getByName('n', { routingMode: 'x' })", "RangeError: unknown routingMode: x"),
        (
            "env.Other.newUniqueId({ jurisdiction: 'eu' })",
            "Error: Jurisdiction restrictions are not implemented in durabox.",
        ),
        (
            "env.Other.idFromName('n').equals('n')",
            "TypeError: Failed to execute 'equals' on 'DurableObjectId': "
            "parameter 1 is not of type 'DurableObjectId'.",
        ),
        ("new env.Other.constructor()", "TypeError: Illegal constructor"),
        ("new ctx.id.constructor()", "TypeError: Illegal constructor"),
    ],
)
async def test_a_wrong_call_throws(in_object: InObject, expression: str, error: str) -> None:
    assert await in_object(f"return attempt(() => {expression});", OTHER) == error


async def test_a_stub_shows_its_id_and_name_and_nothing_else(in_object: InObject) -> None:
    assert await in_object(
        """
        const id = env.Other.idFromName("n"), stub = env.Other.get(id, { locationHint: "weur" });
        stub.mine = 5;
        return [Object.keys(stub), stub.id === id, stub.name, typeof stub.then, typeof stub.anything, stub.mine,
          String(stub), stub instanceof Object.getPrototypeOf(stub).constructor];
        """,
        OTHER,
    ) == [["name", "id", "mine"], True, "n", "undefined", "function", 5, "[object DurableObject]", True]


async def test_fetch_reaches_the_object_with_method_url_headers_and_body(in_object: InObject) -> None:
    assert await in_object(
        """
        const stub = env.Other.getByName("n");
        return [
          await (await stub.fetch("https://u:p@foo.bar:81/a/../b?x#part", { method: "POST", body: "hi", headers: { "X-A": "1" } })).json(),
          await (await stub.fetch(new Request("http://h/p", { method: "PUT", body: new Uint8Array([65]) }))).json(),
          await (await stub.fetch(new URL("http://h/q"))).json(),
        ];
        """,
        OTHER,
    ) == [
        [
            "POST",
            "https://foo.bar:81/b?x",
            [
                ["content-length", "2"],
                ["content-type", "text/plain;charset=UTF-8"],
                ["x-a", "1"],
            ],
            "hi",
            "manual",
            "n",
        ],
        ["PUT", "http://h/p", [["content-length", "1"]], "A", "manual", "n"],
        ["GET", "http://h/q", [], "", "manual", "n"],
    ]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("getByName('n').fetch('/path')", "TypeError: Invalid URL: /path"),
        (
            "getByName('n').fetch(new Proxy(new Request('http://h/'), {}))",
            "TypeError: Invalid URL: [object Request]",
        ),
        ("getByName('n').fetch('ftp://h/')", "TypeError: Fetch API cannot load: ftp://h/"),
        (
            "getByName('n').fetch()",
            "TypeError: Failed to execute 'fetch' on 'Fetcher': "
            "parameter 1 is not of type 'Request or string'.",
        ),
        ("getByName('n').fetch('http://h/throw')", "TypeError: thrown there"),
        ("getByName('n').missing()", 'TypeError: The RPC receiver does not implement the method "missing".'),
        ("getByName('n').local()", 'TypeError: The RPC receiver does not implement the method "local".'),
        ("getByName('n').property()", 'TypeError: "property" is not a function.'),
        ("getByName('n').alarm()", "TypeError: 'alarm' is a reserved method and cannot be called over RPC."),
        ("getByName('n').fails()", "RangeError: in method"),
        ("getByName('n').hello(Symbol('s'))", "DataCloneError: Symbol(s) could not be cloned."),
    ],
)
async def test_a_failing_call_is_a_rejection(in_object: InObject, call: str, error: str) -> None:
    assert await in_object(
        f"const promise = env.Other.{call}; return [promise instanceof Promise, await attempt(() => promise)];",
        OTHER,
    ) == ["fetch" in call, error]


async def test_methods_of_the_class_are_called_with_copies(in_object: InObject) -> None:
    assert await in_object(
        """
        const stub = env.Other.getByName("n"), value = { a: [1] };
        const [copy] = await stub._underscore(value, new Map());
        return [await stub.hello("w"), await stub.nothing() === undefined, copy, copy === value];
        """,
        OTHER,
    ) == ["hello w", True, {"a": [1]}, False]


async def test_a_class_without_the_base_class_answers_fetch_only(tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text("""
    export class Plain { fetch() { return new Response("plain"); } method() {} }
    export default {
      async fetch(request, env) {
        const stub = env.PLAIN.getByName("n");
        const error = await stub.method().catch((error) => `${error.name}: ${error.message}`);
        return Response.json([await (await stub.fetch("http://h/")).text(), error]);
      },
    };""")
    bindings = [{"name": "PLAIN", "class_name": "Plain"}]
    config = {"name": "p", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (tmp_path / "wrangler.json").write_text(json.dumps(config))
    async with Host.open(tmp_path) as host:
        answer, error = await (await host.fetch(Request("GET", "http://h/"))).json()
    assert answer == "plain"
    assert error.startswith(
        "TypeError: The receiving Durable Object does not support RPC, because its class was not"
    )


async def test_an_error_tells_where_it_came_from(in_object: InObject) -> None:
    assert await in_object(
        """
        const stub = env.Other.getByName("n");
        const caught = await stub.fails().catch((error) => error);
        return [caught.remote, caught.durableObjectId === String(stub.id), "retryable" in caught];
        """,
        OTHER,
    ) == [True, True, False]


async def test_a_class_without_fetch_says_so(in_object: InObject) -> None:
    assert (
        await in_object('return attempt(() => env.Handlerless.getByName("n").fetch("http://h/"));', OTHER)
        == "Error: Handler does not export a fetch() function."
    )


async def test_at_global_scope_there_are_ids_but_no_stubs(open_module: OpenModule) -> None:
    source = """
    import { DurableObject, env } from "cloudflare:workers";
    const id = env.Probe.idFromName("a");
    let refused = "nothing";
    try { env.Probe.get(id); } catch (error) { refused = error.message; }
    export class Probe extends DurableObject {
      fetch() { return Response.json([id.equals(this.ctx.id), refused.slice(0, 50)]); }
    }
    """
    async with open_module(source) as host:
        answer = await host.namespace("Probe").get_by_name("a").fetch("/")
        assert await answer.text() == '[true,"Disallowed operation called within global scope. A"]'
