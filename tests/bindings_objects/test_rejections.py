"""Rejections that nobody handles: who hears of them, and what is logged."""

from __future__ import annotations

import logging

import pytest

from tests.bindings_objects.conftest import InObject

LISTENERS = """
const heard = [];
addEventListener("unhandledrejection", (event) => {
  heard.push(`${event.type} ${event.reason.message}`);
  if (event.reason.message === "expected") event.preventDefault();
});
addEventListener("rejectionhandled", (event) => heard.push(`${event.type} ${event.reason}`));
const later = () => new Promise((done) => setTimeout(done, 0));
"""


async def test_listeners_hear_of_it_after_the_microtasks(in_object: InObject) -> None:
    body = """
      const promise = Promise.reject(new Error("late"));
      await null; await null;
      heard.push("microtasks");
      await later();
      promise.catch(() => {});
      await later();
      return heard;"""
    expected = ["microtasks", "unhandledrejection late", "rejectionhandled undefined"]
    assert await in_object(body, LISTENERS) == expected


async def test_what_is_handled_in_the_same_turn_is_nobodys_business(in_object: InObject) -> None:
    body = """
      const promise = Promise.reject(new Error("caught"));
      await null;
      promise.catch(() => {});
      await later();
      return heard;"""
    assert await in_object(body, LISTENERS) == []


async def test_it_is_logged_unless_prevented(in_object: InObject, caplog: pytest.LogCaptureFixture) -> None:
    body = """
      Promise.reject(new Error("expected"));
      Promise.reject(new RangeError("surprise"));
      await later();
      return heard;"""
    with caplog.at_level(logging.ERROR):
        assert await in_object(body, LISTENERS) == [
            "unhandledrejection expected",
            "unhandledrejection surprise",
        ]
    [logged] = [record.getMessage() for record in caplog.records]
    assert logged.startswith("Uncaught (in promise) RangeError: surprise\n    at ")


async def test_a_listener_that_throws_does_not_keep_it_from_the_log(
    in_object: InObject, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
      addEventListener("unhandledrejection", () => { throw new Error("in the listener"); });
      Promise.reject(new Error("surprise"));
      await later();
      return heard;"""
    with caplog.at_level(logging.ERROR):
        assert await in_object(body, LISTENERS) == ["unhandledrejection surprise"]
    logged = [record.getMessage().partition("\n")[0] for record in caplog.records]
    assert logged == ["Uncaught Error: in the listener", "Uncaught (in promise) Error: surprise"]


async def test_a_listener_that_rejects_does_not_lead_to_itself(
    in_object: InObject, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
      addEventListener("unhandledrejection", async () => { await later(); throw new Error("again"); });
      Promise.reject(new Error("surprise"));
      for (let turns = 0; turns < 9; turns++) await later();
      return heard;"""
    with caplog.at_level(logging.ERROR):
        assert await in_object(body, LISTENERS) == ["unhandledrejection surprise"]
    logged = [record.getMessage().partition("\n")[0] for record in caplog.records]
    assert logged == ["Uncaught (in promise) Error: surprise", "Uncaught Error: again"]


async def test_what_a_timer_throws_is_no_rejection(
    in_object: InObject, caplog: pytest.LogCaptureFixture
) -> None:
    body = 'setTimeout(() => { throw new Error("timer"); }, 0); await later(); await later(); return heard;'
    with caplog.at_level(logging.ERROR):
        assert await in_object(body, LISTENERS) == []
    assert [record.getMessage().partition("\n")[0] for record in caplog.records] == ["Uncaught Error: timer"]
