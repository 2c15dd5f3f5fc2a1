// Node's modules, case by case. Served by durabox and by workerd; the two answers must be equal.
import assert, { AssertionError, strict } from "node:assert";
import { Buffer, isAscii, isUtf8, transcode } from "node:buffer";
import EventEmitter, { EventEmitter as Named, captureRejectionSymbol, errorMonitor, getEventListeners, on, once } from "node:events";
import path, { posix, win32 } from "node:path";
import { StringDecoder } from "node:string_decoder";
import util, { format, inspect, promisify, types } from "node:util";

const show = (value) =>
  value === undefined ? "(undefined)" : typeof value === "bigint" || typeof value === "symbol" ? String(value)
  : Buffer.isBuffer(value) ? `<${value.toString("hex")}>` : value instanceof Uint8Array ? [...value] : value;
const failure = (error) => (error instanceof Error ? [error.name, error.code ?? null, error.message] : ["thrown", show(error)]);
const attempt = async (run) => { try { return show(await run()); } catch (error) { return failure(error); } };
/** Only the class and code: the message is the engine's. */
const kind = async (run) => { try { return show(await run()); } catch (error) { return [error.name, error.code ?? null]; } };
const text = "héllo wörld ✓ 🎈";

class Point { constructor() { this.x = 1; this.y = 2; } }

const cases = {
  // buffer
  "buffer from utf8": () => Buffer.from(text),
  "buffer from hex": () => Buffer.from("00ff10zz", "hex"),
  "buffer from odd hex": () => Buffer.from("00f", "hex"),
  "buffer from base64": () => Buffer.from("aGk_-w==", "base64"),
  "buffer from base64 with spaces": () => Buffer.from(" aG k= ", "base64"),
  "buffer from base64url": () => Buffer.from("_-8", "base64url"),
  "buffer from latin1": () => Buffer.from("é€", "latin1"),
  "buffer from utf16le": () => Buffer.from("aé🎈", "utf16le"),
  "buffer from ascii": () => Buffer.from("é", "ascii"),
  "buffer from array": () => Buffer.from([1, 256, -1, "3", "x", 2.9]),
  "buffer from ArrayBuffer shares": () => { const a = new ArrayBuffer(4); const b = Buffer.from(a, 1, 2); b[0] = 7; return [b.length, b.byteOffset, new Uint8Array(a)[1]]; },
  "buffer from buffer copies": () => { const a = Buffer.from("ab"); const b = Buffer.from(a); b[0] = 0; return a; },
  "buffer from number": () => Buffer.from(5),
  "buffer from null": () => kind(() => Buffer.from(null)),
  "buffer from unknown encoding": () => Buffer.from("a", "nope"),
  "buffer to strings": () => ["utf8", "hex", "base64", "base64url", "latin1", "binary", "ascii", "utf16le", "ucs2"].map((e) => Buffer.from([0xff, 0x41, 0xc3, 0xa9, 0xfb, 0xef]).toString(e)),
  "buffer to string part": () => [Buffer.from("hello").toString("utf8", 1, 3), Buffer.from("hello").toString("utf8", -2), Buffer.from("hello").toString(undefined, 4, 99)],
  "buffer to unknown": () => kind(() => Buffer.from("a").toString("nope")),
  "buffer utf8 invalid": () => Buffer.from([0x61, 0xe2, 0x82, 0x62, 0xff]).toString(),
  "buffer bom stays": () => Buffer.from([0xef, 0xbb, 0xbf, 0x61]).toString().length,
  "buffer json": () => JSON.stringify(Buffer.from("ab")),
  "buffer alloc": () => [Buffer.alloc(3).toString("hex"), Buffer.alloc(5, "ab").toString(), Buffer.alloc(3, 7).toString("hex"), Buffer.alloc(4, "aGk=", "base64").toString()],
  "buffer alloc negative": () => kind(() => Buffer.alloc(-1)),
  "buffer concat": () => [Buffer.concat([Buffer.from("a"), new Uint8Array([98])]).toString(), Buffer.concat([Buffer.from("abc")], 2).toString(), Buffer.concat([Buffer.from("a")], 3).toString("hex"), Buffer.concat([]).length],
  "buffer compare": () => [Buffer.compare(Buffer.from("a"), Buffer.from("b")), Buffer.from("b").compare(Buffer.from("a")), Buffer.from("ab").equals(new Uint8Array([97, 98])), [Buffer.from("b"), Buffer.from("a")].sort(Buffer.compare).join()],
  "buffer ints": () => { const b = Buffer.alloc(16); b.writeUInt8(255, 0); b.writeInt16LE(-2, 1); b.writeUInt32BE(0xdeadbeef, 3); b.writeIntBE(-5, 7, 3); b.writeUIntLE(0x123456, 10, 3); return [b.toString("hex"), b.readInt16LE(1), b.readUInt32BE(3), b.readIntBE(7, 3), b.readUIntLE(10, 3), b.readUint8(0)]; },
  "buffer floats": () => { const b = Buffer.alloc(12); b.writeFloatBE(1.5, 0); b.writeDoubleLE(-0.1, 4); return [b.toString("hex"), b.readFloatBE(0), b.readDoubleLE(4)]; },
  "buffer bigints": () => { const b = Buffer.alloc(16); b.writeBigInt64BE(-5n, 0); b.writeBigUInt64LE(2n ** 63n, 8); return [b.toString("hex"), String(b.readBigInt64BE(0)), String(b.readBigUInt64LE(8))]; },
  "buffer out of range": () => kind(() => Buffer.alloc(2).writeUInt8(256, 0)),
  "buffer read outside": () => kind(() => Buffer.alloc(2).readUInt32LE(0)),
  "buffer index of": () => { const b = Buffer.from("abcabc"); return [b.indexOf("c"), b.indexOf("c", 3), b.lastIndexOf("a"), b.indexOf(98), b.indexOf(Buffer.from("ca")), b.includes("zz"), b.indexOf("")]; },
  "buffer fill": () => [Buffer.alloc(5).fill("ab").toString(), Buffer.alloc(5).fill("c", 1, 3).toString("hex"), Buffer.alloc(3).fill(257).toString("hex")],
  "buffer write": () => { const b = Buffer.alloc(6); return [b.write("héé", 1), b.toString("hex"), b.write("abc", 4), b.toString("hex"), b.write("ff", 0, "hex"), b[0]]; },
  "buffer copy": () => { const b = Buffer.alloc(4); return [Buffer.from("abcdef").copy(b, 1, 2), b.toString("hex")]; },
  "buffer slices share": () => { const b = Buffer.from("abcd"); const s = b.slice(1, 3); s[0] = 0x7a; return [b.toString(), b.subarray(-2).toString(), s instanceof Buffer]; },
  "buffer swap": () => [Buffer.from([1, 2, 3, 4]).swap16().toString("hex"), Buffer.from([1, 2, 3, 4]).swap32().toString("hex")],
  "buffer byteLength": () => [Buffer.byteLength(text), Buffer.byteLength("aGk=", "base64"), Buffer.byteLength("ff", "hex"), Buffer.byteLength(new ArrayBuffer(3)), Buffer.byteLength("aé", "utf16le")],
  "buffer isEncoding": () => ["utf8", "UTF-8", "hex", "base64url", "binary", "nope", 5, undefined].map((e) => Buffer.isEncoding(e)),
  "buffer iterates": () => [[...Buffer.from("ab").entries()], [...Buffer.from("ab").keys()], [...Buffer.from("ab")]],
  "buffer inspect": () => [inspect(Buffer.from("hi")), inspect(Buffer.alloc(60)), inspect({ b: Buffer.alloc(2) })],
  "buffer is": () => [Buffer.isBuffer(Buffer.alloc(1)), Buffer.isBuffer(new Uint8Array(1)), Buffer.alloc(1) instanceof Uint8Array, Buffer.name],
  "buffer checks": () => [isAscii(Buffer.from("a")), isAscii(Buffer.from("é")), isUtf8(Buffer.from("é")), isUtf8(Buffer.from([0xff]))],
  "buffer transcode": () => [transcode(Buffer.from("aé"), "utf8", "latin1").toString("hex"), transcode(Buffer.from("é"), "utf8", "utf16le").toString("hex")],
  // events
  "events order": () => { const e = new EventEmitter(), seen = []; e.on("x", (v) => seen.push(["on", v])); e.prependListener("x", () => seen.push("first")); e.once("x", () => seen.push("once")); return [e.emit("x", 1), e.emit("x", 2), e.emit("y"), seen]; },
  "events names": () => { const e = new EventEmitter(); e.on("a", () => {}); e.once("b", () => {}); e.on("a", () => {}); return [e.eventNames(), e.listenerCount("a"), e.listeners("b").length, e.rawListeners("b").length, getEventListeners(e, "a").length]; },
  "events off": () => { const e = new EventEmitter(), f = () => {}; e.on("a", f); e.on("a", f); e.off("a", f); const one = e.listenerCount("a"); e.removeAllListeners(); return [one, e.listenerCount("a")]; },
  "events this": () => { const e = new EventEmitter(); let self; e.on("a", function () { self = this; }); e.emit("a"); return self === e; },
  "events error unheard": () => new EventEmitter().emit("error", new TypeError("bad")),
  "events error text": () => new EventEmitter().emit("error", "bad"),
  "events error monitor": () => { const e = new EventEmitter(), seen = []; e.on(errorMonitor, (x) => seen.push(x.message)); try { e.emit("error", new Error("m")); } catch (x) { seen.push(`thrown ${x.message}`); } return seen; },
  "events bad listener": () => new EventEmitter().on("x", 5),
  "events newListener": () => { const e = new EventEmitter(), seen = []; e.on("newListener", (n) => seen.push(n)); e.on("removeListener", (n) => seen.push(`-${n}`)); const f = () => {}; e.on("a", f); e.off("a", f); return seen; },
  "events once": async () => { const e = new EventEmitter(); queueMicrotask(() => e.emit("go", 1, 2)); return once(e, "go"); },
  "events once error": async () => { const e = new EventEmitter(); queueMicrotask(() => e.emit("error", new RangeError("no"))); return once(e, "go"); },
  "events once aborted": () => once(new EventEmitter(), "go", { signal: AbortSignal.abort() }),
  "events once target": async () => { const t = new EventTarget(); queueMicrotask(() => t.dispatchEvent(new Event("go"))); return (await once(t, "go"))[0].type; },
  "events on": async () => { const e = new EventEmitter(), seen = []; queueMicrotask(() => { e.emit("x", 1); e.emit("x", 2); e.emit("x", 3); }); for await (const [v] of on(e, "x")) { seen.push(v); if (v === 3) break; } return [seen, e.listenerCount("x")]; },
  "events captured rejection": async () => { const e = new EventEmitter({ captureRejections: true }); e.on("x", async () => { throw new Error("async"); }); const heard = new Promise((r) => e.on("error", r)); e.emit("x"); return (await heard).message; },
  "events rejection symbol": async () => { const e = new EventEmitter({ captureRejections: true }); const heard = new Promise((r) => { e[captureRejectionSymbol] = (error, name) => r([error.message, name]); }); e.on("x", async () => { throw new Error("s"); }); e.emit("x"); return heard; },
  "events subclass": () => { class My extends Named { constructor() { super(); this.a = 1; } } const m = new My(); m.on("x", () => {}); return [m instanceof EventEmitter, m.a, m.constructor.name, m.listenerCount("x")]; },
  "events called without new": () => { function Old() { EventEmitter.call(this); } util.inherits(Old, EventEmitter); const o = new Old(); let got; o.on("x", (v) => { got = v; }); o.emit("x", 4); return [got, Old.super_ === EventEmitter]; },
  "events limits": () => [EventEmitter.defaultMaxListeners, new EventEmitter().getMaxListeners(), new EventEmitter().setMaxListeners(3).getMaxListeners(), EventEmitter.EventEmitter === EventEmitter, Named === EventEmitter],
  "events bad limit": () => kind(() => new EventEmitter().setMaxListeners(-1)),
  // util.inspect and format
  "inspect plain": () => inspect({ a: 1, b: "x", c: [1, 2, { d: null }], "e-f": undefined, [Symbol("s")]: true, 5: 6n }),
  "inspect deep": () => inspect({ a: { b: { c: { d: {} } } }, e: [[[[1]]]] }),
  "inspect depth": () => [inspect({ a: { b: 1 } }, { depth: 0 }), inspect({ a: { b: { c: { d: 1 } } } }, { depth: null })],
  "inspect long": () => inspect(Array.from({ length: 120 }, (_, i) => i)),
  "inspect many keys": () => inspect(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`key${i}`, `value ${i}`]))),
  "inspect strings": () => [inspect("it's"), inspect('"'), inspect("a\nb\t\u0001"), inspect("`'\""), inspect("x".repeat(200)).length],
  "inspect array of strings": () => inspect(["apple", "banana", "cherry", "dragonfruit", "elderberry", "fig", "grape"]),
  "inspect collections": () => [inspect(new Map([["a", { b: 1 }], [1, 2]])), inspect(new Set([1, "x"])), inspect(new Map()), inspect(new WeakMap())],
  "inspect numbers": () => [inspect(-0), inspect(1e21), inspect(NaN), inspect(5n), inspect(new Number(3)), inspect(new String("s")), inspect(123456.789, { numericSeparator: true })],
  "inspect functions": () => [inspect(() => {}), inspect(function named() {}), inspect(class A {}), inspect(class B extends Point {}), inspect(async () => {}), inspect(function* gen() {}), inspect(Object.assign(() => {}, { a: 1 }))],
  "inspect classes": () => [inspect(new Point()), inspect(Object.create(null)), inspect(Object.create({})), inspect(new (class {})()), inspect(new (class Foo extends Map {})([[1, 2]]))],
  "inspect circular": () => { const a = { name: "a" }; a.self = a; a.list = [a]; return inspect(a); },
  "inspect dates": () => [inspect(new Date(0)), inspect(new Date(NaN)), inspect({ d: new Date(5) })],
  "inspect regexps": () => inspect(/a\/b/gi),
  "inspect typed": () => [inspect(new Uint8Array([1, 2])), inspect(new ArrayBuffer(2)), inspect(new DataView(new ArrayBuffer(1)))],
  "inspect getters": () => inspect({ get a() { return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {} }),
  "inspect getters shown": () => inspect({ get a() { return { x: 1 }; } }, { getters: true }),
  "inspect hidden": () => inspect(Object.defineProperty({}, "h", { value: 1 }), { showHidden: true }),
  "inspect holes": () => inspect([1, , 3, , , 6]),
  "inspect sorted": () => inspect({ b: 1, a: 2 }, { sorted: true }),
  "inspect compact": () => [inspect({ a: { b: 1 } }, { compact: false }), inspect({ a: 1, b: [1, 2] }, { breakLength: 10 })],
  "inspect custom": () => [inspect({ [inspect.custom]: () => "mine" }), inspect({ [inspect.custom](depth, options) { return { depth, has: typeof options.stylize }; } })],
  "inspect symbols": () => [inspect(Symbol("x")), inspect(Symbol()), inspect({ [Symbol.iterator]: 1 })],
  "inspect colors": () => inspect({ a: 1, b: "x", c: null, d: undefined, e: true, f: Symbol("s"), g: new Date(0) }, { colors: true }),
  "inspect tagged": () => inspect({ [Symbol.toStringTag]: "Tag", a: 1 }),
  "inspect error message": () => inspect(new TypeError("bad thing")).split("\n")[0],
  "inspect limits": () => [inspect([1, 2, 3, 4], { maxArrayLength: 2 }), inspect("abcdef", { maxStringLength: 3 }), inspect(new Set([1, 2, 3]), { maxArrayLength: 1 })],
  "format": () => [format("%s %d %i %f %j %o %O %c %%", "a", 1.5, 2.7, "3.1", { a: 1 }, [1], { b: 2 }, "css"), format("a", "b", { c: 1 }), format(1, 2), format("%s"), format("%x", 1), format("%d", "x"), format("%s", null, undefined), format("%s %s", 5n, Symbol("q")), format("%i", 5n), format("%s", { a: { b: 1 } }), format("%s", () => 1), format("%s", new Point())],
  "format more": () => [format("%s", -0), format("%d", -0), format("%j", (() => { const a = {}; a.a = a; return a; })()), format("100%"), format("%s%s", "a"), format()],
  // util
  "promisify": async () => [await promisify((a, cb) => cb(null, a + 1))(1), await promisify((cb) => cb(new Error("no")))().catch((e) => e.message), promisify.custom === Symbol.for("nodejs.util.promisify.custom")],
  "promisify custom": async () => { const f = () => {}; f[promisify.custom] = () => Promise.resolve("custom"); return promisify(f)(); },
  "promisify not a function": () => promisify(5),
  "callbackify": () => new Promise((resolve) => util.callbackify(async (a) => a * 2)(4, (error, value) => resolve([error, value]))),
  "callbackify falsy": () => new Promise((resolve) => util.callbackify(() => Promise.reject(null))((error) => resolve([error.code, error.reason]))),
  "deep equal": () => [util.isDeepStrictEqual({ a: [1, new Set([1])] }, { a: [1, new Set([1])] }), util.isDeepStrictEqual([1], ["1"]), util.isDeepStrictEqual(NaN, NaN), util.isDeepStrictEqual(0, -0), util.isDeepStrictEqual(new Map([[{}, 1]]), new Map([[{}, 1]]))],
  "strip": () => util.stripVTControlCharacters("\u001b[31mred\u001b[39m"),
  "styleText": () => util.styleText("red", "x"),
  "toUSVString": () => util.toUSVString("a\ud800"),
  "types": () => {
    const values = [new Date(), /x/, new Map(), new Set(), new WeakMap(), new WeakSet(), Promise.resolve(), new Uint8Array(), Buffer.alloc(0), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1), new Number(1), new String(""), Object(Symbol()), Object(1n), async () => {}, function* () {}, new Error(), new Map().entries(), new Set().values(), (function () { return arguments; })(), {}, null, 1, (function* () {})()];
    const names = ["isAnyArrayBuffer", "isArgumentsObject", "isArrayBuffer", "isArrayBufferView", "isAsyncFunction", "isBigIntObject", "isBoxedPrimitive", "isDataView", "isDate", "isGeneratorFunction", "isGeneratorObject", "isMap", "isMapIterator", "isNativeError", "isNumberObject", "isPromise", "isRegExp", "isSet", "isSetIterator", "isStringObject", "isSymbolObject", "isTypedArray", "isUint8Array", "isWeakMap", "isWeakSet"];
    return Object.fromEntries(names.map((name) => [name, values.flatMap((value, i) => (types[name](value) ? [i] : []))]));
  },
  "inherits": () => { function A() {} function B() {} util.inherits(B, A); return [new B() instanceof A, B.super_ === A]; },
  "deprecate": () => util.deprecate((a) => a + 1, "old")(1),
  // assert
  "assert true": () => assert(true),
  "assert false": () => kind(() => assert(false)),
  "assert message": () => assert(0, "zero"),
  "assert equal": () => [assert.equal(1, 1), 1].length,
  "assert equal fails": () => kind(() => assert.equal(1, 2)),
  "assert strictEqual": () => assert.strictEqual(1, 2),
  "assert strictEqual message": () => assert.strictEqual("a", "b", "differ"),
  "assert strictEqual error": () => assert.strictEqual(1, 2, new RangeError("mine")),
  "assert strictEqual NaN": () => assert.strictEqual(NaN, NaN),
  "assert deepEqual": () => [assert.deepEqual({ a: 1 }, { a: 1 }), assert.deepStrictEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), assert.deepStrictEqual(new Map([[1, new Set([2])]]), new Map([[1, new Set([2])]]))].length,
  "assert deepStrictEqual fails": () => kind(() => assert.deepStrictEqual({ a: 1 }, { a: 2 })),
  "assert deepStrictEqual types": async () => [await kind(() => assert.deepStrictEqual([1], ["1"])), await kind(() => assert.deepStrictEqual(new Date(0), new Date(1))), await kind(() => assert.deepStrictEqual(/a/g, /a/i)), await kind(() => assert.deepStrictEqual(new Point(), { x: 1, y: 2 })), await kind(() => assert.deepStrictEqual(-0, 0))],
  "assert notEqual": async () => [await kind(() => assert.notStrictEqual(1, 1)), await kind(() => assert.notDeepStrictEqual({ a: 1 }, { a: 1 })), await kind(() => assert.notEqual(1, 2))],
  "assert throws": async () => [await attempt(() => assert.throws(() => { throw new TypeError("bad"); }, TypeError)), await attempt(() => assert.throws(() => { throw new TypeError("bad"); }, /bad/)), await attempt(() => assert.throws(() => { throw new TypeError("bad"); }, { name: "TypeError", message: "bad" })), await attempt(() => assert.throws(() => { throw new Error("bad"); }, (e) => e.message === "bad"))],
  "assert throws not": () => assert.throws(() => {}),
  "assert throws other": () => kind(() => assert.throws(() => { throw new Error("x"); }, TypeError)),
  "assert doesNotThrow": () => kind(() => assert.doesNotThrow(() => { throw new Error("x"); })),
  "assert rejects": async () => [show(await assert.rejects(Promise.reject(new Error("r")), /r/)), await attempt(() => assert.rejects(Promise.resolve(1)))],
  "assert match": async () => [await attempt(() => assert.match("abc", /b/)), await kind(() => assert.match("abc", /z/)), await kind(() => assert.doesNotMatch("abc", /b/))],
  "assert fail": () => assert.fail(),
  "assert fail message": () => assert.fail("why"),
  "assert ifError": async () => [await attempt(() => assert.ifError(null)), await kind(() => assert.ifError(new Error("e")))],
  "assert strict": async () => [await kind(() => strict.equal(1, "1")), await kind(() => assert.equal(1, "1")), assert.strict === strict, strict.deepEqual === assert.deepStrictEqual],
  "assert error": () => { const e = new AssertionError({ actual: 1, expected: 2, operator: "strictEqual" }); return [e.name, e.code, e.actual, e.expected, e.operator, e.generatedMessage, e instanceof Error, e.message]; },
  // path
  "path join": () => [path.join("/a", "..", "b", "./c"), path.join(""), path.join("a", "", "b/"), path.join("../a", "../b")],
  "path resolve": () => [path.resolve("/a/b", "../c", "./d"), path.resolve("/a", "/b"), path.resolve("/x", "")],
  "path normalize": () => ["", ".", "/", "//a//b/", "a/../..", "/../a", "./a/./b"].map((p) => path.normalize(p)),
  "path parts": () => ["/a/b.txt", "b.tar.gz", ".hidden", "/a/.x.y", "a/", "/", ""].map((p) => [path.dirname(p), path.basename(p), path.extname(p)]),
  "path basename suffix": () => [path.basename("/a/b.txt", ".txt"), path.basename("b.txt", "txt"), path.basename(".txt", ".txt")],
  "path relative": () => [path.relative("/a/b/c", "/a/d"), path.relative("/a", "/a"), path.relative("/a/b", "/a/b/c/d")],
  "path parse": () => [path.parse("/home/u/file.txt"), path.parse("./a"), path.format({ dir: "/d", base: "b.c" }), path.format({ root: "/", name: "n", ext: ".e" })],
  "path absolute": () => [path.isAbsolute("/a"), path.isAbsolute("a"), path.sep, path.delimiter, path.posix === posix, path === posix],
  "path not a string": () => kind(() => path.join("a", 5)),
  "win32": () => [win32.join("C:\\a", "..", "b"), win32.resolve("C:\\a", "..\\b"), win32.basename("C:\\x\\y.z"), win32.parse("C:\\p\\f.t"), win32.isAbsolute("C:/"), win32.normalize("C:/a//b\\..\\c"), win32.relative("C:\\a\\b", "C:\\a\\c"), win32.dirname("\\\\srv\\share\\x"), win32.sep],
  // string_decoder
  "decoder splits": () => { const d = new StringDecoder("utf8"); return [d.write(Buffer.from([0xe2, 0x82])), d.write(Buffer.from([0xac])), d.end(), d.encoding]; },
  "decoder ends early": () => { const d = new StringDecoder(); return [d.write(Buffer.from([0x61, 0xe2])), d.end()]; },
  "decoder utf16": () => { const d = new StringDecoder("utf16le"); return [d.write(Buffer.from([0x61])), d.write(Buffer.from([0, 0x3d, 0xd8])), d.write(Buffer.from([0x88, 0xdf])), d.end()]; },
  "decoder base64": () => { const d = new StringDecoder("base64"); return [d.write(Buffer.from("a")), d.write(Buffer.from("bc")), d.end(Buffer.from("d"))]; },
  "decoder unknown": () => kind(() => new StringDecoder("nope")),
};

export default {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) out[name] = await attempt(run);
    return Response.json(out);
  },
};
