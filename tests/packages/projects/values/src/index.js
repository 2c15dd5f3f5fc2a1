import { DurableObject } from "cloudflare:workers";
import { customAlphabet, nanoid } from "nanoid";
import superjson from "superjson";
import { z } from "zod";
import * as mini from "zod/mini";

const Guest = z.object({
  name: z.string().trim().min(1).max(20),
  email: z.email(),
  born: z.coerce.date().max(new Date("2020-01-01")),
  party: z.number().int().positive().default(1),
  likes: z.array(z.enum(["tea", "cake"])).transform((likes) => new Set(likes)),
  address: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("home"), street: z.string() }),
    z.object({ kind: z.literal("none") }).strict(),
  ]),
});
const Key = mini.string().check(mini.regex(/^[A-Za-z0-9_-]{21}$/));
const shortKey = customAlphabet("abc", 8);

/** Guests by key, each with its types. */
export class Guests extends DurableObject {
  async add(guest) {
    const key = nanoid();
    await this.ctx.storage.put(key, superjson.serialize({ ...guest, added: { by: 1n << 70n, never: undefined, pattern: /a+/gi } }));
    return key;
  }

  async get(key) {
    const stored = await this.ctx.storage.get(key);
    return stored && superjson.deserialize(stored);
  }
}

export default {
  async fetch(request, env) {
    const guests = env.GUESTS.getByName("all");
    const path = new URL(request.url).pathname.slice(1);
    if (path === "short") return new Response(shortKey());
    if (path === "schema") return Response.json(z.toJSONSchema(Guest, { io: "input", unrepresentable: "any" }));
    if (request.method === "POST") {
      const parsed = await Guest.safeParseAsync(await request.json());
      if (!parsed.success) return Response.json(z.flattenError(parsed.error), { status: 400 });
      return new Response(await guests.add(parsed.data));
    }
    const key = mini.safeParse(Key, path);
    if (!key.success) return new Response(z.prettifyError(key.error), { status: 400 });
    const guest = await guests.get(key.data);
    if (!guest) return new Response("nobody", { status: 404 });
    const types = [guest.born instanceof Date, guest.likes instanceof Set, guest.added.by === 1n << 70n, guest.added.pattern.flags];
    return Response.json({ guest: superjson.serialize(guest), types, never: "never" in guest.added });
  },
};
