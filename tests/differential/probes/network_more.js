// Fetching from and connecting to a web server, more cases: what is sent, redirects, answers, abort, arguments, sockets. Served by durabox and by workerd.
import { DurableObject } from "cloudflare:workers";
const attempt = async (run) => { try { return await run(); } catch (error) { return error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : `thrown ${String(error)}`; } };
const failure = async (run) => { try { await run(); return "no error"; } catch (error) { return error?.name ?? `thrown ${String(error)}`; } };
const utf8 = (t) => new TextEncoder().encode(t);
const wait = (ms) => scheduler.wait(ms);
const stream = (...parts) => new ReadableStream({ start(c) { for (const p of parts) c.enqueue(typeof p === "string" ? utf8(p) : p); c.close(); } });
const ws = (path) => at.replace("http", "ws") + path;
let at;
const j = async (path, init) => (await fetch(at + path, init)).json();
const heard = async (init, path = "/echo") => { const a = await j(path, init); return [a.method, seen(a, /^(?!host|connection|accept|user-agent|expect)/), a.body]; };
const seen = (echo, wanted) => echo.headers.map(([n, v]) => [n.toLowerCase(), v]).filter(([n]) => wanted.test(n)).sort();
let ctx;

const cases = {
  "methods": async () => { const out = []; for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND", "delete", "patch", "QUERY"]) out.push(await attempt(async () => { const r = await fetch(at + "/echo", { method }); const t = await r.text(); return t ? JSON.parse(t).method : `empty ${r.status}`; })); return out; },
  "bad methods": async () => { const out = []; for (const method of ["CONNECT", "TRACE", "a b", ""]) out.push(await failure(() => fetch(at + "/echo", { method }))); return out; },
  "body kinds": async () => { const out = []; for (const body of ["text", new Uint8Array([104]), new URLSearchParams("a=1"), new Blob(["b"], { type: "x/y" }), null, undefined, 5]) out.push(await heard({ method: "POST", body })); return out; },
  "body stream": () => heard({ method: "POST", body: stream("ab", "cd") }),
  "body fixed stream": async () => { const t = new FixedLengthStream(4); const w = t.writable.getWriter(); w.write(utf8("abcd")); w.close(); return heard({ method: "POST", body: t.readable }); },
  "body empty": () => heard({ method: "POST", body: "" }),
  "body put none": () => heard({ method: "PUT" }),
  "body delete": () => heard({ method: "DELETE", body: "x" }),
  "body stream fails": async () => attempt(() => fetch(at + "/echo", { method: "POST", body: new ReadableStream({ pull() { throw new RangeError("mine"); } }) })),
  "own headers": () => heard({ headers: { "X-A": "1", "content-length": "77", host: "other", connection: "close", "transfer-encoding": "gzip", te: "trailers", "accept-encoding": "br", cookie: "a=b", "user-agent": "me", upgrade: "h2c", expect: "100-continue", "keep-alive": "1", "proxy-authorization": "x", trailer: "x", via: "v", "cf-connecting-ip": "1.2.3.4" } }),
  "user agent": async () => (await j("/echo")).headers.filter(([n]) => /user-agent|accept/i.test(n)),
  "header case": async () => (await j("/echo", { headers: { "x-MiXed": "1" } })).headers.filter(([n]) => /mixed/i.test(n)),
  "header twice": async () => { const h = new Headers(); h.append("x-a", "1"); h.append("x-a", "2"); return (await j("/echo", { headers: h })).headers.filter(([n]) => n === "x-a"); },
  "header latin1": async () => attempt(async () => (await j("/echo", { headers: { "x-a": "é" } })).headers.filter(([n]) => n === "x-a")),
  "header utf8": async () => attempt(async () => (await j("/echo", { headers: { "x-a": "日" } })).headers.filter(([n]) => n === "x-a")),
  "credentials in url": async () => attempt(async () => seen(await (await fetch(at.replace("http://", "http://user:pw@") + "/echo")).json(), /auth/i)),
  "fragment": async () => (await j("/echo?a#frag")).path,
  "odd paths": async () => { const out = []; for (const p of ["/echo/%zz", "/echo/%2e%2e/x", "/echo/a b", "/echo/é", "/echo/%E9", "/echo?q=a b&c=%20", "/echo//x", "/echo/;a=b", "/echo/\"<>`{}|\\^"]) out.push(await attempt(async () => (await fetch(at + p)).text().then((t) => t.startsWith("{") ? JSON.parse(t).path : t))); return out; },
  // Redirects
  "redirect statuses": async () => { const out = []; for (const s of [301, 302, 303, 307, 308]) for (const method of ["GET", "POST", "PUT", "HEAD"]) out.push(await attempt(async () => { const r = await fetch(`${at}/redirect/${s}?to=${encodeURIComponent("/echo")}`, { method, body: method === "POST" || method === "PUT" ? "x" : undefined }); const t = await r.text(); return t ? [JSON.parse(t).method, JSON.parse(t).body] : [r.status]; })); return out; },
  "redirect 300 304": async () => { const out = []; for (const s of [300, 304, 305, 306]) out.push((await fetch(`${at}/redirect/${s}?to=/echo`)).status); return out; },
  "redirect properties": async () => { const r = await fetch(`${at}/redirect/302?to=/echo`); return [r.redirected, r.url.replace(at, ""), r.status]; },
  "redirect manual": async () => { const r = await fetch(`${at}/redirect/302?to=/echo`, { redirect: "manual" }); return [r.status, r.headers.get("location"), r.redirected, r.type, await r.text()]; },
  "redirect error": () => attempt(() => fetch(`${at}/redirect/302?to=/echo`, { redirect: "error" })),
  "redirect no location": async () => { const r = await fetch(`${at}/redirect/302`); return [r.status, await r.text()]; },
  "redirect bad location": async () => attempt(async () => (await fetch(`${at}/redirect/302?to=${encodeURIComponent("http://")}`)).status),
  "redirect other scheme": async () => attempt(async () => (await fetch(`${at}/redirect/302?to=${encodeURIComponent("ftp://x/")}`)).status),
  "redirect data": async () => attempt(async () => (await fetch(`${at}/redirect/302?to=${encodeURIComponent("data:,x")}`)).status),
  "redirect relative": async () => (await (await fetch(`${at}/redirect/302?to=${encodeURIComponent("../echo?x=1")}`)).json()).path,
  "redirect fragment": async () => { const r = await fetch(`${at}/redirect/302?to=${encodeURIComponent("/echo#new")}`); return r.url.replace(at, ""); },
  "redirect keeps fragment": async () => { const r = await fetch(`${at}/redirect/302?to=/echo#old`); return r.url.replace(at, ""); },
  "redirect too many": () => attempt(async () => (await fetch(at + "/loop/25")).status),
  "redirect 20": () => attempt(async () => (await fetch(at + "/loop/20")).status),
  "redirect 21": () => attempt(async () => (await fetch(at + "/loop/21")).status),
  "redirect same origin keeps auth": async () => seen(await (await fetch(`${at}/redirect/302?to=/echo`, { headers: { authorization: "a", cookie: "c=1", "x-o": "o" } })).json(), /auth|cookie|x-o/i),
  "redirect cross origin": async () => seen(await (await fetch(`${at}/redirect/302?to=${encodeURIComponent(at.replace("127.0.0.1", "localhost") + "/echo")}`, { headers: { authorization: "a", cookie: "c=1", "proxy-authorization": "p", "x-o": "o", host: "h" } })).json(), /auth|cookie|x-o/i),
  "redirect post 307 body": async () => { const r = await fetch(`${at}/redirect/307?to=/echo`, { method: "POST", body: "x", headers: { "content-type": "a/b" } }); const e = await r.json(); return [e.method, e.body, seen(e, /content-type/)]; },
  "redirect post 302 headers": async () => { const r = await fetch(`${at}/redirect/302?to=/echo`, { method: "POST", body: "x", headers: { "content-type": "a/b", "content-language": "en", "x-y": "1" } }); const e = await r.json(); return [e.method, e.body, seen(e, /content-|x-y/)]; },
  "redirect stream body": async () => attempt(async () => { const r = await fetch(`${at}/redirect/307?to=/echo`, { method: "POST", body: stream("x") }); return [r.status, await r.text()]; }),
  "redirect 303 stream body": async () => attempt(async () => { const r = await fetch(`${at}/redirect/303?to=/echo`, { method: "POST", body: stream("x") }); return (await r.json()).method; }),
  // Answers
  "answer headers": async () => [...(await fetch(at + "/headers")).headers].filter(([n]) => !/date|server/.test(n)),
  "answer immutable": async () => attempt(async () => { const r = await fetch(at + "/headers"); r.headers.set("a", "b"); return "ok"; }),
  "answer reason": async () => { const out = []; for (const q of ["?reason=Fine", "?reason=", "?reason=Two%20words"]) { const r = await fetch(`${at}/status/200${q}`); out.push([r.status, r.statusText]); } return out; },
  "answer statuses": async () => { const out = []; for (const s of [200, 201, 204, 205, 299, 400, 418, 451, 500, 599, 600, 999]) out.push(await attempt(async () => { const r = await fetch(`${at}/status/${s}`); return [r.status, r.ok, r.body === null, (await r.text()).length]; })); return out; },
  "answer codings": async () => { const out = {}; for (const c of ["gzip", "deflate", "broken", "cut", "identity", "unknown", "twice"]) out[c] = await attempt(async () => { const r = await fetch(`${at}/coded/${c}`); return [r.headers.get("content-encoding"), r.headers.get("content-length"), (await r.text()).slice(0, 8)]; }); return out; },
  "answer clone": async () => { const r = await fetch(at + "/chunks"); const c = r.clone(); return [await r.text(), await c.text()]; },
  "answer cancel": async () => { const r = await fetch(at + "/drip"); const reader = r.body.getReader(); await reader.read(); await reader.cancel("x"); return (await reader.read()).done; },
  "answer byob": async () => { const r = await fetch(at + "/chunks"); const b = r.body.getReader({ mode: "byob" }); const { value } = await b.readAtLeast(10, new Uint8Array(100)); return value.length >= 10; },
  "answer drop": () => attempt(async () => (await fetch(at + "/drop")).status),
  "answer drop midway": () => attempt(async () => (await fetch(at + "/cut")).text()),
  "answer type": async () => { const r = await fetch(at + "/headers"); return [r.type, r.url.replace(at, ""), r.webSocket, r.cf ?? null, r.bodyUsed]; },
  "answer twice read": async () => { const r = await fetch(at + "/chunks"); await r.text(); return attempt(() => r.text()); },
  "answer as answer": async () => { const r = await fetch(at + "/headers"); const n = new Response(r.body, r); n.headers.set("x", "y"); return [n.status, n.headers.get("x"), await n.text()]; },
  // Abort
  "abort before": async () => attempt(() => fetch(at + "/echo", { signal: AbortSignal.abort() })),
  "abort reason": async () => attempt(() => fetch(at + "/echo", { signal: AbortSignal.abort(new RangeError("mine")) })),
  "abort timeout": async () => attempt(() => fetch(at + "/never", { signal: AbortSignal.timeout(20) })),
  "abort during body": async () => { const c = new AbortController(); const r = await fetch(at + "/drip", { signal: c.signal }); const reader = r.body.getReader(); await reader.read(); c.abort(new RangeError("mid")); return attempt(async () => { for (;;) if ((await reader.read()).done) return "done"; }); },
  "abort text": async () => { const c = new AbortController(); const r = await fetch(at + "/drip", { signal: c.signal }); setTimeout(() => c.abort(), 30); return attempt(() => r.text()); },
  "abort upload": async () => { const c = new AbortController(); let cancelled = "no"; const body = new ReadableStream({ async pull(k) { await wait(5); k.enqueue(utf8("x")); }, cancel(r) { cancelled = r?.name ?? String(r); } }); setTimeout(() => c.abort(), 40); const out = await attempt(() => fetch(at + "/echo", { method: "POST", body, signal: c.signal })); await wait(20); return [out, cancelled]; },
  "abort by request": async () => { const c = new AbortController(); const q = new Request(at + "/never", { signal: c.signal }); setTimeout(() => c.abort(), 10); return attempt(() => fetch(q)); },
  "abort init over request": async () => { const q = new Request(at + "/echo", { signal: AbortSignal.abort() }); return attempt(async () => (await fetch(q, { signal: null })).status); },
  // Arguments
  "url object": async () => (await fetch(new URL(at + "/status/200"))).status,
  "string object": async () => (await fetch({ toString: () => at + "/status/200" })).status,
  "bad urls": async () => { const out = []; for (const u of ["", "nope", "/rel", "http://", "ftp://x/", "file:///etc/passwd", "javascript:1", "about:blank", "blob:x", "http://[::1", "http://a b/", "ws://127.0.0.1/"]) out.push(await attempt(async () => (await fetch(u)).status)); return out; },
  "data url": async () => attempt(async () => (await fetch("data:text/plain,hello")).text()),
  "no arguments": () => failure(() => fetch()),
  "request used": async () => { const q = new Request(at + "/echo", { method: "POST", body: "x" }); await fetch(q); return [q.bodyUsed, await failure(() => fetch(q))]; },
  "get with body": () => failure(() => fetch(at + "/echo", { body: "x" })),
  "cf ignored": async () => (await fetch(at + "/status/200", { cf: { cacheTtl: 5, image: {} } })).status,
  "integrity": async () => attempt(async () => (await fetch(at + "/status/200", { integrity: "sha256-x" })).status),
  "cache option": async () => { const out = []; for (const cache of ["no-store", "no-cache", "default"]) out.push(await attempt(async () => (await j("/echo", { cache })).headers.filter(([n]) => /cache|pragma/i.test(n)))); return out; },
  "mode credentials": async () => attempt(async () => (await fetch(at + "/status/200", { mode: "cors", credentials: "omit" })).status),
  // Sockets out
  "ws subprotocol none": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const out = [s.protocol, s.extensions, s.readyState, s.url.replace(/:\d+/, "")]; s.close(); return out; },
  "ws large": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const got = new Promise((r) => s.addEventListener("message", (e) => r(e.data.length))); s.send("x".repeat(500000)); const n = await got; s.close(); return n; },
  "ws many": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const out = []; const got = new Promise((r) => s.addEventListener("message", (e) => { out.push(e.data); if (out.length === 50) r(); })); for (let i = 0; i < 50; i++) s.send(String(i)); await got; s.close(); return out.every((v, i) => v === String(i)); },
  "ws blob": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const got = new Promise((r) => s.addEventListener("message", (e) => r([e.data instanceof Blob, e.data.size]))); s.send(new Uint8Array(3)); const out = await got; s.close(); return out; },
  "ws close codes": async () => { const out = []; for (const a of [[], [1000], [3000, "r"], [4999, "x"], [1001]]) { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const got = new Promise((r) => s.addEventListener("close", (e) => r([e.code, e.reason, e.wasClean]))); s.close(...a); out.push(await got); } return out; },
  "ws close state": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); const got = new Promise((r) => s.addEventListener("close", r)); const out = [s.readyState]; s.close(); out.push(s.readyState); await got; out.push(s.readyState); return out; },
  "ws send after close": async () => { const s = new WebSocket(ws("/socket/echo")); await new Promise((r) => s.addEventListener("open", r)); s.close(); return failure(() => s.send("x")); },
  "ws headers by fetch": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket", "X-Mine": "1" } }); r.webSocket.accept(); r.webSocket.close(); return [r.status, r.ok, r.statusText]; },
  "ws upgrade case": async () => { const r = await fetch(at + "/socket/echo", { headers: { upgrade: "WebSocket" } }); r.webSocket?.accept(); r.webSocket?.close(); return r.status; },
  "ws post": async () => attempt(async () => { const r = await fetch(at + "/socket/echo", { method: "POST", headers: { upgrade: "websocket" } }); return r.status; }),
  "ws pass through": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } }); const s = new Response(null, { status: 101, webSocket: r.webSocket }); return s.status; },
  "ws accept twice": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } }); r.webSocket.accept(); return attempt(() => { r.webSocket.accept(); r.webSocket.close(); return "ok"; }); },
  "ws acceptWebSocket": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } }); return attempt(() => ctx.acceptWebSocket(r.webSocket)); },
};

async function run() {
  const answers = {};
  for (const [name, body] of Object.entries(cases)) {
    const answer = await Promise.race([attempt(body), wait(5000).then(() => "no answer")]);
    answers[name] = answer === undefined ? "(undefined)" : answer;
  }
  return Response.json(answers);
}

export class Probe extends DurableObject {
  fetch() {
    at = this.env.ORIGIN;
    ctx = this.ctx;
    return run();
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
