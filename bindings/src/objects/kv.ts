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
import { wrongParameter } from "../web/interface";
import { ReadableStream } from "../web/streams";
import { optionsOf } from "./arguments";

const GET = OP.kv_get;
const PUT = OP.kv_put;
const DELETE = OP.kv_delete;

const PUT_FORMS =
  "put() may only be called with a single key-value pair and optional options as put(key, value, options) " +
  "or with multiple key-value pairs and optional options as put(entries, options)";

/** Accepted and without effect: an operation never waits, so there is nothing to let in and nothing to cache. */
interface ReadOptions {
  allowConcurrency: unknown;
  noCache: unknown;
}

interface WriteOptions extends ReadOptions {
  allowUnconfirmed: unknown;
}

interface ListOptions extends ReadOptions {
  start: unknown;
  startAfter: unknown;
  end: unknown;
  prefix: unknown;
  reverse: unknown;
  limit: unknown;
}

/** Errors that the storage marked as worth another try; a transaction that fails with one runs again. */
const transient = new WeakSet<object>();

/** Whether a value is an error of the storage that may not come back when the work is done again. */
export function isTransient(error: unknown): boolean {
  return typeof error === "object" && error !== null && transient.has(error);
}

/** The rejection of a storage method. */
export function rejected(error: unknown): Promise<never> {
  if (typeof error === "object" && error !== null && (error as { retryable?: unknown }).retryable === true)
    transient.add(error);
  return Promise.reject(error);
}

function encodeKeys(keys: readonly unknown[]): ArrayBuffer[] {
  const encoded: ArrayBuffer[] = [];
  for (let i = 0; i < keys.length; i++) encoded.push(native.utf8Encode(`${keys[i] as string}`));
  return encoded;
}

/** `get(key)` and `get(keys)`. */
export function get(owner: string, key: unknown, options: unknown): unknown {
  if (options !== undefined) optionsOf<ReadOptions>(options, "get", owner, 2, "GetOptions");
  if (typeof key === "string") return native.op(GET, key);
  if (key === undefined) throw wrongParameter("get", owner, 1, "string or Array");
  if (!Array.isArray(key)) return native.op(GET, `${key as string}`);
  return key.length === 0 ? new Map() : native.opMap(OP.kv_get_many, [encodeKeys(key)]);
}

/** `put(key, value)` and `put(entries)`. */
export function put(owner: string, key: unknown, value: unknown, options: unknown): void {
  if ((typeof key === "object" && key !== null && !Array.isArray(key)) || typeof key === "function") {
    putEntries(owner, key as Record<string, unknown>, value);
    return;
  }
  const unconfirmed =
    options !== undefined && isUnconfirmed(optionsOf<WriteOptions>(options, "put", owner, 3, "PutOptions"));
  const text = typeof key === "string" ? key : `${key as string}`;
  if (value === undefined)
    throw key === undefined
      ? wrongParameter("put", owner, 1, "string or object")
      : new TypeError("put() called with undefined value.");
  isolate.writes++;
  if (unconfirmed) native.op(OP.kv_put_many, [[native.utf8Encode(text), native.serialize(value)], true]);
  else native.opValue(PUT, text, value);
}

function putEntries(owner: string, entries: Record<string, unknown>, options: unknown): void {
  if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function")
    throw new TypeError(PUT_FORMS);
  const unconfirmed = isUnconfirmed(optionsOf<WriteOptions>(options, "put", owner, 2, "PutOptions"));
  isolate.writes++;
  native.opEntries(OP.kv_put_many, entries, unconfirmed);
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
  if (!(value instanceof ReadableStream) || !(error instanceof DOMException)) return rejected(error);
  try {
    return putStream(owner, key, value, options);
  } catch (failure) {
    return rejected(failure);
  }
}

/**
 * `put(key, stream)`: the promise settles when the whole stream is the key's value, or is not and never will be.
 *
 * @throws TypeError when the stream is locked or has been read from.
 */
function putStream(owner: string, key: unknown, stream: ReadableStream, options: unknown): Promise<void> {
  const unconfirmed = isUnconfirmed(optionsOf<WriteOptions>(options, "put", owner, 3, "PutOptions"));
  const name = native.utf8Encode(`${key as string}`);
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

/** `delete(key)` → whether it existed, `delete(keys)` → how many did. */
export function remove(owner: string, key: unknown, options: unknown): boolean | number {
  const unconfirmed =
    options !== undefined && isUnconfirmed(optionsOf<WriteOptions>(options, "delete", owner, 2, "PutOptions"));
  isolate.writes++;
  if (Array.isArray(key)) return key.length === 0 ? 0 : native.op(OP.kv_delete_many, [encodeKeys(key), unconfirmed]);
  if (key === undefined) throw wrongParameter("delete", owner, 1, "string or Array");
  const text = `${key as string}`;
  if (unconfirmed) return native.op(OP.kv_delete_many, [[native.utf8Encode(text)], true]) > 0;
  return native.op(DELETE, text);
}

/** `list(options)`. */
export function list(owner: string, options: unknown): Map<string, unknown> {
  newest++;
  return native.opMap(OP.kv_list, rangeOf(owner, options));
}

/** Counts lists: only the newest may still be read key by key. */
let newest = 0;

/** Something else than the methods here has written, or undone writes. */
export function written(): void {
  isolate.writes++;
}

/** `kv.get(key)`. */
export function getOne(key: unknown): unknown {
  return native.op(GET, `${key as string}`);
}

/** `kv.put(key, value)`; `undefined` is a value like any other. */
export function putOne(key: unknown, value: unknown): void {
  isolate.writes++;
  native.opValue(PUT, `${key as string}`, value);
}

/** `kv.delete(key)`. */
export function removeOne(key: unknown): boolean {
  isolate.writes++;
  return native.op(DELETE, `${key as string}`);
}

const INVALIDATED =
  "kv.list() iterator was invalidated because a new call to kv.list() was started. " +
  "Only one kv.list() iterator can exist at a time.";

/** `kv.list(options)`: read as it is iterated, a part at a time; a part is read again when something was written. */
export class Listing {
  readonly #number = ++newest;
  readonly #range: Range;
  /** How many may still be read; -1 once the end was told. */
  #left: number;
  #part: ArrayBuffer | undefined;
  /** The writes that there were when the part was read. */
  #seen = -1;

  constructor(owner: string, options: unknown) {
    this.#range = rangeOf(owner, options);
    this.#left = this.#range[4] < 0 ? Infinity : this.#range[4];
  }

  next(): IteratorResult<[string, unknown], undefined> {
    const left = this.#left;
    if (left < 0) return { done: true, value: undefined };
    if (this.#number !== newest) throw new Error(INVALIDATED);
    if (left > 0) {
      if (this.#seen !== isolate.writes) this.#read(left);
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
    range[4] = Number.isFinite(left) ? left : -1;
    this.#seen = isolate.writes;
    return (this.#part = native.op(OP.kv_part, range) as ArrayBuffer);
  }
}

/** Start (inclusive), end (exclusive), prefix, reverse, limit or -1. */
type Range = [ArrayBuffer | null, ArrayBuffer | null, ArrayBuffer | null, boolean, number];

function rangeOf(owner: string, options: unknown): Range {
  const given = optionsOf<ListOptions>(options, "list", owner, 1, "ListOptions");
  const { end, limit, prefix, reverse, start, startAfter } = given;
  const first = startAfter === undefined ? bound(start) : bound(`${startAfter as string}\0`);
  const count = limit === undefined ? -1 : toLong(limit);
  if (start !== undefined && startAfter !== undefined)
    throw new TypeError("list() cannot be called with both start and startAfter values.");
  if (limit !== undefined && count <= 0) throw new TypeError("List limit must be positive.");
  return [first, bound(end), bound(prefix), Boolean(reverse), count];
}

function bound(value: unknown): ArrayBuffer | null {
  return value === undefined ? null : native.utf8Encode(`${value as string}`);
}

/** A number as Web IDL's `long`: fractions are cut, NaN and infinities are 0, what does not fit is refused. */
function toLong(value: unknown): number {
  const number = +(value as number);
  const long = Number.isFinite(number) ? Math.trunc(number) : 0;
  if (long < -2147483648 || long > 2147483647)
    throw new TypeError("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).");
  return long;
}

/** Whether a write need not hold outputs. */
export function isUnconfirmed(options: Partial<WriteOptions>): boolean {
  return Boolean(options.allowUnconfirmed);
}
