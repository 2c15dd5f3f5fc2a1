"""Point-in-time recovery through the JavaScript API: keys, SQL tables' file and the alarm come back together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.objects.host import Host
from durabox.testing import VirtualClock
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Notes extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const { storage } = this.ctx;
    const given = searchParams.get("at");
    try {
      switch (pathname) {
        case "/put": await storage.put("note", given); break;
        case "/deleteAll": await storage.deleteAll(); break;
        case "/bookmark": return Response.json(await storage.getCurrentBookmark());
        case "/put-and-bookmark": storage.put("note", given); return Response.json(await storage.getCurrentBookmark());
        case "/bookmark-of-nothing":
          await storage.transaction(async (txn) => {
            txn.put("note", "never");
            this.bookmark = await storage.getCurrentBookmark();
            txn.rollback();
          });
          return Response.json(this.bookmark);
        case "/time": return Response.json(await storage.getBookmarkForTime(Number(given)));
        case "/date": return Response.json(await storage.getBookmarkForTime(new Date(Number(given))));
        case "/not-a-time": return Response.json(await storage.getBookmarkForTime("yesterday"));
        case "/restore": return Response.json(await storage.onNextSessionRestoreBookmark(given));
        case "/restore-and-abort": storage.onNextSessionRestoreBookmark(given); this.ctx.abort("restoring");
      }
      return Response.json((await storage.get("note")) ?? null);
    } catch (error) {
      return Response.json(`${error.name}: ${error.message}`);
    }
  }
}
"""


async def ask(host: Host, path: str, at: object = "") -> Any:
    response = await host.namespace("Notes").get_by_name("a").fetch(f"{path}?at={at}")
    return json.loads(await response.text())


async def restart(host: Host, bookmark: str) -> None:
    with pytest.raises((ObjectBrokenError, JavaScriptError), match="restoring"):
        await ask(host, "/restore-and-abort", bookmark)


async def test_a_clock_that_jumps_back_and_forth_takes_no_state_away(
    host_of: OpenHost, tmp_path: Path
) -> None:
    clock = VirtualClock()
    bookmarks = []
    async with host_of(SOURCE, state=tmp_path / "state", clock=clock) as host:
        for number, jump in enumerate(
            [0, 10_000, -3_600_000, 1_000, 7_200_000, -7_200_000, 1_000, 10_000_000]
        ):
            clock.set(clock.now() + jump)
            bookmarks.append(await ask(host, "/put-and-bookmark", number))
            told = await ask(host, "/time", clock.now())
            # A time that comes twice may be that of either state.
            assert told <= bookmarks[-1] or told.endswith("before the beginning of the history that is kept.")
        assert bookmarks == sorted(bookmarks)
        assert await ask(host, "/time", clock.now()) == bookmarks[-1]
        for number, bookmark in reversed([*enumerate(bookmarks)]):
            await restart(host, bookmark)
            assert await ask(host, "/") == str(number)
    async with host_of(SOURCE, state=tmp_path / "state", clock=clock) as host:
        await restart(host, bookmarks[4])
        assert await ask(host, "/") == "4"


async def test_an_object_goes_back_and_forth(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await ask(host, "/put", "one")
        one = await ask(host, "/bookmark")
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}", one)
        assert await ask(host, "/bookmark") == one
        two = await ask(host, "/put-and-bookmark", "two")
        assert two > one
        await ask(host, "/deleteAll")
        await ask(host, "/put", "three")
        undo = await ask(host, "/restore", two)
        assert undo > two
        assert await ask(host, "/get") == "three"
        await restart(host, one)
        assert await ask(host, "/get") == "one"
        await restart(host, two)
        assert await ask(host, "/get") == "two"
        await ask(host, "/put", "four")
        undo = await ask(host, "/restore", one)
        await ask(host, "/put", "five")
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        assert await ask(host, "/get") == "one"
        await restart(host, undo)
        assert await ask(host, "/get") == "five"


async def test_a_time_stands_for_the_state_then(host_of: OpenHost, tmp_path: Path) -> None:
    clock = VirtualClock()
    times = []
    async with host_of(SOURCE, state=tmp_path / "state", clock=clock) as host:
        for note in ("one", "two", "three"):
            await clock.advance(300)
            times.append(clock.now())
            await ask(host, "/put", note)
            await clock.advance(300)
        await clock.advance(60_000)
        assert await ask(host, "/time", times[1] + 100) == await ask(host, "/date", times[1] + 200)
        await restart(host, await ask(host, "/time", times[1] + 200))
        assert await ask(host, "/get") == "two"
        await restart(host, await ask(host, "/time", clock.now()))
        assert await ask(host, "/get") == "two"
        await restart(host, await ask(host, "/time", clock.now() - 1000))
        assert await ask(host, "/get") == "three"
        assert await ask(host, "/time", times[0] - 1) == (
            "Error: The time is before the beginning of the history that is kept."
        )
        assert await ask(host, "/time", clock.now() + 1) == "Error: The time is in the future."
        assert "parameter 1 is not of type 'date'" in await ask(host, "/not-a-time")
        assert await ask(host, "/time", "NaN") == (
            "TypeError: The value cannot be converted because it is not a valid Date."
        )


async def test_a_bookmark_inside_a_transaction_that_was_rolled_back_is_the_state_without_it(
    host_of: OpenHost, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await ask(host, "/put", "one")
        bookmark = await ask(host, "/bookmark-of-nothing")
        await ask(host, "/put", "two")
        await restart(host, bookmark)
        assert await ask(host, "/get") == "one"


async def test_what_is_no_bookmark_of_the_object_is_refused(host_of: OpenHost, tmp_path: Path) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        await ask(host, "/put", "one")
        bookmark = await ask(host, "/bookmark")
        assert await ask(host, "/restore", "x" * 100) == f"Error: Invalid bookmark: {'x' * 80!r}."
        head, tail = bookmark[:8], bookmark[-32:]
        for changed, message in (
            (f"ffffffff-ffffffff-00000000-{tail}", "The bookmark is in the future."),
            (
                f"00000000-00000001-00000000-{tail}",
                "The bookmark is before the beginning of the history that is kept.",
            ),
            (
                bookmark[:-32] + "0" * 32,
                "The bookmark is of another object, or of a history that was given up.",
            ),
            (
                f"{bookmark[:18]}00000001-{tail}",
                "The restore that the bookmark undoes has not taken place.",
            ),
        ):
            assert await ask(host, "/restore", changed) == f"Error: {message}", head


async def test_an_object_without_anything_stored_can_be_brought_back_to_that(
    host_of: OpenHost, tmp_path: Path
) -> None:
    async with host_of(SOURCE, state=tmp_path / "state") as host:
        nothing = await ask(host, "/bookmark")
        await ask(host, "/put", "one")
        await restart(host, nothing)
        assert await ask(host, "/get") is None


@pytest.mark.parametrize("memory", [True, False])
async def test_without_a_history_only_counting_bookmarks_are_there(
    host_of: OpenHost, tmp_path: Path, memory: bool
) -> None:
    state = ":memory:" if memory else tmp_path / "state"
    async with host_of(SOURCE, state=state, history=None) as host:
        assert await ask(host, "/bookmark") == f"00000000-00000001-00000000-{0:032x}"
        assert await ask(host, "/bookmark") == f"00000000-00000002-00000000-{0:032x}"
        refusal = "Error: This Durable Object's storage back-end does not implement point-in-time recovery."
        assert await ask(host, "/time", 0) == refusal
        assert await ask(host, "/restore", "x") == refusal
