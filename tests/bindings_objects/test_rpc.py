"""RPC between isolates: what is copied and what is lent, pipelining, lifetimes, and what cannot be reached."""

from __future__ import annotations

import pytest

from tests.bindings_objects.conftest import InObject

#: The far side of every test: the class `Far`, of which `far` is a stub.
FAR = """
import { RpcTarget, RpcStub, WorkerEntrypoint, env as ENV } from "cloudflare:workers";
const log = [];
class Counter extends RpcTarget {
  #value;
  constructor(value) { super(); this.#value = value; }
  increment(by = 1) { return (this.#value += by); }
  get value() { return this.#value; }
  self() { return this; }
  fails() { throw new RangeError("no"); }
  own = () => "own";
  [Symbol.dispose]() { log.push(`disposed ${this.#value}`); }
}
export class Far extends DurableObject {
  field = "hidden";
  get greeting() { return "hello"; }
  get nested() { return { deep: { call: (x) => x * 2, value: 7 } }; }
  echo(...values) { return values.length === 1 ? values[0] : values; }
  kinds(...values) { return values.map((v) => Object.prototype.toString.call(v).slice(8, -1)); }
  counter(value) { return new Counter(value); }
  async apply(callback, ...args) { return await callback(...args); }
  keep(callback) { this.kept = callback.dup(); return "kept"; }
  async callKept(...args) { return await this.kept(...args); }
  drop() { this.kept[Symbol.dispose](); }
  async keepWithoutDup(callback) { this.kept = callback; }
  async text(stream) { return await new Response(stream).text(); }
  stream(text) { return new Response(text).body; }
  async write(writable) { const w = writable.getWriter(); await w.write(new TextEncoder().encode("abc")); await w.close(); }
  async ask(request) { return new Response(`${request.method} ${request.url} ${await request.text()}`, { status: 201 }); }
  async viaStub(stub) { return await stub.echo("via"); }
  async back(stub) { return await (await stub.fetch("http://x/back")).text(); }
  many() { return { a: new Counter(1), b: { c: new Counter(2) }, n: 3 }; }
  log() { return log.splice(0); }
  throws(value) { throw value; }
  note(number) { log.push(number); }
  async noteAndRead(number, stream) { log.push(number); return await new Response(stream).text(); }
  get listed() { return [1]; }
  get noting() { log.push("read"); return 1; }
  then() { return "never"; }
  fetch() { return new Response("far"); }
  _under() { return "callable"; }
}
export class Entry extends WorkerEntrypoint {
  add(a, b) { return a + b + (this.ctx.props.plus ?? 0); }
  async far(text) { return await this.env.FAR.getByName("x").echo(text); }
}
"""

HEAD = "const far = env.FAR.getByName('far'); "


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("far.echo(1)", 1),
        ("far.echo({a: [1, {b: null}]})", {"a": [1, {"b": None}]}),
        ("far.echo(1, 2)", [1, 2]),
        ("far.greeting", "hello"),
        ("far.nested.deep.value", 7),
        ("far.nested.deep.call(4)", 8),
        ("far._under()", "callable"),
        ("far.counter(5).increment(2)", 7),
        ("far.counter(5).value", 5),
        ("far.counter(5).self().self().increment()", 6),
        ("far.apply((a, b) => a + b, 1, 2)", 3),
        ("far.apply(async (f) => await f.echo('x'), far)", "x"),
        (
            "far.kinds(new Date(0), /a/, new Map(), new Uint8Array(1), 1n)",
            ["Date", "RegExp", "Map", "Uint8Array", "BigInt"],
        ),
        ("far.text(new Response('body').body)", "body"),
        ("new Response(await far.stream('streamed')).text()", "streamed"),
        ("far.viaStub(env.FAR.getByName('other'))", "via"),
        ("far.apply.call === undefined", False),
        ("far.then === undefined", True),
        ("far.fetch('http://far/').then((r) => r.text())", "far"),
        (
            "(await far.ask(new Request('http://x/p', {method: 'POST', body: 'b'}))).text()",
            "POST http://x/p b",
        ),
        ("(await far.ask(new Request('http://x/'))).status", 201),
        ("(await far.echo(new Headers({a: 'b'}))).get('a')", "b"),
        ("ctx.exports.Entry.add(1, 2)", 3),
        ("ctx.exports.Entry({props: {plus: 10}}).add(1, 2)", 13),
        ("ctx.exports.Entry.far('deep')", "deep"),
        ("new RpcStub((x) => x + 1)(4)", 5),
        ("new RpcStub(new Counter(1)).increment(3)", 4),
        ("new RpcStub({f: () => 'plain'}).f()", "plain"),
        ("(await far.counter(1)) instanceof RpcStub", True),
        ("typeof await far.counter(1)", "function"),
        ("(await far.many()).b.c.increment(5)", 7),
    ],
)
async def test_a_call_gives_what_the_other_side_returns(
    in_object: InObject, expression: str, expected: object
) -> None:
    assert await in_object(f"{HEAD} return await ({expression});", FAR) == expected


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("far.missing()", 'TypeError: The RPC receiver does not implement the method "missing".'),
        ("far.field", 'TypeError: The RPC receiver does not implement the method "field".'),
        ("far['#value']()", 'TypeError: The RPC receiver does not implement the method "#value".'),
        ("far.counter(1)['#value']", 'TypeError: The RPC receiver does not implement the method "#value".'),
        ("far.listed.length", 'TypeError: The RPC receiver does not implement the method "listed".'),
        ("far.echo({a: [1]}).a.map()", 'TypeError: The RPC receiver does not implement the method "a".'),
        ("far.nested.deep.value()", 'TypeError: "nested.deep.value" is not a function.'),
        ("far.greeting()", 'TypeError: "greeting" is not a function.'),
        ("far.alarm()", "TypeError: 'alarm' is a reserved method and cannot be called over RPC."),
        ("far.counter(1).own()", 'TypeError: The RPC receiver does not implement the method "own".'),
        ("far.counter(1).fails()", "RangeError: no"),
        ("far.echo(1).x.y()", 'TypeError: The RPC receiver does not implement the method "x".'),
        ("far.echo(Symbol('s'))", "DataCloneError: Symbol(s) could not be cloned."),
        (
            "far.echo(new (class Foo {})())",
            'DataCloneError: Could not serialize object of type "Foo". This type does not support serialization.',
        ),
        (
            "far.echo({p: far.echo(1)})",
            'DataCloneError: Could not serialize object of type "RpcPromise". This type does not support serialization.',
        ),
        ("far.throws(new TypeError('far away'))", "TypeError: far away"),
        (
            "new RpcStub(new Date())",
            "TypeError: RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.",
        ),
        (
            "(async () => { const c = await far.counter(1); c[Symbol.dispose](); return await c.increment(); })()",
            "Error: RPC stub used after being disposed.",
        ),
        (
            "far.echo(new Uint8Array(33 * 1024 * 1024))",
            "Error: Serialized RPC arguments or return values are limited to 32MiB",
        ),
    ],
)
async def test_what_cannot_be_done_is_a_rejection(in_object: InObject, expression: str, error: str) -> None:
    answer = await in_object(f"{HEAD} return await attempt(async () => await ({expression}));", FAR)
    assert isinstance(answer, str) and answer.startswith(error)


async def test_a_lent_object_is_disposed_of_once_nobody_holds_it(in_object: InObject) -> None:
    body = """
      const first = await far.counter(1), copy = first.dup();
      first[Symbol.dispose]();
      const between = await far.log();
      copy[Symbol.dispose]();
      await new Promise((done) => setTimeout(done, 1));
      { using second = await far.counter(2); await second.increment(); }
      { using result = await far.many(); }
      await new Promise((done) => setTimeout(done, 1));
      return [between, (await far.log()).sort()];"""
    assert await in_object(HEAD + body, FAR) == [[], ["disposed 1", "disposed 1", "disposed 2", "disposed 3"]]


async def test_a_stub_among_the_arguments_ends_with_the_call_unless_it_was_duplicated(
    in_object: InObject,
) -> None:
    body = """
      let calls = 0;
      await far.keep(() => ++calls);
      const kept = [await far.callKept(), await far.callKept()];
      await far.keepWithoutDup(() => ++calls);
      return [kept, await attempt(() => far.callKept())];"""
    assert await in_object(HEAD + body, FAR) == [[1, 2], "Error: RPC stub used after being disposed."]


async def test_calls_on_one_stub_arrive_in_order(in_object: InObject) -> None:
    body = """
      const counter = await far.counter(0);
      return Promise.all([counter.increment(1), counter.increment(10), far.counter(5).increment(), counter.increment(100)]);"""
    assert await in_object(HEAD + body, FAR) == [1, 11, 6, 111]


async def test_order_holds_across_pipelined_calls_streams_and_reads(in_object: InObject) -> None:
    body = """
      const { readable, writable } = new IdentityTransformStream(), writer = writable.getWriter();
      const first = far.noteAndRead(1, readable), second = far.counter(5).self().increment(), third = far.note(2), read = far.noting.then();
      const last = [far.noteAndRead(3, new Response("x").body), far.fetch("http://x/"), far.note(4)];
      // The first call goes on after all the others.
      await Promise.all([second, third, read, ...last]);
      await writer.write(new TextEncoder().encode("late"));
      await writer.close();
      return [await far.log(), await first];"""
    [order, late] = await in_object(HEAD + body, FAR)
    assert ([each for each in order if not str(each).startswith("disposed")], late) == (
        [1, 2, "read", 3, 4],
        "late",
    )


async def test_a_writable_stream_can_be_lent(in_object: InObject) -> None:
    body = """
      const { readable, writable } = new TransformStream();
      const [text] = await Promise.all([new Response(readable).text(), far.write(writable)]);
      return text;"""
    assert await in_object(HEAD + body, FAR) == "abc"


async def test_a_callback_reaches_into_the_critical_section_that_lent_it(in_object: InObject) -> None:
    body = """
      return ctx.blockConcurrencyWhile(async () => await far.apply(async () => (await storage.get("none")) ?? "inside"));"""
    assert await in_object(HEAD + body, FAR) == "inside"


async def test_objects_may_call_each_other_in_a_circle(in_object: InObject) -> None:
    more = (
        FAR
        + """
export class Ring extends DurableObject {
  async pass(left) { return left === 0 ? "round" : await this.env.RING.getByName(String(left % 3)).pass(left - 1); }
}"""
    )
    assert await in_object("return env.RING.getByName('0').pass(9);", more) == "round"


async def test_a_failed_call_says_where_it_failed(in_object: InObject) -> None:
    body = "try { await far.throws(new Error('x')); } catch (e) { return [e.remote, e.durableObjectId === far.id.toString()]; }"
    assert await in_object(HEAD + body, FAR) == [True, True]
