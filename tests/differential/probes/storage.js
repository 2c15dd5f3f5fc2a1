// What ctx.storage answers, case by case. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [k, show(v)]) };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Set) return { set: [...value].map(show) };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer)] };
  if (value instanceof Error) return { error: value.name, message: value.message };
  if (value instanceof RegExp) return { regexp: String(value) };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};

class Custom extends Error { constructor(message) { super(message); this.name = "Custom"; this.code = 42; } }
class Typed extends TypeError {}
class Target extends EventTarget {}
/** What comes back of a value, with what makes an error or an object of the platform what it is. */
const kept = (make) => async (s) => {
  await s.put("k", make());
  const value = await s.get("k");
  if (!(value instanceof Error)) return [value.constructor.name, value instanceof Headers ? [...value] : value instanceof Blob ? [value.type, await value.text()] : show(value)];
  const properties = Object.getOwnPropertyNames(value).filter((n) => !["stack", "name", "message", "code"].includes(n)).sort();
  return [value.constructor.name, String(value), value.name, value.code, typeof value.stack, properties.map((n) => [n, show(value[n]), Object.getOwnPropertyDescriptor(value, n).enumerable])];
};

const cases = {
  "stores Error": kept(() => new Error("m")),
  "stores Error without message": kept(() => new Error()),
  "stores TypeError": kept(() => new TypeError("m")),
  "stores RangeError with cause": kept(() => new RangeError("m", { cause: new SyntaxError("c") })),
  "stores EvalError": kept(() => new EvalError("m")),
  "stores URIError": kept(() => new URIError("m")),
  "stores ReferenceError": kept(() => new ReferenceError("m")),
  "stores AggregateError": kept(() => new AggregateError([new Error("x"), 1], "m")),
  "stores SuppressedError": kept(() => new SuppressedError(new Error("a"), new Error("b"), "m")),
  "stores custom error": kept(() => new Custom("m")),
  "stores subclass of TypeError": kept(() => new Typed("m")),
  "stores error named as another": kept(() => Object.assign(new Error("m"), { name: "TypeError" })),
  "stores error with a number as name": kept(() => Object.assign(new Error("m"), { name: 5 })),
  "stores error properties": kept(() => Object.defineProperty(Object.assign(new Error("m"), { x: 1, y: [2], 3: 4, u: undefined }), "hidden", { value: 5 })),
  "stores error with function": kept(() => Object.assign(new Error("m"), { f: () => 1 })),
  "stores error with throwing getter": kept(() => Object.defineProperty(new Error("m"), "x", { get() { throw new RangeError("getter"); } })),
  "stores error twice": async (s) => { const e = new Error("m"); await s.put("k", [e, { a: e }, {}, e]); const v = await s.get("k"); return [v[0] === v[1].a, v[0] === v[3], v[2] !== v[0], Object.keys(v[2])]; },
  "stores error in its cycle": async (s) => { const o = { after: {} }; o.e = Object.assign(new Error("m"), { o }); o.last = o.after; await s.put("k", o); const v = await s.get("k"); return [v.e.o === v, v.last === v.after]; },
  "stores DOMException": kept(() => new DOMException("m", "AbortError")),
  "stores DOMException of another name": kept(() => new DOMException("h\u00e9\u{1f600}", "Q\u00e9")),
  "stores Headers": kept(() => new Headers([["x-a", "1"], ["X-A", "2"], ["set-cookie", "a=1"], ["Set-Cookie", "b=2"], ["content-type", "h\u00e9"], ["www-authenticate", "x"], ["accept-charset", ""]])),
  "stores Blob": kept(() => new Blob(["h\u00e9y"], { type: "Text/Plain" })),
  "stores platform objects among others": async (s) => { const h = new Headers({ a: "1" }); await s.put("k", { h, e: new TypeError("m"), o: [h] }); const v = await s.get("k"); return [v.o[0] === v.h, v.h.get("a"), String(v.e)]; },
  "stores URL": kept(() => new URL("http://x/")),
  "stores URLSearchParams": kept(() => new URLSearchParams("a=1")),
  "stores File": kept(() => new File(["a"], "n")),
  "stores FormData": kept(() => new FormData()),
  "stores Event": kept(() => new Event("x")),
  "stores class on EventTarget": kept(() => new Target()),
  "stores AbortController": kept(() => new AbortController()),
  "stores AbortSignal": kept(() => AbortSignal.abort()),
  "stores ReadableStream in an object": kept(() => ({ inner: new ReadableStream() })),
  "stores WritableStream": kept(() => new WritableStream()),
  "stores TransformStream": kept(() => new TransformStream()),
  "stores crypto": kept(() => crypto),
  "stores storage": (s) => s.put("k", s),
  "stores instance": kept(() => new (class A { x = 1; #y = 2; get z() { return 3; } })()),
  "clones custom error": () => { const e = structuredClone(new Custom("m")); return [e.constructor.name, String(e), e.code]; },
  "clones Headers": () => [...structuredClone(new Headers({ a: "1" }))],
  "clones URL": () => structuredClone(new URL("http://x/")),
  "clones DOMException": () => { const e = structuredClone(new DOMException("m", "DataError")); return [e instanceof DOMException, e.name, e.code]; },
  "get missing": (s) => s.get("missing"),
  "get many": async (s) => { await s.put({ b: 2, a: 1, c: 3 }); return s.get(["c", "a", "zz", "a"]); },
  "get none": (s) => s.get([]),
  "get number key": async (s) => { await s.put("1", "one"); return s.get(1); },
  "get without key": (s) => s.get(),
  "get null key": (s) => s.get(null),
  "get object key": (s) => s.get({}),
  "get with options": async (s) => { await s.put("k", 1); return s.get("k", { allowConcurrency: true, noCache: true }); },
  "get 128 keys": async (s) => (await s.get(Array.from({ length: 128 }, (_, i) => "k" + i))).size,
  "get 129 keys": async (s) => (await s.get(Array.from({ length: 129 }, (_, i) => "k" + i))).size,
  "put undefined": (s) => s.put("k", undefined),
  "put without value": (s) => s.put("k"),
  "put null": async (s) => { await s.put("k", null); return s.get("k"); },
  "put returns": (s) => s.put("k", 1),
  "put function": (s) => s.put("k", () => 1),
  "put symbol": (s) => s.put("k", Symbol("x")),
  "put nested function": (s) => s.put("k", { f() {} }),
  "put entries": async (s) => { await s.put({ y: 1, x: [1, { z: 2 }] }); return s.list(); },
  "put entries skips undefined": async (s) => { await s.put({ y: 1, x: undefined }); return s.list(); },
  "put entries with options": async (s) => { await s.put({ y: 1 }, { allowUnconfirmed: true }); return s.list(); },
  "put unconfirmed": async (s) => { await s.put("k", 5, { allowUnconfirmed: true }); return s.get("k"); },
  "put 128 entries": async (s) => { await s.put(Object.fromEntries(Array.from({ length: 128 }, (_, i) => ["k" + i, i]))); return (await s.list()).size; },
  "put 129 entries": async (s) => { await s.put(Object.fromEntries(Array.from({ length: 129 }, (_, i) => ["k" + i, i]))); return (await s.list()).size; },
  "put empty key": async (s) => { await s.put("", 1); return s.list(); },
  "put is a copy": async (s) => { const v = { n: 1 }; const p = s.put("k", v); v.n = 2; await p; const got = await s.get("k"); got.n = 3; return s.get("k"); },
  "put in order": async (s) => { s.put("k", 1); s.put("k", 2); s.delete("k"); s.put("k", 3); return s.get("k"); },
  "put class instance": async (s) => { class P { x = 1; get y() { return 2; } } await s.put("k", new P()); return s.get("k"); },
  "put throws from getter": (s) => s.put("k", { get x() { throw new RangeError("from getter"); } }),
  "values": async (s) => {
    const shared = { n: 1 };
    const value = {
      integers: [0, -0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 53, 0.1, NaN, Infinity], big: [0n, -1n, 2n ** 70n],
      strings: ["", "plain", "h\u00e9llo", "\u65e5\u672c", "\ud83d\ude00", "\ud800"], dates: [new Date(0), new Date(NaN)],
      regexp: /a+b/gi, map: new Map([[1, "one"], ["two", new Map()]]), set: new Set([1, "1"]), none: [null, undefined], bool: [true, false],
      bytes: new Uint8Array([1, 2, 3]), f64: new Float64Array([1.5]), buffer: new ArrayBuffer(3), sparse: [1, , 3].length, error: new TypeError("t"), pair: [shared, shared],
    };
    await s.put("k", value); const got = await s.get("k");
    return [show(got), got.pair[0] === got.pair[1]];
  },
  "cycle": async (s) => { const v = { a: [] }; v.a.push(v); await s.put("k", v); const got = await s.get("k"); return got.a[0] === got; },
  "delete missing": (s) => s.delete("missing"),
  "delete": async (s) => { await s.put("k", 1); return [await s.delete("k"), await s.get("k")]; },
  "delete many": async (s) => { await s.put({ a: 1, b: 2, c: 3 }); return [await s.delete(["a", "c", "x", "a"]), show(await s.list())]; },
  "delete none": (s) => s.delete([]),
  "delete 129": (s) => s.delete(Array.from({ length: 129 }, (_, i) => "k" + i)),
  "delete without key": (s) => s.delete(),
  "list empty": (s) => s.list(),
  "list order": async (s) => { await s.put({ b: 1, a: 2, "\u00e9": 3, "\ud83d\ude00": 4, "\uffee": 5, B: 6, "": 7, ab: 8 }); return s.list(); },
  "list options": async (s) => {
    await s.put({ a: 1, ab: 2, abc: 3, b: 4, ba: 5, c: 6 });
    const out = [];
    for (const o of [
      undefined, null, {}, { start: "ab" }, { startAfter: "ab" }, { end: "b" }, { start: "ab", end: "b" }, { prefix: "ab" }, { prefix: "" }, { reverse: true }, { limit: 2 }, { limit: 2, reverse: true },
      { prefix: "a", start: "ab" }, { prefix: "a", end: "abc" }, { prefix: "b", start: "a" }, { prefix: "zz" }, { start: "b", end: "a" }, { start: "b", end: "b" },
      { startAfter: "a", prefix: "a" }, { start: undefined, end: undefined, limit: undefined }, { allowConcurrency: true, noCache: true }, { limit: 100 }, { prefix: "a", reverse: true, limit: 1 },
      { start: null }, { limit: 1.5 }, { limit: "2" }, { start: 1 },
    ]) {
      try { out.push(show(await s.list(o))); } catch (e) { out.push(show(e)); }
    }
    return out;
  },
  "list limit 0": (s) => s.list({ limit: 0 }),
  "list limit negative": (s) => s.list({ limit: -1 }),
  "list start and startAfter": (s) => s.list({ start: "a", startAfter: "b" }),
  "list bad options": (s) => s.list("a"),
  "deleteAll": async (s) => { await s.put({ a: 1, b: 2 }); const r = await s.deleteAll(); return [r === undefined, show(await s.list())]; },
  "deleteAll then put": async (s) => { await s.put("a", 1); s.deleteAll(); await s.put("b", 2); return s.list(); },
  "deleteAll in transaction": (s) => s.transaction(async (t) => { await t.put("a", 1); await t.deleteAll(); }),
  "storage.deleteAll in transaction": (s) => s.transaction(async () => { await s.deleteAll(); }),
  "sync": async (s) => { s.put("a", 1); return [await s.sync(), await s.sync()]; },
  "sync in transaction": (s) => s.transaction(async (t) => { await t.put("a", 1); await s.sync(); return "done"; }),
  "transaction value": (s) => s.transaction(async () => 42),
  "transaction sync callback": (s) => s.transaction(() => 42),
  "transaction without callback": (s) => s.transaction(),
  "transaction commit": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); await t.put({ b: 2, c: 3 }); await t.delete("b"); }); return s.list(); },
  "transaction sees itself": (s) => s.transaction(async (t) => { await t.put("a", 1); return [await t.get("a"), await s.get("a"), show(await t.list()), show(await t.get(["a", "b"]))]; }),
  "transaction throw": async (s) => { await s.put("a", 0); let caught; try { await s.transaction(async (t) => { await t.put("a", 1); throw new TypeError("oops"); }); } catch (e) { caught = show(e); } return [caught, show(await s.list())]; },
  "transaction rollback": async (s) => { const r = await s.transaction(async (t) => { await t.put("a", 1); t.rollback(); return "returned"; }); return [r, show(await s.list())]; },
  "transaction rollback twice": (s) => s.transaction(async (t) => { t.rollback(); t.rollback(); return "twice"; }),
  "transaction use after rollback": (s) => s.transaction(async (t) => { t.rollback(); await t.put("a", 1); }),
  "transaction get after rollback": (s) => s.transaction(async (t) => { t.rollback(); return t.get("a"); }),
  "transaction use after end": async (s) => { let kept; await s.transaction(async (t) => { kept = t; }); return kept.put("a", 1); },
  "transaction get after end": async (s) => { let kept; await s.transaction(async (t) => { kept = t; }); return kept.get("a"); },
  "transaction rollback after end": async (s) => { let kept; await s.transaction(async (t) => { kept = t; }); return kept.rollback(); },
  "transaction nested": async (s) => {
    await s.transaction(async (t) => {
      await t.put("a", 1);
      await s.transaction(async (u) => { await u.put("b", 2); });
      try { await s.transaction(async (u) => { await u.put("c", 3); throw new Error("inner"); }); } catch {}
      await s.transaction(async (u) => { await u.put("d", 4); u.rollback(); });
    });
    return s.list();
  },
  "transaction outer rollback undoes inner": async (s) => { await s.transaction(async (t) => { await s.transaction(async (u) => { await u.put("b", 2); }); t.rollback(); }); return s.list(); },
  "transaction storage.put inside joins": async (s) => { await s.transaction(async (t) => { await s.put("a", 1); t.rollback(); }); return s.list(); },
  "transactions queue": async (s) => { const log = []; await Promise.all([1, 2, 3].map((n) => s.transaction(async (t) => { log.push("<" + n); await scheduler.wait(1); await t.put("n", n); log.push(n + ">"); }))); return [log, await s.get("n")]; },
  "transaction methods": (s) => s.transaction(async (t) => Object.getOwnPropertyNames(Object.getPrototypeOf(t)).sort().filter((n) => !/larm/.test(n))),
  "unawaited get order": async (s) => { const log = []; await s.put("k", 1); s.get("k").then(() => log.push("get")); Promise.resolve().then(() => log.push("micro")); log.push("sync"); await scheduler.wait(5); return log.sort(); },
  "bad put does nothing": async (s) => { try { await s.put({ a: 1, b: () => 1 }); } catch (e) { return [show(e), show(await s.list())]; } },
  "detached method": async (s) => { const { get } = s; return get("a"); },
  "class names": (s) => [s.constructor.name, Object.prototype.toString.call(s)],
};

export class Probe extends DurableObject {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) {
      await this.ctx.storage.deleteAll();
      try { out[name] = show(await run(this.ctx.storage)); } catch (error) { out[name] = show(error); }
    }
    return Response.json(out);
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
