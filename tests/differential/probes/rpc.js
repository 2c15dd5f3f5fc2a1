// RPC, case by case: what is copied, lent, refused, pipelined and disposed of. Served by durabox and by workerd.
import { DurableObject, WorkerEntrypoint, RpcTarget, RpcStub, RpcPromise, RpcProperty } from "cloudflare:workers";
import * as workers from "cloudflare:workers";

const seen = (error) => ({ name: error.name, message: error.message, type: error.constructor.name, remote: error.remote });
const attempt = async (run) => { try { const v = await run(); return v === undefined ? "(undefined)" : v; } catch (error) { return error instanceof Error || error instanceof DOMException ? seen(error) : { thrown: String(error) }; } };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

class Plain { constructor() { this.x = 1; } }
class FooError extends Error {}
class Target extends RpcTarget {
  #n = 0;
  own = 1;
  arrow = () => 1;
  constructor(log) { super(); this.log = log; }
  add(n = 1) { return (this.#n += n); }
  get count() { return this.#n; }
  get obj() { return { a: { b: 5 }, f: (x) => x + 1 }; }
  self() { return this; }
  child() { return new Target(this.log); }
  throws() { throw new TypeError("target"); }
  #hidden() {}
  toString() { return "custom"; }
  [Symbol.dispose]() { this.log?.push("disposed"); }
}
class Sub extends Target { sub() { return "sub"; } }

export class Probe extends DurableObject {
  log = [];
  field = 1;
  arrow = () => 1;
  async fetch(request) {
    if (request.url.endsWith("/throw")) throw Object.assign(new FooError("props", { cause: new Error("why") }), { code: 5 });
    const answers = {};
    for (const [name, run] of Object.entries(cases)) answers[name] = await attempt(() => run(this.env.PROBE.newUniqueId && this.env.PROBE.get(this.env.PROBE.newUniqueId()), this.env, this.ctx));
    return Response.json(answers);
  }
  nothing() {}
  echo(v) { return v; }
  all(...v) { return v; }
  count(...v) { return v.length; }
  tag(v) { return Object.prototype.toString.call(v); }
  type(v) { return typeof v; }
  proto(v) { return Object.getPrototypeOf(v) === Object.prototype; }
  async later(v) { await wait(1); return v; }
  get getter() { return "got"; }
  get getterObject() { return { a: 1, f: () => "called" }; }
  get getterTarget() { return new Target(); }
  get throwing() { throw new RangeError("getter"); }
  get promised() { return Promise.resolve("promised"); }
  target() { return new Target(this.log); }
  sub() { return new Sub(this.log); }
  fn() { return (a, b) => a + b; }
  objectOfStubs() { return { t: new Target(this.log), u: new Target(this.log), n: 1, deep: [{ t: new Target(this.log) }] }; }
  arrayOfStubs() { return [new Target(this.log), 1]; }
  instance() { return new Plain(); }
  nullProto() { return Object.assign(Object.create(null), { a: 1 }); }
  symbol() { return Symbol("s"); }
  weak() { return new WeakMap(); }
  promiseInside() { return { p: Promise.resolve(1) }; }
  throwError() { throw new Error("plain"); }
  throwType() { throw new TypeError("typed"); }
  throwCustom() { throw new FooError("custom"); }
  throwNamed() { const e = new Error("named"); e.name = "Own"; throw e; }
  throwString() { throw "text"; }
  throwObject() { throw { a: 1 }; }
  throwUndefined() { throw undefined; }
  throwProps() { throw Object.assign(new Error("props"), { code: 5, retryable: true }); }
  throwCause() { throw new Error("outer", { cause: new TypeError("inner") }); }
  throwDom() { throw new DOMException("dom", "AbortError"); }
  async rejects() { await wait(1); throw new RangeError("rejected"); }
  async apply(f, ...args) { return await f(...args); }
  async method(o, name, ...args) { return await o[name](...args); }
  async prop(o, name) { return await o[name]; }
  async callTwice(f) { return [await f(), await f()]; }
  keep(f) { this.kept = f.dup(); }
  keepRaw(f) { this.kept = f; }
  async callKept(...args) { return await this.kept(...args); }
  dropKept() { this.kept[Symbol.dispose](); }
  async isStub(f) { return [typeof f, f instanceof RpcStub, f.constructor === RpcStub, typeof f.dup, typeof f[Symbol.dispose]]; }
  takeLog() { return this.log.splice(0); }
  visits() { return (this.n = (this.n ?? 0) + 1); }
  async order(n) { if (n === 0) await wait(5); this.log.push(n); }
  readable(text) { return new Response(text).body; }
  async readAll(stream) { return await new Response(stream).text(); }
  async writeTo(w, ...chunks) { const writer = w.getWriter(); for (const c of chunks) await writer.write(new TextEncoder().encode(c)); await writer.close(); }
  response() { return new Response("body", { status: 202, statusText: "Fine", headers: { "x-k": "v" } }); }
  async request(r) { return [r.method, r.url, r.headers.get("x-k"), await r.text()]; }
  headers(h) { return [...h]; }
  async viaStub(stub) { return await stub.echo("via"); }
  async fetchVia(stub) { return await (await stub.fetch("http://h/via")).status; }
  stubInfo(stub) { return [stub.id === undefined, stub.name === undefined, stub.constructor.name]; }
  toString() { return "overridden"; }
  _private() { return "reachable"; }
  async *generator() { yield 1; }
  big(n) { return new Uint8Array(n); }
  size(v) { return v.byteLength; }
  set(v) { return [...v]; }
}

export class Entry extends WorkerEntrypoint {
  add(a, b) { return a + b; }
  props() { return this.ctx.props; }
  tracing() { const { tracing } = this.ctx; return [String(tracing), tracing.Span === workers.tracing.Span, tracing.enterSpan("x", (span) => workers.tracing.getActiveSpan() === span), Object.keys(this.ctx).includes("tracing")]; }
  async viaEnv() { return await this.env.PROBE.getByName("e").echo("env"); }
  fetch() { return new Response("entry"); }
  get getter() { return "entry getter"; }
  target() { return new Target(); }
}

const cases = {
  "exports of the module": () => ["env", "exports", "waitUntil", "withEnv", "withExports", "withEnvAndExports"].map((name) => typeof workers[name]),
  "exports namespace": (s, env, ctx) => { const n = ctx.exports.Probe; return [typeof n, Object.prototype.toString.call(n), n.constructor.name, typeof n.idFromName, n === env.PROBE]; },
  "exports namespace called": (s, env, ctx) => { const c = ctx.exports.Probe({ props: { a: 1 } }); return [typeof c, c.constructor.name, Object.prototype.toString.call(c), typeof c.getByName, Object.keys(c)]; },
  "exports namespace used": async (s, env, ctx) => await ctx.exports.Probe.getByName("loop").echo(5),
  "exports same ids": (s, env, ctx) => ctx.exports.Probe.idFromName("x").equals(env.PROBE.idFromName("x")),
  "withEnv": () => workers.withEnv({ EXTRA: 5 }, () => [workers.env.EXTRA, workers.env.PROBE === undefined, Object.keys(workers.env), "EXTRA" in workers.env]),
  "withEnv async": async () => await workers.withEnv({ EXTRA: 5 }, async () => { await wait(1); return [workers.env.EXTRA, workers.env.PROBE === undefined]; }),
  "withEnv over": () => workers.withEnv({ EXTRA: 5 }, () => {}) ?? typeof workers.env.EXTRA,
  "withEnv nested": () => workers.withEnv({ A: 1 }, () => workers.withEnv({ B: 2 }, () => [workers.env.A ?? "none", workers.env.B])),
  "withEnv throws": () => { try { workers.withEnv({ A: 1 }, () => { throw new Error("in"); }); } catch (e) { return [e.message, workers.env.A ?? "none"]; } },
  "withEnv no function": () => workers.withEnv({}, 5),
  "withExports": () => workers.withExports({ A: 1 }, () => [workers.exports.A, Object.keys(workers.exports)]),
  "withEnvAndExports": () => workers.withEnvAndExports({ E: 1 }, { A: 2 }, () => [workers.env.E, workers.exports.A]),
  "withExports keeps env": () => workers.withEnv({ E: 1 }, () => workers.withExports({ A: 2 }, () => [workers.env.E, workers.exports.A])),
  "module env": () => [Object.keys(workers.env), typeof workers.env.PROBE.idFromName],
  "abort signal": (s) => s.echo(new AbortController().signal),
  "onRpcBroken": async (s) => { const f = await s.fn(); return await f.onRpcBroken(() => {}); },
  "no result": (s) => s.nothing(),
  "echo number": (s) => s.echo(5),
  "echo string": (s) => s.echo("a\u{1F600}"),
  "echo object": (s) => s.echo({ a: [1, null, { b: true }] }),
  "echo date": async (s) => (await s.echo(new Date(5))).getTime(),
  "echo map": async (s) => [...(await s.echo(new Map([[1, { a: 2 }]])))],
  "echo set": (s) => s.set(new Set([1, 2])),
  "echo regexp": async (s) => String(await s.echo(/a+/gi)),
  "echo bigint": async (s) => String(await s.echo(10n ** 30n)),
  "echo view": async (s) => [...(await s.echo(new Uint8Array([1, 2, 3])))],
  "echo error": async (s) => { const e = await s.echo(new TypeError("x")); return [e.name, e.message, e.constructor === TypeError, e.remote]; },
  "echo custom error": async (s) => { const e = await s.echo(new FooError("x")); return [e.name, e.message, e.constructor.name]; },
  "echo cycle": async (s) => { const o = {}; o.o = o; const r = await s.echo(o); return r.o === r; },
  "echo shared": async (s) => { const a = {}; const r = await s.echo([a, a]); return r[0] === r[1]; },
  "echo undefined": (s) => s.echo(undefined),
  "arguments": (s) => s.all(1, undefined, "x"),
  "argument count": (s) => s.count(1, undefined),
  "async method": (s) => s.later("x"),
  "copy is a copy": async (s) => { const o = { a: 1 }; const p = s.echo(o); o.a = 2; return await p; },
  "getter": (s) => s.getter,
  "getter called": (s) => s.getter(),
  "getter object": async (s) => (await s.getterObject).a,
  "getter object property": (s) => s.getterObject.a,
  "getter object method": (s) => s.getterObject.f(),
  "getter target method": (s) => s.getterTarget.add(2),
  "getter throws": (s) => s.throwing,
  "getter promise": (s) => s.promised,
  "method as value": async (s) => { const f = await s.echo; return typeof f; },
  "missing": (s) => s.missing(),
  "missing property": (s) => s.missing,
  "field": (s) => s.field,
  "arrow": (s) => s.arrow(),
  "reserved fetch prop": async (s) => typeof s.fetch,
  "reserved alarm": (s) => s.alarm(),
  "reserved webSocketMessage": (s) => s.webSocketMessage(),
  "reserved dup": (s) => s.dup(),
  "overridden toString": async (s) => await s.toString(),
  "underscore": (s) => s._private(),
  "then": (s) => typeof s.then,
  "symbol property": (s) => typeof s[Symbol.iterator],
  "generator": (s) => s.generator(),
  "promise kind": (s) => { const p = s.echo(1); return [p instanceof Promise, p instanceof RpcPromise, typeof p, typeof p.then, typeof p.catch, typeof p.finally]; },
  "property kind": (s) => { const p = s.foo; return [p instanceof RpcProperty, typeof p, typeof p.bar, typeof p.then]; },
  "catch": (s) => s.throwError().catch((e) => `caught ${e.message}`),
  "finally": async (s) => { let f = 0; await s.echo(1).finally(() => f++); return f; },
  "target": async (s) => { const t = await s.target(); return [typeof t, t instanceof RpcStub, t instanceof RpcTarget]; },
  "target methods": async (s) => { const t = await s.target(); return [await t.add(), await t.add(2), await t.count]; },
  "target inherited": async (s) => { const t = await s.sub(); return [await t.sub(), await t.add(3)]; },
  "target own property": async (s) => (await s.target()).own,
  "target arrow": async (s) => (await s.target()).arrow(),
  "target missing": async (s) => (await s.target()).nope(),
  "target constructor": async (s) => typeof (await s.target()).constructor,
  "target throws": async (s) => (await s.target()).throws(),
  "target nested": async (s) => [await (await s.target()).obj.a.b, await (await s.target()).obj.f(1)],
  "target custom toString": async (s) => await (await s.target()).toString(),
  "pipeline": (s) => s.target().add(5),
  "pipeline deep": (s) => s.target().self().child().self().add(7),
  "pipeline property": (s) => s.target().count,
  "pipeline value": (s) => s.echo({ a: { b: 9 } }).a.b,
  "pipeline on number": (s) => s.echo(1).x,
  "pipeline call on number": (s) => s.echo(1).x(),
  "pipeline on undefined": (s) => s.nothing().x.y,
  "pipeline on missing": (s) => s.echo({}).a.b,
  "pipeline on missing call": (s) => s.echo({}).a(),
  "pipeline on failure": (s) => s.throwType().a.b(),
  "pipeline call of result": (s) => s.fn()(2, 3),
  "function result": async (s) => { const f = await s.fn(); return [typeof f, await f(1, 2)]; },
  "function argument": (s) => s.apply((a, b) => a * b, 3, 4),
  "function argument async": (s) => s.apply(async (a) => { await wait(1); return a; }, "x"),
  "function argument throws": (s) => s.apply(() => { throw new RangeError("cb"); }),
  "function argument twice": (s) => { let n = 0; return s.callTwice(() => ++n); },
  "function as stub": (s) => s.isStub(() => 1),
  "function with properties": (s) => s.prop(Object.assign(() => 1, { p: 5 }), "p"),
  "target argument": (s) => s.method(new Target(), "add", 4),
  "target argument property": async (s) => { const t = new Target(); t.add(3); return await s.prop(t, "count"); },
  "target argument arrow": (s) => s.method(new Target(), "arrow"),
  "plain object with function": async (s) => s.method({ f: (x) => x + 1 }, "f", 1),
  "stub argument": async (s) => s.method(await s.target(), "add", 6),
  "stub of own": async () => { const st = new RpcStub(new Target()); return [await st.add(1), await st.add(1), await st.count]; },
  "stub of function": async () => new RpcStub((a) => a + 1)(2),
  "stub of object": async () => new RpcStub({ f: (a) => a, v: 3 }).f("y"),
  "stub of object value": async () => new RpcStub({ v: 3 }).v,
  "stub of own missing": async () => new RpcStub({ v: 3 }).w,
  "stub of date": () => new RpcStub(new Date()),
  "stub of class instance": () => new RpcStub(new Plain()),
  "stub of number": () => new RpcStub(5),
  "kept without dup": async (s) => { await s.keepRaw(() => 1); return await s.callKept(); },
  "kept with dup": async (s) => { await s.keep((x) => x + 1); return [await s.callKept(1), await s.callKept(2)]; },
  "used after dispose": async (s) => { const t = await s.target(); t[Symbol.dispose](); return await t.add(); },
  "dup after dispose": async (s) => { const t = await s.target(); t[Symbol.dispose](); return t.dup(); },
  "dup outlives": async (s) => { const t = await s.target(); const d = t.dup(); t[Symbol.dispose](); return await d.add(3); },
  "disposer runs": async (s) => { const t = await s.target(); t[Symbol.dispose](); await wait(5); return await s.takeLog(); },
  "disposer waits for dup": async (s) => { const t = await s.target(), d = t.dup(); t[Symbol.dispose](); await wait(5); const before = await s.takeLog(); d[Symbol.dispose](); await wait(5); return [before, await s.takeLog()]; },
  "dispose result object": async (s) => { const o = await s.objectOfStubs(); o[Symbol.dispose](); await wait(5); return await s.takeLog(); },
  "result object disposer": async (s) => { const o = await s.objectOfStubs(); return [typeof o[Symbol.dispose], Object.keys(o), Object.getOwnPropertySymbols(o).length]; },
  "plain result disposer": async (s) => { const o = await s.echo({ a: 1 }); return [typeof o[Symbol.dispose], Object.keys(o)]; },
  "array of stubs": async (s) => { const a = await s.arrayOfStubs(); return [Array.isArray(a), a.length, await a[0].add(2)]; },
  "using": async (s) => { { using t = await s.target(); await t.add(); } await wait(5); return await s.takeLog(); },
  "dispose promise": async (s) => { const p = s.target(); p[Symbol.dispose](); await wait(10); return await s.takeLog(); },
  "class instance argument": (s) => s.echo(new Plain()),
  "class instance result": (s) => s.instance(),
  "null prototype argument": (s) => s.echo(Object.create(null)),
  "null prototype result": (s) => s.nullProto(),
  "symbol argument": (s) => s.echo(Symbol("a")),
  "symbol result": (s) => s.symbol(),
  "weakmap argument": (s) => s.echo(new WeakMap()),
  "weakmap result": (s) => s.weak(),
  "promise inside": (s) => s.promiseInside(),
  "promise argument": (s) => s.echo(Promise.resolve(1)),
  "rpc promise argument": (s) => s.echo(s.echo(1)),
  "rpc property argument": (s) => s.echo(s.getter),
  "id argument": (s, env) => s.echo(env.PROBE.newUniqueId()),
  "namespace argument": (s, env) => s.echo(env.PROBE),
  "url argument": (s) => s.echo(new URL("http://x/")),
  "abort controller argument": (s) => s.echo(new AbortController()),
  "proxy argument": (s) => s.prop(new Proxy({ a: 1 }, {}), "a"),
  "frozen object": (s) => s.echo(Object.freeze({ a: 1 })),
  "arguments object": (s) => (function () { return s.echo(arguments); })(1),
  "sparse array": async (s) => { const a = await s.echo([1, , 3]); return [a.length, 1 in a]; },
  "object with getter": (s) => s.echo({ get a() { return 5; } }),
  "object with method": async (s) => { const o = await s.echo({ f() { return "f"; } }); return [typeof o.f, await o.f()]; },
  "throws error": (s) => s.throwError(),
  "throws type": (s) => s.throwType(),
  "throws custom": (s) => s.throwCustom(),
  "throws named": (s) => s.throwNamed(),
  "throws string": (s) => s.throwString(),
  "throws object": (s) => s.throwObject(),
  "throws undefined": (s) => s.throwUndefined(),
  "throws with properties": async (s) => { try { await s.throwProps(); } catch (e) { return [e.code, e.retryable, e.remote]; } },
  "throws with cause": async (s) => { try { await s.throwCause(); } catch (e) { return [e.message, e.cause?.message, e.cause?.constructor.name]; } },
  "throws dom": (s) => s.throwDom(),
  "rejects": (s) => s.rejects(),
  "error id": async (s) => { try { await s.throwError(); } catch (e) { return e.durableObjectId === s.id.toString(); } },
  "alive after throw": async (s) => { await s.visits(); await attempt(() => s.throwError()); return await s.visits(); },
  "order": async (s) => { await Promise.all([s.order(0), s.order(1), s.order(2)]); return await s.takeLog(); },
  "readable result": async (s) => new Response(await s.readable("streamed")).text(),
  "readable argument": (s) => s.readAll(new Response("sent").body),
  "readable made": (s) => s.readAll(new ReadableStream({ type: "bytes", start(c) { c.enqueue(new TextEncoder().encode("made")); c.close(); } })),
  "readable locked": (s) => { const r = new Response("x").body; r.getReader(); return s.readAll(r); },
  "readable argument is locked after": async (s) => { const r = new Response("x").body; const p = s.readAll(r); const locked = r.locked; await p; return locked; },
  "writable argument": async (s) => { const t = new IdentityTransformStream(); const text = new Response(t.readable).text(); await s.writeTo(t.writable, "a", "b"); return await text; },
  "response result": async (s) => { const r = await s.response(); return [r.status, r.statusText, r.headers.get("x-k"), await r.text(), r.constructor === Response]; },
  "request argument": (s) => s.request(new Request("http://h/p", { method: "POST", headers: { "x-k": "v" }, body: "b" })),
  "request argument without body": (s) => s.request(new Request("http://h/p")),
  "headers argument": (s) => s.headers(new Headers({ "X-A": "1", b: "2" })),
  "headers result": async (s) => (await s.echo(new Headers({ a: "1" }))).get("a"),
  "blob argument": async (s) => { const b = await s.echo(new Blob(["hi"], { type: "text/x" })); return [b.type, b.size, await b.text()]; },
  "dom exception": async (s) => { const e = await s.echo(new DOMException("m", "AbortError")); return [e.name, e.message, e instanceof DOMException]; },
  "stub of object as argument": (s, env) => s.viaStub(env.PROBE.getByName("other")),
  "stub of object fields": (s, env) => s.stubInfo(env.PROBE.getByName("other")),
  "too big argument": (s) => s.size(new Uint8Array(33 * 1024 * 1024)),
  "large argument": (s) => s.size(new Uint8Array(1024 * 1024)),
  "too deep": (s) => { let p = s; for (let i = 0; i < 70; i++) p = p.a; return p; },
  "entry add": (s, env, ctx) => ctx.exports.Entry.add(1, 2),
  "entry props": (s, env, ctx) => ctx.exports.Entry({ props: { a: 1 } }).props(),
  "entry tracing": (s, env, ctx) => ctx.exports.Entry.tracing(),
  "object tracing": (s, env, ctx) => typeof ctx.tracing,
  "entry no props": (s, env, ctx) => ctx.exports.Entry.props(),
  "entry env": (s, env, ctx) => ctx.exports.Entry.viaEnv(),
  "entry fetch": async (s, env, ctx) => (await ctx.exports.Entry.fetch("http://h/")).text(),
  "entry getter": (s, env, ctx) => ctx.exports.Entry.getter,
  "entry pipeline": (s, env, ctx) => ctx.exports.Entry.target().add(2),
  "entry missing": (s, env, ctx) => ctx.exports.Entry.nope(),
  "exports keys": (s, env, ctx) => Object.keys(ctx.exports).sort(),
  "stub keys": (s) => Object.keys(s).sort(),
  "stub own": (s) => { s.extra = 5; return s.extra; },
  "classes": () => [typeof RpcStub, typeof RpcPromise, typeof RpcProperty, typeof RpcTarget].join(),
  "new RpcPromise": () => new RpcPromise(),
  "error details": async (s) => { try { await s.throwProps(); } catch (e) { return [Object.keys(e).sort(), typeof e.durableObjectId, "stack" in e, Object.getOwnPropertyNames(e).sort()]; } },
  "error stack": async (s) => { try { await s.throwError(); } catch (e) { return [typeof e.stack, String(e.stack).includes("throwError")]; } },
  "thrown object details": async (s) => { try { await s.throwObject(); } catch (e) { return [typeof e, Object.keys(e), e.a, e.remote]; } },
  "fetch error details": async (s, env) => { try { await env.PROBE.getByName("x").fetch("http://h/throw"); } catch (e) { return [Object.keys(e).sort(), e.name, e.code, e.cause?.message]; } },
  "tags": async (s, env, ctx) => { const t = await s.target(), p = s.echo(1); return [String(t), String(p), String(s.foo), Object.prototype.toString.call(env.PROBE.getByName("a")), t.constructor.name, RpcPromise.name, RpcProperty.name, RpcTarget.name, ctx.exports.Entry.constructor.name, Object.prototype.toString.call(ctx.exports.Entry), typeof ctx.exports.Entry, typeof ctx.exports.default, Object.prototype.toString.call(ctx.exports.Probe)]; },
  "hasOwnProperty": (s) => [s.hasOwnProperty("id"), s.constructor.name, typeof s.valueOf],
  "stub own names": async (s) => { const t = await s.target(); return [typeof t.hasOwnProperty, typeof t.valueOf, typeof t.name, typeof t.length, typeof t.call, typeof t.apply, typeof t.bind, typeof t.prototype]; },
  "onRpcBroken": async (s) => { const t = await s.target(); return typeof t.onRpcBroken; },
  "target is plain here": () => { const t = new Target(); return [t.add(2), t instanceof RpcTarget, t.own]; },
};

export default { async fetch(request, env) { return env.PROBE.getByName("main").fetch(request); } };
