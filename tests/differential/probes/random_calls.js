// Methods of the storage called at random, from numbers: with arguments and options of every type, some of which throw or write down who
// looks at them. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

/** Numbers that follow from a seed. */
class Dice { constructor(seed) { this.state = (seed * 2654435761 + 1) >>> 0; this.roll(2); this.roll(2); } roll(n) { this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0; return Math.floor((this.state / 2 ** 32) * n); } of(...l) { return l[this.roll(l.length)]; } chance(percent) { return this.roll(100) < percent; } some(make, most) { return Array.from({ length: this.roll(most + 1) }, make); } }

const short = (text) => (text.length > 40 ? `${text.slice(0, 6)}…${text.length}` : text);
function show(v) {
  if (v instanceof Map) return `Map(${[...v].map(([k, x]) => `${show(k)}=>${show(x)}`)})`;
  if (v instanceof Set) return `Set(${[...v].map(show)})`;
  if (v instanceof Date) return `Date(${v.getTime()})`;
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return `${v.constructor.name}(${new Uint8Array(v.buffer ?? v)})`;
  if (v instanceof String || v instanceof Number || v instanceof BigInt) return `${v.constructor.name}(${show(v.valueOf())})`;
  if (Array.isArray(v)) return `[${v.length}: ${Object.keys(v).map((k) => show(v[k]))}]`;
  if (typeof v === "object" && v !== null) return `{${Object.keys(v).map((k) => `${short(k)}:${show(v[k])}`)}}`;
  if (typeof v === "number" && v > 1e12 && v < FAR / 2) return "now";
  return typeof v === "string" ? JSON.stringify(short(v)) : typeof v === "bigint" ? `${v}n` : Object.is(v, -0) ? "-0" : String(v);
}
/** Words of the engine are its own. */
const PLATFORM = /^(Failed to execute|put\(\)|list\(\)|List limit|Value out of range|setAlarm\(\)|This API|The value cannot be converted)/;
const failure = (e) => (e instanceof TypeError && !PLATFORM.test(e.message) ? "a TypeError" : `${e.constructor.name} ${e.name}: ${short(e.message)}`);

const FAR = 4e12;
const KEYS = ["a", "ab", "b", "", "1", "10", "\u00e9", "\u{1f600}", "\uffff", "\ud800", "\udc00x", "a\0", "a\0b", "undefined", "null", "x".repeat(2048), "x".repeat(2049), "\u00e9".repeat(1025), "\ud800".repeat(683), "__proto__", "constructor", "length"];
const key = (d) => d.of(...KEYS);
const boom = (what) => { throw new RangeError(`boom ${what}`); };
/** What says who has a look at it. */
const watched = (target, log) => new Proxy(target, Object.fromEntries(["get", "has", "ownKeys", "set"].map((trap) => [trap, (o, k, ...rest) => { log.push(`${trap} ${String(typeof k === "symbol" ? k : k && short(k))}`); return Reflect[trap](o, k, ...rest); }])));
const KINDS = [
  () => undefined, () => null, () => true, () => false, (d) => d.of(0, -0, 1, 1.5, -1, NaN, Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e300), (d) => d.of(0n, -1n, 2n ** 64n), () => Symbol("s"), key, key, key, key,
  () => ({}), () => [], () => () => 1, () => class A {}, (d) => new Date(d.of(NaN, FAR)), (d) => new String(key(d)), () => new Number(2), () => Object(1n), () => new Uint8Array([97]), () => new Uint8Array([97]).buffer, () => new Map([["a", 1]]), () => new Set(["a"]), () => new WeakMap(), () => Promise.resolve(), () => (function* () {})(), () => [][Symbol.iterator](),
  (d, log) => ({ toString() { log.push("toString"); return d.chance(70) ? "text" : boom("toString"); } }), (d, log) => { const value = d.of("p", 2, Symbol("q"), {}, null, 3n); return { [Symbol.toPrimitive](hint) { log.push(hint); return value; } }; }, () => ({ valueOf: () => 2 }),
  (d) => d.some(() => key(d), 3), (d) => Object.assign([], { length: d.roll(3) }), (d, log) => d.some(() => odd(d, log), 3), () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; }, (d, log) => watched(d.of({ a: 1, b: 2 }, ["a", "b"], new Map(), new Date(0), Object.create(null)), log), () => Object.create(null), () => new (class extends Array {})("a", "b"),
];
const odd = (d, log) => d.of(...KINDS)(d, log);

const FIELDS = ["start", "startAfter", "end", "prefix", "reverse", "limit", "allowConcurrency", "noCache", "allowUnconfirmed", "asOfTime", "lowPriority"];
function property(d, log, object, name, value) {
  if (d.chance(60)) object[name] = value;
  else Object.defineProperty(object, name, { get() { log.push(`get ${String(name).slice(0, 8)}`); return d.chance(80) ? value : boom("get"); }, enumerable: d.chance(60), configurable: true });
}
function options(d, log) {
  if (d.chance(25)) return odd(d, log);
  const given = d.chance(15) ? Object.create({ limit: 2, allowUnconfirmed: 1 }) : d.chance(5) ? () => 1 : {};
  for (const name of FIELDS) if (d.chance(20)) property(d, log, given, name, d.chance(40) ? odd(d, log) : name === "limit" ? d.of(1, 2, 1000) : key(d));
  return d.chance(15) ? watched(given, log) : given;
}
/** Either with values that may be refused or with somebody who hears what is looked at: which comes first is not told. */
function entries(d, log) {
  const given = d.chance(15) ? Object.create({ inherited: 1 }) : {}, plain = d.chance(50);
  for (let i = d.roll(5); i > 0; i--) {
    const name = d.chance(10) ? Symbol("k") : key(d);
    if (plain) given[name] = odd(d, []); else property(d, log, given, name, d.roll(100));
  }
  return !plain && d.chance(30) ? watched(given, log) : given;
}
const one = (d, log) => (d.chance(45) ? key(d) : odd(d, log));
const several = (d, log) => (d.chance(40) ? d.some(() => key(d), 5) : d.chance(5) ? Array.from({ length: d.of(128, 129) }, (_, i) => `k${i}`) : one(d, log));
const BOTH = {
  get: (d, log) => [several(d, log), options(d, log)], list: (d, log) => [options(d, log)], delete: (d, log) => [several(d, log), options(d, log)],
  put: (d, log) => (d.chance(40) ? [entries(d, log), options(d, log), options(d, log)] : [one(d, log), odd(d, log), options(d, log)]),
  setAlarm: (d, log) => [d.chance(40) ? FAR + d.roll(5) : odd(d, log), options(d, log)], getAlarm: (d, log) => [options(d, log)], deleteAlarm: (d, log) => [options(d, log)],
};
const KV = { get: (d, log) => [one(d, log), options(d, log)], put: (d, log) => [one(d, log), odd(d, log)], delete: (d, log) => [one(d, log)], list: (d, log) => [options(d, log)] };
const STORAGE = { transaction: (d, log) => [d.chance(50) ? async () => 1 : odd(d, log), options(d, log)], transactionSync: (d, log) => [odd(d, log), options(d, log)], deleteAll: (d, log) => [options(d, log)] };

/** An argument or more of them: without any a call is a mistake that durabox does not always notice. */
function call(d, log, object, methods, steps) {
  const name = d.of(...Object.keys(methods));
  const args = methods[name](d, log);
  if (d.chance(12)) args.length = 1 + d.roll(args.length);
  steps.push(name);
  const result = object[name](...args);
  steps.push(result instanceof Promise);
  return result;
}

async function step(d, s) {
  const log = [], steps = [];
  try {
    const how = d.roll(10);
    if (how < 5) steps.push(show(await call(d, log, s, BOTH, steps)));
    else if (how < 7) steps.push(show(await s.transaction(async (t) => { const result = await call(d, log, t, BOTH, steps); if (d.chance(30)) t.rollback(); return result; })));
    else if (how < 9) { const result = call(d, log, s.kv, KV, steps); steps.push(show(steps[0] === "list" ? [...result] : result)); }
    else steps.push(show(await call(d, log, s, STORAGE, steps)));
  } catch (e) { steps.push(failure(e)); }
  return [steps, log, show(await s.list()), show(await s.getAlarm())];
}

export class Probe extends DurableObject {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const answers = {};
    for (let seed = Number(searchParams.get("first")), left = Number(searchParams.get("count")); left > 0; seed++, left--) {
      const d = new Dice(seed);
      for (let i = 0; i < 8; i++) answers[`seed ${seed}, step ${i}`] = await step(d, this.ctx.storage);
      await this.ctx.storage.deleteAll();
      await this.ctx.storage.deleteAlarm();
    }
    return Response.json(answers);
  }
  alarm() {}
}

export default { fetch: (request, env) => env.PROBE.getByName("calls").fetch(request) };
