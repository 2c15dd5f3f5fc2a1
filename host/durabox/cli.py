"""``durabox serve`` and ``durabox eval``. What a command needs is imported when it runs, so that it starts fast."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from durabox.errors import DuraboxError

app = typer.Typer(
    name="durabox",
    help="Run JavaScript Durable Objects on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

#: Where `serve` keeps state unless told otherwise, inside the project's folder.
STATE_FOLDER = Path(".durabox") / "state"


class LogLevel(StrEnum):
    """What is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class DurabilityName(StrEnum):
    """See `durabox.storage.database.Durability`."""

    FULL = "full"
    NORMAL = "normal"
    OFF = "off"


class _Format(logging.Formatter):
    """``12:34:56.789 info  COUNTER/5f3a… message``: the object only on lines that one wrote."""

    def format(self, record: logging.LogRecord) -> str:
        time = f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03d}"
        source = getattr(record, "object", None) or record.name
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{time} {record.levelname.lower():7} {source}: {text}"


def _log_to_stderr(level: LogLevel) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    logger = logging.getLogger("durabox")
    logger.addHandler(handler)
    logger.setLevel(level.name)
    logger.propagate = False


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"durabox {version('durabox')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run JavaScript Durable Objects on this machine."""


@app.command()
def serve(
    path: Annotated[
        Path, typer.Argument(help="A .js or .mjs file, or a folder with wrangler.toml, .json or .jsonc.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 8787,
    state: Annotated[
        str | None,
        typer.Option(
            help="State directory, or :memory: for none on disk.",
            show_default=".durabox/state in the project",
        ),
    ] = None,
    durability: Annotated[
        DurabilityName, typer.Option(help="What an answer promises about its writes.")
    ] = DurabilityName.FULL,
    log_level: Annotated[LogLevel, typer.Option(help="What is logged to stderr.")] = LogLevel.INFO,
    admin: Annotated[
        bool, typer.Option(help="Object endpoints and status under /-/, for this machine only.")
    ] = True,
    dev: Annotated[bool, typer.Option(help="Answers to failed requests carry the JavaScript stack.")] = False,
) -> None:
    """Serve a project over HTTP."""
    from durabox.objects.host import Host
    from durabox.server.app import Address, Application
    from durabox.server.app import serve as run_server
    from durabox.storage.database import Durability

    _log_to_stderr(log_level)
    folder = path if path.is_dir() else path.parent
    where = state if state is not None else str(folder / STATE_FOLDER)

    async def work() -> None:
        async with Host.open(path, where, durability=Durability(durability.value), dev=dev) as opened:
            await run_server(Application(opened, admin=admin, dev=dev), Address(host, port))

    _run(work())


@app.command("eval")
def evaluate(
    file: Annotated[str, typer.Argument(help="File with an expression, script or module; - reads stdin.")],
    module: Annotated[
        bool, typer.Option("--module", help="It is an ES module; prints its default export.")
    ] = False,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=JSON", help="A variable for the code; may be repeated.")
    ] = None,
    memory: Annotated[int, typer.Option(min=4, max=1024, help="Memory limit in MiB.")] = 128,
    cpu: Annotated[float, typer.Option(min=1, help="Processor time limit in milliseconds.")] = 1000,
    wall: Annotated[float, typer.Option(min=1, help="Time limit in milliseconds.")] = 10_000,
) -> None:
    """Evaluate JavaScript that is not trusted, and print its value as JSON."""
    from durabox.limits import Limits
    from durabox.sandbox import Sandbox

    _log_to_stderr(LogLevel.INFO)
    variables = {}
    for text in arg or []:
        name, equals, value = text.partition("=")
        try:
            variables[name] = json.loads(value) if equals else None
        except ValueError:
            equals = ""
        if not equals:
            raise DuraboxError(f"--arg {text}: expected NAME=JSON, such as --arg 'xs=[1, 2]'")
    try:
        source = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DuraboxError(f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    name = "stdin" if file == "-" else Path(file).name

    async def work() -> None:
        async with Sandbox(limits=Limits(memory_mb=memory, cpu_ms=cpu, wall_ms=wall)) as box:
            if module:
                value = (await box.eval_module(source, name, **variables)).get("default")
            else:
                value = await box.eval(source, name, **variables)
            print(json.dumps(value, ensure_ascii=False, default=_readable))

    _run(work())


def _readable(value: object) -> object:
    if isinstance(value, bytes):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def main() -> None:
    """Entry point: errors become one message and an exit code, never a traceback."""
    try:
        app()
    except DuraboxError as error:
        print(f"durabox: {error}", file=sys.stderr)
        sys.exit(1)
