/** `EventSource`: a server's events, from a fetch that begins again whenever it ends. */

import { AbortController } from "./abort";
import { DOMException } from "./dom_exception";
import { TextDecoder } from "./encoding";
import { dispatchTrusted, ErrorEvent, Event, EventTarget, MessageEvent } from "./events";
import { fetch } from "./fetch";
import { exposeConstants, illegalInvocation, isObject, wrongParameter } from "./interface";
import { checkIoAllowed } from "./scope";
import { ByteReader, isDisturbed, ReadableStream } from "./streams";
import { startTimer } from "./timers";
import { URL } from "./url";

const OWNER = "EventSource";
const MAKER = Symbol("event source");
const STATES = { CONNECTING: 0, OPEN: 1, CLOSED: 2 } as const;
const RECONNECT_MS = 2000;
/** Characters of an event that is not complete yet. */
const MAX_EVENT = 16 * 1024 * 1024;

type Handler = (event: Event) => unknown;

/** Takes a stream of events apart, whatever the boundaries of its chunks. */
class Parser {
  #rest = "";
  #afterReturn = false;
  #type = "";
  #data: string[] = [];
  #size = 0;

  constructor(
    readonly dispatch: (type: string, data: string) => void,
    readonly setId: (id: string) => void,
    readonly setRetry: (ms: number) => void,
  ) {}

  /** @throws Error when an event is larger than any should be. */
  feed(text: string): void {
    let rest = this.#rest + (this.#afterReturn && text.startsWith("\n") ? text.slice(1) : text);
    if (text !== "") this.#afterReturn = false;
    for (;;) {
      const end = rest.search(/[\r\n]/);
      if (end < 0) break;
      const line = rest.slice(0, end);
      const isPair = rest[end] === "\r" && rest[end + 1] === "\n";
      this.#afterReturn = rest[end] === "\r" && end + 1 === rest.length;
      rest = rest.slice(end + (isPair ? 2 : 1));
      this.#line(line);
    }
    this.#rest = rest;
    if (rest.length + this.#size > MAX_EVENT) throw new RangeError("The server sent an event that is too large.");
  }

  #line(line: string): void {
    if (line === "") {
      const data = this.#data;
      const type = this.#type;
      this.#data = [];
      this.#type = "";
      this.#size = 0;
      if (data.length > 0) this.dispatch(type === "" ? "message" : type, data.join("\n"));
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "event") this.#type = value;
    else if (name === "data") {
      this.#data.push(value);
      this.#size += value.length + 1;
    } else if (name === "id") {
      if (!value.includes("\0")) this.setId(value);
    } else if (name === "retry" && /^\d+$/.test(value)) this.setRetry(Number(value));
  }
}

export class EventSource extends EventTarget {
  #url: string;
  #state: number = STATES.CONNECTING;
  #lastId = "";
  #retry = RECONNECT_MS;
  readonly #stop = new AbortController();
  readonly #handlers = new Map<string, Handler>();

  constructor(url?: unknown, init?: unknown) {
    super();
    this.#url = "";
    if (url === MAKER) {
      void this.#read(init as ReadableStream).then((error) => {
        if (this.#state === STATES.CLOSED) return;
        this.#state = STATES.CLOSED;
        this.#fail(error ?? new Error("The server disconnected."));
      });
      return;
    }
    if (arguments.length === 0)
      throw new TypeError(`Failed to construct '${OWNER}': constructor parameter 1 is not of type 'string'.`);
    const parsed = URL.parse(`${url}`);
    if (parsed === null)
      throw new DOMException(`Cannot open an EventSource to '${url}'. The URL is invalid.`, "SyntaxError");
    if (isObject(init) && (init as { withCredentials?: unknown }).withCredentials)
      throw new DOMException(
        "The init.withCredentials option is not supported. It must be false or undefined.",
        "NotSupportedError",
      );
    checkIoAllowed();
    this.#url = parsed.href;
    void this.#connect();
  }

  static from(stream: unknown): EventSource {
    if (!(stream instanceof ReadableStream)) throw wrongParameter("from", OWNER, 1, "ReadableStream");
    if (stream.locked) throw new TypeError("This ReadableStream is locked.");
    if (isDisturbed(stream)) throw new TypeError("This ReadableStream has already been read from.");
    return new EventSource(MAKER, stream);
  }

  get url(): string {
    if (!(#state in this)) throw illegalInvocation();
    return this.#url;
  }

  get withCredentials(): boolean {
    if (!(#state in this)) throw illegalInvocation();
    return false;
  }

  get readyState(): number {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state;
  }

  get onopen(): Handler | null {
    return this.#handler("open");
  }
  set onopen(handler: unknown) {
    this.#setHandler("open", handler);
  }

  get onmessage(): Handler | null {
    return this.#handler("message");
  }
  set onmessage(handler: unknown) {
    this.#setHandler("message", handler);
  }

  get onerror(): Handler | null {
    return this.#handler("error");
  }
  set onerror(handler: unknown) {
    this.#setHandler("error", handler);
  }

  close(): void {
    if (!(#state in this)) throw illegalInvocation();
    this.#state = STATES.CLOSED;
    this.#stop.abort();
  }

  #handler(type: string): Handler | null {
    if (!(#state in this)) throw illegalInvocation();
    return this.#handlers.get(type) ?? null;
  }

  #setHandler(type: string, handler: unknown): void {
    if (!(#state in this)) throw illegalInvocation();
    if (typeof handler === "function") this.#handlers.set(type, handler as Handler);
    else this.#handlers.delete(type);
  }

  async #connect(): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#lastId !== "") headers["Last-Event-ID"] = this.#lastId;
    try {
      const response = await fetch(this.#url, { headers, cache: "no-store", signal: this.#stop.signal });
      if (response.status === 200 && /^text\/event-stream *(;|$)/i.test(response.headers.get("content-type") ?? "")) {
        this.#state = STATES.OPEN;
        dispatchTrusted(this, new Event("open"));
        if (response.body !== null) await this.#read(response.body, new URL(response.url).origin);
      } else {
        this.#state = STATES.CLOSED;
        void response.body?.cancel();
        if (response.status !== 204) this.#fail();
      }
    } catch {
      // A server that cannot be reached now may be reached later.
    }
    if (this.readyState === STATES.CLOSED) return;
    this.#state = STATES.CONNECTING;
    this.#fail();
    startTimer(
      () => {
        if (this.#state !== STATES.CLOSED) void this.#connect();
      },
      this.#retry,
      false,
    );
  }

  /** Read events until the stream is at its end, fails, or nobody wants to hear of it any more; returns why it failed. */
  async #read(stream: ReadableStream, origin: string | null = null): Promise<unknown> {
    const decoder = new TextDecoder();
    const parser = new Parser(
      (type, data) => {
        if (this.#state !== STATES.CLOSED)
          dispatchTrusted(this, new MessageEvent(type, { data, lastEventId: this.#lastId, origin }));
      },
      (id) => {
        this.#lastId = id;
      },
      (ms) => {
        this.#retry = ms;
      },
    );
    const reader = new ByteReader(stream);
    try {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
        if (this.#state === STATES.CLOSED) break;
        parser.feed(decoder.decode(chunk, { stream: true }));
      }
    } catch (error) {
      return error;
    } finally {
      reader.cancel(undefined);
    }
    return undefined;
  }

  #fail(error?: unknown): void {
    dispatchTrusted(this, new ErrorEvent("error", { message: "", error }));
  }
}

exposeConstants(EventSource, STATES);
