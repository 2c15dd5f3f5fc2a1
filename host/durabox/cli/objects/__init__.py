"""``durabox objects …``: objects from outside, through the server that owns the state directory, or without one."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from durabox.cli.objects.arguments import make_parser
from durabox.cli.objects.commands import import_object
from durabox.errors import DuraboxError, StateLockedError

if TYPE_CHECKING:
    from durabox.cli.objects.commands import Objects


@asynccontextmanager
async def _opened(options: argparse.Namespace) -> AsyncIterator[Objects]:
    """The objects of the state directory, whoever owns it."""
    from durabox.objects.access import DirectoryAccess
    from durabox.objects.inventory import Inventory
    from durabox.storage.directory import StateDirectory

    if not options.state:
        raise DuraboxError("--state is empty: name a directory")
    path = Path(options.state)
    if not path.is_dir() and options.run is not import_object:
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
    options = make_parser(default_state, os.environ.get(token_variable)).parse_args(arguments)

    async def work() -> None:
        async with _opened(options) as objects:
            await options.run(objects, options)

    try:
        asyncio.run(work())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
