// Facets, case by case, each in an object of its own. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

const seen = (error) => ({ name: error.name, message: error.message, isError: error instanceof Error, remote: error.remote, retryable: error.retryable, overloaded: error.overloaded, reset: error.durableObjectReset, code: error.code, extra: error.extra });
const attempt = async (run) => { try { const v = await run(); return v === undefined ? "(undefined)" : v; } catch (error) { return error instanceof Error ? seen(error) : { thrown: error }; } };
const child = (ctx, name = "child", options = {}) => ctx.facets.get(name, () => ({ class: ctx.exports.Child, ...options }));
const tick = () => scheduler.wait(1);

class Counter extends RpcTarget {
  n = 0;
  add(k) { return (this.n += k); }
}

export class Child extends DurableObject {
  visits = 0;
  tag = "child";
  get shape() { return [this.visits, this.tag]; }
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/throw": throw new RangeError("thrown");
      case "/hang": return this.hang();
      case "/stream": return new Response(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode("streamed")); c.close(); } }));
      case "/socket": { const [a, b] = Object.values(new WebSocketPair()); b.accept(); b.addEventListener("message", (e) => b.send("re: " + e.data)); return new Response(null, { status: 101, webSocket: a }); }
      case "/hibernate": { const [a, b] = Object.values(new WebSocketPair()); this.ctx.acceptWebSocket(b, ["t"]); b.serializeAttachment({ kept: 1 }); return new Response(null, { status: 101, webSocket: a }); }
      default: return Response.json([request.method, request.url, await request.text(), request.headers.get("x-k")]);
    }
  }
  webSocketMessage(socket, message) { socket.send(JSON.stringify([message, socket.deserializeAttachment(), this.ctx.getTags(socket), this.ctx.getWebSockets().length])); }
  visit() { return ++this.visits; }
  echo(...values) { return values; }
  typed(v) { return [typeof v, v instanceof Date, v instanceof Map]; }
  fail(message) { throw Object.assign(new RangeError(message), { extra: 1 }); }
  failString() { throw "a string"; }
  put(key, value) { return this.ctx.storage.put(key, value); }
  get(key) { return this.ctx.storage.get(key); }
  async keys() { return [...(await this.ctx.storage.list()).keys()]; }
  rows() { return this.ctx.storage.sql.exec("SELECT * FROM t").raw().toArray(); }
  table(...values) { this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a)"); for (const v of values) this.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", v); return this.rows(); }
  clear() { return this.ctx.storage.deleteAll(); }
  sync() { return this.ctx.storage.sync(); }
  abortMe(reason) { this.ctx.abort(reason); }
  async block() { await this.ctx.blockConcurrencyWhile(async () => { throw new TypeError("in block"); }); }
  async hang() { await new Promise((resolve) => setTimeout(resolve, 20_000)); return "woke"; }
  counter() { return new Counter(); }
  nested() { return { a: { counter: new Counter(), n: 5 } }; }
  call(f, ...args) { return f(...args); }
  id() { const { id } = this.ctx; return typeof id === "string" ? ["string", id] : [id.constructor.name, id.toString(), id.name]; }
  ids(hex) { const { id } = this.ctx; return typeof id === "string" ? id : id.toString() === hex; }
  props() { return this.ctx.props; }
  ctxShape() { return [this.ctx.constructor.name, this.ctx.facets?.constructor.name, typeof this.ctx.storage, Object.keys(this.ctx.exports).sort(), Object.keys(this.env).sort()]; }
  async alarms() { const out = []; out.push(await attempt(() => this.ctx.storage.getAlarm())); out.push(await attempt(() => this.ctx.storage.deleteAlarm())); return out; }
  async setAlarm(time) { await this.ctx.storage.setAlarm(time ?? Date.now() + 10_000); return "set"; }
  async setAlarmCaught() { try { await this.ctx.storage.setAlarm(Date.now() + 10_000); } catch (e) { return "caught " + e.message; } return "set"; }
  async setAlarmInTransaction() { return await this.ctx.storage.transaction(async (t) => { await t.setAlarm(Date.now() + 10_000); return "set"; }); }
  setAlarmLater() { this.later = this.ctx.storage.setAlarm(Date.now() + 10_000).catch((e) => "caught " + e.message); return "not awaited"; }
  setAlarmUnconfirmed() { this.later = this.ctx.storage.setAlarm(Date.now() + 10_000, { allowUnconfirmed: true }); return "not awaited"; }
  async setAndClearAlarm() { const a = this.ctx.storage.setAlarm(Date.now() + 10_000); await this.ctx.storage.deleteAlarm(); await a; return "cleared"; }
  alarm() {}
  below(name) { return child(this.ctx, name).visit(); }
  async depth() { try { return 1 + (await child(this.ctx, "d").depth()); } catch (e) { return e.message; } }
  async deep(path, method, ...args) { return path.length === 0 ? await this[method](...args) : await child(this.ctx, path[0]).deep(path.slice(1), method, ...args); }
  deleteBelow(name) { this.ctx.facets.delete(name); }
  cloneBelow(from, to) { this.ctx.facets.clone(from, to); }
  async gate() { await this.ctx.blockConcurrencyWhile(async () => { await scheduler.wait(30); this.visits = 100; }); return this.visits; }
  async viaParent(env) { return await this.env.PARENT.get(this.ctx.id).ping(); }
  async bookmark() { return typeof (await this.ctx.storage.getCurrentBookmark()); }
  bookmarkAt() { return this.ctx.storage.getBookmarkForTime(Date.now()); }
  restore() { return this.ctx.storage.onNextSessionRestoreBookmark("00000000-00000000-00000000-00000000000000000000000000000000"); }
  async inTransaction(key) { return await this.ctx.storage.transaction(async (t) => { await t.put(key, 1); return await t.get(key); }); }
  async rolledBack(key) { try { await this.ctx.storage.transaction(async (t) => { await t.put(key, 1); throw new Error("no"); }); } catch {} return await this.ctx.storage.get(key); }
  wait(f) { this.ctx.waitUntil(f()); return "going on"; }
}

export class AlarmLess extends DurableObject {
  async setAlarm() { await this.ctx.storage.setAlarm(Date.now() + 10_000); return "set"; }
}

export class Throwing extends DurableObject {
  constructor(ctx, env) { super(ctx, env); throw new TypeError("in constructor"); }
  visit() { return 1; }
}

export class Plain {
  constructor(ctx) { this.ctx = ctx; }
  fetch() { return new Response("plain " + typeof this.ctx.facets); }
}

export class Entry extends WorkerEntrypoint {}

/** Each runs in a fresh parent. */
const cases = {
  "ctx.facets": (ctx) => [typeof ctx.facets, ctx.facets.constructor.name, Object.prototype.toString.call(ctx.facets), ctx.facets === ctx.facets, Object.getOwnPropertyNames(Object.getPrototypeOf(ctx.facets)).sort()],
  "facets in ctx": (ctx) => ["facets" in ctx, Object.hasOwn(ctx, "facets")],
  "new": (ctx) => new ctx.facets.constructor(),
  "stub": (ctx) => { const f = child(ctx); return [typeof f, f.constructor.name, Object.prototype.toString.call(f), typeof f.fetch, String(f)]; },
  "visit": (ctx) => child(ctx).visit(),
  "state stays": async (ctx) => { await child(ctx).visit(); return [await child(ctx).visit(), await child(ctx, "other").visit()]; },
  "startup once": async (ctx) => { let n = 0; const get = () => ctx.facets.get("a", () => { n++; return { class: ctx.exports.Child }; }); const a = get(); const early = n; await a.visit(); await get().visit(); await a.visit(); return [early, n]; },
  "startup not called without use": async (ctx) => { let n = 0; ctx.facets.get("a", () => { n++; return { class: ctx.exports.Child }; }); await tick(); await tick(); return n; },
  "startup of second get": async (ctx) => { const out = []; const a = ctx.facets.get("a", () => { out.push("first"); return { class: ctx.exports.Child }; }); const b = ctx.facets.get("a", () => { out.push("second"); return { class: ctx.exports.Child }; }); await b.visit(); await a.visit(); return out; },
  "startup async": (ctx) => ctx.facets.get("a", async () => { await tick(); return { class: ctx.exports.Child }; }).visit(),
  "startup throws": (ctx) => ctx.facets.get("a", () => { throw new RangeError("startup"); }).visit(),
  "startup throws, again": async (ctx) => { const out = []; let n = 0; const get = () => ctx.facets.get("a", () => { n++; throw new RangeError("startup " + n); }); const f = get(); for (const s of [f, f, get()]) out.push(await attempt(() => s.visit())); out.push(n); out.push(await attempt(() => child(ctx, "a").visit())); return out; },
  "startup throws, then abort": async (ctx) => { await attempt(() => ctx.facets.get("a", () => { throw new RangeError("startup"); }).visit()); ctx.facets.abort("a", new Error("x")); return child(ctx, "a").visit(); },
  "startup rejects": (ctx) => ctx.facets.get("a", async () => { throw new RangeError("startup"); }).visit(),
  "startup throws string": (ctx) => ctx.facets.get("a", () => { throw "text"; }).visit(),
  "startup throws, fetch": (ctx) => ctx.facets.get("a", () => { throw new RangeError("startup"); }).fetch("http://h/"),
  "startup gives nothing": (ctx) => ctx.facets.get("a", () => {}).visit(),
  "startup gives number": (ctx) => ctx.facets.get("a", () => 5).visit(),
  "startup gives null": (ctx) => ctx.facets.get("a", () => null).visit(),
  "startup gives string": (ctx) => ctx.facets.get("a", () => "x").visit(),
  "startup without class": (ctx) => ctx.facets.get("a", () => ({})).visit(),
  "class null": (ctx) => ctx.facets.get("a", () => ({ class: null })).visit(),
  "class constructor": (ctx) => ctx.facets.get("a", () => ({ class: Child })).visit(),
  "class string": (ctx) => ctx.facets.get("a", () => ({ class: "Child" })).visit(),
  "class object": (ctx) => ctx.facets.get("a", () => ({ class: {} })).visit(),
  "class namespace of env": (ctx, env) => ctx.facets.get("a", () => ({ class: env.PARENT })).visit(),
  "class of exports with storage": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Parent })).ping(),
  "class of exports with storage and props": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Parent({ props: { a: 1 } }) })).propsOf(),
  "class entrypoint": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Entry })).visit(),
  "class default": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.default })).visit(),
  "class stub": (ctx, env) => ctx.facets.get("a", () => ({ class: env.PARENT.getByName("x") })).visit(),
  "class plain": async (ctx) => (await ctx.facets.get("a", () => ({ class: ctx.exports.Plain })).fetch("http://h/")).text(),
  "class plain rpc": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Plain })).visit(),
  "class id": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Child, id: undefined })).visit(),
  "props": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Child({ props: { a: [1, new Date(5)], b: "x" } }) })).props(),
  "props none": (ctx) => child(ctx).props(),
  "props empty call": (ctx) => ctx.facets.get("a", () => ({ class: ctx.exports.Child({}) })).props(),
  "props of own": (ctx) => ctx.props,
  "id default": async (ctx) => [await child(ctx).ids(ctx.id.toString()), (await child(ctx).id())[2] ?? null],
  "id string": (ctx) => child(ctx, "a", { id: "some id" }).id(),
  "id empty string": (ctx) => child(ctx, "a", { id: "" }).id(),
  "id number": (ctx) => child(ctx, "a", { id: 5 }).id(),
  "id null": (ctx) => child(ctx, "a", { id: null }).id(),
  "id object": (ctx) => child(ctx, "a", { id: {} }).id(),
  "id own": async (ctx) => child(ctx, "a", { id: ctx.id }).ids(ctx.id.toString()),
  "id named": (ctx, env) => child(ctx, "a", { id: env.PARENT.idFromName("named") }).id(),
  "id from string": (ctx, env) => child(ctx, "a", { id: env.PARENT.idFromString(env.PARENT.idFromName("named").toString()) }).id(),
  "id below string": (ctx) => child(ctx, "a", { id: "text" }).deep(["b"], "id"),
  "id is not identity": async (ctx) => { await child(ctx, "a", { id: "x" }).put("k", 1); ctx.facets.abort("a", new Error("x")); return [await child(ctx, "a", { id: "y" }).get("k"), await child(ctx, "a").id()]; },
  "name 256": (ctx) => child(ctx, "n".repeat(256)).visit(),
  "name 257": (ctx) => child(ctx, "n".repeat(257)).visit(),
  "name 257, not used": (ctx) => { child(ctx, "n".repeat(257)); },
  "name 256 wide": (ctx) => child(ctx, "\u20ac".repeat(256)).visit(),
  "name 85 wide": (ctx) => child(ctx, "\u20ac".repeat(85)).visit(),
  "name 86 wide": (ctx) => child(ctx, "\u20ac".repeat(86)).visit(),
  "name number": async (ctx) => { await child(ctx, 5).visit(); return child(ctx, "5").visit(); },
  "name undefined": async (ctx) => { await child(ctx, null).visit(); return child(ctx, "null").visit(); },
  "name symbol": (ctx) => child(ctx, Symbol("x")).visit(),
  "name nul": async (ctx) => [await child(ctx, "a\0b").visit(), await child(ctx, "a").visit(), await child(ctx, "a\0c").visit()],
  "name path": async (ctx) => [await child(ctx, "../x/y").visit(), await child(ctx, "../x/y").visit()],
  "get nothing": (ctx) => ctx.facets.get(),
  "get one": (ctx) => ctx.facets.get("a"),
  "get no function": (ctx) => ctx.facets.get("a", {}),
  "get undefined": (ctx) => ctx.facets.get("a", undefined),
  "abort name empty": (ctx) => ctx.facets.abort("", new Error("x")),
  "abort name 257": (ctx) => ctx.facets.abort("n".repeat(257), new Error("x")),
  "delete name empty": (ctx) => ctx.facets.delete(""),
  "delete name 257": (ctx) => ctx.facets.delete("n".repeat(257)),
  "delete nothing": (ctx) => ctx.facets.delete(),
  "delete unknown": (ctx) => ctx.facets.delete("never"),
  "delete unknown, with others": async (ctx) => { await child(ctx).put("k", 1); return ctx.facets.delete("never"); },
  "abort nothing": (ctx) => ctx.facets.abort(),
  "abort one": (ctx) => ctx.facets.abort("a"),
  "abort unknown": (ctx) => ctx.facets.abort("never", new Error("x")),
  "clone fetch after": async (ctx) => { const f = child(ctx, "b"); await f.visit(); const p = attempt(() => f.fetch("http://h/hang")); await tick(); ctx.facets.clone("a", "b"); return p; },
  "detached": (ctx) => { const { get } = ctx.facets; return get("a", () => ({ class: ctx.exports.Child })).visit(); },

  // Calls
  "echo": (ctx) => child(ctx).echo(1, "x", [true, null], { a: 1 }),
  "types": (ctx) => Promise.all([child(ctx).typed(new Date(1)), child(ctx).typed(new Map()), child(ctx).typed(() => {})]),
  "property": async (ctx) => [await child(ctx).shape, await child(ctx).tag].length,
  "property getter": async (ctx) => await child(ctx).shape,
  "property own": async (ctx) => await child(ctx).tag,
  "missing": (ctx) => child(ctx).nope(),
  "private": (ctx) => child(ctx)._x(),
  "throws": (ctx) => child(ctx).fail("thrown"),
  "throws string": (ctx) => child(ctx).failString(),
  "alive after throw": async (ctx) => { await child(ctx).visit(); await attempt(() => child(ctx).fail("x")); return child(ctx).visit(); },
  "pipelining": async (ctx) => [await child(ctx).counter().add(2), await child(ctx).nested().a.n, await child(ctx).nested().a.counter.add(3)],
  "target lives": async (ctx) => { const c = await child(ctx).counter(); return [await c.add(1), await c.add(2)]; },
  "callback": (ctx) => child(ctx).call((a, b) => a + b, 1, 2),
  "callback sees parent": async (ctx, env, self) => { self.seen = 0; await child(ctx).call(() => { self.seen++; }); return self.seen; },
  "order": async (ctx) => { const f = child(ctx); return Promise.all([f.visit(), f.visit(), f.visit()]); },
  "order over two stubs": async (ctx) => Promise.all([child(ctx).visit(), child(ctx).visit(), child(ctx).visit()]),
  "fetch": async (ctx) => (await child(ctx).fetch("http://h/p?q", { method: "POST", body: "b", headers: { "x-k": "v" } })).json(),
  "fetch relative": (ctx) => child(ctx).fetch("/x"),
  "fetch throws": (ctx) => child(ctx).fetch("http://h/throw"),
  "fetch stream": async (ctx) => (await child(ctx).fetch("http://h/stream")).text(),
  "socket": async (ctx) => { const { webSocket } = await child(ctx).fetch("http://h/socket", { headers: { upgrade: "websocket" } }); webSocket.accept(); const got = new Promise((r) => webSocket.addEventListener("message", (e) => r(e.data))); webSocket.send("hi"); return got; },
  "hibernatable socket": async (ctx) => { const { webSocket } = await child(ctx).fetch("http://h/hibernate", { headers: { upgrade: "websocket" } }); webSocket.accept(); const got = new Promise((r) => webSocket.addEventListener("message", (e) => r(e.data))); webSocket.send("hi"); return got; },
  "socket and abort": async (ctx) => { const { webSocket } = await child(ctx).fetch("http://h/socket", { headers: { upgrade: "websocket" } }); webSocket.accept(); const over = new Promise((r) => { webSocket.addEventListener("close", (e) => r(["close", e.code, e.wasClean])); webSocket.addEventListener("error", () => r(["error"])); }); ctx.facets.abort("child", new Error("gone")); return over; },
  "child shape": (ctx) => child(ctx).ctxShape(),
  "stubs over rpc": (ctx, env) => env.PARENT.getByName("receiver").take(child(ctx)),
  "stubs returned": (ctx, env) => env.PARENT.getByName("giver").give(),
  "stub to itself": (ctx) => child(ctx, "a").take?.(child(ctx, "b")),
  "stub to sibling": (ctx) => child(ctx, "a").echo(child(ctx, "b")),
  "stub stored": (ctx) => ctx.storage.put("k", child(ctx)),
  "stub cloned": (ctx) => structuredClone(child(ctx)),
  "class over rpc": (ctx, env) => env.PARENT.getByName("receiver").take(ctx.exports.Child({})),
  "class stored": (ctx) => ctx.storage.put("k", ctx.exports.Child({ props: {} })),
  "class shape": (ctx) => { const c = ctx.exports.Child({ props: {} }); return [typeof c, c.constructor.name]; },
  "class over rpc used": async (ctx, env) => await env.PARENT.getByName("receiver").useClass(ctx.exports.Child({ props: { given: 1 } })),
  "class cloned": (ctx) => structuredClone(ctx.exports.Child({ props: {} })).constructor.name,
  "class returned": async (ctx, env) => (await env.PARENT.getByName("giver").giveClass()).constructor.name,
  "exports child": (ctx) => [typeof ctx.exports.Plain, Object.prototype.toString.call(ctx.exports.Plain), ctx.exports.Plain.constructor.name, typeof ctx.exports.Plain({})],
  "via parent": async (ctx) => child(ctx).viaParent(),
  "wait until": async (ctx, env, self) => { self.seen = 0; const r = await child(ctx).wait(() => { self.seen = 1; }); await tick(); await tick(); return [r, self.seen]; },

  // Storage
  "own storage": async (ctx) => { await ctx.storage.put("k", "parent"); await child(ctx).put("k", "child"); await child(ctx, "b").put("k", "other"); return [await ctx.storage.get("k"), await child(ctx).get("k"), await child(ctx, "b").get("k")]; },
  "own tables": async (ctx) => { ctx.storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('parent')"); return [await child(ctx).table(1, 2), ctx.storage.sql.exec("SELECT * FROM t").raw().toArray()]; },
  "transaction": async (ctx) => [await child(ctx).inTransaction("k"), await child(ctx).rolledBack("l"), await child(ctx).keys()],
  "bookmark": (ctx) => child(ctx).bookmark(),
  "not part of parent's transaction": async (ctx) => { try { await ctx.storage.transaction(async (t) => { await t.put("k", 1); await child(ctx).put("k", 2); throw new Error("no"); }); } catch {} return [(await ctx.storage.get("k")) ?? null, await child(ctx).get("k")]; },

  // Life
  "abort": async (ctx) => { const f = child(ctx); await f.visit(); await f.put("k", 1); const r = ctx.facets.abort("child", new RangeError("gone")); return [r ?? null, await attempt(() => f.visit()), await child(ctx).visit(), await child(ctx).get("k"), await attempt(() => f.visit())]; },
  "abort with string": async (ctx) => { const f = child(ctx); await f.visit(); ctx.facets.abort("child", "text"); return attempt(() => f.visit()); },
  "abort with undefined": async (ctx) => { const f = child(ctx); await f.visit(); ctx.facets.abort("child", undefined); return attempt(() => f.visit()); },
  "abort with null": async (ctx) => { const f = child(ctx); await f.visit(); ctx.facets.abort("child", null); return attempt(() => f.visit()); },
  "abort with object": async (ctx) => { const f = child(ctx); await f.visit(); ctx.facets.abort("child", { a: 1 }); return attempt(() => f.visit()); },
  "abort with own error": async (ctx) => { class Own extends Error { constructor(m) { super(m); this.name = "Own"; this.extra = 1; } } const f = child(ctx); await f.visit(); ctx.facets.abort("child", new Own("mine")); return attempt(() => f.visit()); },
  "abort under way": async (ctx) => { const f = child(ctx); await f.visit(); const p = attempt(() => f.hang()); await tick(); ctx.facets.abort("child", new RangeError("gone")); return p; },
  "abort fetch under way": async (ctx) => { const f = child(ctx); await f.visit(); const p = attempt(() => f.fetch("http://h/hang")); await tick(); ctx.facets.abort("child", new RangeError("gone")); return p; },
  "abort just called": async (ctx) => { const f = child(ctx); const p = attempt(() => f.visit()); ctx.facets.abort("child", new RangeError("gone")); return p; },
  "abort before use": async (ctx) => { const f = child(ctx); ctx.facets.abort("child", new RangeError("gone")); return attempt(() => f.visit()); },
  "abort and then called": async (ctx) => { const f = child(ctx); await f.visit(); ctx.facets.abort("child", new RangeError("gone")); const p = attempt(() => child(ctx).visit()); return p; },
  "abort targets": async (ctx) => { const c = await child(ctx).counter(); ctx.facets.abort("child", new RangeError("gone")); return attempt(() => c.add(1)); },
  "abort leaves siblings": async (ctx) => { await child(ctx, "a").visit(); await child(ctx, "b").visit(); ctx.facets.abort("a", new Error("x")); return [await child(ctx, "a").visit(), await child(ctx, "b").visit()]; },
  "abort ends nested": async (ctx) => { await child(ctx).below("x"); await child(ctx).below("x"); ctx.facets.abort("child", new Error("x")); return child(ctx).below("x"); },
  "abort keeps nested storage": async (ctx) => { await child(ctx).deep(["x"], "put", "k", 1); ctx.facets.abort("child", new Error("x")); return child(ctx).deep(["x"], "get", "k"); },
  "abort drops what is not written": async (ctx) => { const f = child(ctx); await f.visit(); f.put("k", 1).catch(() => {}); ctx.facets.abort("child", new Error("x")); return (await child(ctx).get("k")) ?? null; },
  "delete": async (ctx) => { const f = child(ctx); await f.put("k", 1); await f.table(1); const r = ctx.facets.delete("child"); return [r ?? null, await attempt(() => f.visit()), await child(ctx).keys(), await attempt(() => child(ctx).rows())]; },
  "delete under way": async (ctx) => { const f = child(ctx); await f.visit(); const p = attempt(() => f.hang()); await tick(); ctx.facets.delete("child"); return p; },
  "delete nested": async (ctx) => { await child(ctx).deep(["x", "y"], "put", "k", 1); ctx.facets.delete("child"); return [(await child(ctx).deep(["x", "y"], "get", "k")) ?? null]; },
  "delete below": async (ctx) => { await child(ctx).deep(["x"], "put", "k", 1); await child(ctx).put("k", 2); await child(ctx).deleteBelow("x"); return [(await child(ctx).deep(["x"], "get", "k")) ?? null, await child(ctx).get("k")]; },
  "delete leaves siblings": async (ctx) => { await child(ctx, "a").put("k", 1); await child(ctx, "b").put("k", 2); ctx.facets.delete("a"); return [(await child(ctx, "a").get("k")) ?? null, await child(ctx, "b").get("k")]; },
  "delete twice": async (ctx) => { await child(ctx).put("k", 1); ctx.facets.delete("child"); ctx.facets.delete("child"); return (await child(ctx).keys()); },
  "delete not running": async (ctx) => { await child(ctx).put("k", 1); ctx.facets.abort("child", new Error("x")); ctx.facets.delete("child"); return (await child(ctx).keys()); },
  "delete, called at once": async (ctx) => { await child(ctx).put("k", 1); ctx.facets.delete("child"); const p = child(ctx).put("l", 2); await p; return child(ctx).keys(); },
  "delete while writing": async (ctx) => { const f = child(ctx); await f.visit(); const p = attempt(() => f.put("k", 1)); ctx.facets.delete("child"); return [await p, await child(ctx).keys()]; },
  "own abort": async (ctx) => { const f = child(ctx); await f.visit(); return [await attempt(() => f.abortMe("mine")), await attempt(() => f.visit()), await child(ctx).visit()]; },
  "own abort without reason": async (ctx) => attempt(() => child(ctx).abortMe()),
  "own abort, startup again": async (ctx) => { let n = 0; const get = () => ctx.facets.get("a", () => { n++; return { class: ctx.exports.Child }; }); await attempt(() => get().abortMe("x")); await get().visit(); return n; },
  "block fails": async (ctx) => { const f = child(ctx); return [await attempt(() => f.block()), await attempt(() => f.visit()), await child(ctx).visit()]; },
  "constructor throws": async (ctx) => { const f = ctx.facets.get("a", () => ({ class: ctx.exports.Throwing })); return [await attempt(() => f.visit()), await attempt(() => f.visit()), await attempt(() => child(ctx, "a").visit())]; },
  "parent lives on": async (ctx, env, self) => { self.seen = 7; await attempt(() => child(ctx).abortMe("x")); return self.seen; },
  "gates of parent and child": async (ctx) => { const order = []; const f = child(ctx); await f.visit(); const slow = f.gate().then((v) => order.push(v)); order.push(await child(ctx, "b").visit()); await slow; return order; },
  "calls wait for child's gate": async (ctx) => { const f = child(ctx); await f.visit(); const slow = f.gate(); const v = f.visit(); return [await slow, await v]; },
  "in parent's section": async (ctx) => await ctx.blockConcurrencyWhile(async () => await child(ctx).visit()),
  "startup in parent's section": async (ctx) => await ctx.blockConcurrencyWhile(async () => await ctx.facets.get("a", async () => { await tick(); return { class: ctx.exports.Child }; }).visit()),
  "in parent's transaction": async (ctx) => await ctx.storage.transaction(async () => await child(ctx).visit()),
  "deleteAll": async (ctx) => { await child(ctx).put("k", 1); ctx.facets.abort("child", new Error("x")); await ctx.storage.put("k", 1); await ctx.storage.deleteAll(); return child(ctx).keys(); },
  "deleteAll nested": async (ctx) => { await child(ctx).deep(["x"], "put", "k", 1); ctx.facets.abort("child", new Error("x")); await ctx.storage.put("k", 1); await ctx.storage.deleteAll(); return (await child(ctx).deep(["x"], "get", "k")) ?? null; },
  "deleteAll of empty parent": async (ctx) => { await child(ctx).put("k", 1); ctx.facets.abort("child", new Error("x")); await ctx.storage.deleteAll(); return child(ctx).keys(); },
  "deleteAll of running": async (ctx) => { const f = child(ctx); await f.put("k", 1); await f.visit(); await ctx.storage.deleteAll(); return [await attempt(() => f.visit()), await attempt(() => f.keys()), await attempt(() => child(ctx).keys())]; },
  "deleteAll of running, written": async (ctx) => { const f = child(ctx); await f.put("k", 1); await ctx.storage.deleteAll(); const out = [await attempt(() => f.put("l", 2)), await attempt(() => f.keys())]; ctx.facets.abort("child", new Error("x")); out.push(await attempt(() => child(ctx).keys())); return out; },
  "deleteAll of facet": async (ctx) => { await child(ctx).put("k", 1); await child(ctx).deep(["x"], "put", "k", 1); await ctx.storage.put("k", 5); await child(ctx).clear(); ctx.facets.abort("child", new Error("x")); return [await child(ctx).keys(), (await child(ctx).deep(["x"], "get", "k")) ?? null, await ctx.storage.get("k")]; },
  "depth": (ctx) => child(ctx).depth(),
  "depth error": async (ctx) => attempt(() => child(ctx).deep(["a", "b", "c"], "visit")),
  "depth three": (ctx) => child(ctx).deep(["a", "b"], "visit"),
  "same names below": async (ctx) => { await child(ctx, "x").put("k", 1); await child(ctx, "x").deep(["x"], "put", "k", 2); await child(ctx, "x").deep(["x", "x"], "put", "k", 3); return [await child(ctx, "x").get("k"), await child(ctx, "x").deep(["x"], "get", "k"), await child(ctx, "x").deep(["x", "x"], "get", "k")]; },

  // Copies
  "clone": async (ctx) => { await child(ctx, "a").put("k", 1); const r = ctx.facets.clone("a", "b"); return [r ?? null, await child(ctx, "b").keys(), await child(ctx, "a").keys()]; },
  "clone running with rows": async (ctx) => { await child(ctx, "a").table(1, 2, 3); ctx.facets.clone("a", "b"); await child(ctx, "b").table(4); return [await child(ctx, "a").rows(), await child(ctx, "b").rows()]; },
  "clone aborted": async (ctx) => { await child(ctx, "a").table(1, 2, 3); ctx.facets.abort("a", new Error("x")); ctx.facets.clone("a", "b"); return [await child(ctx, "a").rows(), await child(ctx, "b").rows()]; },
  "clone over": async (ctx) => { await child(ctx, "a").put("k", 1); const f = child(ctx, "b"); await f.put("l", 1); ctx.facets.clone("a", "b"); return [await attempt(() => f.visit()), await child(ctx, "b").keys()]; },
  "clone nested": async (ctx) => { await child(ctx, "a").deep(["x", "y"], "put", "k", 1); ctx.facets.clone("a", "b"); return [(await child(ctx, "b").deep(["x", "y"], "get", "k")) ?? null, (await child(ctx, "b").deep(["x"], "keys"))]; },
  "clone over nested": async (ctx) => { await child(ctx, "a").put("k", 1); await child(ctx, "b").deep(["x"], "put", "k", 1); ctx.facets.clone("a", "b"); return [await child(ctx, "b").keys(), await child(ctx, "b").deep(["x"], "keys")]; },
  "clone unknown": async (ctx) => { const f = child(ctx, "b"); await f.put("k", 1); ctx.facets.clone("never", "b"); return [await attempt(() => f.visit()), await child(ctx, "b").keys()]; },
  "clone itself": async (ctx) => { const f = child(ctx, "a"); await f.put("k", 1); ctx.facets.clone("a", "a"); return [await attempt(() => f.visit()), await child(ctx, "a").keys()]; },
  "clone names": async (ctx) => Promise.all([attempt(() => ctx.facets.clone("", "a")), attempt(() => ctx.facets.clone("a", "")), attempt(() => ctx.facets.clone("n".repeat(257), "a")), attempt(() => ctx.facets.clone("a", "n".repeat(257))), attempt(() => ctx.facets.clone()), attempt(() => ctx.facets.clone("a"))]),
  "clone never used": async (ctx) => ctx.facets.clone("a", "b") ?? null,
  "clone is apart": async (ctx) => { await child(ctx, "a").put("k", 1); ctx.facets.clone("a", "b"); await child(ctx, "a").put("k", 2); await child(ctx, "b").put("k", 3); return [await child(ctx, "a").get("k"), await child(ctx, "b").get("k")]; },
  "clone and delete": async (ctx) => { await child(ctx, "a").put("k", 1); ctx.facets.clone("a", "b"); ctx.facets.delete("a"); return [await child(ctx, "a").keys(), await child(ctx, "b").keys()]; },
  "clone keeps source": async (ctx) => { await child(ctx, "a").visit(); ctx.facets.clone("a", "b"); return [await child(ctx, "a").visit(), await child(ctx, "b").visit()]; },
  "clone of empty": async (ctx) => { await child(ctx, "a").visit(); ctx.facets.clone("a", "b"); return child(ctx, "b").keys(); },

  // Alarms
  "alarm": async (ctx) => { const f = child(ctx); return [await attempt(() => f.setAlarm()), await attempt(() => f.visit()), await attempt(() => child(ctx).visit())]; },
  "alarm caught": async (ctx) => { const f = child(ctx); return [await attempt(() => f.setAlarmCaught()), await attempt(() => child(ctx).visit())]; },
  "alarm after put": async (ctx) => { const f = child(ctx); await f.put("k", 1); return [await attempt(() => f.setAlarm()), await attempt(() => child(ctx).keys())]; },
  "alarm in transaction": async (ctx) => { const f = child(ctx); return [await attempt(() => f.setAlarmInTransaction()), await attempt(() => child(ctx).visit())]; },
  "alarm not awaited": async (ctx) => { const f = child(ctx); return [await attempt(() => f.setAlarmLater()), await attempt(() => child(ctx).visit())]; },
  "alarm unconfirmed": async (ctx) => { const f = child(ctx); const r = [await attempt(() => f.setAlarmUnconfirmed())]; await scheduler.wait(20); r.push(await attempt(() => child(ctx).visit())); return r; },
  "alarm set and cleared": async (ctx) => { const f = child(ctx); return [await attempt(() => f.setAndClearAlarm()), await attempt(() => child(ctx).visit())]; },
  "alarm without handler": async (ctx) => attempt(() => ctx.facets.get("a", () => ({ class: ctx.exports.AlarmLess })).setAlarm()),
  "alarm reads": (ctx) => child(ctx).alarms(),
  "alarm bad time": (ctx) => child(ctx).setAlarm(-5),
};

export class Parent extends DurableObject {
  seen = 0;
  ping() { return "pong"; }
  propsOf() { return this.ctx.props; }
  take(stub) { return typeof stub; }
  useClass(given) { return this.ctx.facets.get("given", () => ({ class: given })).props(); }
  giveClass() { return this.ctx.exports.Child({ props: {} }); }
  give() { return child(this.ctx); }
  run(name) { return attempt(() => cases[name](this.ctx, this.env, this)); }
  // Across the life of the parent
  async fill() { await child(this.ctx).put("k", 1); await child(this.ctx).visit(); return child(this.ctx).visit(); }
  look() { return Promise.all([child(this.ctx).visit(), child(this.ctx).get("k")]); }
  end(reason) { this.ctx.abort(reason); }
  async hangChild() { return child(this.ctx).hang(); }
  async giveTarget() { return child(this.ctx).counter(); }
  async fetch(request) { return child(this.ctx).fetch(request); }
  section() { return this.ctx.blockConcurrencyWhile(async () => { throw new TypeError("in block"); }); }
}

/** Seen from outside. */
const outside = {
  "worker has none": (env, ctx) => [typeof ctx.facets, "facets" in ctx],
  "parent aborts": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); await p.fill(); await attempt(() => p.end("over")); return (env.PARENT.get(p.id)).look(); },
  "parent aborts while child works": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); await p.fill(); const h = attempt(() => p.hangChild()); await scheduler.wait(5); await attempt(() => p.end("over")); return h; },
  "parent breaks": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); await p.fill(); await attempt(() => p.section()); return (env.PARENT.get(p.id)).look(); },
  "target of a facet, given on": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); const t = await p.giveTarget(); return [await t.add(1), await t.add(2)]; },
  "request through": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); return (await p.fetch("http://h/through", { method: "PUT", body: "b" })).json(); },
  "socket through": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); const { webSocket } = await p.fetch("http://h/hibernate", { headers: { upgrade: "websocket" } }); webSocket.accept(); const got = new Promise((r) => webSocket.addEventListener("message", (e) => r(e.data))); webSocket.send("hi"); return got; },
  "socket through, parent aborts": async (env) => { const p = env.PARENT.get(env.PARENT.newUniqueId()); const { webSocket } = await p.fetch("http://h/hibernate", { headers: { upgrade: "websocket" } }); webSocket.accept(); const over = new Promise((r) => { webSocket.addEventListener("close", (e) => r(["close", e.code, e.wasClean])); }); await attempt(() => p.end("over")); return over; },
  "named": async (env) => env.PARENT.getByName("named parent").run("id default"),
  "facet of exports": (env, ctx) => [typeof ctx.exports.Child],
};

export default {
  async fetch(request, env, ctx) {
    const only = new URL(request.url).searchParams.get("case");
    const out = {};
    const chosen = (name) => only === null || only === name;
    const limited = (p) => Promise.race([p, scheduler.wait(4000).then(() => "(hangs)")]);
    for (const name of Object.keys(cases).filter(chosen)) out[name] = await limited(attempt(() => env.PARENT.get(env.PARENT.newUniqueId()).run(name)));
    for (const [name, run] of Object.entries(outside)) if (chosen(name)) out[name] = await limited(attempt(() => run(env, ctx)));
    return Response.json(out);
  },
};
