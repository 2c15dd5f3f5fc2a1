"""Storage through the JavaScript API against a plain model: any steps and transactions, evictions, restarts and kills."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.objects.host import IDLE_MS, Host
from durabox.testing import VirtualClock

SOURCE = Path(__file__).with_name("interpreter.js")

Step: TypeAlias = list[Any]
Content: TypeAlias = dict[str, Any]

KEYS = st.one_of(
    st.sampled_from(["a", "b", "c", "ab", "", "\0", "__proto__", "\ud800", "\uffff", "\U0001f600"]),
    st.text(max_size=3),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=5,
)
WHO = st.sampled_from(["txn", "storage"])
ENTRIES = st.lists(st.tuples(KEYS, VALUES), max_size=4)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "start": KEYS,
        "end": KEYS,
        "prefix": KEYS,
        "reverse": st.booleans(),
        "limit": st.integers(1, 5),
    },
)


def _steps(*extra: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    plain = st.one_of(
        st.tuples(st.just("put"), KEYS, VALUES, WHO),
        st.tuples(st.just("put many"), ENTRIES, WHO),
        st.tuples(st.just("put unconfirmed"), KEYS, VALUES),
        st.tuples(st.just("unawaited"), KEYS, VALUES),
        st.tuples(st.just("put what cannot be")),
        st.tuples(st.just("get"), KEYS | st.lists(KEYS, max_size=4), WHO),
        st.tuples(st.just("delete"), KEYS | st.lists(KEYS, max_size=4), WHO),
        st.tuples(st.just("list"), OPTIONS, WHO),
        st.tuples(st.just("deleteAll")),
        st.tuples(st.just("transactionSync"), ENTRIES, st.sampled_from(["done", "throw"])),
        *extra,
    )
    return st.lists(plain, max_size=6)


def _nesting(inner: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    return _steps(
        st.tuples(st.just("transaction"), inner, st.sampled_from(["done", "rollback", "throw"])),
        st.tuples(st.just("section"), inner),
    )


STEPS = st.recursive(_steps(), _nesting, max_leaves=4)
REQUESTS = st.tuples(
    st.just("request"),
    st.lists(STEPS | st.just([("sync",)]), max_size=3).map(
        lambda parts: [step for part in parts for step in part]
    ),
    st.sampled_from([[], [], [("throw",)], [("abort",)]]),
)
ACTIONS = st.lists(REQUESTS | st.tuples(st.sampled_from(["evict", "restart", "kill"])), max_size=12)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _shown(key: str) -> str:
    """A key as it comes back: as on the platform, a lone surrogate is lost."""
    return _bytes(key).decode("utf-8", "replace")


class Model:
    """What is committed and what is there, and what each step gives."""

    def __init__(self) -> None:
        self.committed: Content = {}
        self.now: Content = {}
        self.depth = 0

    def commit(self) -> None:
        self.committed = dict(self.now)

    def run(self, steps: list[Step]) -> list[Any]:
        return [self.step(step) for step in steps]

    def step(self, step: Step) -> Any:
        match list(step):
            case ["get", list() as keys, _]:
                return [[_shown(key), self.now[key]] for key in sorted({*keys} & self.now.keys(), key=_bytes)]
            case ["get", key, _]:
                return [self.now[key]] if key in self.now else None
            case ["put", key, value, _] | ["put unconfirmed", key, value] | ["unawaited", key, value]:
                self.now[key] = value
            case ["put many", entries, _]:
                self.now |= dict(entries)
            case ["delete", list() as keys, _]:
                return sum(self.now.pop(key, self) is not self for key in keys)
            case ["delete", key, _]:
                return self.now.pop(key, self) is not self
            case ["list", options, _]:
                return self._list(**options)
            case ["put what cannot be"]:
                return "DataCloneError"
            case ["deleteAll"]:
                if self.depth:
                    return "Cannot call deleteAll() within a transaction"
                self.now.clear()
            case ["sync"]:
                self.commit()
            case ["section", steps]:
                if not self.depth:
                    self.commit()
                return self.run(steps)
            case ["transaction", steps, end]:
                return self._transaction(steps, end)
            case ["transactionSync", entries, end]:
                if end == "throw":
                    return "given up"
                self.now |= dict(entries)
                return "done"
            case _:
                raise AssertionError(step)
        return None

    def _transaction(self, steps: list[Step], end: str) -> Any:
        if not self.depth:
            self.commit()
        before = dict(self.now)
        self.depth += 1
        results = self.run(steps)
        self.depth -= 1
        if end != "done":
            self.now = before
        return [results, "given up" if end == "throw" else "done"]

    def _list(
        self,
        start: str = "",
        end: str | None = None,
        prefix: str = "",
        reverse: bool = False,
        limit: int = 10**6,
    ) -> Any:
        keys = [
            key
            for key in sorted(self.now, key=_bytes, reverse=reverse)
            if _bytes(start) <= _bytes(key)
            and (end is None or _bytes(key) < _bytes(end))
            and _bytes(key).startswith(_bytes(prefix))
        ]
        return [[_shown(key), self.now[key]] for key in keys[:limit]]


class Run:
    """A host on a state directory, and the model beside it."""

    def __init__(self, folder: Path, exits: AsyncExitStack) -> None:
        self.folder = folder
        self.exits = exits
        self.model = Model()
        self.clock = VirtualClock()
        self.generation = 0
        self.host: Host

    @property
    def state(self) -> Path:
        return self.folder / str(self.generation)

    async def open(self) -> None:
        self.host = await self.exits.enter_async_context(Host.open(SOURCE, self.state, clock=self.clock))

    async def do(self, action: tuple[Any, ...]) -> None:
        match action:
            case ("evict",):
                await self.clock.advance(2 * IDLE_MS)
                assert self.host.live == 0
            case ("restart",):
                await self.exits.aclose()
                await self.open()
            case ("kill",):
                # What a killed process leaves is what is in its files now.
                killed = self.state
                self.generation += 1
                shutil.copytree(killed, self.state)
                await self.exits.aclose()
                await self.open()
            case ("request", steps, end):
                await self.request(steps, end)

    async def request(self, steps: list[Step], end: list[Step]) -> None:
        model = self.model
        expected = model.run(steps)
        stub = self.host.namespace("Interpreter").get_by_name("a")
        body = json.dumps([*steps, *end])
        if not end:
            response = await stub.fetch("/", "POST", body=body)
            assert json.loads(await response.text()) == expected
            model.commit()
        elif end[0][0] == "throw":
            with pytest.raises(JavaScriptError, match="thrown"):
                await stub.fetch("/", "POST", body=body)
            model.commit()
        else:
            with pytest.raises(ObjectBrokenError, match="aborted"):
                await stub.fetch("/", "POST", body=body)
            model.now = dict(model.committed)
        response = await stub.fetch("/", "POST", body=json.dumps([["list", {}, "storage"]]))
        assert json.loads(await response.text()) == [model._list()]


async def _follow(actions: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory(prefix="durabox-") as folder:
        async with AsyncExitStack() as exits:
            run = Run(Path(folder), exits)
            await run.open()
            for action in actions:
                await run.do(action)


ANY_DATA = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=60, deadline=None, suppress_health_check=ANY_DATA)
@given(ACTIONS)
def test_storage_does_what_the_model_does(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(_follow(actions))


@pytest.mark.torture
@settings(max_examples=20_000, deadline=None, suppress_health_check=ANY_DATA)
@given(ACTIONS)
def test_storage_does_what_the_model_does_for_hours(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(_follow(actions))
