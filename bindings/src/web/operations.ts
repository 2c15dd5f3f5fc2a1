/**
 * Async ops: work that an op starts and a `complete` event ends.
 *
 * Their ids are chosen here and never used twice.
 */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import { type AbortSignal, whenAborted } from "./abort";
import { type DescribedError, receiveError } from "./errors";
import { checkIoAllowed, runInContext } from "./scope";

/** From the host's answer to what the promise resolves with. */
// The type of the value is that of the op's row in the table.
// biome-ignore lint/suspicious/noExplicitAny: as said
export interface Reader<T, V = any> {
  (value: V, body: ArrayBuffer | undefined): T;
  /** Gives back what a result of which nobody wants to know any more holds of the host's. */
  discard?(value: V): void;
}

interface Pending {
  readonly read: Reader<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** Where a Worker asked for it: what the result holds belongs there. */
  readonly context: unknown;
  /** Set when the caller gave up: it hears of no result. */
  abandoned: boolean;
  /** Stops listening to the caller's signal. */
  release: (() => void) | undefined;
}

const pending = new Map<number, Pending>();
let last = 0;

/**
 * Start async work.
 *
 * @param start Calls the op with the id it is given.
 * @param read Makes the result of the host's answer.
 * @param signal Rejects the promise when it aborts; the host is told, and the result is discarded.
 */
export function startAsync<T>(start: (id: number) => void, read: Reader<T>, signal?: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    checkIoAllowed();
    signal?.throwIfAborted();
    const id = ++last;
    start(id);
    const entry: Pending = {
      read,
      resolve: resolve as (value: unknown) => void,
      reject,
      context: isolate.instance === undefined ? native.getContext() : undefined,
      abandoned: false,
      release: undefined,
    };
    pending.set(id, entry);
    if (signal !== undefined)
      entry.release = whenAborted(signal, () => {
        entry.abandoned = true;
        native.op(OP.abandon, [id]);
        reject(signal.reason);
      });
  });
}

/**
 * Work that the host does at once when it is short: then the op's reply is the result. That goes at global scope too.
 *
 * @param start Calls the op with the id it is given; what it throws rejects the promise.
 */
export function startOrFinish(start: (id: number) => ArrayBuffer | undefined): Promise<ArrayBuffer> {
  return new Promise((resolve, reject) => {
    const id = ++last;
    const result = start(id);
    if (result !== undefined) {
      resolve(result);
      return;
    }
    const read = (_: unknown, body: ArrayBuffer | undefined) => body ?? new ArrayBuffer(0);
    pending.set(id, {
      read,
      resolve: resolve as (value: unknown) => void,
      reject,
      context: undefined,
      abandoned: false,
      release: undefined,
    });
  });
}

/** Event `complete`. */
export function completeAsync(id: number, status: number, value: unknown, body: ArrayBuffer | undefined): void {
  const entry = pending.get(id);
  if (entry === undefined) return;
  pending.delete(id);
  entry.release?.();
  if (status !== 0) {
    entry.reject(receiveError(value as DescribedError, body));
    return;
  }
  if (entry.abandoned) {
    entry.read.discard?.(value);
    return;
  }
  try {
    entry.resolve(entry.context === undefined ? entry.read(value, body) : runInContext(entry.context, () => entry.read(value, body)));
  } catch (error) {
    entry.reject(error);
  }
}
