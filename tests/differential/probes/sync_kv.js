// What ctx.storage.kv and transactionSync answer, case by case. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [k, show(v)]) };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer)] };
  if (value instanceof Error) return { error: value.name, message: value.message };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
/** What a call gives, error or not. */
const attempt = (run) => { try { return show(run()); } catch (error) { return show(error); } };
const list = (kv, options) => [...kv.list(options)].map(([k, v]) => [k, show(v)]);
const letters = (kv) => { for (const k of ["a", "ab", "abc", "b", "ba", "c"]) kv.put(k, k.length); };

const cases = {
  "get missing": (kv) => kv.get("missing"),
  "get without key": (kv) => kv.get(),
  "get number": (kv) => { kv.put("1", "one"); return kv.get(1); },
  "get null": (kv) => { kv.put("null", "n"); return kv.get(null); },
  "get array": (kv) => { kv.put("a,b", "joined"); return kv.get(["a", "b"]); },
  "get symbol": (kv) => kv.get(Symbol("x")),
  "get extra argument": (kv) => kv.get("k", { noCache: true }),
  "put and get": (kv) => { kv.put("k", { a: [1, new Date(0)] }); return kv.get("k"); },
  "put returns": (kv) => kv.put("k", 1),
  "put undefined": (kv) => { kv.put("k", undefined); return [kv.get("k"), list(kv)]; },
  "put without value": (kv) => kv.put("k"),
  "put without anything": (kv) => kv.put(),
  "put entries": (kv) => kv.put({ a: 1 }),
  "put entries and value": (kv) => { kv.put({ a: 1 }, 2); return list(kv); },
  "put function": (kv) => kv.put("k", () => 1),
  "put symbol": (kv) => kv.put("k", Symbol("s")),
  "put is a copy": (kv) => { const v = { n: 1 }; kv.put("k", v); v.n = 2; return kv.get("k"); },
  "get is a fresh copy": (kv) => { kv.put("k", { n: 1 }); kv.get("k").n = 5; return kv.get("k"); },
  "put empty key": (kv) => { kv.put("", 1); return [kv.get(""), list(kv)]; },
  "delete": (kv) => { kv.put("k", 1); return [kv.delete("k"), kv.delete("k"), kv.get("k")]; },
  "delete array": (kv) => { kv.put("a", 1); kv.put("b", 1); return [kv.delete(["a", "b"]), list(kv)]; },
  "delete without key": (kv) => kv.delete(),
  "list": (kv) => { letters(kv); return list(kv); },
  "list empty": (kv) => list(kv),
  "list order": (kv) => { for (const k of ["b", "a", "\u00e9", "\ud83d\ude00", "\uffee", "B", ""]) kv.put(k, 1); return list(kv); },
  "list options": (kv) => { letters(kv); return [undefined, null, {}, { start: "ab" }, { startAfter: "ab" }, { end: "b" }, { start: "ab", end: "b" }, { prefix: "ab" }, { prefix: "" }, { reverse: true }, { limit: 2 }, { limit: 2, reverse: true }, { prefix: "a", start: "ab" }, { prefix: "a", end: "abc" }, { prefix: "b", start: "a" }, { prefix: "zz" }, { start: "b", end: "a" }, { start: "b", end: "b" }, { startAfter: "a", prefix: "a" }, { startAfter: "abc", reverse: true }, { limit: 100 }, { prefix: "a", reverse: true, limit: 1 }, { start: null }, { limit: 1.5 }, { limit: "2" }, { start: 1 }, { end: "" }, { start: "" }].map((o) => attempt(() => list(kv, o))); },
  "list bad": (kv) => { letters(kv); return [{ limit: 0 }, { limit: -1 }, { start: "a", startAfter: "b" }, "a", 5, { limit: NaN }, { limit: 1e20 }, { limit: "x" }].map((o) => attempt(() => list(kv, o))); },
  "list is lazy": (kv) => { letters(kv); const it = kv.list(); const first = it.next(); kv.put("zz", 9); return [first, [...it].length]; },
  "list sees deletions": (kv) => { letters(kv); const it = kv.list(); it.next(); kv.delete("b"); kv.delete("c"); return [...it].map(([k]) => k); },
  "list sees additions": (kv) => { letters(kv); const it = kv.list(); it.next(); kv.put("aa", 1); kv.put("bz", 1); return [...it].map(([k]) => k); },
  "list sees changes": (kv) => { letters(kv); const it = kv.list(); it.next(); kv.put("c", "changed"); return [...it]; },
  "list, delete what is read": (kv) => { letters(kv); for (const [k] of kv.list()) kv.delete(k); return list(kv); },
  "list reverse, delete what is read": (kv) => { letters(kv); const seen = []; for (const [k] of kv.list({ reverse: true })) { seen.push(k); kv.delete(k); } return [seen, list(kv)]; },
  "list limit with additions": (kv) => { letters(kv); const it = kv.list({ limit: 3 }); it.next(); kv.put("aa", 1); return [...it].map(([k]) => k); },
  "list invalidated": (kv) => { letters(kv); const one = kv.list(); one.next(); const two = kv.list(); return [attempt(() => one.next()), attempt(() => two.next()), attempt(() => one.next())]; },
  "list ended, then another": (kv) => { kv.put("a", 1); const one = kv.list(); [...one]; kv.list(); return attempt(() => one.next()); },
  "list not begun, then another": (kv) => { letters(kv); const one = kv.list(); const two = kv.list(); return [attempt(() => [...two].length), attempt(() => one.next())]; },
  "list empty range, then older": (kv) => { letters(kv); const one = kv.list(); one.next(); kv.list({ start: "b", end: "a" }); return attempt(() => one.next()); },
  "async list does not invalidate": async (kv, s) => { letters(kv); const one = kv.list(); one.next(); await s.list(); return attempt(() => [...one].length); },
  "list iterator": (kv) => { const it = kv.list(); return [it[Symbol.iterator]() === it, Object.prototype.toString.call(it), typeof it.map, typeof it.toArray, Object.keys(it.next())]; },
  "list break": (kv) => { letters(kv); const seen = []; for (const [k] of kv.list()) { seen.push(k); if (k === "ab") break; } return seen; },
  "list across await": async (kv) => { letters(kv); const it = kv.list(); it.next(); await scheduler.wait(1); return attempt(() => [...it].length); },
  "list 1000": (kv) => { for (let i = 0; i < 1000; i++) kv.put(`k${String(i).padStart(4, "0")}`, { i }); const all = list(kv); return [all.length, all[0], all[999], list(kv, { limit: 700 }).length, list(kv, { reverse: true })[0]]; },
  "list large values": (kv) => { for (let i = 0; i < 8; i++) kv.put(`k${i}`, "x".repeat(100_000)); return [...kv.list()].map(([k, v]) => [k, v.length]); },
  "members": (kv) => [Object.getOwnPropertyNames(Object.getPrototypeOf(kv)).sort(), Object.prototype.toString.call(kv), kv.constructor.name, Object.keys(kv)],
  "is one": (kv, s) => s.kv === s.kv,
  "constructor": (kv) => new kv.constructor(),
  "detached": (kv) => { const { get } = kv; return get("a"); },
  "same data as async": async (kv, s) => { await s.put("a", 1); kv.put("b", 2); return [kv.get("a"), await s.get("b"), await s.list()]; },
  "in transaction": async (kv, s) => { kv.put("a", 1); await s.transaction(async (t) => { kv.put("a", 2); kv.put("b", 1); t.rollback(); }); return list(kv); },
  "in transactionSync": (kv, s) => { kv.put("a", 1); attempt(() => s.transactionSync(() => { kv.put("a", 2); throw new Error("undo"); })); return list(kv); },
  "transactionSync returns": (kv, s) => s.transactionSync(() => ({ a: 1 })),
  "transactionSync promise": async (kv, s) => { const p = s.transactionSync(async () => { kv.put("a", 1); return 5; }); return [p instanceof Promise, await p, list(kv)]; },
  "transactionSync bad callback": (kv, s) => [undefined, null, 5, "x", {}].map((f) => attempt(() => s.transactionSync(f))),
  "transactionSync deep": (kv, s) => { const go = (n) => s.transactionSync(() => { kv.put(`k${n}`, n); if (n < 20) go(n + 1); }); go(0); return list(kv).length; },
  "transactionSync inner throw through": (kv, s) => { const e = attempt(() => s.transactionSync(() => { kv.put("a", 1); s.transactionSync(() => { kv.put("b", 2); throw new TypeError("deep"); }); })); return [e, list(kv)]; },
  "value of 2 MB": (kv) => { kv.put("k", "x".repeat(2_000_000)); return kv.get("k").length; },
  "value too large": (kv) => attempt(() => kv.put("k", "x".repeat(9_000_000))),
  "key of 3000 bytes": (kv) => { kv.put("k".repeat(3000), 1); return list(kv)[0][0].length; },
  "large key": (kv) => attempt(() => kv.put("k".repeat(9_000_000), 1)),
  "async value too large": async (kv, s) => { try { await s.put("k", "x".repeat(9_000_000)); } catch (e) { return [show(e), await s.get("k")]; } },
  "async put many, one too large": async (kv, s) => { try { await s.put({ a: 1, b: "x".repeat(9_000_000), c: 2 }); } catch (e) { return [show(e), list(kv)]; } },
  "async list limit types": async (kv, s) => { letters(kv); const out = []; for (const limit of [null, "3", 2.9, true, [1]]) { try { out.push([...(await s.list({ limit })).keys()]); } catch (e) { out.push(show(e)); } } return out; },
  "async options of wrong type": async (kv, s) => { const out = []; for (const o of [5, "x", true, null, [], () => 1]) for (const call of [() => s.get("a", o), () => s.put("a", 1, o), () => s.delete("a", o), () => s.list(o), () => s.deleteAll(o)]) { try { out.push(show(await call())); } catch (e) { out.push(show(e)); } } return out; },
  "async get duplicate keys": async (kv, s) => { letters(kv); return s.get(["b", "a", "b", "zz"]); },
  "async get keys of other types": async (kv, s) => { kv.put("1", "n"); kv.put("null", "x"); return s.get([1, null, undefined]); },
  "async delete many": async (kv, s) => { letters(kv); return [await s.delete(["a", "b", "zz", "a"]), await s.delete([]), list(kv).length]; },
  "async put array": async (kv, s) => { try { await s.put(["a", "b"], 1); return list(kv); } catch (e) { return show(e); } },
  "async put map": async (kv, s) => { try { await s.put(new Map([["a", 1]])); return list(kv); } catch (e) { return show(e); } },
  "async put symbol key entries": async (kv, s) => { await s.put({ [Symbol("x")]: 1, a: 1 }); return list(kv); },
  "async put inherited": async (kv, s) => { await s.put(Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true }, hidden: { value: 3 } })); return list(kv); },
  "async put string": async (kv, s) => { try { await s.put("k"); } catch (e) { return show(e); } },
  "async put number key": async (kv, s) => { await s.put(5, "five"); return list(kv); },
  "async put boolean key": async (kv, s) => { await s.put(true, "yes"); return list(kv); },
};

export class Probe extends DurableObject {
  async fetch(request) {
    const run = cases[decodeURIComponent(new URL(request.url).pathname.slice(1))];
    const { storage } = this.ctx;
    try {
      return Response.json(show(await run(storage.kv, storage)));
    } catch (error) {
      return Response.json(show(error));
    }
  }
}

// Every case has an object of its own: some end with a broken one.
export default {
  async fetch(request, env) {
    const answers = {};
    for (const name of Object.keys(cases)) {
      try {
        const response = await Promise.race([scheduler.wait(3000).then(() => Response.json("hangs")), env.PROBE.getByName(name).fetch(`http://object/${encodeURIComponent(name)}`)]);
        answers[name] = await response.json();
      } catch (error) {
        answers[name] = show(error);
      }
    }
    return Response.json(answers);
  },
};
