/** The service-worker format: `addEventListener("fetch", …)` and the event that its listeners get. */

import { DOMException, Event, EventTarget, exposeInterface, type Request } from "../web";
import { dispatchRejection, dispatchTrusted, ErrorEvent, setScope } from "../web/events";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { onUncaught, reportUncaught, textOf } from "../web/uncaught";
import { noFetchHandler } from "./answers";
import { reportRejection, watch } from "./background";

const OWNER = "FetchEvent";
const MAKER = Symbol("fetch event");

type Listener = ((event: unknown) => unknown) | { handleEvent(event: unknown): unknown };

/** Listeners are called here, not by an `EventTarget`: what one throws is the request's failure. */
const fetchListeners: Listener[] = [];
/** Every other type of event. */
const scope = new EventTarget();

/** What `respondWith` was given. */
let answerOf: (event: FetchEvent) => unknown;

class ExtendableEvent extends Event {
  waitUntil(promise: unknown): void {
    if (arguments.length === 0) throw wrongParameter("waitUntil", "ExtendableEvent", 1, "Promise");
    watch(promise);
  }
}

class FetchEvent extends ExtendableEvent {
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

setScope(scope);
onUncaught((error) => {
  dispatchTrusted(scope, new ErrorEvent("error", { message: `Uncaught ${textOf(error)}`, ...placeOf(error), error }));
});

/** File, line and column in a frame of a stack. */
const PLACE = /^ {4}at (?:.* \()?([^()]+):(\d+):(\d+)\)?$/m;

/** Where in the user's code an error was made, if it tells. */
function placeOf(error: unknown): { filename?: string; lineno?: number; colno?: number } {
  const frames = error instanceof Error ? `${error.stack}`.split("\n").filter((line) => !line.includes("durabox:")) : [];
  const [, filename, line, column] = PLACE.exec(frames.join("\n")) ?? [];
  return filename === undefined ? {} : { filename, lineno: Number(line), colno: Number(column) };
}

/** Promises whose rejection was told, and may be handled yet. */
const told = new WeakSet<object>();

/** C's hook: at the end of a turn nobody has handled that rejection. */
export function rejectionUnhandled(reason: unknown, promise: object | undefined): void {
  if (promise !== undefined) {
    told.add(promise);
    if (dispatchRejection(scope, "unhandledrejection", promise, reason, reportUncaught)) return;
  }
  reportRejection(reason);
}

/** C's hook: a promise was handled, long after its rejection. */
export function rejectionHandled(promise: object): void {
  if (!told.delete(promise)) return;
  queueMicrotask(() => dispatchRejection(scope, "rejectionhandled", promise, undefined, reportUncaught));
}

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
