"""Node's modules and globals: what a project gets by its compatibility date and flags, and when it is paid for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from durabox.engine import layers
from durabox.errors import ModuleError
from durabox.objects.host import Host
from tests.bindings_objects.conftest import InObject, OpenModule, ask_worker

GLOBALS = """
export default { async fetch() {
  const timer = setTimeout(() => {}, 1);
  return Response.json([typeof Buffer, typeof process, typeof setImmediate, typeof timer,
    typeof process === "object" ? Object.entries(process.env) : null]);
} };
"""


async def _globals(folder: Path, day: str | None, flags: Sequence[str]) -> Any:
    config: dict[str, object] = {"name": "n", "main": "index.js", "compatibility_flags": list(flags)}
    if day is not None:
        config["compatibility_date"] = day
    (folder / "wrangler.json").write_text(json.dumps({**config, "vars": {"TEXT": "t", "DATA": {"a": 1}}}))
    (folder / "index.js").write_text(GLOBALS)
    async with Host.open(folder) as host:
        return json.loads(await ask_worker(host))


ABSENT = ["undefined", "undefined", "undefined", "number", None]
VARIABLES = [["TEXT", "t"], ["DATA", '{"a":1}']]


@pytest.mark.parametrize(
    ("day", "flags", "expected"),
    [
        ("2023-01-01", [], ABSENT),
        ("2024-09-22", ["nodejs_compat"], ABSENT),
        ("2024-09-23", ["nodejs_compat"], ["function", "object", "function", "number", []]),
        ("2023-01-01", ["nodejs_compat_v2"], ["function", "object", "function", "number", []]),
        ("2025-06-01", ["nodejs_compat"], ["function", "object", "function", "number", VARIABLES]),
        ("2026-02-10", ["nodejs_compat"], ["function", "object", "function", "object", VARIABLES]),
        ("2026-08-03", [], ABSENT),
        ("2026-08-04", [], ["function", "object", "function", "object", VARIABLES]),
        (None, [], ["function", "object", "function", "object", VARIABLES]),
        ("2026-08-03", ["nodejs_compat", "no_nodejs_compat_v2"], ["undefined"] * 3 + ["object", None]),
    ],
)
async def test_globals_are_there_from_the_dates_on_that_workerd_has_them(
    tmp_path: Path, day: str | None, flags: list[str], expected: list[object]
) -> None:
    assert await _globals(tmp_path, day, flags) == expected


FLAGS = """
export default { fetch: () => Response.json(Object.keys(Cloudflare.compatibilityFlags).filter((name) => Cloudflare.compatibilityFlags[name])) };
"""
NODE = [
    "nodejs_compat",
    "nodejs_compat_v2",
    "enable_nodejs_global_timers",
    "nodejs_compat_populate_process_env",
]


@pytest.mark.parametrize(
    ("day", "flags", "expected"),
    [
        ("2023-01-01", [], []),
        ("2024-09-22", ["nodejs_compat"], NODE[:1]),
        ("2024-09-23", ["nodejs_compat"], NODE[:2]),
        ("2023-01-01", ["nodejs_compat_v2", "not_known_here"], NODE[1:2]),
        (None, ["delete_all_preserves_alarm"], NODE),
        (None, [], [*NODE, "delete_all_deletes_alarm"]),
    ],
)
async def test_a_project_can_ask_which_changes_it_takes_part_in(
    tmp_path: Path, day: str | None, flags: list[str], expected: list[str]
) -> None:
    config = {"name": "n", "main": "index.js", "compatibility_flags": flags, "compatibility_date": day}
    (tmp_path / "wrangler.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    (tmp_path / "index.js").write_text(FLAGS)
    async with Host.open(tmp_path) as host:
        assert json.loads(await ask_worker(host)) == expected


async def test_lazy_globals_can_be_assigned_and_are_the_modules_own(in_object: InObject) -> None:
    assert await in_object("globalThis.process = 5; return process;") == 5
    more = 'import { Buffer as B } from "node:buffer"; import p from "node:process";'
    assert await in_object("return [Buffer === B, process === p];", more) == [True, True]


async def test_a_layer_is_evaluated_only_where_something_needs_it(
    open_module: OpenModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    bytecode = layers.bytecode

    def noted(name: str) -> bytes | None:
        asked.append(name)
        return bytecode(name)

    monkeypatch.setattr(layers, "bytecode", noted)
    module = """
      import { DurableObject } from "cloudflare:workers";
      import { EventEmitter } from "node:events";
      export class A extends DurableObject { async fetch() { return new Response(Buffer.from("a").toString("hex") + EventEmitter.name); } }
      export default { fetch: (request, env) => env.A.getByName("a").fetch(request) };"""
    async with open_module(module) as host:
        assert sorted(asked) == ["buffer", "events"], "all at load: they are in the image"
        assert await ask_worker(host) == "61EventEmitter"
    assert sorted(asked) == ["buffer", "events"]


async def test_modules_that_reach_outside_are_refused_by_name(open_module: OpenModule) -> None:
    with pytest.raises(ModuleError, match="durabox has no fs"):
        async with open_module('import "node:fs"; export default {};'):
            pass


async def test_hashes_of_long_data_grow_on_the_host_and_have_a_bound(in_object: InObject) -> None:
    more = 'import { createHash } from "node:crypto";'
    body = """
      const big = new Uint8Array(262_145);
      const kept = [];
      try {
        for (let i = 0; i < 1100; i++) { const hash = createHash("sha1"); hash.update(big); kept.push(hash); }
      } catch (error) { return [kept.length, error.message]; }"""
    assert await in_object(body, more) == [1000, "more than 1000 hashes of long data are under way"]
    body = """
      const big = new Uint8Array(262_145);
      for (let i = 0; i < 1100; i++) createHash("sha1").update(big).digest();
      return createHash("sha1").update(big).digest("hex");"""
    assert await in_object(body, more) == hashlib.sha1(bytes(262_145)).hexdigest()


async def test_a_long_hash_begun_at_global_scope_goes_on_in_the_object(in_object: InObject) -> None:
    more = """import { createHash } from "node:crypto";
      const begun = createHash("sha1").update(new Uint8Array(300_000));"""
    body = """
      const other = createHash("sha1").update(new Uint8Array(262_145).fill(1));
      begun.update("more");
      return begun.digest("hex");"""
    assert await in_object(body, more) == hashlib.sha1(bytes(300_000) + b"more").hexdigest()


async def test_functions_of_layers_show_no_text_and_their_errors_show_where_they_are(
    in_object: InObject,
) -> None:
    more = 'import { EventEmitter } from "node:events"; import { Buffer as B } from "node:buffer";'
    assert await in_object("return [`${EventEmitter.prototype.emit}`, `${B.from}`];", more) == [
        "function emit() {\n    [native code]\n}",
        "function from() {\n    [native code]\n}",
    ]
    stack = await in_object("try { B.alloc('x') } catch (error) { return error.stack }", more)
    assert re.search(r"(?m)^    at .*\(durabox:buffer:\d+:\d+\)$", stack)
