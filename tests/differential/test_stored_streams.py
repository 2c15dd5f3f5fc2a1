"""A directory with stored streams is still one that workerd reads and writes, all but those values."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from bench import workerd
from tests.served import Server, free_port, peer, serve

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Files extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const { storage } = this.ctx;
    const key = pathname.slice(1);
    try {
      switch (request.method) {
        case "PUT": await storage.put(key, request.body); return new Response("stored");
        case "POST": await storage.put(key, await request.text()); return new Response("stored");
        case "DELETE": return Response.json(await storage.delete(key));
        default: return new Response(await storage.get(key));
      }
    } catch (error) {
      return new Response(`refused: ${error.name}`);
    }
  }
}
export default { fetch: (request, env) => env.FILES.get(env.FILES.idFromName("a")).fetch(request) };
"""


def ask(server: Server, method: str, key: str, body: bytes | None = None) -> str:
    return server.request(method, f"/{key}", body).text


def test_workerd_refuses_a_stored_stream_and_nothing_else(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.js").write_text(SOURCE)
    bindings = [{"name": "FILES", "class_name": "Files"}]
    config = {"name": "files", "main": "index.js", "durable_objects": {"bindings": bindings}}
    (project / "wrangler.json").write_text(json.dumps(config))
    state, log = tmp_path / "state", tmp_path / "log"
    with serve(project, state, log_file=log) as server:
        assert ask(server, "PUT", "f", b"stream") == "stored"
        assert ask(server, "PUT", "h", b"another" * 100_000) == "stored"
        assert ask(server, "POST", "g", b"value") == "stored"
        assert server.stop() == 0
    described = workerd.PeerProject(root=project, main="index.js", bindings={"FILES": "Files"}, name="files")
    port = free_port()
    with peer(workerd.start(described, port, state), port, tmp_path / "peer.log") as server:
        assert ask(server, "GET", "g") == "value"
        assert ask(server, "GET", "f").startswith("refused: ")
        assert ask(server, "GET", "g") == "value"
        assert ask(server, "POST", "f", b"replaced") == "stored"
        assert ask(server, "DELETE", "h") == "true"
        assert ask(server, "GET", "f") == "replaced"
    with serve(project, state, log_file=log) as server:
        assert ask(server, "GET", "f") == "replaced"
        assert ask(server, "GET", "h") == ""
        assert ask(server, "PUT", "i", b"stream") == "stored"
        assert ask(server, "GET", "i") == "stream"
        assert server.stop() == 0
    (file,) = state.glob("files-Files/[0-9a-f]*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT key, state FROM _cf_STREAM").fetchall() == [("i", 1)]
        assert database.execute("SELECT count(*) FROM _cf_STREAM_PIECE").fetchall() == [(1,)]
