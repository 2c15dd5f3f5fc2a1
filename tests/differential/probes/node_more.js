// Node's other modules and globals, case by case. Served by durabox and by workerd; the two answers must be equal.
import asyncHooks, { AsyncLocalStorage } from "node:async_hooks";
import * as crypto from "node:crypto";
import dc from "node:diagnostics_channel";
import { createRequire, isBuiltin } from "node:module";
import os from "node:os";
import processModule from "node:process";
import querystring from "node:querystring";
import { Duplex, PassThrough, Readable, Stream, Transform, Writable, pipeline as pipe } from "node:stream";
import { arrayBuffer, buffer, json, text } from "node:stream/consumers";
import { finished, pipeline } from "node:stream/promises";
import * as web from "node:stream/web";
import timers from "node:timers";
import * as timersPromises from "node:timers/promises";
import util from "node:util";
import url, { fileURLToPath, pathToFileURL, urlToHttpOptions } from "node:url";

const show = (value) =>
  value === undefined ? "(undefined)" : typeof value === "bigint" || typeof value === "symbol" ? String(value)
  : Buffer.isBuffer(value) ? `<${value.toString("hex")}>` : value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value;
const attempt = async (run) => { try { return show(await run()); } catch (error) { return error instanceof Error ? [error.name, error.code ?? null, error.message] : ["thrown", show(error)]; } };
const kind = async (run) => { try { return show(await run()); } catch (error) { return [error.name, error.code ?? null]; } };
const collect = async (stream) => { const out = []; for await (const chunk of stream) out.push(typeof chunk === "object" && chunk instanceof Uint8Array ? chunk.toString() : chunk); return out; };
const hashOf = (name, data) => crypto.createHash(name).update(data).digest("hex");
const parts = (u) => ({ ...u });

const cases = {
  // util and async_hooks of old
  "util checks": () => ["isArray", "isBoolean", "isBuffer", "isDate", "isError", "isFunction", "isNull", "isNullOrUndefined", "isNumber", "isObject", "isPrimitive", "isRegExp", "isString", "isSymbol", "isUndefined"].map((name) => [[], true, Buffer.alloc(1), new Date(), new Error(), () => {}, null, undefined, 1, {}, /x/, "s", Symbol()].map((value) => Number(util[name](value))).join("")),
  "util promises": () => [Promise.resolve(4), new Promise(() => {}), [Promise.resolve("x")]].map((value) => util.inspect(value)),
  "async hooks": () => [asyncHooks.executionAsyncId(), asyncHooks.triggerAsyncId(), typeof asyncHooks.createHook({}).enable, asyncHooks.executionAsyncResource()],
  // url
  "url parse": () => parts(url.parse("http://user:pa%20ss@Host.com:8080/p/a/t/h?query=string#hash")),
  "url parse query": () => parts(url.parse("/a?x=1&y=2&x=3", true)),
  "url parse slashes": () => parts(url.parse("//foo/bar", false, true)),
  "url parse odd": () => ["mailto:a@b.c", "javascript:alert(1)", "x:y", "", "?a", "#b", "http://a.b/ c{d}", "HTTP://EXAMPLE.com"].map((u) => url.parse(u).href),
  "url parse not text": () => kind(() => url.parse(5)),
  "url format": () => [url.format({ protocol: "https", hostname: "h", port: 5, pathname: "p", query: { a: [1, 2], b: "c d" }, hash: "x" }), url.format({ host: "a:1", pathname: "/b", search: "?z" }), url.format(new URL("http://u:p@a.b/c?d#e"), { fragment: false, auth: false, search: false })],
  "url resolve": () => [["/one/two/three", "four"], ["http://example.com/", "/one"], ["http://example.com/one", "/two"], ["http://a.com/b/c/../d", "../e?f#g"], ["", "x"]].map(([a, b]) => url.resolve(a, b)),
  "url files": async () => [fileURLToPath("file:///a/b%20c"), pathToFileURL("/a b#c?d%").href, await kind(() => fileURLToPath("http://a/b")), await kind(() => fileURLToPath("file:///a%2fb"))],
  "url options": () => { const { protocol, hostname, path, auth, port } = urlToHttpOptions(new URL("https://a:b@x.y:81/z?q")); return [protocol, hostname, path, auth, port]; },
  "url globals": () => [url.URL === URL, url.URLSearchParams === URLSearchParams],
  // querystring
  "qs parse": () => ["a=1&b=2&a=3", "a&b=&=c", "x=%20+y", "a=%zz", "", "foo=bar&abc=xyz&abc=123", "a==b"].map((s) => querystring.parse(s)),
  "qs parse options": () => [querystring.parse("a:1;b:2", ";", ":"), querystring.parse("a=1&b=2&c=3", null, null, { maxKeys: 2 }), querystring.parse("a=%41", null, null, { decodeURIComponent: (x) => `<${x}>` })],
  "qs stringify": () => [querystring.stringify({ a: [1, "x y"], b: true, c: null, d: undefined, e: "é&=", f: 5n, g: NaN, h: {} }), querystring.stringify({ a: 1, b: 2 }, ";", ":"), querystring.stringify("x"), querystring.stringify({})],
  "qs escape": () => [querystring.escape("a b&c/é"), querystring.unescape("a%20b%"), querystring.encode === querystring.stringify],
  // diagnostics_channel
  "channel": () => { const seen = [], c = dc.channel("a"); const f = (m, n) => seen.push([m, n]); const before = c.hasSubscribers; c.subscribe(f); c.publish({ x: 1 }); const removed = c.unsubscribe(f); c.publish(2); return [before, removed, c.unsubscribe(f), seen, dc.channel("a") === c, c.name]; },
  "channel by name": () => { const seen = []; const f = (m) => seen.push(m); dc.subscribe("b", f); dc.channel("b").publish(1); const has = dc.hasSubscribers("b"); return [seen, has, dc.unsubscribe("b", f), dc.hasSubscribers("b")]; },
  "channel bad": () => kind(() => dc.channel(5)),
  "channel stores": () => { const als = new AsyncLocalStorage(), c = dc.channel("s"); c.bindStore(als, (x) => x.v); const inside = c.runStores({ v: 7 }, () => als.getStore()); return [inside, als.getStore() ?? null, c.unbindStore(als)]; },
  "tracing sync": () => { const seen = [], t = dc.tracingChannel("t"); const h = {}; for (const e of ["start", "end", "error", "asyncStart", "asyncEnd"]) h[e] = (m) => seen.push([e, m.result ?? null]); t.subscribe(h); const r = t.traceSync((a) => a + 1, { id: 1 }, null, 4); t.unsubscribe(h); return [r, seen]; },
  "tracing promise": async () => { const seen = [], t = dc.tracingChannel("p"); const h = {}; for (const e of ["start", "end", "error", "asyncStart", "asyncEnd"]) h[e] = () => seen.push(e); t.subscribe(h); const r = await t.tracePromise(async () => 5, {}); return [r, seen]; },
  "tracing error": () => { const seen = [], t = dc.tracingChannel("e"); t.subscribe({ start: () => seen.push("start"), end: () => seen.push("end"), error: (m) => seen.push(m.error.message) }); try { t.traceSync(() => { throw new Error("x"); }, {}); } catch {} return seen; },
  // streams
  "readable from": async () => [await collect(Readable.from(["a", "b"])), await collect(Readable.from((async function* () { yield 1; yield 2; })()))],
  "readable push": async () => { const r = new Readable({ read() {} }); r.push("he"); r.push("llo"); r.push(null); r.setEncoding("utf8"); return collect(r); },
  "readable events": () => new Promise((resolve) => { const seen = [], r = Readable.from(["x", "y"]); r.on("data", (d) => seen.push(d)); r.on("end", () => seen.push("end")); r.on("close", () => resolve(seen)); }),
  "readable paused": () => new Promise((resolve) => { const r = new Readable({ read() {} }); r.push("abcdef"); r.push(null); r.on("readable", () => { const out = []; let c; while ((c = r.read(4)) !== null || (c = r.read()) !== null) out.push(c.toString()); if (out.length) resolve(out); }); }),
  "writable": async () => { const seen = []; const w = new Writable({ write(c, e, cb) { seen.push([c.toString(), e]); cb(); } }); w.write("a"); w.write(Buffer.from("b")); w.end("c"); await finished(w); return [seen, w.writableFinished, w.destroyed]; },
  "writable high water": () => { const w = new Writable({ highWaterMark: 3, write(c, e, cb) { setTimeout(cb, 1); } }); return [w.write("ab"), w.write("cd"), w.writableLength, w.writableNeedDrain]; },
  "writable after end": () => new Promise((resolve) => { const w = new Writable({ write(c, e, cb) { cb(); } }); w.on("error", (e) => resolve([e.name, e.code, e.message])); w.end(); w.write("x"); }),
  "write null": () => kind(() => new Writable({ write() {} }).write(null)),
  "transform": async () => { const t = new Transform({ transform(c, e, cb) { cb(null, c.toString().toUpperCase()); }, flush(cb) { this.push("!"); cb(); } }); t.end("abc"); return (await collect(t)).join(""); },
  "pipeline": async () => { const out = []; await pipeline(Readable.from(["a", "b", "c"]), async function* (source) { for await (const c of source) yield `${c}${c}`; }, new Writable({ objectMode: true, write(c, e, cb) { out.push(c); cb(); } })); return out; },
  "pipeline error": () => kind(() => pipeline(Readable.from(["a"]), new Transform({ transform(c, e, cb) { cb(new TypeError("broken")); } }), new PassThrough())),
  "pipeline callback": () => new Promise((resolve) => pipe(Readable.from(["x"]), new PassThrough(), (error) => resolve(error ?? "done"))),
  "pipe": async () => { const p = new PassThrough(); Readable.from(["1", "2"]).pipe(p); return (await collect(p)).join(""); },
  "destroy": () => new Promise((resolve) => { const r = new Readable({ read() {} }); r.on("error", (e) => resolve([e.message, r.destroyed])); r.destroy(new Error("gone")); }),
  "premature close": () => kind(async () => { const r = new Readable({ read() {} }); queueMicrotask(() => r.destroy()); await finished(r); }),
  "operators": async () => [await Readable.from([1, 2, 3, 4]).filter((x) => x % 2).map((x) => x * 10).toArray(), await Readable.from([1, 2, 3]).reduce((a, b) => a + b, 0), await Readable.from([1, 2, 3]).take(2).toArray(), await Readable.from([1, 2]).some((x) => x > 1)],
  "duplex": async () => { const d = new Duplex({ read() { this.push("r"); this.push(null); }, write(c, e, cb) { cb(); } }); d.end("w"); return [await collect(d), d.readableEnded, d.writableFinished]; },
  "consumers": async () => [await text(Readable.from(["a", "é"])), await json(Readable.from(['{"a":', "1}"])), (await buffer(Readable.from([Buffer.from("x")]))).toString(), (await arrayBuffer(Readable.from([Buffer.from("xy")]))).byteLength, await text(new Response("web").body)],
  "from web": async () => (await collect(Readable.fromWeb(new Response("from the web").body))).join(""),
  "to web": async () => new Response(Readable.toWeb(Readable.from([Buffer.from("to "), Buffer.from("web")]))).text(),
  "web classes": () => [web.ReadableStream === ReadableStream, web.TransformStream === TransformStream],
  "stream class": () => [new PassThrough() instanceof Stream, Readable.prototype instanceof Stream, Stream.Readable === Readable, typeof Stream.promises.pipeline],
  "aborted stream": () => kind(async () => { const c = new AbortController(), r = new Readable({ read() {}, signal: c.signal }); queueMicrotask(() => c.abort()); await finished(r); }),
  // crypto
  "hashes": () => ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "SHA256", "RSA-SHA256"].map((name) => hashOf(name, "héllo")),
  "hash in parts": () => { const h = crypto.createHash("sha256"); h.update("a").update(Buffer.from("b")).update(new Uint8Array([99])).update("ZGVm", "base64"); return h.digest("base64"); },
  "hash of nothing": () => [crypto.createHash("sha1").digest("hex"), crypto.createHash("md5").update("").digest("base64url")],
  "hash is a buffer": () => { const d = crypto.createHash("sha1").update("x").digest(); return [Buffer.isBuffer(d), d.length]; },
  "hash twice": () => { const h = crypto.createHash("sha1"); h.digest(); return h.digest(); },
  "hash update after": () => { const h = crypto.createHash("sha1"); h.digest(); return h.update("x"); },
  "hash copy": () => { const h = crypto.createHash("sha256").update("a"); const c = h.copy(); return [h.update("b").digest("hex"), c.digest("hex")]; },
  "hash unknown": () => kind(() => crypto.createHash("nope")),
  "hash of a number": () => kind(() => crypto.createHash("sha1").update(5)),
  "hash long": () => { const h = crypto.createHash("sha256"); const part = Buffer.alloc(100_000, "x"); for (let i = 0; i < 12; i++) h.update(part); const c = h.copy(); h.update("end"); return [h.digest("hex"), c.digest("hex")]; },
  "hash stream": async () => { const h = crypto.createHash("sha1"); Readable.from([Buffer.from("a"), Buffer.from("b")]).pipe(h); return (await buffer(h)).toString("hex"); },
  "hash at once": () => [crypto.hash("sha1", "x"), crypto.hash("md5", Buffer.from("x"), "base64")],
  "hmac": () => [crypto.createHmac("sha256", "key").update("data").digest("hex"), crypto.createHmac("sha1", Buffer.alloc(100, 1)).update("a").update("b").digest("base64"), crypto.createHmac("sha512", "").update("").digest("hex")],
  "hmac unknown": () => kind(() => crypto.createHmac("nope", "k")),
  "hmac bad key": () => kind(() => crypto.createHmac("sha1", 5)),
  "timing safe": async () => [crypto.timingSafeEqual(Buffer.from("ab"), Buffer.from("ab")), crypto.timingSafeEqual(Buffer.from("ab"), Buffer.from("ac")), await kind(() => crypto.timingSafeEqual(Buffer.from("a"), Buffer.from("ab"))), await kind(() => crypto.timingSafeEqual("a", "a"))],
  "random": async () => { const a = crypto.randomBytes(20); const b = await new Promise((r) => crypto.randomBytes(3, (e, v) => r(v))); return [a.length, Buffer.isBuffer(a), b.length, crypto.randomUUID().length, crypto.randomFillSync(Buffer.alloc(5)).length, a.equals(crypto.randomBytes(20))]; },
  "random int": async () => { const n = crypto.randomInt(10), m = crypto.randomInt(5, 7); return [n >= 0 && n < 10, m === 5 || m === 6, await kind(() => crypto.randomInt(5, 5)), await kind(() => crypto.randomInt("x"))]; },
  "random bad": async () => [await kind(() => crypto.randomBytes(-1)), await kind(() => crypto.randomBytes("5"))],
  "hkdf": async () => [Buffer.from(crypto.hkdfSync("sha256", "key", "salt", "info", 42)).toString("hex"), Buffer.from(await new Promise((r) => crypto.hkdf("sha512", Buffer.from("k"), "", "", 10, (e, v) => r(v)))).toString("hex")],
  "web crypto": () => [crypto.webcrypto === globalThis.crypto, typeof crypto.getRandomValues],
  // timers
  "timers": async () => { const seen = []; await new Promise((done) => { timers.setTimeout((a) => seen.push(a), 8, "t"); setImmediate((a) => seen.push(a), "i"); const c = setImmediate(() => seen.push("no")); clearImmediate(c); timers.setTimeout(done, 20); }); return seen; },
  "timer objects": () => { const t = setTimeout(() => {}, 1000); const out = [typeof t, t.constructor.name, t.hasRef(), t.unref() === t, t.hasRef(), t.ref().hasRef(), typeof +t, Object.keys(t)]; clearTimeout(t); clearTimeout(+t); clearTimeout(); clearTimeout(null); return out; },
  "timer errors": async () => [await attempt(() => setTimeout(5)), await attempt(() => setInterval()), await attempt(() => setImmediate(5))],
  "timer refresh": async () => { let n = 0; await new Promise((done) => { const t = setTimeout(() => { n++; if (n === 2) done(); else t.refresh(); }, 1); }); return n; },
  "timer cleared by number": async () => { let ran = false; const t = setTimeout(() => { ran = true; }, 1); clearTimeout(+t); await timersPromises.setTimeout(5); return ran; },
  "timer promises": async () => [await timersPromises.setTimeout(1, "v"), await timersPromises.setImmediate("i"), (await timersPromises.scheduler.wait(1)) ?? null],
  "timer promise aborted": () => kind(() => timersPromises.setTimeout(1000, null, { signal: AbortSignal.abort() })),
  "timer interval promises": async () => { const out = []; for await (const v of timersPromises.setInterval(1, "x")) { out.push(v); if (out.length === 3) break; } return out; },
  // process and globals
  "globals": () => [typeof Buffer, typeof process, global === globalThis, typeof setImmediate, typeof clearImmediate, process === processModule],
  "process": () => [process.platform, process.arch, process.version, process.versions.node, process.argv, process.cwd(), process.title, process.pid, process.execArgv, Object.prototype.toString.call(process), process.uptime(), process.exitCode ?? null],
  "process env": () => { process.env.NEW = 5; const out = [typeof process.env.NEW, process.env.NOT ?? null, "NEW" in process.env]; delete process.env.NEW; return [...out, "NEW" in process.env]; },
  "process nextTick": async () => { const seen = []; await new Promise((done) => { process.nextTick((a) => seen.push(a), 1); seen.push(0); queueMicrotask(done); }); return seen; },
  "process emitter": () => { const seen = []; process.on("mine", (v) => seen.push(v)); process.emit("mine", 1); return [seen, process.listenerCount("mine")]; },
  "process time": () => [Array.isArray(process.hrtime()), typeof process.hrtime.bigint(), process.hrtime().length, process.memoryUsage()],
  "process builtin": () => [process.getBuiltinModule("node:url") === url, process.getBuiltinModule("nope") ?? null],
  "module": () => [isBuiltin("url"), isBuiltin("node:url"), isBuiltin("nope"), createRequire("/x")("node:url") === url, typeof createRequire("file:///x")("events")],
  "require missing": () => kind(() => createRequire("/x")("nope")),
  "os": () => [os.EOL, os.platform(), os.type(), os.arch(), os.endianness(), os.hostname(), os.tmpdir(), os.homedir(), os.cpus(), os.availableParallelism(), os.devNull],
};

export default {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) out[name] = await attempt(run);
    return Response.json(out);
  },
};
