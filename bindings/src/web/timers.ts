/** `setTimeout`, `setInterval` and what else waits for the clock. The host keeps the time. */

import { native } from "../native";
import { OP } from "../protocol";
import { wrongParameter } from "./interface";
import { checkIoAllowed, currentSection, runInContext } from "./scope";
import { reportUncaught } from "./uncaught";

const OWNER = "ServiceWorkerGlobalScope";
/** A hundred years; what is longer waits as long. */
const MAX_DELAY_MS = 3_153_600_000_000;

interface Timer {
  readonly callback: () => void;
  readonly repeat: boolean;
  readonly context: unknown;
}

const timers = new Map<number, Timer>();
let last = 0;

/**
 * Call a function later.
 *
 * @param delay Milliseconds; what is no positive number counts as 0.
 * @returns The timer's number, which `clearTimer` takes.
 */
export function startTimer(callback: () => void, delay: number, repeat: boolean): number {
  checkIoAllowed();
  const wait = delay > 0 ? Math.trunc(Math.min(delay, MAX_DELAY_MS)) : 0;
  const timer = ++last;
  native.op(OP.timer_set, [timer, currentSection(), wait, repeat]);
  timers.set(timer, { callback, repeat, context: native.getContext() });
  return timer;
}

/** Numbers of no timer, or of one that is over, are fine. */
export function clearTimer(timer: number): void {
  if (timers.delete(timer)) native.op(OP.timer_clear, [timer]);
}

/** Event `timer`. */
export function timerDue(number: number): void {
  const timer = timers.get(number);
  if (timer === undefined) return;
  if (!timer.repeat) timers.delete(number);
  try {
    runInContext(timer.context, timer.callback);
  } catch (error) {
    reportUncaught(error);
  }
}

function start(method: string, callback: unknown, delay: unknown, args: unknown[], repeat: boolean): number {
  if (typeof callback !== "function") throw wrongParameter(method, OWNER, 1, "function");
  const wait = Number(delay);
  return startTimer(() => void Reflect.apply(callback, undefined, args), wait, repeat);
}

export const timerGlobals = {
  setTimeout(callback: unknown, delay?: unknown, ...args: unknown[]): number {
    return start("setTimeout", callback, delay, args, false);
  },
  clearTimeout(timer?: unknown): void {
    if (arguments.length === 0) throw wrongParameter("clearTimeout", OWNER, 1, "Number");
    clearTimer(Number(timer));
  },
  setInterval(callback: unknown, delay?: unknown, ...args: unknown[]): number {
    return start("setInterval", callback, delay, args, true);
  },
  clearInterval(timer?: unknown): void {
    if (arguments.length === 0) throw wrongParameter("clearInterval", OWNER, 1, "Number");
    clearTimer(Number(timer));
  },
};
