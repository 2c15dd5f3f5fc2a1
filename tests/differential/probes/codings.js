// Bodies and their codings, as a client gets them: one path for each case. Served by durabox and by workerd, with a web server beside them.
const chunks = (...parts) => new ReadableStream({ type: "bytes", start(c) { for (const p of parts) c.enqueue(new TextEncoder().encode(p)); c.close(); } });
const coded = (coding, body = "hello", more = {}) => new Response(body, { headers: { "content-encoding": coding }, ...more });

const cases = {
  text: () => coded("gzip"),
  "upper-case": () => coded("GZIP"),
  stream: () => coded("gzip", chunks("hello ", "you")),
  manual: () => coded("gzip", "hello", { encodeBody: "manual" }),
  "manual-stream": () => coded("gzip", chunks("hello"), { encodeBody: "manual" }),
  brotli: () => coded("br"),
  deflate: () => coded("deflate"),
  unknown: () => coded("zorg"),
  none: () => coded("gzip", null),
  "length-of-a-stream": () => new Response(chunks("hello ", "you"), { headers: { "content-length": "30" } }),
  "length-of-a-text": () => new Response("hello", { headers: { "content-length": "30" } }),
  "fixed-length": () => new Response(chunks("hello").pipeThrough(new FixedLengthStream(5))),
  pass: (gzip) => gzip(),
  same: async (gzip) => { const r = await gzip(); return new Response(r.body, r); },
  plain: async (gzip) => new Response((await gzip()).body),
  changed: async (gzip) => { const r = await gzip(); return new Response((await r.text()).toUpperCase(), r); },
  "changed-stream": async (gzip) => { const r = await gzip(); return new Response(r.body.pipeThrough(new TransformStream()), r); },
  "without-coding": async (gzip) => { const r = await gzip(); const headers = new Headers(r.headers); headers.delete("content-encoding"); return new Response(r.body, { headers }); },
  clone: async (gzip) => { const r = await gzip(); const c = r.clone(); await c.text(); return r; },
};

const answer = (request, env) => cases[new URL(request.url).pathname.slice(1)](() => fetch(`${env.ORIGIN}/coded/gzip`));

export class Probe {
  constructor(ctx, env) { this.env = env; }
  fetch(request) { return answer(request, this.env); }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/") return Response.json(Object.keys(cases));
    const stub = env.PROBE.get(env.PROBE.idFromName("probe"));
    switch (url.search) {
      case "?object": return stub.fetch(request);
      case "?read": { const r = await stub.fetch(request); const text = await r.text().catch((error) => error.name); return Response.json([text, r.headers.get("content-encoding")]); }
      default: return answer(request, env);
    }
  },
};
