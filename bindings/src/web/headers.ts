/**
 * `Headers`: a view of a flat list `[name, value, …]`.
 *
 * The list keeps names as they were written and in their order, since that is what goes out again. A request or
 * response holds the list alone until somebody asks for its `headers`.
 */

import { illegalInvocation, isObject, wrongConstructorParameter, wrongParameter } from "./interface";
import { exposeIterators, type PairIterator } from "./iterators";

export type HeaderList = string[];

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z\u0080-\uffff]*$/;
const UNUSUAL_VALUE = /[\0\n\r]|^[\t ]|[\t ]$/;
const FORBIDDEN_IN_VALUE = /[\0\n\r]/;
const MAX_KNOWN_NAMES = 512;

/** Names that were checked before, and their lower-case forms. */
const knownNames = new Map<string, string>();

/** A name in lower case. @throws TypeError when it is none. */
function normalizeName(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  if (!NAME.test(name)) throw new TypeError("Invalid header name.");
  const lower = name.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(name, lower);
  return lower;
}

/** A value without surrounding blanks. @throws TypeError when it cannot be sent. */
function normalizeValue(value: string): string {
  if (!UNUSUAL_VALUE.test(value)) return value;
  const trimmed = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (FORBIDDEN_IN_VALUE.test(trimmed)) throw new TypeError("Invalid header value.");
  return trimmed;
}

/** Whether a name as it was written is the given one in lower case. */
function isNamed(written: string, lower: string): boolean {
  return written === lower || (written.length === lower.length && written.toLowerCase() === lower);
}

/** The value of a header of a list, several combined; null when there is none. */
export function getHeader(list: HeaderList, lower: string): string | null {
  let value: string | null = null;
  for (let i = 0; i < list.length; i += 2)
    if (isNamed(list[i] as string, lower)) value = value === null ? (list[i + 1] as string) : `${value}, ${list[i + 1]}`;
  return value;
}

export function hasHeader(list: HeaderList, lower: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (isNamed(list[i] as string, lower)) return true;
  return false;
}

/** A list without a header. */
export function withoutHeader(list: HeaderList, lower: string): HeaderList {
  const kept = [...list];
  deleteHeader(kept, lower);
  return kept;
}

function getAllHeaders(list: HeaderList, lower: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < list.length; i += 2) if (isNamed(list[i] as string, lower)) values.push(list[i + 1] as string);
  return values;
}

function deleteHeader(list: HeaderList, lower: string, from = 0): void {
  let kept = from;
  for (let i = from; i < list.length; i += 2) {
    if (isNamed(list[i] as string, lower)) continue;
    list[kept++] = list[i] as string;
    list[kept++] = list[i + 1] as string;
  }
  list.length = kept;
}

/** Replace a header where it stands first, or add it at the end. */
function setHeader(list: HeaderList, name: string, lower: string, value: string): void {
  for (let i = 0; i < list.length; i += 2)
    if (isNamed(list[i] as string, lower)) {
      list[i] = name;
      list[i + 1] = value;
      deleteHeader(list, lower, i + 2);
      return;
    }
  list.push(name, value);
}

/** Pairs in order of their lower-case names, equal names combined except for cookies to set. */
function sortAndCombine(list: HeaderList): [string, string][] {
  const combined = new Map<string, string>();
  const cookies: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = (list[i] as string).toLowerCase();
    const value = list[i + 1] as string;
    if (name === "set-cookie") cookies.push(value);
    const before = combined.get(name);
    combined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const pairs: [string, string][] = [];
  for (const name of [...combined.keys()].sort()) {
    if (name === "set-cookie") for (const cookie of cookies) pairs.push([name, cookie]);
    else pairs.push([name, combined.get(name) as string]);
  }
  return pairs;
}

/** The list that `new Headers(init)` has, and what `init.headers` of a request or response means. */
export function listOf(init: unknown): HeaderList {
  if (init instanceof Headers) return [...listOfHeaders(init)];
  const list: HeaderList = [];
  if (Symbol.iterator in (init as object)) {
    for (const pair of init as Iterable<unknown>) {
      if (typeof pair !== "object" || pair === null || !(Symbol.iterator in pair))
        throw new TypeError("Incorrect type: the provided value is not of type 'Sequence'.");
      const items = [...(pair as Iterable<unknown>)];
      if (items.length !== 2)
        throw new TypeError(
          "To initialize a Headers object from a sequence, each inner sequence must have exactly two elements.",
        );
      add(list, `${items[0]}`, `${items[1]}`);
    }
    return list;
  }
  const record = init as Record<string, unknown>;
  for (const name of Object.keys(record)) add(list, name, `${record[name]}`);
  return list;
}

function add(list: HeaderList, name: string, value: string): void {
  normalizeName(name);
  list.push(name, normalizeValue(value));
}

/** The list behind a `Headers`; changes show in both. */
export let listOfHeaders: (headers: Headers) => HeaderList;

/** Make a `Headers` of a list that is known to be valid. */
export let makeHeaders: (list: HeaderList, immutable: boolean) => Headers;

export let isHeaders: (value: object) => value is Headers;

const MAKER = Symbol("headers");

export class Headers {
  readonly #list: HeaderList;
  readonly #immutable: boolean;

  static {
    listOfHeaders = (headers) => headers.#list;
    isHeaders = (value): value is Headers => #list in value;
    makeHeaders = (list, immutable) => new Headers(MAKER, list, immutable);
  }

  constructor(init?: unknown, list?: HeaderList, immutable?: boolean) {
    if (init === MAKER) {
      this.#list = list as HeaderList;
      this.#immutable = immutable as boolean;
      return;
    }
    if (init !== undefined && !isObject(init))
      throw wrongConstructorParameter("Headers", 1, "Headers or Sequence or object");
    this.#list = init === undefined ? [] : listOf(init);
    this.#immutable = false;
  }

  get(name: unknown): string | null {
    if (!(#list in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("get", "Headers", 1, "string");
    return getHeader(this.#list, normalizeName(`${name}`));
  }

  getAll(name: unknown): string[] {
    if (!(#list in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("getAll", "Headers", 1, "string");
    if (`${name}`.toLowerCase() !== "set-cookie")
      throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    return getAllHeaders(this.#list, "set-cookie");
  }

  getSetCookie(): string[] {
    if (!(#list in this)) throw illegalInvocation();
    return getAllHeaders(this.#list, "set-cookie");
  }

  has(name: unknown): boolean {
    if (!(#list in this)) throw illegalInvocation();
    if (arguments.length < 1) throw wrongParameter("has", "Headers", 1, "string");
    return hasHeader(this.#list, normalizeName(`${name}`));
  }

  set(name: unknown, value: unknown): void {
    this.#checkMutable();
    if (arguments.length < 1) throw wrongParameter("set", "Headers", 1, "string");
    if (arguments.length < 2) throw wrongParameter("set", "Headers", 2, "string");
    const written = `${name}`;
    setHeader(this.#list, written, normalizeName(written), normalizeValue(`${value}`));
  }

  append(name: unknown, value: unknown): void {
    this.#checkMutable();
    if (arguments.length < 1) throw wrongParameter("append", "Headers", 1, "string");
    if (arguments.length < 2) throw wrongParameter("append", "Headers", 2, "string");
    add(this.#list, `${name}`, `${value}`);
  }

  delete(name: unknown): void {
    this.#checkMutable();
    if (arguments.length < 1) throw wrongParameter("delete", "Headers", 1, "string");
    deleteHeader(this.#list, normalizeName(`${name}`));
  }

  forEach(callback: unknown, self?: unknown): void {
    if (!(#list in this)) throw illegalInvocation();
    if (typeof callback !== "function") throw wrongParameter("forEach", "Headers", 1, "function");
    for (const [name, value] of sortAndCombine(this.#list)) callback.call(self, value, name, this);
  }

  declare entries: () => PairIterator<[string, string]>;
  declare keys: () => PairIterator<string>;
  declare values: () => PairIterator<string>;
  declare [Symbol.iterator]: () => PairIterator<[string, string]>;

  #checkMutable(): void {
    if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
  }
}

exposeIterators(Headers, (headers) => {
  if (!(headers instanceof Headers)) throw illegalInvocation();
  const pairs = sortAndCombine(listOfHeaders(headers));
  return () => pairs;
});
