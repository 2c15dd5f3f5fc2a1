"""Nothing that a guest nests overflows a stack of the host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import durabox


def test_maximal_nesting_through_every_op_and_decoder_is_survived() -> None:
    program = Path(__file__).with_name("nesting.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(durabox.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "nestings survived" in done.stdout
