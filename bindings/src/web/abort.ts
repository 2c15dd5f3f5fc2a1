/** `AbortController` and `AbortSignal`. */

import { DOMException } from "./dom_exception";
import { dispatchTrusted, Event, EventTarget, setSignalAccess } from "./events";
import { illegalConstructor, illegalInvocation, wrongParameter } from "./interface";
import { startTimer } from "./timers";

const MAKER = Symbol("signal");

function abortError(): DOMException {
  return new DOMException("The operation was aborted", "AbortError");
}

/** Make a signal. */
export function makeSignal(): AbortSignal {
  return new AbortSignal(MAKER);
}

/** Abort a signal, once; later calls change nothing. */
export let abortSignal: (signal: AbortSignal, reason: unknown) => void;

/**
 * Call a function when a signal aborts, before its listeners hear of it.
 *
 * @returns Takes the call back.
 */
export let whenAborted: (signal: AbortSignal, call: () => void) => () => void;

type Handler = (event: Event) => unknown;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #calls: Set<() => void> | undefined = undefined;
  #handler: Handler | null = null;
  #listens = false;

  static {
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? abortError() : reason;
      const calls = signal.#calls;
      signal.#calls = undefined;
      if (calls !== undefined) for (const call of calls) call();
      dispatchTrusted(signal, new Event("abort"));
    };
    whenAborted = (signal, call) => {
      signal.#calls ??= new Set();
      signal.#calls.add(call);
      return () => void signal.#calls?.delete(call);
    };
    setSignalAccess({
      isSignal: (value) => value instanceof AbortSignal,
      isAborted: (signal) => (signal as AbortSignal).#aborted,
      whenAborted: (signal, call) => void whenAborted(signal as AbortSignal, call),
    });
  }

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
    super();
  }

  static abort(reason?: unknown): AbortSignal {
    const signal = makeSignal();
    abortSignal(signal, reason);
    return signal;
  }

  static timeout(delay: unknown): AbortSignal {
    if (arguments.length === 0) throw wrongParameter("timeout", "AbortSignal", 1, "number");
    const signal = makeSignal();
    startTimer(
      () => {
        abortSignal(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError"));
      },
      Number(delay),
      false,
    );
    return signal;
  }

  static any(signals: unknown): AbortSignal {
    if (typeof signals !== "object" || signals === null || !(Symbol.iterator in signals))
      throw wrongParameter("any", "AbortSignal", 1, "Array");
    const sources = [...(signals as Iterable<unknown>)];
    for (const [index, source] of sources.entries())
      if (!(source instanceof AbortSignal))
        throw new TypeError(
          `Incorrect type for array element ${index}: the provided value is not of type 'AbortSignal'.`,
        );
    const signal = makeSignal();
    follow(signal, sources as AbortSignal[]);
    return signal;
  }

  get aborted(): boolean {
    if (!(#aborted in this)) throw illegalInvocation();
    return this.#aborted;
  }

  get reason(): unknown {
    if (!(#aborted in this)) throw illegalInvocation();
    return this.#reason;
  }

  get onabort(): Handler | null {
    if (!(#aborted in this)) throw illegalInvocation();
    return this.#handler;
  }
  set onabort(handler: unknown) {
    if (!(#aborted in this)) throw illegalInvocation();
    this.#handler = typeof handler === "function" ? (handler as Handler) : null;
    if (this.#listens || this.#handler === null) return;
    this.#listens = true;
    // One listener for good: the handler keeps its place among the listeners when it is replaced.
    this.addEventListener("abort", (event: Event) => this.#handler?.call(this, event));
  }

  throwIfAborted(): void {
    if (!(#aborted in this)) throw illegalInvocation();
    if (this.#aborted) throw this.#reason;
  }
}

/** Abort a signal as soon as one of its sources has aborted. */
function follow(signal: AbortSignal, sources: readonly AbortSignal[]): void {
  const aborted = sources.find((source) => source.aborted);
  if (aborted !== undefined) {
    abortSignal(signal, aborted.reason);
    return;
  }
  const unfollow = sources.map((source) =>
    whenAborted(source, () => {
      for (const stop of unfollow) stop();
      abortSignal(signal, source.reason);
    }),
  );
}

export class AbortController {
  readonly #signal = makeSignal();

  get signal(): AbortSignal {
    if (!(#signal in this)) throw illegalInvocation();
    return this.#signal;
  }

  abort(reason?: unknown): void {
    if (!(#signal in this)) throw illegalInvocation();
    abortSignal(this.#signal, reason);
  }
}
