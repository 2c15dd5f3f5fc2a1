// The network as a Worker and an object see it, case by case. Served by durabox and by workerd, both with a web server beside them
// (tests/origin.py); the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

let at; // the web server's address

const attempt = async (run) => { try { return await run(); } catch (error) { return `${error.name}: ${error.message}`; } };
const bytes = (text) => new TextEncoder().encode(text);
const chunks = (...parts) => new ReadableStream({ start(c) { for (const p of parts) c.enqueue(bytes(p)); c.close(); } });
const plain = (response) => [response.status, response.statusText, response.ok, response.redirected, response.type, response.url.replace(at, "")];
const heard = async (path, init) => {
  const answer = await (await fetch(at + path, init)).json();
  const headers = answer.headers.filter(([name]) => !/^(host|cf-|accept-encoding$)/i.test(name)).map(([name, value]) => [name.toLowerCase(), value]);
  return [answer.method, answer.path, headers.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)), answer.body];
};
const to = (status, target) => `${at}/redirect/${status}?to=${encodeURIComponent(target)}`;
const events = (socket, count, types = ["open", "message", "close", "error"]) => new Promise((resolve) => {
  const log = [];
  for (const type of types)
    socket.addEventListener(type, (e) => {
      const item = { open: () => ["open", socket.readyState], message: () => ["message", typeof e.data === "string" ? e.data : e.data.constructor.name],
        close: () => ["close", e.code, e.reason, e.wasClean, socket.readyState], error: () => ["error", e.message] }[type]();
      log.push(item);
      if (log.length === count) resolve([...log]);
    });
});
const ws = (path) => at.replace("http", "ws") + path;

const cases = {
  // Requests
  "get": () => heard("/echo/x?y=1#z"),
  "methods": async () => { const out = []; for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) out.push(await heard("/echo", { method })); return out; },
  "head": async () => { const r = await fetch(at + "/echo", { method: "HEAD" }); return [plain(r), await r.text(), r.body === null]; },
  "text body": () => heard("/echo", { method: "POST", body: "h\u00e9" }),
  "bytes body": () => heard("/echo", { method: "PUT", body: new Uint8Array([0, 1, 255]) }),
  "empty body": () => heard("/echo", { method: "POST", body: "" }),
  "no body": () => heard("/echo", { method: "POST" }),
  "form body": () => heard("/echo", { method: "POST", body: new URLSearchParams({ a: "1 2" }) }),
  "stream body": () => heard("/echo", { method: "POST", body: chunks("ab", "cd") }),
  "sized stream body": () => { const { readable, writable } = new FixedLengthStream(4); const w = writable.getWriter(); w.write(bytes("abcd")); w.close(); return heard("/echo", { method: "POST", body: readable }); },
  "response body as request body": async () => heard("/echo", { method: "POST", body: (await fetch(at + "/chunks")).body }),
  "sized response body as request body": async () => heard("/echo", { method: "POST", body: (await fetch(at + "/status/200")).body }),
  "given type stays": () => heard("/echo", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }),
  "header case and repeats": () => { const h = new Headers(); h.append("X-A", "1"); h.append("x-a", "2"); h.append("X-Empty", ""); return heard("/echo", { headers: h }); },
  "header names": async () => (await (await fetch(at + "/echo", { headers: { "X-MiXed": "1", "user-agent": "me" } })).json()).headers.map((h) => h[0].toLowerCase()).filter((n) => !/^(host|cf-|accept-encoding)/i.test(n)).sort(),
  "accept-encoding by itself": async () => (await (await fetch(at + "/echo")).json()).headers.filter(([n]) => n.toLowerCase() === "accept-encoding").map((h) => h[1]),
  "accept-encoding given": async () => (await (await fetch(at + "/echo", { headers: { "Accept-Encoding": "identity" } })).json()).headers.filter(([n]) => n.toLowerCase() === "accept-encoding").map((h) => h[1]),
  "host header given": async () => (await (await fetch(at + "/echo", { headers: { Host: "elsewhere.example" } })).json()).headers.filter(([n]) => n.toLowerCase() === "host").map((h) => h[1].replace(/\d+$/, "")),
  "content-length given": () => heard("/echo", { method: "POST", body: "abc", headers: { "content-length": "2" } }),
  "content-length of nothing given": () => heard("/echo", { headers: { "content-length": "2" } }),
  "transfer-encoding given": () => heard("/echo", { method: "POST", body: "abc", headers: { "transfer-encoding": "chunked" } }),
  "connection given": () => heard("/echo", { headers: { connection: "close, x-a", "keep-alive": "1", te: "trailers", "x-a": "1" } }),
  "cookie given": () => heard("/echo", { headers: { cookie: "a=1; b=2" } }),
  "latin header": async () => (await heard("/echo", { headers: { "x-l": "\u00e9" } }))[2],
  "authorization given": () => heard("/echo", { headers: { authorization: "Bearer x" } }),
  "request object": () => heard("/echo", new Request(at + "/echo", { method: "PUT", body: "b", headers: { k: "v" } })),
  "cf ignored": () => heard("/echo", { cf: { cacheTtl: 5 } }),
  "cache modes": async () => [await heard("/echo", { cache: "no-store" }), await attempt(() => heard("/echo", { cache: "no-cache" })), await attempt(() => heard("/echo", { cache: "reload" }))],
  "cache mode and header": () => heard("/echo", { cache: "no-store", headers: { "cache-control": "max-age=1" } }),
  "encoded path": () => heard("/echo/a%2Fb%20c?q=%C3%A9&r=a+b"),
  "path of brackets": () => heard("/echo/[x]|{y}^`?a[]=1|2"),
  // Responses
  "statuses": async () => { const out = []; for (const s of [200, 201, 204, 206, 304, 400, 404, 500, 503]) { const r = await fetch(`${at}/status/${s}`); out.push([plain(r), r.body === null, await r.text()]); } return out; },
  "odd status": async () => { const out = []; for (const s of [299, 418, 599]) out.push(await attempt(async () => plain(await fetch(`${at}/status/${s}`)))); return out; },
  "reason": async () => plain(await fetch(at + "/status/200?reason=Very%20Fine")),
  "response headers": async () => { const r = await fetch(at + "/headers"); return [[...r.headers], r.headers.getSetCookie()]; },
  "response headers immutable": async () => (await fetch(at + "/headers")).headers.set("a", "b"),
  "cookies are not kept": async () => { await fetch(at + "/headers"); return heard("/echo"); },
  "chunks": async () => { const r = await fetch(at + "/chunks"); return [[...r.headers], await r.text()]; },
  "read twice": async () => { const r = await fetch(at + "/chunks"); await r.text(); return r.text(); },
  "clone": async () => { const r = await fetch(at + "/chunks"); const c = r.clone(); return [await r.text(), await c.text(), c.url === r.url]; },
  "reader": async () => { const reader = (await fetch(at + "/chunks")).body.getReader(); let text = ""; for (;;) { const { done, value } = await reader.read(); if (done) return text; text += new TextDecoder().decode(value); } },
  "cancel": async () => { const r = await fetch(at + "/drip"); const reader = r.body.getReader(); await reader.read(); await reader.cancel("enough"); return (await reader.read()).done; },
  "many bytes": async () => (await (await fetch(at + "/bytes/3000000")).arrayBuffer()).byteLength,
  // Encodings
  "gzip": async () => { const r = await fetch(at + "/coded/gzip"); return [[...r.headers], await r.text()]; },
  "gzip stream": async () => { let n = 0; for await (const c of (await fetch(at + "/coded/gzip")).body) n += c.byteLength; return n; },
  "deflate": async () => { const r = await fetch(at + "/coded/deflate"); return [r.headers.get("content-encoding"), (await r.bytes()).length]; },
  "unknown encoding": async () => { const r = await fetch(at + "/coded/unknown"); return [r.headers.get("content-encoding"), (await r.text()).length]; },
  "encoding twice": async () => { const r = await fetch(at + "/coded/twice"); return [r.headers.get("content-encoding"), (await r.bytes()).length]; },
  "broken gzip": async () => (await fetch(at + "/coded/broken")).text(),
  "cut gzip": async () => (await fetch(at + "/coded/cut")).text(),
  "gzip as request body": async () => (await heard("/echo", { method: "POST", body: (await fetch(at + "/coded/gzip")).body }))[3],
  "gzip as gzip request body": async () => { const a = await heard("/echo", { method: "POST", headers: { "content-encoding": "gzip" }, body: (await fetch(at + "/coded/gzip")).body }); return [a[2], a[3].length]; },
  "text as gzip request body": async () => { const a = await heard("/echo", { method: "POST", headers: { "content-encoding": "gzip" }, body: "plain" }); return [a[2], a[3]]; },
  "stream as gzip request body": async () => { const a = await heard("/echo", { method: "POST", headers: { "content-encoding": "gzip" }, body: chunks("plain") }); return [a[2], a[3]]; },
  "head of gzip": async () => { const r = await fetch(at + "/coded/gzip", { method: "HEAD" }); return [[...r.headers].filter(([n]) => n !== "content-length"), await r.text()]; },
  // Redirects
  "redirect follow": async () => { const r = await fetch(to(302, "/echo/there")); return [plain(r), (await r.json()).method]; },
  "redirect absolute": async () => plain(await fetch(to(301, `${at}/status/200`))),
  "redirect relative": async () => plain(await fetch(to(302, "../status/404"))),
  "redirect keeps fragment": async () => plain(await fetch(`${to(302, "/status/200")}#frag`)),
  "redirect to fragment": async () => plain(await fetch(to(302, "/status/200#there"))),
  "redirect manual": async () => { const r = await fetch(to(302, "/echo"), { redirect: "manual" }); return [plain(r)[0], plain(r).slice(1, 5), r.headers.get("location"), await r.text()]; },
  "redirect without location": async () => attempt(async () => { const r = await fetch(at + "/redirect/302"); return [plain(r), await r.text()]; }),
  "redirect bad location": async () => attempt(async () => plain(await fetch(to(302, "http://[bad")))),
  "redirect other scheme": async () => attempt(async () => plain(await fetch(to(302, "ftp://127.0.0.1/x")))),
  "redirect 300": async () => plain(await fetch(to(300, "/echo")))[0],
  "redirect 304": async () => plain(await fetch(to(304, "/echo")))[0],
  "redirect post": async () => { const out = []; for (const s of [301, 302, 303, 307, 308]) out.push([s, await attempt(async () => { const a = await (await fetch(to(s, "/echo"), { method: "POST", body: "b", headers: { "content-type": "a/b", "x-k": "v" } })).json(); return [a.method, a.body, a.headers.filter(([n]) => /^(content-|x-k)/i.test(n)).map(([n, v]) => [n.toLowerCase(), v]).sort()]; })]); return out; },
  "redirect put": async () => { const out = []; for (const s of [301, 302, 303, 307]) out.push([s, await attempt(async () => { const a = await (await fetch(to(s, "/echo"), { method: "PUT", body: "b" })).json(); return [a.method, a.body]; })]); return out; },
  "redirect head": async () => { const r = await fetch(to(303, "/echo"), { method: "HEAD" }); return [plain(r), await r.text()]; },
  "redirect stream": async () => { const out = []; for (const s of [302, 303, 307]) out.push([s, await attempt(async () => { const a = await (await fetch(to(s, "/echo"), { method: "POST", body: chunks("s") })).json(); return [a.method, a.body]; })]); return out; },
  "redirect authorization same": async () => (await (await fetch(to(302, "/echo"), { headers: { authorization: "x" } })).json()).headers.some(([n]) => n.toLowerCase() === "authorization"),
  "redirect authorization elsewhere": async () => (await (await fetch(to(302, at.replace("127.0.0.1", "localhost") + "/echo"), { headers: { authorization: "x", cookie: "c=1" } })).json()).headers.map(([n]) => n.toLowerCase()).filter((n) => /auth|cookie/.test(n)),
  "redirect 20 times": async () => plain(await fetch(at + "/loop/20")),
  "redirect 21 times": async () => plain(await fetch(at + "/loop/21")),
  // Errors
  "fetch nothing": () => fetch(),
  "invalid url": () => fetch("nowhere"),
  "other scheme": () => fetch("ftp://127.0.0.1/x"),
  "data url": async () => (await fetch("data:text/plain,hi")).text(),
  "get with body": () => fetch(at, { body: "x" }),
  "bad init": () => fetch(at, 5),
  "credentials in url": () => heard2(at.replace("://", "://user:pass@") + "/echo"),
  "used body": async () => { const r = new Request(at + "/echo", { method: "POST", body: "x" }); await r.text(); return fetch(r); },
  "refused connection": () => fetch("http://127.0.0.1:1/"),
  "dropped connection": () => fetch(at + "/drop"),
  "garbage": async () => { try { await fetch(at + "/garbage"); } catch (error) { return error.name; } },
  "short body": async () => (await fetch(at + "/short")).text(),
  "error properties": async () => { try { await fetch(at + "/drop"); } catch (error) { return Object.entries(error); } },
  // Aborts
  "aborted before": () => fetch(at + "/echo", { signal: AbortSignal.abort() }),
  "aborted before with reason": () => fetch(at + "/echo", { signal: AbortSignal.abort(new RangeError("mine")) }),
  "abort while waiting": () => { const c = new AbortController(); setTimeout(() => c.abort(), 30); return fetch(at + "/never", { signal: c.signal }); },
  "abort timeout": () => fetch(at + "/never", { signal: AbortSignal.timeout(30) }),
  "abort of a request": () => { const c = new AbortController(); const r = new Request(at + "/never", { signal: c.signal }); setTimeout(() => c.abort(), 30); return fetch(r); },
  "abort during body": async () => { const c = new AbortController(); const r = await fetch(at + "/drip", { signal: c.signal }); setTimeout(() => c.abort(), 30); return r.text(); },
  "abort during reader": async () => { const c = new AbortController(); const reader = (await fetch(at + "/drip", { signal: c.signal })).body.getReader(); await reader.read(); c.abort(new RangeError("mine")); for (let i = 0; ; i++) { const { done } = await reader.read(); if (done) return ["done", i]; } },
  "abort before reading": async () => { const c = new AbortController(); const r = await fetch(at + "/drip", { signal: c.signal }); c.abort(); return r.text(); },
  "abort after the end": async () => { const c = new AbortController(); const r = await fetch(at + "/echo", { signal: c.signal }); const text = await r.text(); c.abort(); return text.length > 10; },
  "bad signal": () => fetch(at + "/echo", { signal: 5 }),
  "null signal": async () => (await fetch(at + "/status/200", { signal: null })).status,
  "never awaited": async () => { void fetch(at + "/status/200"); return 1; },
  "many at once": async () => (await Promise.all(Array.from({ length: 20 }, (_, i) => fetch(`${at}/echo?i=${i}`).then((r) => r.json())))).map((a) => a.path),
  // WebSockets
  "socket by constructor": async () => { const s = new WebSocket(ws("/socket/echo")); const state = s.readyState; const log = events(s, 3); s.addEventListener("open", () => { s.send("hi"); }); s.addEventListener("message", () => s.close(1000, "done")); return [state, await log]; },
  "socket properties": async () => { const s = new WebSocket(ws("/socket/echo?a=1")); const before = [s.url?.replace(/:\d+/, ""), s.protocol, s.extensions, s.binaryType]; await events(s, 1); const after = [s.url?.replace(/:\d+/, ""), s.protocol, s.extensions]; s.close(); return [before, after]; },
  "socket by fetch": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } }); const s = r.webSocket; s.accept(); const log = events(s, 2); s.send("a"); s.send(new Uint8Array([1, 2])); const seen = await log; s.close(); return [r.status, r.body === null, seen, [s.url, s.protocol, s.extensions]]; },
  "socket protocol by fetch": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": "a, b" } }); const s = r.webSocket; s.accept(); s.close(); return [r.headers.get("sec-websocket-protocol"), s.protocol, s.extensions]; },
  "socket close code": async () => { const s = (await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } })).webSocket; s.accept(); const log = events(s, 1); s.close(4444, "because"); return log; },
  "socket close without code": async () => { const s = (await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } })).webSocket; s.accept(); const log = events(s, 1); s.close(); return log; },
  "socket headers": async () => { const r = await fetch(at + "/socket/echo", { headers: { Upgrade: "websocket" } }); const names = [...r.headers.keys()].filter((n) => n !== "sec-websocket-accept"); r.webSocket.accept(); r.webSocket.close(); return names; },
  "socket binary": async () => { const s = new WebSocket(ws("/socket/echo")); s.binaryType = "arraybuffer"; s.addEventListener("open", () => s.send(bytes("xyz"))); const log = await events(s, 1, ["message"]); s.close(); return log; },
  "socket protocols": async () => { const s = new WebSocket(ws("/socket/echo"), ["one", "two"]); await events(s, 1); const out = s.protocol; s.close(); return out; },
  "socket protocol text": async () => { const s = new WebSocket(ws("/socket/echo"), "one"); await events(s, 1); const out = s.protocol; s.close(); return out; },
  "socket bad protocol": () => new WebSocket(ws("/socket/echo"), "a b"),
  "socket repeated protocol": () => new WebSocket(ws("/socket/echo"), ["a", "a"]),
  "socket bad url": () => new WebSocket("nowhere"),
  "socket http url": async () => { const s = new WebSocket(at + "/socket/echo"); const log = await events(s, 1); s.close(); return log; },
  "socket ftp url": () => new WebSocket("ftp://x/"),
  "socket fragment": () => new WebSocket("ws://127.0.0.1/#x"),
  "socket closed by server": async () => events(new WebSocket(ws("/socket/goodbye")), 2),
  "socket lost": async () => events(new WebSocket(ws("/socket/lost")), 2),
  "socket refused": async () => events(new WebSocket(ws("/socket/refused")), 2),
  "socket refused by fetch": async () => { const r = await fetch(at + "/socket/refused", { headers: { Upgrade: "websocket" } }); return [r.status, r.webSocket, r.headers.get("x-why"), await r.text()]; },
  "socket unreachable": async () => events(new WebSocket("ws://127.0.0.1:1/"), 2),
  "socket not upgraded": async () => { const r = await fetch(at + "/status/200", { headers: { Upgrade: "websocket" } }); return [r.status, r.webSocket, await r.text()]; },
  "socket greets": async () => { const s = new WebSocket(ws("/socket/greets")); const log = await events(s, 2); s.close(); return log; },
  "socket greets by fetch": async () => { const s = (await fetch(at + "/socket/greets", { headers: { Upgrade: "websocket" } })).webSocket; await scheduler.wait(20); const log = events(s, 1); s.accept(); const out = await log; s.close(); return out; },
  "socket send early": () => { const s = new WebSocket(ws("/socket/echo")); const out = attempt(() => s.send("early")); return out; },
  "socket send early arrives": async () => { const s = new WebSocket(ws("/socket/echo")); const log = events(s, 2); await attempt(() => s.send("early")); return Promise.race([log, scheduler.wait(200).then(() => "nothing")]); },
  "socket close early": async () => { const s = new WebSocket(ws("/socket/echo")); const log = events(s, 1, ["close", "error"]); const out = await attempt(() => s.close()); return [out, await Promise.race([log, scheduler.wait(200).then(() => "nothing")])]; },
  "socket accept": () => new WebSocket(ws("/socket/echo")).accept(),
  "socket in a response": () => new Response(null, { status: 101, webSocket: new WebSocket(ws("/socket/echo")) }).status,
  "socket wss scheme by fetch": async () => attempt(async () => (await fetch(ws("/socket/echo"), { headers: { Upgrade: "websocket" } })).status),
  // EventSource
  "events raw": async () => { const s = new EventSource(at + "/events"); const log = []; for (const t of ["open", "message", "named", "error"]) s.addEventListener(t, (e) => log.push([t, e.data, e.lastEventId, e.origin?.replace(/:\d+$/, ""), s.readyState, e.message])); await scheduler.wait(1500); s.close(); return log.slice(0, 8); },
  "events": async () => { const s = new EventSource(at + "/events"); const log = []; await new Promise((done) => { s.onmessage = (e) => { log.push([e.type, e.data, e.lastEventId, e.origin.replace(/:\d+$/, "")]); if (log.length === 3) done(); }; s.addEventListener("named", (e) => log.push([e.type, e.data])); }); const state = s.readyState; s.close(); return [log, state, s.readyState]; },
  "events properties": () => { const s = new EventSource(at + "/events"); const out = [s.url.replace(at, ""), s.withCredentials, s.readyState, EventSource.CLOSED, s.onopen]; s.close(); return out; },
  "events wrong type": async () => { const s = new EventSource(at + "/status/200"); return new Promise((done) => { s.onerror = (e) => done([e.type, e.message, s.readyState]); }); },
  "events wrong status": async () => { const s = new EventSource(at + "/status/500"); return new Promise((done) => { s.onerror = (e) => done([e.type, e.message, s.readyState]); }); },
  "events bad url": () => new EventSource("nowhere"),
  "events from": async () => { const s = EventSource.from(chunks("data: a\n\n", "data: b\ndata: c\n", "\n")); const log = []; await new Promise((done) => { s.onmessage = (e) => { log.push(e.data); }; s.onerror = () => done(); }); return [log, s.readyState, s.url]; },
  "events credentials": () => new EventSource(at + "/events", { withCredentials: true }),
};

async function heard2(url) { const answer = await (await fetch(url)).json(); return answer.headers.filter(([n]) => /auth/i.test(n)); }

async function run(only) {
  const answers = {};
  for (const [name, body] of Object.entries(cases)) {
    if (only && !name.startsWith(only)) continue;
    const stop = scheduler.wait(5000).then(() => "no answer");
    answers[name] = await Promise.race([attempt(body), stop]);
  }
  return answers;
}

export class Probe extends DurableObject {
  async fetch(request) {
    at = this.env.ORIGIN;
    return Response.json(await run(new URL(request.url).searchParams.get("only")));
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/worker") { at = env.ORIGIN; return Response.json(await run(url.searchParams.get("only"))); }
    return env.PROBE.get(env.PROBE.idFromName("probe")).fetch(request);
  },
};
