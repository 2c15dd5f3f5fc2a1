"""What is left of an error that comes from another object: never where it was made, unless for development."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
class Deep extends Error {}
function secretPlace() { return Object.assign(new Deep("far", { cause: new TypeError("why") }), { code: 7 }); }
export class Far extends DurableObject {
  throws() { throw secretPlace(); }
  throwsException() { const error = new DOMException("far", "DataError"); error.cause = secretPlace(); throw error; }
  throwsMany() { throw new AggregateError([secretPlace()], "many"); }
  gives() { return { error: secretPlace() }; }
  throwsSomeUncopied() { throw Object.assign(secretPlace(), { f() {} }); }
  fetch() { throw secretPlace(); }
}
export class Broken extends DurableObject {
  constructor(ctx, env) { super(ctx, env); throw secretPlace(); }
  hi() {}
}
const stacks = (error) => [error, error.cause, ...(error.errors ?? [])].map((each) => each && String(each.stack));
export class Near extends DurableObject {
  async fetch(request) {
    const what = new URL(request.url).pathname.slice(1), far = this.env.FAR.getByName("far");
    let error;
    try {
      const result = await (what === "fetch" ? far.fetch("http://far/") : what === "broken" ? this.env.BROKEN.getByName("b").hi() : far[what]());
      error = result.error;
    } catch (thrown) {
      error = thrown;
    }
    return Response.json({ message: error.message, code: error.code, cause: error.cause?.message, stacks: stacks(error) });
  }
}
"""
WHAT = ["throws", "throwsException", "throwsMany", "gives", "throwsSomeUncopied", "fetch", "broken"]


async def _seen(host_of: OpenHost, what: str, **options: Any) -> Any:
    async with host_of(SOURCE, **options) as host:
        response = await host.namespace("Near").get_by_name("near").fetch(f"/{what}")
        return json.loads(await response.text())


@pytest.mark.parametrize("what", WHAT)
async def test_the_caller_does_not_learn_where_it_was_thrown(host_of: OpenHost, what: str) -> None:
    seen = await _seen(host_of, what)
    assert "secretPlace" not in json.dumps(seen)


@pytest.mark.parametrize("what", ["throws", "fetch", "broken", "throwsSomeUncopied"])
async def test_for_development_it_does(host_of: OpenHost, what: str) -> None:
    seen = await _seen(host_of, what, dev=True)
    first = seen["stacks"][0]
    assert first.startswith("Error: far\n")
    assert "at secretPlace (main.js:" in first
    assert "durabox:" not in first


@pytest.mark.parametrize("what", ["throws", "fetch", "broken"])
async def test_properties_and_cause_survive(host_of: OpenHost, what: str) -> None:
    seen = await _seen(host_of, what)
    assert [seen["message"], seen["code"], seen["cause"]] == ["far", 7, "why"]
