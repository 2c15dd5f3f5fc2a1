/** `Response`. */

import { native } from "../native";
import { OP } from "../protocol";
import type { AbortSignal } from "./abort";
import { addType, Body, contentOf, headerListOf, headersOf, isImmutable, makeContent } from "./body";
import { cloneContent, type Content, discard, handOver, KIND, lengthOfContent, receivedContent, watch } from "./content";
import { type HeaderList, type Headers, hasHeader, listOf, withoutHeader } from "./headers";
import { illegalInvocation, isObject, wrongConstructorParameter, wrongField, wrongParameter } from "./interface";
import { URL } from "./url";
import { sockets, WebSocket } from "./websocket";

const DICTIONARY = "InitializerDict";
const MAKER = Symbol("response");
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const FORBIDDEN_IN_REASON = /[\0\n\r]/;

/** Properties that few responses have. */
interface Details {
  readonly type: "default" | "error";
  readonly url: string;
  readonly redirected: boolean;
  readonly cf: object | undefined;
  readonly webSocket: WebSocket | null;
  /** The body is in the coding that Content-Encoding names already. */
  readonly coded: boolean;
}

const PLAIN: Details = { type: "default", url: "", redirected: false, cf: undefined, webSocket: null, coded: false };

interface ResponseInit {
  status?: unknown;
  statusText?: unknown;
  headers?: unknown;
  cf?: unknown;
  webSocket?: unknown;
  encodeBody?: unknown;
}

/** A response on its way to the host. */
interface OutgoingResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeaderList;
  readonly kind: number;
  readonly handle: number;
  readonly raw: string | Uint8Array | undefined;
}

/** What ops `fetch` and `stub_fetch` complete with. */
export type Received = [status: number, reason: string, headers: HeaderList, kind: number, handle: number, url: string];

/**
 * Make the response of a subrequest.
 *
 * @param redirected Whether it is that of another URL than was asked for.
 * @param signal Ends the reading of the body when it aborts.
 */
export function makeResponse(
  received: Received,
  body: ArrayBuffer | undefined,
  redirected = false,
  signal?: AbortSignal,
): Response {
  const kind = received[3];
  const handle = received[4];
  const isSocket = kind === KIND.givenSocket;
  const content = isSocket ? null : receivedContent(kind, handle, body);
  if (signal !== undefined && kind === KIND.host) watch(content as Content, signal);
  const webSocket = isSocket ? sockets.given(handle) : null;
  const details: Details = { type: "default", url: received[5], redirected, cf: undefined, webSocket, coded: false };
  return new Response(MAKER, content, received[2], true, received[0], received[1], details);
}

/** Nobody will read the body of a response. */
export function discardBody(response: Response): void {
  const content = contentOf(response);
  if (content !== null) discard(content);
}

/** Give back the body of a response that nobody waits for any more. */
makeResponse.discard = ([, , , kind, handle]: Received): void => {
  if (kind === KIND.host) native.op(OP.stream_drop, [handle, "The request was aborted."]);
  if (kind === KIND.givenSocket) native.op(OP.ws_drop, [handle]);
};

/** Make the response that another isolate took apart. */
export function rebuildResponse(
  status: number,
  reason: string,
  url: string,
  headers: HeaderList,
  content: Content | null,
): Response {
  return new Response(MAKER, content, headers, false, status, reason, { ...PLAIN, url });
}

/** Take a response apart to send it; its body is used from then on. @throws TypeError when it was used before. */
export let readResponse: (response: Response) => OutgoingResponse;

/** What the constructor and `Response.json` make of their options. */
interface Head {
  readonly status: number;
  readonly reason: string;
  readonly list: HeaderList;
  readonly details: Details;
}

export class Response extends Body {
  readonly #status: number;
  readonly #reason: string;
  readonly #details: Details;

  static {
    readResponse = (response) => {
      const { webSocket } = response.#details;
      if (webSocket !== null) {
        const [isOwn, number] = sockets.sendAway(webSocket);
        return {
          status: response.#status,
          statusText: response.#reason,
          headers: headerListOf(response),
          kind: isOwn ? KIND.ownSocket : KIND.givenSocket,
          handle: number,
          raw: undefined,
        };
      }
      const content = contentOf(response);
      const { kind, handle, raw } = handOver(content);
      let headers = headerListOf(response);
      if (kind === KIND.guest) {
        // What another body's headers say of its length is not true of this one.
        const length = lengthOfContent(content as Content);
        if (hasHeader(headers, "content-length")) headers = withoutHeader(headers, "content-length");
        if (length !== undefined) headers = [...headers, "Content-Length", `${length}`];
      }
      let sent = kind;
      if (response.#details.coded)
        if (kind === KIND.raw) sent = KIND.coded;
        else if (kind === KIND.guest) sent = KIND.codedStream;
      return { status: response.#status, statusText: response.#reason, headers, kind: sent, handle, raw };
    };
  }

  /** Parameters beyond the second are the bundle's own. */
  constructor(
    body?: unknown,
    init?: unknown,
    list?: HeaderList,
    immutable?: boolean,
    status?: number,
    reason?: string,
    details?: Details,
  ) {
    if (body === MAKER) {
      super(init as Content | null, list as HeaderList, immutable as boolean);
      this.#status = status as number;
      this.#reason = reason as string;
      this.#details = details as Details;
      return;
    }
    if (init === undefined || init === null) {
      const headers: HeaderList = [];
      super(body === undefined || body === null ? null : makeContent(body, headers), headers, false);
      this.#status = 200;
      this.#reason = "";
      this.#details = PLAIN;
      return;
    }
    const head = headOf(init);
    super(bodyOf(body, head), head.list, false);
    this.#status = head.status;
    this.#reason = head.reason;
    this.#details = head.details;
  }

  static error(): Response {
    return new Response(MAKER, null, [], true, 0, "", { ...PLAIN, type: "error" });
  }

  static redirect(url: unknown, status: unknown = 302): Response {
    if (url === undefined) throw wrongParameter("redirect", "Response", 1, "string");
    const target = URL.parse(`${url}`);
    if (target === null) throw new TypeError(`Unable to parse URL: ${url}`);
    const code = Math.trunc(Number(status));
    if (!REDIRECTS.has(code))
      throw new RangeError(`${status} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`);
    return new Response(MAKER, null, ["Location", target.href], true, code, "", PLAIN);
  }

  static json(data: unknown, init?: unknown): Response {
    if (arguments.length === 0) throw wrongParameter("json", "Response", 1, "Value");
    const text = JSON.stringify(data) as string | undefined;
    const head = init === undefined || init === null ? plainHead() : headOf(init);
    addType(head.list, "application/json");
    const content = bodyOf(text ?? "undefined", head);
    return new Response(MAKER, content, head.list, false, head.status, head.reason, head.details);
  }

  clone(): Response {
    if (!(#status in this)) throw illegalInvocation();
    if (this.#details.webSocket !== null)
      throw new TypeError("Cannot clone a response to a WebSocket handshake.");
    const content = contentOf(this);
    return new Response(
      MAKER,
      content === null ? null : cloneContent(content),
      [...headerListOf(this)],
      isImmutable(this),
      this.#status,
      this.#reason,
      this.#details,
    );
  }

  get status(): number {
    if (!(#status in this)) throw illegalInvocation();
    return this.#status;
  }

  get statusText(): string {
    if (!(#status in this)) throw illegalInvocation();
    return this.#reason;
  }

  get headers(): Headers {
    if (!(#status in this)) throw illegalInvocation();
    return headersOf(this);
  }

  get ok(): boolean {
    if (!(#status in this)) throw illegalInvocation();
    return this.#status >= 200 && this.#status <= 299;
  }

  get redirected(): boolean {
    if (!(#status in this)) throw illegalInvocation();
    return this.#details.redirected;
  }

  get url(): string {
    if (!(#status in this)) throw illegalInvocation();
    return this.#details.url;
  }

  get webSocket(): WebSocket | null {
    if (!(#status in this)) throw illegalInvocation();
    return this.#details.webSocket;
  }

  get cf(): object | undefined {
    if (!(#status in this)) throw illegalInvocation();
    return this.#details.cf;
  }

  get type(): string {
    if (!(#status in this)) throw illegalInvocation();
    return this.#details.type;
  }
}

function plainHead(): Head {
  return { status: 200, reason: "", list: [], details: PLAIN };
}

function headOf(init: unknown): Head {
  if (!isObject(init)) throw wrongConstructorParameter("Response", 2, `${DICTIONARY} or Response`);
  const { status, statusText, headers, cf, webSocket, encodeBody } = init as ResponseInit;
  if (headers !== undefined && !isObject(headers))
    throw wrongField("headers", DICTIONARY, "Headers or Sequence or object");
  if (cf !== undefined && !isObject(cf)) throw wrongField("cf", DICTIONARY, "Object");
  if (webSocket !== undefined && webSocket !== null && !(webSocket instanceof WebSocket))
    throw wrongField("webSocket", DICTIONARY, "WebSocket");
  const socket = webSocket ?? null;
  if (encodeBody !== undefined && encodeBody !== "automatic" && encodeBody !== "manual")
    throw new TypeError(`encodeBody: unexpected value: ${encodeBody}`);
  return {
    status: status === undefined ? 200 : checkedStatus(status, socket !== null),
    reason: statusText === undefined ? "" : checkedReason(statusText),
    list: headers === undefined ? [] : listOf(headers),
    details:
      cf === undefined && socket === null && encodeBody !== "manual"
        ? PLAIN
        : { ...PLAIN, cf, webSocket: checkedSocket(socket, status), coded: encodeBody === "manual" },
  };
}

/** A socket makes sense only where the protocol changes. */
function checkedSocket(socket: WebSocket | null, status: unknown): WebSocket | null {
  if (socket === null) return null;
  if (Math.trunc(Number(status)) !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
  return socket;
}

function checkedStatus(status: unknown, hasSocket: boolean): number {
  const code = Math.trunc(Number(status));
  if (hasSocket && code === 101) return code;
  if (code >= 200 && code <= 599) return code;
  throw new RangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
}

function checkedReason(reason: unknown): string {
  const text = `${reason}`;
  if (FORBIDDEN_IN_REASON.test(text)) throw new TypeError("Invalid statusText");
  return text;
}

function bodyOf(body: unknown, { status, list }: Head): Content | null {
  if (body === undefined || body === null) return null;
  if (status !== 101 && status !== 204 && status !== 205 && status !== 304) return makeContent(body, list);
  if (body === "") return null;
  throw new TypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.");
}
