"""What an object prints: showing a value has no effect on it. The forms themselves are compared with workerd's elsewhere."""

from __future__ import annotations

import pytest

from .conftest import InObject


async def test_showing_a_cursor_reads_nothing_from_it(in_object: InObject) -> None:
    assert (
        await in_object("""
      const cursor = storage.sql.exec("SELECT 1 AS a UNION SELECT 2");
      console.log(cursor);
      return cursor.toArray().length;
    """)
        == 2
    )


async def test_what_throws_while_it_is_shown_is_no_error_of_the_caller(
    in_object: InObject, caplog: pytest.LogCaptureFixture
) -> None:
    await in_object("""
      console.error({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("no"); } });
      console.error(Object.create(Promise.prototype), "after");
      return 0;
    """)
    shown = [record.getMessage() for record in caplog.records]
    assert shown == ["[a value that cannot be shown]", "Promise {} after"]


async def test_an_error_is_shown_with_its_message_place_and_cause(
    in_object: InObject, caplog: pytest.LogCaptureFixture
) -> None:
    await in_object("""
      console.error("failed:", new RangeError("outer", { cause: new TypeError("inner") }));
      return 0;
    """)
    text = caplog.records[-1].getMessage()
    assert text.startswith("failed: RangeError: outer\n    at ")
    assert "[cause]: TypeError: inner\n" in text
