"""`durabox objects` on a state directory that workerd wrote, and workerd on what it changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from bench import workerd
from tests.differential.test_examples import as_peer_project
from tests.differential.test_state import KEEPER
from tests.served import free_port, peer, run


def objects(*arguments: str | Path, state: Path) -> list[Any]:
    done = run("objects", *arguments, "--state", state, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_workerd_wrote_is_seen_and_changed_and_read_by_workerd_again(tmp_path: Path) -> None:
    state, port = tmp_path / "state", free_port()
    project = as_peer_project("counter")
    with peer(workerd.start(project, port, state), port, tmp_path / "log") as server:
        for name in ("a", "a", "b"):
            server.request("POST", f"/increment?name={name}")
    listed = objects("list", "Counter", state=state)
    assert [each["name"] for each in listed] == [None, None], "an id cannot be turned back"
    (shown,) = objects("show", "Counter", "a", state=state)
    assert [(each["key"], each["value"]) for each in shown["keys"]] == [("value", 2)]
    assert shown["id"] in {each["id"] for each in listed}
    assert run("objects", "copy", "Counter", "a", "c", "--state", state).returncode == 0
    assert run("objects", "delete", "Counter", "b", "--state", state).returncode == 0
    script = tmp_path / "script.js"
    script.write_text('export default async (s) => s.put("value", (await s.get("value")) + 40);')
    outcomes = objects("migrate", "Counter", script, state=state)
    assert sorted(str(each["name"]) for each in outcomes) == ["None", "c"]
    with peer(workerd.start(project, port, state), port, tmp_path / "log") as server:
        values = [server.request("POST", f"/increment?name={name}").text for name in ("a", "b", "c")]
    assert values == ["43\n", "1\n", "43\n"]


def test_facets_of_workerd_are_looked_into_and_carried_away_and_back(tmp_path: Path) -> None:
    project, state, file = tmp_path / "project", tmp_path / "state", tmp_path / "file"
    project.mkdir()
    shutil.copy(KEEPER, project / "index.js")
    described = workerd.PeerProject(
        root=project, main="index.js", bindings={"KEEPER": "Keeper"}, name="keeper"
    )
    port = free_port()
    with peer(workerd.start(described, port, state), port, tmp_path / "log") as server:
        for path in ("a", "a/at/b"):
            written = server.request("GET", f"/at/{path}/write?name=x").text
    (listed,) = objects("list", "Keeper", state=state)
    (shown,) = objects("show", "Keeper", "x", state=state)
    assert [facet["path"] for facet in shown["facets"]] == [["a"], ["a", "b"]]
    (below,) = objects("show", "Keeper", "x", "--facet", "a", "--facet", "b", state=state)
    assert {each["key"]: each.get("value") for each in below["keys"]}["number"] == 1.5
    query = ("SELECT text FROM notes", "--object", "x", "--facet", "a")
    assert [row["row"] for row in objects("sql", "Keeper", *query, state=state)] == [{"text": "kept \u20ac"}]
    for command in (["export", "Keeper", "x", file], ["delete", "Keeper", "x"], ["import", "Keeper", file]):
        done = run("objects", *command, "--state", state)
        assert done.returncode == 0, done.stderr
    (again,) = objects("list", "Keeper", state=state)
    assert again["id"] == listed["id"]
    with peer(workerd.start(described, port, state), port, tmp_path / "log") as server:
        for path in ("a", "a/at/b"):
            assert server.request("GET", f"/at/{path}/?name=x").text == written
