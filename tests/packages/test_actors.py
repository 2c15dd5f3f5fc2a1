"""Actors of @cloudflare/actors: named by the path, with migrations, SQL, calls between them and scheduled work."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.packages.packages import Serve
from tests.served import PATIENCE, Server


def _get(server: Server, path: str) -> Any:
    answer = server.request("GET", path)
    assert answer.status == 200, f"{answer.text}\n{server.log}"
    return json.loads(answer.body)


def test_actors_keep_readings_by_name(serve: Serve) -> None:
    with serve("actors") as server:
        assert _get(server, "/kitchen") == {"name": "kitchen", "same": True}
        assert _get(server, "/kitchen/read/19.5") == {"readings": 1, "warmest": 19.5, "by": "kitchen"}
        assert _get(server, "/kitchen/read/18") == {"readings": 2, "warmest": 19.5, "by": "kitchen"}
        assert _get(server, "/hall/read/7")["readings"] == 1
        assert _get(server, "/hall/ask/kitchen")["readings"] == 3
    with serve("actors") as server:
        assert _get(server, "/kitchen/read/21")["readings"] == 4


def test_scheduled_work_is_done_by_an_alarm(serve: Serve) -> None:
    with serve("actors") as server:
        assert _get(server, "/hall/ring/bell") == [["rang", "scheduled"]]
        deadline = time.monotonic() + PATIENCE
        while not (rang := _get(server, "/hall/rang/bell")) and time.monotonic() < deadline:
            pass
        assert rang == [{"by": "bell"}]
