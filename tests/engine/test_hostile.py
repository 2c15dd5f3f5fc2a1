"""A guest that was taken over: whatever it hands to the host, it ends itself at most, with an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from durabox.engine.isolate import Isolate
from durabox.engine.ops import OpHandlers
from durabox.engine.protocol import OP
from durabox.errors import DuraboxError, GuestProtocolError, LimitExceededError
from durabox.limits import Limits
from tests.engine.forged import PAGE, PAGES, REPLY, REPLY_CAP, Script, image

END = PAGES * PAGE
BIG = 2**32 - 1
KV_GET, LOG = OP["kv_get"], OP["log"]
LOG_ARGS = msgspec.msgpack.encode(["log", "x"])

addresses = st.integers(0, BIG) | st.sampled_from([0, 1, END - 1, END, END + 1, 2**31, 2**31 - 1, BIG])
lengths = st.integers(0, 64) | addresses


class Keeper(OpHandlers):
    """Serves a few ops in ways that make replies of every size."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def op_kv_get(self, key: bytes, body: bytes) -> bytes:
        self.seen.append((key, body))
        return b"v" * len(key) * 3

    def op_log(self, level: str, text: str, body: bytes) -> str:
        self.seen.append((level, text))
        return text


@pytest.fixture
def isolate_of() -> Iterator[Callable[..., Isolate]]:
    made: list[Isolate] = []

    def make(ops: OpHandlers | None = None, **limits: Any) -> Isolate:
        made.append(image().instantiate(ops or Keeper(), Limits(**limits)))
        return made[-1]

    yield make
    for isolate in made:
        isolate.close()


def play(isolate: Isolate, script: Script) -> None:
    if isolate.enter(1, [], script.body) is not None:
        while not isolate.slice():
            pass


def test_a_well_formed_call_arrives(isolate_of: Any) -> None:
    ops = Keeper()
    play(isolate_of(ops), Script().op(KV_GET, b"key", b"body").op(LOG, LOG_ARGS))
    assert ops.seen == [(b"key", b"body"), ("log", "x")]


@pytest.mark.parametrize("number", [0, -1, 10_000, 2**31 - 1, -(2**31)])
def test_ops_that_do_not_exist_end_it(isolate_of: Any, number: int) -> None:
    with pytest.raises(GuestProtocolError):
        play(isolate_of(), Script().op(number))


@pytest.mark.parametrize(
    ("args", "args_len", "body", "body_len"),
    [
        (END, 1, 0, 0), (END - 1, 2, 0, 0), (0, 8, END, 1), (BIG, BIG, 0, 0), (0, 0, 1, BIG), (2**31, 16, 0, 0), (0, END + 1, 0, 0),
    ],
)  # fmt: skip
def test_pointers_out_of_its_memory_end_it(
    isolate_of: Any, args: int, args_len: int, body: int, body_len: int
) -> None:
    with pytest.raises((GuestProtocolError, LimitExceededError)):
        play(isolate_of(), Script().raw(0, KV_GET, args, args_len, body, body_len, REPLY, REPLY_CAP))


@pytest.mark.parametrize(("reply", "cap"), [(END, 64), (END - 1, 64), (BIG, BIG), (2**31, 2**31)])
def test_a_reply_buffer_out_of_its_memory_ends_it(isolate_of: Any, reply: int, cap: int) -> None:
    with pytest.raises(GuestProtocolError, match="reply buffer out of range"):
        play(isolate_of(), Script().raw(0, KV_GET, 0, 8, 0, 0, reply, cap))


def test_a_reply_that_did_not_fit_can_be_fetched_once(isolate_of: Any) -> None:
    isolate = isolate_of()
    play(isolate, Script().op(KV_GET, b"k" * 100, cap=10).raw(1, REPLY, 301).raw(1, REPLY, 0))
    with pytest.raises(GuestProtocolError, match="does not fit"):
        play(isolate, Script().op(KV_GET, b"k" * 100, cap=10).raw(1, REPLY, 300))


@pytest.mark.parametrize(("pointer", "cap"), [(END, 500), (END - 5, 500), (BIG, BIG)])
def test_a_fetched_reply_must_lie_in_its_memory(isolate_of: Any, pointer: int, cap: int) -> None:
    with pytest.raises(GuestProtocolError, match="out of range"):
        play(isolate_of(), Script().op(KV_GET, b"k" * 100, cap=0).raw(1, pointer, cap))


@pytest.mark.parametrize(("pointer", "length"), [(END, 1), (BIG, 1), (0, END), (0, BIG), (END - 3, 4)])
def test_random_bytes_must_lie_in_its_memory_and_be_few(isolate_of: Any, pointer: int, length: int) -> None:
    with pytest.raises(GuestProtocolError):
        play(isolate_of(), Script().raw(2, pointer, length))


@pytest.mark.parametrize(("pointer", "length"), [(0, 0), (0, END), (END, 5), (BIG, BIG), (0, BIG)])
def test_giving_up_is_an_error_of_ours_whatever_the_message(
    isolate_of: Any, pointer: int, length: int
) -> None:
    with pytest.raises(GuestProtocolError, match="gave up"):
        play(isolate_of(), Script().raw(3, pointer, length))


def test_messages_beyond_their_limit_end_it(isolate_of: Any) -> None:
    with pytest.raises(LimitExceededError, match="message limit"):
        play(isolate_of(message_mb=1), Script().raw(0, KV_GET, 0, 1 << 20, 0, 1, REPLY, REPLY_CAP))


@pytest.mark.parametrize("result", [2, 3, -1, 1])
def test_what_the_event_function_returns_is_checked(isolate_of: Any, result: int) -> None:
    isolate = isolate_of()
    size = abs(result)
    # An op's length is what the event function gives back.
    script = (
        Script().op(LOG, msgspec.msgpack.encode(["log", "x" * (size - 1)]), cap=0 if result < 0 else 9).raw(4)
    )
    with pytest.raises((GuestProtocolError, LimitExceededError)):
        play(isolate, script)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 3), st.lists(addresses | st.integers(0, 60), min_size=7, max_size=7)),
        max_size=5,
    )
)
@example(calls=[(0, [KV_GET, 0, END, 0, END, 0, END])])
@example(calls=[(0, [KV_GET, 0, 10, 0, 10, 0, 0]), (1, [0, BIG])])
def test_no_call_whatever_its_numbers_raises_anything_else(
    isolate_of: Any, calls: list[tuple[int, list[int]]]
) -> None:
    script = Script()
    for function, arguments in calls:
        script.raw(function, *arguments)
    isolate = isolate_of()
    try:
        play(isolate, script)
    except DuraboxError:
        pass
    finally:
        isolate.close()
