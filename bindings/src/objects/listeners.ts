/** The service-worker format: `addEventListener("fetch", …)` and the event that its listeners get. */

import { DOMException, Event, EventTarget, exposeInterface, type Request } from "../web";
import { dispatchTrusted, ErrorEvent } from "../web/events";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { onUncaught, textOf } from "../web/uncaught";
import { noFetchHandler } from "./answers";
import { watch } from "./background";

const OWNER = "FetchEvent";
const MAKER = Symbol("fetch event");

type Listener = ((event: unknown) => unknown) | { handleEvent(event: unknown): unknown };

/** Listeners are called here, not by an `EventTarget`: what one throws is the request's failure. */
const fetchListeners: Listener[] = [];
/** Every other type of event. */
const scope = new EventTarget();

/** What `respondWith` was given. */
let answerOf: (event: FetchEvent) => unknown;

export class ExtendableEvent extends Event {
  waitUntil(promise: unknown): void {
    if (arguments.length === 0) throw wrongParameter("waitUntil", "ExtendableEvent", 1, "Promise");
    watch(promise);
  }
}

export class FetchEvent extends ExtendableEvent {
  readonly request: Request;
  #answer: unknown;

  static {
    answerOf = (event) => event.#answer;
  }

  constructor(maker: symbol, request: Request) {
    if (maker !== MAKER) throw illegalConstructor();
    super("fetch");
    this.request = request;
  }

  respondWith(response: unknown): void {
    if (typeof response !== "object" || response === null)
      throw wrongParameter("respondWith", OWNER, 1, "Promise");
    if (this.#answer !== undefined)
      throw new DOMException(
        "FetchEvent.respondWith() has already been called; it can only be called once.",
        "InvalidStateError",
      );
    this.#answer = response;
  }

  /** There is no origin behind the Worker that a failed request could be passed to. */
  passThroughOnException(): void {}
}

exposeInterface("ExtendableEvent", ExtendableEvent);
exposeInterface(OWNER, FetchEvent);

onUncaught((error) => {
  const event = new ErrorEvent("error", { message: `Uncaught ${textOf(error)}`, error });
  const { onerror } = globalThis as { onerror?: unknown };
  if (typeof onerror === "function") scope.addEventListener("error", onerror as Listener, { once: true });
  dispatchTrusted(scope, event);
});

/** Whether the script registered a fetch handler. */
export function hasFetchListener(): boolean {
  return fetchListeners.length > 0;
}

/** Call the listeners until one answers; returns what it answered with. */
export function dispatchFetch(request: Request): unknown {
  if (fetchListeners.length === 0) throw noFetchHandler();
  const event = new FetchEvent(MAKER, request);
  for (const listener of [...fetchListeners]) {
    if (typeof listener === "function") listener.call(globalThis, event);
    else listener.handleEvent(event);
    const answer = answerOf(event);
    if (answer !== undefined) return answer;
  }
  throw new Error("No listener for the fetch event called respondWith().");
}

function isListener(value: unknown): value is Listener {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

function addEventListener(type: string, listener: unknown, options?: unknown): void {
  if (`${type}` !== "fetch") scope.addEventListener(type, listener as Listener, options as object);
  else if (isListener(listener) && !fetchListeners.includes(listener)) fetchListeners.push(listener);
}

function removeEventListener(type: string, listener: unknown, options?: unknown): void {
  if (`${type}` !== "fetch") {
    scope.removeEventListener(type, listener as Listener, options as object);
    return;
  }
  const index = fetchListeners.indexOf(listener as Listener);
  if (index >= 0) fetchListeners.splice(index, 1);
}

function dispatchEvent(event: Event): boolean {
  return scope.dispatchEvent(event);
}

/** The globals of the format. */
export const listenerGlobals = {
  addEventListener,
  dispatchEvent,
  removeEventListener,
  ExtendableEvent,
  FetchEvent,
};
