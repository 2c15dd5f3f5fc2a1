import { getServerByName, routePartykitRequest, Server } from "partyserver";

/** A room whose members outlive its memory. */
export class Chat extends Server {
  static options = { hibernate: true };
  started = 0;

  async onStart() {
    this.started = ((await this.ctx.storage.get("started")) ?? 0) + 1;
    await this.ctx.storage.put("started", this.started);
  }

  getConnectionTags(connection, { request }) {
    return [new URL(request.url).searchParams.get("role") ?? "guest"];
  }

  onConnect(connection, { request }) {
    connection.setState({ nick: new URL(request.url).searchParams.get("nick"), said: 0 });
    this.broadcast(`${connection.state.nick} joins ${this.name}`, [connection.id]);
    connection.send(`welcome ${connection.id}`);
  }

  onMessage(connection, message) {
    if (typeof message !== "string") return this.broadcast(message);
    if (message === "staff?") return connection.send([...this.getConnections("staff")].map((each) => each.state.nick).join());
    connection.setState((state) => ({ ...state, said: state.said + 1 }));
    if (message === "leave") return connection.close(4001, "as you wish");
    this.broadcast(`${connection.state.nick} (${connection.state.said}): ${message}`);
  }

  onClose(connection, code, reason) {
    this.broadcast(`${connection.state.nick} left: ${code} ${reason}`, [connection.id]);
  }

  onRequest(request) {
    if (request.method === "POST") return request.text().then((text) => (this.broadcast(text), new Response("told")));
    return Response.json({ room: this.name, here: [...this.getConnections()].length, started: this.started });
  }

  shout(text) {
    this.broadcast(text.toUpperCase());
    return [...this.getConnections()].length;
  }
}

/** A room that stays in memory, and remembers what was said there. */
export class Lobby extends Server {
  said = [];

  onConnect(connection) {
    for (const text of this.said) connection.send(text);
  }

  onMessage(connection, message) {
    this.said.push(message);
    this.broadcast(message);
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/shout") {
      const room = await getServerByName(env.Chat, url.searchParams.get("room"));
      return Response.json(await room.shout(await request.text()));
    }
    const options = {
      onBeforeConnect: (request) => {
        if (new URL(request.url).searchParams.get("nick") === "mallory") return new Response("not you", { status: 403 });
      },
    };
    return (await routePartykitRequest(request, env, options)) ?? new Response("no such room", { status: 404 });
  },
};
