import { DurableObject } from "cloudflare:workers";

/** Counts one client's requests in a window that begins with its first request. */
export class RateLimiter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.limit = env.LIMIT;
    this.windowMs = env.WINDOW_SECONDS * 1000;
    // No request is delivered before the stored window has been read.
    ctx.blockConcurrencyWhile(async () => {
      this.window = (await ctx.storage.get("window")) ?? { start: 0, used: 0 };
    });
  }

  async fetch() {
    const now = Date.now();
    if (now - this.window.start >= this.windowMs) {
      this.window = { start: now, used: 0 };
    }
    if (this.window.used >= this.limit) {
      const seconds = Math.ceil((this.window.start + this.windowMs - now) / 1000);
      return new Response("Too many requests\n", {
        status: 429,
        headers: { "retry-after": String(seconds) },
      });
    }
    this.window.used += 1;
    await this.ctx.storage.put("window", this.window);
    return new Response(`${this.limit - this.window.used} left\n`);
  }
}

export default {
  fetch(request, env) {
    const client = request.headers.get("x-client") ?? "anonymous";
    return env.LIMITER.get(env.LIMITER.idFromName(client)).fetch(request);
  },
};
