// An object that talks to real clients over WebSockets, and tells afterwards what it has heard.
import { DurableObject } from "cloudflare:workers";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const text = (data) => (typeof data === "string" ? data : data instanceof ArrayBuffer ? `buffer ${[...new Uint8Array(data)]}` : data?.constructor?.name);

export class Talker extends DurableObject {
  log = [];
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/log") return Response.json(this.log);
    if (pathname === "/sockets") return Response.json([this.ctx.getWebSockets().map((ws) => [ws.readyState, this.ctx.getTags(ws), ws.deserializeAttachment()]), this.ctx.getWebSockets("even").map((ws) => ws.deserializeAttachment())]);
    if (pathname === "/auto") { this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong")); return new Response("set"); }
    if (pathname === "/broadcast") { let sent = 0; for (const ws of this.ctx.getWebSockets()) { ws.send("all"); sent++; } return new Response(`${sent}`); }
    const [client, server] = Object.values(new WebSocketPair());
    const init = { status: 101, webSocket: client, headers: { "x-own": "header" } };
    if (pathname === "/status") return new Response(null, { status: 200 });
    if (searchParams.has("protocol")) init.headers["sec-websocket-protocol"] = searchParams.get("protocol");
    if (pathname === "/hibernate") {
      if (searchParams.has("early")) server.serializeAttachment("early");
      this.ctx.acceptWebSocket(server, searchParams.getAll("tag"));
      if (searchParams.has("attach")) server.serializeAttachment(searchParams.get("attach"));
      if (searchParams.has("hello")) server.send("hello");
      server.addEventListener("message", () => this.log.push("a listener of a hibernatable socket"));
      return new Response(null, init);
    }
    if (pathname === "/unaccepted") return new Response(null, init);
    server.accept({ allowHalfOpen: pathname === "/half" });
    if (searchParams.has("buffer")) server.binaryType = "arraybuffer";
    if (searchParams.has("hello")) server.send("hello");
    if (searchParams.has("closed")) server.close(4010, "at once");
    server.addEventListener("message", ({ data }) => {
      this.log.push(`message ${text(data)}`);
      this.act(server, data);
    });
    let over = false;
    server.addEventListener("close", ({ code, reason, wasClean }) => {
      over = true;
      this.log.push(`close ${code} ${reason} ${wasClean} ${server.readyState}`);
      if (pathname === "/half") { server.send("last words"); server.close(4002, "half"); }
    });
    // workerd may tell of an error after the end.
    server.addEventListener("error", ({ message }) => { if (!over) this.log.push(`error ${message}`); });
    return new Response(null, init);
  }
  act(ws, data) {
    const [verb, ...rest] = typeof data === "string" ? data.split(" ") : ["bytes"];
    switch (verb) {
      case "close": return ws.close(...(rest.length > 0 ? [Number(rest[0])] : []), ...(rest.length > 1 ? [rest[1]] : []));
      case "closetwice": ws.close(4001, "one"); ws.close(4002, "two"); return;
      case "closesend": ws.close(4001, "one"); try { ws.send("late"); } catch (error) { this.log.push(error.message); } return;
      case "throw": throw new Error("thrown");
      case "state": return ws.send(`${ws.readyState} ${ws.url} ${ws.protocol} ${ws.extensions} ${ws.binaryType}`);
      case "many": for (let i = 0; i < Number(rest[0]); i++) ws.send(`${i}`); return;
      case "bytes": return ws.send(data instanceof ArrayBuffer ? data : "a blob");
      case "empty": ws.send(""); ws.send(new Uint8Array(0)); return;
      case "view": return ws.send(new Uint8Array([0, 1, 2, 3]).subarray(1, 3));
      case "abort": return this.ctx.abort("aborted");
      default: return ws.send(`echo ${data}`);
    }
  }
  async webSocketMessage(ws, message) {
    this.log.push(`message ${text(message)} ${arguments.length} ${ws instanceof WebSocket} ${this.ctx.getWebSockets().includes(ws)}`);
    if (message === "slow") { await wait(20); ws.send("slow"); return; }
    if (message === "reject") { await wait(1); throw new Error("rejected"); }
    if (message === "attach") { ws.serializeAttachment({ n: (ws.deserializeAttachment()?.n ?? 0) + 1 }); ws.send(JSON.stringify(ws.deserializeAttachment())); return; }
    if (message === "tags") { ws.send(JSON.stringify(this.ctx.getTags(ws))); return; }
    if (message === "answered") { ws.send(`${this.ctx.getWebSocketAutoResponseTimestamp(ws) instanceof Date}`); return; }
    if (message === "property") { ws.mine = 1; ws.send(`${this.ctx.getWebSockets()[0].mine}`); return; }
    if (message === "accept") { try { ws.accept(); } catch (error) { ws.send(error.message); } return; }
    this.act(ws, message);
  }
  webSocketClose(ws, code, reason, wasClean) {
    this.log.push(`close ${code} ${reason} ${wasClean} ${arguments.length} ${ws.readyState} ${this.ctx.getWebSockets().length}`);
    if (this.ctx.getTags(ws).includes("answer")) ws.close(4100, "answered");
    if (this.ctx.getTags(ws).includes("send")) { try { ws.send("after"); this.log.push("sent"); } catch (error) { this.log.push(error.message); } }
    if (this.ctx.getTags(ws).includes("throw")) throw new Error("in close");
  }
  webSocketError(ws, error) {
    this.log.push(`error ${error?.message} ${ws.readyState}`);
    try { ws.send("x"); } catch (failure) { this.log.push(failure.message); }
  }
}

/** Without handlers for anything. */
export class Silent extends DurableObject {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
}

export default {
  fetch(request, env) {
    const url = new URL(request.url);
    const [, kind, name, ...rest] = url.pathname.split("/");
    url.pathname = `/${rest.join("/")}`;
    return env[kind].getByName(name).fetch(new Request(url, request));
  },
};
