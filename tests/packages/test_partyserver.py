"""Rooms of partyserver, with members that come by partysocket from node."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp

from tests.packages.packages import Serve, run_client


def test_members_of_a_room_see_each_other(serve: Serve, tmp_path: Path) -> None:
    with serve("rooms") as server:
        told, early, refused = map(json.loads, run_client("rooms", "client.mjs", server.port, tmp_path))

    def of(who: str) -> list[object]:
        return [what for name, what in told if name == who]

    common = ["Bob (1): hello", [1, 2, 255]]
    assert of("ann-1") == [
        "welcome ann-1",
        "Bob joins blue",
        *common,
        "news",
        "QUIET",
        "Bob left: 4002 bye",
        "closed 1000 unknown reason",
    ]
    assert of("bob-1") == ["welcome bob-1", *common, "Ann", "news", "QUIET", "closed 4002 bye"]
    assert of("eve-1") == ["welcome eve-1", "closed 4001 as you wish"]
    assert of("shout") == [2]
    assert of("blue") == [{"room": "blue", "here": 2, "started": 1}]
    assert early == "early"
    assert refused == 400


async def test_a_member_may_be_turned_away(serve: Serve) -> None:
    with serve("rooms") as server:
        assert server.request("GET", "/parties/chat/blue?nick=mallory").status == 200
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{server.port}/parties/chat/blue?nick=mallory"
            try:
                await session.ws_connect(url)
            except aiohttp.WSServerHandshakeError as error:
                assert error.status == 403
            else:
                raise AssertionError("was let in")
