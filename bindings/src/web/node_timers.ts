/** Timers as Node has them: objects, which under the newest compatibility dates the globals give. */

import { checkFunction } from "../layers/node_errors";
import { clearTimer, startTimer } from "./timers";

type Callback = (...args: unknown[]) => unknown;

class Timeout {
  readonly #start: () => number;
  #timer: number;
  #ref = true;

  constructor(callback: Callback, delay: unknown, args: unknown[], repeat: boolean) {
    const wait = Number(delay);
    this.#start = () => startTimer(() => void Reflect.apply(callback, undefined, args), wait, repeat);
    this.#timer = this.#start();
  }

  /** Begin anew. */
  refresh(): this {
    clearTimer(this.#timer);
    this.#timer = this.#start();
    return this;
  }

  unref(): this {
    this.#ref = false;
    return this;
  }

  ref(): this {
    this.#ref = true;
    return this;
  }

  hasRef(): boolean {
    return this.#ref;
  }

  close(): this {
    clearTimer(this.#timer);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.toPrimitive](): number {
    return this.#timer;
  }
}

function start(callback: unknown, delay: unknown, args: unknown[], repeat: boolean): Timeout {
  checkFunction(callback, "callback");
  return new Timeout(callback, delay, args, repeat);
}

/** Takes what `setTimeout` gave, and its number. */
function clear(timer?: unknown): void {
  if (timer instanceof Timeout) timer.close();
  else if (typeof timer === "number" || typeof timer === "string") clearTimer(Number(timer));
}

export const nodeTimerGlobals = {
  setTimeout(callback: unknown, delay?: unknown, ...args: unknown[]): Timeout {
    return start(callback, delay, args, false);
  },
  clearTimeout: clear,
  setInterval(callback: unknown, delay?: unknown, ...args: unknown[]): Timeout {
    return start(callback, delay, args, true);
  },
  clearInterval: clear,
};
