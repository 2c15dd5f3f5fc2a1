import { DurableObject } from "cloudflare:workers";

/** A room: what one says, all hear. It leaves memory while nobody speaks; its sockets stay open. */
export class Room extends DurableObject {
  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      server.serializeAttachment({ name: new URL(request.url).searchParams.get("name") ?? "somebody" });
      for (const line of await this.lines()) server.send(line);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (request.method === "POST") await this.say("curl", await request.text());
    const lines = await this.lines();
    return new Response(`${this.ctx.getWebSockets().length} here, ${lines.length} said\n`);
  }

  async webSocketMessage(socket, message) {
    await this.say(socket.deserializeAttachment().name, message);
  }

  async lines() {
    return (await this.ctx.storage.get("lines")) ?? [];
  }

  async say(name, message) {
    const line = `${name}: ${message}`;
    await this.ctx.storage.put("lines", [...(await this.lines()), line].slice(-20));
    for (const socket of this.ctx.getWebSockets()) socket.send(line);
  }
}

export default {
  fetch(request, env) {
    return env.ROOMS.getByName(new URL(request.url).pathname.slice(1) || "lobby").fetch(request);
  },
};
