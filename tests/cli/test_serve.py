"""`durabox serve` as a process: one line when it is ready, one clear message when it cannot be, and a clean end."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.served import PATIENCE, Server, serve
from tests.walkthrough import EXAMPLES

COUNTER = EXAMPLES / "counter"
EDGE = Path(__file__).parents[1] / "server" / "edge.js"
GOOD = "export class A {}\n"

#: What is wrong → files, what is served, what the message says (as a regular expression).
WRONG: dict[str, tuple[dict[str, str], str, str]] = {
    "nothing there": ({}, "gone", r"gone: there is no such file or folder"),
    "empty folder": ({"p/x": ""}, "p", r"neither a configuration .* nor a main file"),
    "file of another kind": ({"a.txt": ""}, "a.txt", r"expected a \.js or \.mjs file"),
    "syntax error": (
        {"a.js": "export class A {\n  f() { return 1 +; }\n}\n"},
        "a.js",
        r"a\.js:2:19: SyntaxError: .*\n  1 \| export class A \{\n> 2 \|   f\(\) \{ return 1 \+; \}\n    \|                   \^\n  3 \| \}",
    ),
    "syntax error in an imported file": (
        {"p/index.js": 'import "./lib/b.js";', "p/lib/b.js": "\n\nlet b = ;\n"},
        "p",
        r"lib/b\.js:3:9: SyntaxError: .*\n(.*\n)*> 3 \| let b = ;\n    \|         \^",
    ),
    "missing module": (
        {"a.js": f'{GOOD}import {{ b }} from "./b.js";\n'},
        "a.js",
        r'a\.js:2:19: No such module "\./b\.js", imported from "a\.js"\.\n  1 .*\n> 2 .*\n    \|                   \^',
    ),
    "missing package": ({"a.js": "import 'left-pad';"}, "a.js", r'a\.js:1:8: No such module "left-pad"'),
    "missing built-in": ({"a.js": "import 'cloudflare:nothing';"}, "a.js", r'No such module "cloudflare:nothing"'),
    "import from outside": ({"p/index.js": "import '../b.js';", "b.js": ""}, "p", r"lies outside of the project"),
    "missing export": ({"a.js": "import { nope } from 'cloudflare:workers';"}, "a.js", r"SyntaxError: .*'nope'"),
    "throwing module": (
        {"a.js": "function f() {\n  throw new TypeError('at start');\n}\nf();\n"},
        "a.js",
        r"a\.js:2:\d+: TypeError: at start\n(.*\n)*> 2 ",
    ),
    "endless module": ({"a.js": "for (;;);"}, "a.js", r"exceeded its cpu limit of 3000 ms"),
    "waiting module": ({"a.js": "await new Promise(() => {});"}, "a.js", r"top-level await"),
    "file that is no text": ({"a.js": "\udcff"}, "a.js", r'"a\.js" is not UTF-8: bad byte at offset 0'),
    "bad TOML": ({"p/wrangler.toml": 'name = "x"\nmain = ?\n'}, "p", r"wrangler\.toml: .*line 2, column 8"),
    "bad JSON": ({"p/wrangler.json": '{\n  "name" "x"\n}'}, "p", r"wrangler\.json:2:10: "),
    "bad JSON with comments": ({"p/wrangler.jsonc": '{ // x\n /* y\n*/ "name": }'}, "p", r"wrangler\.jsonc:3:12: "),
    "configuration of another shape": ({"p/wrangler.json": "[]"}, "p", r"expected an object"),
    "no main": ({"p/wrangler.toml": 'name = "x"'}, "p", r"wrangler\.toml: main is missing"),
    "main that is not there": ({"p/wrangler.toml": 'main = "src/a.js"'}, "p", r"main names src/a\.js, which does not exist"),
    "main outside": ({"p/wrangler.toml": 'main = "../a.js"', "a.js": GOOD}, "p", r"main: .* lies outside of the project"),
    "class that is not exported": (
        {"p/wrangler.toml": 'main = "a.js"\n[[durable_objects.bindings]]\nname = "B"\nclass_name = "Gone"', "p/a.js": GOOD},
        "p",
        r"the binding B names the class Gone, which the main module does not export as a class\. Exported classes: A\.",
    ),
    "limit out of range": ({"p/wrangler.toml": 'main = "a.js"\nlimits = { cpu_ms = 0 }', "p/a.js": GOOD}, "p", r"limits\.cpu_ms must lie between 1 and"),
}  # fmt: skip


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_served_is_one_clear_message(run: Run, case: str, tmp_path: Path) -> None:
    files, path, message = WRONG[case]
    _write(tmp_path, files)
    ended = run("serve", tmp_path / path, "--port", "0", "--state", ":memory:")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.search(message, ended.stderr), ended.stderr
    assert ended.stderr.count("durabox: ") == 1
    assert "Traceback" not in ended.stderr
    assert "durabox:bindings" not in ended.stderr


def test_port_in_use_is_one_clear_message(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = run("serve", COUNTER, "--port", port, "--state", ":memory:")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"durabox: cannot listen on 127.0.0.1:{port}: the port is in use: stop what uses it, "
        "or choose another with --port (0 takes any free one)\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "203.0.113.1"], "this machine has no such address"),
        (["--host", "no.such.invalid"], "cannot listen on no.such.invalid:0: "),
        (["--state", ""], "--state is empty"),
        (["--admin-token", ""], "the admin token is empty"),
    ],
)
def test_option_that_cannot_work_is_one_clear_message(run: Run, options: list[str], message: str) -> None:
    ended = run("serve", COUNTER, "--port", "0", "--state", ":memory:", *options)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert message in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "65536"], "'65536' is not a port: expected 0 to 65535"),
        (["--port", "-1"], "--port"),
        (["--durability", "some"], "invalid choice: 'some'"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
        (["--prot", "1"], "unrecognized arguments: --prot"),
    ],
)
def test_bad_option_is_named(run: Run, options: list[str], message: str) -> None:
    ended = run("serve", COUNTER, *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_state_directory_that_cannot_be_is_one_clear_message(run: Run, place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = run("serve", COUNTER, "--port", "0", "--state", tmp_path / place)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert f"The state directory {tmp_path / place} cannot be used: " in ended.stderr


def test_readiness_is_one_line_on_stdout(tmp_path: Path) -> None:
    with serve(COUNTER, tmp_path / "state", log_file=tmp_path / "log") as server:
        assert server.stop() == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == b""


def test_unknown_keys_are_named_in_one_warning(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {"p/wrangler.toml": 'main = "a.js"\nzeta = 1\n[unknown]\nx = 1\n[[kv_namespaces]]\nbinding = "K"', "p/a.js": GOOD},
    )  # fmt: skip
    with serve(tmp_path / "p", tmp_path / "state", log_file=tmp_path / "log") as server:
        assert server.log.count("warning") == 1
        assert "ignored, because durabox does not know them: kv_namespaces, unknown, zeta" in server.log


def test_admin_surface_obeys_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(EDGE, tmp_path / "a", "--no-admin", log_file=tmp_path / "log") as server:
        assert b"worker" in server.request("GET", "/-/").body
    monkeypatch.setenv("DURABOX_ADMIN_TOKEN", "one two")
    with serve(EDGE, tmp_path / "c", log_file=tmp_path / "log") as server:
        assert server.request("GET", "/-/").status == 401
        assert server.request("GET", "/-/", headers={"Authorization": "Bearer one two"}).status == 200


def _in_background(server: Server, method: str, path: str) -> tuple[threading.Thread, list[int]]:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(server.request(method, path).status))
    thread.start()
    return thread, statuses


def _await(satisfied: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not satisfied():
        assert time.monotonic() < deadline
        time.sleep(0.01)


DRAINED = """
import { DurableObject } from "cloudflare:workers";
export class Slow extends DurableObject {
  async fetch(request) {
    if (new URL(request.url).pathname === "/count") return new Response(String(await this.ctx.storage.get("n") ?? 0));
    console.log("began");
    await scheduler.wait(300);
    await this.ctx.storage.put("n", 1);
    return new Response("done");
  }
}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_requests_end_and_their_writes_stay(number: signal.Signals, tmp_path: Path) -> None:
    _write(tmp_path, {"slow.js": DRAINED})
    with serve(tmp_path / "slow.js", tmp_path / "state", log_file=tmp_path / "log") as server:
        thread, statuses = _in_background(server, "GET", "/Slow/a/")
        _await(lambda: "began" in server.log)
        server.process.send_signal(number)
        thread.join()
        assert statuses == [200]
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.log
    with serve(tmp_path / "slow.js", tmp_path / "state", log_file=tmp_path / "log") as server:
        assert server.request("GET", "/Slow/a/count").text == "1"


def test_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with serve(EDGE, tmp_path / "state", "--log-level", "debug", log_file=tmp_path / "log") as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(b"GET /-/objects/Edge/a/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _await(lambda: "waiting" in server.request("GET", "/-/objects/Edge/a/state").text)
        server.process.terminate()
        _await(lambda: "a second signal" in server.log)
        server.process.terminate()
        assert server.process.wait(5) == 128 + signal.SIGTERM
        raw.close()


def test_upload_of_hundreds_of_megabytes_is_never_held_whole(tmp_path: Path) -> None:
    size, piece = 300 << 20, bytes(1 << 20)
    with serve(EDGE, tmp_path / "state", log_file=tmp_path / "log") as server:
        server.request("POST", "/via/a/count", bytes(1 << 20))
        before = _peak_memory(server)
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(
                f"POST /via/a/count HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            for _ in range(size >> 20):
                client.sendall(piece)
            answer = client.recv(10_000).decode()
        assert answer.endswith(f"\r\n\r\n{size}")
        assert _peak_memory(server) - before < 32 << 20


def _peak_memory(server: Server) -> int:
    """Bytes of memory that the process has had at most."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("peak memory is read from /proc")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10
