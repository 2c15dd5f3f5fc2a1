"""Objects keep the name that they were reached by."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  async fetch(request) {
    if (request.method === "PUT") await this.ctx.storage.put("a", 1);
    return Response.json(this.ctx.id.name ?? null);
  }
}
"""


def name_in(state: Path, object_id: str) -> object:
    (file,) = state.glob(f"*/{object_id}.sqlite")
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE name = '_cf_METADATA'").fetchall()
        found = rows and connection.execute("SELECT value FROM _cf_METADATA WHERE key = 1000").fetchone()
        return found[0] if found else None
    finally:
        connection.close()


async def test_an_object_that_was_first_reached_by_its_id_gets_its_name_when_it_is_used_by_name(
    host_of: OpenHost, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        space = host.namespace("Box")
        by_name = space.get_by_name("ann")
        by_id = space.get(by_name.id)
        assert await (await by_id.fetch(method="PUT")).json() is None
        assert await (await by_name.fetch(method="PUT")).json() is None, "the constructor ran without a name"
    assert name_in(state, by_id.id) == "ann"


async def test_a_name_of_more_than_1024_bytes_is_not_known_inside(host_of: OpenHost, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with host_of(SOURCE, state=state) as host:
        space = host.namespace("Box")
        for name in ("x" * 1024, "é" * 513):
            stub = space.get_by_name(name)
            expected = name if len(name) == 1024 else None
            assert await (await stub.fetch(method="PUT")).json() == expected
            known = expected
        assert known is None
    assert name_in(state, space.ids.from_name("x" * 1024)) == "x" * 1024
    assert name_in(state, space.ids.from_name("é" * 513)) is None
