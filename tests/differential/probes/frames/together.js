// Cases that need nothing of their own: one object does all of them.
import { DurableObject } from "cloudflare:workers";

/** What a case gives, error or not. */
export const attempt = async (run) => { try { return await run(); } catch (error) { return error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : `thrown ${String(error)}`; } };
/** Whether it fails, and how, where the words are a library's. */
export const failure = async (run) => { try { await run(); return "no error"; } catch (error) { return error?.name ?? `thrown ${String(error)}`; } };
export const utf8 = (t) => new TextEncoder().encode(t);
export const wait = (ms) => scheduler.wait(ms);
export const read = (s) => new Response(s).text();
export const stream = (...parts) => new ReadableStream({ start(c) { for (const p of parts) c.enqueue(typeof p === "string" ? utf8(p) : p); c.close(); } });
export const all = async (s) => { const out = []; for await (const c of s) out.push(c); return out; };
export const dec = (v) => v === undefined ? "(undefined)" : new TextDecoder().decode(v);

/** The class of that object; `attempt` says what a case gives, and a case may take so many milliseconds. */
export const probe = (cases, attempt, most) => class extends DurableObject {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) {
      const value = await Promise.race([attempt(run), scheduler.wait(most).then(() => "hangs")]);
      out[name] = value === undefined ? "(undefined)" : value;
    }
    return Response.json(out);
  }
};

export const asking = { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
