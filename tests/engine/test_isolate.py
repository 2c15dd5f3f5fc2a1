"""Isolates: limits that JavaScript cannot catch or outlive, time slices, images, and what comes after the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from durabox.engine.engine import Engine
from durabox.engine.image import Image
from durabox.engine.isolate import Isolate
from durabox.engine.ops import EndIsolate, GuestError, OpHandlers
from durabox.engine.protocol import EVENT
from durabox.errors import (
    DuraboxError,
    EngineError,
    GuestProtocolError,
    InternalError,
    IsolateClosedError,
    JavaScriptError,
    LimitExceededError,
)
from durabox.limits import Limits
from durabox.wire import decode

START, EVAL = EVENT["start"], EVENT["eval"]


class Recorder(OpHandlers):
    """Keeps what evaluations answer."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.logged: list[str] = []

    def op_evaluated(self, body: bytes) -> None:
        self.results.append(decode(body))

    def op_eval_failed(self, error: tuple[str, str, str, dict[str, Any]], body: bytes) -> None:
        self.results.append(f"{error[0]}: {error[1]}")

    def op_log(self, level: str, text: str, body: bytes) -> None:
        self.logged.append(text)

    def op_unhandled_rejection(self, error: tuple[str, str, str, dict[str, Any]], body: bytes) -> None:
        self.logged.append(f"{error[0]}: {error[1]}")


class Box:
    """An isolate that evaluates."""

    def __init__(self, ops: Recorder | None = None, image: Image | None = None, **limits: Any) -> None:
        self.ops = ops or Recorder()
        self.isolate = (image or Engine.shared().base).instantiate(self.ops, Limits(**limits))

    async def start(self) -> Box:
        await self.isolate.run(START, [])
        return self

    async def eval(self, source: str) -> Any:
        self.ops.results.clear()
        await self.isolate.run(EVAL, ["test.js", {}, False, ""], source.encode())
        return self.ops.results[0] if self.ops.results else None


@pytest.fixture
async def box_of() -> AsyncIterator[Callable[..., Any]]:
    boxes: list[Box] = []

    async def make(*arguments: Any, **limits: Any) -> Box:
        boxes.append(Box(*arguments, **limits))
        return await boxes[-1].start()

    yield make
    for box in boxes:
        box.isolate.close()


class TestLimits:
    @pytest.mark.parametrize(
        "source",
        [
            "for (;;);",
            "try { for (;;); } finally { for (;;); }",
            "(() => { for (;;) { try { for (;;); } catch {} } })()",
            "(async () => { for (;;) await null })()",
            "(function f() { Promise.resolve().then(f) })()",
            "(function f() { queueMicrotask(f) })()",
            "/^(a+)+$/.test('a'.repeat(60) + 'b')",
            "[1, 2, 3].sort(() => { for (;;); })",
            "JSON.stringify({ toJSON() { for (;;); } })",
            "new Proxy({}, { get() { for (;;); } }).x",
            "`${{ toString() { for (;;); } }}`",
            "2n ** (10n ** 9n)",
            "Array.from({ length: Infinity }, () => 0)",
            "(function* () { for (;;) yield 1 })().forEach(() => {})",
        ],
    )
    async def test_processor_time_ends_whatever_runs(self, box_of: Any, source: str) -> None:
        box = await box_of(cpu_ms=30, memory_mb=64)
        result = None
        try:
            result = await box.eval(source)
        except LimitExceededError as error:
            assert error.limit in ("cpu", "memory")
            assert error.value in (30, 64 << 20)
            with pytest.raises(IsolateClosedError):
                await box.eval("1")
        else:
            # The engine itself refused: an error that JavaScript may catch.
            assert isinstance(result, str)
            assert "Error: " in result

    async def test_wall_time_ends_what_lets_others_work(self, box_of: Any) -> None:
        box = await box_of(cpu_ms=60_000, wall_ms=20)
        with pytest.raises(LimitExceededError, match="wall limit of 20 ms"):
            await box.eval("for (;;);")

    async def test_a_limit_holds_for_each_event_anew(self, box_of: Any) -> None:
        box = await box_of(cpu_ms=100)
        for _ in range(4):
            assert await box.eval("{ const until = Date.now() + 40; while (Date.now() < until); } 1") == 1
        assert box.isolate.cpu_ns > 100e6

    @pytest.mark.parametrize(
        "source",
        [
            "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
            "let o; for (;;) o = { o }",
            "let s = 'x'; for (;;) s += s + Math.random()",
            "const m = new Map; for (let i = 0;; i++) m.set(i, { i })",
            "const a = []; for (;;) a.push(new FinalizationRegistry(() => {}))",
        ],
    )
    async def test_memory_runs_out_for_javascript_first_and_then_for_good(
        self, box_of: Any, source: str
    ) -> None:
        box = await box_of(memory_mb=16, cpu_ms=20_000)
        try:
            result = await box.eval(
                f"try {{ (() => {{ {source} }})() }} catch (e) {{ `${{e.name}}: ${{e.message}}` }}"
            )
        except LimitExceededError as error:
            assert (error.limit, error.value, error.unit) == ("memory", 16 << 20, "bytes")
        else:
            assert result in (
                "InternalError: out of memory",
                "RangeError: invalid string length",
                "InternalError: string too long",
            )
            assert box.isolate.memory_bytes <= 16 << 20

    async def test_catching_every_lack_of_memory_ends_at_a_limit_all_the_same(self, box_of: Any) -> None:
        box = await box_of(memory_mb=16, cpu_ms=200)
        with pytest.raises(LimitExceededError) as caught:
            await box.eval(
                "globalThis.kept = []; for (;;) try { kept.push(new Uint8Array(65536).fill(1)) } catch {}"
            )
        assert caught.value.limit in ("cpu", "memory")

    @pytest.mark.parametrize("stack_kb", [64, 512, 928])
    async def test_deep_recursion_throws_and_never_traps(self, box_of: Any, stack_kb: int) -> None:
        box = await box_of(stack_kb=stack_kb)
        deep = "(function f(n) { try { return f(n + 1) } catch (e) { return `${e.name} ${n > 50}` } })(0)"
        assert await box.eval(deep) == "RangeError true"
        assert await box.eval("6 * 7") == 42

    def test_limits_out_of_range_are_refused(self) -> None:
        for field in (
            {"memory_mb": 3},
            {"cpu_ms": 0},
            {"wall_ms": 0},
            {"stack_kb": 929},
            {"memory_mb": 1025},
        ):
            with pytest.raises(DuraboxError, match="must lie between"):
                Limits(**field)


class TestSlices:
    async def test_events_of_another_isolate_run_while_one_loops(self, box_of: Any) -> None:
        busy, other = await box_of(cpu_ms=60_000), await box_of()
        task = asyncio.ensure_future(busy.eval("for (;;);"))
        for number in range(20):
            await asyncio.sleep(0)
            assert await other.eval(f"{number} + 1") == number + 1
        assert not task.done()
        busy.isolate.close()
        with pytest.raises(IsolateClosedError):
            await task

    async def test_many_that_loop_take_turns(self, box_of: Any) -> None:
        boxes = [await box_of(cpu_ms=40) for _ in range(4)]
        results = await asyncio.gather(*(box.eval("for (;;);") for box in boxes), return_exceptions=True)
        assert [type(result) for result in results] == [LimitExceededError] * 4
        assert all(40e6 < box.isolate.cpu_ns < 400e6 for box in boxes)

    async def test_it_cannot_be_entered_while_a_turn_is_under_way(self, box_of: Any) -> None:
        box = await box_of()
        turn = box.isolate.enter(EVAL, ["test.js", {}, False, ""], b"for (;;);")
        assert turn is not None
        with pytest.raises(EngineError, match="while a turn is under way"):
            box.isolate.enter(EVAL, ["test.js", {}, False, ""], b"1")
        with pytest.raises(EngineError, match="only be frozen while it is idle"):
            box.isolate.freeze()
        box.isolate.close()
        with pytest.raises(IsolateClosedError):
            await turn.wait()

    async def test_a_turn_whose_waiter_is_cancelled_can_be_closed(self, box_of: Any) -> None:
        box = await box_of()
        task = asyncio.ensure_future(box.eval("for (;;);"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        box.isolate.close()
        with pytest.raises(IsolateClosedError):
            await box.eval("1")


class TestTheEnd:
    async def test_nothing_works_after_close_and_closing_twice_is_fine(self, box_of: Any) -> None:
        box = await box_of()
        box.isolate.close()
        box.isolate.close()
        for use in (lambda: box.isolate.enter(START, []), box.isolate.freeze, box.isolate.slice):
            with pytest.raises(IsolateClosedError, match="closed"):
                use()
        assert box.isolate.memory_bytes == 0

    async def test_why_it_ended_is_what_later_uses_say(self, box_of: Any) -> None:
        box = await box_of(cpu_ms=10)
        with pytest.raises(LimitExceededError):
            await box.eval("for (;;);")
        with pytest.raises(IsolateClosedError, match="exceeded its cpu limit of 10 ms"):
            await box.eval("1")

    async def test_an_op_may_end_it_and_javascript_cannot_catch_that(self, box_of: Any) -> None:
        class Ending(Recorder):
            def op_log(self, level: str, text: str, body: bytes) -> None:
                raise EndIsolate(JavaScriptError("Error", text))

        box = await box_of(Ending())
        with pytest.raises(JavaScriptError, match="over"):
            await box.eval("try { console.log('over') } catch {} finally { for (;;); }")

    @pytest.mark.parametrize(
        "failure", [ValueError("x"), KeyError("y"), RecursionError(), MemoryError(), OSError(5)]
    )
    async def test_a_handler_that_fails_ends_the_isolate_with_an_error_of_ours(
        self, box_of: Any, failure: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Recorder):
            def op_log(self, level: str, text: str, body: bytes) -> None:
                raise failure

        box = await box_of(Failing())
        with pytest.raises(InternalError):
            await box.eval("try { console.log('x') } catch {}")
        assert "an op failed" in caplog.text

    async def test_an_interrupt_in_a_handler_reaches_the_host_and_ends_the_isolate(self, box_of: Any) -> None:
        class Interrupted(Recorder):
            def op_log(self, level: str, text: str, body: bytes) -> None:
                raise KeyboardInterrupt

        box = await box_of(Interrupted())
        with pytest.raises(KeyboardInterrupt):
            box.isolate.enter(EVAL, ["test.js", {}, False, ""], b"console.log('x')")
        with pytest.raises(IsolateClosedError):
            await box.eval("1")

    async def test_a_handler_cannot_close_the_isolate_that_runs(self, box_of: Any) -> None:
        class Closing(Recorder):
            isolate: Isolate

            def op_log(self, level: str, text: str, body: bytes) -> None:
                self.isolate.close()

        ops = Closing()
        box = await box_of(ops)
        ops.isolate = box.isolate
        with pytest.raises(EngineError, match="while it runs"):
            await box.eval("console.log('x')")

    async def test_errors_of_handlers_are_thrown_in_javascript(self, box_of: Any) -> None:
        class Refusing(Recorder):
            def op_log(self, level: str, text: str, body: bytes) -> None:
                raise GuestError("RangeError", "no\ud800", {"retryable": True})

        box = await box_of(Refusing())
        assert await box.eval(
            "try { console.log(1) } catch (e) { [e instanceof RangeError, e.message, e.retryable] }"
        ) == [True, "no\N{REPLACEMENT CHARACTER}", True]

    async def test_ops_that_nobody_serves_throw(self) -> None:
        isolate = Engine.shared().base.instantiate(OpHandlers(), Limits())
        await isolate.run(START, [])
        # Neither the result nor the failure can be told.
        with pytest.raises(GuestProtocolError, match="not available here"):
            await isolate.run(EVAL, ["test.js", {}, False, ""], b"1")
        isolate.close()


class TestImages:
    async def test_what_one_object_changes_another_does_not_see(self, box_of: Any) -> None:
        maker = Box()
        await maker.eval("globalThis.shared = { list: [1, 2, 3], count: 0 }; 1")
        image = maker.isolate.freeze()
        one, other = await box_of(None, image), await box_of(None, image)
        assert (
            await one.eval(
                "shared.list.push(4); shared.count++; Array.prototype.extra = 1; shared.list.length"
            )
            == 4
        )
        assert await other.eval("[shared.list.length, shared.count, [].extra]") == [3, 0, None]
        third = await box_of(None, image)
        assert await third.eval("[shared.list.length, shared.count]") == [3, 0]
        # The one that was frozen goes on by itself.
        assert await maker.eval("shared.count += 10") == 10

    async def test_objects_of_one_image_draw_different_numbers(self, box_of: Any) -> None:
        image = Box().isolate.freeze()
        drawn = [
            await (await box_of(None, image)).eval("[Math.random(), Math.random(), crypto.randomUUID()]")
            for _ in range(4)
        ]
        flat = [number for numbers in drawn for number in numbers]
        assert len(set(flat)) == len(flat)

    async def test_nothing_random_and_no_time_gets_into_an_image(self) -> None:
        class Frightened(Recorder):
            def clock(self) -> float:
                raise AssertionError("the clock was read")

            def random(self, length: int) -> bytes:
                raise AssertionError("randomness was drawn")

        box = Box(Frightened())
        assert await box.eval(
            "const tried = [() => Math.random(), () => crypto.randomUUID(), () => crypto.getRandomValues(new Uint8Array(1)),"
            " () => setTimeout(() => {}), () => scheduler.wait(1), () => AbortSignal.timeout(1)];"
            "[Date.now(), new Date().getTime(), performance.now(), ...tried.map((f) => { try { f(); return 'fine' } catch (e) { return e.message.slice(0, 51) } })]"
        ) == [
            0,
            0,
            0,
            *["Disallowed operation called within global scope. As"] * 4,
            "fine",
            "Disallowed operation called within global scope. As",
        ]
        box.isolate.freeze()

    async def test_two_images_of_the_same_code_are_equal(self) -> None:
        memories = []
        for _ in range(2):
            box = Box()
            await box.eval("globalThis.made = new Map([[{}, 'x']]); 1")
            box.isolate.freeze()
            machine = box.isolate._machine
            memories.append(machine.read(0, machine.refresh()))
            box.isolate.close()
        assert memories[0] == memories[1]
