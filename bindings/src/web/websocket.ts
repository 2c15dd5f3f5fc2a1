/**
 * `WebSocket` and `WebSocketPair`.
 *
 * The two ends of a pair talk to each other here until one of them is sent away in a response: then the other talks to the host, under a
 * number that it chose (odd). An end that came in a response is known by a number of the host's (even).
 *
 * `new WebSocket(url)` makes a socket that becomes the end of a connection to another server once that has agreed.
 *
 * An end receives from `accept()` on, as events; or, once `ctx.acceptWebSocket()` has taken it (see objects/hibernation.ts), as calls of
 * the object's handlers, and then it may outlive this isolate: its number is all that it is.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { AbortController, type AbortSignal } from "./abort";
import { makeBlob } from "./blob";
import { DOMException } from "./dom_exception";
import { CloseEvent, dispatchTrusted, ErrorEvent, Event, EventTarget, MessageEvent } from "./events";
import { exposeConstants, exposeInterface, illegalInvocation, isObject, wrongParameter } from "./interface";
import { currentInvocation, type Invocation } from "./invocations";
import { checkIoAllowed, runInContext } from "./scope";
import { utf8Bytes } from "./text";
import { dispatchUncaught, textOf } from "./uncaught";
import { URL } from "./url";

const OWNER = "WebSocket";
const MAKER = Symbol("websocket");

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
const NO_CODE = 1005;
const ABNORMAL = 1006;
const MAX_REASON = 123;

const LOST = "WebSocket disconnected without sending Close frame.";
const NOT_ESTABLISHED = "Failed to establish websocket connection";

/** A token of RFC 9110, which is what a sub-protocol's name has to be. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** How an end is used. */
enum Mode {
  /** Not yet. */
  Fresh,
  /** `accept()`: events. */
  Accepted,
  /** `ctx.acceptWebSocket()`: the object's handlers. */
  Hibernatable,
  /** Sent away in a response. */
  Returned,
}

type Message = string | ArrayBuffer;
/** What waits for an end that does not receive yet. */
type Waiting = { readonly message: Message } | { readonly code: number; readonly reason: string; readonly clean: boolean };

/** Ends with a number, by it; only those that the host may have events for. */
const byNumber = new Map<number, WebSocket>();
/** The last number chosen here; undefined until the host has said which ones a hibernated isolate left behind. */
let lastOwn: number | undefined;

function nextNumber(): number {
  lastOwn ??= (native.op(OP.ws_settings, []) as [unknown, unknown, unknown, number])[3];
  lastOwn += 2;
  return lastOwn;
}

/** What `hibernation.ts` and `response.ts` may do with a socket. */
interface SocketAccess {
  /** Make an end that the host knows. */
  given(number: number): WebSocket;
  /** A hibernatable end of before this isolate. */
  revive(number: number, closeSent: boolean): WebSocket;
  /** The end for an event of the host's. */
  find(number: number): WebSocket | undefined;
  /** Take an end for hibernation; returns its number. @throws when it is used in another way. */
  hibernate(socket: WebSocket, tags: readonly string[]): number;
  /** Number of a hibernatable end, undefined for others. */
  hibernatableNumber(socket: WebSocket): number | undefined;
  isFresh(socket: WebSocket): boolean;
  /** Send an end away in a response: kind and number for the host. @throws when it is used in another way. */
  sendAway(socket: WebSocket): readonly [isOwn: boolean, number: number];
  received(socket: WebSocket, message: Message): void;
  closed(socket: WebSocket, code: number, reason: string, clean: boolean): void;
  /** What came was no message. */
  failed(socket: WebSocket, error: Error): void;
  /** The other side has closed a hibernatable end. */
  markClosed(socket: WebSocket): void;
  closeSent(socket: WebSocket): boolean;
  attachment(socket: WebSocket): ArrayBuffer | undefined;
}

export let sockets: SocketAccess;
let makePair: () => [WebSocket, WebSocket];

function bytesOfMessage(data: unknown): Message {
  if (data instanceof ArrayBuffer) return data.slice(0);
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice().buffer;
  return `${data as string}`.toWellFormed();
}

/** Asks a server for a socket; `fetch.ts` gives it. */
type Connector = (url: string, protocols: readonly string[], signal: AbortSignal) => Promise<Upgraded>;

/** What the server answered. */
interface Upgraded {
  readonly status: number;
  readonly webSocket: WebSocket | null;
  readonly protocol: string | null;
  readonly extensions: string | null;
}

let connector: Connector;

export function setConnector(connect: Connector): void {
  connector = connect;
}

function checkedUrl(input: unknown): URL {
  const url = URL.parse(`${input}`);
  if (url === null) throw new DOMException("WebSocket Constructor: The url is invalid.", "SyntaxError");
  if (url.protocol !== "ws:" && url.protocol !== "wss:")
    throw new DOMException("WebSocket Constructor: The url scheme must be ws or wss.", "SyntaxError");
  if (url.hash !== "" || url.href.endsWith("#"))
    throw new DOMException("WebSocket Constructor: The url fragment must be empty.", "SyntaxError");
  return url;
}

function checkedProtocols(given: unknown): string[] {
  if (given === undefined) return [];
  const list = isObject(given) && Symbol.iterator in given ? Array.from(given as Iterable<unknown>, String) : [`${given}`];
  if (list.some((protocol) => !TOKEN.test(protocol)))
    throw new DOMException("WebSocket Constructor: The protocol header token is invalid.", "SyntaxError");
  if (new Set(list.map((protocol) => protocol.toLowerCase())).size < list.length)
    throw new DOMException("WebSocket Constructor: The protocols header cannot have repeating values.", "SyntaxError");
  return list;
}

function checkedCode(code: unknown): number {
  const number = Math.trunc(+(code as number)) || 0;
  if (number >= 1000 && number < 5000 && number !== 1004 && number !== 1005 && number !== 1006 && number !== 1015) return number;
  throw new DOMException(`Invalid WebSocket close code: ${number}.`, "InvalidAccessError");
}

function checkedReason(reason: unknown): string {
  const text = `${reason}`.toWellFormed();
  if (utf8Bytes(text).byteLength > MAX_REASON)
    throw new DOMException("WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.", "SyntaxError");
  return text;
}

export class WebSocket extends EventTarget {
  #mode = Mode.Fresh;
  /** The host's number; 0 while both ends are here. */
  #number = 0;
  /** The other end of the pair, while it is here. */
  #peer: WebSocket | undefined;
  #waiting: Waiting[] = [];
  #outgoingClosed = false;
  #incomingClosed = false;
  #halfOpen = false;
  /** The connection ended without a Close frame. */
  #lost = false;
  #binaryType: "arraybuffer" | "blob" = "blob";
  #attachment: ArrayBuffer | undefined;
  /** The event of a Worker that it was accepted in, which goes on until it is closed, and the context of its events. */
  #invocation: Invocation | undefined;
  #context: unknown;
  /** Of a socket that was made by the constructor. */
  #url: string | null = null;
  /** Of the connection to a server. */
  #protocol: string | null = "";
  #extensions: string | null = "";
  /** Gives up on the server; set until it has answered. */
  #connecting: AbortController | undefined;

  static #check(value: unknown): void {
    if (!isObject(value) || !(#mode in value)) throw illegalInvocation();
  }

  static {
    makePair = () => {
      const one = new WebSocket(MAKER);
      const two = new WebSocket(MAKER);
      one.#peer = two;
      two.#peer = one;
      return [one, two];
    };
    sockets = {
      given(number) {
        const socket = new WebSocket(MAKER);
        socket.#number = number;
        return socket;
      },
      revive(number, closeSent) {
        const socket = new WebSocket(MAKER);
        socket.#number = number;
        socket.#mode = Mode.Hibernatable;
        socket.#outgoingClosed = closeSent;
        byNumber.set(number, socket);
        return socket;
      },
      find: (number) => byNumber.get(number),
      hibernate: (socket, tags) => socket.#hibernate(tags),
      hibernatableNumber: (socket) => (socket.#mode === Mode.Hibernatable ? socket.#number : undefined),
      isFresh: (socket) => socket.#mode === Mode.Fresh,
      sendAway: (socket) => socket.#sendAway(),
      received: (socket, message) => socket.#run(() => socket.#received(message)),
      closed: (socket, code, reason, clean) => socket.#run(() => socket.#closed(code, reason, clean)),
      failed: (socket, error) => socket.#run(() => socket.#fail(error)),
      markClosed: (socket) => {
        socket.#incomingClosed = true;
      },
      closeSent: (socket) => socket.#outgoingClosed,
      attachment: (socket) => socket.#attachment,
    };
  }

  constructor(url: unknown, protocols?: unknown) {
    super();
    if (url === MAKER) return;
    if (arguments.length === 0)
      throw new TypeError("Failed to construct 'WebSocket': constructor parameter 1 is not of type 'string'.");
    const target = checkedUrl(url);
    const wanted = checkedProtocols(protocols);
    checkIoAllowed();
    this.#url = target.href;
    this.#connecting = new AbortController();
    void this.#connect(target.href, wanted, this.#connecting.signal);
  }

  get readyState(): number {
    WebSocket.#check(this);
    if (this.#connecting !== undefined) return this.#connecting.signal.aborted ? STATES.CLOSING : STATES.CONNECTING;
    if (this.#incomingClosed && this.#outgoingClosed) return STATES.CLOSED;
    return this.#incomingClosed || this.#outgoingClosed ? STATES.CLOSING : STATES.OPEN;
  }

  get url(): string | null {
    WebSocket.#check(this);
    return this.#url;
  }

  get protocol(): string | null {
    WebSocket.#check(this);
    return this.#protocol;
  }

  get extensions(): string | null {
    WebSocket.#check(this);
    return this.#extensions;
  }

  /** Bytes that wait for the other end of the pair. What the host has taken is counted there. */
  get bufferedAmount(): number {
    WebSocket.#check(this);
    let bytes = 0;
    const waiting = this.#peer === undefined ? [] : this.#peer.#waiting;
    for (const item of waiting)
      if ("message" in item)
        bytes += typeof item.message === "string" ? utf8Bytes(item.message).byteLength : item.message.byteLength;
    return bytes;
  }

  get binaryType(): string {
    WebSocket.#check(this);
    return this.#binaryType;
  }
  set binaryType(type: unknown) {
    WebSocket.#check(this);
    const text = `${type as string}`;
    if (text === "arraybuffer" || text === "blob") this.#binaryType = text;
  }

  accept(options?: unknown): void {
    WebSocket.#check(this);
    if (options !== undefined && options !== null && !isObject(options))
      throw wrongParameter("accept", OWNER, 1, "AcceptOptions");
    if (this.#url !== null)
      throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    if (this.#mode === Mode.Returned) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    if (this.#mode === Mode.Hibernatable) throw new TypeError("Can't accept() WebSocket after enabling hibernation.");
    if (this.#mode === Mode.Accepted) return;
    this.#halfOpen = Boolean((options as { allowHalfOpen?: unknown } | undefined)?.allowHalfOpen);
    this.#mode = Mode.Accepted;
    if (this.#number !== 0) this.#tellAccepted();
    else this.#deliverWaiting();
  }

  send(data: unknown): void {
    WebSocket.#check(this);
    if (arguments.length === 0) throw wrongParameter("send", OWNER, 1, "ArrayBuffer or ArrayBufferView or string");
    const message = bytesOfMessage(data);
    if (this.#mode === Mode.Fresh || this.#mode === Mode.Returned)
      throw new TypeError(
        "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.",
      );
    if (this.#lost) return;
    if (this.#outgoingClosed) throw new TypeError("Can't call WebSocket send() after close().");
    // The other side is gone, unless it waits for an answer to its Close.
    if (this.#incomingClosed && !this.#halfOpen && this.#mode !== Mode.Hibernatable) return;
    if (this.#number !== 0) native.op(OP.ws_send, [this.#number, typeof message === "string"], message);
    else this.#tellPeer({ message });
  }

  close(code?: unknown, reason?: unknown): void {
    WebSocket.#check(this);
    const number = code === undefined ? undefined : checkedCode(code);
    if (reason !== undefined && number === undefined)
      throw new DOMException("If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError");
    const text = reason === undefined ? "" : checkedReason(reason);
    if (this.#connecting !== undefined) {
      this.#connecting.abort(Object.assign(new Error("Network connection lost."), { retryable: true }));
      return;
    }
    if (this.#url !== null && this.#outgoingClosed) return;
    if (this.#mode === Mode.Fresh || this.#mode === Mode.Returned)
      throw new TypeError("You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.");
    this.#close(number ?? NO_CODE, text);
  }

  serializeAttachment(value: unknown): void {
    WebSocket.#check(this);
    if (arguments.length === 0) throw wrongParameter("serializeAttachment", OWNER, 1, "Value");
    const bytes = native.serialize(value);
    if (bytes.byteLength > 16384)
      throw new Error(
        `A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was ${bytes.byteLength} bytes.`,
      );
    this.#attachment = bytes;
    if (this.#mode === Mode.Hibernatable) native.op(OP.ws_attach, [this.#number], bytes);
  }

  deserializeAttachment(): unknown {
    WebSocket.#check(this);
    if (this.#attachment === undefined && this.#mode === Mode.Hibernatable) {
      const [, attachment] = native.op(OP.ws_info, [this.#number]) as [string[], ArrayBuffer];
      if (attachment.byteLength > 0) this.#attachment = attachment;
    }
    return this.#attachment === undefined ? null : native.deserialize(this.#attachment);
  }

  async #connect(url: string, protocols: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      const { status, webSocket, protocol, extensions } = await connector(url, protocols, signal);
      if (webSocket === null)
        throw new TypeError(
          "Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching " +
            `protocols), but received ${status} instead.`,
        );
      this.#connecting = undefined;
      this.#number = webSocket.#number;
      this.#protocol = protocol;
      this.#extensions = extensions;
      this.#mode = Mode.Accepted;
      this.#tellAccepted();
    } catch (error) {
      this.#connecting = undefined;
      this.#incomingClosed = this.#outgoingClosed = true;
      dispatchTrusted(this, new ErrorEvent("error", { message: `Uncaught ${error}`, error }));
      dispatchTrusted(this, new CloseEvent("close", { code: ABNORMAL, reason: NOT_ESTABLISHED, wasClean: false }));
      return;
    }
    dispatchTrusted(this, new Event("open"));
  }

  /** Give it an event of the host's. */
  #run(handle: () => void): void {
    if (this.#invocation === undefined) handle();
    else runInContext(this.#context, handle);
  }

  #close(code: number, reason: string): void {
    if (this.#outgoingClosed) return;
    this.#outgoingClosed = true;
    if (this.#number !== 0) native.op(OP.ws_close, [this.#number, code, reason]);
    else this.#tellPeer({ code, reason, clean: true });
    this.#dropWhenOver();
  }

  /** The host need not keep what is closed in both directions. */
  #dropWhenOver(): void {
    if (this.#mode !== Mode.Accepted || this.#number === 0 || !this.#incomingClosed || !this.#outgoingClosed) return;
    if (!byNumber.delete(this.#number)) return;
    native.op(OP.ws_drop, [this.#number]);
    this.#invocation?.end();
  }

  #hibernate(tags: readonly string[]): number {
    if (this.#url !== null)
      throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call acceptWebSocket");
    if (this.#mode === Mode.Accepted || this.#mode === Mode.Hibernatable)
      throw new Error("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`");
    const peer = this.#peer;
    // What came from somewhere else, or whose other end has gone there, is no pair any more.
    if (this.#mode === Mode.Returned || peer === undefined || peer.#mode !== Mode.Fresh)
      throw new Error(
        "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.",
      );
    this.#number = nextNumber();
    native.op(OP.ws_accept, [this.#number, true, tags, false]);
    this.#mode = Mode.Hibernatable;
    byNumber.set(this.#number, this);
    if (this.#attachment !== undefined) native.op(OP.ws_attach, [this.#number], this.#attachment);
    return this.#number;
  }

  #tellAccepted(): void {
    this.#invocation = currentInvocation();
    if (this.#invocation !== undefined) {
      this.#context = native.getContext();
      this.#invocation.begin();
    }
    byNumber.set(this.#number, this);
    native.op(OP.ws_accept, [this.#number, false, [], this.#halfOpen]);
  }

  #checkReturnable(): void {
    if (this.#mode === Mode.Accepted) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
    if (this.#mode === Mode.Hibernatable)
      throw new TypeError("Can't return WebSocket in a Response after calling acceptWebSocket().");
    if (this.#mode === Mode.Returned) throw new TypeError("Can't return WebSocket that was already used in a response.");
  }

  #sendAway(): readonly [boolean, number] {
    if (this.#url !== null)
      throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
    this.#checkReturnable();
    this.#mode = Mode.Returned;
    const peer = this.#peer;
    if (peer === undefined) return [false, this.#number];
    // From now on the other end talks to the host; what it has said so far goes first.
    if (peer.#number === 0) peer.#number = nextNumber();
    const said = this.#waiting;
    this.#waiting = [];
    peer.#peer = this.#peer = undefined;
    if (peer.#mode === Mode.Accepted) peer.#tellAccepted();
    for (const item of said)
      if ("message" in item) native.op(OP.ws_send, [peer.#number, typeof item.message === "string"], item.message);
      else native.op(OP.ws_close, [peer.#number, item.code, item.reason]);
    return [true, peer.#number];
  }

  /** Say something to the other end of the pair, which is here. */
  #tellPeer(item: Waiting): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    peer.#waiting.push(item);
    if (peer.#mode === Mode.Accepted && peer.#waiting.length === 1) peer.#deliverWaiting();
  }

  /** Between two ends in the same isolate, what is sent arrives in later jobs, a message in each. */
  #deliverWaiting(): void {
    if (this.#waiting.length === 0) return;
    queueMicrotask(() => {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      if ("message" in item) this.#received(item.message);
      else this.#closed(item.code, item.reason, item.clean);
      this.#deliverWaiting();
    });
  }

  #received(message: Message): void {
    if (this.#incomingClosed) return;
    const data =
      typeof message === "string" || this.#binaryType === "arraybuffer" ? message : makeBlob(new Uint8Array(message), "");
    dispatchTrusted(this, new MessageEvent("message", { data, origin: null }), (error) => {
      this.#fail(error);
    });
  }

  /** A listener threw at a message: the platform gives such a connection up. */
  #fail(error: unknown): void {
    if (this.#incomingClosed) return;
    this.#incomingClosed = this.#outgoingClosed = this.#lost = true;
    this.#waiting = [];
    if (this.#number !== 0) native.op(OP.ws_close, [this.#number, ABNORMAL, LOST]);
    else this.#tellPeer({ code: ABNORMAL, reason: LOST, clean: false });
    dispatchUncaught(error);
    dispatchTrusted(this, new ErrorEvent("error", { message: `Uncaught ${textOf(error)}`, error }));
    this.#dropWhenOver();
  }

  #closed(code: number, reason: string, clean: boolean): void {
    if (this.#incomingClosed) return;
    // A client that is gone without a word leaves the state as it was, and is no error, as on the platform.
    if (!clean && this.#number !== 0) dispatchTrusted(this, new CloseEvent("close", { code, reason, wasClean: clean }));
    this.#incomingClosed = true;
    if (clean && !this.#halfOpen) {
      // The host has answered a Close that came from elsewhere.
      if (this.#number === 0) this.#close(code, reason);
      else this.#outgoingClosed = true;
    }
    if (!clean) {
      this.#outgoingClosed = this.#lost = true;
      if (this.#number !== 0) {
        this.#dropWhenOver();
        return;
      }
      const error = new Error("Network connection lost.");
      dispatchTrusted(this, new ErrorEvent("error", { message: `Uncaught ${error}`, error }));
    }
    dispatchTrusted(this, new CloseEvent("close", { code, reason, wasClean: clean }));
    this.#dropWhenOver();
  }
}

exposeConstants(WebSocket, {
  ...STATES,
  READY_STATE_CONNECTING: STATES.CONNECTING,
  READY_STATE_OPEN: STATES.OPEN,
  READY_STATE_CLOSING: STATES.CLOSING,
  READY_STATE_CLOSED: STATES.CLOSED,
});

/** Two ends that are connected, as properties 0 and 1. */
export class WebSocketPair {
  declare readonly 0: WebSocket;
  declare readonly 1: WebSocket;

  constructor() {
    [this[0], this[1]] = makePair();
  }

  *[Symbol.iterator](): IterableIterator<WebSocket> {
    yield this[0];
    yield this[1];
  }
}

exposeInterface(OWNER, WebSocket);
exposeInterface("WebSocketPair", WebSocketPair);
