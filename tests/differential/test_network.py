"""Case by case, durabox fetches, connects and fails as workerd does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import workerd
from tests.origin import origin
from tests.served import Server, free_port, peer, serve

PROBE = Path(__file__).parent / "probes" / "network.js"

#: Cases that are known to differ, each with what durabox does instead.
KNOWN = {
    # An error event comes before the close event of a connection that was lost, and then the state is CLOSED.
    "socket lost",
}


@pytest.mark.parametrize("path", ["/", "/worker"])
def test_every_case_is_answered_as_by_workerd(path: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.js").write_text(PROBE.read_text())
    with origin() as server:
        config = {
            "name": "probe",
            "main": "index.js",
            "durable_objects": {"bindings": [{"name": "PROBE", "class_name": "Probe"}]},
            "vars": {"ORIGIN": server.url},
        }
        (project / "wrangler.json").write_text(json.dumps(config))
        allowed = ("--allow-net", "127.0.0.1", "--allow-net", "localhost")
        with serve(project, tmp_path / "durabox", *allowed, log_file=tmp_path / "log") as ours_served:
            ours = _answers(ours_served, path)
        port = free_port()
        described = workerd.PeerProject(
            root=project,
            main="index.js",
            bindings={"PROBE": "Probe"},
            vars={"ORIGIN": server.url},
            name="probe",
            local_network=True,
        )
        process = workerd.start(described, port, tmp_path / "workerd")
        with peer(process, port, tmp_path / "peer.log") as theirs_served:
            theirs = _answers(theirs_served, path)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 100
    different = {case: (ours[case], theirs[case]) for case in ours if ours[case] != theirs[case]}
    assert {case: pair for case, pair in different.items() if case not in KNOWN} == {}


def _answers(server: Server, path: str) -> dict[str, Any]:
    answer = server.request("GET", path)
    assert answer.status == 200, answer.text
    answers: dict[str, Any] = json.loads(answer.body)
    return answers
