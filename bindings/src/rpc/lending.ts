/**
 * Values on their way to other isolates and back: bytes, and beside them the list of what is lent instead of copied.
 *
 * What this isolate lends is an export (see `exports.ts`). What it is lent arrives as a handle, which a stub stands for.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { AbortSignal } from "../web/abort";
import { DOMException } from "../web";
import { Content, contentOfStream, handOver, KIND, type Outgoing, receivedContent, streamOf } from "../web/content";
import { cancelStream, guestStream, whenStreamOver } from "../web/guest_streams";
import { type HostReader, HostWriter, malformed, readHostObject as readPlatformObject, writeHostObject as writePlatformObject } from "../web/host_objects";
import { isPlatformObject } from "../web/interface";
import type { Invocation } from "../web/invocations";
import { isRequest, rebuildRequest, type Request, readRequest } from "../web/request";
import { rebuildResponse, Response, readResponse } from "../web/response";
import { ReadableStream, WritableStream } from "../web/streams";
import { Export } from "./exports";
import { Sink } from "./sinks";
import { RpcTarget } from "./target";

/** How things are lent: `lent` in `protocol.py`. */
export const LENT = { export: 0, handle: 1, stub: 2, guestStream: 3, hostStream: 4 } as const;

/** Types of host objects, as workerd numbers them. */
const TYPE = { stub: 1, writable: 2, readable: 3, request: 5, response: 6, service: 11, objectClass: 12 } as const;

/** Largest serialized value, as on the platform. */
const MAX_BYTES = 32 * 1024 * 1024;

/** A serialized value with what is lent beside it. */
export interface Message {
  readonly bytes: ArrayBuffer;
  readonly lent: readonly number[];
  /** Stubs in the value: a result's belong to whoever gets it. */
  readonly stubs: readonly object[];
  /**
   * To be called when the message has left: what it lends can be called from now on.
   *
   * @param keeps Goes on until nobody holds that any more.
   */
  sent(keeps?: Invocation): void;
  /** To be called when it cannot leave: what it was to lend is disposed of. */
  dropped(): void;
}

/** What stubs know of lending, and lending of stubs: set by `stubs.ts`, which stands on this module. */
interface StubAccess {
  /** How a stub of whatever kind is lent; undefined when the value is none. @throws for promises and disposed stubs. */
  lendStub(value: object): readonly [isService: boolean, kind: number, number: number] | undefined;
  /** @throws DOMException for what may go nowhere, not even into the own storage. */
  refuse(value: object): void;
  /** A class of objects with its props; undefined when the value is none. */
  describeClass(value: object): { readonly className: string; readonly props: unknown } | undefined;
  makeClass(className: string, props: unknown): object;
  /** A stub for a handle. */
  makeStub(handle: number, isService: boolean): object;
  /** A `WritableStream` that writes to a lent sink. */
  makeWritable(handle: number): WritableStream;
}

let stubs: StubAccess;

export function setStubAccess(access: StubAccess): void {
  stubs = access;
}

/** What the message that is being written or read lends. */
class Sending {
  readonly lent: number[] = [];
  readonly exports: Export[] = [];
  readonly streams: number[] = [];
  readonly stubs: object[] = [];

  add(kind: number, number: number): number {
    this.lent.push(kind, number);
    return this.lent.length / 2 - 1;
  }

  addExport(target: object): number {
    const row = new Export(target);
    this.exports.push(row);
    return this.add(LENT.export, row.number);
  }
}

let sending: Sending | undefined;
/** What the message that is being read lends, the numbers of what the value did not refer to yet. */
let receiving: { readonly lent: number[]; readonly owned: object[] } | undefined;

/** A number in a list of what is lent that was taken out of it. */
const TAKEN = 0;

/**
 * Serialize a value for another isolate.
 *
 * @param isResult A plain object with a disposer hears when the caller disposes of it.
 * @throws DOMException DataCloneError for what can be neither copied nor lent.
 */
export function encode(value: unknown, isResult = false): Message {
  const outer = sending;
  const own = new Sending();
  sending = own;
  try {
    const bytes = native.serialize(value, true);
    if (bytes.byteLength > MAX_BYTES)
      throw new Error(
        `Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${bytes.byteLength} bytes.`,
      );
    if (isResult && isDisposable(value)) own.addExport(value);
    return new Encoded(bytes, own);
  } catch (error) {
    drop(own);
    throw error;
  } finally {
    sending = outer;
  }
}

function isDisposable(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    typeof (value as { [Symbol.dispose]?: unknown })[Symbol.dispose] === "function"
  );
}

class Encoded implements Message {
  readonly #own: Sending;

  constructor(
    readonly bytes: ArrayBuffer,
    own: Sending,
  ) {
    this.#own = own;
  }

  get lent(): readonly number[] {
    return this.#own.lent;
  }

  get stubs(): readonly object[] {
    return this.#own.stubs;
  }

  sent(keeps?: Invocation): void {
    for (const row of this.#own.exports) row.enter(keeps);
    for (const stream of this.#own.streams) whenStreamOver(stream, keeps);
  }

  dropped(): void {
    drop(this.#own);
  }
}

/** What was to be lent is not: it is disposed of, once whoever wanted to lend it has heard so. */
function drop({ exports, streams }: Sending): void {
  for (const row of exports) queueMicrotask(() => row.dispose());
  for (const stream of streams) cancelStream(stream, "The message could not be sent.");
}

/**
 * The value of a message from another isolate.
 *
 * @param owned Gets the stubs in it, and what else it holds, for whoever has to dispose of them.
 */
export function decode(bytes: ArrayBuffer, lent: readonly number[], owned: object[]): unknown {
  if (lent.length === 0) return read(bytes, [], owned);
  const left = [...lent];
  try {
    const value = read(bytes, left, owned);
    for (let i = 0; i < left.length; i += 2)
      if (left[i] === LENT.handle && left[i + 1] !== TAKEN) {
        owned.push(stubs.makeStub(left[i + 1] as number, false));
        left[i + 1] = TAKEN;
      }
    return value;
  } finally {
    giveBack(left);
  }
}

function read(bytes: ArrayBuffer, lent: number[], owned: object[]): unknown {
  const outer = receiving;
  receiving = { lent, owned };
  try {
    return native.deserialize(bytes);
  } finally {
    receiving = outer;
  }
}

/** Let go of what came with a message that nobody reads, or of what nobody found in it. */
export function giveBack(lent: readonly number[]): void {
  for (let i = 0; i < lent.length; i += 2)
    if (lent[i + 1] === TAKEN) continue;
    else if (lent[i] === LENT.handle) native.op(OP.release, [lent[i + 1]]);
    else native.op(OP.stream_drop, [lent[i + 1], "It was not needed."]);
}

function refuse(value: object): DOMException {
  let name: unknown;
  try {
    name = value.constructor?.name;
  } catch {
    // A getter of the user's.
  }
  return new DOMException(
    `Could not serialize object of type "${typeof name === "string" && name !== "" ? name : "Object"}". ` +
      "This type does not support serialization.",
    "DataCloneError",
  );
}

/** C's hook: see `web/host_objects.ts`; with `lending`, functions, proxies and all instances of classes are asked about too. */
export function writeHostObject(value: object, lending: boolean): ArrayBuffer | undefined {
  if (!lending || sending === undefined) {
    stubs.refuse(value);
    return writePlatformObject(value, true);
  }
  const stub = stubs.lendStub(value);
  if (stub !== undefined) {
    const [isService, kind, number] = stub;
    sending.stubs.push(value);
    return new HostWriter().number(isService ? TYPE.service : TYPE.stub).number(sending.add(kind, number)).payload;
  }
  const described = stubs.describeClass(value);
  if (described !== undefined)
    return new HostWriter()
      .number(TYPE.objectClass)
      .text(described.className)
      .bytes(new Uint8Array(native.serialize(described.props, true))).payload;
  if (typeof value === "function" || value instanceof RpcTarget)
    return new HostWriter().number(TYPE.stub).number(sending.addExport(value)).payload;
  if (value instanceof ReadableStream) return writeReadable(sending, value);
  if (value instanceof WritableStream)
    return new HostWriter().number(TYPE.writable).number(sending.addExport(new Sink(value))).payload;
  if (isRequest(value)) return writeRequest(sending, value);
  if (value instanceof Response) return writeResponse(sending, value);
  if (value instanceof AbortSignal)
    throw new DOMException("AbortSignal serialization is not enabled.", "DataCloneError");
  if (isPlatformObject(value)) return writePlatformObject(value, true);
  if (value instanceof Error) return undefined;
  // Only a proxy is asked about although it looks like a plain object.
  if (Object.getPrototypeOf(value) === Object.prototype)
    return new HostWriter().number(TYPE.stub).number(sending.addExport(value)).payload;
  throw refuse(value);
}

function writeReadable(to: Sending, stream: ReadableStream): ArrayBuffer {
  if (stream.locked) throw new TypeError("The ReadableStream has been locked to a reader.");
  return new HostWriter().number(TYPE.readable).number(addBody(to, handOver(contentOfStream(stream)))).payload;
}

/** A stream's place among what is lent. */
function addBody(to: Sending, { kind, handle, raw }: Outgoing): number {
  if (kind === KIND.host) return to.add(LENT.hostStream, handle);
  const stream = kind === KIND.guest ? handle : guestStream(streamOf(new Content(raw as string)));
  to.streams.push(stream);
  return to.add(LENT.guestStream, stream);
}

/** 0 no body, 1 its bytes, 2 what is lent. */
function writeBody(writer: HostWriter, to: Sending, body: Outgoing): void {
  if (body.kind === KIND.none) writer.number(0);
  else if (body.kind === KIND.raw) {
    writer.number(1);
    if (typeof body.raw === "string") writer.text(body.raw);
    else writer.bytes(body.raw as Uint8Array);
  } else writer.number(2).number(addBody(to, body));
}

function writeHeaders(writer: HostWriter, list: readonly string[]): void {
  writer.number(list.length);
  for (const text of list) writer.text(text);
}

function writeRequest(to: Sending, request: Request): ArrayBuffer {
  const { method, url, headers, kind, handle, raw, redirect } = readRequest(request);
  const writer = new HostWriter().number(TYPE.request).text(method).text(url).text(redirect);
  writeHeaders(writer, headers);
  writeBody(writer, to, { kind, handle, raw });
  return writer.payload;
}

function writeResponse(to: Sending, response: Response): ArrayBuffer {
  const { status, statusText, headers, kind, handle, raw } = readResponse(response);
  const writer = new HostWriter().number(TYPE.response).number(status).text(statusText).text(response.url);
  writeHeaders(writer, headers);
  writeBody(writer, to, { kind, handle, raw });
  return writer.payload;
}

/**
 * C's hook: see `web/host_objects.ts`.
 *
 * @param readStored Knows what only the object's own storage holds, which no message may.
 */
export function readHostObject(
  type: number,
  bytes: ArrayBuffer,
  at: number,
  readStored: (type: number, reader: HostReader) => object | undefined,
): [value: object, end: number] {
  return readPlatformObject(type, bytes, at, receiving === undefined ? readStored : readLent);
}

/** The lent object of a message that is being read; undefined when the type is none of ours. */
function readLent(type: number, reader: HostReader): object | undefined {
  switch (type) {
    case TYPE.stub:
    case TYPE.service: {
      const stub = stubs.makeStub(takeLent(reader, LENT.handle), type === TYPE.service);
      receiving?.owned.push(stub);
      return stub;
    }
    case TYPE.objectClass:
      return stubs.makeClass(reader.text(), native.deserialize(reader.bytes()));
    case TYPE.writable:
      return stubs.makeWritable(takeLent(reader, LENT.handle));
    case TYPE.readable:
      return streamOf(takeContent(reader));
    case TYPE.request: {
      const [method, url, redirect] = [reader.text(), reader.text(), reader.text()];
      return rebuildRequest(method, url, redirect, readHeaders(reader), readBody(reader));
    }
    case TYPE.response: {
      const [status, reason, url] = [reader.number(), reader.text(), reader.text()];
      return rebuildResponse(status, reason, url, readHeaders(reader), readBody(reader));
    }
    default:
      return undefined;
  }
}

function takeLent(reader: HostReader, kind: number): number {
  const at = reader.number() * 2;
  const lent = receiving?.lent;
  if (lent === undefined || lent[at] !== kind || lent[at + 1] === TAKEN) throw malformed();
  const number = lent[at + 1] as number;
  lent[at + 1] = TAKEN;
  return number;
}

function takeContent(reader: HostReader) {
  const content = receivedContent(KIND.host, takeLent(reader, LENT.hostStream), undefined);
  if (content === null) throw malformed();
  return content;
}

function readHeaders(reader: HostReader): string[] {
  const list: string[] = [];
  for (let left = reader.number(); left > 0; left--) list.push(reader.text());
  if (list.length % 2 !== 0) throw malformed();
  return list;
}

function readBody(reader: HostReader) {
  switch (reader.number()) {
    case 0:
      return null;
    case 1:
      return receivedContent(KIND.raw, 0, reader.bytes().buffer);
    case 2:
      return takeContent(reader);
    default:
      throw malformed();
  }
}
