// What console.log prints, case by case: between two lines that name the cases. Served by durabox and by workerd; both must print the same.
import { DurableObject } from "cloudflare:workers";

class Point { constructor() { this.x = 1; this.y = [1, { z: 2 }]; } }
class Tagged { get [Symbol.toStringTag]() { return "tag"; } }
const circle = { name: "c" }; circle.self = circle;

const cases = {
  "text": () => ["a", "b c"],
  "primitives": () => [1, -0, 1.5, NaN, true, null, undefined, 10n],
  "symbol": () => [Symbol("s")],
  "nested text": () => [["a", 'q"', "it's", "l\nine"], { a: "b" }],
  "object": () => [{ a: 1, "b-c": 2, [Symbol("k")]: 3, 4: 5 }],
  "empty": () => [{}, [], new Map(), new Set(), ""],
  "depth": () => [{ a: { b: { c: { d: 1 } } } }, [[[[1]]]]],
  "array": () => [[1, , 3], [undefined, null], Object.assign([1], { extra: 2 })],
  "long array": () => [Array.from({ length: 120 }, (_, i) => i)],
  "array of text": () => [Array.from({ length: 8 }, (_, i) => "item " + i)],
  "long object": () => [Object.fromEntries(Array.from({ length: 30 }, (_, i) => ["key" + i, i]))],
  "long text": () => [["x".repeat(200)]],
  "map and set": () => [new Map([["k", { v: 1 }], [2, "two"]]), new Set(["a", 1])],
  "weak": () => [new WeakMap(), new WeakSet()],
  "typed arrays": () => [new Uint8Array([1, 2, 3]), new Float64Array(1), new ArrayBuffer(3), new DataView(new ArrayBuffer(2))],
  "date and regexp": () => [new Date(0), /a+/gi, [new Date(0)], new Date(NaN)],
  "functions": () => [function named() {}, () => {}, class A {}, class B extends Point {}, async () => {}, function* g() {}],
  "class": () => [new Point(), new Tagged(), Object.create(null), Object.assign(Object.create(null), { a: 1 })],
  "circle": () => [circle],
  "boxed": () => [new String("s"), new Number(3), new Boolean(false), Object(1n), Object(Symbol("b"))],
  "promise": () => [Promise.resolve(4), new Promise(() => {})],
  "accessors": () => [{ get a() { return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {} }],
  "proxy": () => [new Proxy({ a: 1 }, {}), new Proxy(() => {}, {})],
  "error name": () => { const e = new RangeError("m"); e.stack = "RangeError: m"; return [e]; },
  "error in object": () => { const e = new Error("m"); e.stack = "Error: m"; return [{ e }]; },
  "error with properties": () => { const e = new Error("m"); e.stack = "Error: m"; e.code = 5; return [e]; },
  "arguments": () => [(function () { return arguments; })(1, 2)],
  "percent": () => ["%s is %d and %i and %f and %j and %o and %O and %%", "a", 1.5, 1.5, "2.5", { a: 1 }, { b: [1] }, { c: 1 }, "rest", { d: 1 }],
  "percent missing": () => ["%s %s", "a"],
  "percent alone": () => ["100%"],
  "percent object": () => ["%s %s %s", { a: 1 }, [1, [2]], null],
  "percent numbers": () => ["%d %d %i %f %d", "5", 5n, "7.9", "x", {}],
  "percent symbol": () => ["%s %d", Symbol("a"), Symbol("b")],
  "percent css": () => ["%cred", "color: red"],
  "percent unknown": () => ["%x %s", 1, 2],
  "not first": () => [{ a: 1 }, "%s", 1],
  "headers": () => [new Headers({ a: "1" })],
  "url": () => [new URL("http://x/y?z=1")],
  "params": () => [new URLSearchParams("a=1&b=2")],
  "response": () => [new Response("x", { status: 201 })],
  "request": () => [new Request("http://x/")],
  "event": () => [new AbortController().signal.aborted],
  "quotes": () => [["a'b", 'a"b', "a'b\"c", "a'b\"c`d"]],
  "keys": () => [{ "a b": 1, "1a": 2, a1: 3, $: 4, _: 5, "é": 6 }],
  "number keys": () => [{ 10: 1, 9: 2 }],
  "negative zero": () => [[-0, 0]],
  "multi-line": () => [{ text: "a\nb" }],
  "iterators": () => [new Map([[1, 2]]).entries(), new Set([1]).values(), [1][Symbol.iterator]()],
  "generator": () => [(function* () {})()],
  "form": () => { const f = new FormData(); f.append("a", "1"); f.append("a", "2"); return [f]; },
  "blob": () => [new Blob(["abc"], { type: "a/b" }), new File(["x"], "n", { lastModified: 5 })],
  "signal": () => [AbortSignal.abort("x")],
  "date in map": () => [new Map([[new Date(0), new Error("x").message]])],
  "encoder": () => [new TextEncoder(), new TextDecoder()],
  "getter throws": () => [{ get a() { throw new Error("x"); } }],
  "custom": () => [{ [Symbol.for("nodejs.util.inspect.custom")]: () => "custom!" }, { toString() { return "no"; } }],
  "toJSON": () => ["%j", { toJSON: () => 5 }],
  "subclass": () => [new (class Mine extends Map {})([[1, 2]]), new (class Ours extends URLSearchParams {})("a=1")],
  "global": () => [Math, JSON],
};

export class Printer extends DurableObject {
  async fetch() {
    for (const [name, values] of Object.entries(cases)) {
      console.log(`<<<${name}>>>`);
      console.log(...values());
    }
    console.log("<<<end>>>");
    return new Response(Object.keys(cases).length);
  }
}
export default { fetch: (request, env) => env.PRINTER.getByName("p").fetch(request) };
