// Files as stored streams: the bodies of requests go in, those of answers come out.

import { DurableObject } from "cloudflare:workers";

export class Files extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const { storage } = this.ctx;
    if (request.method === "PUT") {
      await storage.put(pathname, request.body);
      return new Response("stored");
    }
    if (request.method === "DELETE") return Response.json(await storage.delete(pathname));
    if (request.method === "POST") {
      // Through the guest, a chunk at a time.
      let length = 0;
      for await (const chunk of await storage.get(pathname)) length += chunk.length;
      return Response.json(length);
    }
    return new Response(await storage.get(pathname));
  }
}
