"""Programs, calls and values made at random, from the same numbers on durabox and on workerd: every step and value agrees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import workerd
from tests.served import Server, free_port, peer, serve

PROBES = Path(__file__).parent / "probes"
#: Programs that are asked for at once.
TOGETHER = 50


@pytest.mark.parametrize(
    ("first", "count"), [(1, 50), pytest.param(1000, 500, marks=pytest.mark.torture)], ids=["some", "many"]
)
def test_random_programs_do_the_same(first: int, count: int, tmp_path: Path) -> None:
    project = _project(tmp_path, "random.js")
    with (
        serve(project, tmp_path / "durabox", log_file=tmp_path / "log") as ours,
        _workerd(project, tmp_path / "workerd") as theirs,
    ):
        for at in range(first, first + count, TOGETHER):
            path = f"/?first={at}&count={TOGETHER}"
            mine, others = _answers(ours, path), _answers(theirs, path)
            assert mine.keys() == others.keys()
            assert len(mine) == TOGETHER
            for seed, parts in others.items():
                for part, (own, other) in enumerate(zip(mine[seed], parts, strict=True)):
                    assert own == other, f"{seed}, part {part}"


@pytest.mark.parametrize(
    ("first", "count"), [(1, 300), pytest.param(1000, 5000, marks=pytest.mark.torture)], ids=["some", "many"]
)
def test_random_values_are_read_whoever_wrote_them(first: int, count: int, tmp_path: Path) -> None:
    project, state = _project(tmp_path, "random_values.js"), tmp_path / "state"
    asked = f"first={first}&count={count}"
    with _workerd(project, state) as server:
        refused = _answers(server, f"/write?who=theirs&{asked}")
        expected = _answers(server, f"/read?who=theirs&{asked}")
    with serve(project, state, log_file=tmp_path / "log") as server:
        assert _answers(server, f"/read?who=theirs&{asked}") == expected
        assert _answers(server, f"/write?who=ours&{asked}") == refused
        assert _answers(server, f"/read?who=ours&{asked}") == expected
    with _workerd(project, state) as server:
        assert _answers(server, f"/read?who=ours&{asked}") == expected


@pytest.mark.parametrize(
    ("first", "count"), [(1, 300), pytest.param(1000, 5000, marks=pytest.mark.torture)], ids=["some", "many"]
)
@pytest.mark.parametrize("source", ["random_texts.js", "random_calls.js"])
def test_random_values_are_taken_for_the_same(source: str, first: int, count: int, tmp_path: Path) -> None:
    project = _project(tmp_path, source)
    asked = f"/?first={first}&count={count}"
    with serve(project, tmp_path / "durabox", log_file=tmp_path / "log") as server:
        ours = _answers(server, asked)
    with _workerd(project, tmp_path / "workerd") as server:
        theirs = _answers(server, asked)
    assert ours.keys() == theirs.keys()
    assert len(ours) >= 8 * count
    assert {case: (ours[case], theirs[case]) for case in ours if ours[case] != theirs[case]} == {}


def _project(folder: Path, source: str) -> Path:
    project = folder / "project"
    project.mkdir()
    (project / "index.js").write_text((PROBES / source).read_text())
    bindings = [{"name": "PROBE", "class_name": "Probe"}]
    config = {"name": "probe", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (project / "wrangler.json").write_text(json.dumps(config))
    return project


@contextmanager
def _workerd(project: Path, state: Path) -> Iterator[Server]:
    port = free_port()
    described = workerd.PeerProject(root=project, main="index.js", bindings={"PROBE": "Probe"}, name="probe")
    file = project.parent / "peer.log"
    # It has much to say about what fails.
    with file.open("wb") as log:
        started = workerd.start(described, port, state, log)
        with peer(started, port, file) as server:
            yield server


def _answers(server: Server, path: str) -> dict[str, Any]:
    answer = server.request("GET", path)
    assert answer.status == 200, answer.text
    answers: dict[str, Any] = json.loads(answer.text)
    return answers
