/**
 * Layer `rewriter`: `HTMLRewriter`.
 *
 * It answers as workerd, whose rewriter is lol-html, and like that one builds no tree: it reads a stream of tags, keeps the names
 * of the elements that are open, and lets pass byte for byte what no handler changed. None of that is in a library that runs
 * here: lol-html's builds for WebAssembly are years old or cannot wait for a handler, the bindings for Python lack half of it,
 * and tokenizers in JavaScript read 0.4 MB/s in this engine.
 */

import type { Layer } from "../../layers";
import { illegalInvocation, isObject, wrongField, wrongParameter } from "../../web/misuse";
import { Charset } from "./charset";
import { type DocumentHandlers, type ElementHandlers, Rewriting } from "./rewriting";
import { parseSelectors } from "./selectors";
import type { Handler } from "./states";
import { exposeTokens } from "./tokens";

const OWNER = "HTMLRewriter";

/** Handlers from the user, as what they are now; they are called on the object that they come from. */
function handlersOf<K extends string>(
  given: unknown,
  kinds: readonly K[],
  method: string,
  position: number,
  type: string,
): Record<K, Handler | undefined> {
  if (given !== null && !isObject(given)) throw wrongParameter(method, OWNER, position, type);
  const handlers = {} as Record<K, Handler | undefined>;
  for (const kind of kinds) {
    const handler = (given as Record<string, unknown> | null)?.[kind];
    if (handler !== undefined && typeof handler !== "function") throw wrongField(kind, type, "function");
    handlers[kind] = handler && ((token) => Reflect.apply(handler, given, [token]) as unknown);
  }
  return handlers;
}

function charsetOf(response: Response): string {
  const type = response.headers.get("content-type") ?? "";
  const [, quoted, plain] = /;[\t ]*charset=(?:"([^"]*)"|([^;]*))/i.exec(type) ?? [];
  const label = (quoted ?? plain ?? "").trim();
  return label === "" ? "utf-8" : label;
}

/** What a handler throws that is no error becomes one, as on workerd. */
function asError(reason: unknown): unknown {
  return isObject(reason) ? reason : new Error(String(reason));
}

async function pump(input: ReadableStream<Uint8Array>, writer: WritableStreamDefaultWriter, rewriting: Rewriting): Promise<void> {
  const reader = input.getReader();
  // Who reads the output hears of errors; nobody waits for this.
  writer.closed.catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const rewritten = done ? rewriting.end() : rewriting.write(value);
      await rewritten.catch((reason) => Promise.reject(asError(reason))).finally(() => rewriting.output.flush());
      if (done) return await writer.close();
    }
  } catch (error) {
    await writer.abort(error).catch(() => undefined);
    await reader.cancel(error).catch(() => undefined);
  }
}

const layer: Layer = (platform) => {
  exposeTokens(platform);

  class HTMLRewriter {
    readonly #elements: ElementHandlers[] = [];
    readonly #documents: DocumentHandlers[] = [];

    on(selector: unknown, handlers: unknown): this {
      if (!(#elements in this)) throw illegalInvocation();
      if (selector === undefined) throw wrongParameter("on", OWNER, 1, "string");
      if (handlers === undefined) throw wrongParameter("on", OWNER, 2, "ElementContentHandlers");
      const kinds = ["element", "comments", "text"] as const;
      const own = handlersOf(handlers, kinds, "on", 2, "ElementContentHandlers");
      this.#elements.push({ selectors: parseSelectors(`${selector as string}`), ...own });
      return this;
    }

    onDocument(handlers: unknown): this {
      if (!(#elements in this)) throw illegalInvocation();
      if (handlers === undefined) throw wrongParameter("onDocument", OWNER, 1, "DocumentContentHandlers");
      const kinds = ["doctype", "comments", "text", "end"] as const;
      this.#documents.push(handlersOf(handlers, kinds, "onDocument", 1, "DocumentContentHandlers"));
      return this;
    }

    transform(response: unknown): Response {
      if (!(#elements in this)) throw illegalInvocation();
      if (!(response instanceof Response)) throw wrongParameter("transform", OWNER, 1, "Response");
      const { body } = response;
      if (body === null) return response;
      if (body.locked || response.bodyUsed) throw new TypeError("The ReadableStream has been locked to a reader.");
      const charset = new Charset(platform, charsetOf(response));
      const { readable, writable } = new IdentityTransformStream();
      const writer = writable.getWriter();
      const send = (bytes: Uint8Array) => writer.write(bytes);
      const rewriting = new Rewriting([...this.#elements], [...this.#documents], charset, platform.native.latin1, send);
      void pump(body as ReadableStream<Uint8Array>, writer, rewriting);
      return new Response(readable, response);
    }
  }

  platform.exposeInterface(OWNER, HTMLRewriter);
  return { "durabox:rewriter": { HTMLRewriter } };
};

export default layer;
