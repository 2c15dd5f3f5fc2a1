"""Crashes at every step: what a killed process or a power cut leaves on the disk opens, with all that was acknowledged.

One object goes through all steps of `bank.py` on recorded files. Then, for every call that was made: the files as they
were when the process was killed after it, and files as a power cut may have left them, are opened anew.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
from pathlib import Path

import pytest
import v8serialize

from durabox.objects.host import Host
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.testing import RecordedFiles
from durabox.testing.power import Mark
from tests.faults.bank import SOURCE, STEPS, Content, after
from tests.faults.test_disk import worth_failing


async def _record(root: Path, durability: Durability = Durability.FULL) -> RecordedFiles:
    """All steps of the bank; each answer is a mark, with what is stored from then on."""
    files = RecordedFiles(root)
    content: Content = {}
    async with Host.open(SOURCE, root, files=files, durability=durability) as host:
        stub = host.namespace("Bank").get_by_name("a")
        for step in STEPS:
            await stub.fetch(f"/{step}")
            content = after(step, content)
            files.mark((step, content))
    return files


def _reopened(folder: Path) -> Content:
    """What the object holds, as its next start finds it; the files are whole."""
    state = StateDirectory(folder)
    try:
        (path,) = [*folder.glob("*/" + "[0-9a-f]" * 64 + ".sqlite")] or [None]
        object_id = path.stem if path else "0" * 64
        database = state.database("bank-Bank", object_id)
        flat = database.kv.list(None, None, None, False, -1)
        alarm = database.metadata.alarm()
        state.alarms.open("bank-Bank").result()
        known = state.alarms.get("bank-Bank", object_id).result()
        assert alarm is None or (known is not None and known <= alarm), "the index would look at it too late"
    finally:
        state.close()
    content: Content = {}
    for file in folder.rglob("*.sqlite"):
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'words'").fetchall():
                content["words"] = [[*row] for row in connection.execute("SELECT * FROM words ORDER BY id")]
        connection.close()
    if alarm is not None:
        content["alarm"] = alarm // 1_000_000
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        shown = v8serialize.loads(value)
        content[key.decode()] = len(shown) if isinstance(shown, str) else shown
    return content


def _acceptable(files: RecordedFiles, steps: int) -> list[Content]:
    """What was acknowledged, or that with the step under way."""
    marks = files.marks(steps)
    acknowledged: Content = marks[-1][1] if marks else {}  # type: ignore[index]
    under_way = STEPS[len(marks)] if len(marks) < len(STEPS) else None
    return [acknowledged, *([after(under_way, acknowledged)] if under_way else [])]


def _moments(files: RecordedFiles) -> list[int]:
    """Numbers of steps after which to crash: all, but of a run of equal calls only the ends and the middle."""
    labels = [
        f"mark {number}" if isinstance(step, Mark) else step.label for number, step in enumerate(files.steps)
    ]
    ends = worth_failing(labels)
    return sorted({0, *ends, *((first + last) // 2 for first, last in itertools.pairwise(ends))})


async def test_a_process_killed_after_any_call_leaves_what_was_acknowledged(tmp_path: Path) -> None:
    files = await _record(tmp_path / "state")
    for steps in _moments(files):
        target = tmp_path / f"killed-{steps}"
        files.after_crash(steps, target)
        assert _reopened(target) in _acceptable(files, steps), f"killed after {files.steps[:steps][-1:]}"


async def _cut_power(tmp_path: Path, seed: int, durability: Durability = Durability.FULL) -> RecordedFiles:
    print(f"seed {seed}")
    chance = random.Random(seed)
    files = await _record(tmp_path / f"state-{seed}", durability)
    for steps in _moments(files):
        target = tmp_path / f"cut-{seed}-{steps}"
        files.after_crash(steps, target, chance)
        found = _reopened(target)
        if durability is Durability.FULL:
            assert found in _acceptable(files, steps), f"power cut after {files.steps[:steps][-1:]}"
        else:
            assert any(found in _acceptable(files, earlier) for earlier in range(steps + 1))
    return files


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_power_cut_after_any_call_leaves_what_was_acknowledged(seed: int, tmp_path: Path) -> None:
    await _cut_power(tmp_path, seed)


async def test_with_durability_normal_a_power_cut_leaves_some_earlier_state(tmp_path: Path) -> None:
    await _cut_power(tmp_path, 3, Durability.NORMAL)


@pytest.mark.torture
async def test_a_thousand_power_cuts_leave_what_was_acknowledged(tmp_path: Path) -> None:
    first = int(os.environ.get("DURABOX_SEED", "0")) or random.SystemRandom().getrandbits(32)
    for seed in range(first, first + 12):
        await _cut_power(tmp_path, seed)


async def test_a_disk_that_forgets_what_was_synced_is_noticed(tmp_path: Path) -> None:
    files = await _record(tmp_path / "state")
    # The same steps without the syncs: the test above must not pass on them.
    files.steps = [step for step in files.steps if isinstance(step, Mark) or "sync" not in step.operation]
    lost = 0
    for steps in _moments(files):
        target = tmp_path / f"cut-{steps}"
        files.after_crash(steps, target, random.Random(steps))
        try:
            lost += _reopened(target) not in _acceptable(files, steps)
        except Exception:
            lost += 1
    assert lost
