import { DurableObject } from "cloudflare:workers";

const PREFIX = "item:";
// Keys are ordered as text: zeros in front keep them in order as numbers.
const keyOf = (number) => PREFIX + String(number).padStart(6, "0");
const numberOf = (key) => Number(key.slice(PREFIX.length));

/** One to-do list; every entry is a key of its own, found by ranges. */
export class TodoList extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const [, item] = url.pathname.split("/");
    switch (request.method) {
      case "GET":
        return Response.json(await this.entries(url.searchParams));
      case "POST":
        return Response.json(await this.append(await request.text()), { status: 201 });
      case "DELETE":
        return Response.json(item ? await this.remove(Number(item)) : await this.clear());
      default:
        return new Response(null, { status: 405, headers: { allow: "GET, POST, DELETE" } });
    }
  }

  async append(text) {
    const number = ((await this.ctx.storage.get("last")) ?? 0) + 1;
    await this.ctx.storage.put({ last: number, [keyOf(number)]: text });
    return { number, text };
  }

  async entries(query) {
    const options = { prefix: PREFIX };
    if (query.has("from")) options.start = keyOf(Number(query.get("from")));
    if (query.has("to")) options.end = keyOf(Number(query.get("to")) + 1);
    if (query.has("limit")) options.limit = Number(query.get("limit"));
    if (query.has("newest")) options.reverse = true;
    const found = await this.ctx.storage.list(options);
    return Array.from(found, ([key, text]) => `${numberOf(key)} ${text}`);
  }

  async remove(number) {
    return { deleted: await this.ctx.storage.delete(keyOf(number)) };
  }

  async clear() {
    const keys = [...(await this.ctx.storage.list({ prefix: PREFIX })).keys()];
    await this.ctx.storage.deleteAll();
    return { deleted: keys.length };
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, list, ...rest] = url.pathname.split("/");
    if (!list) {
      return new Response("Say which list: /groceries\n", { status: 400 });
    }
    url.pathname = `/${rest.join("/")}`;
    return env.LISTS.get(env.LISTS.idFromName(list)).fetch(new Request(url, request));
  },
};
