// How RPC ends, case by case: lifetimes and disposers, streams that end early, what is left of errors. Served by durabox and by workerd.
import { DurableObject, WorkerEntrypoint, RpcStub, RpcTarget } from "cloudflare:workers";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const within = (ms, promise) => Promise.race([promise, wait(ms).then(() => "(nothing)")]);
const seen = (error) => (error instanceof Error ? { name: error.name, message: error.message, type: error.constructor.name, keys: Object.keys(error).sort() } : { value: String(error) });
const attempt = async (run) => { try { return (await run()) ?? "(undefined)"; } catch (error) { return seen(error); } };
const bytes = (text) => new TextEncoder().encode(text);
const text = (chunk) => (chunk === undefined ? "(undefined)" : new TextDecoder().decode(chunk));

const disposed = [];
class Target extends RpcTarget {
  constructor(name, log) { super(); this.name = name; this.log = log; }
  hi() { return this.name; }
  get list() { return [1]; }
  child() { return new Target("child", this.log); }
  fails() { throw new FooError("from target"); }
  [Symbol.dispose]() { this.log.push(this.name); }
}
class FooError extends Error { constructor(message, options) { super(message, options); this.name = "FooError"; this.code = 7; } }
class Unnamed extends TypeError {}
class Unrelated { own = 1; method() { return 2; } }

// A source that notes how it is cancelled, and a sink that notes all.
const source = (log, chunks, failure) => {
  let made = 0;
  return new ReadableStream({
    type: "bytes",
    pull(c) {
      if (made++ < chunks) c.enqueue(bytes("y"));
      else if (failure) c.error(failure);
      else { c.close(); c.byobRequest?.respond(0); }
    },
    cancel(reason) { log.push(["cancel", seen(reason)]); },
  }, { highWaterMark: 0 });
};
const sink = (log, failure) => new WritableStream({
  write(chunk) { if (failure) throw failure; log.push(["write", Object.prototype.toString.call(chunk), text(chunk)]); },
  close() { log.push("close"); },
  abort(reason) { log.push(["abort", seen(reason)]); },
});
const values = (...chunks) => new ReadableStream({ start(c) { for (const chunk of chunks) c.enqueue(chunk); c.close(); } });

export class Far extends DurableObject {
  log = [];
  #private() { return 1; }
  own = () => 1;
  takeLog() { return this.log.splice(0); }
  give(name = "given") { return new Target(name, this.log); }
  same() { return (this.one ??= new Target("same", this.log)); }
  twice() { const one = new Target("twice", this.log); return [one, one]; }
  plain() { return { inside: new Target("inside", this.log), [Symbol.dispose]: () => this.log.push("plain") }; }
  array() { return Object.assign([1], { [Symbol.dispose]: () => this.log.push("array") }); }
  fn() { return Object.assign(() => 1, { [Symbol.dispose]: () => this.log.push("fn") }); }
  take(value) { return typeof value; }
  async hi(stub) { return await stub.hi(); }
  keep(stub) { this.kept = stub.dup(); }
  keepRaw(stub) { this.kept = stub; }
  async hiKept() { return await this.kept.hi(); }
  async callKept() { return await this.kept(); }
  drop() { this.kept[Symbol.dispose](); }
  back(stub) { return stub; }
  reset() { this.ctx.abort("reset"); }
  fail() { throw new Error("no"); }
  async holdFrom(name) { return await (this.held = await this.env.FAR.getByName(name).give()).hi(); }
  async hiHeld() { return await this.held.hi(); }
  // Streams
  async readAll(stream) { return await attempt(() => new Response(stream).text()); }
  async readOne(stream) { this.reader = stream.getReader(); return text((await this.reader.read()).value); }
  async readOneAndCancel(stream) { const value = await this.readOne(stream); await this.reader.cancel("enough"); return value; }
  async cancelAtOnce(stream) { await stream.cancel(new RangeError("never")); return "cancelled"; }
  keepStream(stream) { this.stream = stream; }
  async readKept() { return await attempt(() => new Response(this.stream).text()); }
  source(chunks, failure) { return source(this.log, chunks, failure); }
  broken() { return new ReadableStream({ type: "bytes", start(c) { c.error(new RangeError("at once")); } }); }
  texts() { return values("te", "xt"); }
  objects() { return values({ a: 1 }); }
  identity() {
    const { readable, writable } = new IdentityTransformStream();
    this.writer = writable.getWriter();
    this.writer.write(bytes("first")).catch((error) => this.log.push(["write", seen(error)]));
    this.writer.closed.catch((error) => this.log.push(["closed", seen(error)]));
    return readable;
  }
  async writeMore() { return await attempt(() => this.writer.write(bytes("more"))); }
  async stop() { return await attempt(() => this.writer.abort("stopped")); }
  sink(failure) { return sink(this.log, failure); }
  async write(stream, ...chunks) { this.writer = stream.getWriter(); const results = []; for (const chunk of chunks) results.push(await attempt(() => this.writer.write(chunk))); return results; }
  async writeAndClose(stream, ...chunks) { return [...(await this.write(stream, ...chunks)), await attempt(() => this.writer.close())]; }
  async writeAndAbort(stream, reason) { return [...(await this.write(stream, bytes("one"))), await attempt(() => this.writer.abort(reason))]; }
  async writeAndFail(stream) { await this.write(stream, bytes("one")); throw new Error("left"); }
  async writeKept() { return [await attempt(() => this.writer.write(bytes("late"))), await attempt(() => this.writer.close())]; }
  // Errors
  throwIt(kind) { throw thrown[kind](); }
  get getting() { throw new FooError("getter"); }
  async callIt(callback) { await callback(); }
  async hop(kind) { await this.env.FAR.getByName("hop").throwIt(kind); }
  echo(value) { return value; }
  get data() { return { list: [1], instance: new Unrelated(), text: "text", nothing: null, f: Object.assign(() => "called", { p: 5 }) }; }
  describe(error) { return seenWhole(error); }
  big() { return new Uint8Array(33 * 1024 * 1024); }
  symbol() { return Symbol("s"); }
  async order(number) { this.log.push(number); if (number === 0) await wait(5); return number; }
  async fetch(request) {
    const kind = new URL(request.url).pathname.slice(1);
    if (kind === "read") return Response.json(await attempt(() => request.text()));
    if (kind === "cancel") { await request.body.cancel("no"); return new Response("cancelled"); }
    if (kind === "ignore") return new Response("ignored");
    if (kind === "texts") return new Response(values("te", "xt"));
    if (kind === "breaks") return new Response(source(this.log, 2, new TypeError("source failed")));
    throw thrown[kind]();
  }
}
export class Broken extends DurableObject { constructor(ctx, env) { super(ctx, env); throw new FooError("in the constructor", { cause: new TypeError("why") }); } hi() {} fetch() {} }
export class Blocked extends DurableObject { constructor(ctx, env) { super(ctx, env); ctx.blockConcurrencyWhile(async () => { throw new FooError("in a section"); }); } hi() {} fetch() {} }

export class Entry extends WorkerEntrypoint {
  target() { return new Target("entry", disposed); }
  fails() { throw new FooError("entry", { cause: new TypeError("why") }); }
  async hi(stub) { return await stub.hi(); }
  fetch() { throw new FooError("entry fetch"); }
}

// Own and hidden properties, and where it was made: never where the far side did.
const seenWhole = (error, depth = 0) => {
  if (typeof error !== "object" || error === null) return { value: String(error) };
  const whole = { type: error.constructor?.name, name: error.name, message: error.message };
  for (const key of Object.getOwnPropertyNames(error).sort()) if (!["name", "message", "stack", "cause", "errors"].includes(key)) whole[`.${key}`] = key === "durableObjectId" ? "an id" : error[key];
  if (error.cause !== undefined && depth < 3) whole.cause = seenWhole(error.cause, depth + 1);
  if (error.errors) whole.errors = error.errors.map((each) => seenWhole(each, depth + 1));
  whole.tells = String(error.stack).includes("throwIt");
  if (!(error instanceof DOMException)) whole.keys = Object.keys(error).sort();
  return whole;
};
const caught = async (run) => { try { return { returned: (await run()) ?? null }; } catch (error) { return seenWhole(error); } };
const thrown = {
  plain: () => new Error("plain"), type: () => new TypeError("t"), range: () => new RangeError("r"), syntax: () => new SyntaxError("s"),
  reference: () => new ReferenceError("r"), uri: () => new URIError("u"), evaluation: () => new EvalError("e"),
  aggregate: () => new AggregateError([new Error("a"), new TypeError("b"), 5], "agg"),
  dom: () => new DOMException("d", "DataError"), foo: () => new FooError("foo"), unnamed: () => new Unnamed("u"),
  named: () => Object.assign(new Error("n"), { name: "Custom" }),
  properties: () => Object.assign(new Error("p"), { code: "E1", n: 5, o: { a: [1] }, u: undefined, nothing: null }),
  withFunction: () => Object.assign(new Error("f"), { f: () => 1, fine: 1 }),
  cause: () => new Error("c", { cause: new TypeError("inner", { cause: "text" }) }),
  causeObject: () => new Error("c", { cause: { a: 1 } }), causeFunction: () => new Error("c", { cause: () => 1 }),
  retryable: () => Object.assign(new Error("x"), { retryable: true }), overloaded: () => Object.assign(new Error("x"), { overloaded: true }),
  flags: () => Object.assign(new Error("x"), { overloaded: true, retryable: true, durableObjectReset: true, remote: false }),
  falseFlags: () => Object.assign(new Error("x"), { overloaded: false, retryable: 0, remote: false }),
  anId: () => Object.assign(new Error("x"), { durableObjectId: "mine" }),
  text: () => "text", number: () => 5, nothing: () => null, missing: () => undefined, object: () => ({ a: 1, message: "m" }), list: () => [1, 2],
  symbol: () => Symbol("x"), bigint: () => 10n, empty: () => new Error(), frozen: () => Object.freeze(new Error("frozen")),
  getter: () => Object.defineProperty(new Error("g"), "good", { get: () => 5, enumerable: true }),
  badGetter: () => Object.defineProperty(new Error("g"), "bad", { get() { throw new Error("in getter"); }, enumerable: true }),
  hidden: () => Object.defineProperty(new Error("h"), "hidden", { value: 5 }),
  ownStack: () => Object.assign(new Error("s"), { stack: "my own stack\n  at throwIt" }),
};

const log = async (far) => { await wait(15); return far === undefined ? disposed.splice(0) : await far.takeLog(); };
let held;

// What a case does in an event of the Worker that ends before the case does.
const events = {
  hold: async ({ far }) => { held = await far.give("held"); return await held.hi(); },
  holdWaiting: async ({ far, ctx }) => { globalThis.waiting = await far.give("waiting"); ctx.waitUntil(wait(60)); return await waiting.hi(); },
  stale: () => attempt(() => held.hi()),
  staleDispose: () => attempt(() => held[Symbol.dispose]()),
  lend: async ({ far }) => { await far.keep(() => 5); return await far.callKept(); },
  lendTarget: async ({ far }) => { await far.keep(new Target("lent", disposed)); return await far.hiKept(); },
  lendWaiting: async ({ far, ctx }) => { await far.keep(() => 6); ctx.waitUntil(wait(60)); return 6; },
  lendStream: async ({ far }) => { await far.keepStream(source([], 3)); return 1; },
  holdStream: async ({ far }) => { globalThis.stream = await far.source(5); return 1; },
  own: async () => { globalThis.mine = new RpcStub(new Target("own", disposed)); return await mine.hi(); },
  plain: async ({ far }) => { globalThis.result = await far.plain(); return 1; },
};
const event = async (name, { ctx, name: object }) => await (await ctx.exports.default.fetch(`http://x/${name}?${object}`)).json();

const cases = {
  "ends: held stub": async (t) => [await event("hold", t), await log(t.far)],
  "ends: used by another event": async (t) => [await event("hold", t), await event("stale", t), await event("staleDispose", t)],
  "ends: waitUntil": async (t) => { const hi = await event("holdWaiting", t); const early = await log(t.far); await wait(80); return [hi, early, await log(t.far)]; },
  "ends: lent function": async (t) => [await event("lend", t), await attempt(() => t.far.callKept())],
  "ends: lent target": async (t) => [await event("lendTarget", t), await attempt(() => t.far.hiKept()), await log()],
  "ends: lent, waitUntil": async (t) => { await event("lendWaiting", t); const one = await attempt(() => t.far.callKept()); await wait(90); return [one, await attempt(() => t.far.callKept())]; },
  "ends: lent stream": async (t) => [await event("lendStream", t), await t.far.readKept()],
  "ends: held stream": async (t) => [await event("holdStream", t), await log(t.far)],
  "ends: own stub": async (t) => [await event("own", t), await log()],
  "ends: plain result": async (t) => [await event("plain", t), (await log(t.far)).sort()],
  "argument": async ({ far }) => [await far.take(new Target("argument", disposed)), await log()],
  "argument of failing call": async ({ far }) => [await attempt(() => far.fail(new Target("argument", disposed))), await log()],
  "argument of missing method": async ({ far }) => [await attempt(() => far.nope(new Target("argument", disposed))), await log()],
  "argument not sent": async ({ far }) => [(await attempt(() => far.take([new Target("argument", disposed), Symbol()]))).message, await log()],
  "argument stub": async ({ far }) => { const stub = new RpcStub(new Target("stub", disposed)); await far.take(stub); const before = await log(); stub[Symbol.dispose](); return [before, await log()]; },
  "argument twice": async ({ far }) => { const target = new Target("twice", disposed); await far.take([target, target]); return await log(); },
  "argument again": async ({ far }) => { const target = new Target("again", disposed); await far.take(target); const one = await log(); await far.take(target); return [one, await log()]; },
  "argument kept": async ({ far }) => { await far.keepRaw(new Target("raw", disposed)); return [await attempt(() => far.hiKept()), await log()]; },
  "argument duplicated": async ({ far }) => { await far.keep(new Target("dup", disposed)); const before = await log(); await far.drop(); return [before, await log()]; },
  "argument function": async ({ far }) => { await far.take(Object.assign(() => 1, { [Symbol.dispose]: () => disposed.push("f") })); return await log(); },
  "argument plain": async ({ far }) => { await far.take({ [Symbol.dispose]: () => disposed.push("o") }); return await log(); },
  "argument of reset object": async ({ far }) => { await far.keep(new Target("kept", disposed)); await attempt(() => far.reset()); return [await log(), await log()]; },
  "argument returned": async ({ far }) => { const stub = await far.back(new Target("back", disposed)); const hi = await attempt(() => stub.hi()); stub[Symbol.dispose](); return [hi, await log()]; },
  "result": async ({ far }) => { const stub = await far.give(); const before = await log(far); stub[Symbol.dispose](); stub[Symbol.dispose](); return [before, await log(far)]; },
  "result same": async ({ far }) => { const one = await far.same(), two = await far.same(); one[Symbol.dispose](); const first = await log(far); two[Symbol.dispose](); return [first, await log(far)]; },
  "result twice": async ({ far }) => { const [one, two] = await far.twice(); one[Symbol.dispose](); const first = await log(far); two[Symbol.dispose](); return [first, await log(far)]; },
  "result plain": async ({ far }) => { const result = await far.plain(); const before = await log(far); result[Symbol.dispose](); return [before, await log(far)]; },
  "result plain inside": async ({ far }) => { const result = await far.plain(); result.inside[Symbol.dispose](); const before = await log(far); result[Symbol.dispose](); return [before, await log(far)]; },
  "result array": async ({ far }) => { const result = await far.array(); result[Symbol.dispose]?.(); return await log(far); },
  "result function": async ({ far }) => { const f = await far.fn(); f[Symbol.dispose](); return await log(far); },
  "result of reset object": async ({ far }) => { const stub = await far.give(); await attempt(() => far.reset()); return [await attempt(() => stub.hi()), await attempt(() => stub[Symbol.dispose]()), await attempt(() => stub.hi())]; },
  "promise disposed": async ({ far }) => { const promise = far.give(); const hi = promise.hi(); promise[Symbol.dispose](); return [await attempt(() => hi), await log(far)]; },
  "promise disposed later": async ({ far }) => { const promise = far.give(); const stub = await promise; promise[Symbol.dispose](); return [await attempt(() => stub.hi()), await log(far)]; },
  "local stub": async () => { const stub = new RpcStub(new Target("local", disposed)); const copy = stub.dup(); stub[Symbol.dispose](); const before = await log(); copy[Symbol.dispose](); return [before, await log()]; },
  "object of another": async ({ far, name }) => [await far.holdFrom(`${name}2`), await attempt(() => far.hiHeld())],
  "object of another reset": async ({ far, env, name }) => { await far.holdFrom(`${name}2`); await attempt(() => env.FAR.getByName(`${name}2`).reset()); return await attempt(() => far.hiHeld()); },
  "holder of another reset": async ({ far, env, name }) => { await far.holdFrom(`${name}2`); await attempt(() => far.reset()); return await log(env.FAR.getByName(`${name}2`)); },
  "entrypoint argument": async ({ ctx }) => [await ctx.exports.Entry.hi(new Target("argument", disposed)), await log()],
  "entrypoint result": async ({ ctx }) => { const target = await ctx.exports.Entry.target(); const hi = await target.hi(); const child = await target.child(); target[Symbol.dispose](); await wait(15); disposed.splice(0); return [hi, await attempt(() => child.hi())]; },
  "own field": ({ far }) => attempt(() => far.own()),
  "private": ({ far }) => attempt(() => far["#private"]()),
  "inherited": async ({ far }) => { const stub = await far.give(); return ["valueOf", "hasOwnProperty", "toLocaleString", "isPrototypeOf", "__defineGetter__", "constructor"].map((name) => [typeof far[name], typeof stub[name], typeof far.some[name]]); },
  ...Object.fromEntries(Object.entries({
    "length of a result": (far) => far.echo([1]).length, "length in a result": (far) => far.echo({ a: [1] }).a.length, "size of a map": (far) => far.echo(new Map()).size,
    "number's member": (far) => far.echo({ a: 5 }).a.b, "null's member": (far) => far.echo({ a: null }).a.b, "element": (far) => far.echo([5])[0],
    "method of an array": (far) => far.echo({ a: [1] }).a.map(), "call of a number": (far) => far.echo({ a: 5 }).a(), "call of a result": (far) => far.echo({})(),
    "list in a getter": (far) => far.data.list.length, "instance in a getter": (far) => far.data.instance.own, "method of an instance": (far) => far.data.instance.method(),
    "text in a getter": (far) => far.data.text.length, "nothing in a getter": (far) => far.data.nothing.x, "call in a getter": (far) => far.data.text(), "function in a getter": (far) => far.data.f(), "property of a function": (far) => far.data.f.p,
    "member of a method": (far) => far.echo.p, "member of a reserved one": (far) => far.alarm.x, "member of a missing one": (far) => far.nope.x,
    "list of a target": (far) => far.give().list.length, "field of a target": (far) => far.give().name, "method of a method": (far) => far.give.bind(),
  }).map(([name, run]) => [`path: ${name}`, ({ far }) => (async () => (await run(far)) ?? "(undefined)")().catch((error) => `${error.name}: ${error.message}`)])),
  "cloned twice": async ({ far }) => { const value = { a: 1 }; return (await far.echo([value, value])).reduce((one, two) => one === two); },
  "order": async ({ far }) => { await Promise.all([0, 1, 2, 3, 4].map((number) => far.order(number))); return await far.takeLog(); },
  "order pipelined": async ({ far }) => { const target = far.give(); await Promise.all([far.order(1), target.hi(), far.order(2), target.child().hi(), far.order(3)]); return (await far.takeLog()).filter((entry) => typeof entry === "number"); },
  "order with streams": async ({ far }) => { await Promise.all([far.order(1), far.readAll(source([], 3)), far.order(2), far.fetch("http://x/ignore"), far.order(3)]); return await far.takeLog(); },
  "order on a target": async ({ far }) => { const seen = []; const stub = new RpcStub(async (number) => { seen.push(number); if (number === 0) await wait(5); }); await Promise.all([0, 1, 2].map((number) => stub(number))); return seen; },
  "cycle": async ({ far }) => await attempt(() => far.callIt(async () => { await far.callIt(async () => { await far.order(7); }); })),
  "stream: reader cancels": async ({ far }) => { const notes = []; const r = await far.readOneAndCancel(source(notes, 9)); await wait(15); return { r, notes }; },
  "stream: cancelled at once": async ({ far }) => { const notes = []; const r = await far.cancelAtOnce(source(notes, 9)); await wait(15); return { r, notes }; },
  "stream: source fails": ({ far }) => far.readAll(source([], 2, new TypeError("source failed"))),
  "stream: one read": async ({ far }) => { const notes = []; const r = await far.readOne(source(notes, 9)); await wait(15); return { r, notes }; },
  "stream: reader is reset": async ({ far }) => { const notes = []; await far.readOne(source(notes, 9)); await attempt(() => far.reset()); await wait(25); return notes; },
  "stream: texts": ({ far }) => far.readAll(values("te", "xt")),
  "stream: objects": ({ far }) => far.readAll(values({ a: 1 })),
  "stream: numbers": ({ far }) => far.readAll(values(5)),
  "stream: buffers": ({ far }) => far.readAll(values(new Uint8Array(0), bytes("ab").buffer, new Uint16Array([0x6161]))),
  "stream: locked": ({ far }) => { const stream = source([], 1); stream.getReader(); return attempt(() => far.readAll(stream)); },
  "stream: echo": async ({ far }) => new Response(await far.echo(source([], 3))).text(),
  "stream: echo cancelled": async ({ far }) => { const notes = []; const reader = (await far.echo(source(notes, 9))).getReader(); await reader.read(); await reader.cancel("x"); await wait(15); return notes; },
  "stream result": async ({ far }) => new Response(await far.source(4)).text(),
  "stream result: cancelled": async ({ far }) => { const reader = (await far.source(9)).getReader(); await reader.read(); await reader.cancel("x"); return await log(far); },
  "stream result: cancelled at once": async ({ far }) => { await (await far.source(9)).cancel("x"); return await log(far); },
  "stream result: fails": async ({ far }) => { const stream = await far.source(2, new TypeError("source failed")); return await attempt(() => new Response(stream).text()); },
  "stream result: fails at once": async ({ far }) => { const stream = await far.broken(); return await attempt(() => new Response(stream).text()); },
  "stream result: texts": async ({ far }) => new Response(await far.texts()).text(),
  "stream result: objects": async ({ far }) => { const stream = await far.objects(); return await attempt(() => new Response(stream).text()); },
  "stream result: source is reset": async ({ far }) => { const reader = (await far.identity()).getReader(); const one = text((await reader.read()).value); await attempt(() => far.reset()); return [one, await within(1000, attempt(() => reader.read()))]; },
  "stream result: aborted": async ({ far }) => { const reader = (await far.identity()).getReader(); const one = text((await reader.read()).value); return [one, await far.stop(), await within(1000, attempt(() => reader.read()))]; },
  "stream result: reader leaves": async ({ far }) => { const reader = (await far.identity()).getReader(); await reader.read(); await reader.cancel("x"); await wait(15); return [await far.writeMore(), await log(far)]; },
  "stream result: disposed": async ({ far }) => { const stream = await far.source(2); stream[Symbol.dispose](); return await attempt(() => new Response(stream).text()); },
  "body: cancelled": async ({ far }) => { const notes = []; const answer = await far.fetch("http://x/cancel", { method: "POST", body: source(notes, 9) }); await wait(15); return [await answer.text(), notes]; },
  "body: ignored": async ({ far }) => { const notes = []; const answer = await far.fetch("http://x/ignore", { method: "POST", body: source(notes, 9) }); await wait(15); return [await answer.text(), notes]; },
  "body: texts": async ({ far }) => [await (await far.fetch("http://x/texts")).text(), await (await far.fetch("http://x/read", { method: "POST", body: values("te", "xt") })).json()],
  "body: breaks": async ({ far }) => { const answer = await far.fetch("http://x/breaks"); return await attempt(() => answer.text()); },
  "sink": async ({ far }) => { const notes = []; const r = await far.writeAndClose(sink(notes), "s", bytes("b"), bytes("buf").buffer, new Uint16Array([0x6161]), "", undefined); await wait(15); return { r, notes }; },
  "sink: aborted": async ({ far }) => { const notes = []; const r = await far.writeAndAbort(sink(notes), new RangeError("why")); await wait(15); return { r, notes }; },
  "sink: left open": async ({ far }) => { const notes = []; const r = await far.write(sink(notes), bytes("one")); await wait(15); return { r, notes }; },
  "sink: used later": async ({ far }) => { const notes = []; await far.write(sink(notes), bytes("one")); await wait(15); const r = await far.writeKept(); return { r, notes }; },
  "sink: writer fails": async ({ far }) => { const notes = []; const r = await attempt(() => far.writeAndFail(sink(notes))); await wait(15); return { r: r.message, notes }; },
  "sink: writer is reset": async ({ far }) => { const notes = []; await far.write(sink(notes), bytes("one")); await attempt(() => far.reset()); await wait(25); return notes; },
  "sink: fails": async ({ far }) => (await far.write(sink([], new RangeError("sink failed")), bytes("a"), bytes("b"), bytes("c"))).find((r) => r !== "(undefined)"),
  "sink: not bytes": async ({ far }) => (await far.write(sink([]), { a: 1 }))[0],
  "sink: locked": ({ far }) => { const stream = sink([]); stream.getWriter(); return attempt(() => far.write(stream)); },
  "sink: reader cancels": async ({ far }) => { const { readable, writable } = new IdentityTransformStream(); const writing = far.write(writable, ..."abcdefgh".split("").map(bytes)); const reader = readable.getReader(); await reader.read(); await reader.cancel("enough"); return (await within(1000, writing)).find((r) => r !== "(undefined)"); },
  "sink result": async ({ far }) => { const writer = (await far.sink()).getWriter(); await writer.write(bytes("a")); await writer.close(); return await log(far); },
  "sink result: aborted": async ({ far }) => { const writer = (await far.sink()).getWriter(); await writer.write(bytes("a")); await writer.abort("x"); return await log(far); },
  "sink result: fails": async ({ far }) => { const writer = (await far.sink(new RangeError("sink failed"))).getWriter(); const results = []; for (const chunk of "abcde") results.push(await attempt(() => writer.write(bytes(chunk)))); return results.find((r) => r !== "(undefined)"); },
  ...Object.fromEntries(Object.keys(thrown).map((kind) => [`throws: ${kind}`, ({ far }) => caught(() => far.throwIt(kind))])),
  ...Object.fromEntries(["plain", "foo", "properties", "cause", "object", "dom", "flags", "withFunction"].map((kind) => [`fetch throws: ${kind}`, ({ far }) => caught(() => far.fetch(`http://x/${kind}`))])),
  "throws: hop": ({ far }) => caught(() => far.hop("cause")),
  "throws: through a callback": ({ far }) => caught(() => far.callIt(() => { throw new FooError("callback"); })),
  "throws: target": ({ far }) => caught(() => far.give().fails()),
  "throws: missing": ({ far }) => caught(() => far.nope()),
  "throws: missing property": ({ far }) => caught(() => far.nope),
  "throws: missing of target": ({ far }) => caught(() => far.give().nope()),
  "throws: reserved": ({ far }) => caught(() => far.alarm()),
  "throws: getting": ({ far }) => caught(() => far.getting),
  "throws: getting, called": ({ far }) => caught(() => far.getting()),
  "throws: too big": ({ far }) => caught(() => far.big()),
  "throws: symbol result": ({ far }) => caught(() => far.symbol()),
  "throws: entrypoint": ({ ctx }) => caught(() => ctx.exports.Entry.fails()),
  "throws: entrypoint fetch": ({ ctx }) => caught(() => ctx.exports.Entry.fetch("http://x/")),
  "throws: constructor": ({ env }) => caught(() => env.BROKEN.getByName("a").hi()),
  "throws: constructor, fetch": ({ env }) => caught(() => env.BROKEN.getByName("b").fetch("http://x/")),
  "throws: section": ({ env }) => caught(() => env.BLOCKED.getByName("a").hi()),
  "throws: section, fetch": ({ env }) => caught(() => env.BLOCKED.getByName("b").fetch("http://x/")),
  "throws: reset": ({ far }) => caught(() => far.reset()),
  "throws: after reset": async ({ far }) => { await attempt(() => far.reset()); return [await caught(() => far.hi()), await caught(() => far.fetch("http://x/plain"))]; },
  "error as value": async ({ far }) => seenWhole(await far.echo(new FooError("value", { cause: new TypeError("why") }))),
  "error as argument": ({ far }) => far.describe(new FooError("argument", { cause: new TypeError("why") })),
};

export default {
  async fetch(request, env, ctx) {
    const { pathname, search } = new URL(request.url);
    if (pathname !== "/") return Response.json(await events[pathname.slice(1)]({ far: env.FAR.getByName(search.slice(1)), env, ctx }));
    const answers = {};
    for (const [name, run] of Object.entries(cases)) {
      answers[name] = await within(5000, attempt(() => run({ far: env.FAR.getByName(encodeURIComponent(name)), env, ctx, name: encodeURIComponent(name) })));
      disposed.splice(0);
    }
    return Response.json(answers);
  },
};
