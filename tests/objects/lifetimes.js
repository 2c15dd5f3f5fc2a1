// A Worker that lends, holds and lets go, in every way; its objects do the same.
import { DurableObject, env, RpcStub, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

const disposed = [];
const told = (error) => `${error.name}: ${error.message}`;
const attempt = (run) => Promise.resolve().then(run).catch(told);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// How many things that were lent have not been collected.
let alive = 0;
const collected = new FinalizationRegistry(() => alive--);
function counted(thing) {
  alive++;
  collected.register(thing);
  return thing;
}

class Target extends RpcTarget {
  constructor(name) {
    super();
    this.name = name;
  }
  hi() { return this.name; }
  child() { return new Target("child"); }
  [Symbol.dispose]() { disposed.push(this.name); }
}

class Throwing extends RpcTarget {
  [Symbol.dispose]() { throw new Error("in the disposer"); }
}

export class Keeper extends DurableObject {
  log() { return disposed.splice(0); }
  alive() { return alive; }
  service() { return this.env.KEEPER.getByName("b"); }
  give(name = "held") { return new Target(name); }
  same() { return (this.one ??= new Target("same")); }
  twice() { const one = new Target("twice"); return [one, one]; }
  plain() { return { inside: new Target("inside"), [Symbol.dispose]: () => disposed.push("plain") }; }
  function() { const f = () => 1; f[Symbol.dispose] = () => disposed.push("function"); return f; }
  take() {}
  fail() { throw new Error("no"); }
  keep(stub) { this.kept = stub.dup(); }
  async callKept() { return await this.kept(); }
  drop() { this.kept[Symbol.dispose](); }
  reset(message = "reset") { this.ctx.abort(message); }
  async holdOther() { return await (this.other = await this.env.KEEPER.getByName("b").give()).hi(); }
  async callOther() { return await this.other.hi(); }
  dropOther() { this.other[Symbol.dispose](); }
  // Its caller is gone before it returns.
  async late() { await new Promise((done) => { this.goOn = done; }); return new Target("late"); }
  letGo() { this.goOn(); }
  callLate() { this.env.KEEPER.getByName("b").late(); }
  async call(f) { return await f(); }
  fresh() { return counted(() => 1); }
  async lendMany(count) {
    const other = this.env.KEEPER.getByName("b");
    for (let i = 0; i < count; i++) await other.call(counted(() => i));
    return count;
  }
}

export class Entry extends WorkerEntrypoint {
  target() { return new Target("entry"); }
  async callback() { return await this.env.KEEPER.getByName("a").call(() => "callback"); }
}

function lentFunction(name = "lent") {
  let calls = 0;
  const lent = () => ++calls;
  lent[Symbol.dispose] = () => disposed.push(name);
  return lent;
}

// What is on its way to other isolates arrives meanwhile.
const settled = async () => {
  for (let i = 0; i < 3; i++) await env.KEEPER.getByName("bystander").take();
};

const log = async (stub) => {
  await settled();
  return stub === undefined ? disposed.splice(0) : await stub.log();
};

const routes = {
  log: () => disposed.splice(0),
  alive: () => alive,
  hold: async ({ a }) => { globalThis.held = await a.give(); return await held.hi(); },
  stale: () => attempt(() => held.hi()),
  "stale/dispose": () => { held[Symbol.dispose](); return "disposed"; },
  "hold/service": async ({ a }) => { globalThis.service = await a.service(); return await service.alive(); },
  "stale/service": async () => [await attempt(() => service.alive()), await attempt(() => service.fetch("http://x/"))],
  "hold/wait": async ({ a, ctx }) => {
    const held = await a.give();
    globalThis.later = null;
    ctx.waitUntil(wait(1000).then(async () => { later = await held.hi(); }));
    return 1;
  },
  later: () => later,
  "hold/body": async ({ a }) => {
    const held = await a.give();
    let pulls = 0;
    const encoder = new TextEncoder();
    return new Response(new ReadableStream({
      type: "bytes",
      async pull(controller) {
        if (pulls++ === 0) controller.enqueue(encoder.encode("first "));
        else { controller.enqueue(encoder.encode(await held.hi())); controller.close(); }
      },
    }, { highWaterMark: 0 }));
  },
  lend: async ({ a }) => { await a.keep(lentFunction()); return await a.callKept(); },
  "lend/wait": async ({ a, ctx }) => { await a.keep(lentFunction()); ctx.waitUntil(wait(1000)); return 1; },
  kept: ({ a }) => attempt(() => a.callKept()),
  "kept/drop": async ({ a }) => { await a.drop(); return "dropped"; },
  "argument/take": async ({ a }) => { await a.take(new Target("argument")); return [await log(), await log()]; },
  "argument/fail": async ({ a }) => { await attempt(() => a.fail(new Target("argument"))); return [await log(), await log()]; },
  "argument/missing": async ({ a }) => { await attempt(() => a.missing(new Target("argument"))); return [await log(), await log()]; },
  "argument/private": async ({ a }) => { await attempt(() => a.ctx.storage(new Target("argument"))); return [await log(), await log()]; },
  unsent: async ({ a }) => {
    const error = await a.take(new Target("unsent"), Symbol()).catch((error) => error.name);
    return [error, await log()];
  },
  duplicate: async ({ a }) => {
    await a.keep(lentFunction());
    const before = await log();
    const called = await a.callKept();
    await a.drop();
    return [before, called, await log()];
  },
  same: async ({ a }) => {
    const [one, two] = [await a.same(), await a.same()];
    one[Symbol.dispose]();
    const first = await log(a);
    two[Symbol.dispose]();
    return [first, await log(a), await log(a)];
  },
  twice: async ({ a }) => { const target = new Target("twice"); const stub = new RpcStub(target); await a.take([stub, stub]); const before = await log(); stub[Symbol.dispose](); return [before, await log()]; },
  plain: async ({ a }) => {
    const result = await a.plain();
    const before = await log(a);
    result[Symbol.dispose]();
    result[Symbol.dispose]();
    return [before, await log(a), await log(a)];
  },
  "plain/keep": async ({ a }) => { globalThis.kept = await a.plain(); return 1; },
  function: async ({ a }) => { const f = await a.function(); await f(); const before = await log(a); f[Symbol.dispose](); return [before, await log(a)]; },
  promise: async ({ a }) => {
    const promise = a.give();
    const stub = await promise;
    promise[Symbol.dispose]();
    return [await attempt(() => stub.hi()), await log(a)];
  },
  throwing: async ({ a }) => { await a.take(new Throwing()); await settled(); return "thrown"; },
  "holder/reset": async ({ a }) => {
    await a.keep(lentFunction());
    await attempt(() => a.reset());
    return [await log(), await log()];
  },
  reset: ({ env, query }) => attempt(() => env.KEEPER.getByName(query).reset()),
  other: ({ a }) => attempt(() => a.callOther()),
  orphan: async ({ a }) => { await a.callLate(); return await attempt(() => a.reset("gone")); },
  entry: async ({ ctx }) => {
    const target = await ctx.exports.Entry.target();
    const [hi, called] = [await target.hi(), await ctx.exports.Entry.callback()];
    const before = await log();
    target[Symbol.dispose]();
    return [hi, called, before, await log()];
  },
  "entry/child": async ({ ctx }) => {
    const target = await ctx.exports.Entry.target();
    const child = await target.child();
    target[Symbol.dispose]();
    const hi = await child.hi();
    child[Symbol.dispose]();
    return [hi, (await log()).sort()];
  },
  socket: async ({ a }) => {
    const held = await a.give();
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", async () => server.send(await held.hi()));
    return new Response(null, { status: 101, webSocket: client });
  },
  many: async ({ a, query }) => {
    for (let i = 0; i < +query; i++) await a.call(counted(() => i));
    return +query;
  },
  "many/object": ({ a, query }) => a.lendMany(+query),
  "many/missing": async ({ a, query }) => {
    for (let i = 0; i < +query; i++) await a.missing(counted(() => i)).catch(() => {});
    return +query;
  },
  // Never disposed of, and all held to the end of the request.
  "many/results": async ({ a, query }) => {
    const all = [];
    for (let i = 0; i < +query; i++) {
      all.push(await a.fresh());
      if (all.length === 500) all.splice(0).forEach((stub, at) => { if (at % 2) stub[Symbol.dispose](); });
    }
    return +query;
  },
};

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const path = url.pathname.slice(1).replace(/\/\d+$/, "");
    const query = url.search === "" ? url.pathname.split("/").at(-1) : url.search.slice(1);
    const answer = await routes[path]({ a: env.KEEPER.getByName("a"), env, ctx, query });
    return answer instanceof Response ? answer : Response.json(answer);
  },
};
