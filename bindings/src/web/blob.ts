/** `Blob` and `File`: bytes in memory with a type. */

import { native } from "../native";
import { illegalInvocation, isObject, wrongConstructorParameter } from "./interface";
import { ReadableStream, viewOf } from "./streams";
import { utf8Bytes } from "./text";

/** The bytes of a blob; nobody changes them. */
export let bytesOf: (blob: Blob) => Uint8Array<ArrayBuffer>;

/** Make a blob of bytes that nobody else will change. */
export let makeBlob: (bytes: Uint8Array<ArrayBuffer>, type: string) => Blob;

const MAKER = Symbol("blob");
const PRINTABLE_ASCII = /^[ -~]*$/;

interface BlobOptions {
  type?: unknown;
  endings?: unknown;
}

function partBytes(part: unknown): Uint8Array {
  if (typeof part === "string") return utf8Bytes(part);
  if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) return viewOf(part);
  if (part instanceof Blob) return bytesOf(part);
  return utf8Bytes(`${part}`);
}

function concatenate(owner: string, parts: unknown): Uint8Array<ArrayBuffer> {
  if (parts === undefined) return new Uint8Array();
  if (!isObject(parts) || !(Symbol.iterator in parts)) throw wrongConstructorParameter(owner, 1, "Array");
  const chunks = Array.from(parts as Iterable<unknown>, partBytes);
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function checkedOptions(owner: string, position: number, options: unknown): BlobOptions {
  if (options === undefined || options === null) return {};
  if (!isObject(options)) throw wrongConstructorParameter(owner, position, "Options");
  if ((options as BlobOptions).endings !== undefined)
    throw new Error("The 'endings' field on 'Options' is not implemented.");
  return options as BlobOptions;
}

function normalizeType(type: unknown): string {
  const text = type === undefined ? "" : `${type}`;
  return PRINTABLE_ASCII.test(text) ? text.toLowerCase() : "";
}

/** A position as `slice` counts it: from the end when negative, within the length. */
function clamp(position: unknown, absent: number, length: number): number {
  if (position === undefined) return absent;
  const whole = Math.trunc(Number(position)) || 0;
  return whole < 0 ? Math.max(length + whole, 0) : Math.min(whole, length);
}

export class Blob {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #type: string;

  static {
    bytesOf = (blob) => blob.#bytes;
    makeBlob = (bytes, type) => new Blob(MAKER, bytes, type);
  }

  constructor(parts?: unknown, options?: unknown, type?: string) {
    if (parts === MAKER) {
      this.#bytes = options as Uint8Array<ArrayBuffer>;
      this.#type = type as string;
      return;
    }
    this.#bytes = concatenate("Blob", parts);
    this.#type = normalizeType(checkedOptions("Blob", 2, options).type);
  }

  get size(): number {
    if (!(#bytes in this)) throw illegalInvocation();
    return this.#bytes.byteLength;
  }

  get type(): string {
    if (!(#bytes in this)) throw illegalInvocation();
    return this.#type;
  }

  slice(start?: unknown, end?: unknown, type?: unknown): Blob {
    if (!(#bytes in this)) throw illegalInvocation();
    const length = this.#bytes.byteLength;
    const from = clamp(start, 0, length);
    const to = Math.max(clamp(end, length, length), from);
    return makeBlob(this.#bytes.subarray(from, to), normalizeType(type));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (!(#bytes in this)) throw illegalInvocation();
    return this.#bytes.slice().buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (!(#bytes in this)) throw illegalInvocation();
    return this.#bytes.slice();
  }

  async text(): Promise<string> {
    if (!(#bytes in this)) throw illegalInvocation();
    return native.utf8Decode(this.#bytes, false, false);
  }

  stream(): ReadableStream<Uint8Array> {
    if (!(#bytes in this)) throw illegalInvocation();
    const bytes = this.#bytes;
    return new ReadableStream<Uint8Array>(
      {
        type: "bytes",
        pull(controller) {
          if (bytes.byteLength > 0) controller.enqueue(bytes.slice());
          controller.close();
          controller.byobRequest?.respond(0);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;

  constructor(parts?: unknown, name?: unknown, options?: unknown) {
    if (!isObject(parts) || !(Symbol.iterator in parts)) throw wrongConstructorParameter("File", 1, "Array");
    if (name === undefined) throw wrongConstructorParameter("File", 2, "string");
    super(parts, checkedOptions("File", 3, options));
    const { lastModified } = (options ?? {}) as { lastModified?: unknown };
    this.#name = `${name}`.toWellFormed();
    this.#lastModified = lastModified === undefined ? Date.now() : Math.trunc(Number(lastModified)) || 0;
  }

  get name(): string {
    if (!(#name in this)) throw illegalInvocation();
    return this.#name;
  }

  get lastModified(): number {
    if (!(#name in this)) throw illegalInvocation();
    return this.#lastModified;
  }
}
