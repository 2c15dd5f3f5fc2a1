"""ES modules, driven directly; see rig.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.rig import Guest

IMPORT = "native.importModule('a')"


def imported(modules: dict[str, Any], expression: str = f"(await {IMPORT}).default") -> Any:
    return Guest(modules).value(f"(async () => {expression})()")


class TestGraphs:
    def test_a_graph_with_every_type_of_module(self) -> None:
        guest = Guest(
            {
                "main": "import { b } from './b'; import j from './j' with { type: 'json' }; import t from './t'; import d from './d';"
                "export default [b, j, t, [...new Uint8Array(d)], import.meta.url]",
                "b": "export const b = await Promise.resolve('late')",
                "j": ("json", b'{"x": [1]}'),
                "t": ("text", "hé".encode()),
                "d": ("data", b"\1\2"),
            }
        )
        assert guest.value("(await native.importModule('main')).default") == [
            "late",
            {"x": [1]},
            "hé",
            [1, 2],
            "file:///main",
        ]

    def test_cycles_see_each_other(self) -> None:
        guest = Guest(
            {
                "a": "import { b } from './b'; export function a() { return 'a' + b() }",
                "b": "import { a } from './a'; export function b() { return 'b' } export const later = () => a()",
            }
        )
        assert guest.value("(await native.importModule('b')).later()") == "ab"

    def test_dynamic_import_gives_the_one_instance(self) -> None:
        guest = Guest(
            {
                "a": "export let n = 0; export const up = () => ++n",
                "b": "export const a = await import('./a'); a.up()",
            }
        )
        assert guest.value(
            "(async () => { await native.importModule('b'); const x = await native.importModule('a'); return [x.n, (await native.importModule('b')).a === x] })()"
        ) == [1, True]

    def test_a_synthetic_module_hides_the_hosts(self) -> None:
        guest = Guest(
            {
                "cloudflare:workers": "export const env = 'host'",
                "a": "import { env } from 'cloudflare:workers'; export { env }",
            }
        )
        guest.run("native.defineModule('cloudflare:workers', { env: { X: 1 } })")
        assert guest.value("(await native.importModule('a')).env") == {"X": 1}
        assert (
            guest.value("native.defineModule('cloudflare:workers', {})")
            == "TypeError: module 'cloudflare:workers' is already defined"
        )

    def test_a_missing_export_of_a_synthetic_module_is_a_syntax_error(self) -> None:
        guest = Guest({"a": "import { nothing } from 'syn'"})
        guest.run("native.defineModule('syn', { something: 1 })")
        assert guest.value("native.importModule('a')").startswith("SyntaxError: ")

    @pytest.mark.parametrize(
        ("modules", "message", "place"),
        [
            (
                {"a": "import './bad'", "bad": "let x = 1;\nlet y = = 2;"},
                "SyntaxError: unexpected token",
                "bad:2:9",
            ),
            ({"a": "import './j'", "j": ("json", b'{"a":\n  1,}')}, "SyntaxError: ", "j:2:5"),
            ({"a": "\n  throw new Error('boom')"}, "Error: boom", "a:2:13"),
            (
                {"a": "function f(x) {\n  const y = x;\n  return y.z;\n}\nf(null)"},
                "TypeError: ",
                "f (a:3:10)",
            ),
            ({"a": "await 0;\nnope()"}, "ReferenceError: nope", "a:2:1"),
        ],
    )
    def test_errors_name_file_line_and_column(
        self, modules: dict[str, Any], message: str, place: str
    ) -> None:
        text = Guest(modules).value("native.importModule('a').catch((e) => `${e}\\n${e.stack}`)")
        assert text.startswith(message)
        assert place in text

    def test_a_module_that_does_not_exist_says_who_asked(self) -> None:
        assert (
            Guest({"a": "import './nope'"}).value("native.importModule('a')")
            == "Error: no module './nope', imported by 'a'"
        )
        assert Guest().value("native.importModule('nope')") == "Error: no module 'nope', imported by ''"

    def test_a_failed_graph_can_be_asked_for_again(self) -> None:
        guest = Guest({"a": "import './b'"})
        assert guest.value("native.importModule('a')").startswith("Error: no module './b'")
        guest.modules["b"] = "export {}"
        assert guest.value("native.importModule('a').then(() => 'ok')") == "ok"

    def test_import_attributes_other_than_type_are_refused(self) -> None:
        guest = Guest({"a": "import './a' with { mode: 'x' }"})
        assert (
            guest.value("native.importModule('a')") == "TypeError: import attribute 'mode' is not supported"
        )

    def test_sources_with_bytes_that_are_not_utf8_and_zeros_do_not_end_early(self) -> None:
        guest = Guest({"t": ("text", b"a\0b\xff")})
        assert guest.value("(await native.importModule('t')).default") == "a\0b\ufffd"

    def test_eval_module_gives_the_namespace_and_its_own_errors(self) -> None:
        guest = Guest({"dep": "export const n = 20"})
        assert (
            guest.value(
                "(await native.evalModule(`import { n } from 'dep'; export const m = await n + 1`, 'box.js')).m"
            )
            == 21
        )
        assert guest.value("native.evalModule('export let = 1', 'box2.js')").startswith("SyntaxError")
        assert (
            guest.value("native.evalModule('await 0; throw new RangeError(`r`)', 'box3.js')")
            == "RangeError: r"
        )
        assert guest.rejections == []


class TestEvaluation:
    def test_each_module_runs_once_dependencies_first(self) -> None:
        guest = Guest(
            {
                "a": "import './b'; import './c'; log('a')",
                "b": "import './d'; log('b')",
                "c": "import './d'; import './b'; log('c')",
                "d": "log('d')",
            }
        )
        guest.run("globalThis.log = report")
        assert guest.run("await native.importModule('a'); await native.importModule('c')") == [
            "d",
            "b",
            "c",
            "a",
        ]

    def test_siblings_of_one_that_awaits_go_on_and_importers_wait(self) -> None:
        guest = Guest(
            {
                "a": "import './slow'; import './fast'; log('a')",
                "slow": "log('slow begins'); await null; await null; log('slow ends')",
                "fast": "log('fast')",
            }
        )
        guest.run("globalThis.log = report")
        assert guest.run("await native.importModule('a')") == ["slow begins", "fast", "slow ends", "a"]

    def test_one_that_never_resolves_leaves_the_import_pending(self) -> None:
        guest = Guest({"a": "import './never'; export default 1", "never": "await new Promise(() => {})"})
        guest.run(f"globalThis.p = {IMPORT}; globalThis.q = native.importModule('never')")
        assert guest.value("[native.promiseState(p), native.promiseState(q)]") == [0, 0]

    @pytest.mark.parametrize(
        "how",
        [
            "throw new RangeError('x')",
            "await Promise.reject(new RangeError('x'))",
            "await 0; throw new RangeError('x')",
        ],
    )
    def test_a_failure_is_the_same_error_for_everybody_who_imports(self, how: str) -> None:
        guest = Guest({"a": "import './bad'", "b": "import './bad'", "bad": how})
        assert guest.value(
            "(async () => { const errors = []; for (const name of ['a', 'b', 'bad', 'a']) await native.importModule(name).catch((e) => errors.push(e));"
            " return [errors.length, errors.every((e) => e === errors[0]), String(errors[0])] })()"
        ) == [4, True, "RangeError: x"]
        assert guest.rejections == []

    def test_throwing_what_is_no_error_is_fine(self) -> None:
        assert Guest({"a": "throw 'text'"}).value(f"{IMPORT}.catch((e) => [typeof e, e])") == [
            "string",
            "text",
        ]


class TestBindings:
    def test_they_are_live(self) -> None:
        assert imported(
            {
                "a": "import { n, up } from './n'; const before = n; up(); export default [before, n]",
                "n": "export let n = 1; export function up() { n++ }",
            }
        ) == [1, 2]

    def test_imports_cannot_be_assigned_nor_namespaces_changed(self) -> None:
        assert imported(
            {
                "a": "import * as ns from './n'; const t = (f) => { try { f(); return 'done' } catch (e) { return e.name } };"
                "export default [t(() => { ns.n = 2 }), t(() => { delete ns.n }), t(() => { ns.more = 1 }), Object.isSealed(ns), Object.prototype.toString.call(ns), Object.getPrototypeOf(ns)]",
                "n": "export let n = 1",
            }
        ) == ["TypeError", "TypeError", "TypeError", True, "[object Module]", None]
        assert imported({"a": "import { n } from './n'; n = 2", "n": "export let n = 1"}).startswith(
            ("TypeError", "SyntaxError")
        )

    def test_a_cycle_that_is_read_too_early_is_a_reference_error(self) -> None:
        assert imported(
            {
                "a": "import { b } from './b'; export const a = 'a' + b",
                "b": "import { a } from './a'; export const b = 'b' + a",
            }
        ).startswith("ReferenceError: ")

    def test_a_module_may_import_itself(self) -> None:
        assert imported({"a": "import * as me from './a'; export const x = 1; export default me.x"}) == 1

    def test_what_two_star_exports_both_have_is_nobodys(self) -> None:
        modules = {
            "b": "export const both = 'b', one = 1; export default 'never passed on'",
            "c": "export const both = 'c', two = 2",
            "star": "export * from './b'; export * from './c'; export * as c from './c'",
        }
        assert imported({**modules, "a": "import * as s from './star'; export default Object.keys(s)"}) == [
            "c",
            "one",
            "two",
        ]
        text = imported({**modules, "a": "import { both } from './star'"})
        assert text.startswith("SyntaxError: ")
        assert "both" in text
        # An export of its own wins.
        assert (
            imported(
                {
                    **modules,
                    "star": modules["star"] + "; export const both = 'mine'",
                    "a": "export { both as default } from './star'",
                }
            )
            == "mine"
        )
        # The same binding by two ways is no conflict.
        assert (
            imported(
                {
                    "b": "export const x = 5",
                    "c": "export * from './b'",
                    "star": "export * from './b'; export * from './c'",
                    "a": "export { x as default } from './star'",
                }
            )
            == 5
        )

    def test_star_exports_in_a_circle_end(self) -> None:
        modules = {
            "b": "export * from './c'; export const b = 1",
            "c": "export * from './b'; export const c = 2",
        }
        assert imported({**modules, "a": "import * as s from './b'; export default Object.keys(s)"}) == [
            "b",
            "c",
        ]
        assert imported({**modules, "a": "import { nothing } from './b'"}).startswith("SyntaxError: ")


class TestSyntax:
    @pytest.mark.parametrize(
        "source",
        [
            "export const x = 1; export const x = 2", "export const x = 1; const y = 2; export { y as x }", "export default 1; export default 2", "export { missing }",
            "import x, { x } from './b'", "with ({}) {}", "var yield = 1", "export let await = 1", "let a = 08", "delete x", "return 1", "import.meta = 1",
            "if (1) { import './b' }", "new.target",
        ],
    )  # fmt: skip
    def test_what_no_module_may_say_is_a_syntax_error(self, source: str) -> None:
        assert imported({"a": source, "b": "export const x = 1; export default 2"}).startswith(
            "SyntaxError: "
        )

    def test_modules_are_strict_and_have_no_this(self) -> None:
        assert imported(
            {
                "a": "export default [this === undefined, (function () { return this === undefined })(), typeof arguments]"
            }
        ) == [True, True, "undefined"]

    def test_a_byte_order_mark_and_a_hashbang_are_skipped(self) -> None:
        assert imported({"a": "#!/usr/bin/env node\nexport default 1"}) == 1

    @pytest.mark.parametrize(
        ("source", "place"),
        [
            ("const x = 1;\nconst y = {;\n", "a:2:12"), ("let é = 1;\n\n  let 'x' = 2;", "a:3:7"), ("const s = 'unterminated", "a:1:11"), ("/* never closed", "a:1:1"),
            ("import { x from './b'", "a:1:12"), ("x =>\n=> 1", "a:2:1"), ("`${1}${`", "a:1:"), ("const a = 1;\r\nconst b = = 2;", "a:2:11"),
        ],
    )  # fmt: skip
    def test_errors_say_where(self, source: str, place: str) -> None:
        text = Guest({"a": source}).value(
            f"{IMPORT}.catch((e) => `${{e.name}}: ${{e.message}}\\n${{e.stack}}`)"
        )
        assert text.startswith("SyntaxError: ")
        assert place in text

    def test_stacks_name_function_file_line_and_column_of_each_frame(self) -> None:
        guest = Guest(
            {
                "a": "import { inner } from './lib/b';\nexport function outer() {\n  return inner(1);\n}\nclass K { method() { return outer(); } get prop() { return this.method(); } }\nexport default () => new K().prop;",
                "lib/b": "\n\nexport const inner = (x) => {\n  if (x) {\n    throw new Error('here');\n  }\n};",
            }
        )
        stack = guest.value(
            f"(async () => {{ try {{ (await {IMPORT}).default() }} catch (e) {{ return e.stack }} }})()"
        )
        frames = [line.strip() for line in stack.strip().split("\n")]
        assert frames[:6] == [
            "Error: here", "at inner (lib/b:5:15)", "at outer (a:3:10)", "at method (a:5:29)", "at get prop (a:5:65)", "at default (a:6:26)",
        ]  # fmt: skip


class TestDynamicImport:
    def test_failures_are_rejections(self) -> None:
        assert imported(
            {
                "a": "const name = (p) => p.then(() => 'fine', (e) => e.name); export default await Promise.all([name(import('./missing')), name(import('./syntax')), name(import('./throws')), name(import(Symbol())), name(import('./b'))])",
                "syntax": "let = ;", "throws": "throw new EvalError('x')", "b": "",
            }
        ) == ["Error", "SyntaxError", "EvalError", "TypeError", "fine"]  # fmt: skip

    def test_a_module_can_import_itself_and_its_importer_while_it_runs(self) -> None:
        assert (
            imported(
                {
                    "a": "import { later } from './b'; export const x = 1; export default await later()",
                    "b": "export const later = async () => 2 + typeof import('./a')",
                }
            )
            == "2object"
        )

    def test_attributes_choose_the_type(self) -> None:
        guest = Guest(
            {
                "a": "export default (await import('./j', { with: { type: 'json' } })).default.x",
                "j": ("json", b'{"x": [1]}'),
            }
        )
        assert guest.value(f"(async () => (await {IMPORT}).default)()") == [1]

    def test_meta_is_one_object_per_module_with_its_url(self) -> None:
        assert imported(
            {
                "a": "import b from './b'; export default [import.meta === import.meta, import.meta.url, b.url, b === import.meta, Object.getPrototypeOf(import.meta)]",
                "b": "export default import.meta",
            }
        ) == [True, "file:///a", "file:///b", False, None]


class TestOtherTypes:
    def test_text_and_data_have_only_a_default_export(self) -> None:
        assert imported(
            {
                "a": "import * as t from './t'; import * as d from './d'; export default [Object.keys(t), Object.keys(d), d.default instanceof ArrayBuffer]",
                "t": ("text", b"x"),
                "d": ("data", b""),
            }
        ) == [["default"], ["default"], True]

    @pytest.mark.parametrize("source", [b"", b"{", b"[1,]", b"undefined", b"{'a': 1}", b"1 2", b"\xff"])
    def test_malformed_json_is_a_syntax_error_of_that_file(self, source: bytes) -> None:
        text = Guest({"a": "import './j'", "j": ("json", source)}).value(
            f"{IMPORT}.catch((e) => `${{e.name}} ${{e.stack}}`)"
        )
        assert text.startswith("SyntaxError ")
        assert "j:1:" in text

    def test_a_json_key_named_proto_is_a_property(self) -> None:
        assert imported(
            {
                "a": "import j from './j'; export default [Object.keys(j), j.x]",
                "j": ("json", b'{"__proto__": {"x": 1}}'),
            }
        ) == [["__proto__"], None]
