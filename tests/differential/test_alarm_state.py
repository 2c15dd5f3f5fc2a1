"""Alarms in a state directory fire whoever serves it next: set by workerd and fired by durabox, and the other way round."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench import workerd
from tests.served import Server, free_port, peer, serve

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Bell extends DurableObject {
  rang = new Promise((resolve) => { this.ring = resolve; });
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/set") await this.ctx.storage.setAlarm(Date.now() + Number(searchParams.get("in")));
    if (pathname === "/fired" && (await this.ctx.storage.get("fired")) === undefined) await this.rang;
    return Response.json([await this.ctx.storage.getAlarm(), (await this.ctx.storage.get("fired")) ?? null]);
  }
  async alarm({ scheduledTime }) {
    await this.ctx.storage.put("fired", [this.ctx.id.name, scheduledTime]);
    this.ring();
  }
}
export default { fetch: (request, env) => env.BELL.getByName(new URL(request.url).searchParams.get("name")).fetch(request) };
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project for both."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "index.js").write_text(SOURCE)
    bindings = [{"name": "BELL", "class_name": "Bell"}]
    config = {"name": "state", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (folder / "wrangler.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("first", ["workerd", "durabox"])
def test_alarms_fire_whoever_serves_the_state_next(project: Path, tmp_path: Path, first: str) -> None:
    second = "durabox" if first == "workerd" else "workerd"
    with _served(first, project, tmp_path) as server:
        due = _ask(server, "/set?in=700&name=soon")[0]
        far = _ask(server, "/set?in=100000000&name=far")[0]
        assert server.stop() is not None
    assert time.time() * 1000 < due, "it must not fire before the change"
    with _served(second, project, tmp_path) as server:
        assert _ask(server, "/fired?name=soon") == [None, ["soon", due]]
        assert _ask(server, "/?name=far") == [far, None]
        _ask(server, "/set?in=200000000&name=far")
        server.stop()
    with _served(first, project, tmp_path) as server:
        assert _ask(server, "/?name=soon") == [None, ["soon", due]]
        assert _ask(server, "/?name=far")[0] > far


def _served(who: str, project: Path, folder: Path) -> AbstractContextManager[Server]:
    if who == "durabox":
        return serve(project, folder / "state", log_file=folder / "log")
    port = free_port()
    described = workerd.PeerProject(project, "index.js", {"BELL": "Bell"}, {}, "state")
    return peer(workerd.start(described, port, folder / "state"), port, folder / "peer.log")


def _ask(server: Server, path: str) -> list[object]:
    answer = server.request("GET", path)
    assert answer.status == 200, answer.text
    seen: list[object] = json.loads(answer.text)
    return seen
