"""The command ``durabox``."""

import gc
import sys

from durabox.cli.bundle import Bundle

#: The commands, each of which has a bundle of its own.
COMMANDS = frozenset({"serve", "eval", "objects"})


def main() -> None:
    """Entry point of a process."""
    # Nothing that is imported is garbage. Commands have it collected again when they begin with their own work.
    gc.disable()
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    with Bundle(command if command in COMMANDS else None) as bundle:
        from durabox.cli.commands import run

        run(bundle.close)
