// Alarms, case by case. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const FAR = 4e12;
const show = (value) => (value instanceof Error ? `${value.name}: ${value.message}` : value === undefined ? "(undefined)" : value);
const attempt = async (run) => { try { return show(await run()); } catch (error) { return show(error); } };
/** A time as two clocks can agree on it. */
const when = (time) => (typeof time !== "number" || time >= FAR / 2 ? time : time > Date.now() + 100 ? "later" : "now or before");

/** Times that setAlarm is given. */
const times = {
  zero: 0, "minus one": -1, "minus zero": -0, NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity, string: "5", word: "soon", null: null,
  undefined: undefined, object: {}, array: [FAR], bigint: 5n, boolean: true, "boxed number": new Number(FAR), date: new Date(FAR),
  "invalid date": new Date(NaN), "date before 1970": new Date(-5), fraction: FAR + 0.7, "less than one": 0.5, past: 5, "past date": new Date(5),
  latest: 9223372036854, "too late": 9223372036855, "last date": new Date(8.64e15), "beyond dates": 8.64e15 + 1, huge: 1e300, "minus huge": -1e300,
  valueOf: { valueOf: () => FAR }, symbol: Symbol("x"),
};

/** Things done with the methods, in one turn. */
const calls = {
  "no argument": (s) => s.setAlarm(),
  "options of another type": (s) => s.setAlarm(FAR, 5),
  "options null": (s) => s.setAlarm(FAR, null),
  "options of get": (s) => s.getAlarm("x"),
  "options of delete": (s) => s.deleteAlarm(1),
  "unconfirmed": async (s) => { await s.setAlarm(FAR, { allowUnconfirmed: true, allowConcurrency: true }); return s.getAlarm(); },
  "set returns": (s) => s.setAlarm(FAR),
  "get none": (s) => s.getAlarm(),
  "delete none": (s) => s.deleteAlarm(),
  "delete returns": async (s) => { await s.setAlarm(FAR); return [show(await s.deleteAlarm()), await s.getAlarm()]; },
  "replace": async (s) => { await s.setAlarm(FAR); await s.setAlarm(FAR + 5); return s.getAlarm(); },
  "errors are rejections": (s) => { const p = s.setAlarm(0); const is = p instanceof Promise; return p.then(() => is, () => is); },
  "type errors are rejections": (s) => { const p = s.setAlarm("x"); const is = p instanceof Promise; return p.then(() => is, () => is); },
  "unawaited": (s) => { s.setAlarm(FAR); return s.getAlarm(); },
  "delete all": async (s) => { await s.setAlarm(FAR); await s.deleteAll(); return s.getAlarm(); },
  "delete all and set": async (s) => { await s.setAlarm(FAR); s.deleteAll(); await s.setAlarm(FAR + 1); return s.getAlarm(); },
  "txn sets": (s) => s.transaction(async (t) => [show(await t.setAlarm(FAR)), await t.getAlarm(), await s.getAlarm()]),
  "txn kept": async (s) => { await s.transaction((t) => t.setAlarm(FAR)); return s.getAlarm(); },
  "txn rolled back": async (s) => { await s.setAlarm(FAR); await s.transaction(async (t) => { await t.setAlarm(FAR + 1); t.rollback(); }); return s.getAlarm(); },
  "txn throws": async (s) => { try { await s.transaction(async (t) => { await t.setAlarm(FAR); throw new Error("no"); }); } catch {} return s.getAlarm(); },
  "txn deletes and rolls back": async (s) => { await s.setAlarm(FAR); await s.transaction(async (t) => { await t.deleteAlarm(); t.rollback(); }); return s.getAlarm(); },
  "storage inside txn": async (s) => { await s.transaction(async (t) => { await s.setAlarm(FAR); t.rollback(); }); return s.getAlarm(); },
  "txn nested": async (s) => { await s.transaction(async (t) => { await t.setAlarm(FAR); await s.transaction(async (u) => { await u.setAlarm(FAR + 1); u.rollback(); }); }); return s.getAlarm(); },
  "txn bad time": (s) => s.transaction((t) => t.setAlarm("x")),
  "txn zero": (s) => s.transaction((t) => t.setAlarm(0)),
  "txn set after rollback": (s) => s.transaction(async (t) => { t.rollback(); await t.setAlarm(FAR); }),
  "txn get after rollback": (s) => s.transaction(async (t) => { t.rollback(); await t.getAlarm(); }),
  "txn delete after rollback": (s) => s.transaction(async (t) => { t.rollback(); await t.deleteAlarm(); }),
  "txn set after its end": async (s) => { let t; await s.transaction(async (x) => { t = x; }); return t.setAlarm(FAR); },
  "txn get after its end": async (s) => { let t; await s.transaction(async (x) => { t = x; }); return t.getAlarm(); },
  "sync kept": async (s) => { s.transactionSync(() => { s.setAlarm(FAR); }); return s.getAlarm(); },
  "sync rolled back": async (s) => { try { s.transactionSync(() => { s.setAlarm(FAR); throw new Error("no"); }); } catch {} return s.getAlarm(); },
  "list does not show it": async (s) => { await s.setAlarm(FAR); return [...(await s.list()).keys()]; },
};

/** Things done by the handler; `note` is for what it sees. */
const handlers = {
  "nothing": () => {},
  "returns a value": () => 5,
  "info": (s, info, note) => note([Object.keys(info), Object.prototype.toString.call(info), info.constructor.name, JSON.stringify(Object.keys({ ...info }))]),
  "info is about the alarm": async (s, info, note) => note([info.scheduledTime === (await s.get("time")), Date.now() >= info.scheduledTime]),
  "own name": (s, info, note, ctx) => note(ctx.id.name),
  "get": async (s, info, note) => note(await s.getAlarm()),
  "get in txn": (s, info, note) => s.transaction(async (t) => note(await t.getAlarm())),
  "sets another": async (s, info, note) => { await s.setAlarm(FAR); await note(await s.getAlarm()); },
  "sets another soon": async (s, info) => { if ((await s.get("log")).length < 3) await s.setAlarm(Date.now() + 30); },
  "sets another and throws": async (s) => { if ((await s.get("log")).length < 3) { await s.setAlarm(Date.now() + 30); throw new Error("late"); } },
  "throws": () => { throw new TypeError("late"); },
  "throws once": async (s, info) => { if (info.retryCount === 0) throw new Error("late"); },
  "rejects with a number": () => Promise.reject(5),
  "writes and throws": async (s) => { await s.put("written", 1); throw new Error("late"); },
  "deletes and throws": async (s) => { await s.deleteAlarm(); throw new Error("late"); },
  "delete all": async (s, info, note) => { const log = await s.get("log"); await s.deleteAll(); await s.put("log", log); await note(await s.getAlarm()); },
  "delete all and throws": async (s) => { const log = await s.get("log"); await s.deleteAll(); await s.put("log", log); throw new Error("late"); },
  "txn rolled back": async (s, info, note) => { await s.transaction(async (t) => { await t.setAlarm(FAR); t.rollback(); }); await note(await s.getAlarm()); },
  "txn kept": async (s, info, note) => { await s.transaction((t) => t.setAlarm(FAR)); await note(await s.getAlarm()); },
  "txn nested": async (s, info, note) => { await s.transaction(async (t) => { await t.setAlarm(FAR); await s.transaction(async (u) => { await u.setAlarm(FAR + 1); u.rollback(); }); }); await note(await s.getAlarm()); },
  "txn rolled back and throws": async (s) => { await s.transaction(async (t) => { await t.setAlarm(FAR); t.rollback(); }); throw new Error("late"); },
  "waits": async (s, info, note) => { await scheduler.wait(50); await note(await s.getAlarm()); },
  "aborts": async (s, info, note, ctx) => { await s.sync(); if (!info.isRetry) ctx.abort("enough"); },
  "aborts for good": async (s, info, note, ctx) => { await s.sync(); ctx.abort("enough", { retryAlarm: false }); },
  "breaks a section": async (s, info, note, ctx) => { await s.sync(); if (!info.isRetry) await ctx.blockConcurrencyWhile(async () => { throw new Error("broken"); }); },
};

export class Probe extends DurableObject {
  async note(entry) { await this.ctx.storage.put("log", [...((await this.ctx.storage.get("log")) ?? []), entry]); }
  async fetch(request) {
    const { storage } = this.ctx;
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/time": return Response.json([await attempt(() => storage.setAlarm(times[searchParams.get("case")])), when(await storage.getAlarm())]);
      case "/call": return Response.json((await attempt(() => calls[searchParams.get("case")](storage))) ?? null);
      case "/start": {
        await storage.setAlarm(Date.now() + 20);
        await storage.put({ how: searchParams.get("case"), time: await storage.getAlarm() });
        return new Response();
      }
      case "/end": return Response.json([await storage.get("log") ?? null, when(await storage.getAlarm()), await storage.get("written") ?? null]);
    }
  }
  async alarm(info) {
    const { storage } = this.ctx;
    await this.note([info.retryCount, info.isRetry]);
    return handlers[await storage.get("how")](storage, info, (entry) => this.note(entry), this.ctx);
  }
}

export class Silent extends DurableObject {
  constructor(ctx, env) { super(ctx, env); if (ctx.id.name === "early") this.early = attempt(() => ctx.storage.setAlarm(Date.now() + 100)); }
  async fetch() {
    const { storage } = this.ctx;
    return Response.json([await this.early ?? null, when(await storage.getAlarm()), await attempt(() => storage.setAlarm(FAR)), await attempt(() => storage.setAlarm(0)), await attempt(() => storage.setAlarm("x")), await attempt(() => storage.deleteAlarm())]);
  }
}

export default {
  async fetch(request, env) {
    const out = {};
    const ask = async (name, path) => (await env.PROBE.getByName(name).fetch(`http://x${path}`)).json();
    const plain = Object.keys(times).map(async (name) => { out[`time ${name}`] = await ask(`time ${name}`, `/time?case=${encodeURIComponent(name)}`); });
    plain.push(...Object.keys(calls).map(async (name) => { out[name] = await ask(`call ${name}`, `/call?case=${encodeURIComponent(name)}`); }));
    const early = (await env.SILENT.getByName("early").fetch("http://x/")).text();
    out["no handler"] = await (await env.SILENT.getByName("late").fetch("http://x/")).json();
    out["no handler, early"] = JSON.parse(await early);
    await Promise.all(plain);
    await Promise.all(Object.keys(handlers).map((name) => env.PROBE.getByName(`run ${name}`).fetch(`http://x/start?case=${encodeURIComponent(name)}`)));
    await scheduler.wait(3000);
    await Promise.all(Object.keys(handlers).map(async (name) => { out[`handler: ${name}`] = await ask(`run ${name}`, "/end"); }));
    out["no handler, later"] = await (await env.SILENT.getByName("early").fetch("http://x/")).json();
    return Response.json(out);
  },
};
