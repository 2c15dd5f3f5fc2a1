"""The command line of ``durabox objects``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from durabox.cli.objects import commands

if TYPE_CHECKING:
    from durabox.storage.history.retention import Retention

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


def make_parser(default_state: Path, token: str | None) -> argparse.ArgumentParser:
    """
    What reads it: ``run`` of its result is the command's function.

    Args:
        default_state: The state directory unless told otherwise.
        token: The admin token unless told otherwise.
    """
    parser = argparse.ArgumentParser(
        prog="durabox objects",
        description="See and change objects without waking them. A running server is asked; else the files are opened.",
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: _Run, *, klass: bool = True, target: bool = False, json: str = "print JSON"
    ) -> Callable[..., Any]:
        text = run.__doc__
        made = subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.set_defaults(run=run)
        if klass:
            made.add_argument(
                "klass", metavar="CLASS", help="a class, a binding, or a folder of the state directory"
            )
        if target:
            made.add_argument("object", metavar="OBJECT", help="its name, or the 64 digits of its id")
        made.add_argument(
            "--state", default=str(default_state), help="state directory (default: %(default)s)"
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
        made.add_argument("--json", action="store_true", help=json)
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

    command("classes", commands.classes, klass=False)
    add = command("list", commands.list_objects, json="print a JSON object a line")
    paged(add, "names", None)
    add = command("show", commands.show, target=True)
    paged(add, "keys", 100)
    below(add)
    add = command("sql", commands.sql, json="print a JSON object a row")
    add("query", metavar="QUERY", help="a SQL statement")
    add("--object", help="only this one")
    add("--prefix", default="", help="only objects with a name that begins with it")
    below(add)
    add = command("export", commands.export, target=True)
    add("file", type=Path, metavar="FILE", help="a SQLite file; replaced if it exists")
    add("--salvage", action="store_true", help="what can still be read of a damaged object")
    add = command("import", commands.import_object)
    add("file", type=Path, metavar="FILE", help="the file")
    add("--object", help="name or id of the object to make (default: the one that was exported)")
    add("--force", action="store_true", help="overwrite an object that stores something")
    add = command("copy", commands.copy, target=True)
    add("to", metavar="TO", help="name or id of the copy")
    add("--to-class", help="class of the copy (default: the same)")
    add("--force", action="store_true", help="overwrite an object that stores something")
    command("delete", commands.delete, target=True)
    add = command("restore", commands.restore, target=True)
    add(
        "--to",
        type=_state,
        required=True,
        metavar="TIME|BOOKMARK",
        help="such as 2026-01-31T12:00:00 (local time, unless it ends with a zone), or a bookmark",
    )
    below(add)
    command("vacuum", commands.vacuum, target=True)
    add = command("migrate", commands.migrate, json="print a JSON object for each object")
    add(
        "script",
        type=Path,
        metavar="SCRIPT",
        help=".sql, or .js with `export default async (storage, {id, name}) => …`",
    )
    add("--name", help="what the migration is known by (default: its content)")
    add("--prefix", default="", help="only objects with a name that begins with it")
    return parser
