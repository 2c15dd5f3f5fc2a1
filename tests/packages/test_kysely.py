"""Kysely on an object's database: its migrator, upserts, windows, introspection."""

from __future__ import annotations

import json
from typing import Any

from tests.packages.packages import Serve
from tests.served import Server


def _get(server: Server, path: str) -> Any:
    answer = server.request("GET", path)
    return json.loads(answer.body) if answer.status == 200 else answer.text


def test_guests_are_counted_by_queries_that_are_built(serve: Serve) -> None:
    for run in (1, 2):
        with serve("guestbook") as server:
            assert _get(server, "/visit/ann") == {"name": "ann", "visits": run}
            assert _get(server, f"/visit/guest{run}") == {"name": f"guest{run}", "visits": 1}
            assert _get(server, "/tables") == [["id", "name", "visits", "note"]]
    with serve("guestbook") as server:
        assert _get(server, "/report") == [
            {"name": "ann", "visits": 2, "place": 1},
            {"name": "guest1", "visits": 1, "place": 2},
            {"name": "guest2", "visits": 1, "place": 2},
        ]
        assert _get(server, "/rename/guest1/bob") is True
        assert _get(server, "/rename/guest1/bob") is False
        assert "UNIQUE constraint failed: guests.name" in _get(server, "/rename/guest2/bob")
        assert _get(server, "/transaction") == "Transactions are not supported yet."
