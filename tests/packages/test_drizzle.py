"""drizzle on an object's database: migrations, typed columns, joins, relations, transactions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.packages.packages import Serve
from tests.served import Server


def _call(server: Server, method: str, *values: object) -> Any:
    answer = server.request(
        "POST", "/" + "/".join([method, *(quote(json.dumps(v), safe="") for v in values)])
    )
    return json.loads(answer.body) if answer.status == 200 else (answer.status, answer.text)


def test_accounts_are_kept_in_tables(serve: Serve) -> None:
    with serve("ledger") as server:
        ann = _call(server, "open", "ann", ["first"])
        assert ann == {"id": 1, "owner": "ann", "opened": "1970-01-02T00:00:00.000Z", "tags": ["first"]}
        assert _call(server, "open", "bob", [])["id"] == 2
        status, text = _call(server, "open", "bob", [])
        assert status == 409
        assert "UNIQUE constraint failed: accounts.owner" in text
        paid = _call(server, "pay", "ann", "bob", 700)
        assert paid == [
            {"owner": "bob", "cents": 700, "moves": 1},
            {"owner": "ann", "cents": -700, "moves": 1},
        ]
        assert _call(server, "pay", "ann", "bob", 700)[0] == 409
        assert _call(server, "balances") == paid
    with serve("ledger") as server:
        assert _call(server, "balances") == paid
        assert _call(server, "details", "bob") == {
            "id": 2,
            "owner": "bob",
            "opened": "1970-01-02T00:00:00.000Z",
            "tags": [],
            "entries": [{"cents": 700}],
        }
        assert _call(server, "close", "ann") == 1
