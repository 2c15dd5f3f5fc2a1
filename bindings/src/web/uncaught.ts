/** Errors that no user code is there to catch: of timers, event listeners and microtasks. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "./errors";

let listening: ((error: unknown) => void) | undefined;

/** Have the global scope's listeners hear of errors; called once. */
export function onUncaught(listener: (error: unknown) => void): void {
  listening = listener;
}

/** Let the global scope's listeners hear of an error, and log it. What one of them throws is logged alone. */
export function dispatchUncaught(error: unknown): void {
  const listener = listening;
  listening = undefined;
  try {
    listener?.(error);
  } catch (failure) {
    reportUncaught(failure);
  } finally {
    listening = listener;
  }
  reportUncaught(error);
}

/** Log an error. */
export function reportUncaught(error: unknown): void {
  native.op(OP.uncaught, [describeError(error)]);
}

/** An error as text, whatever it is. */
export function textOf(error: unknown): string {
  try {
    return `${error as string}`;
  } catch {
    return "Error";
  }
}
