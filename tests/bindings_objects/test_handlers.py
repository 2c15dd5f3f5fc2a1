"""How handlers are found and called, in every form a Worker may have, and what their results become."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from durabox.errors import JavaScriptError, ModuleError
from durabox.objects.host import Host
from durabox.project.project import load_project

from .conftest import OpenModule, ask_worker

NO_RESPONSE = "Incorrect type for Promise: the Promise did not resolve to 'Response'."


@pytest.mark.parametrize(
    "source",
    [
        "export default { fetch(request, env, ctx) { return new Response(typeof env + typeof ctx.waitUntil); } }",
        "export default { fetch: async (request, env, ctx) => new Response(typeof env + typeof ctx.waitUntil) }",
        'import { WorkerEntrypoint } from "cloudflare:workers"; export default class extends WorkerEntrypoint { '
        "fetch(request) { return new Response(typeof this.env + typeof this.ctx.waitUntil); } }",
        "class Base { fetch(request, env, ctx) { return new Response(typeof env + typeof ctx.waitUntil); } }"
        "export default new (class extends Base {})();",
    ],
)
async def test_the_default_export_answers(open_module: OpenModule, source: str) -> None:
    async with open_module(source) as host:
        assert host.has_worker
        assert await ask_worker(host) == "objectfunction"


async def test_an_entrypoint_class_is_made_anew_for_each_request(open_module: OpenModule) -> None:
    source = """
    import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint {
      count = 0;
      fetch() { return new Response(String(++this.count)); }
    }"""
    async with open_module(source) as host:
        assert [await ask_worker(host), await ask_worker(host)] == ["1", "1"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('return "text";', ("TypeError", NO_RESPONSE)),
        ("return undefined;", ("TypeError", NO_RESPONSE)),
        ("return Promise.resolve({});", ("TypeError", NO_RESPONSE)),
        ('throw new RangeError("r");', ("RangeError", "r")),
        ('return Promise.reject(new TypeError("t"));', ("TypeError", "t")),
        ("throw 1;", ("Error", "1")),
        (
            'const used = new Response("x"); return used.text().then(() => used);',
            (
                "TypeError",
                "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.",
            ),
        ),
        (
            "return Response.error();",
            (
                "TypeError",
                "Return value from serve handler must not be an error response (like Response.error())",
            ),
        ),
    ],
)
async def test_what_is_no_response_fails_the_request(
    open_module: OpenModule, body: str, error: tuple[str, str]
) -> None:
    async with open_module(f"export default {{ fetch() {{ {body} }} }}") as host:
        with pytest.raises(JavaScriptError) as caught:
            await ask_worker(host)
        assert (caught.value.name, caught.value.message) == error


async def test_wait_until_takes_anything_and_a_rejection_fails_nobody(open_module: OpenModule) -> None:
    source = """
    export default { fetch(request, env, ctx) {
      ctx.waitUntil(5);
      ctx.waitUntil(Promise.reject(new Error("nobody sees this")));
      ctx.passThroughOnException();
      let refused;
      try { ctx.waitUntil(); } catch (error) { refused = error.message; }
      return new Response(refused);
    } }"""
    async with open_module(source) as host:
        assert await ask_worker(host) == (
            "Failed to execute 'waitUntil' on 'ExecutionContext': parameter 1 is not of type 'Promise'."
        )


async def test_env_is_the_same_for_handlers_and_for_the_module(open_module: OpenModule) -> None:
    source = """
    import { env as imported, exports, DurableObject } from "cloudflare:workers";
    export class Thing extends DurableObject {}
    export default { fetch(request, env, ctx) {
      return Response.json([Object.keys(env).sort(), env.Thing === imported.Thing, exports.Thing === env.Thing,
        ctx.exports.Thing === exports.Thing]);
    } }"""
    async with open_module(source) as host:
        assert await ask_worker(host) == '[["THING","Thing"],true,false,true]'


async def test_a_base_class_needs_what_the_runtime_gives(open_module: OpenModule) -> None:
    source = """
    import { DurableObject, WorkerEntrypoint, RpcTarget } from "cloudflare:workers";
    const text = (run) => { try { return String(run()); } catch (error) { return error.message; } };
    export default { fetch() { return Response.json([
      text(() => new DurableObject({}, {})), text(() => new WorkerEntrypoint()), text(() => typeof new RpcTarget()),
    ]); } }"""
    async with open_module(source) as host:
        assert await ask_worker(host) == (
            "[\"Failed to construct 'DurableObjectBase': constructor parameter 1 is not of type 'DurableObjectState'.\","
            "\"Failed to construct 'WorkerEntrypoint': constructor parameter 1 is not of type 'Object'.\",\"object\"]"
        )


async def test_a_constructor_that_throws_fails_the_request_and_the_next_one_tries_again(
    open_module: OpenModule,
) -> None:
    source = """
    import { DurableObject } from "cloudflare:workers";
    export class Fragile extends DurableObject {
      constructor(ctx, env) { super(ctx, env); throw new TypeError("in constructor"); }
      fetch() { return new Response(); }
    }"""
    async with open_module(source) as host:
        for _ in range(2):
            with pytest.raises(JavaScriptError) as caught:
                await host.namespace("Fragile").get_by_name("a").fetch("/")
            assert (caught.value.name, caught.value.message) == ("TypeError", "in constructor")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export default {", "invalid property name"),
        ("throw new RangeError('at the top');", "at the top"),
        ("import { x } from './missing.js';", "missing.js"),
        ("await new Promise(() => {});", "top-level await"),
    ],
)
async def test_a_module_that_does_not_load_is_an_error(
    open_module: OpenModule, source: str, message: str
) -> None:
    with pytest.raises(ModuleError, match=message):
        async with open_module(source):
            pass


class TestServiceWorkerFormat:
    """Scripts with ``addEventListener("fetch", …)``."""

    @pytest.mark.parametrize(
        ("path", "answer"),
        [("/", "ok"), ("/promise", "ok"), ("/second", "second listener"), ("/global", "true function")],
    )
    async def test_a_listener_answers(self, tmp_path: Path, path: str, answer: str) -> None:
        async with _script(tmp_path) as host:
            assert host.has_worker
            assert await ask_worker(host, path) == answer

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ("/throw", ("TypeError", "thrown")),
            ("/reject", ("RangeError", "rejected")),
            (
                "/text",
                (
                    "TypeError",
                    "Failed to execute 'respondWith' on 'FetchEvent': parameter 1 is not of type 'Promise'.",
                ),
            ),
            (
                "/twice",
                (
                    "InvalidStateError",
                    "FetchEvent.respondWith() has already been called; it can only be called once.",
                ),
            ),
            ("/none", ("Error", "No listener for the fetch event called respondWith().")),
        ],
    )
    async def test_a_failing_listener_fails_the_request(
        self, tmp_path: Path, path: str, error: tuple[str, str]
    ) -> None:
        async with _script(tmp_path) as host:
            with pytest.raises(JavaScriptError) as caught:
                await ask_worker(host, path)
            assert (caught.value.name, caught.value.message) == error


SCRIPT = """
addEventListener("fetch", (event) => {
  switch (new URL(event.request.url).pathname) {
    case "/": event.waitUntil(1); event.passThroughOnException(); return event.respondWith(new Response("ok"));
    case "/promise": return event.respondWith(Promise.resolve(new Response("ok")));
    case "/global": return event.respondWith(new Response(`${this === globalThis} ${typeof FetchEvent}`));
    case "/throw": throw new TypeError("thrown");
    case "/reject": return event.respondWith(Promise.reject(new RangeError("rejected")));
    case "/text": return event.respondWith("x");
    case "/twice": event.respondWith(new Response("1")); event.respondWith(new Response("2"));
  }
});
addEventListener("fetch", { handleEvent(event) {
  if (event.request.url.endsWith("second")) event.respondWith(new Response("second listener"));
} });
"""


def _script(folder: Path):  # type: ignore[no-untyped-def]
    main = folder / "script.js"
    main.write_text(SCRIPT)
    return Host.open(replace(load_project(main), format="script"))
