// Fetching from an object by its stub: bodies both ways, redirects, sockets, abort. Served by durabox and by workerd; the two answers must be equal.
import { asking, attempt, failure, probe, read, stream, utf8, wait } from "./frames/together.js";
let ENV;
const serve = async (self, request) => {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case "/stream": return new Response(stream("he", "llo", " you"));
    case "/fixed": { const t = new FixedLengthStream(5); const w = t.writable.getWriter(); void w.write(utf8("fixed")); void w.close(); return new Response(t.readable); }
    case "/endless": return new Response(new ReadableStream({ async pull(c) { await wait(1); c.enqueue(utf8("x")); }, cancel(r) { self.why = `cancelled`; } }));
    case "/cancelled": return new Response(self.why ?? "no");
    case "/upper": return new Response((await request.text()).toUpperCase());
    case "/form": return new Response(JSON.stringify([...(await request.formData())]));
    case "/breaks": return new Response(new ReadableStream({ start(c) { c.enqueue(utf8("a")); }, async pull(c) { await wait(2); c.error(new RangeError("mid")); } }));
    case "/wait": request.signal.addEventListener("abort", () => { self.aborted = request.signal.reason?.name; }); await wait(500); return new Response("late");
    case "/aborted": return new Response(self.aborted ?? "no");
    case "/redirect": return Response.redirect("http://x/stream", 302);
    case "/headers": { const h = new Headers({ "x-a": "1" }); h.append("set-cookie", "a=1"); h.append("set-cookie", "b=2"); return new Response("x", { status: 202, statusText: "Fine", headers: h }); }
    case "/length": return Response.json([request.headers.get("content-length"), request.headers.get("transfer-encoding"), (await request.text()).length]);
    case "/echo": return new Response(`${request.method} ${await request.text()}`);
    case "/to-echo": return new Response("moved", { status: Number(new URL(request.url).search.slice(1)), headers: { location: "/echo" } });
    case "/elsewhere": return Response.redirect("http://other.example/who", 302);
    case "/who": return Response.json([request.headers.get("authorization"), request.headers.get("x-a"), request.url]);
    case "/forever": return Response.redirect(request.url, 302);
    case "/nowhere": return new Response(null, { status: 302, headers: { location: "data:,x" } });
    case "/plain302": return new Response("plain", { status: 302 });
    case "/204": return new Response(null, { status: 204 });
    case "/ws": { const [a, b] = Object.values(new WebSocketPair()); b.accept(); b.addEventListener("message", (e) => b.send(e.data)); return new Response(null, { status: 101, webSocket: a }); }
  }
};

const cases = {
  // Request/Response through an object, with streams
  "stub stream back": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); return r.text(); },
  "stub abort while reading": async () => { const c = new AbortController(); const r = await ENV.PROBE.getByName("a1").fetch("http://x/endless", { signal: c.signal }); const d = r.body.getReader(); await d.read(); c.abort(new RangeError("mine")); return attempt(async () => { for (;;) if ((await d.read()).done) return "ended"; }); },
  "stub abort while all is read": async () => { const c = new AbortController(); const r = await ENV.PROBE.getByName("a2").fetch("http://x/endless", { signal: c.signal }); const p = attempt(() => r.text()); await wait(3); c.abort(); return p; },
  "stub abort before reading": async () => { const c = new AbortController(); const r = await ENV.PROBE.getByName("a3").fetch("http://x/endless", { signal: c.signal }); c.abort(); return failure(() => r.text()); },
  "stub abort while reading, no redirects": async () => { const c = new AbortController(); const r = await ENV.PROBE.getByName("a4").fetch("http://x/endless", { signal: c.signal, redirect: "manual" }); const p = attempt(() => r.text()); await wait(3); c.abort(); return p; },
  "stub abort reaches": async () => { const c = new AbortController(); const s = ENV.PROBE.getByName("a5"); const r = await s.fetch("http://x/endless", { signal: c.signal }); const p = failure(() => r.text()); c.abort(); await p; await wait(30); return (await s.fetch("http://x/cancelled")).text(); },
  "stub length": async () => { const out = []; const fixed = new FixedLengthStream(3); const w = fixed.writable.getWriter(); void w.write(utf8("abc")); void w.close(); for (const body of ["text", utf8("ab"), new Blob(["blob"]), new URLSearchParams("a=b"), stream("str", "eam"), fixed.readable, null]) out.push(await (await ENV.PROBE.getByName("l1").fetch("http://x/length", { method: "POST", body })).json()); return out; },
  "stub length told": async () => { const out = []; for (const [name, value] of [["content-length", "2"], ["Content-Length", "4"], ["transfer-encoding", "chunked"]]) out.push(await attempt(async () => (await ENV.PROBE.getByName("l1").fetch("http://x/length", { method: "POST", body: stream("te", "xt"), headers: { [name]: value } })).json())); return out; },
  "stub cancel reaches": async () => { const s = ENV.PROBE.getByName("o2"); const r = await s.fetch("http://x/endless"); const d = r.body.getReader(); await d.read(); await d.cancel("enough"); await wait(30); return (await s.fetch("http://x/cancelled")).text(); },
  "stub upload": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/upper", { method: "POST", body: stream("ab", "cd") }); return r.text(); },
  "stub error mid stream": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/breaks"); return attempt(() => r.text()); },
  "stub response used": async () => attempt(async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); await r.text(); return r.text(); }),
  "stub request used": async () => { const q = new Request("http://x/upper", { method: "POST", body: "x" }); await ENV.PROBE.getByName("o1").fetch(q); return [q.bodyUsed, await failure(() => ENV.PROBE.getByName("o1").fetch(q))]; },
  "stub abort": async () => { const c = new AbortController(); const p = attempt(() => ENV.PROBE.getByName("o4").fetch("http://x/wait", { signal: c.signal })); await wait(5); c.abort(); return p; },
  "stub redirect": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/redirect"); return [r.status, r.redirected, r.url]; },
  "stub redirect manual": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/redirect", { redirect: "manual" }); return [r.status, r.headers.get("location")]; },
  "stub headers": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/headers"); return [r.headers.getSetCookie(), r.headers.get("x-a"), r.status, r.statusText]; },
  "stub 101 without upgrade": async () => attempt(async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/ws"); return [r.status, r.webSocket === null]; }),
  "stub ws": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/ws", { headers: { Upgrade: "websocket" } }); const s = r.webSocket; s.accept(); const got = new Promise((d) => s.addEventListener("message", (e) => d(e.data))); s.send("hi"); return got; },
  "stub ws close": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/ws", { headers: { Upgrade: "websocket" } }); const s = r.webSocket; s.accept(); const got = new Promise((d) => s.addEventListener("close", (e) => d([e.code, e.reason, e.wasClean]))); s.close(4001, "bye"); return got; },
  "stub ws many": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/ws", { headers: { Upgrade: "websocket" } }); const s = r.webSocket; s.accept(); const out = []; const got = new Promise((d) => s.addEventListener("message", (e) => { out.push(e.data); if (out.length === 100) d(); })); for (let i = 0; i < 100; i++) s.send(String(i)); await got; return out.every((v, i) => v === String(i)); },
  "stub body blob": async () => (await ENV.PROBE.getByName("o1").fetch("http://x/upper", { method: "POST", body: new Blob(["blob"]) })).text(),
  "stub body form": async () => { const f = new FormData(); f.append("a", "1"); return (await ENV.PROBE.getByName("o1").fetch("http://x/form", { method: "POST", body: f })).text(); },
  "stub 204": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/204"); return [r.status, r.body === null, await r.text()]; },
  "stub clone": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); const c = r.clone(); return [await r.text(), await c.text()]; },
  "stub large": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/upper", { method: "POST", body: "x".repeat(3_000_000) }); return (await r.text()).length; },
  "stub tee": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); const [a, b] = r.body.tee(); return [await read(a), await read(b)]; },
  "stub transform": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); return read(r.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({ transform(t, c) { c.enqueue(t.toUpperCase()); } })).pipeThrough(new TextEncoderStream())); },
  "stub gzip": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/stream"); return read(r.body.pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"))); },
  "stub fixed": async () => (await ENV.PROBE.getByName("o1").fetch("http://x/fixed")).text(),
  "stub head": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/fixed", { method: "HEAD" }); return [r.status, r.body === null, (await r.text()).length]; },
  "stub redirect methods": async () => { const out = []; for (const status of [301, 302, 303, 307, 308]) for (const method of ["GET", "POST", "HEAD"]) { const r = await ENV.PROBE.getByName("o1").fetch(`http://x/to-echo?${status}`, { method, body: method === "POST" ? "body" : undefined }); out.push([r.status, r.redirected, await r.text()]); } return out; },
  "stub redirect elsewhere": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/elsewhere", { headers: { authorization: "secret", "x-a": "1" } }); return [r.url, await r.json()]; },
  "stub redirect stream": async () => attempt(async () => (await ENV.PROBE.getByName("o1").fetch("http://x/to-echo?307", { method: "POST", body: stream("once") })).status),
  "stub redirect forever": async () => attempt(async () => (await ENV.PROBE.getByName("o1").fetch("http://x/forever")).status),
  "stub redirect bad": async () => attempt(async () => (await ENV.PROBE.getByName("o1").fetch("http://x/nowhere")).status),
  "stub redirect no location": async () => { const r = await ENV.PROBE.getByName("o1").fetch("http://x/plain302"); return [r.status, await r.text()]; },
};

export class Probe extends probe(cases, attempt, 2000) {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/") return serve(this, request);
    ENV = this.env;
    return super.fetch(request);
  }
}

export default asking;
