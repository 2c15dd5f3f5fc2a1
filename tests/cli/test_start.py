"""What a process loads before it is of use, and that nobody can tell what it has put off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import attr
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
    "attr.validators",
    "cryptography",
    "durabox.network.internet",
    "durabox.network.sockets",
    "durabox.objects.inventory",
    "durabox.project.wrangler",
    "durabox.server.inventory",
    "durabox.storage.portable",
    "durabox.storage.salvage",
    "idna.core",
    "importlib.metadata",
    "wasmtime",
}


@contextmanager
def counted(project: Path, folder: Path, of: str = "") -> Iterator[tuple[Server, set[str]]]:
    """A server without network, and the modules that it has imported when the block is over, or those of one class of loaders."""
    code = f"""
import atexit, sys
def is_of_it(module):
    return {of!r} in ("", type(getattr(getattr(module, "__spec__", None), "loader", None)).__name__)
atexit.register(lambda: print(*(name for name, module in sys.modules.items() if is_of_it(module)), file=sys.stderr))
"""
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


def test_the_next_start_has_what_it_imports_from_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with counted(COUNTER, folder, of="SourceFileLoader") as (_, modules):
            pass
    own = {"durabox", "durabox.cache_files", "durabox.cli", "durabox.cli.bundle"}
    assert {name for name in modules if name.startswith("durabox")} == own
    assert not modules & {"asyncio", "aiohttp", "aiohttp.web_protocol", "logging", "uvloop"}


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
    """What a new interpreter prints that runs this code after packages were placed as `serve` does it."""
    start = """
import sys
from importlib import import_module
from durabox.cli.late_package import place
from durabox.installed import version
place("aiohttp", __version__=lambda: version("aiohttp"))
place("attr", s=lambda: import_module("attr._make").attrs)
place("idna")
"""
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


@pytest.mark.parametrize(
    "code",
    [
        "import attr",
        "from attr import s",
        "import attrs",
        "from aiohttp import ClientSession",
        "import aiohttp.web_server; assert 'attr.validators' not in sys.modules",
    ],
)
def test_attrs_is_whole_for_whoever_asks(code: str) -> None:
    after = """
import attr, attr._make, attr.validators, types
number = attr.ib(validator=attr.validators.instance_of(int))
assert attr.s(type("Class", (), {"number": number}))(number=1).number == 1
assert type(attr) is types.ModuleType and sys.modules["attr"] is attr
assert (attr.s, attr.define) == (attr._make.attrs, attr._next_gen.define)
print(*sorted(attr.__all__))
"""
    assert python(f"{code}\n{after}").split() == sorted(attr.__all__)


def test_hosts_that_are_not_ascii_are_read_when_there_are_some() -> None:
    code = """
import aiohttp.web_server, yarl
print("idna.core" in sys.modules, yarl.URL("http://bücher.example/").raw_host, "idna.core" in sys.modules)
"""
    assert python(code).split() == ["False", "xn--bcher-kva.example", "True"]


def test_a_name_that_is_not_where_it_was_is_asked_of_the_package() -> None:
    code = """
place("email", message_from_string=lambda: import_module("email.nowhere").nothing)
place("json", loads=lambda: import_module("json.decoder").nothing)
import email, json
print(email.message_from_string.__module__, json.loads.__module__)
"""
    assert python(code).split() == ["email", "json"]


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


def test_a_package_that_is_not_there_is_missed_by_who_imports_it() -> None:
    code = """
place("no_such_package")
try:
    import no_such_package
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert python(code).strip() == "no_such_package"
