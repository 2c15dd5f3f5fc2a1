import { DurableObject } from "cloudflare:workers";
import { cors, error, IttyRouter, json, Router, StatusError, status, withContent, withParams } from "itty-router";

/** Counts by name. */
export class Tally extends DurableObject {
  #router = IttyRouter({ base: "/tally/:name" });

  constructor(ctx, env) {
    super(ctx, env);
    this.#router
      .all("*", withParams)
      .get("/", async () => json(Object.fromEntries(await ctx.storage.list())))
      .post("/:key+", withContent, async ({ key, content }) => {
        const total = ((await ctx.storage.get(key)) ?? 0) + content.by;
        await ctx.storage.put(key, total);
        return json({ key, total });
      })
      .all("*", () => error(405));
  }

  fetch(request) {
    return this.#router.fetch(request);
  }
}

const { preflight, corsify } = cors({ origin: "https://app.example", allowMethods: ["POST"] });
const router = Router({
  before: [preflight],
  finally: [(answer, { url }) => answer ?? error(404, { no: new URL(url).pathname }), json, corsify],
  catch: (thrown) => error(thrown.status ?? 500, thrown.message),
});

router
  .get("/hello/:name?", ({ params, query }) => ({ hello: params.name ?? "nobody", query }))
  .get("/greedy/:rest+", ({ params }) => params.rest)
  .get("/file.:ext", ({ params }) => ({ ext: params.ext }))
  .get("/fail", () => {
    throw new StatusError(418, "short and stout");
  })
  .delete("/gone", () => status(204))
  .all("/tally/:name/*", (request, env) => env.TALLY.getByName(request.params.name).fetch(request))
  .all("/tally/:name", (request, env) => env.TALLY.getByName(request.params.name).fetch(request));

export default { ...router };
