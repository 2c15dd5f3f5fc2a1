"""Every single change to files fails once, in every way, while an object is born, written, emptied and born again.

Whatever fails: the request gets an error, the object is reset, what was acknowledged before is there, nothing is half
applied, and the next request succeeds once the disk does.
"""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from durabox.errors import DuraboxError, JavaScriptError
from durabox.objects.host import Host
from durabox.objects.namespace import Namespace
from durabox.testing import Fault, FaultyFiles
from tests.faults.bank import SOURCE, STEPS, Content, after

FAULTS = [
    pytest.param(Fault(0), id="input/output error"),
    pytest.param(Fault(0, errno.ENOSPC, lasting=True, partly=True), id="no space"),
    pytest.param(Fault(0, lasting=True), id="lasting input/output error", marks=pytest.mark.torture),
    pytest.param(Fault(0, errno.ENOSPC), id="no space once", marks=pytest.mark.torture),
    pytest.param(Fault(0, partly=True), id="half a write", marks=pytest.mark.torture),
    pytest.param(Fault(0, errno.EACCES), id="no permission", marks=pytest.mark.torture),
]


async def _content(space: Namespace, name: str) -> Content:
    response = await space.get_by_name(name).fetch("/")
    content: Content = json.loads(await response.text())
    return content


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_or_half_applied_whatever_call_fails(fault: Fault, tmp_path: Path) -> None:
    files = FaultyFiles()
    known: dict[str, Content] = {}
    hits: set[str] = set()
    async with Host.open(SOURCE, tmp_path, files=files) as host:
        space = host.namespace("Bank")
        # The folder of the class is made here.
        await space.get_by_name("first").fetch("/birth")
        files.mend()
        assert not await _failures(space, "untroubled", files, {})
        for number in worth_failing([call.label for call in files.calls]):
            files.fail(replace(fault, at=number))
            hits |= await _failures(space, f"object-{number}", files, known)
            files.mend()
    assert {"write birth", "write wal"} <= hits
    async with Host.open(SOURCE, tmp_path) as host:
        space = host.namespace("Bank")
        assert {name: await _content(space, name) for name in known} == known


async def _failures(space: Namespace, name: str, files: FaultyFiles, known: dict[str, Content]) -> set[str]:
    """Go through all steps, mend the disk after the first that fails; which calls failed."""
    content: Content = {}
    hits: set[str] = set()
    for step in STEPS:
        try:
            await space.get_by_name(name).fetch(f"/{step}")
            content = after(step, content)
        except JavaScriptError as error:
            assert error.message.strip(), "an error says something"
            hits |= {call.label for call in files.failed}
            files.mend()
            found = await _content(space, name)
            assert found in (content, after(step, content)), f"{name}: {step} after {error.message}"
            content = found
    known[name] = await _content(space, name)
    assert known[name] == content
    return hits


def worth_failing(labels: list[str]) -> list[int]:
    """Numbers of calls, from 1: of each run of equal calls, such as the pages of a large value, the first and the last."""
    return [
        number
        for number, label in enumerate(labels, 1)
        if label not in labels[number - 2 : number - 1] or label not in labels[number : number + 1]
    ]


@pytest.mark.parametrize("number", [1, 2])
async def test_the_folder_of_a_class_cannot_be_made_at_first(number: int, tmp_path: Path) -> None:
    files = FaultyFiles()
    async with Host.open(SOURCE, tmp_path, files=files) as host:
        space = host.namespace("Bank")
        files.fail(Fault(number, errno.EACCES))
        with pytest.raises(DuraboxError):
            await space.get_by_name("a").fetch("/birth")
        assert files.failed
        files.mend()
        await space.get_by_name("a").fetch("/birth")
        assert await _content(space, "a") == {"a": 1, "b": 2}
