"""What a process loads before it is of use, and that nobody can tell what it has put off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.served import Server, environment, free_port, peer
from tests.walkthrough import EXAMPLES

COUNTER = EXAMPLES / "counter"
#: What `serve` does without until somebody needs it, each many modules or milliseconds.
PUT_OFF = {
    "aiohttp.client",
    "aiohttp.connector",
    "aiohttp.web",
    "aiohttp.web_ws",
    "cryptography",
    "durabox.network.internet",
    "durabox.network.sockets",
    "durabox.objects.inventory",
    "durabox.project.wrangler",
    "durabox.server.inventory",
    "durabox.storage.portable",
    "durabox.storage.salvage",
    "importlib.metadata",
    "wasmtime",
}


@contextmanager
def counted(project: Path, folder: Path) -> Iterator[tuple[Server, set[str]]]:
    """A server without network, and the modules that it has imported when the block is over."""
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    code += "from durabox.cli import main; main()"
    port, log = free_port(), folder / "log"
    command = [sys.executable, "-c", code, "serve", project, "--state", folder / "state", "--port", str(port)]
    modules: set[str] = set()
    with (
        log.open("wb") as stderr,
        peer(subprocess.Popen(command, env=environment(), stderr=stderr), port, log) as server,
    ):
        yield server, modules
        assert server.stop() == 0
        modules.update(server.log.split())


def test_a_server_has_answered_before_it_imports_what_it_does_not_need(tmp_path: Path) -> None:
    with counted(COUNTER / "src" / "index.js", tmp_path) as (server, modules):
        assert server.request("POST", "/increment?name=a").status == 200
        assert server.request("GET", "/-/objects/Counter/a/").text == "1\n"
    assert {"aiohttp.web_protocol", "durabox.server.app"} <= modules
    assert sorted(modules & PUT_OFF) == []


def test_a_server_without_network_never_imports_the_client(tmp_path: Path) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    with counted(EXAMPLES / "chat", tmp_path) as (server, modules):
        assert server.request("GET", "/-/").status == 200
        assert server.request("GET", "/-/api/classes").status == 200
        assert server.request("GET", "/lobby", headers=handshake).status == 101
    assert {"aiohttp.web_ws", "durabox.server.inventory"} <= modules
    assert not modules & {"aiohttp.client", "aiohttp.connector"}


def python(code: str) -> str:
    """What a new interpreter prints that runs this code after ``place("aiohttp")``."""
    start = "import sys\nfrom durabox.cli.late_package import place\nplace('aiohttp')\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + code],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


ALONE = """
import aiohttp.web_server
from aiohttp import hdrs, payload
from aiohttp.http import SERVER_SOFTWARE
assert "aiohttp.client" not in sys.modules
"""


@pytest.mark.parametrize(
    "code",
    [
        "import aiohttp; print(aiohttp.ClientSession.__module__)",
        f"{ALONE}from aiohttp import ClientSession; print(ClientSession.__module__)",
        f"{ALONE}from aiohttp import *; print(ClientSession.__module__)",
        "import aiohttp.client; print(aiohttp.ClientSession.__module__)",
        "from aiohttp import web; import aiohttp; print(aiohttp.ClientSession.__module__)",
    ],
    ids=["import", "one name", "all names", "a module of it", "another module of it"],
)
def test_a_late_package_is_whole_for_whoever_asks(code: str) -> None:
    after = """
import aiohttp, types
assert type(aiohttp) is types.ModuleType and sys.modules["aiohttp"] is aiohttp
print(aiohttp.__version__, *sorted(aiohttp.__all__))
"""
    module, _, names = python(code + after).partition("\n")
    assert module == "aiohttp.client"
    assert names.split() == [aiohttp.__version__, *sorted(aiohttp.__all__)]


def test_a_late_package_has_its_version_and_misses_what_the_package_misses() -> None:
    code = "import aiohttp; print(aiohttp.__version__, *(hasattr(aiohttp, name) for name in ('nothing', '__nothing__', 'no.thing')))"
    assert python(code).split() == [aiohttp.__version__, "False", "False", "False"]


def test_threads_that_ask_at_once_all_find_it_whole() -> None:
    code = """
import aiohttp, concurrent.futures, threading
barrier = threading.Barrier(8)
def ask(n):
    barrier.wait()
    return aiohttp.ClientSession.__name__
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(set(pool.map(ask, range(8))))
"""
    assert python(code).strip() == "{'ClientSession'}"


def test_a_package_that_was_imported_already_stays_as_it_is() -> None:
    code = "import json; place('json'); import json as again; print(json is again, type(json).__name__)"
    assert python(code).split() == ["True", "module"]


def test_a_package_that_is_not_there_is_missed() -> None:
    code = """
try:
    place("no_such_package")
except ModuleNotFoundError as error:
    print(error.name, "no_such_package" in sys.modules)
"""
    assert python(code).split() == ["no_such_package", "False"]
