// Values of every kind, and keys, options and bindings that run code while they are read, each case in an object of its own.
// Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (value instanceof Error || value instanceof DOMException) return { error: value.name, message: value.message, ...(value.overloaded ? { overloaded: true } : {}), ...(value.retryable ? { retryable: true } : {}) };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
const now = (run) => { try { return show(run()); } catch (error) { return { thrown: show(error) }; } };
const wait = (ms) => scheduler.wait(ms);
const all = (s, text, ...bindings) => s.sql.exec(text, ...bindings).raw().toArray();
const numbers = (s, n) => s.sql.exec(`CREATE TABLE n (i INTEGER PRIMARY KEY); WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${n}) INSERT INTO n SELECT i FROM c`);
const ids = (cursor) => [...cursor].map((r) => r.i);
const ends = (list) => [list.length, list[0], list.at(-1)];

const round = (make, look = (v) => v) => async (s) => { await s.put("v", make()); return look(await s.get("v")); };
const kvRound = (make, look = (v) => v) => (s) => { s.kv.put("v", make()); return look(s.kv.get("v")); };
const keysOf = (o) => Reflect.ownKeys(o).map(String);
const cases = {
  // Values.
  "holes": round(() => [1, , 3, , ,], (v) => [v.length, Object.keys(v)]),
  "long sparse": round(() => { const a = []; a[5000] = 1; a.x = 2; return a; }, (v) => [v.length, Object.keys(v)]),
  "very long sparse": round(() => { const a = []; a[4294967294] = 1; return a; }, (v) => [v.length, Object.keys(v)]),
  "length only": round(() => new Array(1e6), (v) => [v.length, Object.keys(v)]),
  "array with accessor": round(() => { const a = [1, 2]; Object.defineProperty(a, 1, { get: () => 7, enumerable: true }); return a; }),
  "array getter that shortens": round(() => { const a = [1, 2, 3]; Object.defineProperty(a, 0, { get() { a.length = 1; return 9; }, enumerable: true }); return a; }, (v) => [v.length, Object.keys(v), v[0]]),
  "array getter that lengthens": round(() => { const a = [1, 2]; Object.defineProperty(a, 0, { get() { a.push(5, 6); return 9; }, enumerable: true }); return a; }, (v) => [v.length, Object.keys(v)]),
  "object getter that adds": round(() => ({ get a() { this.z = 1; return 1; }, b: 2 })),
  "object getter that hides": round(() => ({ get a() { Object.defineProperty(this, "b", { enumerable: false }); return 1; }, b: 2 })),
  "object getter that replaces": round(() => ({ get a() { this.b = "new"; return 1; }, b: 2 })),
  "map changed by a getter": round(() => { const m = new Map(); m.set("a", { get x() { m.set("b", 2); m.delete("c"); return 1; } }); m.set("c", 3); return m; }),
  "set changed by a getter": round(() => { const m = new Set(); m.add({ get x() { m.add("b"); return 1; } }); return m; }, (v) => v.size),
  "proxy": round(() => new Proxy({}, { ownKeys: () => ["a"] })),
  "proxy prototype": round(() => Object.create(new Proxy({ inherited: 1 }, {}), { own: { value: 2, enumerable: true } })),
  "shared in map and array": round(() => { const o = {}; return { m: new Map([[o, o]]), a: [o] }; }, (v) => { const [[k, w]] = v.m; return [k === w, v.a[0] === w]; }),
  "map in itself": round(() => { const m = new Map(); m.set("me", m); m.set(m, 1); return m; }, (v) => [v.get("me") === v, v.get(v)]),
  "set in itself": round(() => { const m = new Set(); m.add(m); return m; }, (v) => v.has(v)),
  "error with itself as cause": round(() => { const e = new Error("x"); e.cause = e; return e; }, (v) => [v.cause === v, v.message]),
  "date twice": round(() => { const d = new Date(5); return [d, d]; }, (v) => v[0] === v[1]),
  "date of a subclass": round(() => { class D extends Date { x = 1; } return new D(5); }, (v) => [v.constructor.name, v.getTime(), Object.keys(v)]),
  "date with properties": round(() => Object.assign(new Date(5), { x: 1 }), (v) => [v.getTime(), v.x]),
  "regexp of a subclass": round(() => { class R extends RegExp {} return new R("a", "g"); }, (v) => [v.constructor.name, String(v)]),
  "regexp with all flags": round(() => [/a/dgimsuy, /a/v], (v) => v.map(String)),
  "regexp empty": round(() => new RegExp(""), String),
  "string object": round(() => Object.assign(new String("abc"), { x: 1 }), (v) => [typeof v, v + "", v.x, v.length]),
  "number object -0": round(() => new Number(-0), (v) => [typeof v, Object.is(v.valueOf(), -0)]),
  "invalid date inside": round(() => ({ d: new Date(NaN) }), (v) => String(v.d.getTime())),
  "unusual keys": round(() => ({ "": 1, "\0": 2, "__proto_": 3, "constructor": 4, "4294967295": 5, "4294967294": 6, "01": 7, "-0": 8, "\ud800": 9, "1.5": 10 }), (v) => Object.entries(v).map(([k, w]) => [JSON.stringify(k), w])),
  "own __proto__": round(() => JSON.parse('{"__proto__": {"x": 1}}'), (v) => [Object.keys(v), v.x ?? "none", Object.getPrototypeOf(v) === Object.prototype]),
  "order of keys": round(() => ({ z: 1, 5: 2, a: 3, 1: 4, [Symbol.iterator]: 5, y: 6 }), keysOf),
  "numbers at the edges": round(() => [2 ** 30 - 1, 2 ** 30, -(2 ** 30), -(2 ** 30) - 1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, -(2 ** 53), 1e21, -0, 0, NaN, Infinity, -Infinity, 5e-324]),
  "negative NaN": round(() => { const f = new Float64Array(1); new Uint8Array(f.buffer).set([1, 0, 0, 0, 0, 0, 0xf8, 0xff]); return f[0]; }),
  "bigints": round(() => [0n, 1n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 64n, 2n ** 1000n, -(2n ** 1000n) + 1n]),
  "big bigint": round(() => 2n ** 100000n, (v) => v === 2n ** 100000n),
  "strings": round(() => ["\0", "\x7f\x80\xff", "\u0100", "a\ud800", "\udc00a", "\ud800\udc00", "\ufeff", "e\u0301", "x".repeat(300) + "\u0101"], (v) => v.map((x) => JSON.stringify(x))),
  "string of 1 MiB, two bytes": round(() => "\u0101".repeat(1 << 20), (v) => [v.length, v[5]]),
  "typed arrays of all kinds": round(() => [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array].map((K) => new K([1, 2])), (v) => v.map((x) => [x.constructor.name, [...x]])),
  "Float16Array": round(() => typeof Float16Array === "undefined" ? "none" : new Float16Array([1.5]), (v) => v === "none" ? v : [v.constructor.name, [...v]]),
  "empty typed arrays": round(() => [new Uint8Array(0), new BigInt64Array(0), new DataView(new ArrayBuffer(0))], (v) => v.map((x) => [x.constructor.name, x.byteLength])),
  "view on part of a buffer": round(() => new Uint16Array(new ArrayBuffer(16), 4, 3), (v) => [v.byteOffset, v.length, v.buffer.byteLength]),
  "two views on one buffer": round(() => { const b = new ArrayBuffer(8); return [new Uint8Array(b, 0, 4), new DataView(b, 4), b]; }, (v) => [v[0].buffer === v[1].buffer, v[2] === v[0].buffer, v[1].byteOffset]),
  "length tracking view": round(() => { const b = new ArrayBuffer(4, { maxByteLength: 8 }); const u = new Uint8Array(b); b.resize(6); return u; }, (v) => [v.length, v.buffer.resizable, v.buffer.maxByteLength]),
  "view out of bounds": round(() => { const b = new ArrayBuffer(8, { maxByteLength: 8 }); const u = new Uint8Array(b, 4, 4); b.resize(2); return u; }, (v) => v.length),
  "typed array with properties": round(() => Object.assign(new Uint8Array(1), { x: 1 }), (v) => v.x),
  "typed array of a subclass": round(() => { class U extends Uint8Array {} return new U([1]); }, (v) => v.constructor.name),
  "class with private and accessors": round(() => { class A { #p = 1; static s = 2; pub = 3; get g() { return this.#p; } set g(v) {} m() {} } return new A(); }, (v) => [keysOf(v), Object.getPrototypeOf(v) === Object.prototype]),
  "class with own accessor": round(() => { class A { constructor() { Object.defineProperty(this, "x", { get: () => 5, enumerable: true }); } } return new A(); }, (v) => Object.getOwnPropertyDescriptor(v, "x")),
  "class with toJSON": round(() => { class A { x = 1; toJSON() { return "json"; } } return new A(); }),
  "object with Symbol.toPrimitive": round(() => ({ [Symbol.toPrimitive]: () => 1, x: 2 })),
  "extends null": round(() => Object.setPrototypeOf({ a: 1 }, null), (v) => Object.getPrototypeOf(v) === Object.prototype),
  "array with null prototype": round(() => Object.setPrototypeOf([1], null), (v) => [Array.isArray(v), v instanceof Array]),
  "object with array prototype": round(() => Object.create(Array.prototype, { 0: { value: 1, enumerable: true }, length: { value: 1, enumerable: true } }), (v) => [Array.isArray(v), v]),
  "error shape": round(() => { const e = new RangeError("m"); delete e.stack; e.name = "N"; return e; }, (v) => [v.name, v.message, v.constructor.name, typeof v.stack]),
  "error without prototype": round(() => Object.setPrototypeOf(new Error("m"), null), (v) => [v instanceof Error, v.message]),
  "object made from Error.prototype": round(() => Object.create(Error.prototype, { message: { value: "m", enumerable: true } }), (v) => [v instanceof Error, v]),
  "error with getter as message": round(() => Object.defineProperty(new Error("a"), "message", { get: () => "got" }), (v) => v.message),
  "error with number as message": round(() => Object.assign(new Error("a"), { message: 5 }), (v) => [typeof v.message, v.message]),
  "error with undefined cause": round(() => new Error("m", { cause: undefined }), (v) => ["cause" in v, v.cause]),
  "aggregate error": round(() => new AggregateError([new TypeError("a"), 5], "many"), (v) => [v.constructor.name, v.errors?.length, String(v.errors?.[0])]),
  "function inside map key": round(() => new Map([[() => 1, 1]])), "class inside": round(() => ({ C: class C {} })), "async function": round(() => async () => 1), "generator function": round(() => function* g() {}),
  "symbol of description": round(() => ({ s: Symbol("desc") })), "well known symbol": round(() => Symbol.iterator), "registered symbol": round(() => Symbol.for("reg")),
  "promise inside": round(() => ({ p: Promise.resolve() })), "weak ref inside": round(() => [new WeakRef({})]), "finalization registry": round(() => new FinalizationRegistry(() => {})), "namespace": (s, ctx, self, env) => s.put("v", env.PROBE), "id": (s, ctx) => s.put("v", ctx.id), "env": (s, ctx, self, env) => s.put("v", env), "ctx": (s, ctx) => s.put("v", ctx), "self": (s, ctx, self) => s.put("v", self), "cursor": (s) => s.put("v", s.sql.exec("SELECT 1")), "sql": (s) => s.put("v", s.sql), "websocket": (s) => s.put("v", new WebSocketPair()[0]), "headers": round(() => new Headers({ a: "b" }), (v) => [...v]), "stream": (s) => s.kv.put("v", new ReadableStream()),
  "deep 1000": round(() => { let v = 0; for (let i = 0; i < 1000; i++) v = [v]; return v; }, (v) => { let n = 0; for (; Array.isArray(v); v = v[0]) n++; return n; }),
  "deep maps": round(() => { let v = 0; for (let i = 0; i < 300; i++) v = new Map([["k", v]]); return v; }, (v) => { let n = 0; for (; v instanceof Map; v = v.get("k")) n++; return n; }),
  "100000 objects": round(() => Array.from({ length: 100_000 }, (_, i) => ({ i })), (v) => [v.length, v[99_999].i]),
  "100000 references": round(() => { const o = { a: 1 }; return Array(100_000).fill(o); }, (v) => [v.length, v[0] === v[99_999]]),
  "1000 keys": round(() => Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ["k" + i, i])), (v) => [Object.keys(v).length, v.k999]),
  "kv: holes": kvRound(() => [1, , 3], (v) => Object.keys(v)), "kv: undefined inside": kvRound(() => ({ a: undefined }), (v) => Object.keys(v)), "kv: bigint": kvRound(() => 5n), "kv: date": kvRound(() => new Date(7), (v) => v.getTime()), "kv: error": kvRound(() => new TypeError("t"), String), "kv: null": kvRound(() => null), "kv: NaN": kvRound(() => NaN),
  "put while serialized": async (s) => { await s.put("a", { get x() { s.put("a", "inner"); return 1; } }); return s.list(); },
  "put entries while serialized": async (s) => { await s.put({ a: { get x() { s.put("b", "inner"); return 1; } }, b: "outer" }); return s.list(); },
  "delete while serialized": async (s) => { await s.put("a", 1); await s.put("b", { get x() { s.delete("a"); return 1; } }); return s.list(); },
  "transactionSync while serialized": async (s) => { await s.put("a", { get x() { s.transactionSync(() => s.kv.put("b", 1)); return 1; } }); return s.list(); },
  "throwing while serialized inside transactionSync": async (s) => { const e = now(() => s.transactionSync(() => { s.kv.put("b", 1); s.kv.put("a", { get x() { throw new RangeError("g"); } }); })); return [e, await s.list()]; },
  "sql while serialized": async (s) => { s.sql.exec("CREATE TABLE t (a)"); await s.put("a", { get x() { s.sql.exec("INSERT INTO t VALUES (1)"); return 1; } }); return [await s.list(), all(s, "SELECT * FROM t")]; },
  "key with a side effect": async (s) => { await s.put({ toString() { s.kv.put("side", 1); return "k"; } }, 1).catch((e) => e.message); await s.get({ toString() { s.kv.put("side2", 1); return "k"; } }).catch(() => {}); return s.list(); },
  "binding with a side effect": (s) => { s.sql.exec("CREATE TABLE t (a)"); s.sql.exec("INSERT INTO t VALUES (?)", { toString() { s.sql.exec("INSERT INTO t VALUES ('side')"); return "main"; } }); return all(s, "SELECT * FROM t"); },
  "binding that drops the table": (s) => { s.sql.exec("CREATE TABLE t (a)"); return now(() => s.sql.exec("INSERT INTO t VALUES (?)", { toString() { s.sql.exec("DROP TABLE t"); return "main"; } })); },
  "options with a side effect": async (s) => { await s.put("a", 1); return s.list({ get prefix() { s.kv.put("b", 1); return ""; } }); },
  "entries with a side effect": async (s) => { await s.put({ get a() { s.kv.put("z", 1); return 1; }, get b() { throw new Error("no"); } }).catch(() => {}); return s.list(); },
  "array of keys with a getter": async (s) => { await s.put({ a: 1, b: 2 }); const keys = ["a", "b"]; Object.defineProperty(keys, 0, { get() { s.kv.delete("b"); return "a"; } }); return s.get(keys); },
  "array of keys, subclass": async (s) => { await s.put({ a: 1, b: 2 }); class K extends Array {} return s.get(K.of("b", "a")); },
  "array of keys with holes and lone surrogates": async (s) => { await s.put({ "\ud800": 1, undefined: 2 }); return [...(await s.get(["\ud800", , "x"]))].map(([k, v]) => [JSON.stringify(k), v]); },
  "keys that differ in surrogates": async (s) => { await s.put("\ud800", 1); await s.put("\ud801", 2); await s.put("\ufffd", 3); return [[...(await s.list())].map(([k, v]) => [JSON.stringify(k), v]), await s.get("\ufffd"), await s.delete("\ufffd"), (await s.list()).size]; },
  "kv list of lone surrogates": (s) => { for (const k of ["\ud800", "\udfff", "\ud83d\ude00", "\uffff"]) s.kv.put(k, 1); return [[...s.kv.list()].map(([k]) => JSON.stringify(k)), [...s.kv.list({ start: "\udfff" })].map(([k]) => JSON.stringify(k)), [...s.kv.list({ prefix: "\ud83d" })].map(([k]) => JSON.stringify(k))]; },
  "prefix of 0xff characters": async (s) => { await s.put({ "\u{10ffff}": 1, "\u{10ffff}a": 2, "\uffff": 3 }); return [...(await s.list({ prefix: "\u{10ffff}" })).values()]; },
  "startAfter with nul": async (s) => { await s.put({ a: 1, "a\0": 2, "a\0\0": 3, "a\x01": 4 }); return [[...(await s.list({ startAfter: "a" })).values()], [...(await s.list({ startAfter: "a\0" })).values()], [...(await s.list({ startAfter: "a", reverse: true, limit: 2 })).values()], [...s.kv.list({ startAfter: "a", reverse: true })].map(([, v]) => v)]; },
  "very long key": async (s) => { const k = "\u{1f600}".repeat(100_000); await s.put(k, 1); return [await s.get(k), (await s.list({ prefix: "\u{1f600}" })).size, await s.delete(k)]; },
};
export class Probe extends DurableObject {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const found = cases[searchParams.get("case")];
    const steps = typeof found === "function" ? [found] : found;
    return Response.json(await attempt(() => steps[Number(searchParams.get("step"))](this.ctx.storage, this.ctx, this, this.env)));
  }
  alarm() {}
}

/** All steps of a case, one request after the other. */
async function answer(env, name) {
  const found = cases[name];
  const count = typeof found === "function" ? 1 : found.length;
  const answers = [];
  for (let step = 0; step < count; step++) {
    const late = wait(5000).then(() => Response.json("hangs"));
    const asked = env.PROBE.getByName(name).fetch(`http://object/?case=${encodeURIComponent(name)}&step=${step}`);
    answers.push(await attempt(async () => (await Promise.race([late, asked])).json()));
  }
  return answers;
}

export default {
  async fetch(request, env) {
    const names = Object.keys(cases);
    const answers = {};
    const work = async () => { for (let name = names.shift(); name !== undefined; name = names.shift()) answers[name] = await answer(env, name); };
    await Promise.all(Array.from({ length: 8 }, work));
    return Response.json(answers);
  },
};
