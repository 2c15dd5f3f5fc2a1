/** `URL` and `URLSearchParams`; parsing is ada's, in C. */

import { native } from "../native";
import { illegalInvocation, isObject, wrongConstructorParameter, wrongParameter } from "./interface";
import { exposeIterators } from "./iterators";

/** Positions in the parts that C gives. */
const PART = {
  href: 0,
  origin: 1,
  protocol: 2,
  username: 3,
  password: 4,
  host: 5,
  hostname: 6,
  port: 7,
  pathname: 8,
  search: 9,
  hash: 10,
} as const;

type Pair = [name: string, value: string];

let changeSearch: (url: URL, query: string) => void;
let replacePairs: (params: URLSearchParams, query: string) => void;
let belongTo: (params: URLSearchParams, url: URL) => void;

export class URLSearchParams {
  #pairs: Pair[];
  #url: URL | undefined;

  static {
    replacePairs = (params, query) => {
      params.#pairs = parseQuery(query);
    };
    belongTo = (params, url) => {
      params.#url = url;
    };
    exposeIterators(URLSearchParams, (params) => {
      if (!isObject(params) || !(#pairs in params)) throw illegalInvocation();
      return () => params.#pairs;
    });
  }

  constructor(init: unknown = "") {
    if (init instanceof URLSearchParams) this.#pairs = init.#pairs.map(([name, value]) => [name, value]);
    else if (isObject(init)) this.#pairs = pairsOf(init);
    else {
      const query = `${init as string}`;
      this.#pairs = parseQuery(query.startsWith("?") ? query.slice(1) : query);
    }
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: string, value: string): void {
    this.#need(arguments.length, 2, "append");
    this.#pairs.push([text(name), text(value)]);
    this.#changed();
  }

  delete(name: string, value?: string): void {
    this.#need(arguments.length, 1, "delete");
    const [wanted, only] = [text(name), value === undefined ? undefined : text(value)];
    this.#pairs = this.#pairs.filter(([n, v]) => n !== wanted || (only !== undefined && v !== only));
    this.#changed();
  }

  get(name: string): string | null {
    this.#need(arguments.length, 1, "get");
    const wanted = text(name);
    return this.#pairs.find(([n]) => n === wanted)?.[1] ?? null;
  }

  getAll(name: string): string[] {
    this.#need(arguments.length, 1, "getAll");
    const wanted = text(name);
    return this.#pairs.filter(([n]) => n === wanted).map(([, value]) => value);
  }

  has(name: string, value?: string): boolean {
    this.#need(arguments.length, 1, "has");
    const [wanted, only] = [text(name), value === undefined ? undefined : text(value)];
    return this.#pairs.some(([n, v]) => n === wanted && (only === undefined || v === only));
  }

  set(name: string, value: string): void {
    this.#need(arguments.length, 2, "set");
    const [wanted, to] = [text(name), text(value)];
    const first = this.#pairs.findIndex(([n]) => n === wanted);
    if (first < 0) this.#pairs.push([wanted, to]);
    else {
      this.#pairs[first] = [wanted, to];
      this.#pairs = this.#pairs.filter(([n], at) => n !== wanted || at === first);
    }
    this.#changed();
  }

  sort(): void {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#changed();
  }

  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, receiver?: unknown): void {
    if (typeof callback !== "function") throw wrongParameter("forEach", "URLSearchParams", 1, "function");
    for (let at = 0; at < this.#pairs.length; at++) {
      const [name, value] = this.#pairs[at] as Pair;
      callback.call(receiver, value, name, this);
    }
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${escape(name)}=${escape(value)}`).join("&");
  }

  #need(given: number, needed: number, method: string): void {
    if (given < needed) throw wrongParameter(method, "URLSearchParams", given + 1, "string");
  }

  #changed(): void {
    if (this.#url !== undefined) changeSearch(this.#url, this.toString());
  }
}

export class URL {
  #parts: readonly string[];
  #params: URLSearchParams | undefined;

  static {
    changeSearch = (url, query) => {
      url.#set(PART.search, query);
    };
  }

  constructor(url: unknown, base?: unknown) {
    if (arguments.length === 0) throw wrongConstructorParameter("URL", 1, "USVString");
    const parts = parse(url, base);
    if (parts === null) throw new TypeError("Invalid URL string.");
    this.#parts = parts;
  }

  static createObjectURL(): never {
    throw new Error("URL.createObjectURL() is not implemented");
  }

  static revokeObjectURL(): never {
    throw new Error("URL.revokeObjectURL() is not implemented");
  }

  static canParse(url: unknown, base?: unknown): boolean {
    if (arguments.length === 0) throw wrongParameter("canParse", "URL", 1, "USVString");
    return parse(url, base) !== null;
  }

  static parse(url: unknown, base?: unknown): URL | null {
    return parse(url, base) === null ? null : new URL(url, base);
  }

  get origin(): string {
    return this.#part(PART.origin);
  }

  get href(): string {
    return this.#part(PART.href);
  }
  set href(value: string) {
    const parts = native.urlSet(this.href, PART.href, `${value}`);
    if (parts === null)
      throw new TypeError(
        "Failed to set the 'href' property on 'URL': the provided value is not of type 'valid URL string'.",
      );
    this.#parts = parts;
    this.#refresh();
  }

  get protocol(): string {
    return this.#part(PART.protocol);
  }
  set protocol(value: string) {
    this.#set(PART.protocol, value);
  }

  get username(): string {
    return this.#part(PART.username);
  }
  set username(value: string) {
    this.#set(PART.username, value);
  }

  get password(): string {
    return this.#part(PART.password);
  }
  set password(value: string) {
    this.#set(PART.password, value);
  }

  get host(): string {
    return this.#part(PART.host);
  }
  set host(value: string) {
    this.#set(PART.host, value);
  }

  get hostname(): string {
    return this.#part(PART.hostname);
  }
  set hostname(value: string) {
    this.#set(PART.hostname, value);
  }

  get port(): string {
    return this.#part(PART.port);
  }
  set port(value: string) {
    this.#set(PART.port, value);
  }

  get pathname(): string {
    return this.#part(PART.pathname);
  }
  set pathname(value: string) {
    this.#set(PART.pathname, value);
  }

  get search(): string {
    return this.#part(PART.search);
  }
  set search(value: string) {
    this.#set(PART.search, value);
    this.#refresh();
  }

  get hash(): string {
    return this.#part(PART.hash);
  }
  set hash(value: string) {
    this.#set(PART.hash, value);
  }

  get searchParams(): URLSearchParams {
    if (this.#params === undefined) {
      this.#params = new URLSearchParams(this.search);
      belongTo(this.#params, this);
    }
    return this.#params;
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  #part(part: number): string {
    return this.#parts[part] as string;
  }

  #set(part: number, value: string): void {
    const parts = native.urlSet(this.href, part, `${value}`);
    if (parts !== null) this.#parts = parts;
  }

  /** The query was changed from this side. */
  #refresh(): void {
    if (this.#params !== undefined) replacePairs(this.#params, this.search.slice(1));
  }
}

function parse(url: unknown, base: unknown): readonly string[] | null {
  return native.urlParse(`${url as string}`, base === undefined ? undefined : `${base as string}`);
}

function text(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

/** Pairs of a sequence of pairs, or of a record. */
function pairsOf(init: object): Pair[] {
  const iterate: unknown = (init as Partial<Iterable<unknown>>)[Symbol.iterator];
  if (typeof iterate !== "function")
    return Object.entries(init).map(([name, value]: [string, unknown]) => [text(name), text(value)]);
  return Array.from(init as Iterable<unknown>, (item) => {
    const pair = isObject(item) ? Array.from(item as Iterable<unknown>) : [];
    if (pair.length !== 2)
      throw new TypeError(
        "Invalid URL search params sequence.",
      );
    return [text(pair[0]), text(pair[1])];
  });
}

/** Parse `application/x-www-form-urlencoded`. */
function parseQuery(query: string): Pair[] {
  const pairs: Pair[] = [];
  for (const piece of query.split("&")) {
    if (piece === "") continue;
    const at = piece.indexOf("=");
    pairs.push(at < 0 ? [unescape(piece), ""] : [unescape(piece.slice(0, at)), unescape(piece.slice(at + 1))]);
  }
  return pairs;
}

const ESCAPE = /%[0-9A-Fa-f]{2}/;
const SAFE = /^[A-Za-z0-9*\-._]*$/;

function unescape(piece: string): string {
  const spaced = piece.replaceAll("+", " ");
  if (!ESCAPE.test(spaced)) return spaced.toWellFormed();
  const bytes = native.utf8EncodeReplacing(spaced);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const digits = bytes[at] === 0x25 ? String.fromCharCode(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0) : "";
    if (/^[0-9A-Fa-f]{2}$/.test(digits)) {
      bytes[length++] = Number.parseInt(digits, 16);
      at += 2;
    } else bytes[length++] = bytes[at] as number;
  }
  return native.utf8Decode(bytes.subarray(0, length), false, true);
}

function escape(piece: string): string {
  if (SAFE.test(piece)) return piece;
  let out = "";
  for (const byte of native.utf8EncodeReplacing(piece)) {
    const character = String.fromCharCode(byte);
    if (byte === 0x20) out += "+";
    else if (byte < 0x80 && SAFE.test(character)) out += character;
    else out += `%${byte < 16 ? "0" : ""}${byte.toString(16).toUpperCase()}`;
  }
  return out;
}
