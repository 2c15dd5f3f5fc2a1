"""Storage used at random, by the same programs on durabox and on workerd: every step gives the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import workerd
from tests.served import Server, free_port, peer, serve

SOURCE = Path(__file__).parent / "probes" / "random.js"
#: Programs that are asked for at once.
TOGETHER = 50


@pytest.mark.parametrize(
    ("first", "count"), [(1, 50), pytest.param(1000, 2000, marks=pytest.mark.torture)], ids=["some", "many"]
)
def test_random_programs_do_the_same(first: int, count: int, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.js").write_text(SOURCE.read_text())
    bindings = [{"name": "PROBE", "class_name": "Probe"}]
    config = {"name": "probe", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (project / "wrangler.json").write_text(json.dumps(config))
    with serve(project, tmp_path / "durabox", log_file=tmp_path / "log") as ours, _workerd(project) as theirs:
        for at in range(first, first + count, TOGETHER):
            path = f"/?first={at}&count={TOGETHER}"
            mine, others = _answers(ours, path), _answers(theirs, path)
            assert mine.keys() == others.keys()
            assert len(mine) == TOGETHER
            for seed, parts in others.items():
                for part, (own, other) in enumerate(zip(mine[seed], parts, strict=True)):
                    assert own == other, f"{seed}, part {part}"


@contextmanager
def _workerd(project: Path) -> Iterator[Server]:
    port = free_port()
    described = workerd.PeerProject(root=project, main="index.js", bindings={"PROBE": "Probe"}, name="probe")
    file = project.parent / "peer.log"
    # It has much to say about what fails.
    with file.open("wb") as log:
        started = workerd.start(described, port, project.parent / "workerd", log)
        with peer(started, port, file) as server:
            yield server


def _answers(server: Server, path: str) -> dict[str, Any]:
    answer = server.request("GET", path)
    assert answer.status == 200, answer.text
    answers: dict[str, Any] = json.loads(answer.text)
    return answers
