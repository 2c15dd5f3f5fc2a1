import { DurableObject } from "cloudflare:workers";

/** What a test of the server wants an object to do, by path. */
export class Edge extends DurableObject {
  seen = [];
  pulled = 0;
  released = Promise.withResolvers();

  async fetch(request) {
    const url = new URL(request.url);
    const [, action] = url.pathname.split("/");
    return this[action]?.(request, url.searchParams) ?? Response.json({ path: url.pathname, query: url.search });
  }

  async describe(request) {
    const { method, url } = request;
    const body = Array.from(new Uint8Array(await request.arrayBuffer()));
    return Response.json({ method, url, headers: [...request.headers], body, name: this.ctx.id.name, id: this.ctx.id.toString() });
  }

  /** The request's body as it comes, without the object touching it. */
  echo(request) {
    return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
  }

  /** The request's body, read here and written anew. */
  relay(request) {
    return new Response(request.body.pipeThrough(new TransformStream()));
  }

  async count(request) {
    let bytes = 0;
    try {
      for await (const chunk of request.body) bytes += chunk.length;
    } catch (error) {
      this.seen.push(`failed after ${bytes}: ${error.message}`);
      throw error;
    }
    return Response.json(bytes);
  }

  /** Reads one chunk, then waits for `release`. */
  async hold(request) {
    const reader = request.body.getReader();
    let bytes = (await reader.read()).value.length;
    this.seen.push("reading");
    await this.released.promise;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return Response.json(bytes);
      bytes += value.length;
    }
  }

  release() {
    this.released.resolve();
    return new Response(null, { status: 204 });
  }

  /** Answers before it reads; then tries to. */
  async late(request) {
    const reader = request.body.getReader();
    this.ctx.waitUntil(
      this.released.promise.then(() => reader.read()).then(
        () => this.seen.push("read"),
        (error) => this.seen.push(`${error.name}: ${error.message}`),
      ),
    );
    return new Response("answered");
  }

  /** `chunks` chunks of `size` bytes, made when they are wanted. */
  stream(_, query) {
    const total = Number(query.get("chunks"));
    const chunk = new Uint8Array(Number(query.get("size") ?? 65_536));
    const body = new ReadableStream({
      pull: (controller) => {
        if (this.pulled === total) return controller.close();
        this.pulled += 1;
        controller.enqueue(chunk.slice());
      },
      cancel: () => this.seen.push("cancelled"),
    });
    // A Content-Length that the class sets itself says nothing about a stream.
    const headers = { "content-length": "1" };
    if (!query.has("length")) return new Response(body, { headers });
    return new Response(body.pipeThrough(new FixedLengthStream(Number(query.get("length")))), { headers });
  }

  /** One chunk, then nothing until `release`. */
  events() {
    return new Response(
      new ReadableStream({
        start: async (controller) => {
          controller.enqueue(new TextEncoder().encode("first\n"));
          await this.released.promise;
          controller.enqueue(new TextEncoder().encode("second\n"));
          controller.close();
        },
      }),
    );
  }

  broken(_, query) {
    let chunks = Number(query.get("after") ?? 1);
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (chunks-- === 0) throw new Error("the source ran dry");
          controller.enqueue(new Uint8Array([120]));
        },
      }),
    );
  }

  async slow(request) {
    request.signal.addEventListener("abort", () => this.seen.push("aborted"));
    this.seen.push("waiting");
    await this.released.promise;
    return new Response("released");
  }

  state() {
    return Response.json({ seen: this.seen, pulled: this.pulled });
  }

  cookies() {
    const headers = new Headers({ "x-plain": "é", date: "yesterday", server: "mine", "content-type": "text/x" });
    headers.append("Set-Cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2, c");
    return new Response("crumbs", { headers });
  }

  status(_, query) {
    const status = Number(query.get("code"));
    const body = query.has("body") ? query.get("body") : null;
    return new Response(body, { status, statusText: query.get("text") ?? "" });
  }

  /** Bytes that only look compressed. */
  packed() {
    return new Response(new Uint8Array([31, 139, 1]), { headers: { "content-encoding": "gzip" }, encodeBody: "manual" });
  }

  hop() {
    return new Response("x", {
      headers: { connection: "x-secret", "keep-alive": "timeout=1", "transfer-encoding": "gzip", upgrade: "h2c", te: "x" },
    });
  }

  fail() {
    throw new TypeError("this is wrong");
  }

  failWith(_, query) {
    throw { text: "a plain string", object: { a: 1 }, nothing: undefined }[query.get("what")];
  }

  nothing() {
    return 5;
  }

  leak() {
    throw new Error("no paths here");
  }
}

/** The Worker hands everything under /via/<name>/ to that object, and does nothing else. */
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, via, name, ...rest] = url.pathname.split("/");
    if (via === "via") {
      url.pathname = `/${rest.join("/")}`;
      return env.EDGE.getByName(name).fetch(new Request(url, request));
    }
    if (via === "worker-fails") throw new RangeError("the Worker is wrong");
    return Response.json({ worker: request.url });
  },
};
