/**
 * Objects of the platform in values that are stored or cloned, byte for byte as workerd writes them: what follows
 * their tag is the number of their type and then a payload of numbers and texts with their lengths.
 *
 * C calls the two functions for what it does not know itself (see v8_serialize.c); errors of the language it does.
 */

import { native } from "../native";
import { RpcTarget } from "../rpc/target";
import { AbortSignal } from "./abort";
import { Blob, bytesOf, File, makeBlob } from "./blob";
import { DOMException } from "./dom_exception";
import { Headers, isHeaders, listOfHeaders, makeHeaders } from "./headers";
import { isPlatformObject } from "./interface";
import { ReadableStream, WritableStream } from "./streams";

const HEADERS = 4;
const DOM_EXCEPTION = 8;
const BLOB = 15;
/** Headers that anybody may change. */
const UNGUARDED = 3;
/** Header names that are written as a number: their place in this list, from 1. */
const COMMON_HEADERS = (
  "accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow " +
  "authorization cache-control content-disposition content-encoding content-language content-length " +
  "content-location content-range content-type cookie date etag expect expires from host if-match " +
  "if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards " +
  "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie " +
  "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
).split(" ");

function refuse(message: string): DOMException {
  return new DOMException(message, "DataCloneError");
}

/** What bytes that make no sense throw. */
export function malformed(): DOMException {
  return refuse("Unable to deserialize cloned data.");
}

export class HostWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  get payload(): ArrayBuffer {
    return this.#bytes.slice(0, this.#length).buffer;
  }

  number(value: number): this {
    this.#makeRoom(5);
    for (; value >= 0x80; value >>>= 7) this.#bytes[this.#length++] = (value & 0x7f) | 0x80;
    this.#bytes[this.#length++] = value;
    return this;
  }

  bytes(content: Uint8Array): this {
    this.number(content.length).#makeRoom(content.length);
    this.#bytes.set(content, this.#length);
    this.#length += content.length;
    return this;
  }

  text(text: string): this {
    return this.bytes(new Uint8Array(native.utf8Encode(text)));
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

export class HostReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  at: number;

  constructor(buffer: ArrayBuffer, at: number) {
    this.#bytes = new Uint8Array(buffer);
    this.at = at;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw malformed();
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.number();
    const end = this.at + length;
    if (end > this.#bytes.length) throw malformed();
    const content = this.#bytes.slice(this.at, end);
    this.at = end;
    return content;
  }

  text(): string {
    return native.utf8Decode(this.bytes(), false, true);
  }
}

/**
 * The type and payload of an object of the platform, `undefined` for any other object.
 *
 * @param lending It goes to another isolate, which is not told where an exception was made.
 * @throws DOMException DataCloneError for objects of the platform that cannot be copied.
 */
export function writeHostObject(value: object, lending: boolean): ArrayBuffer | undefined {
  if (!isPlatformObject(value)) return undefined;
  if (isHeaders(value)) return writeHeaders(value);
  if (value instanceof DOMException)
    return new HostWriter().number(DOM_EXCEPTION).text(`${value.name}`).text(`${value.message}`).text(lending ? `${value.name}: ${value.message}` : `${value.stack}`).payload;
  if (value instanceof Blob && !(value instanceof File))
    return new HostWriter().number(BLOB).text(value.type).bytes(bytesOf(value)).payload;
  if (value instanceof ReadableStream) throw refuse("ReadableStream can only be serialized for RPC.");
  if (value instanceof WritableStream) throw refuse("WritableStream can only be serialized for RPC.");
  if (value instanceof RpcTarget) throw refuse("Remote RPC references can only be serialized for RPC.");
  if (value instanceof AbortSignal) throw refuse("AbortSignal serialization is not enabled.");
  throw refuse(
    `Could not serialize object of type "${value.constructor?.name}". This type does not support serialization.`,
  );
}

function writeHeaders(headers: Headers): ArrayBuffer {
  const list = listOfHeaders(headers);
  const writer = new HostWriter().number(HEADERS).number(UNGUARDED).number(list.length / 2);
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    const common = COMMON_HEADERS.indexOf(name.toLowerCase()) + 1;
    writer.number(common);
    if (common === 0) writer.text(name);
    writer.text(list[i + 1] as string);
  }
  return writer.payload;
}

/**
 * The object that a payload describes, and where the payload ends.
 *
 * @param bytes Hostile: they may have been written by anybody.
 * @param readOther Is asked first; undefined for a type that it does not know.
 * @throws DOMException DataCloneError when they make no sense.
 */
export function readHostObject(
  type: number,
  bytes: ArrayBuffer,
  at: number,
  readOther?: (type: number, reader: HostReader) => object | undefined,
): [value: object, end: number] {
  const reader = new HostReader(bytes, at);
  const other = readOther?.(type, reader);
  if (other !== undefined) return [other, reader.at];
  switch (type) {
    case HEADERS:
      return [readHeaders(reader), reader.at];
    case DOM_EXCEPTION: {
      const name = reader.text();
      const error = new DOMException(reader.text(), name);
      Object.defineProperty(error, "stack", { value: reader.text(), writable: true, configurable: true });
      return [error, reader.at];
    }
    case BLOB: {
      const blobType = reader.text();
      return [makeBlob(reader.bytes(), blobType), reader.at];
    }
    default:
      throw malformed();
  }
}

function readHeaders(reader: HostReader): Headers {
  reader.number();
  const pairs: [string, string][] = [];
  for (let left = reader.number(); left > 0; left--) {
    const common = reader.number();
    const name = common === 0 ? reader.text() : COMMON_HEADERS[common - 1];
    if (name === undefined) throw malformed();
    pairs.push([name, reader.text()]);
  }
  const headers = makeHeaders([], false);
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}
