// What bench/inside.py drives; the path says how often.
import { DurableObject } from "cloudflare:workers";

export class Parts extends DurableObject {
  echo(value) {
    return value;
  }

  async fetch(request) {
    const [, part, times] = new URL(request.url).pathname.split("/");
    switch (part) {
      case "ops":
        for (let left = Number(times); left > 0; left--) this.env.Parts.idFromName("a");
        break;
      case "gets":
        for (let left = Number(times); left > 0; left--) await this.ctx.storage.get("value");
        break;
      case "calls": {
        const other = this.env.Parts.getByName("other");
        for (let left = Number(times); left > 0; left--) await other.echo(left);
        break;
      }
    }
    return new Response(String(await this.ctx.storage.get("value")));
  }
}
