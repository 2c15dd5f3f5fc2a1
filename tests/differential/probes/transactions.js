// What ctx.storage answers in the corners: keys, values, options, batches, transactions and sections, case by case.
// Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof Date) return { date: String(value.getTime()) };
  if (value instanceof Set) return { set: [...value].map(show) };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)], resizable: value.resizable };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)], whole: value.buffer.byteLength, at: value.byteOffset };
  if (value instanceof Error || value instanceof DOMException) return { error: value.name, message: value.message, type: value.constructor.name, cause: value.cause === undefined ? "none" : show(value.cause) };
  if (value instanceof RegExp) return { regexp: String(value), at: value.lastIndex };
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return { boxed: show(value.valueOf()) };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return { array: Array.from(value, (v, i) => (i in value ? show(v) : "hole")), more: Object.keys(value).filter((k) => !/^\d+$/.test(k)) };
  if (value && typeof value === "object") return { [Object.getPrototypeOf(value) === Object.prototype ? "object" : "other"]: Object.entries(value).map(([k, v]) => [k, show(v)]) };
  return value;
};
const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
const back = (value) => async (s) => { await s.put("v", value()); return s.get("v"); };

// Keys: each is put, found by get, listed and deleted.
const keys = {
  empty: "", space: " ", nul: "\0", "nul inside": "a\0b", newline: "a\nb", slash: "a/b", percent: "%", underscore: "_", quote: "'\"", accent: "\u00e9", combining: "e\u0301", euro: "\u20ac",
  "private use": "\ue000", "last of the plane": "\uffff", "byte order mark": "\ufeffa", emoji: "\u{1f600}", family: "\u{1f468}\u200d\u{1f469}", "lone high": "\ud83d", "lone low": "\ude00", "lone inside": "a\ud83db", reversed: "\ude00\ud83d",
  long: "k".repeat(2048), longer: "k".repeat(2049), "very long": "k".repeat(100_000), number: 5, "minus zero": -0, nan: NaN, bigint: 5n, true: true, null: null, array: ["a"], date: new Date(0), symbol: Symbol("s"), "to string": { toString: () => "x" }, "to string throws": { toString() { throw new RangeError("no string"); } },
  function: () => 1, "no prototype": Object.create(null),
};
const keyCases = Object.fromEntries(Object.entries(keys).map(([name, key]) => [`key ${name}`, async (s) => [
  await attempt(() => s.put(key, 1)), await attempt(() => s.get(key)), await attempt(() => s.get([key])), await attempt(async () => [...(await s.list()).keys()].map((k) => k.length > 100 ? k.length : k)),
  await attempt(() => s.delete([key])), await attempt(() => s.delete(key)), await attempt(() => s.list({ prefix: key })),
]]));

const cyclic = () => { const a = { b: {} }; a.b.a = a; return a; };
const values = {
  null: () => null, true: () => true, false: () => false, zero: () => 0, "minus zero": () => -0, nan: () => NaN, infinity: () => -Infinity, "int max": () => 2 ** 30, "int min": () => -(2 ** 31), "int more": () => 2 ** 31, fraction: () => 0.1, largest: () => Number.MAX_VALUE, smallest: () => 5e-324,
  "bigint zero": () => 0n, "bigint negative": () => -(2n ** 64n), "bigint huge": () => 3n ** 500n, "empty string": () => "", latin: () => "\u00ff", wide: () => "\u0100\0", surrogate: () => "\ud800", "long string": () => "ab".repeat(5000),
  date: () => new Date(1e12), "date invalid": () => new Date(NaN), "date negative": () => new Date(-1.5), regexp: () => /a\/b/giu, "regexp at": () => { const r = /a/g; r.lastIndex = 3; return r; }, "regexp sets": () => /[a&&b]/v,
  "boxed number": () => Object(1.5), "boxed string": () => Object("s"), "boxed boolean": () => Object(false), "boxed bigint": () => Object(5n),
  array: () => [1, "a", null, undefined, [2]], "array empty": () => [], "array holes": () => [1, , 3], "array sparse": () => { const a = []; a[1000] = 1; return a.length; }, "array sparse itself": () => { const a = []; a[20] = 1; return a; }, "array property": () => Object.assign([1], { extra: 2 }), "array doubles": () => [1.5, 2, -0], "array long": () => Array.from({ length: 300 }, (_, i) => i),
  object: () => ({ b: 1, a: { c: [] }, 2: "x", 1: "y", "-1": "z" }), "object empty": () => ({}), "object undefined": () => ({ a: undefined }), "object symbol": () => ({ [Symbol("s")]: 1, a: 2 }), "object hidden": () => Object.defineProperty({ a: 1 }, "h", { value: 2 }), "object getter": () => ({ get a() { return 5; } }), "object getter throws": () => ({ get a() { throw new TypeError("got"); } }), "object no prototype": () => Object.assign(Object.create(null), { a: 1 }), "object proto key": () => JSON.parse('{"__proto__": 1, "a": 2}'), "object frozen": () => Object.freeze({ a: 1 }), "object toJSON": () => ({ a: 1, toJSON: null }),
  map: () => new Map([[{ k: 1 }, new Map()], ["a", 1]]), "map empty": () => new Map(), set: () => new Set([1, "1", NaN, NaN]), "set nested": () => new Set([new Set([1])]),
  buffer: () => new Uint8Array([1, 2, 3]).buffer, "buffer empty": () => new ArrayBuffer(0), "buffer resizable": () => new ArrayBuffer(2, { maxByteLength: 4 }), uint8: () => new Uint8Array([1, 2, 3]), "uint8 part": () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3), clamped: () => new Uint8ClampedArray([300]), int16: () => new Int16Array([-2]), uint32: () => new Uint32Array([2 ** 32 - 1]), float32: () => new Float32Array([1.5]), float64: () => new Float64Array([NaN, 1]), bigint64: () => new BigInt64Array([-1n]), biguint64: () => new BigUint64Array([1n]), dataview: () => new DataView(new ArrayBuffer(4), 1, 2), "shared views": () => { const b = new ArrayBuffer(4); return [new Uint8Array(b), new Uint16Array(b)]; },
  error: () => new Error("message"), "type error": () => new TypeError("typed"), "error cause": () => new RangeError("with", { cause: { a: 1 } }), "error named": () => Object.assign(new Error("m"), { name: "Custom" }), "error empty": () => new Error(), "aggregate error": () => new AggregateError([new Error("one")], "many"), "dom exception": () => new DOMException("dom", "AbortError"),
  "class instance": () => { class Point { x = 1; #y = 2; get z() { return 3; } m() {} } return new Point(); }, "class of map": () => { class M extends Map { extra = 1; } return new M([[1, 2]]); }, "class of array": () => { class A extends Array {} return A.of(1, 2); }, "class of error": () => { class E extends TypeError { code = 5; } return new E("sub"); },
  cyclic: () => { const a = cyclic(); return a.b.a === a; }, arguments: () => (function () { return arguments; })(1, 2),
  function: () => () => 1, "named function": () => function named() { return 1; }, class: () => class K {}, "method inside": () => ({ a: { f() {} } }), symbol: () => Symbol("s"), "symbol inside": () => [Symbol.iterator], promise: () => Promise.resolve(1), weakmap: () => new WeakMap(), weakset: () => new WeakSet(), weakref: () => new WeakRef({}), generator: () => (function* () {})(), proxy: () => new Proxy({ a: 1 }, {}), "function in map": () => new Map([["a", () => 1]]), "function in set": () => new Set([() => 1]), iterator: () => [1][Symbol.iterator](), global: () => globalThis === undefined, math: () => Math, json: () => JSON, "math inside": () => ({ m: Math }),
  url: () => new URL("http://a/b"), request: () => new Request("http://a/"), response: () => new Response("x"), "text encoder": () => new TextEncoder(), "abort controller": () => new AbortController(), "search params": () => new URLSearchParams("a=1"), event: () => new Event("x"),
};
const valueCases = Object.fromEntries(Object.entries(values).map(([name, value]) => [`value ${name}`, back(value)]));

const cases = {
  ...keyCases,
  ...valueCases,
  "value cyclic itself": async (s) => { await s.put("v", cyclic()); const v = await s.get("v"); return [v.b.a === v, Object.keys(v)]; },
  "value shared": async (s) => { const c = { n: 1 }; await s.put("v", [c, c]); const v = await s.get("v"); return v[0] === v[1]; },
  "value shared buffer": async (s) => { const b = new ArrayBuffer(4); await s.put("v", [new Uint8Array(b), new Uint16Array(b)]); const v = await s.get("v"); return v[0].buffer === v[1].buffer; },
  "value deep": async (s) => { let v = 0; for (let i = 0; i < 500; i++) v = { v }; await s.put("v", v); let n = 0; for (let w = await s.get("v"); w; w = w.v) n++; return n; },
  "value is copied at once": async (s) => { const v = { a: 1 }; const p = s.put("v", v); v.a = 2; await p; return s.get("v"); },
  "value read is a fresh copy": async (s) => { await s.put("v", { a: 1 }); (await s.get("v")).a = 2; return s.get("v"); },
  "value detached buffer": async (s) => { const b = new ArrayBuffer(2); structuredClone(b, { transfer: [b] }); await s.put("v", b); return s.get("v"); },
  "value detached view": async (s) => { const u = new Uint8Array(2); structuredClone(u.buffer, { transfer: [u.buffer] }); await s.put("v", u); return s.get("v"); },
  "value getter order": async (s) => { const log = []; await s.put("v", { get b() { log.push("b"); return 1; }, get a() { log.push("a"); return 2; } }); return [log, await s.get("v")]; },
  "value getter deletes": async (s) => { const v = { get a() { delete this.b; return 1; }, b: 2 }; await s.put("v", v); return s.get("v"); },
  "value 1 MB": async (s) => { await s.put("v", "x".repeat(1_000_000)); return (await s.get("v")).length; },
  "value 3 MB": async (s) => { await s.put("v", new Uint8Array(3_000_000)); return (await s.get("v")).length; },
  "value too large": (s) => s.put("v", new Uint8Array(9_000_000)),
  "value too large leaves the old": async (s) => { await s.put("v", 1); const r = await attempt(() => s.put("v", new Uint8Array(9_000_000))); return [r, await s.get("v")]; },
  "batch too large leaves nothing": async (s) => { const r = await attempt(() => s.put({ a: 1, v: new Uint8Array(9_000_000) })); return [r, await s.list()]; },

  "order by bytes": async (s) => { for (const k of ["\uffff", "\u{10000}", "\ue000", "\u00ff", "\u0100", "a", "A", "~", "\0", "", "\ud7ff", "aa", "a\0"]) await s.put(k, 1); return [...(await s.list()).keys()].map((k) => JSON.stringify(k)); },
  "order reversed": async (s) => { for (const k of ["\uffff", "\u{10000}", "a", ""]) await s.put(k, 1); return [...(await s.list({ reverse: true })).keys()].map((k) => JSON.stringify(k)); },
  "order of get": async (s) => { await s.put({ "\u{10000}": 1, "\uffff": 2, a: 3 }); return [...(await s.get(["\u{10000}", "a", "\uffff"])).keys()].map((k) => JSON.stringify(k)); },
  "order of numbers": async (s) => { await s.put({ 10: 1, 9: 1, 1: 1, 100: 1 }); return [...(await s.list()).keys()]; },
  "range of surrogates": async (s) => { await s.put({ "\u{1f600}": 1, "\u{1f601}": 2, "\ue000": 3 }); return [await s.list({ start: "\ue000", end: "\u{1f601}" }), await s.list({ prefix: "\u{1f600}" }), await s.list({ prefix: "\ud83d" })]; },

  "list all combinations": async (s) => {
    await s.put({ a: 1, aa: 2, ab: 3, abc: 4, b: 5, ba: 6, c: 7 });
    const out = [];
    for (const start of [undefined, "", "aa", "abz", "b", "z"]) for (const end of [undefined, "", "ab", "b", "ba"]) for (const prefix of [undefined, "", "a", "ab", "x"]) for (const reverse of [undefined, true]) for (const limit of [undefined, 1, 3])
      out.push([...(await s.list({ start, end, prefix, reverse, limit })).keys()].join());
    return out.join("|");
  },
  "list startAfter combinations": async (s) => {
    await s.put({ a: 1, aa: 2, ab: 3, "ab\0": 4, b: 5, ba: 6 });
    const out = [];
    for (const startAfter of ["", "a", "ab", "ab\0", "aZ", "b", "z"]) for (const end of [undefined, "b"]) for (const prefix of [undefined, "a"]) for (const reverse of [false, true]) for (const limit of [undefined, 2])
      out.push([...(await s.list({ startAfter, end, prefix, reverse, limit })).keys()].join());
    return JSON.stringify(out);
  },
};
for (const [name, options] of Object.entries({
  "limit 1": { limit: 1 }, "limit 1.9": { limit: 1.9 }, "limit 0.9": { limit: 0.9 }, "limit -0.5": { limit: -0.5 }, "limit NaN": { limit: NaN }, "limit Infinity": { limit: Infinity }, "limit 2**31": { limit: 2 ** 31 }, "limit 2**31-1": { limit: 2 ** 31 - 1 }, "limit 2**32+1": { limit: 2 ** 32 + 1 }, "limit text": { limit: "x" }, "limit empty text": { limit: "" }, "limit true": { limit: true }, "limit null": { limit: null }, "limit bigint": { limit: 1n }, "limit symbol": { limit: Symbol("s") }, "limit object": { limit: { valueOf: () => 2 } }, "limit array": { limit: [2] },
  "start number": { start: 1 }, "start null": { start: null }, "start symbol": { start: Symbol("s") }, "start object": { start: {} }, "end null": { end: null }, "end number": { end: 5 }, "prefix null": { prefix: null }, "prefix number": { prefix: 1 }, "startAfter null": { startAfter: null }, "startAfter undefined": { startAfter: undefined, start: "a" }, "both with undefined start": { startAfter: "a", start: undefined }, "both null": { startAfter: null, start: null }, "both and bad limit": { start: "a", startAfter: "b", limit: 0 },
  "reverse text": { reverse: "no" }, "reverse null": { reverse: null }, "reverse 0": { reverse: 0 }, "reverse object": { reverse: {} }, "unknown option": { sort: "x" }, "options array": [], "options function": () => 1, "options number": 5, "options true": true, "options symbol": Symbol("o"), "options null": null, "options date": new Date(0), "options map": new Map([["limit", 1]]), "options inherited": Object.create({ limit: 1 }), "allowConcurrency text": { allowConcurrency: "x" }, "noCache null": { noCache: null },
  "option throws": { get limit() { throw new RangeError("read"); } },
})) cases[`list ${name}`] = async (s) => { await s.put({ 1: 0, a: 1, b: 2, null: 3 }); return [...(await s.list(options)).keys()]; };
for (const [name, options] of Object.entries({ number: 5, text: "x", true: true, null: null, array: [], function: () => 1, symbol: Symbol("s"), empty: {}, unconfirmed: { allowUnconfirmed: true }, "unconfirmed text": { allowUnconfirmed: "x" }, "not cached": { noCache: true, allowConcurrency: true }, throws: { get allowUnconfirmed() { throw new RangeError("read"); } } })) {
  cases[`get options ${name}`] = async (s) => { await s.put("a", 1); return s.get("a", options); };
  cases[`put options ${name}`] = async (s) => [await attempt(() => s.put("a", 1, options)), await s.get("a")];
  cases[`put entries options ${name}`] = async (s) => [await attempt(() => s.put({ a: 1 }, options)), await s.get("a")];
  cases[`delete options ${name}`] = async (s) => { await s.put("a", 1); return [await attempt(() => s.delete("a", options)), await s.get("a")]; };
  cases[`delete all options ${name}`] = async (s) => { await s.put("a", 1); return [await attempt(() => s.deleteAll(options)), await s.get("a")]; };
}
Object.assign(cases, {
  "put nothing": (s) => s.put(), "put key only": (s) => s.put("a"), "put undefined": (s) => s.put("a", undefined), "put undefined key": async (s) => [await attempt(() => s.put(undefined, 1)), await s.list()], "put null": async (s) => [await attempt(() => s.put(null)), await attempt(() => s.put(null, 1)), await s.list()],
  "put array": async (s) => [await attempt(() => s.put(["a", 1])), await attempt(() => s.put(["a"], 1)), await s.list()], "put map": async (s) => [await attempt(() => s.put(new Map([["a", 1]]))), await s.list()], "put set": async (s) => [await attempt(() => s.put(new Set([1]))), await s.list()], "put date": async (s) => [await attempt(() => s.put(new Date(0))), await s.list()], "put function": async (s) => [await attempt(() => s.put(() => 1)), await s.list()],
  "put entries undefined": async (s) => { await s.put("a", 1); await s.put({ a: undefined, b: 2 }); return s.list(); }, "put entries empty": async (s) => [await s.put({}), await s.list()], "put entries inherited": async (s) => { await s.put(Object.create({ a: 1 }, { b: { value: 2, enumerable: true }, c: { value: 3 } })); return s.list(); }, "put entries symbol": async (s) => { await s.put({ [Symbol("s")]: 1, a: 2 }); return s.list(); }, "put entries numbers": async (s) => { await s.put({ 2: "two", 1: "one" }); return s.list(); }, "put entries getter": async (s) => { await s.put({ get a() { return 5; } }); return s.list(); }, "put entries getter throws": async (s) => [await attempt(() => s.put({ a: 1, get b() { throw new RangeError("b"); } })), await s.list()], "put entries class": async (s) => { class E { a = 1; m() {} } await s.put(new E()); return s.list(); }, "put entries no prototype": async (s) => { await s.put(Object.assign(Object.create(null), { a: 1 })); return s.list(); }, "put entries and value": async (s) => [await attempt(() => s.put({ a: 1 }, 5)), await attempt(() => s.put({ a: 1 }, "x")), await attempt(() => s.put({ a: 1 }, undefined, {})), await s.list()], "put entries function value": async (s) => [await attempt(() => s.put({ a: 1, b: () => 1, c: 2 })), await s.list()],
  "put 1000 entries": async (s) => { await s.put(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ["k" + i, i]))); return (await s.list()).size; },
  "get 1000 keys": async (s) => { await s.put("k5", 5); return s.get(Array.from({ length: 1000 }, (_, i) => "k" + i)); },
  "get duplicates": async (s) => { await s.put({ a: 1, b: 2 }); return s.get(["b", "a", "b", "a"]); }, "get sparse array": (s) => s.get(["a", , "b"]), "get array of numbers": async (s) => { await s.put("1", "x"); return s.get([1, 2]); }, "get nested array": async (s) => { await s.put("a", 1); return s.get([["a"]]); }, "get array with symbol": (s) => s.get([Symbol("s")]), "get set": (s) => s.get(new Set(["a"])), "get iterator": (s) => s.get("a"[Symbol.iterator]()), "get typed array": async (s) => { await s.put("1", 1); return s.get(new Uint8Array([1])); },
  "delete duplicates": async (s) => { await s.put({ a: 1, b: 2 }); return s.delete(["a", "a", "c"]); }, "delete 1000": async (s) => { await s.put(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ["k" + i, i]))); return s.delete(Array.from({ length: 1000 }, (_, i) => "k" + i)); }, "delete twice": async (s) => { await s.put("a", 1); return Promise.all([s.delete("a"), s.delete("a")]); }, "delete array with symbol": async (s) => { await s.put("a", 1); return [await attempt(() => s.delete(["a", Symbol("s")])), await s.get("a")]; },
  "methods return promises": (s) => ["get", "put", "delete", "list", "deleteAll", "sync"].map((m) => { const p = m === "put" ? s.put("a", 1) : s[m]("a"); p.catch(() => {}); return p instanceof Promise; }),
  "errors are rejections": async (s) => { const out = []; for (const run of [() => s.put("a", undefined), () => s.list({ limit: 0 }), () => s.get(Symbol("s")), () => s.put("a", () => 1)]) { let p; try { p = run(); out.push("returned"); } catch (e) { out.push("threw " + e.message); continue; } await p.catch((e) => out.push(e.name)); } return out; },
  "order of unawaited": async (s) => { s.put("a", 1); s.put("a", 2); s.delete("b"); const l = s.list(); s.put("c", 3); return [await l, await s.list()]; },
  "put after bad put": async (s) => { await attempt(() => s.put("a", () => 1)); await s.put("a", 2); return s.list(); },

  "transaction of a value": (s) => s.transaction(() => "plain"), "transaction of a thenable": (s) => s.transaction(() => ({ then: (f) => f("thenable") })), "transaction throws at once": async (s) => [await attempt(() => s.transaction(() => { throw new RangeError("at once"); })), await s.list()], "transaction throws undefined": async (s) => attempt(() => s.transaction(async () => { throw undefined; })), "transaction throws text": async (s) => { try { await s.transaction(async () => { throw "text"; }); } catch (e) { return ["caught", e]; } }, "transaction error is the same": async (s) => { const e = new Error("same"); e.extra = 1; try { await s.transaction(async () => { throw e; }); } catch (c) { return c === e; } },
  "transaction of a string": (s) => s.transaction("x"), "transaction of null": (s) => s.transaction(null), "transaction of undefined": (s) => s.transaction(undefined), "transaction this": (s) => s.transaction(function () { return this === undefined; }), "transaction arguments": (s) => s.transaction((...a) => [a.length, a[0].constructor.name]),
  "transaction put and throw": async (s) => { await s.put({ a: 1, b: 1 }); await attempt(() => s.transaction(async (t) => { await t.put("a", 2); await t.delete("b"); await t.put("c", 3); throw new Error("no"); })); return s.list(); },
  "transaction unawaited put": async (s) => { await s.transaction((t) => { t.put("a", 1); }); return s.list(); },
  "transaction unawaited bad put": async (s) => { await s.transaction((t) => { t.put("b", 1); t.put("a", () => 1).catch(() => {}); }); return s.list(); },
  "transaction late put": async (s) => { let late; await s.transaction((t) => { late = Promise.resolve().then(() => 0).then(() => 0).then(() => 0).then(() => 0).then(() => t.put("a", 1)); }); return [await attempt(() => late), await s.list()]; },
  "transaction uses all": (s) => s.transaction(async (t) => [await t.put({ a: 1, b: 2, c: 3 }), await t.get(["a", "z"]), await t.delete(["a", "z"]), await t.delete("b"), await t.delete("b"), await t.list({ reverse: true }), await t.get("c")]),
  "transaction options": (s) => s.transaction(async (t) => [await attempt(() => t.put("a", 1, 5)), await attempt(() => t.get("a", 5)), await attempt(() => t.list(5)), await attempt(() => t.delete("a", 5)), await attempt(() => t.put({ a: 1 }, 5)), await attempt(() => t.list({ limit: 0 })), await attempt(() => t.put("a", undefined)), await attempt(() => t.put("a"))]),
  "transaction clone error": async (s) => [await attempt(() => s.transaction(async (t) => { await t.put("a", 1); await t.put("b", () => 1); })), await s.list()],
  "transaction caught error": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); await attempt(() => t.put("b", () => 1)); }); return s.list(); },
  "transaction rollback then throw": async (s) => [await attempt(() => s.transaction(async (t) => { await t.put("a", 1); t.rollback(); throw new Error("after"); })), await s.list()],
  "transaction rollback returns": (s) => s.transaction((t) => [t.rollback() === undefined]),
  "transaction after rollback": (s) => s.transaction(async (t) => { t.rollback(); return [await attempt(() => t.get("a")), await attempt(() => t.put("a", 1)), await attempt(() => t.put({ a: 1 })), await attempt(() => t.list()), await attempt(() => t.delete("a")), await attempt(() => t.delete(["a"])), await attempt(() => t.get(["a"])), await attempt(() => t.deleteAll()), await attempt(() => t.rollback())]; }),
  "transaction after end": async (s) => { let t; await s.transaction((x) => { t = x; }); return [await attempt(() => t.get("a")), await attempt(() => t.put("a", 1)), await attempt(() => t.put({ a: 1 })), await attempt(() => t.list()), await attempt(() => t.delete("a")), await attempt(() => t.deleteAll()), await attempt(() => t.rollback())]; },
  "transaction after failed end": async (s) => { let t; await attempt(() => s.transaction((x) => { t = x; throw new Error("x"); })); return [await attempt(() => t.get("a")), await attempt(() => t.put("a", 1)), await attempt(() => t.rollback())]; },
  "transaction storage after rollback": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); t.rollback(); await s.put("b", 2); }); return s.list(); },
  "transaction storage delete joins": async (s) => { await s.put("a", 1); await attempt(() => s.transaction(async () => { await s.delete("a"); throw new Error("x"); })); return s.list(); },
  "transaction with a timer": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); await scheduler.wait(2); await t.put("b", 2); }); return s.list(); },
  "transaction sync inside": (s) => s.transaction(async (t) => { await t.put("a", 1); return [await s.sync(), await t.get("a")]; }),
  "transaction deleteAll inside": async (s) => { await s.put("a", 1); return [await attempt(() => s.transaction(async (t) => { await t.put("b", 1); await s.deleteAll(); })), await s.list()]; },
  "transaction deleteAll caught": async (s) => { await s.put("a", 1); await s.transaction(async (t) => { await t.put("b", 1); await attempt(() => t.deleteAll()); await attempt(() => s.deleteAll()); }); return s.list(); },
  "transaction isolates nothing": async (s) => { const log = []; await Promise.all([s.transaction(async (t) => { await t.put("a", 1); await scheduler.wait(2); log.push("in " + (await t.get("a"))); }), s.put("a", 0).then(() => log.push("out"))]); return [log, await s.get("a")]; },
  "transactions in a row": async (s) => { for (let i = 0; i < 20; i++) await s.transaction(async (t) => { await t.put("n", ((await t.get("n")) ?? 0) + 1); }); return s.get("n"); },
  "transactions at once": async (s) => { await Promise.all(Array.from({ length: 20 }, () => s.transaction(async (t) => { const n = (await t.get("n")) ?? 0; await scheduler.wait(0); await t.put("n", n + 1); }))); return s.get("n"); },
  "transactions at once, some fail": async (s) => { const r = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => s.transaction(async (t) => { await t.put("k" + i, i); await scheduler.wait(0); if (i % 2) throw new Error("no " + i); return i; }))); return [r.map((x) => x.value ?? x.reason.message), await s.list()]; },
  "nested inner throws": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); await attempt(() => s.transaction(async (u) => { await u.put("a", 2); await u.put("b", 2); throw new Error("x"); })); await t.put("c", await t.get("a")); }); return s.list(); },
  "nested outer throws": async (s) => { await attempt(() => s.transaction(async (t) => { await s.transaction(async (u) => { await u.put("b", 2); }); throw new Error("x"); })); return s.list(); },
  "nested inner uses outer": async (s) => { await s.transaction(async (t) => { await s.transaction(async (u) => { await t.put("by outer", 1); u.rollback(); }); }); return s.list(); },
  "nested outer used after inner": async (s) => s.transaction(async (t) => { let u; await s.transaction(async (x) => { u = x; await u.put("a", 1); }); return [await attempt(() => u.get("a")), await attempt(() => t.get("a"))]; }),
  "nested three deep": async (s) => { await s.transaction(async (t) => { await t.put("a", 1); await s.transaction(async (u) => { await u.put("b", 1); await s.transaction(async (v) => { await v.put("c", 1); u.put; }); await s.transaction(async (v) => { await v.put("d", 1); v.rollback(); }); }); }); return s.list(); },
  "nested outer rolls back while inner runs": async (s) => s.transaction(async (t) => s.transaction(async () => attempt(() => t.rollback()))),
  "nested siblings": async (s) => { await s.transaction(async () => { await Promise.all([1, 2, 3].map((n) => s.transaction(async (u) => { const v = (await u.get("n")) ?? 0; await scheduler.wait(0); await u.put("n", v + n); }))); }); return s.get("n"); },
  "nested siblings, one fails": async (s) => { await s.transaction(async () => { await Promise.allSettled([1, 2, 3].map((n) => s.transaction(async (u) => { await u.put("k" + n, n); if (n === 2) throw new Error("x"); }))); }); return s.list(); },
  "transaction in block": (s, ctx) => ctx.blockConcurrencyWhile(async () => { await s.transaction(async (t) => { await t.put("a", 1); }); return s.list(); }),
  "block in transaction": (s, ctx) => s.transaction(async (t) => { await t.put("a", 1); return ctx.blockConcurrencyWhile(async () => [await t.get("a"), await s.get("a")]); }),
  "block in block": (s, ctx) => ctx.blockConcurrencyWhile(() => ctx.blockConcurrencyWhile(async () => { await scheduler.wait(1); return "inner"; })),
  "blocks at once": async (s, ctx) => { const log = []; await Promise.all([1, 2, 3].map((n) => ctx.blockConcurrencyWhile(async () => { log.push("<" + n); await scheduler.wait(1); log.push(n + ">"); }))); return log; },
  "block value": (s, ctx) => ctx.blockConcurrencyWhile(() => 5), "block undefined": (s, ctx) => ctx.blockConcurrencyWhile(() => {}), "block thenable": (s, ctx) => ctx.blockConcurrencyWhile(() => ({ then: (f) => f(6) })), "block of nothing": (s, ctx) => ctx.blockConcurrencyWhile(), "block of text": (s, ctx) => ctx.blockConcurrencyWhile("x"), "block arguments": (s, ctx) => ctx.blockConcurrencyWhile((...a) => a.length),
  "block holds timers": async (s, ctx) => { const log = []; setTimeout(() => log.push("timer"), 0); await ctx.blockConcurrencyWhile(async () => { await scheduler.wait(5); log.push("block"); }); await scheduler.wait(5); return log; },
  "block then puts": async (s, ctx) => { s.put("a", 1); await ctx.blockConcurrencyWhile(async () => { await s.put("a", (await s.get("a")) + 1); }); return s.get("a"); },
  "sync with nothing": (s) => s.sync(), "sync after put": async (s) => { s.put("a", 1); await s.sync(); return s.get("a"); }, "sync after unconfirmed": async (s) => { s.put("a", 1, { allowUnconfirmed: true }); await s.sync(); return s.get("a"); }, "sync twice at once": (s) => { s.put("a", 1); return Promise.all([s.sync(), s.sync()]); }, "sync with argument": (s) => s.sync(5),
  "deleteAll twice": async (s) => { await s.put("a", 1); return [await s.deleteAll(), await s.deleteAll(), await s.list()]; }, "deleteAll between puts": async (s) => { s.put("a", 1); s.deleteAll(); s.put("b", 2); s.deleteAll(); s.put("c", 3); return s.list(); }, "deleteAll then transaction": async (s) => { await s.put("a", 1); s.deleteAll(); await s.transaction((t) => t.put("b", 1)); return s.list(); }, "deleteAll then failed transaction": async (s) => { await s.put("a", 1); s.deleteAll(); await attempt(() => s.transaction(async (t) => { await t.put("b", 1); throw new Error("x"); })); return s.list(); },
  "transactionSync": (s) => [s.transactionSync(() => { s.put("a", 1); return 5; })], "transactionSync throws": async (s) => { const r = await attempt(() => s.transactionSync(() => { s.put("a", 1); throw new RangeError("x"); })); return [r, await s.list()]; }, "transactionSync nested": async (s) => { s.transactionSync(() => { s.put("a", 1); try { s.transactionSync(() => { s.put("b", 1); throw new Error("x"); }); } catch {} s.transactionSync(() => { s.put("c", 1); }); }); return s.list(); }, "transactionSync async": async (s) => { await s.transactionSync(async () => { s.put("a", 1); await null; s.put("b", 1); }); return s.list(); }, "transactionSync in transaction": async (s) => { await s.transaction(async (t) => { try { s.transactionSync(() => { s.put("a", 1); throw new Error("x"); }); } catch {} await t.put("b", 1); }); return s.list(); }, "transactionSync deleteAll": async (s) => { await s.put("a", 1); const r = []; s.transactionSync(() => { r.push(s.deleteAll().catch((e) => e.message)); }); return [await r[0], await s.list()]; }, "transactionSync of nothing": (s) => s.transactionSync(), "transactionSync arguments": (s) => s.transactionSync((...a) => a.length),
});

export class Probe extends DurableObject {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) {
      await this.ctx.storage.deleteAll();
      out[name] = await attempt(() => run(this.ctx.storage, this.ctx));
    }
    return Response.json(out);
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
