// What a constructor, an alarm and requests at once do with the storage, case by case, each in an object of its own.
// Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";
const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof Error || value instanceof DOMException) return { error: value.name, message: value.message, ...(value.durableObjectReset ? { reset: true } : {}), ...(value.overloaded ? { overloaded: true } : {}), ...(value.retryable ? { retryable: true } : {}) };
  if (value === undefined) return { undefined: true };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
const wait = (ms) => scheduler.wait(ms);
const FAR = 4e12;

/**
 * A case: what the constructor does (`make`), the alarm and each request, by name, and what is asked: requests, each when the one
 * before it is answered, and milliseconds to wait. What must come before something else does so by a second or more.
 */
const cases = {
  "constructor writes": { make: (s) => { s.put("a", 1); s.kv.put("b", 2); s.sql.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)"); }, get: (s) => s.list(), ask: (go) => [go("get"), go("get")] },
  "constructor reads": { make: async (s, o) => { o.seen = s.kv.get("n") ?? 0; s.kv.put("n", o.seen + 1); }, get: (s, o) => o.seen, ask: (go) => [go("get"), go("get")] },
  "constructor unawaited read": { make: (s, o) => { s.get("a").then((v) => { o.seen = v ?? "none"; }); }, get: (s, o) => o.seen ?? "not yet", ask: (go) => [go("get")] },
  "constructor blocks": { make: (s, o, ctx) => { ctx.blockConcurrencyWhile(async () => { await wait(5); o.seen = (await s.get("a")) ?? "none"; await s.put("a", 1); }); }, get: (s, o) => o.seen, ask: (go) => [go("get"), go("get")] },
  "constructor transaction": { make: (s, o) => { s.transaction(async (t) => { await wait(5); await t.put("a", 1); }); }, get: (s) => s.get("a"), ask: (go) => [go("get")] },
  "constructor transaction fails": { make: (s, o) => { s.transaction(async (t) => { await t.put("a", 1); throw new Error("x"); }).catch((e) => { o.seen = e.message; }); }, get: async (s, o) => [o.seen ?? "none", (await s.get("a")) ?? "nothing"], ask: (go) => [go("get")] },
  "constructor transactionSync": { make: (s) => { s.transactionSync(() => s.kv.put("a", 1)); }, get: (s) => s.get("a"), ask: (go) => [go("get")] },
  "constructor throws after a write": { make: (s) => { s.kv.put("n", (s.kv.get("n") ?? 0) + 1); if (s.kv.get("n") < 3) throw new RangeError("not yet " + s.kv.get("n")); }, get: (s) => s.get("n"), ask: (go) => [go("get"), go("get"), go("get")] },
  "constructor throws after sync": { make: (s, o, ctx) => { ctx.blockConcurrencyWhile(async () => { const n = ((await s.get("n")) ?? 0) + 1; await s.put("n", n); await s.sync(); if (n < 3) throw new RangeError("not yet " + n); }); }, get: (s) => s.get("n"), ask: (go) => [go("get"), go("get"), go("get")] },
  "constructor block throws after a write": { make: (s, o, ctx) => { ctx.blockConcurrencyWhile(async () => { await s.put("a", 1); throw new TypeError("no"); }); }, get: (s) => s.list(), ask: (go) => [go("get"), go("get")] },
  "constructor sets an alarm": { make: (s) => { s.setAlarm(FAR); }, get: (s) => s.getAlarm(), alarm: () => {}, ask: (go) => [go("get")] },
  "constructor deleteAll": { make: (s, o) => { s.deleteAll(); s.put("a", (o.n = 1)); }, put: (s) => s.put("b", 1), get: (s) => s.list(), ask: (go) => [go("put"), go("get")] },
  "constructor bad sql": { make: (s) => { s.sql.exec("SELEC"); }, get: () => 1, ask: (go) => [go("get"), go("get")] },
  "constructor aborts": { make: (s, o, ctx) => { s.put("a", 1); ctx.abort("early"); }, get: (s) => s.list(), ask: (go) => [go("get"), go("get")] },
  "constructor waitUntil": { make: (s, o, ctx) => { ctx.waitUntil(wait(5).then(() => s.put("a", 1))); }, get: (s) => s.list(), later: async (s) => { await wait(500); return s.list(); }, ask: (go) => [go("get"), go("later")] },
  "constructor timer": { make: (s, o) => { o.log = ["made"]; setTimeout(async () => { await s.put("a", 1); o.log.push("timer"); }, 5); }, get: async (s, o) => { await wait(500); return [o.log, await s.get("a")]; }, ask: (go) => [go("get")] },
  "field initializers": { field: (s) => s.kv.get("f") ?? "none", make: (s) => { s.kv.put("f", 1); }, get: (s, o) => o.field, ask: (go) => [go("get")] },

  "alarm uses all": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o) => { s.sql.exec("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)"); await s.put("a", 1); s.kv.put("b", 2); await s.transaction(async (t) => { await t.put("c", 3); }); s.transactionSync(() => s.kv.put("d", 4)); }, get: async (s) => [await s.list(), s.sql.exec("SELECT * FROM t").toArray(), await s.getAlarm()], ask: (go) => [go("start"), 1500, go("get")] },
  "alarm in a transaction that waits": { start: (s) => s.setAlarm(Date.now() + 400), alarm: (s) => s.put("fired", 1), hold: (s) => s.transaction(async (t) => { await wait(1000); return (await t.get("fired")) ?? "not yet"; }), get: (s) => s.get("fired"), ask: (go) => [go("start"), go("hold"), 1500, go("get")] },
  "alarm set in a transaction that waits": { hold: (s) => s.transaction(async (t) => { await t.setAlarm(Date.now() + 1); await wait(600); return (await t.get("fired")) ?? "not yet"; }), alarm: (s) => s.put("fired", 1), get: (s) => s.get("fired"), ask: (go) => [go("hold"), 1500, go("get")] },
  "alarm set in a transaction that fails": { hold: (s) => s.transaction(async (t) => { await t.setAlarm(Date.now() + 1); await wait(300); throw new Error("no"); }), alarm: (s) => s.put("fired", 1), get: async (s) => [(await s.get("fired")) ?? "never", await s.getAlarm()], ask: (go) => [go("hold"), 1500, go("get")] },
  "alarm deleted in a transaction that fails": { start: (s) => s.setAlarm(Date.now() + 600), hold: (s) => s.transaction(async (t) => { await t.deleteAlarm(); throw new Error("no"); }), alarm: (s) => s.put("fired", 1), get: async (s) => [(await s.get("fired")) ?? "never", await s.getAlarm()], ask: (go) => [go("start"), go("hold"), 2500, go("get")] },
  "alarm moved earlier in a transaction that fails": { start: (s) => s.setAlarm(FAR), hold: (s) => s.transaction(async (t) => { await t.setAlarm(Date.now() + 1); throw new Error("no"); }), alarm: (s) => s.put("fired", 1), get: async (s) => [(await s.get("fired")) ?? "never", await s.getAlarm()], ask: (go) => [go("start"), go("hold"), 1500, go("get")] },
  "alarm and blockConcurrencyWhile": { start: (s) => s.setAlarm(Date.now() + 5), alarm: (s, o, ctx) => ctx.blockConcurrencyWhile(async () => { await wait(5); await s.put("fired", await s.getAlarm() ?? "null"); }), get: (s) => s.get("fired"), ask: (go) => [go("start"), 1500, go("get")] },
  "alarm while a request waits": { start: async (s, o) => { await s.setAlarm(Date.now() + 100); await wait(1500); return (await s.get("fired")) ?? "not yet"; }, alarm: (s) => s.put("fired", 1), ask: (go) => [go("start")] },
  "request while the alarm waits": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await s.put("began", 1); await wait(2000); await s.put("done", 1); }, get: async (s) => [await s.list(), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("get"), 3000, go("get")] },
  "setAlarm while the alarm runs": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o) => { await s.put("n", ((await s.get("n")) ?? 0) + 1); await wait(2000); }, again: (s) => s.setAlarm(Date.now() + 10), get: async (s) => [await s.get("n"), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("again"), 5500, go("get")] },
  "deleteAlarm while the alarm runs": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await s.put("n", 1); await wait(2000); await s.put("n", 2); }, again: (s) => s.deleteAlarm(), get: async (s) => [await s.get("n"), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("again"), 2500, go("get")] },
  "deleteAll while the alarm runs": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await s.put("n", 1); await wait(2000); await s.put("m", 2); }, again: (s) => s.deleteAll(), get: async (s) => [await s.list(), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("again"), 2500, go("get")] },
  "abort while the alarm runs": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o, ctx, info) => { await s.put("n", ((await s.get("n")) ?? 0) + 1); await s.sync(); await wait(2000); await s.put("done", info.retryCount); }, again: (s, o, ctx) => ctx.abort("gone"), get: async (s) => [await s.get("n"), await s.get("done") ?? "not yet"], ask: (go) => [go("start"), 1000, go("again"), 10, go("get"), 7000, go("get")] },
  "getAlarm of others while the alarm runs": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await wait(1500); }, get: (s) => s.getAlarm(), ask: (go) => [go("start"), 700, go("get"), 2500, go("get")] },
  "getAlarm between tries": { start: async (s, o) => { const t = Date.now() + 5; await s.setAlarm(t); await s.put("t", t); }, alarm: () => { throw new Error("late"); }, get: async (s) => (await s.getAlarm()) === (await s.get("t")), ask: (go) => [go("start"), 1000, go("get")] },
  "setAlarm between tries": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o, ctx, info) => { const n = ((await s.get("n")) ?? 0) + 1; await s.put("n", n); await s.put("seen" + n, [info.retryCount, info.isRetry]); if (n === 1) throw new Error("late"); }, again: (s) => s.setAlarm(Date.now() + 10), get: (s) => s.list(), ask: (go) => [go("start"), 1000, go("again"), 5000, go("get")] },
  "deleteAlarm between tries": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await s.put("n", ((await s.get("n")) ?? 0) + 1); throw new Error("late"); }, again: (s) => s.deleteAlarm(), get: async (s) => [await s.get("n"), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("again"), 3000, go("get")] },
  "deleteAll between tries": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s) => { await s.put("n", ((await s.get("n")) ?? 0) + 1); throw new Error("late"); }, again: (s) => s.deleteAll(), get: async (s) => [await s.list(), await s.getAlarm()], ask: (go) => [go("start"), 1000, go("again"), 3000, go("get")] },
  "alarm returns before its work": { start: (s) => s.setAlarm(Date.now() + 5), alarm: (s) => { wait(50).then(() => s.put("late", 1)); }, get: async (s) => [await s.get("late"), await s.getAlarm()], ask: (go) => [go("start"), 1500, go("get")] },
  "alarm leaves a deferred constraint": { make: (s) => { s.sql.exec("CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"); }, start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o, ctx, info) => { s.sql.exec("INSERT INTO b VALUES (5)"); }, get: async (s) => s.sql.exec("SELECT * FROM b").toArray(), ask: (go) => [go("start"), 1500, go("get")] },
  "alarm throws null": { start: (s) => s.setAlarm(Date.now() + 5), alarm: async (s, o, ctx, info) => { if (!info.isRetry) throw null; await s.put("retry", info.retryCount); }, get: (s) => s.get("retry"), ask: (go) => [go("start"), 4500, go("get")] },
  "alarm time in info": { start: async (s) => { const t = Date.now() + 5.7; await s.setAlarm(t); await s.put("t", Math.trunc(t)); }, alarm: async (s, o, ctx, info) => { await s.put("same", [info.scheduledTime === await s.get("t"), Number.isInteger(info.scheduledTime)]); }, get: (s) => s.get("same"), ask: (go) => [go("start"), 1500, go("get")] },
  "alarm in the past": { start: async (s) => { const before = Date.now(); await s.setAlarm(5); const t = await s.getAlarm(); return t === null || t >= before - 1; }, alarm: (s) => s.put("fired", 1), get: (s) => s.get("fired"), ask: (go) => [go("start"), 1500, go("get")] },
  "alarm set and deleted in one turn": { start: async (s) => { s.setAlarm(Date.now() + 1); s.deleteAlarm(); return s.getAlarm(); }, alarm: (s) => s.put("fired", 1), get: async (s) => (await s.get("fired")) ?? "never", ask: (go) => [go("start"), 1500, go("get")] },
  "alarm set by many requests": { start: (s) => s.setAlarm(Date.now() + 700), alarm: async (s) => s.put("n", ((await s.get("n")) ?? 0) + 1), get: (s) => s.get("n"), ask: (go) => [Promise.all(Array.from({ length: 20 }, () => go("start"))), 2500, go("get")] },
  "alarm and the last commit": { start: async (s) => { await s.put("a", 1); s.setAlarm(Date.now() + 1); await s.put("b", 1); }, alarm: async (s) => { await s.put("seen", [...(await s.list()).keys()]); }, get: (s) => s.get("seen"), ask: (go) => [go("start"), 1500, go("get")] },

  "transactions of requests": { add: (s) => s.transaction(async (t) => { const n = (await t.get("n")) ?? 0; await wait(2); await t.put("n", n + 1); return n; }), get: (s) => s.get("n"), ask: (go) => [Promise.all(Array.from({ length: 10 }, () => go("add"))).then((a) => a.sort((x, y) => x - y)), go("get")] },
  "transactions and plain requests": { add: (s) => s.transaction(async (t) => { const n = (await t.get("n")) ?? 0; await wait(5); await t.put("n", n + 1); }), plain: async (s) => { await s.put("n", ((await s.get("n")) ?? 0) + 1); }, get: (s) => s.get("n"), ask: (go) => [Promise.all(Array.from({ length: 10 }, (_, i) => go(i % 2 ? "add" : "plain"))).then(() => 0), go("get")] },
  "requests that lose updates": { add: async (s) => { const n = (await s.get("n")) ?? 0; await wait(5); await s.put("n", n + 1); }, get: (s) => s.get("n"), ask: (go) => [Promise.all(Array.from({ length: 5 }, () => go("add"))).then(() => 0), go("get")] },
  "requests that do not": { add: async (s) => { const n = (await s.get("n")) ?? 0; await s.get("other"); await s.list(); await s.put("n", n + 1); }, get: (s) => s.get("n"), ask: (go) => [Promise.all(Array.from({ length: 20 }, () => go("add"))).then(() => 0), go("get")] },
  "sync lets others in": { add: async (s) => { const n = (await s.get("n")) ?? 0; await s.put("x", 1); await s.sync(); await s.put("n", n + 1); }, get: async (s) => (await s.get("n")) <= 5, ask: (go) => [Promise.all(Array.from({ length: 5 }, () => go("add"))).then(() => 0), go("get")] },
  "one transaction fails among others": { add: (s) => s.transaction(async (t) => { const n = (await t.get("n")) ?? 0; await t.put("n", n + 1); await wait(1); if (n === 2) { await t.put("skipped", 1); throw new Error("third"); } return n; }), get: async (s) => [await s.get("n"), (await s.get("skipped")) ?? "no"], ask: (go) => [Promise.all(Array.from({ length: 5 }, () => go("add"))).then((a) => a.map((x) => x.thrown?.message ?? "fine").sort()), go("get")] },
  "abort fails the others": { slow: async (s) => { await s.put("slow", 1); await wait(3000); return "done"; }, stop: async (s, o, ctx) => { await wait(200); ctx.abort("stopped"); }, get: (s) => s.list(), ask: (go) => [Promise.all([go("slow"), go("stop")]), go("get")] },
  "block failing fails the others": { slow: async (s) => { await s.put("slow", 1); await wait(3000); return "done"; }, stop: async (s, o, ctx) => { await wait(200); await s.put("b", 1); await ctx.blockConcurrencyWhile(async () => { throw new TypeError("blocked"); }); }, get: (s) => s.list(), ask: (go) => [Promise.all([go("slow"), go("stop")]), go("get")] },
  "commit failing fails the others": { make: (s) => { s.sql.exec("CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"); }, slow: async (s) => { await wait(3000); return "done"; }, stop: async (s) => { await wait(200); s.sql.exec("INSERT INTO b VALUES (1)"); return "stopped"; }, get: (s) => s.sql.exec("SELECT * FROM b").toArray(), ask: (go) => [Promise.all([go("slow"), go("stop")]).then((all) => all.map((a) => a.thrown?.message.slice(0, 40) ?? a)), go("get")] },
  "commit failing, fetch does not leave": { make: (s) => { s.sql.exec("CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"); }, stop: async (s, o, ctx, env) => { s.sql.exec("INSERT INTO b VALUES (1)"); await env.PROBE.getByName("commit failing, fetch does not leave: witness").fetch("http://o/?do=note"); return "went on"; }, note: (s) => s.put("noted", 1), get: (s) => s.list(), ask: (go, witness) => [go("stop").then((a) => a.thrown?.message.slice(0, 40) ?? a), witness("get")] },
  "unconfirmed lets the fetch leave": { stop: async (s, o, ctx, env) => { s.put("a", 1, { allowUnconfirmed: true }); await env.PROBE.getByName("unconfirmed lets the fetch leave: witness").fetch("http://o/?do=note"); ctx.abort("gone"); }, note: (s) => s.put("noted", 1), get: async (s) => [...(await s.list()).keys()].filter((k) => k === "noted"), ask: (go, witness) => [go("stop").then((a) => a.thrown?.message ?? a), witness("get")] },
};

export class Probe extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    // A witness is called by the case's name and a word of its own.
    this.what = cases[/^[^:]*/.exec(ctx.id.name)[0]];
    this.field = this.what.field?.(ctx.storage, this);
    this.what.make?.(ctx.storage, this, ctx);
  }
  async fetch(request) {
    const run = this.what[new URL(request.url).searchParams.get("do")];
    return Response.json(await attempt(() => run(this.ctx.storage, this, this.ctx, this.env)));
  }
  alarm(info) { return this.what.alarm?.(this.ctx.storage, this, this.ctx, info); }
}

/** A request that is made when its answer is waited for. */
const asking = (env, object) => (what) => ({
  then(done, failed) {
    const late = wait(12_000).then(() => Response.json("hangs"));
    return attempt(async () => (await Promise.race([late, env.PROBE.getByName(object).fetch(`http://o/?do=${what}`)])).json()).then(done, failed);
  },
});

async function answer(env, name) {
  const answers = [];
  for (const step of cases[name].ask(asking(env, name), asking(env, `${name}: witness`))) {
    if (typeof step === "number") await wait(step);
    else answers.push(await step);
  }
  return answers;
}

export default {
  async fetch(request, env) {
    const answers = {};
    await Promise.all(Object.keys(cases).map(async (name) => { answers[name] = await answer(env, name); }));
    return Response.json(answers);
  },
};
