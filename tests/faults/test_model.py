"""Storage through the JavaScript API against a plain model: any steps and transactions, evictions, restarts and kills.

Steps are those of `interpreter.js`: keys and values with promises and without, streams, rows of SQL, and alarms, whose
handler fails and sets itself anew as the content tells it. An alarm rings between requests only: the clock stands still
while one is answered.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.errors import JavaScriptError, ObjectBrokenError
from durabox.objects.alarms import FIRST_DELAY_MS, JITTER, MAX_RETRIES
from durabox.objects.host import IDLE_MS, Host
from durabox.storage.durability import Durability
from durabox.testing import VirtualClock
from tests.served import PATIENCE

SOURCE = Path(__file__).with_name("interpreter.js")

#: How often an alarm's handler runs at most, and the longest time between two of its runs.
TRIES = MAX_RETRIES + 1
LONGEST_DELAY_MS = FIRST_DELAY_MS * 2 ** (MAX_RETRIES - 1) * (1 + JITTER)

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
#: Keys whose values are streams at times; the store without promises has no name for such a value.
STREAMS = st.sampled_from(["s1", "s2"])
LATER = st.sampled_from([1_000, 15_000, 10**6])
ID = st.integers(1, 4)
TEXT = st.text("ab ü", max_size=3)
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


WITHOUT_PROMISES = st.one_of(
    st.tuples(st.just("kv.put"), KEYS, VALUES),
    st.tuples(st.just("kv.put"), st.sampled_from(["fail", "again"]), st.sampled_from([1, 2, 8])),
    st.tuples(st.just("kv.get"), KEYS),
    st.tuples(st.just("kv.delete"), KEYS | STREAMS),
    st.tuples(st.just("ring later"), LATER),
    st.tuples(st.sampled_from(["insert", "replace"]), ID, TEXT),
    st.tuples(st.just("update"), TEXT, ID),
    st.tuples(st.just("remove"), ID),
    st.tuples(st.just("select"), ID),
    st.tuples(st.just("drop")),
)


def _transaction_sync(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(
        st.just("transactionSync"), st.lists(inner, max_size=4), st.sampled_from(["done", "throw"])
    )


SYNCHRONOUS = WITHOUT_PROMISES | _transaction_sync(WITHOUT_PROMISES | _transaction_sync(WITHOUT_PROMISES))


def _steps(*extra: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    plain = st.one_of(
        SYNCHRONOUS,
        st.tuples(st.just("put stream"), STREAMS, st.sampled_from([0, 1, 70_000]), WHO),
        st.tuples(st.just("put"), STREAMS, VALUES, WHO),
        st.tuples(st.just("setAlarm"), LATER, WHO),
        st.tuples(st.just("deleteAlarm"), WHO),
        st.tuples(st.just("getAlarm"), WHO),
        st.tuples(st.just("put"), KEYS, VALUES, WHO),
        st.tuples(st.just("put many"), ENTRIES, WHO),
        st.tuples(st.just("put unconfirmed"), KEYS, VALUES),
        st.tuples(st.just("unawaited"), KEYS, VALUES),
        st.tuples(st.just("put what cannot be")),
        st.tuples(st.just("get"), KEYS | st.lists(KEYS, max_size=4), WHO),
        st.tuples(st.just("delete"), KEYS | st.lists(KEYS, max_size=4), WHO),
        st.tuples(st.just("list"), OPTIONS, WHO),
        st.tuples(st.just("deleteAll")),
        *extra,
    )
    return st.lists(plain, min_size=2, max_size=8)


def _nesting(inner: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    return _steps(
        st.tuples(st.just("transaction"), inner, st.sampled_from(["done", "rollback", "throw"])),
        st.tuples(st.just("section"), inner),
    )


STEPS = st.recursive(_steps(), _nesting, max_leaves=4)
REQUESTS = st.tuples(
    st.just("request"),
    st.lists(STEPS | STEPS | st.just([("sync",)]), min_size=1, max_size=3).map(
        lambda parts: [step for part in parts for step in part]
    ),
    st.sampled_from([[], [], [("throw",)], [("abort",)]]),
)
ACTIONS = st.lists(
    REQUESTS
    | REQUESTS
    | st.tuples(st.sampled_from(["evict", "restart", "kill"]))
    | st.tuples(st.just("wait"), st.sampled_from([999.0, 1_000.0, 20_000.0, 1e6])),
    min_size=4,
    max_size=12,
)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _shown(key: str) -> str:
    """A key as it comes back: as on the platform, a lone surrogate is lost."""
    return _bytes(key).decode("utf-8", "replace")


@dataclass
class State:
    """What an object holds."""

    keys: Content = field(default_factory=dict)
    rows: dict[int, str] = field(default_factory=dict)
    #: In milliseconds since the epoch.
    alarm: float | None = None

    def copy(self) -> State:
        return State(dict(self.keys), dict(self.rows), self.alarm)


class Model:
    """What is committed and what is there, and what each step gives."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.committed = State()
        self.now = State()
        self.depth = 0

    def commit(self) -> None:
        self.committed = self.now.copy()

    def ring(self) -> None:
        """The handler runs until it succeeds or the alarm is given up."""
        keys = self.now.keys
        scheduled, self.now.alarm = self.now.alarm, None
        assert scheduled is not None
        for _ in range(TRIES):
            keys["rang"] = keys.get("rang", 0) + 1
            if not keys.get("fail"):
                if keys.get("again"):
                    keys["again"] -= 1
                    self.now.alarm = scheduled + 1000
                break
            keys["fail"] -= 1
        self.commit()

    def run(self, steps: list[Step]) -> list[Any]:
        return [self.step(step) for step in steps]

    def step(self, step: Step) -> Any:
        keys, rows = self.now.keys, self.now.rows
        match list(step):
            case ["get", list() as names, _]:
                return self._seen(
                    [[_shown(key), keys[key]] for key in sorted({*names} & keys.keys(), key=_bytes)]
                )
            case ["get", key, _]:
                return self._seen([[key, keys[key]]])[0][1:] if key in keys else None
            case ["kv.get", key]:
                return [keys[key]] if key in keys else None
            case ["put" | "kv.put" | "put unconfirmed" | "unawaited", key, value, *_]:
                keys[key] = value
            case ["put stream", key, length, _]:
                keys[key] = {"stream": length}
                if not self.depth:
                    self.commit()
            case ["put many", entries, _]:
                keys |= dict(entries)
            case ["delete", list() as names, _]:
                return sum(keys.pop(key, self) is not self for key in names)
            case ["delete" | "kv.delete", key, *_]:
                return keys.pop(key, self) is not self
            case ["list", options, _]:
                return self._seen(self._list(**options))
            case ["kv.list", options]:
                return [key for key, _ in self._list(**options)]
            case ["put what cannot be"]:
                return "DataCloneError"
            case ["setAlarm" | "ring later", delay, *_]:
                self.now.alarm = self.clock.now() + delay
            case ["deleteAlarm", _]:
                self.now.alarm = None
            case ["getAlarm", _]:
                return self.now.alarm
            case ["insert", number, _] if number in rows:
                return "UNIQUE constraint failed: words.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)"
            case ["insert" | "replace" as how, number, text]:
                rows[number] = text
                return [[text]] if how == "insert" else []
            case ["update", text, least]:
                changed = sorted(number for number in rows if number >= least)
                rows |= {number: rows[number] + text for number in changed}
                return [[number] for number in changed]
            case ["remove", number]:
                return [[rows.pop(number)]] if number in rows else []
            case ["select", least]:
                return [[number, rows[number]] for number in sorted(rows, reverse=True) if number >= least]
            case ["drop"]:
                rows.clear()
            case ["deleteAll"]:
                if self.depth:
                    return "Cannot call deleteAll() within a transaction"
                self.now = State()
            case ["sync"]:
                self.commit()
            case ["section", steps]:
                if not self.depth:
                    self.commit()
                return self.run(steps)
            case ["transaction", steps, end]:
                if not self.depth:
                    self.commit()
                return self._transaction(steps, end)
            case ["transactionSync", steps, end]:
                return self._transaction(steps, end)
            case _:
                raise AssertionError(step)
        return None

    def _seen(self, entries: list[Any]) -> list[Any]:
        """Entries that were read; with a stream among them, the object waited for it."""
        if not self.depth and any(isinstance(value, dict) and "stream" in value for _, value in entries):
            self.commit()
        return entries

    def _transaction(self, steps: list[Step], end: str) -> Any:
        before = self.now.copy()
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
            for key in sorted(self.now.keys, key=_bytes, reverse=reverse)
            if _bytes(start) <= _bytes(key)
            and (end is None or _bytes(key) < _bytes(end))
            and _bytes(key).startswith(_bytes(prefix))
        ]
        return [[_shown(key), self.now.keys[key]] for key in keys[:limit]]


class Run:
    """A host on a state directory, and the model beside it."""

    def __init__(self, folder: Path, exits: AsyncExitStack) -> None:
        self.folder = folder
        self.exits = exits
        self.clock = VirtualClock()
        self.model = Model(self.clock)
        self.generation = 0
        self.host: Host

    @property
    def state(self) -> Path:
        return self.folder / str(self.generation)

    async def open(self) -> None:
        self.host = await self.exits.enter_async_context(
            Host.open(SOURCE, self.state, clock=self.clock, durability=Durability.OFF)
        )

    async def do(self, action: tuple[Any, ...]) -> None:
        match action:
            case ("evict",):
                # What streams have left behind is removed by threads that know nothing of this clock.
                async with asyncio.timeout(PATIENCE):
                    while await self.wait(2 * IDLE_MS) or self.host.live:
                        pass
            case ("wait", milliseconds):
                await self.wait(milliseconds)
            case ("restart",):
                await self.exits.aclose()
                await self.open()
            case ("kill",):
                killed = self.state
                self.generation += 1
                _copy_at_one_moment(killed, self.state)
                await self.exits.aclose()
                await self.open()
            case ("request", steps, end):
                await self.request(steps, end)

    async def wait(self, milliseconds: float) -> bool:
        """Let time pass and alarms ring, with all their tries; whether one did."""
        await self.clock.advance(milliseconds)
        rang = False
        while self.model.now.alarm is not None and self.model.now.alarm <= self.clock.now():
            rang = True
            self.model.ring()
            for _ in range(TRIES):
                await self.host.alarms_quiet()
                await self.clock.advance(LONGEST_DELAY_MS)
        if rang:
            await self.check()
        return rang

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
            model.now = model.committed.copy()
        await self.check()

    async def check(self) -> None:
        """All that the object holds is what the model holds."""
        steps: list[Step] = [
            ["list", {}, "storage"],
            ["kv.list", {"prefix": "r"}],
            ["select", 0],
            ["getAlarm", "storage"],
        ]
        stub = self.host.namespace("Interpreter").get_by_name("a")
        response = await stub.fetch("/", "POST", body=json.dumps(steps))
        assert json.loads(await response.text()) == self.model.run(steps)


def _copy_at_one_moment(source: Path, target: Path) -> None:
    """What a process leaves that is killed now; threads of it that are writing something go on meanwhile."""

    def stamps() -> dict[str, tuple[int, int]]:
        found = {}
        for path in source.rglob("*"):
            with suppress(FileNotFoundError):
                stat = path.stat()
                found[str(path)] = (stat.st_size, stat.st_mtime_ns)
        return found

    while True:
        before = stamps()
        with suppress(shutil.Error):  # a file went away
            shutil.copytree(source, target)
            if stamps() == before:
                return
        shutil.rmtree(target)


async def _follow(actions: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory(prefix="durabox-") as folder:
        async with AsyncExitStack() as exits:
            run = Run(Path(folder), exits)
            await run.open()
            for action in actions:
                await run.do(action)


ANY_DATA = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=60, suppress_health_check=ANY_DATA)
@given(ACTIONS)
def test_storage_does_what_the_model_does(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(_follow(actions))


@pytest.mark.torture
@settings(max_examples=20_000, suppress_health_check=ANY_DATA)
@given(ACTIONS)
def test_storage_does_what_the_model_does_for_hours(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(_follow(actions))
