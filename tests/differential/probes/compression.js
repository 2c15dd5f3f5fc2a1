// Compression and byte streams as a Worker sees them, case by case. Served by durabox and by workerd; the two answers must be equal.
import { asking, probe } from "./frames/together.js";

const attempt = async (run) => { try { return await run(); } catch (error) { return `${error.name}: ${error.message}`; } };
const utf8 = (text) => new TextEncoder().encode(text);
const stream = (...parts) => new ReadableStream({ start(c) { for (const p of parts) c.enqueue(typeof p === "string" ? utf8(p) : p); c.close(); } });
const read = async (s) => new Response(s).text();
const through = (text, ...steps) => read(steps.reduce((s, step) => s.pipeThrough(step), stream(text)));
const packed = async (format, text) => new Uint8Array(await new Response(stream(text).pipeThrough(new CompressionStream(format))).arrayBuffer());
const unpack = async (format, ...parts) => read(stream(...parts).pipeThrough(new DecompressionStream(format)));
const all = async (s) => { const out = []; for await (const c of s) out.push(c); return out; };

const cases = {};
for (const format of ["gzip", "deflate", "deflate-raw"]) {
  cases[`round trip ${format}`] = () => through("hello ".repeat(5000), new CompressionStream(format), new DecompressionStream(format)).then((t) => [t.length, t.slice(0, 12)]);
  cases[`empty ${format}`] = async () => [(await packed(format, "")).length > 0, await unpack(format, await packed(format, ""))];
  cases[`byte by byte ${format}`] = async () => unpack(format, ...[...await packed(format, "abc")].map((b) => new Uint8Array([b])));
  cases[`truncated ${format}`] = async () => unpack(format, (await packed(format, "abcdef")).slice(0, -3));
  cases[`nothing ${format}`] = () => unpack(format);
  cases[`trailing ${format}`] = async () => unpack(format, await packed(format, "abc"), utf8("more"));
  cases[`trailing joined ${format}`] = async () => { const p = await packed(format, "abc"); const q = new Uint8Array(p.length + 2); q.set(p); return unpack(format, q); };
  cases[`garbage ${format}`] = () => unpack(format, utf8("this is not compressed at all"));
  cases[`large ${format}`] = async () => (await unpack(format, await packed(format, "x".repeat(3000000)))).length;
}
Object.assign(cases, {
  "two members": async () => { const p = await packed("gzip", "abc"); const q = new Uint8Array(p.length * 2); q.set(p); q.set(p, p.length); return unpack("gzip", q); },
  "unknown format": () => new CompressionStream("br"),
  "no format": () => new CompressionStream(),
  "unknown decompression": () => new DecompressionStream("br"),
  "format case": () => new DecompressionStream("GZIP"),
  "format object": () => new CompressionStream({ toString: () => "gzip" }).readable instanceof ReadableStream,
  "without new": () => CompressionStream("gzip"),
  "text chunk": () => read(new ReadableStream({ start(c) { c.enqueue("text"); c.close(); } }).pipeThrough(new CompressionStream("gzip"))).then((t) => t.length > 0),
  "number chunk": () => read(new ReadableStream({ start(c) { c.enqueue(5); c.close(); } }).pipeThrough(new CompressionStream("gzip"))),
  "buffer chunk": async () => unpack("gzip", (await packed("gzip", "abc")).buffer),
  "writer first": async () => { const c = new CompressionStream("gzip"); const w = c.writable.getWriter(); await w.write(utf8("abc")); await w.close(); return unpack("gzip", new Uint8Array(await new Response(c.readable).arrayBuffer())); },
  "tags": () => [Object.prototype.toString.call(new CompressionStream("gzip")), Object.prototype.toString.call(new DecompressionStream("gzip")), Object.getOwnPropertyNames(CompressionStream.prototype).sort()],
  "cancel": async () => { const c = new CompressionStream("gzip"); await c.readable.cancel("x"); return "cancelled"; },
  "abort": async () => { const c = new CompressionStream("gzip"); await c.writable.abort(new Error("x")); return attempt(() => c.readable.getReader().read()); },
  "request body": async () => { const r = new Response(stream(await packed("gzip", '{"a":1}')).pipeThrough(new DecompressionStream("gzip"))); return r.json(); },
  "bad data reader": async () => { const d = new DecompressionStream("gzip"); const w = d.writable.getWriter(); const written = attempt(() => w.write(utf8("garbage"))); const seen = attempt(() => d.readable.getReader().read()); return [await written, await seen]; },
  // Streams
  "byob": async () => { const s = new Blob(["abcdef"]).stream(); const r = s.getReader({ mode: "byob" }); const a = await r.read(new Uint8Array(4)); const b = await r.read(new Uint8Array(4)); const c = await r.read(new Uint8Array(4)); return [[...a.value], a.done, [...b.value], b.done, c.value?.length, c.done]; },
  "byob view offset": async () => { const r = new Blob(["abc"]).stream().getReader({ mode: "byob" }); const { value } = await r.read(new Uint8Array(new ArrayBuffer(8), 2, 4)); return [value.byteOffset, value.byteLength, value.buffer.byteLength]; },
  "byob of default stream": () => stream("a").getReader({ mode: "byob" }),
  "byob detaches": async () => { const v = new Uint8Array(4); await new Blob(["abc"]).stream().getReader({ mode: "byob" }).read(v); return v.byteLength; },
  "byob empty view": () => new Blob(["abc"]).stream().getReader({ mode: "byob" }).read(new Uint8Array(0)),
  "byob not a view": () => new Blob(["abc"]).stream().getReader({ mode: "byob" }).read("x"),
  "readAtLeast": async () => { const t = new IdentityTransformStream(); const w = t.writable.getWriter(); for (const p of ["ab", "cd", "ef"]) w.write(utf8(p)); w.close(); const r = t.readable.getReader({ mode: "byob" }); const a = await r.readAtLeast(3, new Uint8Array(10)); const b = await r.readAtLeast(10, new Uint8Array(10)); return [a.value.length, a.done, b.value?.length, b.done]; },
  "readAtLeast too many": () => new Blob(["abc"]).stream().getReader({ mode: "byob" }).readAtLeast(5, new Uint8Array(3)),
  "readAtLeast zero": () => new Blob(["abc"]).stream().getReader({ mode: "byob" }).readAtLeast(0, new Uint8Array(3)),
  "read min": async () => { const s = new ReadableStream({ type: "bytes", start(c) { c.enqueue(utf8("a")); c.enqueue(utf8("bcd")); c.close(); } }); const { value } = await s.getReader({ mode: "byob" }).read(new Uint8Array(8), { min: 3 }); return value.length; },
  "bad reader mode": () => stream("a").getReader({ mode: "x" }),
  "tee": async () => { const [a, b] = stream("x", "y").tee(); return [await read(a), await read(b)]; },
  "tee bytes": async () => { const [a, b] = new Blob(["abc"]).stream().tee(); const r = b.getReader({ mode: "byob" }); return [await read(a), [...(await r.read(new Uint8Array(2))).value]]; },
  "tee locks": () => { const s = stream("a"); s.tee(); return s.locked; },
  "tee locked": () => { const s = stream("a"); s.getReader(); return s.tee(); },
  "from array": async () => all(ReadableStream.from([1, 2])),
  "from async": async () => all(ReadableStream.from((async function* () { yield "a"; yield "b"; })())),
  "from text": async () => all(ReadableStream.from("ab")),
  "from nothing": () => ReadableStream.from(),
  "from number": () => ReadableStream.from(5),
  "iterate": async () => (await all(stream("a", "b"))).map((c) => [...c]),
  "iterate breaks": async () => { let cancelled; const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { cancelled = String(r); } }); for await (const _ of s) break; return [cancelled, s.locked]; },
  "iterate prevents cancel": async () => { const s = new ReadableStream({ pull(c) { c.enqueue(1); } }); for await (const _ of s.values({ preventCancel: true })) break; return (await s.getReader().read()).value; },
  "iterate locked": async () => { const s = stream("a"); s.getReader(); return all(s); },
  "pipe": async () => { const out = []; await stream("a", "b").pipeTo(new WritableStream({ write(c) { out.push(c.length); }, close() { out.push("closed"); } })); return out; },
  "pipe prevent close": async () => { const out = []; const w = new WritableStream({ close() { out.push("closed"); } }); await stream("a").pipeTo(w, { preventClose: true }); return [out, w.locked]; },
  "pipe source fails": async () => { let why; const w = new WritableStream({ abort(r) { why = String(r); } }); const s = new ReadableStream({ start(c) { c.error(new Error("bad")); } }); return [await attempt(() => s.pipeTo(w)), why]; },
  "pipe sink fails": async () => { let why; const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { why = String(r); } }); return [await attempt(() => s.pipeTo(new WritableStream({ write() { throw new Error("full"); } }))), why]; },
  "pipe signal": async () => { const c = new AbortController(); const s = new ReadableStream({ pull(k) { k.enqueue(1); return scheduler.wait(1); } }); setTimeout(() => c.abort(new Error("stop")), 10); return attempt(() => s.pipeTo(new WritableStream(), { signal: c.signal })); },
  "pipe locked": async () => { const s = stream("a"); s.getReader(); return s.pipeTo(new WritableStream()); },
  "pipeThrough wrong": () => stream("a").pipeThrough({}),
  "transform": async () => all(ReadableStream.from([1, 2]).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x * 2); }, flush(c) { c.enqueue("end"); } }))),
  "transform identity": async () => all(ReadableStream.from(["a"]).pipeThrough(new TransformStream())),
  "transform terminate": async () => all(ReadableStream.from([1, 2, 3]).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x); if (x === 2) c.terminate(); } }))),
  "transform throws": async () => attempt(() => all(ReadableStream.from([1]).pipeThrough(new TransformStream({ transform() { throw new RangeError("no"); } })))),
  "transform strategies": async () => { const t = new TransformStream({}, { highWaterMark: 3 }, { highWaterMark: 2 }); return t.writable.getWriter().desiredSize; },
  "count strategy": () => { const q = new CountQueuingStrategy({ highWaterMark: 4 }); return [q.highWaterMark, q.size(5)]; },
  "byte strategy": () => { const q = new ByteLengthQueuingStrategy({ highWaterMark: 4 }); return [q.highWaterMark, q.size(new Uint8Array(3))]; },
  "strategy without mark": () => new CountQueuingStrategy({}),
  "strategy without init": () => new CountQueuingStrategy(),
  "desired size": () => { let d; new ReadableStream({ start(c) { d = [c.desiredSize]; c.enqueue(1); d.push(c.desiredSize); c.close(); d.push(c.desiredSize); } }, { highWaterMark: 3 }); return d; },
  "enqueue after close": () => new Promise((r) => new ReadableStream({ async start(c) { c.close(); r(await attempt(() => c.enqueue(1))); } })),
  "close twice": () => new Promise((r) => new ReadableStream({ async start(c) { c.close(); r(await attempt(() => c.close())); } })),
  "error": async () => { const s = new ReadableStream({ start(c) { c.error("why"); } }); try { await s.getReader().read(); } catch (e) { return e; } },
  "reader released": async () => { const r = stream("a").getReader(); r.releaseLock(); return [await attempt(() => r.read()), await attempt(() => r.closed)]; },
  "reader closed": async () => { const r = stream().getReader(); return [await r.closed, (await r.read()).done]; },
  "two readers": () => { const s = stream("a"); s.getReader(); return s.getReader(); },
  "cancel reason": async () => { let why; const s = new ReadableStream({ cancel(r) { why = r; } }); await s.cancel("because"); return why; },
  "cancel locked": async () => { const s = stream("a"); s.getReader(); return s.cancel(); },
  "bad source type": () => new ReadableStream({ type: "x" }),
  "writer": async () => { const out = []; const w = new WritableStream({ write(c) { out.push(c); }, close() { out.push("end"); } }).getWriter(); await w.ready; w.write(1); w.write(2); await w.close(); return [out, await w.closed]; },
  "writer after close": async () => { const w = new WritableStream().getWriter(); await w.close(); return attempt(() => w.write(1)); },
  "writer abort": async () => { let why; const w = new WritableStream({ abort(r) { why = r; } }).getWriter(); await w.abort("x"); try { await w.closed; } catch (e) { return [why, String(e)]; } },
  "writer size": () => { const w = new WritableStream({}, { highWaterMark: 5 }).getWriter(); w.write(1).catch(() => {}); return w.desiredSize; },
  "writable signal": async () => { let seen; const w = new WritableStream({ start(c) { seen = c.signal; } }); await w.abort("x"); return [seen.aborted, seen.reason]; },
  "two writers": () => { const w = new WritableStream(); w.getWriter(); return w.getWriter(); },
  "encoder stream": async () => (await all(ReadableStream.from(["a", "\ud83d", "\ude00"]).pipeThrough(new TextEncoderStream()))).map((c) => [...c]),
  "decoder stream": async () => read(stream(new Uint8Array([0xe6]), new Uint8Array([0x97, 0xa5])).pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream())),
  "decoder stream fatal": async () => attempt(() => all(stream(new Uint8Array([0xff])).pipeThrough(new TextDecoderStream("utf-8", { fatal: true })))),
  "decoder stream unfinished": async () => all(stream(new Uint8Array([0xe6])).pipeThrough(new TextDecoderStream())),
  "decoder stream properties": () => { const d = new TextDecoderStream("latin1"); return [d.encoding, d.fatal, d.ignoreBOM, new TextEncoderStream().encoding]; },
  "fixed too many": async () => { const { readable, writable } = new FixedLengthStream(2); const w = writable.getWriter(); const wrote = attempt(() => w.write(utf8("abc"))); const got = attempt(() => read(readable)); return [await wrote, await got]; },
  "fixed too few": async () => { const { readable, writable } = new FixedLengthStream(5); const w = writable.getWriter(); w.write(utf8("abc")).catch(() => {}); const closed = attempt(() => w.close()); const got = attempt(() => read(readable)); return [await closed, await got]; },
  "fixed negative": () => new FixedLengthStream(-1),
  "fixed bigint": () => new FixedLengthStream(3n) instanceof IdentityTransformStream,
  "identity options": () => new IdentityTransformStream({ highWaterMark: 10 }) instanceof TransformStream,
  "identity high water": async () => { const t = new IdentityTransformStream({ highWaterMark: 10 }); const w = t.writable.getWriter(); const size = w.desiredSize; w.write(utf8("abc")).catch(() => {}); return [size, w.desiredSize]; },
  "identity text": async () => { const t = new IdentityTransformStream(); const w = t.writable.getWriter(); w.write("text").catch(() => {}); w.close().catch(() => {}); return read(t.readable); },
  "identity object": async () => { const t = new IdentityTransformStream(); const w = t.writable.getWriter(); return attempt(() => w.write({})); },
  "stream tags": () => [ReadableStream, WritableStream, TransformStream, IdentityTransformStream, FixedLengthStream].map((c) => { try { return Object.prototype.toString.call(c === FixedLengthStream ? new c(1) : new c()); } catch (e) { return e.message; } }),
  "stream json": () => JSON.stringify(stream("a")),
});

export class Probe extends probe(cases, attempt, 2000) {}
export default asking;
