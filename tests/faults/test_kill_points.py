"""kill -9 at every kind of point in the life of a database file: before, halfway through and after the call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durabox.objects.host import Host
from tests.faults.bank import SOURCE, STEPS, Content, after
from tests.served import PATIENCE, environment

ROOT = Path(__file__).parents[2]


def _run(state: Path, *point: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", state, *point],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The kinds of points that there are."""
    code, labels = _run(tmp_path_factory.mktemp("labels"))
    assert code == 0
    assert {"write birth", "rename database", "sync wal", "write database", "remove wal"} <= {*labels}
    return labels


async def _check(state: Path, label: str, when: str) -> None:
    code, answered = _run(state, label, when)
    assert code == -9
    assert answered == list(STEPS[: len(answered)])
    content: Content = {}
    for step in answered:
        content = after(step, content)
    under_way = after(STEPS[len(answered)], content) if len(answered) < len(STEPS) else content
    async with Host.open(SOURCE, state) as host:
        stub = host.namespace("Bank").get_by_name("a")
        found = json.loads(await (await stub.fetch("/")).text())
        assert found in (content, under_way), f"killed {when} {label}"
        await stub.fetch("/birth")
        assert json.loads(await (await stub.fetch("/")).text()) == after("birth", found)


async def test_what_was_acknowledged_outlives_kill_at_every_kind_of_point(
    labels: list[str], tmp_path: Path
) -> None:
    for number, label in enumerate(labels):
        when = "halfway" if label.startswith("write") else ("before", "after")[number % 2]
        await _check(tmp_path / str(number), label, when)


@pytest.mark.torture
@pytest.mark.parametrize("when", ["before", "halfway", "after"])
async def test_what_was_acknowledged_outlives_kill_on_either_side_of_every_point(
    when: str, labels: list[str], tmp_path: Path
) -> None:
    for number, label in enumerate(labels):
        await _check(tmp_path / str(number), label, when)
