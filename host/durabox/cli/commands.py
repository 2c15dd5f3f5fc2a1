"""``durabox serve``, ``eval`` and ``objects``. What a command needs is imported when it runs, so that it starts fast."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from durabox.cli import late_package
from durabox.errors import DuraboxError, JavaScriptError
from durabox.installed import version

#: Where `serve` keeps state unless told otherwise, inside the project's folder.
STATE_FOLDER: Final = Path(".durabox") / "state"
#: Environment variable that holds the admin token, where arguments can be seen by other users.
ADMIN_TOKEN: Final = "DURABOX_ADMIN_TOKEN"

#: `serve --allow-net` without a host.
PUBLIC: Final = ""

_LOG_LEVELS: Final = ("debug", "info", "warning", "error")


#: Control characters but tab and newline: what guests write must not steer the terminal.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


class _Format(logging.Formatter):
    """``12:34:56.789 info  COUNTER/5f3a… message``: the object only on lines that one wrote."""

    def format(self, record: logging.LogRecord) -> str:
        time = f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03d}"
        source = getattr(record, "object", None) or record.name
        text = record.getMessage().translate(_CONTROL)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{time} {record.levelname.lower():7} {source}: {text}"


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    logger = logging.getLogger("durabox")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        import asyncio

        asyncio.run(work)
    else:
        uvloop.run(work)


def _meanwhile(work: Callable[[], object]) -> None:
    """Do what takes long in a thread, while this one does the rest."""
    threading.Thread(target=work, name="durabox-start", daemon=True).start()


def _collect_seldom() -> None:
    """
    Look for cyclic garbage at long intervals, and never among what the start has made.

    Nearly everything here is freed by counting; a collection goes over every live object for nothing.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def _serve(options: argparse.Namespace) -> None:
    # Its modules say who they are in what they send, are made with nothing of attrs but `attr.s`, and seldom see a host's
    # name that is not ASCII.
    late_package.place("aiohttp", __version__=lambda: version("aiohttp"))
    late_package.place("attr", s=lambda: importlib.import_module("attr._make").attrs)
    late_package.place("idna")
    from durabox.engine.engine import Engine

    def load_engine() -> None:
        with contextlib.suppress(DuraboxError):  # who needs the engine gets the error
            Engine.shared()

    # Mostly Wasmtime's work and the kernel's. What is Python's stays in one thread: two that import wait for each other
    # longer than one takes.
    _meanwhile(load_engine)
    from durabox.objects.host import Host
    from durabox.server.admin import Admin
    from durabox.server.app import Address, Application
    from durabox.server.app import serve as run_server
    from durabox.storage.durability import Durability
    from durabox.storage.history.retention import Retention

    _log_to_stderr(options.log_level)
    path: Path = options.path
    folder = path if path.is_dir() else path.parent
    state: str = getattr(options, "state", str(folder / STATE_FOLDER))
    if not state:
        raise DuraboxError("--state is empty: name a directory, or :memory:")
    token: str | None = os.environ.get(ADMIN_TOKEN) if options.admin_token is None else options.admin_token
    if token == "":
        raise DuraboxError(
            f"the admin token is empty: give --admin-token or {ADMIN_TOKEN} a value, or neither"
        )

    try:
        history = Retention.parse(options.history)
    except ValueError as error:
        raise DuraboxError(f"--history: {error}") from None

    allowed: list[str] = options.allow_net

    def started() -> None:
        # No daemon: a process that ends at once leaves nothing half done.
        threading.Thread(target=options.started, name="durabox-started").start()
        if allowed:
            from durabox.network.internet import load_client

            _meanwhile(load_client)

    async def work() -> None:
        durability = Durability(options.durability)
        async with AsyncExitStack() as stack:
            network = None
            if allowed:
                from durabox.network.internet import Internet

                named = [server for server in allowed if server != PUBLIC]
                network = await stack.enter_async_context(Internet(public=PUBLIC in allowed, named=named))
            opened = await stack.enter_async_context(
                Host.open(
                    path, state, durability=durability, history=history, network=network, dev=options.dev
                )
            )
            admin = Admin(opened, token=token) if options.admin else None
            application = Application(opened, admin=admin, dev=options.dev)
            _collect_seldom()
            await run_server(application, Address(options.host, options.port), started)

    _run(work())


def _evaluate(options: argparse.Namespace) -> None:
    gc.enable()
    from durabox.limits import Limits
    from durabox.sandbox import Sandbox

    _log_to_stderr("info")
    file: str = options.file
    limits = Limits(memory_mb=options.memory, cpu_ms=options.cpu, wall_ms=options.wall)
    variables = {}
    for text in options.arg:
        name, equals, value = text.partition("=")
        try:
            variables[name] = json.loads(value) if equals else None
        except ValueError:
            equals = ""
        if not (equals and name):
            raise DuraboxError(f"--arg {text}: expected NAME=JSON, such as --arg 'xs=[1, 2]'")
    try:
        source = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DuraboxError(f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    name = "stdin" if file == "-" else Path(file).name

    async def work() -> None:
        async with Sandbox(limits=limits) as box:
            if options.module or file.endswith(".mjs"):
                exports = await box.eval_module(source, name, **variables)
                value = exports.get("default", exports)
            else:
                value = await box.eval(source, name, **variables)
            print(json.dumps(_as_json(value), ensure_ascii=False, separators=(",", ":")))

    _run(work())


def _objects(options: argparse.Namespace) -> None:
    gc.enable()
    from durabox.cli.objects import run

    _log_to_stderr("warning")
    run(options.arguments, STATE_FOLDER, ADMIN_TOKEN)


def _as_json(value: Any) -> Any:
    """A plain value as JSON has it: bytes as numbers, and like JavaScript no number but finite ones."""
    match value:
        case bytes():
            return list(value)
        case float() if not math.isfinite(value):
            return None
        case list():
            return [_as_json(item) for item in value]
        case dict():
            return {key: _as_json(item) for key, item in value.items()}
    return value


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expected 0 to 65535")
    return int(text)


class _Version(argparse.Action):
    """``--version``: looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"durabox {version('durabox')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    # argparse, because it is there at once: a richer library would take a fifth of the time in which `serve` starts.
    parser = argparse.ArgumentParser(
        prog="durabox", description="Run JavaScript Durable Objects on this machine.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], description: str) -> Callable[..., Any]:
        made = commands.add_parser(
            name,
            help=description,
            description=description,
            allow_abbrev=False,
        )
        made.set_defaults(run=run)
        return made.add_argument

    add = command("serve", _serve, "Serve a project over HTTP.")
    add("path", type=Path, help="a .js or .mjs file, or a folder with wrangler.toml, .json or .jsonc")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=_port,
        default=8787,
        help="port to listen on; 0 takes any free one (default: %(default)s)",
    )
    add(
        "--state",
        default=argparse.SUPPRESS,
        help="state directory, or :memory: for none on disk (default: .durabox/state in the project)",
    )
    add(
        "--durability",
        choices=("full", "normal", "off"),
        default="full",
        help="what an answer promises about its writes (default: %(default)s)",
    )
    add(
        "--history",
        default="30d,1GB",
        metavar="AGE,SIZE",
        help="how much of each object's past is kept for point-in-time recovery: 30d, 500MB, both, or off (default: %(default)s)",
    )
    add(
        "--allow-net",
        nargs="?",
        action="append",
        default=[],
        const=PUBLIC,
        metavar="HOST[:PORT]",
        help="classes may connect to other servers: without a value to public addresses, with one to that server, "
        "whatever its address; may be repeated (default: none)",
    )
    add(
        "--log-level",
        choices=_LOG_LEVELS,
        default="info",
        help="what is logged to stderr (default: %(default)s)",
    )
    add(
        "--admin",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the admin surface and the object endpoints under /-/",
    )
    add(
        "--admin-token",
        default=None,
        metavar="TOKEN",
        help=f"what clients of /-/ must send as bearer token, from wherever (default: ${ADMIN_TOKEN}; "
        "without one, /-/ is for clients on this machine)",
    )
    add(
        "--dev",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="answers to failed requests carry the JavaScript stack, and so do errors from one object to another",
    )

    add = command("eval", _evaluate, "Evaluate JavaScript that is not trusted, and print its value as JSON.")
    add("file", help="file with an expression, script or module; - reads stdin")
    add(
        "--module",
        action="store_true",
        help="it is an ES module, as a file .mjs is without this; prints its default export, or all without one",
    )
    add(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a variable for the code; may be repeated",
    )
    add("--memory", type=int, default=128, help="memory limit in MiB (default: %(default)s)")
    add(
        "--cpu",
        type=float,
        default=1000.0,
        help="processor time limit in milliseconds (default: %(default)s)",
    )
    add("--wall", type=float, default=10_000.0, help="time limit in milliseconds (default: %(default)s)")

    # Its own commands are made when they are needed.
    made = commands.add_parser(
        "objects",
        help="See and change objects from outside.",
        add_help=False,
        # Nothing is an option here, --help neither.
        prefix_chars="\0",
    )
    made.set_defaults(run=_objects)
    made.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def run(started: Callable[[], None] = lambda: None) -> None:
    """
    Run the command that the process's arguments name. Errors become one message and an exit code, never a traceback.

    Args:
        started: Called, in a thread, by a command that goes on and on, when it has imported what it needs to begin with.
    """
    options = _parser().parse_args()
    options.started = started
    try:
        options.run(options)
        sys.stdout.flush()
    except JavaScriptError as error:
        sys.exit(f"durabox: {error.trace}")
    except DuraboxError as error:
        sys.exit(f"durabox: {error}")
    except BrokenPipeError:
        # Whoever read the output has enough of it; Python must not try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
