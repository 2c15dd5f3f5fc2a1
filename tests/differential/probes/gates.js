// What leaves an object by WebSocket, and when, around its writes, transactions and failures. Served by durabox and by workerd; the two
// answers must be equal.
import { DurableObject } from "cloudflare:workers";
const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof Error) return { error: value.name, message: value.message };
  if (value === undefined) return { undefined: true };
  if (Array.isArray(value)) return value.map(show);
  return value;
};
const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
const wait = (ms) => scheduler.wait(ms);
const SETUP = "CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)";
/** What a message does. */
const does = {
  "put then send": async (s, ws) => { await s.put("a", 1); ws.send("sent"); },
  "send then put": async (s, ws) => { ws.send("sent"); await s.put("a", 1); },
  "put unawaited then send": (s, ws) => { s.put("a", 1); ws.send("sent"); },
  "put then throw": async (s, ws) => { await s.put("a", 1); ws.send("sent"); throw new Error("own"); },
  "transaction then send": async (s, ws) => { await s.transaction(async (t) => { await t.put("a", 1); ws.send("inside"); await wait(5); }); ws.send("after"); },
  "transaction fails then send": async (s, ws) => { await attempt(() => s.transaction(async (t) => { await t.put("a", 1); ws.send("inside"); throw new Error("x"); })); ws.send("after"); },
  "transaction rolled back, sent inside": async (s, ws) => { await s.transaction(async (t) => { await t.put("a", 1); ws.send("inside"); t.rollback(); }); ws.send("after"); },
  "commit fails after send": (s, ws) => { s.sql.exec(SETUP); s.sql.exec("INSERT INTO b VALUES (1)"); ws.send("never"); },
  "commit fails before and after": async (s, ws) => { s.sql.exec(SETUP); await s.sync(); ws.send("before"); await s.sync(); await wait(20); s.sql.exec("INSERT INTO b VALUES (1)"); ws.send("never"); },
  "unconfirmed then send": async (s, ws) => { s.put("a", 1, { allowUnconfirmed: true }); ws.send("sent"); },
  "sync then send": async (s, ws) => { s.put("a", 1); await s.sync(); ws.send("sent"); },
  "abort after send": async (s, ws, ctx) => { await s.put("a", 1); ws.send("never"); ctx.abort("gone"); },
  "abort after sync and send": async (s, ws, ctx) => { await s.put("a", 1); await s.sync(); ws.send("sent"); await s.sync(); await wait(20); ctx.abort("gone"); },
  "attachment and storage": async (s, ws) => { ws.serializeAttachment?.({ n: 1 }); await s.put("a", ws.deserializeAttachment?.() ?? "none"); ws.send(JSON.stringify(await s.get("a"))); },
  "deleteAll": async (s, ws) => { await s.put("a", 1); await s.deleteAll(); ws.send(String((await s.list()).size)); },
  "close after put": async (s, ws) => { await s.put("a", 1); ws.close(1000, "bye"); },
  "many sends in order": async (s, ws) => { for (let i = 0; i < 5; i++) { s.put("n", i); ws.send(String(i)); await s.get("n"); } },
  "sends around writes in order": async (s, ws) => { ws.send("1"); await s.put("a", 1); ws.send("2"); await wait(5); ws.send("3"); await s.put("a", 2); ws.send("4"); },
  "cursor": async (s, ws) => { for (const { i } of s.sql.exec("WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 4) SELECT i FROM c")) { ws.send(String(i)); await s.put("i", i); } },
  "alarm": async (s, ws, ctx) => { await s.setAlarm(Date.now() + 30); ws.send("set"); },
};

export class Probe extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/state") { try { return Response.json([show(await this.ctx.storage.list()), await this.ctx.storage.get("closed") ?? null]); } catch (e) { return Response.json(show(e)); } }
    const { 0: client, 1: server } = new WebSocketPair();
    if (url.pathname === "/hibernate") this.ctx.acceptWebSocket(server, ["tag"]);
    else { server.accept(); server.addEventListener("message", (e) => this.webSocketMessage(server, e.data)); server.addEventListener("close", () => this.webSocketClose(server)); }
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) { await does[message](this.ctx.storage, ws, this.ctx); }
  async webSocketClose(ws, code) { await this.ctx.storage.put("closed", "yes"); }
  webSocketError() {}
  async alarm() { await this.ctx.storage.put("fired", 1); for (const ws of this.ctx.getWebSockets()) ws.send("alarm"); }
}

async function talk(env, name, path) {
  const object = `${path} ${name}`;
  const response = await env.PROBE.getByName(object).fetch(`http://o${path}`, { headers: { Upgrade: "websocket" } });
  const ws = response.webSocket;
  const log = [];
  // What comes after the end, ours or theirs, is the business of another probe.
  let over = false;
  const closed = new Promise((done) => {
    const end = (how) => { if (!over) log.push(how); over = true; done(); };
    ws.addEventListener("close", (e) => end(`closed ${e.code} ${e.wasClean}`));
    ws.addEventListener("error", () => end("error"));
  });
  ws.addEventListener("message", (e) => { if (!over) log.push(e.data); });
  ws.accept();
  ws.send(name);
  await Promise.race([closed, wait(2500)]);
  if (!over) { over = true; ws.close(1000, "done"); }
  await wait(1000);
  const state = await attempt(async () => (await env.PROBE.getByName(object).fetch("http://o/state")).json());
  return [log, state];
}

export default {
  async fetch(request, env) {
    const answers = {};
    await Promise.all(Object.keys(does).flatMap((name) => ["/hibernate", "/accept"].map(async (path) => { answers[`${path.slice(1)}: ${name}`] = await talk(env, name, path); })));
    return Response.json(answers);
  },
};
