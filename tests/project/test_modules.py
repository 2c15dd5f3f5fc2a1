"""Where imports lead: the rules of Node and of wrangler's bundler, and never out of the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durabox import Host
from durabox.errors import DuraboxError
from durabox.project.modules import CommonJSError, MissingModuleError, Modules, UnusableImportError


def _write(folder: Path, files: dict[str, str | dict[str, Any]]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def _package(manifest: dict[str, Any], *files: str, name: str = "p") -> dict[str, str | dict[str, Any]]:
    """Files of a package."""
    base = f"node_modules/{name}"
    return {
        f"{base}/package.json": {"name": name, **manifest},
        **{f"{base}/{file}": "export {}" for file in files},
    }


def _leads(folder: Path, specifier: str, referrer: str = "src/index.js") -> str:
    return Modules(folder).resolve(specifier, referrer).removeprefix("node_modules/p/")


NESTED = {
    ".": {
        "node": "./node.js",
        "workerd": {"require": "./a.cjs", "import": {"types": "./a.d.ts", "default": "./a.js"}},
        "default": "./b.js",
    }
}


@pytest.mark.parametrize(
    ("exports", "specifier", "expected"),
    [
        ("./a.js", "p", "a.js"),
        ({"import": "./a.js", "require": "./b.js"}, "p", "a.js"),
        # The first condition that holds counts, not the most special one.
        ({"default": "./b.js", "workerd": "./a.js"}, "p", "b.js"),
        ({"browser": "./b.js", "workerd": "./a.js"}, "p", "b.js"),
        ({"node": "./a.js", "worker": "./b.js"}, "p", "b.js"),
        (NESTED, "p", "a.js"),
        # A condition that holds but has nothing for us: the next one.
        ({".": {"workerd": {"require": "./a.js"}, "default": "./b.js"}}, "p", "b.js"),
        ({".": ["a.js", "./b.js"]}, "p", "b.js"),
        ({".": [None, "./b.js"]}, "p", "b.js"),
        ({".": [{"node": "./a.js"}, "./b.js"]}, "p", "b.js"),
        ({"./x": "./a.js"}, "p/x", "a.js"),
        ({"./*": "./lib/*.js"}, "p/one", "lib/one.js"),
        ({"./*": "./lib/*.js"}, "p/deep/two", "lib/deep/two.js"),
        ({"./*.js": "./lib/*.js", "./*": "./none/*"}, "p/one.js", "lib/one.js"),
        ({"./*": "./none/*.js", "./deep/*": "./lib/deep/*.js"}, "p/deep/two", "lib/deep/two.js"),
        ({"./*": "./lib/*/*.js"}, "p/same", "lib/same/same.js"),
        ({"./*": {"import": "./lib/*.js"}}, "p/one", "lib/one.js"),
    ],
)
def test_exports_decide(tmp_path: Path, exports: object, specifier: str, expected: str) -> None:
    files = ("a.js", "b.js", "lib/one.js", "lib/deep/two.js", "lib/same/same.js")
    _write(tmp_path, _package({"exports": exports, "main": "./never.js"}, *files))
    assert _leads(tmp_path, specifier) == expected


@pytest.mark.parametrize(
    ("exports", "specifier", "message"),
    [
        ({".": "./a.js"}, "p/a.js", 'The package "p" exports no ./a.js'),
        ({"./x": "./a.js"}, "p", 'The package "p" exports no main module'),
        ({"node": "./a.js"}, "p", "exports no main module under the conditions that apply here"),
        ({"./*": "./*", "./private/*": None}, "p/private/a.js", "exports no ./private/a.js"),
        ({"workerd": None, "default": "./a.js"}, "p", "exports no main module"),
        ({"./*": "./*.js"}, "p/", "exports no"),
        ("a.js", "p", 'the target "a.js" must begin with "./"'),
        ("./../../src/index.js", "p", "leads astray"),
        ("./node_modules/q/a.js", "p", "leads astray"),
        ({"./*": "./lib/*"}, "p/../../../src/index.js", "leads astray"),
        ({"./*": "./lib/*"}, "p/%2e%2E/x", "leads astray"),
        (7, "p", "7 is no target"),
        # No ending is added to what a manifest names.
        ("./a", "p", 'No such module "p"'),
    ],
)
def test_what_is_not_exported_cannot_be_imported(
    tmp_path: Path, exports: object, specifier: str, message: str
) -> None:
    _write(tmp_path, _package({"exports": exports}, "a.js", "private/a.js"))
    with pytest.raises(UnusableImportError, match=message.replace(".", r"\.")):
        _leads(tmp_path, specifier)


@pytest.mark.parametrize(
    ("manifest", "specifier", "expected"),
    [
        ({"module": "m.js", "main": "a.js"}, "p", "m.js"),
        ({"browser": "b.js", "module": "m.js"}, "p", "b.js"),
        ({"browser": "umd.js", "module": "m.js"}, "p", "m.js"),
        ({"main": "./lib"}, "p", "lib/index.js"),
        ({"main": "a"}, "p", "a.js"),
        ({"main": "gone.js"}, "p", "index.js"),
        ({}, "p", "index.js"),
        ({}, "p/a", "a.js"),
        ({}, "p/lib", "lib/index.js"),
        ({}, "p/lib/", "lib/index.js"),
        ({}, "p/sub", "sub/inner.mjs"),
        ({"browser": {"./a.js": "./b.js"}}, "p/a", "b.js"),
        ({"main": "a.js", "browser": {"./a.js": "./b.js"}}, "p", "b.js"),
        ({"main": "a", "browser": {"a": "./b"}}, "p", "b.js"),
    ],
)
def test_packages_without_exports(
    tmp_path: Path, manifest: dict[str, Any], specifier: str, expected: str
) -> None:
    _write(tmp_path, _package(manifest, "a.js", "b.js", "m.js", "index.js", "lib/index.js", "sub/inner.mjs"))
    _write(
        tmp_path / "node_modules/p",
        {"umd.js": "module.exports = {}", "sub/package.json": {"module": "inner.mjs"}},
    )
    assert _leads(tmp_path, specifier) == expected


async def test_browser_map_replaces_modules_inside_of_its_package(tmp_path: Path) -> None:
    _write(tmp_path, _package({"browser": {"./node.js": "./web.js", "fs": False, "q": "./mine.js"}}, "x.js"))
    _write(tmp_path, _package({"main": "a.js"}, "a.js", name="q"))
    _write(
        tmp_path,
        {
            "node_modules/p/index.js": 'import fs from "fs"; import side from "./node"; import q from "q"; export default { fs, side, q };',
            "node_modules/p/web.js": "export default 'web';",
            "node_modules/p/node.js": "export default 'node';",
            "node_modules/p/mine.js": "export default 'mine';",
            "index.js": """
                import p from "p";
                import q from "q";
                import { DurableObject } from "cloudflare:workers";
                export class A extends DurableObject { fetch() { return Response.json(p); } }
            """,
            "node_modules/q/a.js": "export default 'q';",
        },
    )
    async with Host.open(tmp_path) as host:
        answer = await host.namespace("A").get_by_name("a").fetch("/")
        assert await answer.json() == {"fs": {}, "side": "web", "q": "mine"}


def test_names_that_a_package_has_for_itself(tmp_path: Path) -> None:
    imports = {
        "#env": {"node": "./node.js", "default": "./web.js"},
        "#lib/*": "./lib/*.js",
        "#dep": "q/sub",
        "#out": "../../src/index.js",
    }
    _write(tmp_path, _package({"imports": imports, "exports": {"./x": "./lib/x.js"}}, "web.js", "lib/x.js"))
    _write(tmp_path, _package({"exports": {"./sub": "./s.js"}}, "s.js", name="q"))
    _write(tmp_path, {"package.json": {"imports": {"#own": "./src/own.js"}}, "src/own.js": ""})
    inside = "node_modules/p/lib/y.js"
    assert _leads(tmp_path, "#env", inside) == "web.js"
    assert _leads(tmp_path, "#lib/x", inside) == "lib/x.js"
    assert _leads(tmp_path, "#dep", inside) == "node_modules/q/s.js"
    assert _leads(tmp_path, "p/x", inside) == "lib/x.js"
    assert _leads(tmp_path, "#own") == "src/own.js"
    for specifier, referrer in (
        ("#own", inside),
        ("#lib/none", inside),
        ("#env", "src/index.js"),
        ("#", inside),
    ):
        with pytest.raises(MissingModuleError, match="No such module"):
            _leads(tmp_path, specifier, referrer)
    with pytest.raises(UnusableImportError, match=r'must begin with "\./"'):
        _leads(tmp_path, "#out", inside)


def test_the_nearest_package_of_a_name_is_meant(tmp_path: Path) -> None:
    _write(tmp_path, _package({}, "index.js", "node_modules/q/index.js", "node_modules/q/package.json"))
    _write(tmp_path, {"node_modules/p/node_modules/q/package.json": "{}"})
    _write(tmp_path, _package({}, "index.js", name="q"))
    _write(tmp_path, _package({}, "index.js", name="@s/q"))
    assert _leads(tmp_path, "q", "node_modules/p/lib/a.js") == "node_modules/q/index.js"
    assert _leads(tmp_path, "q") == "node_modules/q/index.js"
    assert Modules(tmp_path).resolve("q", "src/index.js") == "node_modules/q/index.js"
    assert _leads(tmp_path, "@s/q") == "node_modules/@s/q/index.js"


@pytest.mark.parametrize("linked", ["package", "folder"])
def test_linked_packages_find_what_is_installed_beside_them(tmp_path: Path, linked: str) -> None:
    project, store = tmp_path / "project", tmp_path / "elsewhere/node_modules"
    base = {"package": ".pnpm/p@1/node_modules/p", "folder": "p"}[linked]
    beside = {"package": ".pnpm/q@2/node_modules/q", "folder": "q"}[linked]
    _write(
        store,
        {f"{base}/index.js": "", f"{beside}/index.js": "", "../secret.txt": "", f"{base}/package.json": "{}"},
    )
    _write(project, {"src/index.js": ""})
    if linked == "package":
        (project / "node_modules").mkdir()
        (project / "node_modules/p").symlink_to(store / base)
        (store / ".pnpm/p@1/node_modules/q").symlink_to("../../q@2/node_modules/q")
    else:
        (project / "node_modules").symlink_to(store)
    modules = Modules(project)
    name = modules.resolve("p", "src/index.js")
    assert str(tmp_path) not in name
    assert name.startswith("node_modules/")
    assert modules.resolve("./index", name) == name
    other = modules.resolve("q", name)
    assert modules.source(other) == b""
    assert modules.resolve("../q", name) == other
    for specifier, referrer in (
        ("../" * name.count("/") + "../secret.txt", name),
        ("./" + "../" * (name.count("/") - 1) + "secret.txt", name),
        ("p/../../secret.txt", "src/index.js"),
        ("../node_modules/../../elsewhere/secret.txt", "src/index.js"),
    ):
        with pytest.raises(UnusableImportError):
            modules.resolve(specifier, referrer)


def test_links_in_packages_do_not_lead_out(tmp_path: Path) -> None:
    _write(tmp_path, {"secret.txt": "x", "project/node_modules/p/package.json": {"exports": "./out.txt"}})
    (tmp_path / "project/node_modules/p/out.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "project/folder").symlink_to(tmp_path)
    for specifier in ("p", "./node_modules/p/out.txt", "./folder/secret.txt"):
        with pytest.raises(MissingModuleError):
            Modules(tmp_path / "project").resolve(specifier, "index.js")


@pytest.mark.parametrize(
    "specifier", ["", ".hidden", "@", "@s", "p\0", "..%2f", "p\\..\\q", "@s/", "a" * 5000]
)
def test_odd_names_are_no_packages(tmp_path: Path, specifier: str) -> None:
    _write(tmp_path, _package({}, "index.js", name=".hidden"))
    with pytest.raises(MissingModuleError):
        _leads(tmp_path, specifier)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("index.js", "module.exports = 1"),
        ("index.js", "/* import x from 'y' */\n// export {}\nexports.a = require('b')"),
        ("index.js", '"use strict";Object.defineProperty(exports,"__esModule",{value:!0});'),
        ("index.cjs", "export {}"),
    ],
)
async def test_packages_of_commonjs_are_named_with_the_cure(tmp_path: Path, file: str, source: str) -> None:
    _write(tmp_path, _package({"main": file}))
    _write(
        tmp_path, {f"node_modules/p/{file}": source, "index.js": 'export const a = 1;\nimport p from "p";'}
    )
    with pytest.raises(
        CommonJSError, match=f'The package "p" is not an ES module but CommonJS .*{file}.*esbuild'
    ):
        _leads(tmp_path, "p", "index.js")
    with pytest.raises(DuraboxError, match=r"index\.js:2:15: .*--bundle --format=esm"):
        async with Host.open(tmp_path):
            pass


@pytest.mark.parametrize(
    "source",
    [
        "export default 1; // module.exports",
        "var a=require_x();export{a as default}",
        "globalThis.a = 1",
        "import'./b.js'",
    ],
)
def test_es_modules_without_a_type_are_told_apart(tmp_path: Path, source: str) -> None:
    _write(tmp_path, _package({"main": "index.js"}))
    _write(tmp_path, {"node_modules/p/index.js": source})
    assert _leads(tmp_path, "p") == "index.js"


@pytest.mark.parametrize("manifest", ["[]", "{", "\xff", "[" * 100_000])
def test_a_damaged_manifest_is_named(tmp_path: Path, manifest: str) -> None:
    _write(tmp_path, {"node_modules/p/package.json": manifest})
    with pytest.raises(UnusableImportError, match=r"node_modules/p/package\.json"):
        _leads(tmp_path, "p")
