"""kill -9 at every kind of point in the life of a database file: before, halfway through and after the call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durabox.objects.host import Host
from tests.faults import emptied, nest
from tests.faults.bank import SOURCE, STEPS, Content, after
from tests.served import PATIENCE, environment

ROOT = Path(__file__).parents[2]


def _run(state: Path, script: str, *point: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", state, script, *point],
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
    code, labels = _run(tmp_path_factory.mktemp("labels"), "bank")
    assert code == 0
    assert {"write birth", "rename database", "sync wal", "write database", "remove wal"} <= {*labels}
    assert {"write log of births", "sync log of births", "remove log of births"} <= {*labels}
    return labels


async def _check(state: Path, label: str, when: str) -> None:
    code, answered = _run(state, "bank", label, when)
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


@pytest.fixture(scope="module")
def facet_labels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The kinds of points that there are for an object with facets."""
    code, labels = _run(tmp_path_factory.mktemp("labels"), "nest")
    assert code == 0
    assert {"write facets", "write plan", "rename plan", "remove plan", "remove database"} <= {*labels}
    return labels


async def _check_facets(
    state: Path, label: str, when: str, script: str = "nest", steps: tuple[str, ...] = nest.STEPS
) -> None:
    code, answered = _run(state, script, label, when)
    assert code == -9
    assert answered == list(steps[: len(answered)])
    content: nest.Content = {}
    for step in answered:
        content = nest.after(step, content)
    step = steps[len(answered)] if len(answered) < len(steps) else ""
    async with Host.open(nest.SOURCE, state) as host:
        stub = host.namespace("Nest").get_by_name("a")
        found = await stub.call("tell", nest.PATHS)
        assert found in [content, nest.after(step, content)], f"killed {when} {label}"
        await stub.fetch("/fill-a/b")
        assert await stub.call("tell", nest.PATHS) == nest.after("fill-a/b", found)
    assert [*state.glob(".durabox/exchange/*/*")] == []


async def test_facets_are_deleted_and_copied_whole_whenever_the_process_is_killed(
    facet_labels: list[str], tmp_path: Path
) -> None:
    for number, label in enumerate(facet_labels):
        when = "halfway" if label.startswith("write") else ("before", "after")[number % 2]
        await _check_facets(tmp_path / str(number), label, when)


@pytest.mark.torture
@pytest.mark.parametrize("when", ["before", "halfway", "after"])
async def test_facets_are_deleted_and_copied_whole_on_either_side_of_every_point(
    when: str, facet_labels: list[str], tmp_path: Path
) -> None:
    for number, label in enumerate(facet_labels):
        await _check_facets(tmp_path / str(number), label, when)


async def test_an_object_is_emptied_with_its_facets_or_not_at_all_whenever_the_process_is_killed(
    tmp_path: Path,
) -> None:
    code, labels = _run(tmp_path / "labels", "emptied")
    assert code == 0
    # What is not met before.
    points = labels[labels.index("write facets") + 1 :]
    assert {"write folder", "write plan", "rename plan", "truncate wal", "remove plan"} <= {*points}
    for label in points:
        for when in ("before", "halfway", "after") if label.startswith("write") else ("before", "after"):
            await _check_facets(tmp_path / f"{label} {when}", label, when, "emptied", emptied.STEPS)
