/** Randomness, from Web Crypto. */

import { checkFunction, invalidArgType, outOfRange } from "../node_errors";
import { Buffer } from "./bytes";

/** `getRandomValues` gives no more at once. */
const PART = 65_536;
const MAX_BYTES = 2 ** 31 - 1;
/** 48 bits are drawn for an integer. */
const MAX_RANGE = 2 ** 48 - 1;

type Callback = (error: Error | null, value: unknown) => void;

function fill(bytes: Uint8Array<ArrayBuffer>): void {
  for (let at = 0; at < bytes.length; at += PART) crypto.getRandomValues(bytes.subarray(at, at + PART));
}

/** The value at once, or where there is a callback later. */
function give(value: unknown, callback: unknown): unknown {
  if (callback === undefined) return value;
  checkFunction(callback, "callback");
  queueMicrotask(() => (callback as Callback)(null, value));
  return undefined;
}

function integer(low: number, high: number): number {
  const range = high - low;
  const unbiased = 2 ** 48 - (2 ** 48 % range);
  for (;;) {
    const [top, bottom] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
    const drawn = (top & 0xffff) * 2 ** 32 + bottom;
    if (drawn < unbiased) return low + (drawn % range);
  }
}

function view(target: unknown): Uint8Array<ArrayBuffer> {
  if (target instanceof ArrayBuffer) return new Uint8Array(target);
  if (!ArrayBuffer.isView(target)) throw invalidArgType("buf", "an instance of ArrayBuffer or ArrayBufferView", target);
  return new Uint8Array(target.buffer as ArrayBuffer, target.byteOffset, target.byteLength);
}

/** @param from Where it begins, in elements. @param most How many of them. */
function part(target: unknown, from: number, most?: number): Uint8Array<ArrayBuffer> {
  const whole = view(target);
  const unit = (target as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const offset = from * unit;
  const wanted = most === undefined ? whole.length - offset : most * unit;
  if (!(offset >= 0 && offset <= whole.length)) throw outOfRange("offset", `>= 0 && <= ${whole.length}`, offset);
  if (!(wanted >= 0 && offset + wanted <= whole.length)) throw outOfRange("size", `>= 0 && <= ${whole.length - offset}`, wanted);
  return whole.subarray(offset, offset + wanted);
}

export function randomFunctions(): Record<string, unknown> {
  function randomBytes(size: unknown, callback?: unknown): unknown {
    if (typeof size !== "number") throw invalidArgType("size", "of type number", size);
    if (!(size >= 0 && size <= MAX_BYTES)) throw outOfRange("size", `>= 0 && <= ${MAX_BYTES}`, size);
    const bytes = Buffer.alloc(size);
    fill(bytes as Uint8Array<ArrayBuffer>);
    return give(bytes, callback);
  }

  return {
    pseudoRandomBytes: randomBytes,
    randomBytes,
    randomFill(target: unknown, ...rest: unknown[]): void {
      const callback = rest.pop();
      checkFunction(callback, "callback");
      fill(part(target, (rest[0] as number) ?? 0, rest[1] as number));
      give(target, callback);
    },
    randomFillSync(target: unknown, offset = 0, size?: number): unknown {
      fill(part(target, offset, size));
      return target;
    },
    randomInt(...args: unknown[]): unknown {
      const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
      const [low, high] = args.length > 1 ? args : [0, args[0]];
      for (const [name, value] of [["min", low], ["max", high]] as const)
        if (!Number.isSafeInteger(value)) throw invalidArgType(name, "a safe integer", value);
      const [from, to] = [low as number, high as number];
      if (to <= from) throw outOfRange("max", `greater than the value of "min" (${from})`, to);
      if (to - from > MAX_RANGE) throw outOfRange(args.length > 1 ? "max - min" : "max", `<= ${MAX_RANGE}`, to - from);
      return give(integer(from, to), callback);
    },
    randomUUID: () => crypto.randomUUID(),
  };
}
