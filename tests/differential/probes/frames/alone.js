// Cases about storage, each in an object of its own: some end with a broken one.
import { DurableObject } from "cloudflare:workers";

export const show = (value) => {
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [show(k), show(v)]) };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer)] };
  if (value instanceof Error || value instanceof DOMException) return { error: value.name, message: value.message, ...(value.overloaded ? { overloaded: true } : {}), ...(value.retryable ? { retryable: true } : {}) };
  if (value === undefined) return { undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (Array.isArray(value)) return value.map(show);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
  return value;
};
export const attempt = async (run) => { try { return show(await run()); } catch (error) { return { thrown: show(error) }; } };
export const now = (run) => { try { return show(run()); } catch (error) { return { thrown: show(error) }; } };
export const wait = (ms) => scheduler.wait(ms);
export const all = (s, text, ...bindings) => s.sql.exec(text, ...bindings).raw().toArray();
export const numbers = (s, n) => s.sql.exec(`CREATE TABLE n (i INTEGER PRIMARY KEY); WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < ${n}) INSERT INTO n SELECT i FROM c`);
export const ids = (cursor) => [...cursor].map((r) => r.i);
export const ends = (list) => [list.length, list[0], list.at(-1)];

/** The class whose objects do one case each: a function of what `given` says, or several, each for a request of its own. */
export const probe = (cases, given) => class extends DurableObject {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const found = cases[searchParams.get("case")];
    const steps = typeof found === "function" ? [found] : found;
    return Response.json(await attempt(() => steps[Number(searchParams.get("step"))](...given(this))));
  }
  alarm() {}
};

/** What a case is given, unless told otherwise. */
export const storage = (object) => [object.ctx.storage, object.ctx, object, object.env];

/** All steps of a case, one request after the other. */
async function answer(env, name, count) {
  const answers = [];
  for (let step = 0; step < count; step++) {
    const late = wait(5000).then(() => Response.json("hangs"));
    const asked = env.PROBE.getByName(name).fetch(`http://object/?case=${encodeURIComponent(name)}&step=${step}`);
    answers.push(await attempt(async () => (await Promise.race([late, asked])).json()));
  }
  return answers;
}

/** The Worker that asks for all of them. */
export const asking = (cases) => ({
  async fetch(request, env) {
    const names = Object.keys(cases);
    const answers = {};
    const work = async () => {
      for (let name = names.shift(); name !== undefined; name = names.shift())
        answers[name] = await answer(env, name, typeof cases[name] === "function" ? 1 : cases[name].length);
    };
    await Promise.all(Array.from({ length: 8 }, work));
    return Response.json(answers);
  },
});
