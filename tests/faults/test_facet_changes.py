"""Changes to several databases of an object at once, on a disk that fails or stops: all of it or nothing, and nothing is lost."""

from __future__ import annotations

import errno
import random
from dataclasses import replace
from pathlib import Path

import pytest
import v8serialize

from durabox.errors import JavaScriptError
from durabox.objects.host import Host
from durabox.objects.namespace import Stub
from durabox.storage.directory import StateDirectory
from durabox.testing import Fault, FaultyFiles, RecordedFiles
from tests.faults.nest import PATHS, SOURCE, STEPS, Content, after

FAULTS = [
    pytest.param(Fault(0), id="input/output error"),
    pytest.param(Fault(0, errno.ENOSPC, lasting=True, partly=True), id="no space", marks=pytest.mark.torture),
    pytest.param(Fault(0, lasting=True), id="lasting input/output error", marks=pytest.mark.torture),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_change_is_made_whole_or_not_at_all_whatever_call_fails(fault: Fault, tmp_path: Path) -> None:
    files = FaultyFiles()
    known: dict[str, Content] = {}
    hits: set[str] = set()
    async with Host.open(SOURCE, tmp_path, files=files) as host:
        space = host.namespace("Nest")
        # Twice: what the first one finds, the class's folder and the log of births, is not as it is for all others.
        for name in ("first", "untroubled"):
            files.mend()
            for step in STEPS:
                await space.get_by_name(name).fetch(f"/{step}")
        for number in _worth_failing([call.label for call in files.calls]):
            files.fail(replace(fault, at=number))
            hits |= await _failures(space.get_by_name(f"object-{number}"), files, known)
            files.mend()
    assert {"write facets", "write plan"} <= hits
    async with Host.open(SOURCE, tmp_path) as host:
        space = host.namespace("Nest")
        assert {name: await space.get_by_name(name).call("tell", PATHS) for name in known} == known


async def _failures(stub: Stub, files: FaultyFiles, known: dict[str, Content]) -> set[str]:
    """Go through all steps, mend the disk after the first that fails; which calls failed."""
    content: Content = {}
    hits: set[str] = set()
    for step in STEPS:
        try:
            await stub.fetch(f"/{step}")
            content = after(step, content)
        except JavaScriptError as error:
            assert error.message.strip(), "an error says something"
            hits |= {call.label for call in files.failed}
            files.mend()
            found = await stub.call("tell", PATHS)
            possible = [content, after(step, content)]
            assert found in possible, f"{stub.name}: {step} after {error.message}"
            content = found
    files.mend()
    known[stub.name or ""] = await stub.call("tell", PATHS)
    assert known[stub.name or ""] == content
    return hits


def _worth_failing(labels: list[str]) -> list[int]:
    """Numbers of calls, from 1: every thirtieth, and one around each that only an exchange makes."""
    rare = [number for number, label in enumerate(labels, 1) if label.endswith((" plan", " facets"))]
    return sorted({*range(1, len(labels) + 1, 30), *rare[::3], *(number + 1 for number in rare[::3])})


async def _record(root: Path) -> RecordedFiles:
    """All steps; each answer is a mark, with what is stored from then on."""
    files = RecordedFiles(root)
    content: Content = {}
    async with Host.open(SOURCE, root, files=files) as host:
        stub = host.namespace("Nest").get_by_name("a")
        for step in STEPS:
            await stub.fetch(f"/{step}")
            content = after(step, content)
            files.mark(content)
    return files


def _reopened(folder: Path) -> Content:
    """What the object and its facets hold, as the next start finds it."""
    state = StateDirectory(folder)
    try:
        content: Content = {}
        ids = [*state.catalog("nest-Nest").shelf.ids()]
        assert len(ids) <= 1
        for object_id in ids:
            paths = {0: (), **state.facets("nest-Nest", object_id).below(0)}
            with state.databases("nest-Nest", object_id, paths) as databases:
                for number, database in databases.items():
                    stored = database.kv.get(b"value")
                    if stored is not None:
                        content["/".join(paths[number])] = v8serialize.loads(stored)
        return content
    finally:
        state.close()


def _acceptable(files: RecordedFiles, steps: int) -> list[Content]:
    """What was acknowledged, or that with the step under way."""
    marks = files.marks(steps)
    acknowledged: Content = marks[-1] if marks else {}  # type: ignore[assignment]
    if len(marks) == len(STEPS):
        return [acknowledged]
    step = STEPS[len(marks)]
    return [acknowledged, after(step, acknowledged)]


@pytest.mark.parametrize("seed", [None, 1, 2])
async def test_a_crash_after_any_call_leaves_what_was_acknowledged(seed: int | None, tmp_path: Path) -> None:
    files = await _record(tmp_path / "state")
    chance = None if seed is None else random.Random(seed)
    for steps in range(0, len(files.steps) + 1, 3):
        target = tmp_path / f"crashed-{steps}"
        files.after_crash(steps, target, chance)
        assert _reopened(target) in _acceptable(files, steps), f"after {files.steps[:steps][-1:]}"


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(10, 20))
async def test_a_power_cut_after_every_call_leaves_what_was_acknowledged(seed: int, tmp_path: Path) -> None:
    files = await _record(tmp_path / "state")
    chance = random.Random(seed)
    for steps in range(len(files.steps) + 1):
        target = tmp_path / f"crashed-{steps}"
        files.after_crash(steps, target, chance)
        assert _reopened(target) in _acceptable(files, steps), f"after {files.steps[:steps][-1:]}"
