import { DurableObject } from "cloudflare:workers";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as sync from "y-protocols/sync";
import * as Y from "yjs";

const SYNC = 0;
const AWARENESS = 1;

/** A document that its editors share; every update is stored before anybody else sees it. */
export class Note extends DurableObject {
  #doc = new Y.Doc();
  #awareness = new Awareness(this.#doc);

  constructor(ctx, env) {
    super(ctx, env);
    this.#awareness.setLocalState(null);
    ctx.blockConcurrencyWhile(async () => {
      for (const update of (await ctx.storage.list({ prefix: "update:" })).values()) Y.applyUpdate(this.#doc, update, "storage");
    });
    this.#doc.on("update", (update, origin) => {
      if (origin === "storage") return;
      const number = String(Date.now()).padStart(15, "0") + crypto.randomUUID();
      ctx.storage.put(`update:${number}`, update);
      const message = encoding.createEncoder();
      encoding.writeVarUint(message, SYNC);
      sync.writeUpdate(message, update);
      this.#broadcast(encoding.toUint8Array(message), origin);
    });
  }

  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return Response.json(this.#doc.getText("body").toJSON());
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const hello = encoding.createEncoder();
    encoding.writeVarUint(hello, SYNC);
    sync.writeSyncStep1(hello, this.#doc);
    server.send(encoding.toUint8Array(hello));
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, data) {
    const message = decoding.createDecoder(new Uint8Array(data));
    if (decoding.readVarUint(message) === SYNC) {
      const answer = encoding.createEncoder();
      encoding.writeVarUint(answer, SYNC);
      sync.readSyncMessage(message, answer, this.#doc, socket);
      if (encoding.length(answer) > 1) socket.send(encoding.toUint8Array(answer));
    } else {
      const update = decoding.readVarUint8Array(message);
      applyAwarenessUpdate(this.#awareness, update, socket);
      const others = encoding.createEncoder();
      encoding.writeVarUint(others, AWARENESS);
      encoding.writeVarUint8Array(others, encodeAwarenessUpdate(this.#awareness, [...this.#awareness.getStates().keys()]));
      this.#broadcast(encoding.toUint8Array(others), socket);
    }
  }

  webSocketClose(socket, code, reason) {
    if (code === 1005) socket.close();
    else socket.close(code, reason);
  }

  #broadcast(bytes, except) {
    for (const socket of this.ctx.getWebSockets()) if (socket !== except) socket.send(bytes);
  }
}

export default {
  fetch: (request, env) => env.NOTES.getByName(new URL(request.url).pathname).fetch(request),
};
