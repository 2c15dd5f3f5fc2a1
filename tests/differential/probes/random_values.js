// Values made at random, from numbers: written under one host and read under the other.
import { DurableObject } from "cloudflare:workers";

/** Numbers that follow from a seed. */
class Dice { constructor(seed) { this.state = (seed * 2654435761 + 1) >>> 0; } roll(n) { this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0; return Math.floor((this.state / 2 ** 32) * n); } of(...l) { return l[this.roll(l.length)]; } }
const text = (d) => { let s = ""; for (let i = d.roll(d.of(3, 12, 200)); i > 0; i--) s += String.fromCharCode(d.of(97, 0, 127, 128, 255, 256, 0x20ac, 0xd800, 0xdc00, 0xd83d, 0xde00, 0xffff)); return s; };
const bytes = (d, n) => Uint8Array.from({ length: n }, () => d.roll(256));
const num = (d) => d.of(0, -0, 1, -1, 2 ** 30, -(2 ** 30) - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 1.5, NaN, Infinity, -Infinity, 5e-324, d.roll(1e6) - 5e5, d.roll(2 ** 32), Math.fround(d.roll(1000) / 7));
const KINDS = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView];

/** A value made from a seed; what is inside may be there twice, and lead back. */
function make(d, depth, seen) {
  const k = d.roll(depth > 4 ? 14 : 26);
  if (seen.length && d.roll(12) === 0) return seen[d.roll(seen.length)];
  const add = (v) => { seen.push(v); return v; };
  switch (k) {
    case 0: return null; case 1: return undefined; case 2: return d.of(true, false); case 3: case 4: return num(d); case 5: case 6: return text(d);
    case 7: return (d.roll(2) ? 1n : -1n) * (BigInt(d.roll(2 ** 32)) << BigInt(d.of(0, 31, 32, 63, 64, 200)));
    case 8: return add(new Date(d.of(0, -1.5, 1e12, NaN, 8.64e15)));
    case 9: return add(new RegExp(d.of("a", "[a-z]+", "\\/", "(?:x)", "\u{1f600}", ""), d.of("", "g", "gi", "u", "dgimsuy", "v")));
    case 10: return add(d.of(() => new Number(num(d)), () => new String(text(d)), () => new Boolean(true), () => Object(5n))());
    case 11: return add(bytes(d, d.roll(20)).buffer);
    case 12: { const b = add(bytes(d, 16).buffer); const K = d.of(...KINDS); const at = d.of(0, 8); return add(new K(b, at, d.of(0, 1))); }
    case 13: { const e = new (d.of(Error, TypeError, RangeError, SyntaxError, EvalError, URIError, ReferenceError))(text(d)); e.stack = "S"; return add(e); }
    case 14: case 15: { const m = add(new Map()); for (let i = d.roll(4); i > 0; i--) m.set(make(d, depth + 1, seen), make(d, depth + 1, seen)); return m; }
    case 16: { const m = add(new Set()); for (let i = d.roll(4); i > 0; i--) m.add(make(d, depth + 1, seen)); return m; }
    case 17: { const a = add([]); a.length = d.of(0, 3, 1000); for (let i = d.roll(4); i > 0; i--) a[d.roll(a.length + 1)] = make(d, depth + 1, seen); if (d.roll(3) === 0) a.extra = make(d, depth + 1, seen); return a; }
    case 18: case 19: { const a = add([]); for (let i = d.roll(6); i > 0; i--) a.push(make(d, depth + 1, seen)); return a; }
    case 20: { const a = add([]); for (let i = d.roll(9); i > 0; i--) a.push(num(d)); return a; }
    case 21: { const e = new RangeError("c", { cause: make(d, depth + 1, seen) }); e.stack = "S"; e.more = make(d, depth + 1, seen); return add(e); }
    case 22: return add(new Headers([["x-a", "1"], ["x-b", "2"]]));
    default: { const o = add({}); for (let i = d.roll(6); i > 0; i--) o[d.of("a", "b", "1", "10", "4294967295", "-1", "", "\u20ac", "constructor", text(d))] = make(d, depth + 1, seen); return o; }
  }
}

/** All of a value, as text. */
function show(v, ids = new Map()) {
  if (typeof v === "string") return JSON.stringify(v); if (typeof v === "bigint") return v + "n"; if (typeof v === "number") return Object.is(v, -0) ? "-0" : String(v);
  if (v === null || typeof v !== "object") return String(v);
  if (ids.has(v)) return "#" + ids.get(v); ids.set(v, ids.size);
  const own = () => "{" + Object.keys(v).map((k) => JSON.stringify(k) + ":" + show(v[k], ids)).join() + "}";
  const tag = v.constructor?.name;
  if (v instanceof Date) return `Date(${v.getTime()})`; if (v instanceof RegExp) return String(v);
  if (v instanceof Number || v instanceof String || v instanceof Boolean || v instanceof BigInt) return tag + "(" + show(v.valueOf(), ids) + ")";
  if (v instanceof ArrayBuffer) return "buf[" + new Uint8Array(v) + "]";
  if (ArrayBuffer.isView(v)) return tag + "@" + v.byteOffset + "+" + v.byteLength + show(v.buffer, ids);
  if (v instanceof Map) return "Map(" + [...v].map(([a, b]) => show(a, ids) + "=>" + show(b, ids)) + ")"; if (v instanceof Set) return "Set(" + [...v].map((a) => show(a, ids)) + ")";
  if (v instanceof Error) return `${tag}:${v.name}:${JSON.stringify(v.message)}:${v.stack}:${"cause" in v ? show(v.cause, ids) : "-"}` + own();
  if (v instanceof Headers) return "H" + JSON.stringify([...v]);
  if (Array.isArray(v)) return "[" + v.length + "]" + own();
  return tag + own();
}

export class Probe extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const { pathname, searchParams } = new URL(request.url);
    const answers = {};
    for (let seed = Number(searchParams.get("first")), left = Number(searchParams.get("count")); left > 0; seed++, left--) {
      const key = searchParams.get("who") + seed;
      try {
        if (pathname === "/write") await storage.put(key, make(new Dice(seed), 0, []));
        else answers[seed] = show(await storage.get(key));
      } catch (error) {
        answers[seed] = `refused: ${error.name}`;
      }
    }
    return Response.json(answers);
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
