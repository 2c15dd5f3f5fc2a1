"""A process that goes through the steps of `bank.py`, or of another script like it, and is killed at a chosen point.

    python -m tests.faults.killed STATE SCRIPT [LABEL WHEN]

SCRIPT is the module's name; LABEL is that of a call (`durabox.testing.Call.label`), WHEN ``before`` it, ``halfway`` or
``after``. Each step that was answered is a line on stdout; without LABEL, each label that was met is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from durabox.objects.host import Host
from durabox.testing import Call, WatchedFiles

T = TypeVar("T")


class KillingFiles(WatchedFiles):
    """The real file system, until the first call with a label: there the process is killed."""

    def __init__(self, label: str, when: str) -> None:
        super().__init__()
        self.label = label
        self.when = when
        self.met: dict[str, None] = {}

    def carry_out(self, call: Call, really: Callable[[], T], half: Callable[[], object] | None = None) -> T:
        self.met[call.label] = None
        if call.label != self.label:
            return really()
        if self.when == "halfway" and half is not None:
            half()
        if self.when == "after":
            really()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


async def main(state: str, name: str, label: str = "", when: str = "") -> None:
    """See the module's head."""
    script = import_module(f"tests.faults.{name}")
    files = KillingFiles(label, when)
    async with Host.open(script.SOURCE, Path(state), files=files) as host:
        stub = host.namespace(host.class_names[0]).get_by_name("a")
        for step in script.STEPS:
            await stub.fetch(f"/{step}")
            if label:
                print(step, flush=True)
    if not label:
        print(*files.met, sep="\n", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
