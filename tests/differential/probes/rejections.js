// Rejections that nobody handles, and other errors that nobody catches, in a Worker and in an object.
import { DurableObject } from "cloudflare:workers";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const log = [];
const show = (e) => ({ type: e.type, proto: e.constructor.name, tag: Object.prototype.toString.call(e), reason: e.reason instanceof Error ? `${e.reason.name}: ${e.reason.message}` : String(e.reason), promise: e.promise instanceof Promise, cancelable: e.cancelable, bubbles: e.bubbles, trusted: e.isTrusted, target: e.target === globalThis, own: Object.keys(e).sort().join(), prevented: e.defaultPrevented });
let prevent = false;
addEventListener("unhandledrejection", (e) => { log.push(show(e)); if (prevent) { e.preventDefault(); log.push(e.defaultPrevented); } });
addEventListener("rejectionhandled", (e) => log.push(show(e)));
addEventListener("error", (e) => { log.push({ type: e.type, proto: e.constructor.name, message: e.message, error: String(e.error), cancelable: e.cancelable, filename: e.filename, lineno: typeof e.lineno, colno: typeof e.colno, target: e.target === globalThis, trusted: e.isTrusted }); if (prevent) e.preventDefault(); });
const take = () => log.splice(0);
const cases = {
  "basic": async () => { Promise.reject(new TypeError("one")); await wait(5); return take(); },
  "string": async () => { Promise.reject("text"); await wait(5); return take(); },
  "undefined": async () => { Promise.reject(); await wait(5); return take(); },
  "handled at once": async () => { Promise.reject(new Error("x")).catch(() => {}); await wait(5); return take(); },
  "handled in microtask": async () => { const p = Promise.reject(new Error("x")); await null; p.catch(() => {}); await wait(5); return take(); },
  "handled after 3 microtasks": async () => { const p = Promise.reject(new Error("x")); await null; await null; await null; p.catch(() => {}); await wait(5); return take(); },
  "handled later": async () => { const p = Promise.reject(new Error("later")); await wait(5); const one = take(); p.catch(() => {}); await wait(5); return [one, take()]; },
  "handled later, twice": async () => { const p = Promise.reject(new Error("later")); await wait(5); take(); p.catch(() => {}); p.catch(() => {}); await wait(5); return take(); },
  "async function": async () => { (async () => { throw new RangeError("async"); })(); await wait(5); return take(); },
  "order": async () => { Promise.reject(new Error("1")); Promise.reject(new Error("2")); await wait(5); return take().map((e) => e.reason); },
  "chain": async () => { Promise.reject(new Error("chain")).then(() => {}); await wait(5); return take().map((e) => e.reason); },
  "two chains": async () => { const p = Promise.reject(new Error("c")); p.then(() => {}); p.then(() => {}); await wait(5); return take().map((e) => e.reason); },
  "prevented": async () => { prevent = true; Promise.reject(new Error("prevented one")); await wait(5); prevent = false; return take(); },
  "waitUntil": async (ctx) => { ctx.waitUntil(Promise.reject(new Error("in waitUntil"))); await wait(5); return take(); },
  "timer throws": async () => { setTimeout(() => { throw new TypeError("timer"); }, 0); await wait(10); return take(); },
  "microtask throws": async () => { queueMicrotask(() => { throw new TypeError("micro"); }); await wait(10); return take(); },
  "timer async throws": async () => { setTimeout(async () => { throw new TypeError("timer async"); }, 0); await wait(10); return take(); },
  "reportError": async () => { reportError(new RangeError("reported")); const now = take(); await wait(5); return [now, take()]; },
  "reportError none": async () => { try { reportError(); } catch (e) { return String(e); } return take(); },
  "reportError prevented": async () => { prevent = true; reportError(new Error("prevented error")); prevent = false; return take(); },
  "onunhandledrejection": async () => { globalThis.onunhandledrejection = (e) => log.push("handler " + e.reason.message); Promise.reject(new Error("h")); await wait(5); delete globalThis.onunhandledrejection; return take().map((x) => typeof x === "string" ? x : x.type); },
  "class": () => [typeof PromiseRejectionEvent, PromiseRejectionEvent?.name, PromiseRejectionEvent.length, Object.getOwnPropertyNames(PromiseRejectionEvent.prototype).sort()],
  "new": () => { const e = new PromiseRejectionEvent("x", { promise: Promise.resolve(), reason: 5 }); return show(e); },
  "new without init": () => { try { return show(new PromiseRejectionEvent("x")); } catch (e) { return String(e); } },
  "new without promise": () => { try { return show(new PromiseRejectionEvent("x", { reason: 5 })); } catch (e) { return String(e); } },
  "new without reason": () => { try { return show(new PromiseRejectionEvent("x", { promise: Promise.resolve() })); } catch (e) { return String(e); } },
  "new bad promise": () => { try { return show(new PromiseRejectionEvent("x", { promise: 5 })); } catch (e) { return String(e); } },
  "new cancelable": () => { const e = new PromiseRejectionEvent("x", { promise: Promise.resolve(), cancelable: true, bubbles: true }); e.preventDefault(); return show(e); },
  "resolve after": async () => { new Promise((res, rej) => { rej(new Error("both")); res(1); }); await wait(5); return take().map((e) => e.reason); },
  "rpc rejection": async (ctx, env) => { env.FAR.getByName("z").fails(); await wait(20); return take().map((e) => [e.type, e.reason]); },
  "rpc property": async (ctx, env) => { env.FAR.getByName("z").nope; await wait(20); return take().map((e) => [e.type, e.reason]); },
  "fetch rejection": async (ctx, env) => { env.FAR.getByName("z").fetch("bad"); await wait(20); return take().map((e) => [e.type, e.reason]); },
  "dispatchEvent": () => { dispatchEvent(new PromiseRejectionEvent("unhandledrejection", { promise: Promise.resolve(), reason: "mine" })); return take(); },
  "same tick log": async () => { const seq = []; addEventListener("unhandledrejection", () => seq.push("event"), { once: true }); Promise.reject(1); queueMicrotask(() => seq.push("micro")); Promise.resolve().then(() => {}).then(() => seq.push("micro2")); setTimeout(() => seq.push("timer"), 0); await wait(10); take(); return seq; },
};
export class Far extends DurableObject { fails() { throw new Error("far fails"); } }
export class Near extends DurableObject { async fetch() { return Response.json(await runAll("object: ", this.ctx, this.env)); } }

async function runAll(prefix, ctx, env) {
  const answers = {};
  for (const [name, run] of Object.entries(cases)) {
    try { answers[prefix + name] = await run(ctx, env); } catch (error) { answers[prefix + name] = `threw ${error}`; }
    take();
  }
  return answers;
}

export default {
  async fetch(request, env, ctx) {
    const own = await runAll("", ctx, env);
    return Response.json({ ...own, ...(await (await env.NEAR.getByName("a").fetch(request)).json()) });
  },
};
