/**
 * The key-value operations that `ctx.storage` and a transaction share.
 *
 * Each runs at once, in the host, and returns its result or throws; the classes on top wrap it in the promise that
 * the API asks for. Keys travel as UTF-8 (a lone surrogate keeps its three-byte form) and order by those bytes;
 * values travel in V8's serialization format and are copied at the time of the call.
 */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import { currentSection, DOMException, startAsync } from "../web";
import { type Content, contentOfStream, handOver, KIND, receivedContent, streamOf } from "../web/content";
import type { HostReader } from "../web/host_objects";
import { ReadableStream } from "../web/streams";
import { GET_OPTIONS, readOptions, text, writesUnconfirmed } from "./arguments";

const GET = OP.kv_get;
const PUT = OP.kv_put;
const DELETE = OP.kv_delete;

const PUT_FORMS =
  "put() may only be called with a single key-value pair and optional options as put(key, value, options) " +
  "or with multiple key-value pairs and optional options as put(entries, options)";

/** What `kv.list` takes; `list` takes those of `get` as well. */
const SYNC_LIST_OPTIONS = { start: text, startAfter: text, end: text, prefix: text, reverse: Boolean, limit: toLong };
const LIST_OPTIONS = { ...SYNC_LIST_OPTIONS, ...GET_OPTIONS };

/** Errors that the storage marked as worth another try; a transaction that fails with one runs again. */
const transient = new WeakSet<object>();

/** Whether a value is an error of the storage that may not come back when the work is done again. */
export function isTransient(error: unknown): boolean {
  return typeof error === "object" && error !== null && transient.has(error);
}

/** What a storage method failed with. */
function failure(error: unknown): unknown {
  if (typeof error === "object" && error !== null && (error as { retryable?: unknown }).retryable === true)
    transient.add(error);
  return error;
}

/** The rejection of a storage method. */
export function rejected(error: unknown): Promise<never> {
  return Promise.reject(failure(error));
}

/** Whether a value is an array and no proxy of one, which is an object like others to the platform. */
function isArray(value: unknown): value is unknown[] {
  return Array.isArray(value) && native.proxyParts(value) === undefined;
}

/** A key, or several as they travel. */
function toKeys(key: unknown): string | ArrayBuffer[] {
  if (typeof key === "string") return key;
  if (!isArray(key)) return text(key);
  const keys: ArrayBuffer[] = [];
  for (let i = 0, { length } = key; i < length; i++) keys.push(native.utf8Encode(text(key[i])));
  return keys;
}

/** `get(key)` and `get(keys)`. */
export function get(owner: string, key: unknown, options: unknown): unknown {
  if (typeof key === "string" && options === undefined) return native.op(GET, key);
  const keys = toKeys(key);
  // Accepted and without effect: an operation never waits, so there is nothing to let in and nothing to cache.
  if (options !== undefined) readOptions(options, GET_OPTIONS, "get", owner, 2, "GetOptions");
  if (typeof keys === "string") return native.op(GET, keys);
  return keys.length === 0 ? new Map() : native.opMap(OP.kv_get_many, [keys]);
}

/** `put(key, value)` and `put(entries)`. */
export function put(owner: string, key: unknown, value: unknown, options: unknown): void {
  if (typeof key === "function" || (typeof key === "object" && key !== null && !isArray(key))) {
    putEntries(owner, key as Record<string, unknown>, value, options);
    return;
  }
  const name = typeof key === "string" ? key : text(key);
  const unconfirmed = options !== undefined && writesUnconfirmed(options, "put", owner, 3);
  if (value === undefined) throw new TypeError("put() called with undefined value.");
  isolate.writes++;
  if (unconfirmed) native.op(OP.kv_put_many, [[native.utf8Encode(name), native.serialize(value)], true]);
  else native.opValue(PUT, name, value);
}

/** The options of several entries are the second argument or, if there is none, the third. */
function putEntries(owner: string, entries: Record<string, unknown>, second: unknown, third: unknown): void {
  let given: object = entries;
  let unconfirmed = false;
  if (second !== undefined || third !== undefined) {
    given = Object.fromEntries(Object.entries(entries));
    unconfirmed = writesUnconfirmed(third, "put", owner, 3);
    if (second !== undefined) {
      if (second !== null && typeof second !== "object" && typeof second !== "function") throw new TypeError(PUT_FORMS);
      unconfirmed = writesUnconfirmed(second, "put", owner, 2);
    }
  }
  isolate.writes++;
  native.opEntries(OP.kv_put_many, given, unconfirmed);
}

/**
 * What becomes of a `put` that failed: a stream is no value that can be written at once, but one that can be stored. It
 * is looked for here so that all others do not pay for it.
 */
export function putAfterAll(
  owner: string,
  key: unknown,
  value: unknown,
  options: unknown,
  error: unknown,
): Promise<void> {
  const isStream = native.proxyParts(value) === undefined && value instanceof ReadableStream;
  if (!isStream || !(error instanceof DOMException)) return rejected(error);
  try {
    return putStream(owner, key, value, options);
  } catch (another) {
    return rejected(another);
  }
}

/**
 * `put(key, stream)`: the promise settles when the whole stream is the key's value, or is not and never will be.
 *
 * @throws TypeError when the stream is locked or has been read from.
 */
function putStream(owner: string, key: unknown, stream: ReadableStream, options: unknown): Promise<void> {
  const name = native.utf8Encode(text(key));
  const unconfirmed = writesUnconfirmed(options, "put", owner, 3);
  const { kind, handle, raw } = handOver(contentOfStream(stream));
  return startAsync(
    (operation) => {
      native.op(OP.kv_put_stream, [operation, currentSection(), name, kind, handle, unconfirmed], raw);
    },
    () => undefined,
  );
}

/** A value of the storage that is a stream: what its marker, an object of the platform, stands for. */
const STREAM = 1000;

/** The stream that a marker stands for; undefined when the type is another one. */
export function readStored(type: number, reader: HostReader): object | undefined {
  if (type !== STREAM) return undefined;
  const content = receivedContent(KIND.host, native.op(OP.stored_stream, [reader.number()]), undefined);
  return streamOf(content as Content);
}

/** `delete(key)` → whether it existed, `delete(keys)` → how many did: the one method that throws what goes wrong. */
export function removal(owner: string, key: unknown, options: unknown): Promise<boolean | number> {
  try {
    return Promise.resolve(remove(owner, key, options));
  } catch (error) {
    throw failure(error);
  }
}

function remove(owner: string, key: unknown, options: unknown): boolean | number {
  isolate.writes++;
  if (typeof key === "string" && options === undefined) return native.op(DELETE, key);
  const keys = toKeys(key);
  const unconfirmed = options !== undefined && writesUnconfirmed(options, "delete", owner, 2);
  if (typeof keys !== "string") return keys.length === 0 ? 0 : native.op(OP.kv_delete_many, [keys, unconfirmed]);
  if (unconfirmed) return native.op(OP.kv_delete_many, [[native.utf8Encode(keys)], true]) > 0;
  return native.op(DELETE, keys);
}

/** `list(options)`. */
export function list(owner: string, options: unknown): Map<string, unknown> {
  newest++;
  return native.opMap(OP.kv_list, rangeOf(owner, options, LIST_OPTIONS));
}

/** Counts lists: only the newest may still be read key by key. */
let newest = 0;

/** Something else than the methods here has written, or undone writes. */
export function written(): void {
  isolate.writes++;
}

/** `kv.get(key)`. */
export function getOne(key: unknown): unknown {
  return native.op(GET, text(key));
}

/** `kv.put(key, value)`; `undefined` is a value like any other. */
export function putOne(key: string, value: unknown): void {
  isolate.writes++;
  native.opValue(PUT, key, value);
}

/** `kv.delete(key)`. */
export function removeOne(key: unknown): boolean {
  isolate.writes++;
  return native.op(DELETE, text(key));
}

const INVALIDATED =
  "kv.list() iterator was invalidated because a new call to kv.list() was started. " +
  "Only one kv.list() iterator can exist at a time.";

/** Pairs of the largest part of a list that is read as it is iterated. */
const LARGEST_PART = 1024;

/**
 * `kv.list(options)`: read as it is iterated, a part at a time; a part is read again when something was written. Parts grow
 * while nothing is written, so that who reads few, or writes after each, has not many read in vain.
 */
export class Listing {
  readonly #number = ++newest;
  readonly #range: Range;
  /** How many may still be read; -1 once the end was told. */
  #left: number;
  #part: ArrayBuffer | undefined;
  /** Most pairs of the next part. */
  #size = 8;
  /** The writes that there were when the part was read. */
  #seen = -1;

  constructor(owner: string, options: unknown) {
    this.#range = rangeOf(owner, options, SYNC_LIST_OPTIONS);
    this.#left = this.#range[4] < 0 ? Infinity : this.#range[4];
  }

  next(): IteratorResult<[string, unknown], undefined> {
    const left = this.#left;
    if (left < 0) return { done: true, value: undefined };
    if (this.#number !== newest) throw new Error(INVALIDATED);
    if (left > 0) {
      if (this.#seen !== isolate.writes) {
        if (this.#part !== undefined) this.#size = 1;
        this.#read(left);
      }
      this.#left = left - 1;
      const pair = native.nextPair(this.#part as ArrayBuffer) ?? native.nextPair(this.#read(left));
      if (pair !== undefined) return { done: false, value: pair };
    }
    this.#left = -1;
    return { done: true, value: undefined };
  }

  #read(left: number): ArrayBuffer {
    const range = this.#range;
    const last = this.#part && native.lastKey(this.#part);
    if (last !== undefined) {
      if (range[3]) range[1] = last;
      else {
        const after = new Uint8Array(last.byteLength + 1);
        after.set(new Uint8Array(last));
        range[0] = after.buffer;
      }
    }
    range[4] = Math.min(left, this.#size);
    this.#size = Math.min(4 * this.#size, LARGEST_PART);
    this.#seen = isolate.writes;
    return (this.#part = native.op(OP.kv_part, range) as ArrayBuffer);
  }
}

/** Start (inclusive), end (exclusive), prefix, reverse, limit or -1. */
type Range = [ArrayBuffer | null, ArrayBuffer | null, ArrayBuffer | null, boolean, number];

function rangeOf(owner: string, options: unknown, fields: typeof SYNC_LIST_OPTIONS): Range {
  const read = readOptions(options, fields, "list", owner, 1, "ListOptions");
  const { end, limit = -1, prefix, reverse = false, start, startAfter } = read;
  if (start !== undefined && startAfter !== undefined)
    throw new TypeError("list() cannot be called with both start and startAfter values.");
  if (read.limit !== undefined && limit <= 0) throw new TypeError("List limit must be positive.");
  const first = startAfter === undefined ? start : `${startAfter}\0`;
  return [bound(first), bound(end), bound(prefix), reverse, limit];
}

function bound(key: string | undefined): ArrayBuffer | null {
  return key === undefined ? null : native.utf8Encode(key);
}

/** A number as Web IDL's `long`: fractions are cut, NaN and infinities are 0, what does not fit is refused. */
function toLong(value: unknown): number {
  const number = +(value as number);
  const long = Number.isFinite(number) ? Math.trunc(number) : 0;
  if (long < -2147483648 || long > 2147483647)
    throw new TypeError("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).");
  return long;
}
