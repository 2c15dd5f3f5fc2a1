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

  constructor(stream: ReadableStream) {
    this.#reader = stream.getReader();
  }

  /** The next chunk; undefined at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { value, done } = await this.#reader.read();
    if (done) return undefined;
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return viewOf(value);
    const error = new TypeError("This ReadableStream did not return bytes.");
    this.cancel(error);
    throw error;
  }

  /** Nobody will read the rest; that the source cannot be told is nobody's concern. */
  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
  }
}

function chunkBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (typeof chunk === "string") return utf8Bytes(chunk);
  if (chunk instanceof ArrayBuffer || ArrayBuffer.isView(chunk)) return viewOf(chunk).slice();
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

/**
 * Workers' own way to ask for a minimum.
 *
 * @throws TypeError for a minimum that makes no sense.
 */
async function readAtLeast(this: ReadableStreamBYOBReader, minimum: unknown, view: ArrayBufferView): Promise<unknown> {
  const min = Number(minimum);
  if (!(min > 0)) throw new TypeError(`Requested invalid minimum number of bytes to read (${min}).`);
  if (!ArrayBuffer.isView(view)) throw wrongParameter("readAtLeast", "ReadableStreamBYOBReader", 2, "ArrayBufferView");
  if (min > view.byteLength)
    throw new TypeError(`Minimum bytes to read (${min}) exceeds size of buffer (${view.byteLength}).`);
  const size = (view as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  return this.read(view, { min: Math.ceil(min / size) });
}
Object.defineProperty(ReadableStreamBYOBReader.prototype, "readAtLeast", {
  value: readAtLeast,
  writable: true,
  configurable: true,
});

/** How many bytes a pipe's writer may be ahead of its reader, when it says so. */
function byteStrategy(highWaterMark: number | undefined): { highWaterMark?: number; size?: (chunk: unknown) => number } {
  if (highWaterMark === undefined) return {};
  return { highWaterMark, size: (chunk) => (ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer ? chunk.byteLength : 1) };
}

/** A pipe without a buffer of its own: what is written waits until somebody reads it. */
function makePipe(length: number | undefined, highWaterMark: number | undefined): Pipe {
  let source!: ReadableByteStreamController;
  let sink!: WritableStreamDefaultController;
  /** Ends the pull that is under way: set while a reader waits. */
  let supplied: (() => void) | undefined;
  /** Goes on with the write that is under way: set while a writer waits. */
  let demanded: (() => void) | undefined;
  let passed = 0;

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
      const bytes = chunkBytes(chunk);
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
  const writable = new WritableStream<unknown>(sinkOfBytes, byteStrategy(highWaterMark));

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
  const bytes = Number(length);
  if (!Number.isInteger(bytes)) throw new TypeError("The value cannot be converted because it is not an integer.");
  if (bytes < 0)
    throw new TypeError("The value cannot be converted because it is negative and this API expects a positive bigint.");
  return bytes;
}

/** The same with a length that is known, so that a body of it has a Content-Length. */
export class FixedLengthStream extends IdentityTransformStream {
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
