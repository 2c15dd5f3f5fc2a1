"""A host that closes while requests are under way."""

from __future__ import annotations

import asyncio

from durabox.objects.messages import Request
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Late extends DurableObject {
  fetch() { return new Response("too late"); }
}
export default {
  async fetch(request, env) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    try {
      return await env.LATE.get(env.LATE.idFromName("new")).fetch(request);
    } catch (error) {
      return new Response(`caught ${error.message}`);
    }
  },
};
"""


async def test_a_worker_that_wants_a_new_object_then_gets_an_error_and_can_still_answer(
    host_of: OpenHost,
) -> None:
    async with host_of(SOURCE) as host:
        answer = asyncio.ensure_future(host.fetch(Request("GET", "http://a/wait")))
        await asyncio.sleep(0)
        await asyncio.wait_for(host.close(), 10)
        response = await answer
        assert await response.text() == "caught The host is shutting down."
