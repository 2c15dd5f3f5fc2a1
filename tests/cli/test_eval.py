"""`durabox eval`: code in, JSON out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.served import PATIENCE, command, environment


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("[1, 2, 3].map((x) => x * x)", "[1,4,9]"),
        ("undefined", "null"),
        ("'é\\n'", '"é\\n"'),
        ("({ a: NaN, b: [Infinity, 1.5], c: -1n })", '{"a":null,"b":[null,1.5],"c":-1}'),
        ("new Uint8Array([1, 2])", "[1,2]"),
        ("new Date(0)", '"1970-01-01T00:00:00.000Z"'),
        ("const one = await Promise.resolve(1); one + 1", "2"),
    ],
)
def test_value_is_printed_as_json(run: Run, source: str, printed: str) -> None:
    ended = run("eval", "-", stdin=source)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, printed + "\n", "")
    json.loads(ended.stdout)


def test_file_is_evaluated_under_its_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.js").write_text("function f() {\n  throw new TypeError('no');\n}\nf()")
    ended = run("eval", tmp_path / "mine.js")
    assert (ended.returncode, ended.stdout) == (1, "")
    first, second, *_ = ended.stderr.splitlines()
    assert first == "durabox: TypeError: no"
    assert second.startswith("    at f (mine.js:2:")
    assert "durabox:" not in second


def test_arguments_are_variables(run: Run) -> None:
    ended = run("eval", "-", "--arg", "xs=[1, 2]", "--arg", 'o={"k": "="}', stdin="xs.length + o.k")
    assert ended.stdout == '"2="\n'


def test_module_prints_its_default_export_or_all(run: Run) -> None:
    assert run("eval", "--module", "-", stdin="export default 7; export const a = 1").stdout == "7\n"
    assert run("eval", "--module", "-", stdin="export const a = 1, b = [2]").stdout == '{"a":1,"b":[2]}\n'


def test_file_named_mjs_is_a_module(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.mjs").write_text("export default [1, 2]")
    assert run("eval", tmp_path / "mine.mjs").stdout == "[1,2]\n"


def test_console_is_on_stderr_and_cannot_steer_the_terminal(run: Run) -> None:
    ended = run("eval", "-", stdin="console.error('\\u001b[31mred\\u0007\\ttab\\nline'); 1")
    assert ended.stdout == "1\n"
    assert "error   sandbox: \\x1b[31mred\\x07\ttab\nline" in ended.stderr


@pytest.mark.parametrize(
    ("options", "source", "message"),
    [
        ([], "1 +", "SyntaxError: "),
        ([], "await new Promise(() => {})", "awaits a promise that nothing can settle"),
        ([], "() => 1", "DataCloneError: "),
        ([], "2n ** 70n", "a bigint of more than 64 bits"),
        (["--cpu", "50"], "for (;;);", "exceeded its cpu limit of 50 ms"),
        (["--wall", "50"], "await new Promise(() => setInterval(() => {}, 10))", "exceeded its wall limit of 50 ms"),
        (["--memory", "8"], "const a = []; for (;;) a.push([1, 2, 3])", "memory"),
        (["--memory", "1"], "1", "memory_mb is 1, but must lie between 4 and 1024."),
        (["--arg", "x"], "1", "--arg x: expected NAME=JSON"),
        (["--arg", "x={"], "1", "--arg x={: expected NAME=JSON"),
        (["--arg", "=1"], "1", "--arg =1: expected NAME=JSON"),
        (["--arg", "x=9007199254740993"], "1", "x is 9007199254740993"),
        ([], "import('node:fs')", 'No such module "node:fs"'),
    ],
)  # fmt: skip
def test_what_fails_is_one_clear_message(run: Run, options: list[str], source: str, message: str) -> None:
    ended = run("eval", "-", *options, stdin=source)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert ended.stderr.startswith("durabox: ")
    assert ended.stderr.count("durabox: ") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("gone.js", None, "No such file"), ("latin.js", b"\xff", "not UTF-8"), (".", None, "Is a directory")],
)
def test_file_that_cannot_be_read_is_named(
    run: Run, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = run("eval", tmp_path / name)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert str(tmp_path / name) in ended.stderr
    assert message in ended.stderr


def test_command_reads_a_pipe_and_writes_one() -> None:
    ended = subprocess.run(
        command("eval", "-"),
        env=environment(),
        input=b"6 * 7",
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == (b"42\n", b"")


def test_reader_that_leaves_early_is_no_error_worth_a_traceback() -> None:
    with subprocess.Popen(
        command("eval", "-"),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(b"'x'.repeat(1e6)")
        process.stdin.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr.read() == b""


def test_version_is_that_of_the_package(run: Run) -> None:
    ended = run("--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("durabox ")
