"""The examples are ordinary Worker projects: workerd gives the same answers as durabox."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import workerd
from durabox.project.project import load_project
from tests.served import Server, free_port, peer, serve
from tests.walkthrough import EXAMPLES, NAMES, steps


@pytest.mark.parametrize("example", NAMES)
def test_answers_are_those_of_workerd(example: str, tmp_path: Path) -> None:
    with serve(EXAMPLES / example, tmp_path / "durabox", log_file=tmp_path / "log") as server:
        ours = _walk(server, example)
    port = free_port()
    process = workerd.start(as_peer_project(example), port, tmp_path / "workerd")
    with peer(process, port, tmp_path / "peer.log") as server:
        theirs = _walk(server, example)
    assert ours == theirs


def _walk(server: Server, example: str) -> list[tuple[str, int, str | None, bytes]]:
    """Status, content type and body of each command that both sides can answer."""
    seen = []
    for step in steps(example):
        if step.portable:
            answer = server.request(step.method, step.target, step.body, step.headers)
            seen.append((step.line, answer.status, answer.header("content-type"), answer.body))
    return seen


def as_peer_project(example: str) -> workerd.PeerProject:
    """An example, for workerd."""
    project = load_project(EXAMPLES / example)
    return workerd.PeerProject(
        root=EXAMPLES / example,
        main="src/index.js",
        bindings={binding.name: binding.class_name for binding in project.bindings},
        vars=dict(project.vars),
        name=project.name,
    )
