// Cases that need nothing of their own: one object does all of them.
import { DurableObject } from "cloudflare:workers";

/** The class of that object; `attempt` says what a case gives, error or not, and a case may take so many milliseconds. */
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
