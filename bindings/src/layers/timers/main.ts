/** Layer `timers`: `node:timers` and `node:timers/promises`, over the globals. */

import type { Layer } from "../../layers";
import { checkFunction, invalidArgType, nodeError } from "../node_errors";

interface Options {
  signal?: AbortSignal;
}

function abortError(signal: AbortSignal): Error {
  const error = nodeError(Error, "ABORT_ERR", "The operation was aborted");
  error.name = "AbortError";
  error.cause = signal.reason;
  return error;
}

/** A promise that a timer fulfils with a value, unless it is aborted. */
function after<T>(start: (done: () => void) => () => void, value: T, options?: Options): Promise<T> {
  const { signal } = options ?? {};
  if (signal !== undefined && !(signal instanceof AbortSignal))
    return Promise.reject(invalidArgType("options.signal", "an instance of AbortSignal", signal));
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const stop = start(() => {
      signal?.removeEventListener("abort", aborted);
      resolve(value);
    });
    const aborted = (): void => {
      stop();
      reject(abortError(signal as AbortSignal));
    };
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

function afterTimeout<T>(delay: number | undefined, value: T, options?: Options): Promise<T> {
  return after(
    (done) => {
      const timer = setTimeout(done, delay);
      return () => clearTimeout(timer);
    },
    value,
    options,
  );
}

function afterImmediate<T>(value: T, options?: Options): Promise<T> {
  return after(
    (done) => {
      const immediate = new Immediate(done, []);
      return () => Immediate.clear(immediate);
    },
    value,
    options,
  );
}

async function* interval<T>(delay: number | undefined, value: T, options: Options = {}): AsyncGenerator<T> {
  for (;;) yield await afterTimeout(delay, value, options);
}

/** What `setImmediate` gives. */
class Immediate {
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(callback: (...args: unknown[]) => unknown, args: unknown[]) {
    this.#timer = setTimeout(() => void callback(...args), 0);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }

  static clear(immediate: unknown): void {
    if (typeof immediate === "object" && immediate !== null && #timer in immediate) clearTimeout(immediate.#timer);
  }
}

const layer: Layer = () => {
  const timers = {
    clearImmediate: (immediate?: unknown) => Immediate.clear(immediate),
    clearInterval: (timer?: unknown) => clearInterval(timer as number),
    clearTimeout: (timer?: unknown) => clearTimeout(timer as number),
    setImmediate(callback: unknown, ...args: unknown[]): Immediate {
      if (typeof callback !== "function")
        throw new TypeError(
          "Failed to execute 'setImmediate' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.",
        );
      return new Immediate(callback as (...args: unknown[]) => unknown, args);
    },
    setInterval(callback: unknown, delay?: number, ...args: unknown[]): unknown {
      checkFunction(callback, "callback");
      return setInterval(callback, delay, ...args);
    },
    setTimeout(callback: unknown, delay?: number, ...args: unknown[]): unknown {
      checkFunction(callback, "callback");
      return setTimeout(callback, delay, ...args);
    },
  };
  const promises = {
    scheduler: {
      wait: (delay: number, options?: Options) => afterTimeout(delay, undefined, options),
      yield: () => afterImmediate(undefined),
    },
    setImmediate: afterImmediate,
    setInterval: interval,
    setTimeout<T>(delay: number | undefined, value: T, options?: Options): Promise<T> {
      if (delay !== undefined && typeof delay !== "number")
        return Promise.reject(invalidArgType("delay", "of type number", delay));
      return afterTimeout(delay, value, options);
    },
  };
  return { "node:timers": { ...timers, promises }, "node:timers/promises": promises };
};

export default layer;
