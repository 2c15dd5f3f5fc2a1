// Hibernatable WebSockets, as `bench.sockets` measures them.
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("room");
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(ws, message) {
    if (message !== "all") ws.send(message);
    else for (const each of this.ctx.getWebSockets()) each.send("to everybody");
  }
}

export default {
  fetch(request, env) {
    return env.ROOM.getByName(new URL(request.url).pathname).fetch(request);
  },
};
