// What of Node's modules is seldom used: names, MIME types, derived keys, warnings, pairs of streams. Served by durabox and by workerd.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { Buffer } from "node:buffer";
import * as crypto from "node:crypto";
import { EventEmitter } from "node:events";
import * as path from "node:path";
import * as perf from "node:perf_hooks";
import process from "node:process";
import * as stream from "node:stream";
import { StringDecoder } from "node:string_decoder";
import * as timers from "node:timers/promises";
import * as url from "node:url";
import * as util from "node:util";
import * as workers from "cloudflare:workers";
import { asking, probe } from "./frames/together.js";

const show = (value) => value === undefined ? "(undefined)" : Buffer.isBuffer(value) ? `<${value.toString("hex")}>` : value;
const attempt = async (run) => { try { return show(await run()); } catch (error) { return [error.name, error.code ?? null, error.message]; } };
const now = (run) => { try { return show(run()); } catch (error) { return [error.name, error.code ?? null, error.message]; } };
const failure = (run) => { try { run(); return "none"; } catch (error) { return error.name; } };
const names = (module) => Object.keys(module).filter((name) => name[0] !== "_").sort();
const called = (method, ...args) => attempt(() => new Promise((resolve, reject) => method(...args, (error, value) => error ? reject(error) : resolve(value))));
const all = async (readable) => { const parts = []; for await (const part of readable) parts.push(String(part)); return parts.join(""); };

const revoked = () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; };

const cases = {
  "names of path": () => names(path),
  "names of perf_hooks": () => names(perf),
  "names of stream": () => names(stream),
  "names of util": () => names(util),
  "names of util.types": () => names(util.types),
  "names of crypto": () => names(crypto),
  "what is by name alone": () => [typeof crypto.createCipheriv, {} instanceof crypto.KeyObject, failure(() => util.parseArgs()), failure(() => perf.createHistogram())],
  // Proxies
  "is a proxy": () => [new Proxy({}, {}), new Proxy(() => {}, {}), Proxy.revocable({}, {}).proxy, revoked(), {}, () => {}, 1, null, undefined, Intl.NumberFormat, workers.env, new workers.RpcStub(() => 1)].map((value) => util.types.isProxy(value)),
  "proxies shown": () => [new Proxy({ a: 1 }, { get: () => 5 }), new Proxy([1, 2], {}), new Proxy(function f() {}, {}), new Proxy(new Map([[1, 2]]), {}), new Proxy(new (class Foo { x = 1; })(), {}), new Proxy(new Proxy({ a: 1 }, {}), { b: 2 }), new Proxy({ a: 1 }, { ownKeys() { throw new Error("trap"); } }), revoked(), { deep: { deeper: { deepest: new Proxy({}, {}) } } }].flatMap((value) => [util.inspect(value), util.inspect(value, { showProxy: true }), util.inspect(value, { showProxy: 1 }), util.format("%o %O", value, value)]),
  "proxies shown at no depth": () => util.inspect(new Proxy({ a: 1 }, {}), { showProxy: true, depth: -1 }),
  "a proxy's own inspect": () => [util.inspect(new Proxy({ [util.inspect.custom]: () => "own" }, {})), util.inspect(new Proxy({ [util.inspect.custom]: () => "own" }, {}), { showProxy: true })],
  "stubs shown": () => [util.inspect(workers.env), util.inspect(workers.tracing), util.inspect(workers.tracing.startSpan("x")), util.inspect(Cloudflare.constructor)],
  // Derived keys
  "pbkdf2Sync": () => ["sha1", "sha224", "sha256", "SHA384", "SHA-512", "md5"].map((digest) => now(() => crypto.pbkdf2Sync("password", "salt", 1234, 70, digest))),
  "pbkdf2Sync short": () => [1, 2, 500, 501, 502, 1001].map((rounds) => now(() => crypto.pbkdf2Sync("p", Buffer.from("s"), rounds, 3, "sha256"))),
  "pbkdf2Sync long key": () => [63, 64, 65, 127, 128, 129, 1000].map((length) => [crypto.pbkdf2Sync("k".repeat(length), "s", 600, 9, "sha256"), crypto.pbkdf2Sync("k".repeat(length), "s", 3, 9, "sha512")].map(show)),
  "pbkdf2Sync wrong": () => [[0, 1], [1, -1], [1.5, 1], ["1", 1], [1, "1"], [2 ** 31, 1], [1, 0]].map(([rounds, length]) => now(() => crypto.pbkdf2Sync("p", "s", rounds, length, "sha1"))),
  "pbkdf2Sync digest": () => [undefined, 5, "nope", ""].map((digest) => now(() => crypto.pbkdf2Sync("p", "s", 1, 1, digest))),
  "pbkdf2": async () => [await called(crypto.pbkdf2, "p", "s", 1000, 33, "sha512"), await called(crypto.pbkdf2, "p", "s", 10, 5, "sha224"), await called(crypto.pbkdf2, "p", "s", 1, 0, "sha1"), now(() => crypto.pbkdf2("p", "s", 1, 1, "sha1"))],
  "pbkdf2 promised": () => util.promisify(crypto.pbkdf2)("p", "s", 7, 7, "sha256"),
  "scrypt": async () => [await called(crypto.scrypt, "p", "s", 32), await called(crypto.scrypt, "p", "s", 8, { N: 16, r: 2, p: 3 }), await called(crypto.scrypt, "p", "s", 8, { cost: 16, blockSize: 1, parallelization: 2 }), await called(crypto.scrypt, "p", "s", 0)],
  "scrypt wrong": async () => [await called(crypto.scrypt, "p", "s", 8, { N: 15 }), await called(crypto.scrypt, "p", "s", 8, { maxmem: 1000 }), now(() => crypto.scrypt("p", "s", 8, { N: 16, cost: 16 }, () => {}))],
  "scryptSync": () => crypto.scryptSync("p", "s", 8),
  "hash lengths": () => [now(() => crypto.createHash("sha256", { outputLength: 8 })), now(() => crypto.createHash("sha256", { outputLength: 32 }).update("x").digest("hex")), now(() => crypto.hash("md5", "x", 5))],
  "random elements": () => { const numbers = new Uint32Array(4); crypto.randomFillSync(numbers, 1, 2); return [numbers[0], numbers[3]]; },
  // MIME types
  "mime": () => ["Text/HTML; Charset=\"utf-8\"; q=1", "a/b", "a/b;c=\"d e\";c=x", " x/y ;z", "a/b;c=\"\\\"\""].map((text) => { const type = new util.MIMEType(text); return [String(type), type.type, type.subtype, type.essence, [...type.params], JSON.stringify(type)]; }),
  "mime set": () => { const type = new util.MIMEType("a/b;c=d"); type.type = "X"; type.subtype = "Y"; type.params.set("e", "f g"); type.params.delete("c"); return [String(type), type.params.get("e"), type.params.get("c"), type.params.has("e"), [...type.params.keys()], [...type.params.values()]]; },
  "mime wrong": () => ["", "a", "a/", "/b", "a b/c"].map((text) => failure(() => new util.MIMEType(text))),
  // Warnings
  "warning": async () => { const told = new Promise((resolve) => process.once("warning", (warning) => resolve([warning.name, warning.message, warning.code ?? null, warning instanceof Error]))); process.emitWarning("text", "Kind", "CODE"); return told; },
  "warning options": async () => { const told = new Promise((resolve) => process.once("warning", (warning) => resolve([warning.name, warning.message, warning.code ?? null, warning.detail ?? null]))); process.emitWarning("text", { type: "Kind", code: "C", detail: "more" }); return told; },
  "warning error": async () => { const given = new TypeError("own"); const told = new Promise((resolve) => process.once("warning", (warning) => resolve(warning === given))); process.emitWarning(given); return told; },
  "warning wrong": () => now(() => process.emitWarning(5)),
  "process ids": () => [process.getuid(), process.geteuid(), process.getgid(), process.getegid(), process.availableMemory(), process.constrainedMemory(), now(() => process.hrtime(5))],
  // Streams
  "duplexPair": async () => { const [one, two] = stream.duplexPair(); one.write("a"); one.end("b"); two.end("back"); return [await all(two), await all(one)]; },
  "duplexPair back-pressure": () => { const [one, two] = stream.duplexPair({ highWaterMark: 2 }); const room = [one.write("ab"), one.write("c")]; return [...room, two.readableLength, one.writableLength]; },
  "duplex from web": async () => { const { readable, writable } = new TransformStream(); const duplex = stream.Duplex.fromWeb({ readable, writable }); duplex.end("abc"); return all(duplex); },
  "duplex to web": async () => { const { readable, writable } = stream.Duplex.toWeb(new stream.PassThrough()); const writer = writable.getWriter(); void writer.write(new TextEncoder().encode("abc")); void writer.close(); return new Response(readable).text(); },
  "default marks": () => [stream.getDefaultHighWaterMark(false), stream.getDefaultHighWaterMark(true), new stream.PassThrough().readableHighWaterMark],
  // The rest
  "timers wrong signal": async () => [await attempt(() => timers.setTimeout(1, "a", { signal: 5 })), await attempt(() => timers.setImmediate("a", { signal: {} }))],
  "bound resource": () => { const storage = new AsyncLocalStorage(); const resource = storage.run("in", () => new AsyncResource("R")); return [resource.bind(function () { return [this, storage.getStore()]; }, "receiver")()]; },
  "string decoder wrong": () => [now(() => new StringDecoder().write(5)), new StringDecoder().write("text"), new StringDecoder().write(new Uint16Array([0x4241]))],
  "unhandled error": () => [now(() => new EventEmitter().emit("error", { a: 1 })), now(() => new EventEmitter().emit("error", "text")), now(() => new EventEmitter().setMaxListeners(-1))],
  "path format": () => [path.format({ name: "n", ext: "e" }), path.format({ name: "n", ext: ".e" }), path.win32.format({ dir: "C:\\x", name: "n", ext: "e" }), path.format({ base: "b", ext: "e" })],
  "domains": () => ["español.com", "xn--iñvalid.com", "a b", "", "EXAMPLE.com"].map((domain) => url.domainToASCII(domain)),
  "buffer aliases": () => { const buffer = Buffer.from("héllo"); const big = Buffer.alloc(8); return [buffer.utf8Slice(1, 3), buffer.hexSlice(0, 6), buffer.base64urlSlice(0, 2), buffer.latin1Slice(0, 3), big.writeBigUint64LE(5n), String(big.readBigUint64BE()), Buffer.alloc(4).hexWrite("abcd"), Buffer.alloc(4).utf8Write("é", 1, 3)]; },
  "buffer hex malformed": () => ["f ff", "-0-", "f//", "0g", "abc", "AbZ0", "", "zz"].map((text) => [show(Buffer.from(text, "hex")), show(Buffer.alloc(3, 1).fill(0, 1)), Buffer.alloc(4).write(text, "hex"), Buffer.alloc(4).write(text, 1, "hex")]),
  "buffer base64 length": () => ["", "a", "ab==", "abc=", "=", "==", "a b", "\u00e9\u00e9", "abcd"].flatMap((text) => ["base64", "base64url", "BASE64"].map((encoding) => Buffer.byteLength(text, encoding))),
  "buffer float ties": () => [-1070282136 / 7, -1070756344 / 7, 16777217, 16777219, 0.1, 1e39, -1e39, NaN, 5e-46].map((value) => { const buffer = Buffer.alloc(8); return [buffer.writeFloatLE(value, 0), buffer.writeFloatBE(value, 4), buffer.toString("hex")]; }),
  "styles": () => now(() => util.styleText("nope", "x"))[2].slice(0, 80),
  // Performance
  "observer": async () => { const seen = []; const observer = new PerformanceObserver((list) => seen.push(...list.getEntries().map((entry) => entry.name))); observer.observe({ entryTypes: ["mark"] }); performance.mark("here"); await scheduler.wait(2); observer.disconnect(); return [seen, observer.takeRecords()]; },
  "observer wrong": () => [failure(() => new PerformanceObserver()), failure(() => new PerformanceObserverEntryList()), failure(() => new PerformanceResourceTiming()), PerformanceObserver.supportedEntryTypes],
  "performance of node": () => [performance.eventLoopUtilization(), performance.timerify((a) => a + 1)(1), [...performance.eventCounts], performance.nodeTiming, performance.clearResourceTimings() ?? null],
  // Globals
  "global scope": () => [self instanceof ServiceWorkerGlobalScope, self instanceof EventTarget, failure(() => new ServiceWorkerGlobalScope()), Object.prototype.toString.call(self)],
  "bodies": () => [new Response() instanceof Body, new Request("http://x") instanceof Body, failure(() => new Body())],
  "caches by name alone": async () => { const out = []; for (const run of [() => caches.default.add("x"), () => caches.default.addAll([]), () => caches.default.keys(), () => caches.default.matchAll(), () => caches.has("x"), () => caches.keys(), () => caches.delete("x"), () => caches.match("x")]) out.push(await attempt(run)); return out; },
  "object urls": () => [now(() => URL.createObjectURL(new Blob([]))), now(() => URL.revokeObjectURL("x"))],
  "beacon": () => [navigator.sendBeacon("http://127.0.0.1:1/x", "data"), now(() => navigator.sendBeacon())],
};

export class Probe extends probe(cases, attempt, 2000) {}
export default asking;
