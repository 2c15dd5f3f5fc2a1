/**
 * WebSockets that outlive the isolate: `ctx.acceptWebSocket` and its relatives, and the handlers that their events go to.
 *
 * The host has the sockets, their tags and attachments. A socket that this isolate has not seen yet becomes an object when somebody
 * asks for it.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "../web";
import { exposeInterface, wrongConstructorParameter, wrongParameter } from "../web/interface";
import { utf8Bytes } from "../web/text";
import { sockets, WebSocket } from "../web/websocket";

const OWNER = "DurableObjectState";
const MAX_TAGS = 10;
const MAX_TAG = 256;
const MAX_PAIR = 2048;
const MAX_TIMEOUT = 604_800_000;

interface Handlers {
  webSocketMessage?: unknown;
  webSocketClose?: unknown;
  webSocketError?: unknown;
}

type Info = [tags: string[], attachment: ArrayBuffer, closeSent: boolean, answered: number | null];

function infoOf(number: number): Info {
  return native.op(OP.ws_info, [number]) as Info;
}

function socketOf(number: number): WebSocket {
  return sockets.find(number) ?? sockets.revive(number, infoOf(number)[2]);
}

function checkedTags(tags: unknown): string[] {
  if (tags === undefined) return [];
  if (!Array.isArray(tags)) throw wrongParameter("acceptWebSocket", OWNER, 2, "Array");
  const distinct = new Set<string>();
  for (const tag of tags as unknown[]) {
    if (distinct.size >= MAX_TAGS) throw new Error("a Hibernatable WebSocket cannot have more than 10 tags");
    const text = `${tag as string}`.toWellFormed();
    if (utf8Bytes(text).byteLength > MAX_TAG)
      throw new Error(`"${text}" is longer than the max tag length (${MAX_TAG} characters).`);
    distinct.add(text);
  }
  return [...distinct];
}

export function acceptWebSocket(socket: unknown, tags?: unknown): void {
  if (!(socket instanceof WebSocket)) throw wrongParameter("acceptWebSocket", OWNER, 1, "WebSocket");
  sockets.hibernate(socket, checkedTags(tags));
}

export function getWebSockets(tag?: unknown): WebSocket[] {
  const numbers = native.op(OP.ws_list, [tag === undefined ? null : `${tag as string}`.toWellFormed()]) as number[];
  return numbers.map(socketOf);
}

export function getTags(socket: unknown): string[] {
  if (!(socket instanceof WebSocket)) throw wrongParameter("getTags", OWNER, 1, "WebSocket");
  const number = sockets.hibernatableNumber(socket);
  if (number !== undefined) return infoOf(number)[0];
  throw new Error(
    sockets.isFresh(socket)
      ? "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
      : "only hibernatable websockets can have tags.",
  );
}

/** What is answered automatically, and with what. */
export class WebSocketRequestResponsePair {
  readonly #request: string;
  readonly #response: string;

  constructor(request: unknown, response: unknown) {
    if (arguments.length === 0) throw wrongConstructorParameter("WebSocketRequestResponsePair", 1, "string");
    if (arguments.length === 1) throw wrongConstructorParameter("WebSocketRequestResponsePair", 2, "string");
    this.#request = `${request as string}`.toWellFormed();
    this.#response = `${response as string}`.toWellFormed();
  }

  get request(): string {
    return this.#request;
  }

  get response(): string {
    return this.#response;
  }
}
exposeInterface("WebSocketRequestResponsePair", WebSocketRequestResponsePair);

export function setWebSocketAutoResponse(pair?: unknown): void {
  if (pair === undefined) {
    native.op(OP.ws_auto, [null, ""]);
    return;
  }
  if (!(pair instanceof WebSocketRequestResponsePair))
    throw wrongParameter("setWebSocketAutoResponse", OWNER, 1, "WebSocketRequestResponsePair");
  for (const [what, text] of [["Request", pair.request], ["Response", pair.response]] as const) {
    const size = utf8Bytes(text).byteLength;
    if (size > MAX_PAIR)
      throw new RangeError(
        `${what} cannot be larger than ${MAX_PAIR} bytes. A ${what.toLowerCase()} of size ${size} was provided.`,
      );
  }
  native.op(OP.ws_auto, [pair.request, pair.response]);
}

export function getWebSocketAutoResponse(): WebSocketRequestResponsePair | null {
  const [request, response] = native.op(OP.ws_settings, []) as [string | null, string];
  return request === null ? null : new WebSocketRequestResponsePair(request, response);
}

export function getWebSocketAutoResponseTimestamp(socket: unknown): Date | null {
  if (!(socket instanceof WebSocket)) throw wrongParameter("getWebSocketAutoResponseTimestamp", OWNER, 1, "WebSocket");
  const number = sockets.hibernatableNumber(socket);
  const answered = number === undefined ? null : infoOf(number)[3];
  return answered === null ? null : new Date(answered);
}

export function setHibernatableWebSocketEventTimeout(milliseconds?: unknown): void {
  const number = milliseconds === undefined ? 0 : +(milliseconds as number);
  if (!Number.isFinite(number))
    throw new TypeError("The value cannot be converted because it is not an integer.");
  const timeout = Math.trunc(number);
  if (timeout < 0)
    throw new TypeError(
      "The value cannot be converted because it is negative and this API expects a positive number.",
    );
  if (timeout > MAX_TIMEOUT) throw new Error(`Event timeout should not exceed ${MAX_TIMEOUT} ms.`);
  native.op(OP.ws_timeout, [timeout > 0 ? timeout : null]);
}

export function getHibernatableWebSocketEventTimeout(): number | null {
  return (native.op(OP.ws_settings, []) as [unknown, unknown, number | null])[2];
}

/** Call a handler of the object; what it throws is only reported. */
async function handle(event: number, handlers: Handlers, name: keyof Handlers, args: readonly unknown[]): Promise<void> {
  try {
    const handler = handlers[name];
    if (typeof handler === "function") await Reflect.apply(handler, handlers, args);
  } catch (error) {
    native.op(OP.unhandled_rejection, [describeError(error)]);
  } finally {
    if (event !== 0) native.op(OP.ws_done, [event]);
  }
}

/** Event `ws_message`. */
export function socketMessage(
  handlers: Handlers | undefined,
  number: number,
  isText: boolean,
  event: number,
  body: ArrayBuffer | undefined,
): void {
  const bytes = body ?? new ArrayBuffer(0);
  const message = isText ? native.utf8Take(bytes) : bytes;
  const socket = sockets.find(number);
  if (socket !== undefined && sockets.hibernatableNumber(socket) === undefined) sockets.received(socket, message);
  else if (handlers !== undefined) void handle(event, handlers, "webSocketMessage", [socket ?? socketOf(number), message]);
}

/** Code of a connection that was lost; another one that is not clean says what was wrong with what came. */
const LOST = 1006;

/** Event `ws_closed`. A hibernatable socket is answered when the object has not done so itself. */
export async function socketClosed(
  handlers: Handlers | undefined,
  number: number,
  code: number,
  reason: string,
  clean: boolean,
  event: number,
): Promise<void> {
  const found = sockets.find(number);
  if (found !== undefined && sockets.hibernatableNumber(found) === undefined) {
    if (clean || code === LOST) sockets.closed(found, code, reason, clean);
    else sockets.failed(found, new Error(reason));
    return;
  }
  if (handlers === undefined) return;
  const socket = found ?? socketOf(number);
  sockets.markClosed(socket);
  if (clean || code === LOST) await handle(event, handlers, "webSocketClose", [socket, code, reason, clean]);
  else await handle(event, handlers, "webSocketError", [socket, new Error(reason)]);
  if (clean && !sockets.closeSent(socket)) native.op(OP.ws_close, [number, code, reason]);
  native.op(OP.ws_drop, [number]);
}
