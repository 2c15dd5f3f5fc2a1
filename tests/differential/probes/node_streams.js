// Node's modules by their documented behaviour: streams, their consumers and promises, buffers, hashes, paths and URLs. Served by durabox and by workerd.
import assert from "node:assert";
import { Buffer } from "node:buffer";
import events, { EventEmitter } from "node:events";
import util from "node:util";
import path from "node:path";
import url from "node:url";
import querystring from "node:querystring";
import { StringDecoder } from "node:string_decoder";
import dc from "node:diagnostics_channel";
import stream from "node:stream";
import { pipeline, finished } from "node:stream/promises";
import consumers from "node:stream/consumers";
import tp from "node:timers/promises";
import process from "node:process";
import crypto from "node:crypto";
import async_hooks from "node:async_hooks";
import { DurableObject } from "cloudflare:workers";

const wait = (ms) => scheduler.wait(ms);
const { Readable, Writable, Transform, Duplex, PassThrough } = stream;
const t = (f) => { try { const v = f(); return v === undefined ? "(undefined)" : typeof v === "bigint" || typeof v === "symbol" ? String(v) : v; } catch (e) { return [e.name, e.code ?? null]; } };
const ta = async (f) => { try { return await f(); } catch (e) { return [e.name, e.code ?? null]; } };

const cases = {
  // util
  "styleText": () => t(() => util.styleText("red", "x")),
  "toUSVString": () => t(() => util.toUSVString("\ud800").codePointAt(0)),
  "stripVT": () => util.stripVTControlCharacters("\u001b[31mx\u001b[0m"),
  "deprecate": () => { const f = util.deprecate(() => 5, "old", "DEP1"); return f(); },
  "inherits": () => { function A() {} function B() {} util.inherits(A, B); return new A() instanceof B; },
  "aborted": async () => { const c = new AbortController(); const p = util.aborted(c.signal, {}); c.abort(); await p; return "ok"; },
  "util text": () => [new util.TextEncoder().encode("a").length, new util.TextDecoder().decode(new Uint8Array([97]))],
  "deepEqual": () => [util.isDeepStrictEqual(new Date(1), new Date(1)), util.isDeepStrictEqual(/a/g, /a/i), util.isDeepStrictEqual(new Error("a"), new Error("a")), util.isDeepStrictEqual(new Set([{ a: 1 }]), new Set([{ a: 1 }])), util.isDeepStrictEqual([1, , 2], [1, undefined, 2]), util.isDeepStrictEqual(Object(1), Object(1)), util.isDeepStrictEqual(new Uint8Array([1]), new Uint8Array([1])), util.isDeepStrictEqual({ a: 1 }, Object.create({ a: 1 }))],
  "inspect symbol": () => [util.inspect.custom === Symbol.for("nodejs.util.inspect.custom"), util.inspect.defaultOptions?.depth],
  "promisify timers": async () => [await util.promisify(setTimeout)(1, "v"), await util.promisify(setImmediate)("w")],
  // path
  "path join": () => [path.join("a", "..", "..", "b"), path.join(""), path.join("/a", "/b"), path.join("a/", "./b", "//c")],
  "path resolve": () => [path.resolve("/a", "b", "../c"), path.resolve("/a", "/b")],
  "path rel": () => [path.relative("/a/b/c", "/a/d"), path.relative("/a", "/a"), path.relative("/a/b", "/")],
  "path parse": () => ["/a/b.c.d", "a", "/", "", "./.x", "/a/b/", "x."].map((p) => path.parse(p)),
  "path base": () => [path.basename("/a/b.html", ".html"), path.basename("/a/b/"), path.extname(".x"), path.extname("a.b."), path.dirname("/a"), path.dirname("a"), path.dirname("")],
  "path win": () => [path.win32.join("a", "b"), path.win32.resolve("C:\\a", "..\\b"), path.win32.isAbsolute("C:/"), path.win32.parse("C:\\a\\b.c"), path.win32.basename("C:\\x\\y.z")],
  "path bad": () => [t(() => path.join(5)), t(() => path.basename()), t(() => path.parse(null))],
  "path normalize": () => ["/a/./b/../c/", "a//b", "", "../a", "/..", "a/.."].map((p) => path.normalize(p)),
  // url
  "url parse": () => { const u = url.parse("http://u:p@h.com:80/p/a?q=1#f"); return { ...u }; },
  "url parse query": () => ({ ...url.parse("/a?b=1&b=2", true).query }),
  "url resolve": () => [url.resolve("/a/b/c", "d"), url.resolve("http://h/a", "/b"), url.resolve("http://h/a/b", "../c")],
  "url options": () => url.urlToHttpOptions(new URL("http://a:b@h:1/p?q#f")),
  // querystring
  "qs parse": () => ["a=1&b=2&a=3", "a", "a=&=b", "%zz=1", "a+b=c%20d", "a;b", ""].map((q) => ({ ...querystring.parse(q) })),
  "qs options": () => [{ ...querystring.parse("a:1;b:2", ";", ":") }, Object.keys(querystring.parse("a&b&c", null, null, { maxKeys: 2 })), querystring.stringify({ a: [1, 2], b: true, c: null, d: undefined, e: "ü &", f: 5n, g: NaN, h: {} }), querystring.stringify({ a: 1, b: 2 }, ";", ":")],
  "qs escape": () => [querystring.escape("a b&ü~!*'()"), querystring.unescape("%41+%zz%C3%BC"), querystring.escape({ toString: () => "x y" })],
  // string_decoder
  "decoder utf8": () => { const d = new StringDecoder("utf8"); return [d.write(Buffer.from([0xe2, 0x82])), d.write(Buffer.from([0xac])), d.write(Buffer.from([0xe2])), d.end()]; },
  "decoder base64": () => { const d = new StringDecoder("base64"); return [d.write(Buffer.from("a")), d.write(Buffer.from("bc")), d.end(Buffer.from("d"))]; },
  "decoder utf16": () => { const d = new StringDecoder("utf16le"); return [d.write(Buffer.from([0x3d])), d.write(Buffer.from([0xd8, 0x4d])), d.write(Buffer.from([0xdc])), d.end()]; },
  "decoder hex": () => { const d = new StringDecoder("hex"); return [d.write(Buffer.from([1])), d.end()]; },
  "decoder props": () => { const d = new StringDecoder("UTF-8"); return [d.encoding, d.lastNeed, d.lastTotal]; },
  // events
  "events once abort": async () => { const e = new EventEmitter(), c = new AbortController(); const p = ta(() => events.once(e, "x", { signal: c.signal })); c.abort(); return p; },
  "events setMax": () => { events.setMaxListeners(5, new EventEmitter()); return events.defaultMaxListeners; },
  "events listenerCount": () => { const e = new EventEmitter(); e.on("x", () => {}); return [events.listenerCount(e, "x"), EventEmitter.listenerCount(e, "x")]; },
  "events getMax": () => t(() => events.getMaxListeners(new EventEmitter())),
  "events addAbort": () => t(() => { const c = new AbortController(); let n = 0; const d = events.addAbortListener(c.signal, () => n++); c.abort(); return [n, typeof d[Symbol.dispose]]; }),
  "events async resource": () => t(() => typeof events.EventEmitterAsyncResource),
  "events prepend once": () => { const e = new EventEmitter(), log = []; e.on("x", () => log.push(1)); e.prependOnceListener("x", () => log.push(0)); e.emit("x"); e.emit("x"); return log; },
  "events remove while": () => { const e = new EventEmitter(), log = []; const f = () => log.push("f"); e.on("x", () => { e.off("x", f); log.push(1); }); e.on("x", f); e.emit("x"); e.emit("x"); return log; },
  "events symbol": () => { const e = new EventEmitter(), s = Symbol("q"); e.on(s, () => {}); return e.eventNames().map(String); },
  "events emit this chain": () => { const e = new EventEmitter(); return [e.on("x", () => {}) === e, e.emit("none"), e.removeAllListeners("x") === e]; },
  "events on abort": async () => { const e = new EventEmitter(), c = new AbortController(); const it = events.on(e, "x", { signal: c.signal }); const p = ta(() => it.next()); c.abort(); return p; },
  // stream
  "readable from": async () => { const out = []; for await (const x of Readable.from(["a", "b"])) out.push(x); return out; },
  "readable from buffer": async () => { const out = []; for await (const x of Readable.from(Buffer.from("ab"))) out.push(x.toString()); return out; },
  "readable string": async () => { const r = Readable.from("abc"); const out = []; for await (const x of r) out.push(x); return out; },
  "readable read": async () => { const r = new Readable({ read() { this.push("x"); this.push(null); } }); r.setEncoding("utf8"); const out = []; for await (const x of r) out.push(x); return out; },
  "readable events": async () => { const r = Readable.from([1, 2]); const log = []; r.on("data", (x) => log.push(x)); r.on("end", () => log.push("end")); await new Promise((d) => r.on("close", d)); return log; },
  "readable destroy": async () => { const r = new Readable({ read() {} }); const p = new Promise((d) => r.on("error", (e) => d(e.message))); r.destroy(new Error("d")); return [await p, r.destroyed]; },
  "readable helpers": async () => [await Readable.from([1, 2, 3, 4]).filter((x) => x % 2 === 0).map((x) => x * 10).toArray(), await Readable.from([1, 2, 3]).reduce((a, b) => a + b, 0), await Readable.from([1, 2, 3]).take(2).toArray(), await Readable.from([1, 2, 3]).drop(1).toArray(), await Readable.from([1, 2]).some((x) => x > 1), await Readable.from([1, 2]).every((x) => x > 1), await Readable.from([[1], [2]]).flatMap((x) => x).toArray(), await Readable.from([1, 2]).find((x) => x === 2)],
  "writable": async () => { const out = []; const w = new Writable({ write(c, e, cb) { out.push(c.toString()); cb(); }, final(cb) { out.push("final"); cb(); } }); w.write("a"); w.end("b"); await new Promise((d) => w.on("finish", d)); return [out, w.writableEnded, w.writableFinished]; },
  "writable hwm": () => { const w = new Writable({ highWaterMark: 3, write(c, e, cb) { setTimeout(cb, 1); } }); return [w.write("ab"), w.write("cd"), w.writableLength, w.writableNeedDrain]; },
  "writable cork": async () => { const out = []; const w = new Writable({ writev(cs, cb) { out.push(cs.map((c) => c.chunk.toString())); cb(); } }); w.cork(); w.write("a"); w.write("b"); w.uncork(); w.end(); await new Promise((d) => w.on("finish", d)); return out; },
  "writable after end": async () => { const w = new Writable({ write(c, e, cb) { cb(); } }); w.end(); return new Promise((d) => { w.on("error", (e) => d([e.code, e.message])); w.write("x"); }); },
  "writable object": async () => { const out = []; const w = new Writable({ objectMode: true, write(c, e, cb) { out.push(c); cb(); } }); w.write({ a: 1 }); w.end(); await new Promise((d) => w.on("finish", d)); return out; },
  "writable bad chunk": () => t(() => new Writable({ write() {} }).write(5)),
  "writable null": () => t(() => new Writable({ write() {} }).write(null)),
  "transform": async () => { const up = new Transform({ transform(c, e, cb) { cb(null, c.toString().toUpperCase()); }, flush(cb) { this.push("!"); cb(); } }); up.end("abc"); return (await consumers.text(up)); },
  "passthrough": async () => { const p = new PassThrough(); p.end("x"); return consumers.text(p); },
  "pipeline": async () => { const out = []; await pipeline(Readable.from(["a", "b"]), async function* (s) { for await (const x of s) yield x + x; }, new Writable({ objectMode: true, write(c, e, cb) { out.push(String(c)); cb(); } })); return out; },
  "pipeline error": () => ta(() => pipeline(Readable.from(["a"]), new Transform({ transform(c, e, cb) { cb(new TypeError("bad")); } }), new PassThrough())),
  "pipeline cb": () => new Promise((d) => stream.pipeline(Readable.from(["a"]), new PassThrough().resume(), (e) => d(e ?? "ok"))),
  "pipeline abort": async () => { const c = new AbortController(); const p = ta(() => pipeline(new Readable({ read() {} }), new PassThrough(), { signal: c.signal })); c.abort(); return p; },
  "finished": async () => { const r = Readable.from([1]); r.resume(); await finished(r); return "ok"; },
  "to web": async () => new Response(Readable.toWeb(Readable.from([Buffer.from("web")]))).text(),
  "from web": async () => consumers.text(Readable.fromWeb(new Response("hello").body)),
  "writable to web": async () => { const out = []; const w = Writable.toWeb(new Writable({ write(c, e, cb) { out.push(c.toString()); cb(); } })); const x = w.getWriter(); await x.write(Buffer.from("a")); await x.close(); return out; },
  "writable from web": async () => { const out = []; const w = Writable.fromWeb(new WritableStream({ write(c) { out.push(typeof c === "string" ? c : Buffer.from(c).toString()); } })); w.end("a"); await finished(w); return out; },
  "consumers": async () => [await consumers.json(Readable.from(['{"a":1}'])), (await consumers.buffer(Readable.from([Buffer.from("x")]))).toString(), (await consumers.arrayBuffer(Readable.from([Buffer.from("xy")]))).byteLength, (await consumers.blob(Readable.from([Buffer.from("xyz")]))).size],
  "isErrored": () => [stream.isErrored?.(new PassThrough()), stream.isReadable?.(new PassThrough()), stream.isDisturbed?.(new PassThrough())],
  "addAbort": async () => { const c = new AbortController(); const r = stream.addAbortSignal(c.signal, new Readable({ read() {} })); const p = new Promise((d) => r.on("error", (e) => d([e.name, e.code]))); c.abort(); return p; },
  "unpipe": async () => { const a = new PassThrough(), b = new PassThrough(); a.pipe(b); a.unpipe(b); a.write("x"); await wait(2); return [b.readableLength, a.readableFlowing]; },
  "async dispose": async () => { const r = Readable.from([1]); return typeof r[Symbol.asyncDispose]; },
  // buffer
  "buffer atob": async () => { const b = await import("node:buffer"); return [b.atob("aGk="), b.btoa("hi"), b.kMaxLength > 1e6, b.constants?.MAX_STRING_LENGTH > 1e6, b.INSPECT_MAX_BYTES, typeof b.File, typeof b.Blob, typeof b.resolveObjectURL, typeof b.SlowBuffer]; },
  "buffer copyBytesFrom": () => t(() => Buffer.copyBytesFrom(new Uint16Array([1, 2, 3]), 1, 1).toString("hex")),
  "buffer ascii bits": () => [Buffer.from([0xe9, 0x41]).toString("ascii"), Buffer.from("é€", "ascii").toString("hex"), Buffer.from("ÿ", "binary").toString("hex")],
  "buffer of": () => Buffer.of(1, 300, "4").toString("hex"),
  "buffer species": () => [Buffer.from("abc").slice(1) instanceof Buffer, Buffer.from("abc").map((x) => x + 1) instanceof Buffer, Buffer.from("abc").filter((x) => x > 97) instanceof Buffer, new Uint8Array(Buffer.from("a")) instanceof Buffer],
  // crypto
  "hash encodings": () => ["hex", "base64", "base64url", "latin1", "buffer"].map((e) => t(() => String(crypto.createHash("sha1").update("abc").digest(e)))),
  "hash twice": () => t(() => { const h = crypto.createHash("sha1"); h.digest(); h.digest(); }),
  "hash update after": () => t(() => { const h = crypto.createHash("sha1"); h.digest(); h.update("x"); }),
  "hash copy": () => { const h = crypto.createHash("sha1").update("a"); const c = h.copy(); h.update("b"); return [h.digest("hex"), c.update("b").digest("hex")]; },
  "hash oneshot": () => [t(() => crypto.hash("sha1", "abc")), t(() => crypto.hash("sha1", Buffer.from("abc"), "base64"))],
  "hash stream": async () => { const h = crypto.createHash("sha256"); h.end("abc"); return (await consumers.buffer(h)).toString("hex"); },
  "random": () => [crypto.randomBytes(5).length, t(() => crypto.randomInt(3) < 3), t(() => crypto.randomInt(5, 6)), t(() => crypto.randomInt(5, 5)), typeof crypto.randomUUID(), t(() => crypto.randomFillSync(Buffer.alloc(3)).length), t(() => crypto.randomBytes(-1))],
  "subtle same": () => [crypto.subtle === globalThis.crypto.subtle, crypto.webcrypto === globalThis.crypto],
  // assert
  "asserts": () => [t(() => assert(0)), t(() => assert.ok(1)), t(() => assert.equal(1, "1")), t(() => assert.strictEqual(1, "1")), t(() => assert.deepEqual({ a: 1 }, { a: "1" })), t(() => assert.deepStrictEqual({ a: 1 }, { a: "1" })), t(() => assert.notStrictEqual(1, 1)), t(() => assert.throws(() => { throw new TypeError("x"); }, TypeError)), t(() => assert.throws(() => {})), t(() => assert.doesNotThrow(() => { throw new Error("y"); })), t(() => assert.match("abc", /x/)), t(() => assert.doesNotMatch("abc", /x/)), t(() => assert.fail("m")), t(() => assert.ifError(null)), t(() => assert.ifError(new Error("z"))), t(() => assert.partialDeepStrictEqual?.({ a: 1, b: 2 }, { a: 1 }))],
  "assert rejects": async () => [await ta(() => assert.rejects(Promise.reject(new Error("x")))), await ta(() => assert.rejects(Promise.resolve())), await ta(() => assert.rejects(async () => { throw new TypeError("t"); }, { name: "TypeError", message: "t" })), await ta(() => assert.doesNotReject(Promise.reject(new Error("x"))))],
  "assert error": () => { try { assert.strictEqual(1, 2, "msg"); } catch (e) { return [e.message, e.code, e.actual, e.expected, e.operator, e.generatedMessage, e instanceof assert.AssertionError]; } },
  "assert strict": () => [assert.strict.equal === assert.strictEqual, typeof assert.CallTracker],
  // timers
  "tp immediate": async () => [await tp.setTimeout(1, "a"), await tp.setImmediate("b")],
  "tp abort": async () => { const c = new AbortController(); const p = ta(() => tp.setTimeout(1000, "x", { signal: c.signal })); c.abort(); return p; },
  "tp scheduler": async () => [typeof tp.scheduler.wait, typeof tp.scheduler.yield, await ta(() => tp.scheduler.yield())],
  "timeout symbol": () => { const x = setTimeout(() => {}, 1); const out = [typeof x[Symbol.toPrimitive]?.(), typeof x[Symbol.dispose]]; clearTimeout(x); return out; },
  "timeout bad delay": async () => new Promise((d) => setTimeout(() => d("ran"), -1)),
  // process
  "process": () => [typeof process.hrtime.bigint(), process.platform, typeof process.cwd(), process.version.startsWith("v"), typeof process.nextTick, typeof process.emitWarning, typeof process.exit, process.argv.length, process.release?.name, process.features ? 1 : 0, typeof process.stdout?.write, process.exitCode ?? null, typeof process.uptime()],
  "process emitWarning": () => t(() => process.emitWarning("w")),
  "nextTick order": async () => { const log = []; await new Promise((d) => { setTimeout(() => { log.push("t"); d(); }, 0); setImmediate(() => log.push("i")); Promise.resolve().then(() => log.push("p")); process.nextTick(() => log.push("n")); log.push("s"); }); return log; },
  // diagnostics
  "dc tracing": () => t(() => { const c = dc.tracingChannel("tr"); const log = []; c.subscribe({ start: () => log.push("start"), end: () => log.push("end"), error: () => log.push("error"), asyncStart() {}, asyncEnd() {} }); c.traceSync(() => log.push("run")); return log; }),
  "async_hooks": () => [typeof async_hooks.AsyncLocalStorage, t(() => async_hooks.executionAsyncId()), t(() => async_hooks.createHook({}).enable?.() && 1), t(() => async_hooks.triggerAsyncId())],
  "keys": async () => Promise.all(["buffer", "querystring", "timers/promises", "async_hooks"].map(async (name) => Object.keys(await import(`node:${name}`)).sort())),
  "url file": () => [t(() => url.fileURLToPath("file:///a%20b")), t(() => String(url.pathToFileURL("/a b#?")))],
  "url domain": () => [url.domainToASCII("ü.com"), url.domainToUnicode("xn--tda.com")],
  "hash names": () => ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "SHA256", "RSA-SHA256", "nope"].map((a) => t(() => crypto.createHash(a).update("abc").digest("hex"))),
  "hmac": () => [t(() => crypto.createHmac("sha256", "k").update("d").digest("hex")), t(() => crypto.createHmac("sha256", Buffer.alloc(0)).update("").digest("hex"))],
  "hkdf": () => t(() => Buffer.from(crypto.hkdfSync("sha256", "key", "salt", "info", 16)).toString("hex")),
  "equal": () => [t(() => crypto.timingSafeEqual(Buffer.from("a"), Buffer.from("a"))), t(() => crypto.timingSafeEqual(Buffer.from("a"), Buffer.from("b")))],
  "buffer index of": () => { const b = Buffer.from("abcabc"); return [b.lastIndexOf("b", 3), b.lastIndexOf("b", -4), b.indexOf("b", -2), b.indexOf(""), b.indexOf("", 9), b.includes("ca", 3), b.indexOf(99.9)]; },
  "buffer from others": () => [Buffer.from({ length: 2, 0: 1, 1: 2 }).toString("hex"), Buffer.from({ type: "Buffer", data: [1, 2] }).toString("hex"), Buffer.from(new String("x")).toString(), Buffer.from({ valueOf: () => "v" }).toString(), Buffer.from({ [Symbol.toPrimitive]: () => "p" }).toString(), t(() => Buffer.from(undefined)), Buffer.from(new Uint16Array([1, 256])).toString("hex")],
};

export class Probe extends DurableObject {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) {
      const value = await Promise.race([ta(run), wait(2000).then(() => "hangs")]);
      out[name] = value === undefined ? "(undefined)" : value;
    }
    return Response.json(out);
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
