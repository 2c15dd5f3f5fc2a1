/**
 * Streams: the library's classes, what they keep to themselves, and the two byte streams that only Workers have.
 */

import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} from "web-streams-polyfill";
import { illegalInvocation, isObject, wrongConstructorParameter, wrongParameter } from "./interface";
import { utf8Bytes } from "./text";

export { ReadableStream, TransformStream, WritableStream };

/** Slots of the library's `ReadableStream`; its version is pinned, and a test reads `bodyUsed`. */
interface Slots {
  readonly _disturbed: boolean;
}

/** Whether a stream has been read from or cancelled. */
export function isDisturbed(stream: ReadableStream): boolean {
  return (stream as unknown as Slots)._disturbed;
}

/** Lengths of streams that are known before they are read. */
const lengths = new WeakMap<ReadableStream, number>();

/** How many bytes a stream will have, if that is known. */
export function lengthOf(stream: ReadableStream): number | undefined {
  return lengths.get(stream);
}

/** The bytes of a buffer or view; not a copy. */
export function viewOf(chunk: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  return ArrayBuffer.isView(chunk)
    ? new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength)
    : new Uint8Array(chunk);
}

/** Reads a stream that ought to be one of bytes; it is locked from then on. */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader;
  readonly #takesText: boolean;

  /** @param takesText Whether text counts as its bytes, as it does in what is sent away. */
  constructor(stream: ReadableStream, takesText = false) {
    this.#reader = stream.getReader();
    this.#takesText = takesText;
  }

  /** The next chunk; undefined at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { value, done } = await this.#reader.read();
    if (done) return undefined;
    if (isBytes(value)) return viewOf(value);
    if (this.#takesText && typeof value === "string") return utf8Bytes(value);
    const error = new TypeError("This ReadableStream did not return bytes.");
    this.cancel(error);
    throw error;
  }

  /** Nobody will read the rest; that the source cannot be told is nobody's concern. */
  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
  }
}

function isBytes(chunk: unknown): chunk is ArrayBuffer | ArrayBufferView {
  return chunk instanceof ArrayBuffer || ArrayBuffer.isView(chunk);
}

/** A copy of what was written to a stream of bytes. @throws TypeError for what is none. */
export function chunkBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (typeof chunk === "string") return utf8Bytes(chunk);
  if (isBytes(chunk)) return viewOf(chunk).slice();
  throw new TypeError(
    "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView " +
      "type on its writable side.",
  );
}

/** Both sides of a stream of bytes. */
interface Pipe {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<unknown>;
}

/** Check a minimum (bytes) against the view that is to be filled. @throws TypeError for one that makes no sense. */
function checkMinimum(min: number, view: ArrayBufferView): void {
  if (!(min > 0)) throw new TypeError(`Requested invalid minimum number of bytes to read (${min}).`);
  if (min > view.byteLength)
    throw new TypeError(`Minimum bytes to read (${min}) exceeds size of buffer (${view.byteLength}).`);
}

const { read } = ReadableStreamBYOBReader.prototype;

/** Reads; what is left of a stream that ends before the minimum comes by itself, and its end at the next call, as on the platform. */
async function readBytesInto(
  this: ReadableStreamBYOBReader,
  view: ArrayBufferView,
  options?: { min?: number },
): Promise<{ value: ArrayBufferView | undefined; done: boolean }> {
  const min = options?.min;
  if (min === undefined || !ArrayBuffer.isView(view)) return read.call(this, view);
  checkMinimum(Number(min) * elementSize(view), view);
  const { value, done } = await read.call(this, view, { min });
  return { value, done: done && !(value !== undefined && value.byteLength > 0) };
}

/**
 * Workers' own way to ask for a minimum.
 *
 * @throws TypeError for a minimum that makes no sense.
 */
async function readAtLeast(this: ReadableStreamBYOBReader, minimum: unknown, view: ArrayBufferView): Promise<unknown> {
  if (!ArrayBuffer.isView(view)) throw wrongParameter("readAtLeast", "ReadableStreamBYOBReader", 2, "ArrayBufferView");
  const min = Number(minimum);
  checkMinimum(min, view);
  return readBytesInto.call(this, view, { min: Math.ceil(min / elementSize(view)) });
}

function elementSize(view: ArrayBufferView): number {
  return (view as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
}

for (const [name, value] of [["read", readBytesInto], ["readAtLeast", readAtLeast]] as const)
  Object.defineProperty(ReadableStreamBYOBReader.prototype, name, { value, writable: true, configurable: true });
Object.defineProperty(readBytesInto, "name", { value: "read" });

/** A pipe without a buffer of its own: what is written waits until somebody reads it. */
function makePipe(length: number | undefined, highWaterMark: number | undefined): Pipe {
  let source!: ReadableByteStreamController;
  let sink!: WritableStreamDefaultController;
  /** Ends the pull that is under way: set while a reader waits. */
  let supplied: (() => void) | undefined;
  /** Goes on with the write that is under way: set while a writer waits. */
  let demanded: (() => void) | undefined;
  let passed = 0;
  /** What was written and has not passed yet, as it was then: the writer may use its buffer for something else at once. */
  let written: { readonly chunk: unknown; readonly bytes: Uint8Array<ArrayBuffer> }[] = [];

  const readable = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      type: "bytes",
      start(controller) {
        source = controller as ReadableByteStreamController;
      },
      pull() {
        return new Promise<void>((resolve) => {
          supplied = resolve;
          demanded?.();
        });
      },
      cancel(reason) {
        sink.error(reason);
        demanded?.();
      },
    },
    { highWaterMark: 0 },
  );
  const sinkOfBytes: ConstructorParameters<typeof WritableStream<unknown>>[0] = {
    start(controller) {
      sink = controller;
    },
    async write(chunk) {
      // What a stream refused was measured, too, and never gets here.
      const at = written.findIndex((entry) => entry.chunk === chunk);
      const bytes = at < 0 ? chunkBytes(chunk) : (written[at] as (typeof written)[number]).bytes;
      written = written.slice(at + 1);
      passed += bytes.byteLength;
      if (length !== undefined && passed > length)
        throw fail(new TypeError("Attempt to write too many bytes through a FixedLengthStream."));
      if (bytes.byteLength === 0) return;
      if (supplied === undefined)
        await new Promise<void>((resolve) => {
          demanded = resolve;
        });
      demanded = undefined;
      if (supplied === undefined) return; // cancelled
      source.enqueue(bytes);
      supplied();
      supplied = undefined;
    },
    close() {
      if (length !== undefined && passed < length)
        throw fail(new TypeError("FixedLengthStream did not see all expected bytes before close()."));
      source.close();
      source.byobRequest?.respond(0);
      supplied?.();
    },
    abort(reason) {
      fail(reason);
    },
  };
  const writable = new WritableStream<unknown>(sinkOfBytes, {
    highWaterMark: highWaterMark ?? 1,
    // Called for each write, before that is queued.
    size(chunk) {
      if (isBytes(chunk)) written.push({ chunk, bytes: viewOf(chunk).slice() });
      return highWaterMark !== undefined && isBytes(chunk) ? chunk.byteLength : 1;
    },
  });

  function fail<T>(reason: T): T {
    source.error(reason);
    supplied?.();
    return reason;
  }

  if (length !== undefined) lengths.set(readable, length);
  return { readable, writable };
}

const WITH_LENGTH = Symbol("length");

/** Bytes pass unchanged, and a write ends when its bytes have been read. */
export class IdentityTransformStream {
  readonly #pipe: Pipe;

  /** The length is the subclass's. */
  constructor(options?: unknown, maker?: symbol, length?: number) {
    const { highWaterMark } = (isObject(options) ? options : {}) as { highWaterMark?: unknown };
    this.#pipe = makePipe(
      maker === WITH_LENGTH ? length : undefined,
      highWaterMark === undefined ? undefined : Number(highWaterMark),
    );
  }

  get readable(): ReadableStream {
    if (!(#pipe in this)) throw illegalInvocation();
    return this.#pipe.readable;
  }

  get writable(): WritableStream {
    if (!(#pipe in this)) throw illegalInvocation();
    return this.#pipe.writable;
  }
}
Object.setPrototypeOf(IdentityTransformStream, TransformStream);
Object.setPrototypeOf(IdentityTransformStream.prototype, TransformStream.prototype);

function checkedLength(length: unknown): number {
  const bytes = Math.trunc(Number(length));
  if (!Number.isInteger(bytes)) throw new TypeError("The value cannot be converted because it is not an integer.");
  if (bytes > Number.MAX_SAFE_INTEGER)
    throw new TypeError("FixedLengthStream requires an integer expected length less than 2^53.");
  if (bytes < 0)
    throw new TypeError("The value cannot be converted because it is negative and this API expects a positive bigint.");
  return bytes;
}

/** The same with a length that is known, so that a body of it has a Content-Length. */
class FixedLengthStream extends IdentityTransformStream {
  constructor(length?: unknown, options?: unknown) {
    if (length === undefined) throw wrongConstructorParameter("FixedLengthStream", 1, "bigint");
    super(options, WITH_LENGTH, checkedLength(length));
  }
}

/** Classes by their public names. */
export const streamClasses = {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  FixedLengthStream,
  IdentityTransformStream,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
};
