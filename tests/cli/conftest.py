"""The command line, run in this process: as `durabox.cli.main` runs when a shell starts it, without the start."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from durabox.cli import commands

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command that ends by itself; ``stdin`` is what it reads there."""
    logger = logging.getLogger("durabox")
    before = logger.handlers[:], logger.level, logger.propagate

    def run_here(*arguments: str | Path, stdin: str = "") -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["durabox", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code, said = 0, ""
        try:
            commands.run()
        except SystemExit as end:
            # The interpreter prints a text and exits with 1.
            code, said = (1, f"{end.code}\n") if isinstance(end.code, str) else (int(end.code or 0), "")
        output = capsys.readouterr()
        return CompletedProcess(list(map(str, arguments)), code, output.out, output.err + said)

    yield run_here
    logger.handlers, logger.level, logger.propagate = before
