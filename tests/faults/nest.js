import { DurableObject } from "cloudflare:workers";

/** One request, one change to the object or its facets; `tell` says what is stored, by the names that lead there. */
export class Nest extends DurableObject {
  async fetch(request) {
    const step = new URL(request.url).pathname.slice(1);
    if (step.startsWith("fill-")) await this.put(step.slice(5).split("/").filter(Boolean), step);
    else if (step === "clone") this.ctx.facets.clone("a", "d");
    else if (step === "delete") this.ctx.facets.delete("a");
    else if (step === "clear") await this.ctx.storage.deleteAll();
    else if (step === "renew") {
      this.ctx.storage.deleteAll();
      await this.ctx.storage.put("value", step);
    }
    return new Response("done");
  }

  below(name) {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Nest }));
  }

  put(path, value) {
    return path.length === 0 ? this.ctx.storage.put("value", value) : this.below(path[0]).put(path.slice(1), value);
  }

  get(path) {
    return path.length === 0 ? this.ctx.storage.get("value") : this.below(path[0]).get(path.slice(1));
  }

  async tell(paths) {
    const told = {};
    for (const path of paths) {
      const value = await this.get(path.split("/").filter(Boolean));
      if (value !== undefined) told[path] = value;
    }
    return told;
  }
}
