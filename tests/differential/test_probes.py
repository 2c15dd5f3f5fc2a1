"""Case by case, durabox answers what workerd answers: storage, the web platform, objects and their errors."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench import workerd
from tests.differential.known import KNOWN
from tests.served import Server, free_port, peer, serve

PROBES = Path(__file__).parent / "probes"

#: The documents that say where durabox differs.
DOCUMENTS = [Path(__file__).parents[2] / "docs" / name for name in ("compatibility.md", "storage.md")]


@pytest.mark.parametrize(
    "name",
    [
        "alarms",
        "compression",
        "crypto",
        "crypto_formats",
        "encodings",
        "event_source",
        "events",
        "facets",
        "gates",
        "intl",
        "intl_regions",
        "mixed",
        "node",
        "node_more",
        "node_rest",
        "node_streams",
        "objects",
        "platform",
        "platform_more",
        "rewriter",
        "rpc",
        "rpc_ends",
        "rejections",
        "sockets",
        "sql",
        "sql_rules",
        "sql_values",
        "stacks",
        "storage",
        "streams",
        "stub_fetch",
        "sync_kv",
        "transactions",
        "values",
        "web",
    ],
)
def test_every_case_is_answered_as_by_workerd(name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    source = (PROBES / f"{name}.js").read_text()
    (project / "index.js").write_text(source)
    shutil.copytree(PROBES / "frames", project / "frames")
    names = re.findall(r"^export class (\w+) extends (?:DurableObject|probe\()", source, re.MULTILINE)
    bindings = [{"name": name.upper(), "class_name": name} for name in names]
    config = {"name": "probe", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (project / "wrangler.json").write_text(json.dumps(config))
    with serve(project, tmp_path / "durabox", log_file=tmp_path / "log") as server:
        ours = _answers(server)
    port = free_port()
    described = workerd.PeerProject(
        root=project, main="index.js", bindings={name.upper(): name for name in names}, vars={}, name="probe"
    )
    with peer(workerd.start(described, port, tmp_path / "workerd"), port, tmp_path / "peer.log") as server:
        theirs = _answers(server)
    assert ours.keys() == theirs.keys()
    assert len(ours) >= 30
    different = {case: (ours[case], theirs[case]) for case in ours if ours[case] != theirs[case]}
    known = {case for cases in KNOWN.get(name, {}).values() for case in cases}
    assert {case: pair for case, pair in different.items() if case not in known} == {}
    assert known - different.keys() == set(), "these are no differences any more"


def test_every_known_difference_is_documented() -> None:
    told = re.sub(r"\s+", " ", "".join(document.read_text("utf-8") for document in DOCUMENTS))
    assert [words for cases in KNOWN.values() for words in cases if words not in told] == []


def _answers(server: Server) -> dict[str, Any]:
    answer = server.request("GET", "/")
    assert answer.status == 200, answer.text
    answers: dict[str, Any] = json.loads(answer.body)
    return answers
