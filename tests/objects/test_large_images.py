"""Objects of a project whose global scope leaves a large memory behind."""

from __future__ import annotations

import pytest

from tests.objects.conftest import OpenHost

CLASS = """
import { DurableObject } from "cloudflare:workers";
const MIB = 1 << 20;
// Every so many MiB there is something, and nothing between.
const kept = Array.from({ length: 48 }, (_, number) => {
  const bytes = new Uint8Array(MIB);
  if (number % EVERY === 0) for (let at = 0; at < MIB; at += 1024) bytes[at] = number + 1;
  return bytes;
});
export class Large extends DurableObject {
  fetch() {
    const held = kept.filter((bytes, number) => bytes[0] === (number % EVERY === 0 ? number + 1 : 0) && bytes[1023 * 1024] === bytes[0]);
    kept[1][5] = 7;
    return Response.json([held.length, kept.reduce((sum, bytes) => sum + bytes[5], 0)]);
  }
}
"""


@pytest.mark.parametrize("every", [1, 3, 7, 40])
async def test_a_memory_that_is_large_and_mostly_empty_is_started_from(host_of: OpenHost, every: int) -> None:
    async with host_of(CLASS.replace("EVERY", str(every))) as host:
        for name in ("a", "b"):
            answer = await host.namespace("Large").get_by_name(name).fetch("/")
            assert await answer.json() == [48, 7]
