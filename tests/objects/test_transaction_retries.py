"""A transaction whose storage fails for a reason that may pass runs again."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from durabox.objects.host import IDLE_MS, Host
from durabox.testing import Fault, FaultyFiles, VirtualClock
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    let runs = 0;
    try {
      await storage.transaction(async (txn) => {
        runs++;
        await txn.put("count", ((await txn.get("count")) ?? 0) + 1);
      });
      return Response.json([runs, await storage.get("count")]);
    } catch (error) {
      return Response.json([runs, error.message]);
    }
  }
}
"""


async def count(host: Host) -> Any:
    response = await host.namespace("Counter").get_by_name("a").fetch("/")
    return json.loads(await response.text())


async def test_the_closure_runs_again_when_the_file_could_not_be_opened_once(
    host_of: OpenHost, tmp_path: Path
) -> None:
    files, clock = FaultyFiles(), VirtualClock()
    async with host_of(SOURCE, state=tmp_path / "state", files=files, clock=clock) as host:
        assert await count(host) == [1, 1]
        await clock.advance(2 * IDLE_MS)
        files.fail(Fault(1, errno.EMFILE))
        assert await count(host) == [2, 2]
        assert [call.label for call in files.failed] == ["open database"]
        assert await count(host) == [1, 3]


async def test_it_does_not_run_again_for_ever(host_of: OpenHost, tmp_path: Path) -> None:
    files, clock = FaultyFiles(), VirtualClock()
    async with host_of(SOURCE, state=tmp_path / "state", files=files, clock=clock) as host:
        assert await count(host) == [1, 1]
        await clock.advance(2 * IDLE_MS)
        files.fail(Fault(1, errno.EMFILE, lasting=True))
        runs, message = await count(host)
        assert runs == 3
        assert message.endswith("unable to open database file: SQLITE_CANTOPEN")
        files.mend()
        assert await count(host) == [1, 2]
