"""What each command of ``durabox objects`` does with the objects and its options; ``--help`` shows the docstrings."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from durabox.cli.objects.printing import Table, cell, in_bytes, moment, plain, print_json
from durabox.cli.objects.progress import Failures, Progress
from durabox.errors import DuraboxError

if TYPE_CHECKING:
    from durabox.objects.inventory import Inventory
    from durabox.server.client import AdminClient

    Objects: TypeAlias = Inventory | AdminClient


async def classes(objects: Objects, options: argparse.Namespace) -> None:
    """The classes that there are."""
    found = await Progress("reading names").during(objects.classes())
    if options.json:
        print_json(found)
    else:
        Table("class", "folder", "objects", "awake").print([*each.values()] for each in found)


async def list_objects(objects: Objects, options: argparse.Namespace) -> None:
    """The objects of a class."""
    from durabox.objects.listing import PAGE

    progress = Progress("reading names")
    left: int | None = options.limit
    cursor: str | None = options.cursor
    table = Table("name", "id", "size", "last use", "alarm", "")
    while left is None or left > 0:
        limit = PAGE if left is None else min(left, PAGE)
        page = await progress.during(
            objects.list(options.klass, prefix=options.prefix, cursor=cursor, limit=limit, progress=progress)
        )
        if options.json:
            for each in page.objects:
                print_json(
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
                    in_bytes(each.size),
                    moment(each.used),
                    moment(each.alarm),
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


async def show(objects: Objects, options: argparse.Namespace) -> None:
    """What an object stores."""
    shown = await Progress("reading").during(
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
        print_json(shown)
        return
    print(f"id     {shown['id']}")
    print(f"name   {'unknown' if shown['name'] is None else shown['name']}")
    print(f"alarm  {moment(shown['alarm']) or 'none'}")
    print(f"state  {'awake' if shown['awake'] else 'asleep'}")
    for table, columns in shown["tables"].items():
        print(f"table  {plain(table)} ({plain(', '.join(columns))})")
    for socket in shown["sockets"]:
        attachment = json.dumps(socket["attachment"], ensure_ascii=False) if "attachment" in socket else ""
        print(plain(f"socket {json.dumps(socket['tags'], ensure_ascii=False)} {attachment}").rstrip())
    for facet in shown["facets"]:
        print(plain(f"facet  {json.dumps(facet['path'], ensure_ascii=False)} {facet['bytes']:,}"))
    if shown["keys"]:
        print()
        Table("key", "bytes", "value").print(
            [each["key"], f"{each['bytes']:,}", json.dumps(each.get("value", "…"), ensure_ascii=False)]
            for each in shown["keys"]
        )
    if shown["cursor"] is not None:
        print(f"more: --cursor {shown['cursor']}", file=sys.stderr)


async def sql(objects: Objects, options: argparse.Namespace) -> None:
    """Run one query that only reads, over all objects of a class or one."""
    progress = Progress("asking objects")
    failures = Failures(progress, told=not options.json)
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
                    print_json(part)
                continue
            label = part["id"] if part["name"] is None else part["name"]
            for row in part["rows"]:
                if options.json:
                    print_json(
                        {
                            "id": part["id"],
                            "name": part["name"],
                            "row": dict(zip(part["columns"], row, strict=True)),
                        }
                    )
                    continue
                if head != part["columns"]:
                    head = part["columns"]
                    print("\t".join(plain(text) for text in ("object", *head)))
                print("\t".join(plain(cell(value)) for value in (label, *row)))
    progress.end()
    failures.end()
    if failures.count:
        raise DuraboxError(
            f"the query failed on {failures.count:,} object{'s' if failures.count > 1 else ''}"
        )


async def export(objects: Objects, options: argparse.Namespace) -> None:
    """Write an object to a file that can be imported elsewhere."""
    if options.salvage:
        written = await Progress("salvaging").during(
            objects.salvage(options.klass, options.object, options.file)
        )
    else:
        progress = Progress("copying")
        written = await progress.during(
            objects.export(options.klass, options.object, options.file, progress=progress)
        )
    if options.json:
        print_json(written)
        return
    print(f"{options.file}: {in_bytes(written['bytes'])}")
    for table, rows in written.get("rows", {}).items():
        print(f"{plain(table)}: {rows:,} rows")
    if written.get("loose"):
        print(f"{written['loose']:,} keys from loose pages; some may have been deleted before")
    for table, message in written.get("errors", {}).items():
        print(f"durabox: {plain(table)}: {plain(message)}", file=sys.stderr)


async def import_object(objects: Objects, options: argparse.Namespace) -> None:
    """Make an object from an exported file."""
    made = await Progress("importing").during(
        objects.load(options.klass, options.object, options.file, force=options.force)
    )
    _print_made(made, options)


async def copy(objects: Objects, options: argparse.Namespace) -> None:
    """Make an object that stores what another one does."""
    made = await Progress("copying").during(
        objects.copy(
            options.klass, options.object, options.to_class or options.klass, options.to, force=options.force
        )
    )
    _print_made(made, options)


def _print_made(made: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print_json(made)
    else:
        print(f"{made['id']}{'' if made['name'] is None else ' ' + plain(made['name'])}")


async def delete(objects: Objects, options: argparse.Namespace) -> None:
    """Remove an object with all that it stores."""
    await Progress("deleting").during(objects.delete(options.klass, options.object))
    if options.json:
        print_json({})


async def restore(objects: Objects, options: argparse.Namespace) -> None:
    """Bring an object back to an earlier state."""
    restored = await Progress("restoring").during(
        objects.restore(options.klass, options.object, options.to, facet=options.facet)
    )
    if options.json:
        print_json(restored)
    else:
        print(f"to undo this: --to {restored['undo']}")


async def vacuum(objects: Objects, options: argparse.Namespace) -> None:
    """Give back the disk space of what an object has deleted."""
    sizes = await Progress("vacuuming").during(objects.vacuum(options.klass, options.object))
    if options.json:
        print_json(sizes)
    else:
        print(f"{in_bytes(sizes['before'])} → {in_bytes(sizes['after'])}")


async def migrate(objects: Objects, options: argparse.Namespace) -> None:
    """Change all objects of a class, each exactly once, by a script."""
    script: Path = options.script
    if script.suffix not in (".sql", ".js", ".mjs"):
        raise DuraboxError(f"{script}: expected a .sql, .js or .mjs file")
    try:
        source = script.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DuraboxError(f"{script}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    counts = {"done": 0, "already": 0, "failed": 0}
    progress = Progress("migrating")
    failures = Failures(progress, told=not options.json)
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
                print_json(outcome)
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
