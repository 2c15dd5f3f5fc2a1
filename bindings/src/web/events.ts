/** `Event`, its subclasses and `EventTarget`. There is no tree of targets: an event reaches one target. */

import { DOMException } from "./dom_exception";
import {
  exposeConstants,
  illegalConstructor,
  illegalInvocation,
  isObject,
  wrongConstructorParameter,
  wrongField,
  wrongParameter,
} from "./interface";
import { dispatchUncaught } from "./uncaught";

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 } as const;

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

/** Options of a constructor; `undefined` and `null` are empty. */
function initOf<T extends object>(owner: string, init: unknown): T {
  if (init === undefined || init === null) return {} as T;
  if (!isObject(init)) throw wrongConstructorParameter(owner, 2, "Init");
  return init as T;
}

/** Who stands for the global scope, which is no object of ours; given by objects/listeners.ts. */
let scope: EventTarget | undefined;

export function setScope(target: EventTarget): void {
  scope = target;
}

/** The target as its listeners see it. */
function faceOf(target: EventTarget): object {
  return target === scope ? globalThis : target;
}

/** Begin and end of a dispatch, out of reach of user code. */
let begin: (event: Event, target: EventTarget) => void;
let end: (event: Event) => void;
let isStopped: (event: Event) => boolean;
let setPassive: (event: Event, passive: boolean) => void;
let markTrusted: (event: Event) => void;
let checked: (event: Event) => Event;
let wasRefused: (event: Event) => boolean;

export class Event {
  readonly #type: string;
  readonly #bubbles: boolean;
  readonly #cancelable: boolean;
  readonly #composed: boolean;
  #trusted = false;
  #target: object | null = null;
  #dispatching = false;
  #stopped = false;
  #stoppedAtOnce = false;
  #passive = false;
  #prevented = false;
  /** `preventDefault` was called, whether or not that prevents anything. */
  #refused = false;

  static {
    begin = (event, target) => {
      if (event.#dispatching)
        throw new DOMException("The event is already being dispatched.", "InvalidStateError");
      event.#dispatching = true;
      event.#target = faceOf(target);
    };
    end = (event) => {
      event.#dispatching = false;
      event.#stopped = false;
      event.#stoppedAtOnce = false;
    };
    isStopped = (event) => event.#stoppedAtOnce;
    setPassive = (event, passive) => {
      event.#passive = passive;
    };
    markTrusted = (event) => {
      event.#trusted = true;
    };
    checked = (event) => {
      if (!(#type in event)) throw illegalInvocation();
      return event;
    };
    wasRefused = (event) => event.#refused;
  }

  constructor(type: unknown, init?: unknown) {
    if (arguments.length === 0) throw wrongConstructorParameter("Event", 1, "string");
    const { bubbles, cancelable, composed } = initOf<EventInit>("Event", init);
    this.#type = `${type}`;
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
    this.#composed = Boolean(composed);
  }

  get type(): string {
    return checked(this).#type;
  }
  get eventPhase(): number {
    return checked(this).#dispatching ? PHASES.AT_TARGET : PHASES.NONE;
  }
  get composed(): boolean {
    return checked(this).#composed;
  }
  get bubbles(): boolean {
    return checked(this).#bubbles;
  }
  get cancelable(): boolean {
    return checked(this).#cancelable;
  }
  get defaultPrevented(): boolean {
    return checked(this).#prevented;
  }
  get returnValue(): boolean {
    return !checked(this).#prevented;
  }
  get currentTarget(): object | null {
    return checked(this).#dispatching ? this.#target : null;
  }
  get target(): object | null {
    return checked(this).#target;
  }
  get srcElement(): object | null {
    return checked(this).#target;
  }
  /** The platform does not tell. */
  get timeStamp(): number {
    checked(this);
    return 0;
  }
  get isTrusted(): boolean {
    return checked(this).#trusted;
  }
  get cancelBubble(): boolean {
    return checked(this).#stopped;
  }
  set cancelBubble(value: unknown) {
    if (value) checked(this).#stopped = true;
  }

  stopImmediatePropagation(): void {
    checked(this).#stopped = true;
    this.#stoppedAtOnce = true;
  }
  preventDefault(): void {
    if (checked(this).#passive) return;
    this.#refused = true;
    if (this.#cancelable) this.#prevented = true;
  }
  stopPropagation(): void {
    checked(this).#stopped = true;
  }
  composedPath(): object[] {
    return checked(this).#dispatching ? [this.#target as object] : [];
  }
}

exposeConstants(Event, PHASES);

export class CustomEvent extends Event {
  readonly #detail: unknown;

  constructor(type: unknown, init?: unknown) {
    super(type, init);
    this.#detail = initOf<{ detail?: unknown }>("CustomEvent", init).detail ?? null;
  }

  get detail(): unknown {
    if (!(#detail in this)) throw illegalInvocation();
    return this.#detail;
  }
}

interface MessageEventInit {
  data?: unknown;
  origin?: string | null;
  lastEventId?: string;
  source?: unknown;
  ports?: unknown[];
}

let initOfMessageEvent: (event: MessageEvent) => MessageEventInit;

export class MessageEvent extends Event {
  readonly #init: MessageEventInit;

  static {
    initOfMessageEvent = (event) => {
      if (!(#init in event)) throw illegalInvocation();
      return event.#init;
    };
  }

  constructor(type: unknown, init?: unknown) {
    super(type, init);
    this.#init = { ...initOf<MessageEventInit>("MessageEvent", init) };
  }

  get data(): unknown {
    return initOfMessageEvent(this).data ?? null;
  }
  /** Null for what WebSockets receive. */
  get origin(): string | null {
    const { origin } = initOfMessageEvent(this);
    return origin === null ? null : `${origin ?? ""}`;
  }
  get lastEventId(): string {
    return `${initOfMessageEvent(this).lastEventId ?? ""}`;
  }
  get source(): unknown {
    return initOfMessageEvent(this).source ?? null;
  }
  get ports(): unknown[] {
    return initOfMessageEvent(this).ports ?? [];
  }
}

interface CloseEventInit extends EventInit {
  code?: unknown;
  reason?: unknown;
  wasClean?: unknown;
}

let initOfCloseEvent: (event: CloseEvent) => CloseEventInit;

export class CloseEvent extends Event {
  readonly #init: CloseEventInit;

  static {
    initOfCloseEvent = (event) => {
      if (!(#init in event)) throw illegalInvocation();
      return event.#init;
    };
  }

  constructor(type: unknown, init?: unknown) {
    super(type, init);
    this.#init = { ...initOf<CloseEventInit>("CloseEvent", init) };
  }

  get code(): number {
    return Number(initOfCloseEvent(this).code ?? 0);
  }
  get reason(): string {
    return `${initOfCloseEvent(this).reason ?? ""}`;
  }
  get wasClean(): boolean {
    return Boolean(initOfCloseEvent(this).wasClean);
  }
}

interface ErrorEventInit {
  message?: string;
  filename?: string;
  lineno?: number;
  colno?: number;
  error?: unknown;
}

let initOfErrorEvent: (event: ErrorEvent) => ErrorEventInit;

export class ErrorEvent extends Event {
  readonly #init: ErrorEventInit;

  static {
    initOfErrorEvent = (event) => {
      if (!(#init in event)) throw illegalInvocation();
      return event.#init;
    };
  }

  constructor(type: unknown, init?: unknown) {
    super(type, init);
    this.#init = { ...initOf<ErrorEventInit>("ErrorEvent", init) };
  }

  get filename(): string {
    return `${initOfErrorEvent(this).filename ?? ""}`;
  }
  get message(): string {
    return `${initOfErrorEvent(this).message ?? ""}`;
  }
  get lineno(): number {
    return Number(initOfErrorEvent(this).lineno ?? 0);
  }
  get colno(): number {
    return Number(initOfErrorEvent(this).colno ?? 0);
  }
  get error(): unknown {
    return initOfErrorEvent(this).error;
  }
}

const REJECTION = Symbol("rejection");

/** What becomes of a promise that was rejected and that nobody has handled. */
export class PromiseRejectionEvent extends Event {
  readonly promise: unknown;
  readonly reason: unknown;

  constructor(...args: [maker?: unknown, type?: string, promise?: unknown, reason?: unknown]) {
    const [maker, type, promise, reason] = args;
    if (maker !== REJECTION) throw illegalConstructor();
    super(type);
    this.promise = promise;
    this.reason = reason;
  }
}

/**
 * Tell a target of a rejected promise.
 *
 * @param failed Gets what listeners throw.
 * @returns Whether a listener called `preventDefault`, though on the platform that prevents nothing.
 */
export function dispatchRejection(target: EventTarget, type: string, promise: unknown, reason: unknown, failed: Failed): boolean {
  const event = new PromiseRejectionEvent(REJECTION, type, promise, reason);
  const outside = watchesResults;
  watchesResults = true;
  try {
    dispatchTrusted(target, event, failed);
  } finally {
    watchesResults = outside;
  }
  return wasRefused(event);
}

/** A listener's own promise that is rejected is not to lead to the same event again, and so on for ever. */
let watchesResults = false;

type Callback = ((event: Event) => unknown) | { handleEvent?: unknown };

interface Listener {
  readonly callback: Callback;
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  removed: boolean;
}

interface ListenerOptions {
  capture?: boolean;
  once?: boolean;
  passive?: boolean;
  signal?: unknown;
}

/** How `addEventListener` hears of a signal: given by abort.ts, whose signals are event targets themselves. */
interface SignalAccess {
  isSignal(value: unknown): boolean;
  isAborted(signal: unknown): boolean;
  whenAborted(signal: unknown, call: () => void): void;
}

let signals: SignalAccess;

export function setSignalAccess(access: SignalAccess): void {
  signals = access;
}

function captureOf(options: unknown): boolean {
  return isObject(options) ? Boolean((options as ListenerOptions).capture) : Boolean(options);
}

type Failed = (error: unknown) => void;

/** Give an event to its target; false when a listener prevented the default. What listeners throw goes to `failed`. */
let dispatch: (target: EventTarget, event: Event, failed?: Failed) => boolean;

/** A function that was put into a property such as `onmessage`. `AbortSignal` has its own, which is an ordinary listener. */
function propertyHandler(target: EventTarget, type: string): Callback | undefined {
  if (type === "abort" && signals.isSignal(target)) return undefined;
  const handler: unknown = Reflect.get(faceOf(target), `on${type}`);
  return typeof handler === "function" ? (event) => void handler(event) : undefined;
}

export class EventTarget {
  #listeners: Map<string, Listener[]> | undefined = undefined;

  static {
    dispatch = (target, event, failed = dispatchUncaught) => {
      begin(event, target);
      try {
        const handler = propertyHandler(target, event.type);
        if (handler !== undefined) call(handler, target, event, failed);
        for (const listener of [...(target.#listeners?.get(event.type) ?? [])]) {
          if (listener.removed) continue;
          if (listener.once) target.#remove(event.type, listener);
          setPassive(event, listener.passive);
          call(listener.callback, target, event, failed);
          if (isStopped(event)) break;
        }
      } finally {
        setPassive(event, false);
        end(event);
      }
      return !event.defaultPrevented;
    };
  }

  addEventListener(type: unknown, callback: unknown, options?: unknown): void {
    if (!(#listeners in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("addEventListener", "EventTarget", 1, "string");
    if (callback === null) return;
    if (!isObject(callback))
      throw wrongParameter("addEventListener", "EventTarget", 2, "function or HandlerObject");
    const { once, passive, signal } = (isObject(options) ? options : {}) as ListenerOptions;
    if (signal !== undefined && !signals.isSignal(signal))
      throw wrongField("signal", "AddEventListenerOptions", "AbortSignal");
    if (signal !== undefined && signals.isAborted(signal)) return;
    const name = `${type}`;
    const listener: Listener = {
      callback: callback as Callback,
      capture: captureOf(options),
      once: Boolean(once),
      passive: Boolean(passive),
      removed: false,
    };
    this.#listeners ??= new Map();
    const present = this.#listeners.get(name);
    if (present === undefined) this.#listeners.set(name, [listener]);
    else if (present.some((other) => other.callback === callback && other.capture === listener.capture)) return;
    else present.push(listener);
    if (signal !== undefined) signals.whenAborted(signal, () => this.#remove(name, listener));
  }

  removeEventListener(type: unknown, callback: unknown, options?: unknown): void {
    if (!(#listeners in this)) throw illegalInvocation();
    if (arguments.length === 0) throw wrongParameter("removeEventListener", "EventTarget", 1, "string");
    const capture = captureOf(options);
    const listener = this.#listeners
      ?.get(`${type}`)
      ?.find((other) => other.callback === callback && other.capture === capture);
    if (listener !== undefined) this.#remove(`${type}`, listener);
  }

  dispatchEvent(event: unknown): boolean {
    if (!(#listeners in this)) throw illegalInvocation();
    if (!(event instanceof Event)) throw wrongParameter("dispatchEvent", "EventTarget", 1, "Event");
    return dispatch(this, event);
  }

  #remove(type: string, listener: Listener): void {
    listener.removed = true;
    const left = this.#listeners?.get(type)?.filter((other) => other !== listener) ?? [];
    if (left.length > 0) this.#listeners?.set(type, left);
    else this.#listeners?.delete(type);
  }
}

/** What one listener throws is not the next one's business, nor the dispatcher's. */
function call(callback: Callback, target: EventTarget, event: Event, failed: Failed): void {
  try {
    if (typeof callback === "function") {
      const result: unknown = callback.call(faceOf(target), event);
      if (watchesResults && result instanceof Promise) result.then(undefined, failed);
      return;
    }
    const { handleEvent } = callback;
    if (typeof handleEvent !== "function") throw new TypeError("The listener's handleEvent is not a function.");
    handleEvent.call(callback, event);
  } catch (error) {
    failed(error);
  }
}

/**
 * Dispatch an event that comes from the platform itself.
 *
 * @param failed Gets what listeners throw, instead of its being reported as uncaught.
 */
export function dispatchTrusted(target: EventTarget, event: Event, failed?: Failed): boolean {
  markTrusted(event);
  return dispatch(target, event, failed);
}
