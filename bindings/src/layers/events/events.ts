/** `node:events`: the package of that name, with what Node has gained since. */

// biome-ignore lint/correctness/noUndeclaredDependencies: the layer's own package
import EventEmitter from "events";
import { checkFunction, invalidArgType, nodeError, outOfRange } from "../node_errors";

declare const require: (name: string) => { AsyncResource: new (type: string) => AsyncResource };

interface AsyncResource {
  runInAsyncScope(callback: unknown, receiver: unknown, ...args: unknown[]): unknown;
  emitDestroy(): void;
}

// biome-ignore lint/suspicious/noExplicitAny: arguments of listeners
type Args = any[];
type Name = string | symbol;

interface Emitter {
  on(name: Name, listener: (...args: Args) => void): this;
  once(name: Name, listener: (...args: Args) => void): this;
  off(name: Name, listener: (...args: Args) => void): this;
  emit(name: Name, ...args: Args): boolean;
  listenerCount(name: Name): number;
  listeners(name: Name): unknown[];
  getMaxListeners(): number;
  setMaxListeners(most: number): this;
  [CAPTURE]?: boolean;
  [REJECTION]?: (error: unknown, name: Name, ...args: Args) => void;
}

interface Abortable {
  signal?: AbortSignal;
}

const MONITOR = Symbol("events.errorMonitor");
const CAPTURE = Symbol("kCapture");
const REJECTION = Symbol.for("nodejs.rejection");

let captureByDefault = false;

function isEmitter(value: unknown): value is Emitter {
  return typeof (value as Emitter | undefined)?.on === "function";
}

function isTarget(value: unknown): value is EventTarget {
  return typeof (value as EventTarget | undefined)?.addEventListener === "function";
}

function notEmitter(value: unknown): Error {
  return invalidArgType("emitter", "an instance of EventEmitter", value);
}

function abortError(signal: AbortSignal): Error {
  const error = nodeError(Error, "ABORT_ERR", "The operation was aborted");
  error.name = "AbortError";
  error.cause = signal.reason;
  return error;
}

/** Errors are shown to monitors first; an `error` that nobody hears is thrown as Node words it. */
function emit(plain: (name: Name, ...args: Args) => boolean): (this: Emitter, name: Name, ...args: Args) => boolean {
  return function (this: Emitter, name, ...args) {
    if (name === "error") {
      if (this.listenerCount(MONITOR) > 0) Reflect.apply(plain, this, [MONITOR, ...args]);
      if (this.listenerCount("error") === 0 && !(args[0] instanceof Error)) {
        const { inspect } = require("node:util") as unknown as { inspect(value: unknown): string };
        const shown = inspect(args[0]);
        throw Object.assign(nodeError(Error, "ERR_UNHANDLED_ERROR", `Unhandled error. (${shown})`), { context: args[0] });
      }
    }
    if (!(this[CAPTURE] ?? captureByDefault)) return Reflect.apply(plain, this, [name, ...args]) as boolean;
    return emitCapturing(this, name, args);
  };
}

/** As `emit`; rejections of what listeners return become `error` events. */
function emitCapturing(emitter: Emitter, name: Name, args: Args): boolean {
  const listeners = (emitter as Emitter & { rawListeners(name: Name): ((...args: Args) => unknown)[] }).rawListeners(name);
  for (const listener of listeners) {
    const result = Reflect.apply(listener, emitter, args) as PromiseLike<unknown> | undefined;
    if (typeof result?.then !== "function") continue;
    result.then(undefined, (error: unknown) => {
      if (typeof emitter[REJECTION] === "function") {
        emitter[REJECTION](error, name, ...args);
        return;
      }
      emitter[CAPTURE] = false;
      try {
        emitter.emit("error", error);
      } finally {
        emitter[CAPTURE] = true;
      }
    });
  }
  return listeners.length > 0;
}

/** The first event of that name, a promise of its arguments. */
async function once(emitter: unknown, name: Name, options: Abortable = {}): Promise<unknown[]> {
  const { signal } = options;
  if (signal?.aborted) throw abortError(signal);
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal?.removeEventListener("abort", aborted);
      if (isEmitter(emitter)) {
        emitter.off(name, heard);
        emitter.off("error", failed);
      } else (emitter as EventTarget).removeEventListener(name as string, heard);
    };
    const heard = (...args: Args): void => (settle(), resolve(args));
    const failed = (error: unknown): void => (settle(), reject(error as Error));
    const aborted = (): void => (settle(), reject(abortError(signal as AbortSignal)));
    if (isEmitter(emitter)) {
      emitter.once(name, heard);
      if (name !== "error") emitter.once("error", failed);
    } else if (isTarget(emitter)) emitter.addEventListener(name as string, heard, { once: true });
    else throw notEmitter(emitter);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** All events of that name, an endless iterator of their arguments. */
function on(emitter: unknown, name: Name, options: Abortable & { close?: Name[] } = {}): AsyncIterableIterator<unknown[]> {
  const { signal, close = [] } = options;
  if (signal?.aborted) throw abortError(signal);
  const events: unknown[][] = [];
  const waiting: PromiseWithResolvers<IteratorResult<unknown[]>>[] = [];
  let failure: { error: unknown } | undefined;
  let over = false;
  const end: IteratorResult<unknown[]> = { value: undefined, done: true };
  const heard = (...args: Args): void => {
    const next = waiting.shift();
    if (next === undefined) events.push(args);
    else next.resolve({ value: args, done: false });
  };
  const failed = (error: unknown): void => {
    const next = waiting.shift();
    if (next === undefined) failure = { error };
    else next.reject(error);
    finish();
  };
  const aborted = (): void => failed(abortError(signal as AbortSignal));
  const finish = (): void => {
    over = true;
    signal?.removeEventListener("abort", aborted);
    if (isEmitter(emitter)) {
      emitter.off(name, heard);
      emitter.off("error", failed);
      for (const last of close) emitter.off(last, finish);
    } else (emitter as EventTarget).removeEventListener(name as string, heard);
    for (const next of waiting.splice(0)) next.resolve(end);
  };
  if (isEmitter(emitter)) {
    emitter.on(name, heard);
    if (name !== "error") emitter.on("error", failed);
    for (const last of close) emitter.on(last, finish);
  } else if (isTarget(emitter)) emitter.addEventListener(name as string, heard);
  else throw notEmitter(emitter);
  signal?.addEventListener("abort", aborted, { once: true });
  return {
    async next() {
      const event = events.shift();
      if (event !== undefined) return { value: event, done: false };
      if (failure !== undefined) {
        const { error } = failure;
        failure = undefined;
        throw error;
      }
      if (over) return end;
      const next = Promise.withResolvers<IteratorResult<unknown[]>>();
      waiting.push(next);
      return next.promise;
    },
    async return() {
      finish();
      return end;
    },
    async throw(error: unknown) {
      if (!(error instanceof Error)) throw invalidArgType("EventEmitter.AsyncIterator", "an instance of Error", error);
      failed(error);
      return end;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      finish();
    },
  } as AsyncIterableIterator<unknown[]>;
}

function addAbortListener(signal: AbortSignal, listener: (event: Event) => void): { [Symbol.dispose](): void } {
  if (!(signal instanceof AbortSignal)) throw invalidArgType("signal", "an instance of AbortSignal", signal);
  checkFunction(listener, "listener");
  if (signal.aborted) queueMicrotask(() => listener(new Event("abort")));
  else signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

const targetMost = new WeakMap<object, number>();

export function eventsModule(): object {
  const { init } = EventEmitter;
  EventEmitter.init = function (this: Emitter, options?: { captureRejections?: boolean }) {
    Reflect.apply(init, this, []);
    if (options?.captureRejections !== undefined) this[CAPTURE] = Boolean(options.captureRejections);
  };
  /** A function, not a class: old code calls it without `new`. */
  function Emitter(this: Emitter, options?: { captureRejections?: boolean }): void {
    EventEmitter.init.call(this, options);
  }
  Object.setPrototypeOf(Emitter, Function.prototype);
  Emitter.prototype = EventEmitter.prototype;
  Object.defineProperty(Emitter, "name", { value: "EventEmitter" });
  const { prototype } = EventEmitter;
  Object.defineProperty(prototype, "constructor", { value: Emitter, writable: true, configurable: true });
  prototype.emit = emit(prototype.emit);
  Object.defineProperty(prototype.emit, "name", { value: "emit" });
  for (const name of ["addListener", "prependListener", "once", "prependOnceListener"]) {
    const add = prototype[name] as (event: Name, listener: unknown) => Emitter;
    const checked = {
      [name](this: Emitter, event: Name, listener: unknown): Emitter {
        checkFunction(listener, "listener");
        return add.call(this, event, listener);
      },
    };
    prototype[name] = checked[name];
  }
  prototype.on = prototype.addListener;
  const { setMaxListeners } = prototype;
  prototype.setMaxListeners = function (this: Emitter, most: unknown): Emitter {
    if (typeof most !== "number" || !(most >= 0)) throw outOfRange("n", "a non-negative number", most);
    return setMaxListeners.call(this, most);
  };
  const { listenerCount } = prototype;
  prototype.listenerCount = function (this: Emitter, name: Name, listener?: unknown): number {
    if (listener === undefined || listener === null) return Reflect.apply(listenerCount, this, [name]) as number;
    return this.listeners(name).filter((each) => each === listener).length;
  };

  class EventEmitterAsyncResource extends (Emitter as unknown as new (options?: object) => Emitter) {
    readonly asyncResource: AsyncResource;

    constructor(options: { name?: string } | string = {}) {
      super();
      const { AsyncResource } = require("node:async_hooks");
      this.asyncResource = new AsyncResource((typeof options === "string" ? options : options.name) ?? new.target.name);
    }

    override emit(name: Name, ...args: Args): boolean {
      return this.asyncResource.runInAsyncScope(super.emit, this, name, ...args) as boolean;
    }

    emitDestroy(): void {
      this.asyncResource.emitDestroy();
    }
  }

  Object.assign(Emitter, {
    EventEmitter: Emitter,
    EventEmitterAsyncResource,
    addAbortListener,
    captureRejectionSymbol: REJECTION,
    errorMonitor: MONITOR,
    getEventListeners(emitter: unknown, name: Name): unknown[] {
      if (isEmitter(emitter)) return emitter.listeners(name);
      if (isTarget(emitter)) return [];
      throw notEmitter(emitter);
    },
    getMaxListeners(emitter: unknown): number {
      if (isEmitter(emitter)) return emitter.getMaxListeners();
      if (isTarget(emitter)) return targetMost.get(emitter) ?? EventEmitter.defaultMaxListeners;
      throw notEmitter(emitter);
    },
    init: EventEmitter.init,
    listenerCount(emitter: unknown, name: Name): number {
      if (!isEmitter(emitter)) throw notEmitter(emitter);
      return emitter.listenerCount(name);
    },
    on,
    once,
    setMaxListeners(most: unknown = EventEmitter.defaultMaxListeners, ...emitters: unknown[]): void {
      if (typeof most !== "number" || !(most >= 0)) throw outOfRange("n", "a non-negative number", most);
      if (emitters.length === 0) EventEmitter.defaultMaxListeners = most;
      for (const emitter of emitters)
        if (isEmitter(emitter)) emitter.setMaxListeners(most);
        else if (isTarget(emitter)) targetMost.set(emitter, most);
        else throw notEmitter(emitter);
    },
    usingDomains: false,
  });
  Object.defineProperties(Emitter, {
    captureRejections: {
      get: () => captureByDefault,
      set(value: unknown) {
        captureByDefault = Boolean(value);
      },
      enumerable: true,
    },
    defaultMaxListeners: {
      get: () => EventEmitter.defaultMaxListeners as number,
      set(value: unknown) {
        EventEmitter.defaultMaxListeners = value;
      },
      enumerable: true,
    },
  });
  return Emitter;
}
