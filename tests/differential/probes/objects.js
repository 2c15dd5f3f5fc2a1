// Ids, stubs, gates and errors, case by case. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject, WorkerEntrypoint, RpcTarget, env as globalEnv, waitUntil } from "cloudflare:workers";

const early = {};
const globally = (name, run) => { try { early[name] = run(); } catch (error) { early[name] = `${error.name}: ${error.message}`; } };
globally("random is a number", () => typeof Math.random());
globally("uuid", () => crypto.randomUUID());
globally("random values", () => crypto.getRandomValues(new Uint8Array(1)));
globally("timeout", () => setTimeout(() => {}, 1));
globally("interval", () => setInterval(() => {}, 1));
globally("now", () => [Date.now(), new Date().getTime(), performance.now()]);
globally("abort timeout", () => AbortSignal.timeout(1));
globally("env", () => Object.keys(globalEnv).sort());
globally("env namespace", () => globalEnv.PROBE.constructor.name);
globally("id at global scope", () => globalEnv.PROBE.idFromName("x").toString().length);
globally("new id at global scope", () => globalEnv.PROBE.newUniqueId().toString().length);
globally("stub at global scope", () => globalEnv.PROBE.get(globalEnv.PROBE.idFromName("x")).constructor.name);
try { scheduler.wait(1).catch((error) => { early.wait = `${error.name}: ${error.message}`; }); } catch (error) { early.wait = `thrown ${error.name}: ${error.message}`; }
try { fetch("http://x/").catch((error) => { early.fetch = `${error.name}: ${error.message}`; }); } catch (error) { early.fetch = `thrown ${error.name}: ${error.message}`; }
let loads = 0;
loads++;

const seen = (error) => ({ name: error.name, message: error.message, isError: error instanceof Error, type: error.constructor.name, remote: error.remote, retryable: error.retryable, overloaded: error.overloaded, reset: error.durableObjectReset });
const attempt = async (run) => { try { const v = await run(); return v === undefined ? "(undefined)" : v; } catch (error) { return seen(error); } };
const fresh = (env) => env.PROBE.get(env.PROBE.newUniqueId());

const cases = {
  "global scope": () => early,
  "id from name": (env) => { const id = env.PROBE.idFromName("a"); return [id.toString(), id.name, String(id) === id.toString(), id.constructor.name, Object.keys(id), JSON.stringify(id) === JSON.stringify({ name: "a" })]; },
  "id unique": (env) => { const id = env.PROBE.newUniqueId(); return [id.toString().length, id.name, "name" in id]; },
  "id from string": (env) => { const id = env.PROBE.idFromString(env.PROBE.idFromName("a").toString()); return [id.name, id.equals(env.PROBE.idFromName("a")), id.equals(env.PROBE.idFromName("b"))]; },
  "id equals other thing": (env) => env.PROBE.idFromName("a").equals("a"),
  "id from bad string": (env) => env.PROBE.idFromString("xyz"),
  "id from foreign string": (env) => env.PROBE.idFromString("0".repeat(64)),
  "id from number name": (env) => env.PROBE.idFromName(5).equals(env.PROBE.idFromName("5")),
  "id without name": (env) => env.PROBE.idFromName(),
  "get without id": (env) => env.PROBE.get(),
  "get string": (env) => env.PROBE.get("a"),
  "namespace names": (env) => [env.PROBE.constructor.name, Object.prototype.toString.call(env.PROBE)],
  "new": (env) => new env.PROBE.constructor(),
  "stub": (env) => { const s = env.PROBE.getByName("a"); return [s.name, s.id.name, s.id.equals(env.PROBE.idFromName("a")), s.constructor.name, typeof s.fetch]; },
  "stub by id": (env) => { const s = env.PROBE.get(env.PROBE.idFromName("q")); return [s.name, s.id.name]; },
  "stub by unique id": (env) => { const s = fresh(env); return [s.name, s.id.name]; },
  "object sees": async (env) => (await fresh(env).fetch("http://h:81/p/a?q=1", { method: "POST", body: "b", headers: { "X-K": "v" } })).json(),
  "object sees its name": async (env) => (await env.PROBE.getByName("named").fetch("http://h/id")).json(),
  "object sees name by id": async (env) => (await env.PROBE.get(env.PROBE.idFromName("named2")).fetch("http://h/id")).json(),
  "relative url": (env) => fresh(env).fetch("/x"),
  "request object": async (env) => (await fresh(env).fetch(new Request("http://h/p", { method: "PUT", body: "x" }))).json(),
  "request object and init": async (env) => (await fresh(env).fetch(new Request("http://h/p"), { method: "PUT", body: "x" })).json(),
  "body used": async (env) => { const r = new Request("http://h/p", { method: "POST", body: "x" }); await fresh(env).fetch(r); return r.bodyUsed; },
  "status and headers": async (env) => { const r = await fresh(env).fetch("http://h/teapot"); return [r.status, r.statusText, r.headers.get("x-k"), r.headers.getSetCookie(), await r.text(), r.url, r.redirected]; },
  "throws": (env) => fresh(env).fetch("http://h/throw"),
  "throws a string": (env) => fresh(env).fetch("http://h/throw-string"),
  "throws custom": (env) => fresh(env).fetch("http://h/throw-custom"),
  "throws null": (env) => fresh(env).fetch("http://h/throw-null"),
  "rejects": (env) => fresh(env).fetch("http://h/reject"),
  "returns nothing": (env) => fresh(env).fetch("http://h/nothing"),
  "returns a string": (env) => fresh(env).fetch("http://h/string"),
  "returns Response.error": (env) => fresh(env).fetch("http://h/error"),
  "alive after throw": async (env) => { const s = fresh(env); await attempt(() => s.fetch("http://h/throw")); return (await s.fetch("http://h/visits")).text(); },
  "abort": async (env) => { const s = fresh(env); const first = await attempt(() => s.fetch("http://h/abort")); return [first, await attempt(() => s.fetch("http://h/visits")), await (await env.PROBE.get(s.id).fetch("http://h/visits")).text()]; },
  "abort without reason": (env) => fresh(env).fetch("http://h/abort-plain"),
  "abort with error": (env) => fresh(env).fetch("http://h/abort-error"),
  "block throws": async (env) => { const s = fresh(env); const first = await attempt(() => s.fetch("http://h/block-throw")); return [first, await attempt(() => s.fetch("http://h/visits")), await (await env.PROBE.get(s.id).fetch("http://h/visits")).text()]; },
  "block caught": async (env) => { const s = fresh(env); const first = await attempt(() => s.fetch("http://h/block-caught")); return [first, await attempt(async () => (await s.fetch("http://h/visits")).text())]; },
  "block value": async (env) => (await fresh(env).fetch("http://h/block")).json(),
  "block order": async (env) => { const s = fresh(env); const answers = await Promise.all(["a", "b", "c"].map((n) => s.fetch("http://h/section?" + n))); await Promise.all(answers.map((a) => a.text())); return (await s.fetch("http://h/log")).json(); },
  "calls keep order": async (env) => { const s = fresh(env); await Promise.all([1, 2, 3, 4, 5].map((n) => s.fetch("http://h/note?" + n))); return (await s.fetch("http://h/log")).json(); },
  "stub to itself": async (env) => (await fresh(env).fetch("http://h/self")).text(),
  "stream body": async (env) => { const { readable, writable } = new TransformStream(); const answer = fresh(env).fetch("http://h/echo", { method: "POST", body: readable }); const w = writable.getWriter(); for (const p of ["a", "b", "c"]) await w.write(new TextEncoder().encode(p)); await w.close(); return (await answer).text(); },
  "stream answer": async (env) => { const out = []; const r = await fresh(env).fetch("http://h/stream"); const d = new TextDecoder(); for await (const c of r.body) out.push(d.decode(c)); return out.join(""); },
  "pass body on": async (env) => (await fresh(env).fetch("http://h/pass", { method: "POST", body: "through" })).text(),
  "constructor throws": (env) => env.BROKEN ? env.BROKEN.getByName("a").fetch("http://h/") : "no binding",
  "class chain": () => [typeof WorkerEntrypoint, typeof RpcTarget, typeof waitUntil, DurableObject.name, Object.getOwnPropertyNames(DurableObject.prototype)],
  "ctx": async (env) => (await fresh(env).fetch("http://h/ctx")).json(),
};

export class Probe extends DurableObject {
  visits = 0;
  log = [];

  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/throw": throw new RangeError("thrown");
      case "/throw-string": throw "a string";
      case "/throw-null": throw null;
      case "/throw-custom": { class Custom extends Error { constructor(m) { super(m); this.name = "Custom"; this.code = 42; } } throw new Custom("special"); }
      case "/reject": return Promise.reject(new TypeError("rejected"));
      case "/nothing": return;
      case "/string": return "text";
      case "/error": return Response.error();
      case "/visits": return new Response(String(++this.visits));
      case "/abort": this.visits++; this.ctx.abort("reason"); break;
      case "/abort-plain": this.ctx.abort(); break;
      case "/abort-error": this.ctx.abort(new TypeError("typed")); break;
      case "/block-throw": await this.ctx.blockConcurrencyWhile(async () => { throw new TypeError("in block"); }); break;
      case "/block-caught": try { await this.ctx.blockConcurrencyWhile(async () => { throw new TypeError("in block"); }); } catch {} return new Response("caught");
      case "/block": return Response.json([await this.ctx.blockConcurrencyWhile(() => 5), await this.ctx.blockConcurrencyWhile(async () => { await scheduler.wait(1); return 6; })]);
      case "/section": { const n = url.search.slice(1); this.log.push("in " + n); await this.ctx.blockConcurrencyWhile(async () => { this.log.push("<" + n); await scheduler.wait(5); this.log.push(n + ">"); }); this.log.push("out " + n); return new Response(); }
      case "/note": this.log.push(url.search.slice(1)); return new Response();
      case "/log": return Response.json(this.log);
      case "/self": return this.env.PROBE.get(this.ctx.id).fetch("http://h/visits");
      case "/echo": return new Response(await request.text());
      case "/pass": return new Response(request.body);
      case "/stream": return new Response(new ReadableStream({ async pull(c) { if (this.n === undefined) this.n = 0; if (this.n++ < 3) { await scheduler.wait(1); c.enqueue(new TextEncoder().encode("part" + this.n)); } else c.close(); } }));
      case "/teapot": { const h = new Headers({ "X-K": "v" }); h.append("set-cookie", "a=1"); h.append("set-cookie", "b=2"); return new Response("tea", { status: 418, statusText: "Short", headers: h }); }
      case "/id": return Response.json([this.ctx.id.name, this.ctx.id.toString() === this.env.PROBE.idFromName(this.ctx.id.name).toString()]);
      case "/ctx": return Response.json([this.ctx.constructor.name, this.ctx.id.constructor.name, this.ctx.storage.constructor.name, this.ctx === this["ctx"], loads, typeof this.ctx.waitUntil, Object.prototype.toString.call(this.ctx)]);
      default: return Response.json([request.method, request.url, [...request.headers], await request.text(), request.redirect, request.constructor.name]);
    }
  }
}

export default {
  async fetch(request, env) {
    const out = {};
    for (const [name, run] of Object.entries(cases)) out[name] = await attempt(() => run(env));
    return Response.json(out);
  },
};
