"""``durabox objects …``: objects from outside, through the server that owns the state directory, or without one."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from durabox.errors import DuraboxError, StateLockedError

if TYPE_CHECKING:
    from durabox.objects.inventory import Inventory
    from durabox.server.client import AdminClient
    from durabox.storage.history.retention import Retention

    Objects: TypeAlias = Inventory | AdminClient

T = TypeVar("T")

_COLUMN: Final = 60
#: Failures that are told one by one.
_FAILURES: Final = 10
#: Seconds after which something that goes on gets a line of progress, and between two of them.
_PATIENCE: Final = 1.0
_REDRAW: Final = 0.1


class _Progress:
    """One line on stderr, when that is a terminal and it takes long enough."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._drawn = time.monotonic()
        self._shown = False

    def __call__(self, done: int, of: int | None = None) -> None:
        """So much is done."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._started < _PATIENCE or now - self._drawn < _REDRAW:
            return
        self._drawn, self._shown = now, True
        if of is None:
            print(f"\r\x1b[K{self._what}: {done:,}", end="", file=sys.stderr, flush=True)
            return
        width = 30
        full = width * done // max(of, 1)
        bar = "#" * full + "·" * (width - full)
        print(f"\r\x1b[K{self._what}: {bar} {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    async def during(self, work: Awaitable[T]) -> T:
        """Wait for something that does not tell how far it is: the line says for how long."""

        async def tick() -> None:
            while True:
                await asyncio.sleep(_REDRAW)
                now = time.monotonic()
                # Whoever is told how far it is, by the call of this object, needs no clock beside it.
                if now - self._drawn > _PATIENCE and sys.stderr.isatty():
                    self._shown = True
                    text = f"\r\x1b[K{self._what} … {now - self._started:.0f} s"
                    print(text, end="", file=sys.stderr, flush=True)

        ticking = asyncio.ensure_future(tick())
        try:
            return await work
        finally:
            ticking.cancel()
            self.end()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class _Failures:
    """
    What failed on which objects, on stderr: the first of them, and how many others.

    Args:
        progress: Its line makes room.
        told: Whether they are; else they are only counted.
    """

    def __init__(self, progress: _Progress, *, told: bool) -> None:
        self._progress = progress
        self._told = told
        self.count = 0

    def add(self, failed: Mapping[str, Any]) -> None:
        """An object with its ``id``, ``name`` and ``error``."""
        self.count += 1
        if self._told and self.count <= _FAILURES:
            self._progress.end()
            label = failed["id"] if failed["name"] is None else failed["name"]
            print(f"durabox: {_plain(label)}: {_plain(failed['error'])}", file=sys.stderr)

    def end(self) -> None:
        """There are no more."""
        if self._told and self.count > _FAILURES:
            print(f"durabox: … and {self.count - _FAILURES:,} others", file=sys.stderr)


@asynccontextmanager
async def _opened(options: argparse.Namespace) -> AsyncIterator[Objects]:
    """The objects of the state directory, whoever owns it."""
    from durabox.objects.access import DirectoryAccess
    from durabox.objects.inventory import Inventory
    from durabox.storage.directory import StateDirectory

    path: Path = options.state
    if not path.is_dir() and options.run is not _import:
        raise DuraboxError(f"{path}: there is no such state directory; name one with --state")
    try:
        state = StateDirectory(path, history=options.history)
    except StateLockedError as error:
        from durabox.server.client import AdminClient

        try:
            url = (path / ".durabox" / "server").read_text("utf-8").strip()
        except OSError:
            raise error from None
        async with AdminClient.connect(url, options.admin_token) as client:
            yield client
        return
    try:
        yield Inventory(DirectoryAccess(state))
    finally:
        state.close()


# What the commands do


async def _classes(objects: Objects, options: argparse.Namespace) -> None:
    found = await _Progress("reading names").during(objects.classes())
    if options.json:
        _print_json(found)
    else:
        _Table("class", "folder", "objects", "awake").print([*each.values()] for each in found)


async def _list(objects: Objects, options: argparse.Namespace) -> None:
    from durabox.objects.listing import PAGE

    progress = _Progress("reading names")
    left: int | None = options.limit
    cursor: str | None = options.cursor
    table = _Table("name", "id", "size", "last use", "alarm", "")
    while left is None or left > 0:
        limit = PAGE if left is None else min(left, PAGE)
        page = await progress.during(
            objects.list(options.klass, prefix=options.prefix, cursor=cursor, limit=limit, progress=progress)
        )
        if options.json:
            for each in page.objects:
                _print_json(
                    {
                        "id": each.id,
                        "name": each.name,
                        "size": each.size,
                        "used": each.used,
                        "alarm": each.alarm,
                        "awake": each.awake,
                    }
                )
        else:
            table.print(
                [
                    "" if each.name is None else each.name,
                    each.id,
                    _bytes(each.size),
                    _moment(each.used),
                    _moment(each.alarm),
                    "awake" if each.awake else "",
                ]
                for each in page.objects
            )
        if left is not None:
            left -= len(page.objects)
        cursor = page.cursor
        if cursor is None:
            break
    if cursor is not None:
        print(f"more: --cursor {cursor}", file=sys.stderr)


async def _show(objects: Objects, options: argparse.Namespace) -> None:
    shown = await _Progress("reading").during(
        objects.show(
            options.klass,
            options.object,
            prefix=options.prefix,
            cursor=options.cursor,
            limit=options.limit,
            facet=options.facet,
        )
    )
    if options.json:
        _print_json(shown)
        return
    print(f"id     {shown['id']}")
    print(f"name   {'unknown' if shown['name'] is None else shown['name']}")
    print(f"alarm  {_moment(shown['alarm']) or 'none'}")
    print(f"state  {'awake' if shown['awake'] else 'asleep'}")
    for table, columns in shown["tables"].items():
        print(f"table  {_plain(table)} ({_plain(', '.join(columns))})")
    for socket in shown["sockets"]:
        attachment = json.dumps(socket["attachment"], ensure_ascii=False) if "attachment" in socket else ""
        print(_plain(f"socket {json.dumps(socket['tags'], ensure_ascii=False)} {attachment}").rstrip())
    for facet in shown["facets"]:
        print(_plain(f"facet  {json.dumps(facet['path'], ensure_ascii=False)} {facet['bytes']:,}"))
    if shown["keys"]:
        print()
        _Table("key", "bytes", "value").print(
            [each["key"], f"{each['bytes']:,}", json.dumps(each.get("value", "…"), ensure_ascii=False)]
            for each in shown["keys"]
        )
    if shown["cursor"] is not None:
        print(f"more: --cursor {shown['cursor']}", file=sys.stderr)


async def _sql(objects: Objects, options: argparse.Namespace) -> None:
    progress = _Progress("asking objects")
    failures = _Failures(progress, told=not options.json)
    asked = 0
    head: list[str] | None = None
    async with aclosing(
        objects.sql(  # type: ignore[type-var]
            options.klass,
            options.query,
            target=options.object,
            prefix=options.prefix,
            facet=options.facet,
        )
    ) as parts:
        async for part in parts:
            asked += 1
            progress(asked)
            if "error" in part:
                failures.add(part)
                if options.json:
                    _print_json(part)
                continue
            label = part["id"] if part["name"] is None else part["name"]
            for row in part["rows"]:
                if options.json:
                    _print_json(
                        {
                            "id": part["id"],
                            "name": part["name"],
                            "row": dict(zip(part["columns"], row, strict=True)),
                        }
                    )
                    continue
                if head != part["columns"]:
                    head = part["columns"]
                    print("\t".join(_plain(text) for text in ("object", *head)))
                print("\t".join(_plain(_cell(value)) for value in (label, *row)))
    progress.end()
    failures.end()
    if failures.count:
        raise DuraboxError(
            f"the query failed on {failures.count:,} object{'s' if failures.count > 1 else ''}"
        )


async def _export(objects: Objects, options: argparse.Namespace) -> None:
    if options.salvage:
        written = await _Progress("salvaging").during(
            objects.salvage(options.klass, options.object, options.file)
        )
    else:
        progress = _Progress("copying")
        written = await progress.during(
            objects.export(options.klass, options.object, options.file, progress=progress)
        )
    print(f"{options.file}: {_bytes(written['bytes'])}")
    for table, rows in written.get("rows", {}).items():
        print(f"{_plain(table)}: {rows:,} rows")
    if written.get("loose"):
        print(f"{written['loose']:,} keys from loose pages; some may have been deleted before")
    for table, message in written.get("errors", {}).items():
        print(f"durabox: {_plain(table)}: {_plain(message)}", file=sys.stderr)


async def _import(objects: Objects, options: argparse.Namespace) -> None:
    made = await _Progress("importing").during(
        objects.load(options.klass, options.object, options.file, force=options.force)
    )
    print(f"{made['id']}{'' if made['name'] is None else ' ' + _plain(made['name'])}")


async def _copy(objects: Objects, options: argparse.Namespace) -> None:
    made = await _Progress("copying").during(
        objects.copy(
            options.klass, options.object, options.to_class or options.klass, options.to, force=options.force
        )
    )
    print(f"{made['id']}{'' if made['name'] is None else ' ' + _plain(made['name'])}")


async def _delete(objects: Objects, options: argparse.Namespace) -> None:
    await _Progress("deleting").during(objects.delete(options.klass, options.object))


async def _restore(objects: Objects, options: argparse.Namespace) -> None:
    restored = await _Progress("restoring").during(
        objects.restore(options.klass, options.object, options.to, facet=options.facet)
    )
    undo = restored["undo"]
    print(f"to undo this: --to {undo}")


async def _vacuum(objects: Objects, options: argparse.Namespace) -> None:
    sizes = await _Progress("vacuuming").during(objects.vacuum(options.klass, options.object))
    print(f"{_bytes(sizes['before'])} → {_bytes(sizes['after'])}")


async def _migrate(objects: Objects, options: argparse.Namespace) -> None:
    script: Path = options.script
    if script.suffix not in (".sql", ".js", ".mjs"):
        raise DuraboxError(f"{script}: expected a .sql, .js or .mjs file")
    try:
        source = script.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DuraboxError(f"{script}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    counts = {"done": 0, "already": 0, "failed": 0}
    progress = _Progress("migrating")
    failures = _Failures(progress, told=not options.json)
    async with aclosing(
        objects.migrate(  # type: ignore[type-var]
            options.klass,
            source,
            javascript=script.suffix != ".sql",
            migration=options.name,
            prefix=options.prefix,
        )
    ) as outcomes:
        async for outcome in outcomes:
            counts[outcome["outcome"]] += 1
            progress(sum(counts.values()))
            if options.json:
                _print_json(outcome)
            elif outcome["outcome"] == "failed":
                failures.add(outcome)
    progress.end()
    failures.end()
    report = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())
    print(report, file=sys.stderr if options.json else sys.stdout)
    if counts["failed"]:
        raise DuraboxError(
            "the migration failed on some objects; they are as they were: run it again when they are mended"
        )


# How it looks


def _print_json(value: object) -> None:
    print(json.dumps(value))


def _plain(text: str) -> str:
    """Without what a terminal would take for a command."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _cell(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def _moment(milliseconds: float | None) -> str:
    if not milliseconds:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000).isoformat(" ", "seconds")
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds:.0f} ms"


class _Table:
    """
    A table that is printed as it comes: its columns only grow.

    Args:
        head: What the columns are called.
    """

    def __init__(self, *head: str) -> None:
        self._head: list[list[str]] = [[*head]]
        self._widths = [0] * len(head)

    def print(self, rows: Iterable[Sequence[object]]) -> None:
        """Some more rows."""
        cells = [*self._head, *([_plain(str(value)) for value in row] for row in rows)]
        self._head = []
        for row in cells:
            for place, text in enumerate(row):
                most = _COLUMN if place == 0 else len(text)
                self._widths[place] = max(self._widths[place], min(len(text), most))
        for row in cells:
            print(
                "  ".join(text.ljust(width) for text, width in zip(row, self._widths, strict=True)).rstrip()
            )


# Arguments

_BOOKMARK: Final = re.compile(r"[0-9a-f]+(-[0-9a-f]+){3}", re.ASCII)

_Run: TypeAlias = Callable[[Any, argparse.Namespace], Coroutine[Any, Any, None]]


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _retention(text: str) -> Retention | None:
    from durabox.storage.history.retention import Retention

    try:
        return Retention.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _state(text: str) -> str | float:
    """A time in milliseconds since the epoch, or a bookmark."""
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except ValueError:
        if not _BOOKMARK.fullmatch(text):
            raise argparse.ArgumentTypeError(
                f"{text!r} is neither a time, such as 2026-01-31T12:00:00, nor a bookmark"
            ) from None
        return text


def _parser(default_state: Path, token: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="durabox objects",
        description="See and change objects without waking them. A running server is asked; else the files are opened.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: _Run, description: str, *, klass: bool = True, target: bool = False
    ) -> Callable[..., Any]:
        made = commands.add_parser(name, help=description, description=description, allow_abbrev=False)
        made.set_defaults(run=run)
        if klass:
            made.add_argument(
                "klass", metavar="CLASS", help="a class, a binding, or a folder of the state directory"
            )
        if target:
            made.add_argument("object", metavar="OBJECT", help="its name, or the 64 digits of its id")
        made.add_argument(
            "--state", type=Path, default=default_state, help="state directory (default: %(default)s)"
        )
        made.add_argument(
            "--admin-token", default=token, help="of the server that owns it (default: $DURABOX_ADMIN_TOKEN)"
        )
        made.add_argument(
            "--history",
            type=_retention,
            default="30d,1GB",
            metavar="AGE,SIZE",
            help="how much of each object's past is kept when no server runs; see `durabox serve` (default: %(default)s)",
        )
        return made.add_argument

    def paged(add: Callable[..., Any], what: str, limit: int | None) -> None:
        add("--prefix", default="", help=f"only {what} that begin with it")
        add("--cursor", help="where the page before ended")
        add("--limit", type=_positive, default=limit, help="at most so many")

    def below(add: Callable[..., Any]) -> None:
        add(
            "--facet",
            action="append",
            default=[],
            metavar="NAME",
            help="a facet of the object; again for one of that",
        )

    json_help = "print JSON"
    add = command("classes", _classes, "The classes that there are.", klass=False)
    add("--json", action="store_true", help=json_help)
    add = command("list", _list, "The objects of a class.")
    paged(add, "names", None)
    add("--json", action="store_true", help="print a JSON object a line")
    add = command("show", _show, "What an object stores.", target=True)
    paged(add, "keys", 100)
    below(add)
    add("--json", action="store_true", help=json_help)
    add = command("sql", _sql, "Run one query that only reads, over all objects of a class or one.")
    add("query", metavar="QUERY", help="a SQL statement")
    add("--object", help="only this one")
    add("--prefix", default="", help="only objects with a name that begins with it")
    below(add)
    add("--json", action="store_true", help="print a JSON object a row")
    add = command("export", _export, "Write an object to a file that can be imported elsewhere.", target=True)
    add("file", type=Path, metavar="FILE", help="a SQLite file; replaced if it exists")
    add("--salvage", action="store_true", help="what can still be read of a damaged object")
    add = command("import", _import, "Make an object from an exported file.")
    add("file", type=Path, metavar="FILE", help="the file")
    add("--object", help="name or id of the object to make (default: the one that was exported)")
    add("--force", action="store_true", help="overwrite an object that stores something")
    add = command("copy", _copy, "Make an object that stores what another one does.", target=True)
    add("to", metavar="TO", help="name or id of the copy")
    add("--to-class", help="class of the copy (default: the same)")
    add("--force", action="store_true", help="overwrite an object that stores something")
    command("delete", _delete, "Remove an object with all that it stores.", target=True)
    add = command("restore", _restore, "Bring an object back to an earlier state.", target=True)
    add(
        "--to",
        type=_state,
        required=True,
        metavar="TIME|BOOKMARK",
        help="such as 2026-01-31T12:00:00 (local time, unless it ends with a zone), or a bookmark",
    )
    command("vacuum", _vacuum, "Give back the disk space of what an object has deleted.", target=True)
    below(add)
    add = command("migrate", _migrate, "Change all objects of a class, each exactly once, by a script.")
    add(
        "script",
        type=Path,
        metavar="SCRIPT",
        help=".sql, or .js with `export default async (storage, {id, name}) => …`",
    )
    add("--name", help="what the migration is known by (default: its content)")
    add("--prefix", default="", help="only objects with a name that begins with it")
    add("--json", action="store_true", help="print a JSON object for each object")
    return parser


def run(arguments: list[str], default_state: Path, token_variable: str) -> None:
    """
    Run ``durabox objects``.

    Args:
        arguments: What follows on the command line.
        default_state: The state directory unless told otherwise.
        token_variable: Environment variable of the admin token.
    Raises:
        DuraboxError: It failed.
    """
    options = _parser(default_state, os.environ.get(token_variable)).parse_args(arguments)

    async def work() -> None:
        async with _opened(options) as objects:
            await options.run(objects, options)

    try:
        asyncio.run(work())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
