/** Layer `messaging`: `MessageChannel`, two ports within one isolate. */

import type { Layer } from "../../layers";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../../web/misuse";

type Handler = (event: object) => unknown;

const MAKER = Symbol("port");

const layer: Layer = ({ native, atGlobalScope, dispatchTrusted, Event, EventTarget, exposeInterface, MessageEvent, startTimer }) => {
  /** Makes two ports each other's. */
  let entangle: (one: MessagePort, other: MessagePort) => void;

  class MessagePort extends EventTarget {
    #other: MessagePort | undefined;
    #handler: Handler | null = null;
    /** What has arrived; undefined as soon as the port is closed. */
    #queue: unknown[] | undefined = [];
    #started = false;
    #scheduled = false;

    static {
      entangle = (one, other) => {
        one.#other = other;
        other.#other = one;
      };
    }

    constructor(maker?: symbol) {
      if (maker !== MAKER) throw illegalConstructor();
      super();
    }

    postMessage(message: unknown, options?: unknown): void {
      if (!(#queue in this)) throw illegalInvocation();
      if (arguments.length === 0) throw wrongParameter("postMessage", "MessagePort", 1, "any");
      const given = Array.isArray(options) ? options : isObject(options) ? (options as { transfer?: unknown }).transfer : undefined;
      const transfer = given === undefined ? undefined : [...(given as ArrayBuffer[])];
      const clone = native.structuredClone(message, transfer);
      const other = this.#other;
      if (this.#queue === undefined || other === undefined || other.#queue === undefined) return;
      other.#queue.push(clone);
      other.#schedule();
    }

    start(): void {
      if (!(#queue in this)) throw illegalInvocation();
      this.#started = true;
      this.#schedule();
    }

    close(): void {
      if (!(#queue in this)) throw illegalInvocation();
      if (this.#queue === undefined) return;
      this.#queue = undefined;
      // While modules are being evaluated nothing can wait to be told.
      if (atGlobalScope()) return;
      startTimer(() => dispatchTrusted(this, new Event("close")), 0, false);
      if (this.#other !== undefined) this.#other.#endAfterwards();
    }

    /** The other port is closed: what it has sent arrives before the end. */
    #endAfterwards(): void {
      if (this.#queue === undefined) return;
      startTimer(
        () => {
          if (this.#queue === undefined || (!this.#started && this.#queue.length > 0)) return;
          this.#queue = undefined;
          dispatchTrusted(this, new Event("close"));
        },
        0,
        false,
      );
    }

    get onmessage(): Handler | null {
      if (!(#queue in this)) throw illegalInvocation();
      return this.#handler;
    }

    set onmessage(handler: unknown) {
      if (!(#queue in this)) throw illegalInvocation();
      this.#handler = typeof handler === "function" ? (handler as Handler) : null;
      this.start();
    }

    /** As on the platform, a listener starts the port too. */
    override addEventListener(type: unknown, callback: unknown, options?: unknown): void {
      super.addEventListener(type, callback, options);
      if (`${type}` === "message") this.start();
    }

    /** Deliver what has arrived in a task of its own. */
    #schedule(): void {
      if (!this.#started || this.#scheduled || this.#queue === undefined || this.#queue.length === 0) return;
      this.#scheduled = true;
      startTimer(
        () => {
          this.#scheduled = false;
          const due = this.#queue?.splice(0) ?? [];
          for (const data of due) if (this.#queue !== undefined) dispatchTrusted(this, messageOf(data));
        },
        0,
        false,
      );
    }
  }

  function messageOf(data: unknown): InstanceType<typeof MessageEvent> {
    const event = new MessageEvent("message", { data, origin: null });
    // To the constructor that would be as if there were none.
    if (data === undefined) Object.defineProperty(event, "data", { value: undefined });
    return event;
  }

  class MessageChannel {
    readonly port1 = new MessagePort(MAKER);
    readonly port2 = new MessagePort(MAKER);

    constructor() {
      entangle(this.port1, this.port2);
    }
  }

  const classes = { MessageChannel, MessagePort };
  for (const [name, constructor] of Object.entries(classes)) exposeInterface(name, constructor);
  return { "durabox:messaging": classes };
};

export default layer;
