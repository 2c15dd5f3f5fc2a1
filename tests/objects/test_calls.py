"""Methods of a class, called from Python."""

from __future__ import annotations

import pytest

from durabox.errors import JavaScriptError
from tests.objects.conftest import OpenHost

SOURCE = """
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  echo(...values) { return values; }
  async add(by) { const n = ((await this.ctx.storage.get("n")) ?? 0) + by; await this.ctx.storage.put("n", n); return n; }
  kinds() { return { map: new Map([["a", 1]]), set: new Set([1]), date: new Date(0), bytes: new Uint8Array([1, 2]), big: 5n, none: undefined }; }
  fails() { throw new RangeError("no"); }
  fn() { return () => 1; }
}
"""


async def test_plain_data_goes_in_and_comes_out(host_of: OpenHost) -> None:
    async with host_of(SOURCE) as host:
        box = host.namespace("Box").get_by_name("a")
        values = [None, True, 1.5, "é", b"\x00\xff", [1, {"k": []}]]
        assert await box.call("echo", *values) == values
        assert [await box.call("add", 2), await box.call("add", 3)] == [2, 5]
        assert await box.call("kinds") == {
            "map": {"a": 1},
            "set": [1],
            "date": "1970-01-01T00:00:00.000Z",
            "bytes": b"\x01\x02",
            "big": 5,
            "none": None,
        }


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("fails", "RangeError", "no"),
        ("missing", "TypeError", 'The RPC receiver does not implement the method "missing".'),
        ("fetch", "TypeError", "'fetch' is a reserved method and cannot be called over RPC."),
        ("fn", "DataCloneError", "() => 1 could not be cloned."),
    ],
)
async def test_a_call_that_fails_raises_what_javascript_threw(
    host_of: OpenHost, method: str, name: str, message: str
) -> None:
    async with host_of(SOURCE) as host:
        with pytest.raises(JavaScriptError) as caught:
            await host.namespace("Box").get_by_name("a").call(method)
        assert (caught.value.name, caught.value.message) == (name, message)
