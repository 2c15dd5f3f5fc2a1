"""A taken-over object against the real handlers of its ops: it may end itself, and nobody else notices."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox.engine.protocol import OP, OPS
from durabox.errors import DuraboxError, UnknownObjectClassError
from durabox.limits import Limits
from durabox.objects.actor import Actor
from durabox.objects.host import Host
from durabox.objects.messages import Request, Response
from durabox.testing import VirtualClock, settle
from tests.engine.forged import REPLY, REPLY_CAP, Script, image

NEIGHBOUR = """
import { DurableObject } from "cloudflare:workers";
let visits = 0;
export class Neighbour extends DurableObject {
  async fetch(request) { return new Response(String(++visits)); }
  async add(a, b) { return a + b; }
}
export class Victim extends DurableObject {
  async fetch(request) { return new Response("never"); }
}
"""
MEMORY_MB, PENDING = 16, 300
#: Of the fetch event: [request, method, url, headers, kind, handle, class].
FETCH = ["GET", "http://x/", [], 1, 0, None, 0]

texts = st.text(max_size=8) | st.sampled_from(
    [
        "http://n/",
        "/",
        "",
        "GET",
        "HEAD",
        "fetch",
        "add",
        "log",
        "warn",
        "neighbour",
        "a" * 64,
        "0" * 64,
        "\r\nx: y",
        "\0",
        "then",
    ]
)
numbers = st.integers(-2, 6) | st.sampled_from([-(2**63), 2**63 - 1, 2**64 - 1, 2**31, 2**53, 200, 404, 1000])
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | texts | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Values of the type of an op's arguments."""
    if kind is int:
        return numbers
    if kind is float:
        return st.floats() | st.integers(-5, 100)
    if kind is bool:
        return st.booleans()
    if kind is str:
        return texts
    if kind is bytes:
        return st.binary(max_size=8)
    if kind is type(None):
        return st.none()
    if isinstance(kind, UnionType):
        return st.one_of([of_type(item) for item in get_args(kind)])
    if get_origin(kind) is list:
        return st.lists(of_type(get_args(kind)[0]), max_size=4)
    if get_origin(kind) is dict:
        return st.dictionaries(texts, anything, max_size=3)
    if get_origin(kind) is tuple:
        items = get_args(kind)
        return st.tuples(*[of_type(item) for item in items if item != ()])
    return anything


def arguments_of(kind: Any) -> st.SearchStrategy[bytes]:
    if kind is bytes:
        return st.binary(max_size=12)
    well_formed = of_type(kind).map(lambda value: msgspec.msgpack.encode(value))
    return st.one_of(
        well_formed, well_formed, well_formed, anything.map(msgspec.msgpack.encode), st.binary(max_size=12)
    )


bodies = st.binary(max_size=16) | st.sampled_from(
    [b"", b"\xff\x0f_", b"\xff\x0fA\x02I\x02I\x04$\x00\x02", b"\xff\x0fo"]
)
calls = st.sampled_from(OPS).flatmap(lambda op: st.tuples(st.just(op.number), arguments_of(op.args), bodies))


class World:
    """A host with a real object, and a class whose objects run the forged guest."""

    def __init__(self, host: Host, clock: VirtualClock) -> None:
        self.host = host
        self.clock = clock
        self.visits = 0
        self.faults: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))

    def victim(self, name: str) -> Actor:
        """A fresh taken-over object."""
        space = self.host.namespace("Victim")
        actor = self.host.actors.get(space, space.ids.from_name(name), name)
        actor._image = image()
        return actor

    async def play(self, actor: Actor, calls: list[tuple[int, bytes, bytes]] | bytes) -> asyncio.Future[Any]:
        """Have it make these calls in one turn, and let all that follows from them happen."""
        if not isinstance(calls, bytes):
            script = Script(len(msgspec.msgpack.encode([actor.incoming._next, *FETCH])))
            for number, args, body in calls:
                script.op(number, args, body)
            calls = script.body
        future: asyncio.Future[Any] = actor.loop.create_future()
        actor.incoming.start_fetch(Request("GET", "http://x/", [], calls), future)
        await settle()
        await self.clock.advance(1000)
        return future

    async def check(self) -> None:
        """The neighbour lives on with all that it had in memory, and nothing went wrong unseen."""
        answer = await self.host.namespace("Neighbour").get_by_name("neighbour").fetch("/")
        before, self.visits = self.visits, int(await answer.text())
        assert self.visits > before, "the neighbour was reset"
        assert self.faults == []


class Stage:
    """An event loop with a `World`, kept for all examples of a test."""

    def __init__(self, folder: Path) -> None:
        main = folder / "main.js"
        main.write_text(NEIGHBOUR)
        self._runner = asyncio.Runner()
        self._names = count()
        self._clock = VirtualClock()
        self._open = Host.open(main, clock=self._clock, limits=Limits(memory_mb=MEMORY_MB, pending=PENDING))
        #: Timers, sections and stubs that the last victim had at its end.
        self.most_kept = 0
        self.world = self._runner.run(self._enter())

    async def _enter(self) -> World:
        return World(await self._open.__aenter__(), self._clock)

    def flood(self, number: int, args: bytes, size: int, *before: tuple[int, bytes, bytes]) -> Any:
        """Call an op a thousand times in one turn with the same arguments and as many bytes of body; gives what `play` does."""
        arguments = len(msgspec.msgpack.encode([1, *FETCH]))
        script = Script(arguments)
        for call in before:
            script.op(*call)
        at = script.place(args)
        for _ in range(1000):
            script.raw(0, number, at, len(args), 0, size, REPLY, REPLY_CAP)
        return self._runner.run(self._play((script.body,)))

    def play(self, *turns: list[tuple[int, bytes, bytes]]) -> list[Any]:
        """Run turns of one taken-over object; gives what each request came to, None for what never ended."""
        return self._runner.run(self._play(turns))

    async def _play(self, turns: tuple[list[tuple[int, bytes, bytes]] | bytes, ...]) -> list[Any]:
        name = f"victim {next(self._names)}"
        outcomes: list[Any] = []
        for turn in turns:
            actor = self.world.victim(name)
            future = await self.world.play(actor, turn)
            outcomes.append((future.exception() or future.result()) if future.done() else None)
            future.cancel()
        actor = self.world.victim(name)
        self.most_kept = len(actor.ops.timers) + actor.core.sections + len(actor.ops.stubs)
        actor.close()
        await settle()
        await self.world.check()
        return outcomes

    def close(self) -> None:
        async def leave() -> None:
            for actor in list(self.world.host.actors._actors.values()):
                actor.close()
            await self._open.__aexit__(None, None, None)

        self._runner.run(leave())
        self._runner.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("hostile"))
    yield stage
    stage.close()


@pytest.mark.parametrize("number", [-1, 2, 2**31])
def test_a_number_stands_for_no_class_but_those_there_are(stage: Stage, number: int) -> None:
    actors = stage.world.host.actors
    assert len(stage.world.host.class_names) == 2
    with pytest.raises(UnknownObjectClassError):
        actors.new_id(number)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(turns=st.lists(st.lists(calls, min_size=1, max_size=6), min_size=1, max_size=3))
def test_no_op_with_whatever_arguments_harms_anybody_else(
    stage: Stage, caplog: pytest.LogCaptureFixture, turns: list[list[tuple[int, bytes, bytes]]]
) -> None:
    caplog.clear()
    for outcome in stage.play(*turns):
        assert outcome is None or isinstance(outcome, Response | DuraboxError)
    # A handler that raised something else than an error of ours is reported there.
    assert [record for record in caplog.records if record.message == "an op failed"] == []


def pack(*arguments: Any) -> bytes:
    return msgspec.msgpack.encode(arguments)


@pytest.fixture
def opened(stage: Stage) -> tuple[int, bytes, bytes]:
    """The call that declares stub 1 to the neighbour."""
    space = stage.world.host.namespace("Neighbour")
    index = stage.world.host.class_names.index("Neighbour")
    return OP["stub_open"], pack(1, index, space.ids.from_name("neighbour"), "neighbour", 0), b""


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "", []), ("GET", "no url", []), ("", "http://x/", []), ("G T", "http://x/", []), ("GET", "http://x/", ["odd"]),
        ("GET", "http://x/", ["a b", "c"]), ("GET", "http://x/", ["a", "b\r\nc: d"]), ("CONNECT", "http://x/", []), ("GET", "javascript:1", []),
        ("GET", "http://x/" + "a" * 100_000, []), ("\u0000", "\u0000", ["\u0000", "\u0000"]), ("GET", "http://[::", ["", ""]),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_does_not_reset_who_gets_it(
    stage: Stage, opened: Any, method: str, url: str, headers: list[str]
) -> None:
    stage.play(
        [opened, (OP["stub_fetch"], pack(1, 0, [0, 1, None, None, None, 0], method, url, headers, 0, 0), b"")]
    )


@pytest.mark.parametrize(
    "arguments",
    [b"", b"\xff", b"\xff\x0f", b"\xff\x0fI\x02", b"\xff\x0fo", b"\xff\x0fA\xff\xff\xff\xff\x0f", b"\xff\x0f" + b"A\x01" * 50_000, b"\xff\x0f" + b"o" * 50_000],
)  # fmt: skip
def test_arguments_that_make_no_sense_do_not_reset_who_gets_them(
    stage: Stage, opened: Any, arguments: bytes
) -> None:
    stage.play(
        [opened, (OP["stub_call"], pack(1, 0, [0, 1, None, None, None, 0], ["add"], True, []), arguments)]
    )


def nested(depth: int) -> bytes:
    return b"\x81\xa1a" * depth + b"\xc0"


@pytest.mark.parametrize("depth", [100, 255, 300, 900, 5000])
@pytest.mark.parametrize(
    "op", ["fail", "stream_error", "section_end", "unhandled_rejection", "construct_failed"]
)
def test_properties_of_errors_are_flat(stage: Stage, op: str, depth: int) -> None:
    error = b"\x94\xa5Error\xa1m\xa0" + nested(depth)
    arguments = error if op in ("unhandled_rejection", "construct_failed") else b"\x01" + error
    count = b"\x91" if op in ("unhandled_rejection", "construct_failed") else b"\x92"
    (outcome,) = stage.play([(OP[op], count + arguments, b"")])
    assert isinstance(outcome, DuraboxError)
    assert "malformed" in str(outcome)


@pytest.mark.parametrize(
    "bindings",
    [[[]], [{}], [[b""]], [True, False], [2**64 - 1], [-(2**63)], [b"x", "y"], [1.5] * 101, [1.5] * 50_000, [["x"] * 9] * 9, []],
)  # fmt: skip
@pytest.mark.parametrize("text", ["INSERT INTO t VALUES (?)", "UPDATE t SET v = ?", "SELECT ?"])
def test_a_statement_run_again_with_bindings_of_no_kind_ends_it_at_most(
    stage: Stage, caplog: pytest.LogCaptureFixture, text: str, bindings: list[Any]
) -> None:
    caplog.clear()
    before = [
        (OP["sql_exec"], pack("CREATE TABLE t (v)", []), b""),
        *[(OP["sql_exec"], pack(text, [1.5]), b"")] * 2,
    ]
    for number in (-1, 0, 1, 2, 99, 2**63):
        again = (OP["sql_again"], pack(number, bindings), b"")
        many = (OP["sql_many"], pack(number, [[1.5], bindings, [1.5]]), b"")
        for calls in ([again], [many], [again, many, again]):
            (outcome,) = stage.play([*before, *calls, (OP["respond"], pack(1, 200, "", [], 1, 0), b"x")])
            assert outcome is None or isinstance(outcome, Response | DuraboxError)
    assert [record for record in caplog.records if record.message == "an op failed"] == []


def test_answers_to_others_requests_reach_nobody(stage: Stage) -> None:
    error = ["Error", "m", "", {}]
    outcomes = stage.play(
        [
            *[(OP["respond"], pack(n, 200, "", [], 1, 0), b"x") for n in (-1, 0, 2, 99)],
            *[(OP["fail"], pack(n, error), b"") for n in (-1, 0, 2, 99)],
            *[(OP["returned"], pack(n, []), b"x") for n in (-1, 0, 1, 2, 99)],
            *[(OP["stream_write"], pack(n), b"x") for n in (-1, 0, 1, 99)],
            *[(OP["stream_error"], pack(n, error), b"") for n in (-1, 0, 1, 99)],
        ]
    )
    assert outcomes == [None]


def test_an_answer_twice_counts_once(stage: Stage) -> None:
    (outcome,) = stage.play(
        [(OP["respond"], pack(1, 200, "", [], 1, 0), text) for text in (b"first", b"second")]
    )
    assert outcome.body == b"first"


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 2**40])
def test_a_status_that_is_none_ends_it(stage: Stage, status: int) -> None:
    (outcome,) = stage.play([(OP["respond"], pack(1, status, "", [], 0, 0), b"")])
    assert isinstance(outcome, DuraboxError)


@pytest.mark.parametrize(
    ("op", "arguments", "size"),
    [
        ("log", pack("log", "x" * 40_000), 0),
        ("unhandled_rejection", pack(["Error", "x" * 40_000, "", {}]), 0),
        ("fail", pack(1, ["Error", "x" * 40_000, "", {}]), 0),
        ("respond", pack(1, 200, "", [], 1, 0), 150_000),
        ("respond", pack(1, 200, "", ["a", "x" * 20_000] * 2, 0, 0), 0),
        ("returned", pack(1, []), 150_000),
        ("stream_write", pack(1), 150_000),
        ("stream_error", pack(1, ["Error", "x" * 40_000, "", {}]), 0),
        ("sync", pack(1, 0), 0),
    ],
)  # fmt: skip
def test_no_flood_of_an_op_fills_the_host(stage: Stage, op: str, arguments: bytes, size: int) -> None:
    tracemalloc.start()
    try:
        stage.flood(OP[op], arguments, size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * MEMORY_MB << 20


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("timer_set", lambda n: pack(n, 0, 1e9, False)),
        ("section_begin", lambda n: pack(n + 1, 0, False)),
        ("stub_open", lambda n: pack(n, 0, None, "other", 0)),
        ("stub_call", lambda n: pack(n, 0, [0, n, 0, None, "other", 0], ["never"], True, [])),
    ],
)
def test_no_more_of_anything_is_kept_than_the_limit_says(stage: Stage, op: str, arguments: Any) -> None:
    stage.play([(OP[op], arguments(n), b"") for n in range(2 * PENDING)])
    assert stage.most_kept <= PENDING


def test_calls_that_nobody_answers_stay_within_the_memory_of_their_caller(stage: Stage, opened: Any) -> None:
    tracemalloc.start()
    try:
        outcomes = stage.flood(
            OP["stub_call"], pack(1, 0, [0, 1, None, None, None, 0], ["never"], True, []), 150_000, opened
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * MEMORY_MB << 20
    assert outcomes == [None], "they are refused, it is not reset"
