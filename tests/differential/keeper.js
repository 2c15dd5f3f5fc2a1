import { DurableObject } from "cloudflare:workers";

const VALUES = {
  number: () => 1.5,
  text: () => "\u20ac\u{1f600}",
  date: () => new Date(5),
  bytes: () => new Uint8Array([1, 2, 3]),
  map: () => new Map([["a", new Set([1n])]]),
  error: () => new TypeError("kept"),
  nested: () => ({ a: [1, , { b: null, c: undefined }] }),
  "\u{10000}": () => 1,
  "\uffff": () => 2,
};

/** Keeps values of many types; tells what it has. */
export class Keeper extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    switch (new URL(request.url).pathname) {
      case "/write":
        for (const [key, make] of Object.entries(VALUES)) await storage.put(key, make());
        break;
      case "/change":
        await storage.transaction(async (txn) => {
          await txn.put("changes", ((await txn.get("changes")) ?? 0) + 1);
          await txn.delete("number");
        });
        break;
      case "/replace":
        await storage.deleteAll();
        await storage.put("replaced", new Date(7));
        break;
    }
    return new Response([...(await storage.list())].map(([key, value]) => `${key}=${show(value)}`).join("\n"));
  }
}

function show(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${[...value].map(show)})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value})`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([k, v]) => `${k}:${show(v)}`)}}`;
  return String(value);
}

export default {
  fetch(request, env) {
    return env.KEEPER.getByName(new URL(request.url).searchParams.get("name")).fetch(request);
  },
};
