"""Documents of yjs, edited together over an object's sockets."""

from __future__ import annotations

import json
from pathlib import Path

from tests.packages.packages import Serve, run_client


def test_editors_agree_and_their_document_outlives_the_process(serve: Serve, tmp_path: Path) -> None:
    with serve("notes") as server:
        [line] = run_client("notes", "client.mjs", server.port, tmp_path)
        first = json.loads(line)
        assert json.loads(server.request("GET", "/shared").body) == first["texts"][0]
    assert first["before"] == ""
    assert len(set(first["texts"])) == 1
    assert first["texts"][0] in ("ello World ", "orld Hello ")
    assert first["title"] == "Greetings"
    with serve("notes") as server:
        assert json.loads(server.request("GET", "/shared").body) == first["texts"][0]
        [line] = run_client("notes", "client.mjs", server.port, tmp_path)
        second = json.loads(line)
    assert second["before"] == first["texts"][0]
    assert len(set(second["texts"])) == 1
