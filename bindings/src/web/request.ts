/** `Request`. */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import { abortSignal, AbortSignal, makeSignal } from "./abort";
import { Body, contentOf, headerListOf, headersOf, isImmutable, makeContent } from "./body";
import { cloneContent, type Content, handOver, isUsed, KIND, lengthOfContent, moveContent, receivedContent } from "./content";
import { DOMException } from "./dom_exception";
import { type HeaderList, type Headers, listOf } from "./headers";
import { illegalInvocation, isObject, wrongConstructorParameter, wrongField } from "./interface";
import { URL } from "./url";

const DICTIONARY = "RequestInitializerDict";
const MAKER = Symbol("request");

const METHODS = new Set([
  "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "PURGE", "OPTIONS", "TRACE", "COPY", "LOCK", "MKCOL", "MOVE",
  "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "M-SEARCH",
  "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "QUERY", "BAN",
]);
const CACHE_MODES = new Set(["no-store", "no-cache"]);

/** Properties that few requests have. */
interface Details {
  readonly redirect: string;
  readonly cf: object | undefined;
  readonly keepalive: boolean;
  readonly cache: string | undefined;
}

const PLAIN: Details = { redirect: "follow", cf: undefined, keepalive: false, cache: undefined };

const RECEIVED: Details = { ...PLAIN, redirect: "manual", cf: Object.freeze({}) };

interface RequestInit {
  method?: unknown;
  headers?: unknown;
  body?: unknown;
  redirect?: unknown;
  signal?: unknown;
  cf?: unknown;
  integrity?: unknown;
  keepalive?: unknown;
  cache?: unknown;
}

/** A request on its way to the host. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly kind: number;
  readonly handle: number;
  readonly raw: string | Uint8Array | undefined;
  /** Only where the user gave one. */
  readonly signal: AbortSignal | undefined;
  readonly redirect: string;
  readonly cache: string | undefined;
  /** How many bytes a stream of the guest's will have, if that is known. */
  readonly length: number | undefined;
}

/** Make the request of a `fetch` event. */
export function makeRequest(
  number: number,
  method: string,
  url: string,
  headers: HeaderList,
  kind: number,
  handle: number,
  body: ArrayBuffer | undefined,
): Request {
  const content = receivedContent(kind, handle, body);
  const request = new Request(MAKER, content, headers, true, method, url, undefined, RECEIVED);
  isolate.unanswered ??= new Map();
  isolate.unanswered.set(number, request);
  return request;
}

/** Make the request that another isolate took apart. */
export function rebuildRequest(
  method: string,
  url: string,
  redirect: string,
  headers: HeaderList,
  content: Content | null,
): Request {
  return new Request(MAKER, content, headers, false, method, url, undefined, { ...PLAIN, redirect });
}

/** The request was answered: its number means nothing any more. */
export function forgetRequest(number: number): void {
  isolate.unanswered?.delete(number);
}

/** Event `fetch_abort`. */
export function abortRequest(number: number): void {
  const request = isolate.unanswered?.get(number);
  if (request === undefined) return;
  forgetRequest(number);
  for (const operation of passedOn.get(request) ?? []) native.op(OP.abandon, [operation]);
  abortSignal(request.signal, new DOMException("The client has disconnected.", "AbortError"));
}

/** That fetch sends a request on that came from a client: when the client leaves, nobody waits for it any more. */
export let notePassedOn: (request: Request, operation: number) => void;

/** Fetches that sent a client's request on. */
const passedOn = new WeakMap<Request, number[]>();

/** Take a request apart to send it; its body is used from then on. @throws TypeError when it was used before. */
export let readRequest: (request: Request) => OutgoingRequest;

/** Whether a value is a request itself: a proxy of one is not, although `instanceof` holds for it. */
export let isRequest: (value: unknown) => value is Request;

export class Request extends Body {
  readonly #method: string;
  readonly #url: string;
  #signal: AbortSignal | undefined;
  readonly #details: Details;

  static {
    notePassedOn = (request, operation) => {
      if (request.#details !== RECEIVED) return;
      const operations = passedOn.get(request);
      if (operations === undefined) passedOn.set(request, [operation]);
      else operations.push(operation);
    };
    isRequest = (value): value is Request => isObject(value) && #method in value;
    readRequest = (request) => {
      const content = contentOf(request);
      const { kind, handle, raw } = handOver(content);
      return {
        method: request.#method,
        url: request.#url,
        headers: headerListOf(request),
        kind,
        handle,
        raw,
        signal: request.#signal,
        redirect: request.#details.redirect,
        cache: request.#details.cache,
        length: kind === KIND.guest ? lengthOfContent(content as Content) : undefined,
      };
    };
  }

  /** Parameters beyond the second are the bundle's own. */
  constructor(
    input: unknown,
    init?: unknown,
    list?: HeaderList,
    immutable?: boolean,
    method?: string,
    url?: string,
    signal?: AbortSignal,
    details?: Details,
  ) {
    if (input === MAKER) {
      super(init as Content | null, list as HeaderList, immutable as boolean);
      this.#method = method as string;
      this.#url = url as string;
      this.#signal = signal;
      this.#details = details as Details;
      return;
    }
    if (input === undefined && arguments.length === 0)
      throw wrongConstructorParameter("Request", 1, "Request or string");
    if (init !== undefined && init !== null && !isObject(init))
      throw wrongConstructorParameter("Request", 2, `${DICTIONARY} or Request`);
    const options = (init ?? {}) as RequestInit;
    const source = isRequest(input) ? input : undefined;
    const target = source === undefined ? parseUrl(input) : source.#url;
    const verb = options.method === undefined ? (source === undefined ? "GET" : source.#method) : checkedMethod(options.method);
    const headers =
      options.headers === undefined
        ? source === undefined
          ? []
          : [...headerListOf(source)]
        : checkedHeaders(options.headers);
    super(bodyOf(options.body, source, verb, headers), headers, false);
    this.#method = verb;
    this.#url = target;
    this.#signal = options.signal === undefined ? source?.signal : checkedSignal(options.signal);
    this.#details = detailsOf(options, source === undefined ? PLAIN : source.#details);
  }

  clone(): Request {
    if (!(#method in this)) throw illegalInvocation();
    const content = contentOf(this);
    return new Request(
      MAKER,
      content === null ? null : cloneContent(content),
      [...headerListOf(this)],
      isImmutable(this),
      this.#method,
      this.#url,
      this.signal,
      this.#details,
    );
  }

  get method(): string {
    if (!(#method in this)) throw illegalInvocation();
    return this.#method;
  }

  get url(): string {
    if (!(#method in this)) throw illegalInvocation();
    return this.#url;
  }

  get headers(): Headers {
    if (!(#method in this)) throw illegalInvocation();
    return headersOf(this);
  }

  get redirect(): string {
    if (!(#method in this)) throw illegalInvocation();
    return this.#details.redirect;
  }

  get fetcher(): null {
    if (!(#method in this)) throw illegalInvocation();
    return null;
  }

  get signal(): AbortSignal {
    if (!(#method in this)) throw illegalInvocation();
    this.#signal ??= makeSignal();
    return this.#signal;
  }

  get cf(): object | undefined {
    if (!(#method in this)) throw illegalInvocation();
    return this.#details.cf;
  }

  get integrity(): string {
    if (!(#method in this)) throw illegalInvocation();
    return "";
  }

  get keepalive(): boolean {
    if (!(#method in this)) throw illegalInvocation();
    return this.#details.keepalive;
  }

  get cache(): string | undefined {
    if (!(#method in this)) throw illegalInvocation();
    return this.#details.cache;
  }
}

function parseUrl(input: unknown): string {
  const text = `${input}`;
  const url = URL.parse(text);
  if (url === null) throw new TypeError(`Invalid URL: ${text}`);
  return url.href;
}

function checkedMethod(method: unknown): string {
  const upper = `${method}`.toUpperCase();
  if (!METHODS.has(upper)) throw new TypeError(`Invalid HTTP method string: ${method}`);
  return upper;
}

function checkedHeaders(headers: unknown): HeaderList {
  if (!isObject(headers)) throw wrongField("headers", DICTIONARY, "Headers or Sequence or object");
  return listOf(headers);
}

function checkedSignal(signal: unknown): AbortSignal | undefined {
  if (signal === null) return undefined;
  if (!(signal instanceof AbortSignal)) throw wrongField("signal", DICTIONARY, "AbortSignal");
  return signal;
}

/** The given body, or else the source's, which is used by that. */
function bodyOf(body: unknown, source: Request | undefined, method: string, headers: HeaderList): Content | null {
  const inherited = source === undefined || body !== undefined ? null : contentOf(source);
  if (inherited === null && (body === undefined || body === null)) return null;
  if (method === "GET" || method === "HEAD")
    throw new TypeError("Request with a GET or HEAD method cannot have a body.");
  if (inherited === null) return makeContent(body, headers);
  if (isUsed(inherited)) throw new TypeError("Cannot reconstruct a Request with a used body.");
  return moveContent(inherited);
}

function detailsOf(options: RequestInit, inherited: Details): Details {
  const { redirect, cf, integrity, keepalive, cache } = options;
  if (
    redirect === undefined &&
    cf === undefined &&
    integrity === undefined &&
    keepalive === undefined &&
    cache === undefined
  )
    return inherited;
  if (redirect !== undefined && redirect !== "follow" && redirect !== "manual")
    throw new TypeError(
      'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not ' +
        'make sense at the edge; use "manual" and check the response status code).',
    );
  if (cf !== undefined && !isObject(cf)) throw wrongField("cf", DICTIONARY, "Object");
  if (integrity !== undefined && integrity !== "")
    throw new TypeError(
      "Subrequest integrity checking is not implemented. The integrity option must be either undefined or an empty string.",
    );
  if (cache !== undefined && !CACHE_MODES.has(cache as string))
    throw new TypeError(`Unsupported cache mode: ${cache}`);
  return {
    redirect: redirect ?? inherited.redirect,
    cf: cf ?? inherited.cf,
    keepalive: keepalive === undefined ? inherited.keepalive : Boolean(keepalive),
    cache: (cache as string | undefined) ?? inherited.cache,
  };
}
