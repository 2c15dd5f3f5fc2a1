// Objects that talk over WebSockets: with events, and with hibernation.
import { DurableObject } from "cloudflare:workers";

const text = (data) => (typeof data === "string" ? data : `bytes ${[...new Uint8Array(data)]}`);

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.log = [];
    ctx.blockConcurrencyWhile(async () => {
      await ctx.storage.put("starts", ((await ctx.storage.get("starts")) ?? 0) + 1);
    });
  }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/starts") return Response.json([await this.ctx.storage.get("starts"), this.ctx.getWebSockets().length]);
    if (pathname === "/log") return Response.json(this.log);
    if (pathname === "/tagged") return Response.json(this.ctx.getWebSockets(searchParams.get("tag")).map((ws) => ws.deserializeAttachment()));
    if (pathname === "/fill")
      for (let n = 0; ; n++)
        try { this.ctx.acceptWebSocket(new WebSocketPair()[1]); } catch (error) { return Response.json([n, error.message, this.ctx.getWebSockets().length]); }
    if (pathname === "/abort") this.ctx.abort("enough");
    const pair = new WebSocketPair();
    const [client, server] = Object.values(pair);
    const headers = {};
    const wanted = request.headers.get("sec-websocket-protocol");
    if (wanted && pathname !== "/plain") headers["sec-websocket-protocol"] = wanted.split(",")[0].trim();
    if (pathname === "/hibernate") {
      server.serializeAttachment({ name: searchParams.get("name") });
      this.ctx.acceptWebSocket(server, searchParams.getAll("tag"));
      server.send("welcome");
    } else {
      server.accept({ allowHalfOpen: pathname === "/half" });
      server.binaryType = "arraybuffer";
      server.addEventListener("message", async ({ data }) => {
        if (data === "store") { await this.ctx.storage.put("x", 1); server.send("stored"); }
        else if (data === "bye") server.close(4001, "as asked");
        else if (data === "big") server.send(new Uint8Array(300_000));
        else if (data === "many") for (let i = 0; i < 1000; i++) server.send(`${i}`);
        else server.send(text(data));
      });
      server.addEventListener("error", ({ message, error }) => this.log.push([message, error.message, server.readyState]));
      server.addEventListener("close", ({ code, reason, wasClean }) => {
        this.log.push([code, reason, wasClean, server.readyState]);
        if (pathname === "/half") server.close(4002, "at last");
      });
    }
    return new Response(null, { status: 101, webSocket: client, headers });
  }
  async webSocketMessage(ws, message) {
    if (message === "timeout") { this.ctx.setHibernatableWebSocketEventTimeout(20); return; }
    if (message === "busy") { this.ctx.blockConcurrencyWhile(() => scheduler.wait(20_000)); ws.send("busy"); return; }
    if (message === "hang") { await new Promise(() => {}); }
    if (message === "auto") { this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong")); return; }
    if (message === "when") { ws.send(`${this.ctx.getWebSocketAutoResponseTimestamp(ws) instanceof Date}`); return; }
    if (message === "all") { for (const other of this.ctx.getWebSockets()) other.send("to all"); return; }
    if (message === "who") { ws.send(JSON.stringify([ws.deserializeAttachment(), this.ctx.getTags(ws), await this.ctx.storage.get("starts")])); return; }
    if (message === "throw") throw new Error("in handler");
    if (message.length > 1_000_000) { ws.send(`${message.length}`); return; }
    ws.send(`echo ${text(message)}`);
  }
  webSocketClose(ws, code, reason, clean) {
    this.log.push(["close", code, reason, clean, this.ctx.getWebSockets().length]);
  }
  webSocketError(ws, error) {
    ws.send("nobody hears this");
    this.log.push(["error", `${error.name}: ${error.message}`, ws.readyState, ws.deserializeAttachment(), this.ctx.getWebSockets().length]);
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, kind, name, ...rest] = url.pathname.split("/");
    url.pathname = `/${rest.join("/")}`;
    const stub = env.ROOM.getByName(name);
    if (kind === "pass") return stub.fetch(new Request(url, request));
    if (kind === "mid") { // a Worker in between that reads everything
      const { webSocket: far } = await stub.fetch(new Request(url, request));
      far.accept();
      const [client, near] = Object.values(new WebSocketPair());
      near.accept();
      near.addEventListener("message", ({ data }) => far.send(`via ${data}`));
      far.addEventListener("message", ({ data }) => near.send(data));
      near.addEventListener("close", ({ code, reason }) => far.close(code, reason));
      far.addEventListener("close", ({ code, reason }) => near.close(code, reason));
      return new Response(null, { status: 101, webSocket: client });
    }
    return new Response("no");
  },
};
