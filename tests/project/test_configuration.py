"""What durabox makes of a project's files: a wrangler configuration in any of its forms, or none."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from durabox import Host, ProjectError
from durabox.project.project import load_project

TOML = """
name = "shop"
main = "src/index.js"
compatibility_date = "2026-01-01"
compatibility_flags = ["nodejs_compat"]

[vars]
TEXT = "a"
NUMBER = 1.5
FLAG = true
LIST = [1, "two"]
NESTED = { deep = { er = [{ x = 1 }] } }

[[durable_objects.bindings]]
name = "CARTS"
class_name = "Cart"
script_name = "shop"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Cart"]
new_classes = ["Old"]

[limits]
cpu_ms = 70

[[rules]]
type = "Text"
globs = ["**/*.md", "*.tpl"]

[[rules]]
type = "Data"
globs = ["data/**"]
"""
JSONC = """{
  // A comment, "quoted".
  "name": "shop", "main": "./src/index.js", /* and
  another */ "compatibility_date": "2026-01-01", "compatibility_flags": ["nodejs_compat"],
  "vars": { "TEXT": "a", "NUMBER": 1.5, "FLAG": true, "LIST": [1, "two",], "NESTED": { "deep": { "er": [{ "x": 1 }] } } },
  "durable_objects": { "bindings": [{ "name": "CARTS", "class_name": "Cart", "script_name": "shop" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Cart"], "new_classes": ["Old"] }],
  "limits": { "cpu_ms": 70 },
  "rules": [{ "type": "Text", "globs": ["**/*.md", "*.tpl"] }, { "type": "Data", "globs": ["data/**"] }], // the end
}
"""
INDEX = """
import { DurableObject } from "cloudflare:workers";
import readme from "../README.md";
import letter from "./letter.tpl";
import blob from "../data/a/blob.js";
import page from "./page.html";
import bytes from "./raw.bin";
import config from "./config.json";
export class Cart extends DurableObject {
  fetch() {
    const sizes = [blob, bytes].map((data) => [data instanceof ArrayBuffer, data.byteLength]);
    return Response.json({ texts: [readme, letter, page], sizes, config, env: this.env, carts: Object.keys(this.env) });
  }
}
export class Old extends DurableObject {}
"""


def _project(folder: Path, name: str, text: str) -> Path:
    files = {
        name: text,
        "src/index.js": INDEX,
        "README.md": "read me",
        "src/letter.tpl": "Dear",
        "data/a/blob.js": "not code",
        "src/page.html": "<p>",
        "src/raw.bin": "\0\1",
        "src/config.json": '{"k": [1]}',
    }
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    return folder


async def _ask(project: Path, name: str) -> Any:
    async with Host.open(project) as host:
        return await (await host.namespace(name).get_by_name("a").fetch("/")).json()


@pytest.mark.parametrize(("file", "text"), [("wrangler.toml", TOML), ("wrangler.jsonc", JSONC)])
async def test_every_key_that_counts_has_its_effect(
    tmp_path: Path, file: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _project(tmp_path, file, text)
    loaded = load_project(folder)
    assert (loaded.name, loaded.main, loaded.cpu_ms) == ("shop", "src/index.js", 70)
    assert loaded.unique_key("Cart") == "shop-Cart"
    seen = await _ask(folder, "CARTS")
    assert seen["texts"] == ["read me", "Dear", "<p>"]
    assert seen["sizes"] == [[True, 8], [True, 2]]
    assert seen["config"] == {"k": [1]}
    variables = {name: value for name, value in seen["env"].items() if name != "CARTS"}
    assert variables == {
        "TEXT": "a",
        "NUMBER": 1.5,
        "FLAG": True,
        "LIST": [1, "two"],
        "NESTED": {"deep": {"er": [{"x": 1}]}},
    }
    assert "CARTS" in seen["carts"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_classes_without_a_binding_have_their_endpoint_too(tmp_path: Path) -> None:
    async with Host.open(_project(tmp_path, "wrangler.toml", TOML)) as host:
        assert host.class_names == ("Cart", "Old")
        assert host.binding_names == ("Cart", "Old", "CARTS")


async def test_without_configuration_classes_are_bound_by_two_names(tmp_path: Path) -> None:
    (tmp_path / "my app.js").write_text(
        """
        import { DurableObject } from "cloudflare:workers";
        export class HTTPRateLimiter extends DurableObject {
          fetch() { return Response.json(Object.keys(this.env).sort()); }
        }
        export class NotAnObject {}
        """
    )
    async with Host.open(tmp_path / "my app.js") as host:
        assert host.class_names == ("HTTPRateLimiter",)
    assert await _ask(tmp_path / "my app.js", "HTTP_RATE_LIMITER") == ["HTTPRateLimiter", "HTTP_RATE_LIMITER"]
    assert load_project(tmp_path / "my app.js").name == "my-app"


async def test_class_that_is_named_in_a_binding_need_not_extend_anything(tmp_path: Path) -> None:
    (tmp_path / "wrangler.json").write_text(
        '{"main": "a.js", "durable_objects": {"bindings": [{"name": "P", "class_name": "Plain"}]}}'
    )
    (tmp_path / "a.js").write_text(
        "export class Plain { constructor(state) { this.id = state.id } fetch() { return Response.json(this.id.name) } }"
    )
    assert await _ask(tmp_path, "P") == "a"


async def test_cpu_limit_of_the_configuration_holds(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text('main = "a.js"\nlimits = { cpu_ms = 50 }')
    (tmp_path / "a.js").write_text(
        "import { DurableObject } from 'cloudflare:workers'; export class A extends DurableObject { fetch() { for (;;); } }"
    )
    async with Host.open(tmp_path) as host:
        with pytest.raises(Exception, match="exceeded its CPU time limit"):
            await host.namespace("A").get_by_name("a").fetch("/")


@pytest.mark.parametrize(
    ("extra", "names"),
    [({"mian": 1}, "mian"), ({"b_key": 1, "a_key": {}, "kv_namespaces": []}, "a_key, b_key, kv_namespaces")],
)
def test_unknown_keys_are_warned_about_once(
    tmp_path: Path, extra: dict[str, object], names: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.js").write_text("")
    (tmp_path / "wrangler.json").write_text(json.dumps({"main": "a.js", **extra}))
    load_project(tmp_path)
    [record] = caplog.records
    assert record.getMessage().endswith(f"ignored, because durabox does not know them: {names}")


def test_class_that_no_migration_creates_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.js").write_text("export class A {}")
    (tmp_path / "wrangler.toml").write_text(
        'main = "a.js"\n[[durable_objects.bindings]]\nname = "A"\nclass_name = "A"\n'
        '[[migrations]]\ntag = "1"\nnew_classes = ["B", "C"]\n'
        '[[migrations]]\ntag = "2"\ndeleted_classes = ["C"]\nrenamed_classes = [{ from = "B", to = "D" }]'
    )
    load_project(tmp_path)
    [record] = caplog.records
    assert "no migration creates the class A of binding A" in record.getMessage()


BAD = {
    "name = 1": "name must be a string, not 1",
    'name = "a/b"': "name must consist of",
    'main = ""': "main",
    'main = "a.ts"': "TypeScript is not supported yet",
    "durable_objects = 3": "durable_objects must be a table, not 3",
    "durable_objects = { bindings = [1] }": "each entry of durable_objects.bindings must be a table",
    'durable_objects = { bindings = [{ name = "A" }] }': "needs a name and a class_name",
    'durable_objects = { bindings = [{ name = 1, class_name = "A" }] }': "name must be a string",
    'durable_objects = { bindings = [{ name = "A", class_name = "A" }, { name = "A", class_name = "B" }] }': "two bindings are named A",
    'durable_objects = { bindings = [{ name = "A", class_name = "A", script_name = "other" }] }': "classes of other scripts",
    'vars = { A = 1 }\ndurable_objects = { bindings = [{ name = "A", class_name = "A" }] }': "A is the name of two bindings or variables",
    "migrations = 1": "migrations must be a list",
    "migrations = [{ new_classes = [1] }]": "each entry of migrations.new_classes must be a string",
    'limits = { cpu_ms = "x" }': "limits.cpu_ms must be a whole number",
    "limits = { cpu_ms = true }": "limits.cpu_ms must be a whole number",
    "limits = { cpu_ms = 300001 }": "limits.cpu_ms must lie between 1 and 300000",
    "vars = 1": "vars must be a table",
    'rules = [{ type = "Wasm", globs = [] }]': "modules of type Wasm are not supported; supported: ESModule, Text, Data",
    'rules = [{ type = "Text", globs = "x" }]': "rules.globs must be a list",
    "compatibility_date = 2026": "compatibility_date must be a string",
    'compatibility_flags = "x"': "compatibility_flags must be a list",
}


@pytest.mark.parametrize("text", BAD)
def test_value_of_the_wrong_kind_is_named_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.js").write_text("")
    (tmp_path / "a.ts").write_text("")
    (tmp_path / "wrangler.toml").write_text(text if "main" in text else f'main = "a.js"\n{text}')
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'wrangler.toml'}: ")
    assert BAD[text] in str(caught.value)


async def test_link_does_not_lead_out_of_the_project(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "index.js").write_text("import text from './link.txt'; export class A {}")
    with pytest.raises(Exception, match=r'No such module "\./link\.txt"'):
        async with Host.open(folder):
            pass


SERVICES = """
name = "shop"
main = "main.js"
services = [
  { binding = "SELF", service = "shop" },
  { binding = "TILL", service = "shop", entrypoint = "Till", props = { open = true } },
]
"""
ENTRYPOINTS = """
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export class Till extends WorkerEntrypoint { state(q) { return [q, this.ctx.props]; } }
export class Shop extends DurableObject {
  async fetch() { return Response.json([await (await this.env.SELF.fetch("http://x/")).text(), await this.env.TILL.state(1)]); }
}
export default { fetch() { return new Response("front"); } };
"""


async def test_a_service_binding_leads_to_an_entrypoint_of_the_script_itself(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text(SERVICES)
    (tmp_path / "main.js").write_text(ENTRYPOINTS)
    assert await _ask(tmp_path, "Shop") == ["front", [1, {"open": True}]]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('service = "shop", entry', 'service = "other", entry'), "names the script other"),
        (('entrypoint = "Till"', 'entrypoint = "Tills"'), "the entrypoint Tills, which"),
        (('binding = "TILL"', 'binding = "SELF"'), "two service bindings are named SELF"),
        ((', service = "shop" },', " },"), "needs a binding and a service"),
    ],
)
async def test_a_service_binding_that_leads_nowhere_is_an_error(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    (tmp_path / "wrangler.toml").write_text(SERVICES.replace(*change))
    (tmp_path / "main.js").write_text(ENTRYPOINTS)
    with pytest.raises(ProjectError, match=complaint):
        async with Host.open(tmp_path):
            pass
