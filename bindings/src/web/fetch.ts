/**
 * `fetch()` to other servers.
 *
 * The host carries out one exchange at a time; redirects are followed here, each hop an exchange that the host judges anew.
 */

import { native } from "../native";
import { OP } from "../protocol";
import type { AbortSignal } from "./abort";
import { contentOf, headerListOf } from "./body";
import { isUsed, KIND } from "./content";
import { fetchData } from "./data_url";
import { getHeader, type HeaderList, hasHeader, withoutHeader } from "./headers";
import { isObject, wrongParameter } from "./interface";
import { startAsync } from "./operations";
import { isRequest, notePassedOn, type OutgoingRequest, Request, readRequest } from "./request";
import { discardBody, makeResponse, type Received, type Response } from "./response";
import { checkIoAllowed, currentSection } from "./scope";
import { URL } from "./url";
import { setConnector } from "./websocket";

const OWNER = "ServiceWorkerGlobalScope";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 20;

const ONE_TIME_BODY =
  "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect requiring the body " +
  "to be retransmitted. To avoid this error in the future, construct this request from a buffer-like body initializer.";

/** The global `fetch`. */
export function fetch(input?: unknown, init?: unknown): Promise<Response> {
  try {
    if (arguments.length === 0) throw wrongParameter("fetch", OWNER, 1, "Request or string");
    if (init !== undefined && init !== null && !isObject(init))
      throw wrongParameter("fetch", OWNER, 2, "RequestInitializerDict or Request");
    checkIoAllowed();
    const request = isRequest(input) && init === undefined ? input : new Request(input, init);
    const content = contentOf(request);
    if (content !== null && isUsed(content)) throw new TypeError("Cannot reconstruct a Request with a used body.");
    return follow(request, readRequest(request));
  } catch (error) {
    return Promise.reject(error);
  }
}

setConnector(async (url, protocols, signal) => {
  const headers: Record<string, string> = { Upgrade: "websocket" };
  if (protocols.length > 0) headers["Sec-WebSocket-Protocol"] = protocols.join(", ");
  const response = await fetch(url.replace(/^ws/, "http"), { headers, signal });
  const list = headerListOf(response);
  return {
    status: response.status,
    webSocket: response.webSocket,
    protocol: getHeader(list, "sec-websocket-protocol"),
    extensions: getHeader(list, "sec-websocket-extensions"),
  };
});

/** What is asked where: a request, or what a redirect leaves of it. */
interface Hop extends Pick<OutgoingRequest, "method" | "headers" | "kind" | "handle" | "raw" | "length"> {
  readonly url: URL;
}

/**
 * Where an answer sends whoever made a request.
 *
 * @param visited URLs that were asked before; the hop's own is added.
 * @returns undefined when it is no redirect.
 * @throws TypeError for one that cannot be followed.
 */
export function redirected(hop: Hop, response: Response, visited: string[]): Hop | undefined {
  if (!REDIRECTS.has(response.status)) return undefined;
  const location = getHeader(headerListOf(response), "location");
  if (location === null) return undefined;
  discardBody(response);
  visited.push(hop.url.href);
  const url = URL.parse(location, hop.url.href);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new TypeError("Invalid Location header; unable to follow redirect.");
  if (visited.length > MAX_REDIRECTS) throw new TypeError(`Too many redirects.${visited.join(", ")}`);
  const { status } = response;
  const { method, kind } = hop;
  if (kind !== KIND.none && kind !== KIND.raw && status !== 303) throw new TypeError(ONE_TIME_BODY);
  const headers =
    url.origin !== hop.url.origin && hasHeader(hop.headers, "authorization") ? withoutHeader(hop.headers, "authorization") : hop.headers;
  if (status === 303 ? method !== "HEAD" : (status === 301 || status === 302) && method === "POST")
    return { url, headers, method: "GET", kind: KIND.none, handle: 0, raw: undefined, length: undefined };
  return { ...hop, url, headers };
}

async function follow(request: Request, outgoing: OutgoingRequest): Promise<Response> {
  const { signal, redirect, method } = outgoing;
  let hop: Hop = { ...outgoing, url: new URL(outgoing.url), headers: headersFor(outgoing) };
  if (hop.url.protocol === "data:") return fetchData(hop.url.href, method);
  const visited: string[] = [];
  for (;;) {
    const { url } = hop;
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      // Where a redirect leads is the other server's word, and the platform only says that there is no such connection.
      if (visited.length === 0) throw new TypeError(`Fetch API cannot load: ${url.href}`);
      throw Object.assign(new Error("Network connection lost."), { retryable: true });
    }
    url.username = url.password = url.hash = "";
    const response = await exchange(request, hop, visited.length > 0, signal);
    const next = redirect === "follow" ? redirected(hop, response, visited) : undefined;
    if (next === undefined) return response;
    hop = next;
  }
}

function exchange(request: Request, hop: Hop, redirected: boolean, signal: AbortSignal | undefined): Promise<Response> {
  const { method, url, headers, kind, handle, raw, length } = hop;
  const read = (value: Received, body: ArrayBuffer | undefined) => makeResponse(value, body, redirected, signal);
  read.discard = makeResponse.discard;
  return startAsync(
    (operation) => {
      native.op(OP.fetch, [operation, currentSection(), method, url.href, headers, kind, handle, length ?? -1], raw);
      notePassedOn(request, operation);
    },
    read,
    signal,
  );
}

/** What the cache mode of a request means to caches on the way. */
function headersFor({ headers, cache }: OutgoingRequest): HeaderList {
  if (cache === undefined) return headers;
  const all = [...headers];
  for (const name of ["Cache-Control", "Pragma"]) if (!hasHeader(headers, name.toLowerCase())) all.push(name, "no-cache");
  return all;
}
