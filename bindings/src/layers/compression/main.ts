/** Layer `compression`: `CompressionStream` and `DecompressionStream`, over zlib at the host. */

import type { Layer, Platform } from "../../layers";
import { OP } from "../../protocol";
import { illegalInvocation, wrongConstructorParameter } from "../../web/misuse";

const FORMATS = ["gzip", "deflate", "deflate-raw"];
/** The most that op `codec_write` takes, and gives out of a decompressor at a time. */
const PIECE = 64 * 1024;
/** Writing waits while more bytes than this are there to be read: a small input may become a huge output. */
const BUFFER = 1024 * 1024;

interface Pair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<unknown>;
}

/** The host's part of a stream; it lives as long as one of the two sides does. */
interface Codec {
  readonly handle: number;
  over: boolean;
}

const layer: Layer = (platform) => {
  const { native, TransformStream } = platform;
  const dropped = new FinalizationRegistry<number>((handle) => native.op(OP.codec_drop, [handle]));

  function open(kind: "compress" | "decompress", format: unknown): Pair {
    const name = `${format}`;
    if (!FORMATS.includes(name))
      throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
    // Its state is the host's: an image that other isolates start from cannot hold it.
    platform.checkIoAllowed();
    const codec: Codec = { handle: native.op(OP.codec_open, [kind, name]) as number, over: false };
    dropped.register(codec, codec.handle);
    return makePair(platform, kind === "decompress", codec);
  }

  class BothSides {
    readonly #pair: Pair;

    constructor(kind: "compress" | "decompress", format: unknown) {
      this.#pair = open(kind, format);
    }

    get readable(): ReadableStream<Uint8Array> {
      if (!(#pair in this)) throw illegalInvocation();
      return this.#pair.readable;
    }

    get writable(): WritableStream<unknown> {
      if (!(#pair in this)) throw illegalInvocation();
      return this.#pair.writable;
    }
  }

  // What they share is not to be seen.
  Object.setPrototypeOf(BothSides, TransformStream);
  Object.setPrototypeOf(BothSides.prototype, TransformStream.prototype);

  class CompressionStream extends BothSides {
    constructor(format: unknown) {
      if (format === undefined) throw wrongConstructorParameter("CompressionStream", 1, "string");
      super("compress", format);
    }
  }

  class DecompressionStream extends BothSides {
    constructor(format: unknown) {
      if (format === undefined) throw wrongConstructorParameter("DecompressionStream", 1, "string");
      super("decompress", format);
    }
  }

  const classes = { CompressionStream, DecompressionStream };
  for (const [name, constructor] of Object.entries(classes)) platform.exposeInterface(name, constructor);
  return { "durabox:compression": classes };
};

function makePair({ native, ReadableStream, WritableStream }: Platform, repeats: boolean, codec: Codec): Pair {
  let source!: ReadableByteStreamController;
  let sink!: WritableStreamDefaultController;
  /** Goes on with the write that is under way, when somebody has read. */
  let demanded: (() => void) | undefined;

  function finish(): void {
    if (!codec.over) native.op(OP.codec_drop, [codec.handle]);
    codec.over = true;
    demanded?.();
  }

  async function feed(piece: Uint8Array<ArrayBuffer>, end: boolean): Promise<void> {
    let input = piece;
    for (;;) {
      const out = new Uint8Array(native.op(OP.codec_write, [codec.handle, end], input) as ArrayBuffer);
      const more = repeats && out.length === PIECE;
      if (out.length > 0) source.enqueue(out); // and it is not ours any more
      if (!more) return;
      input = new Uint8Array();
      while (!codec.over && (source.desiredSize ?? 0) <= 0)
        await new Promise<void>((resolve) => {
          demanded = resolve;
        });
      if (codec.over) return;
    }
  }

  const readable = new ReadableStream<Uint8Array>(
    {
      type: "bytes",
      start(controller) {
        source = controller as ReadableByteStreamController;
      },
      pull() {
        demanded?.();
      },
      cancel(reason) {
        finish();
        sink.error(reason);
      },
    },
    { highWaterMark: BUFFER },
  ) as ReadableStream<Uint8Array>;
  const writable = new WritableStream<unknown>({
    start(controller) {
      sink = controller as unknown as WritableStreamDefaultController;
    },
    async write(chunk) {
      try {
        const bytes = typeof chunk === "string" ? native.utf8EncodeReplacing(chunk) : bytesOf(chunk);
        for (let at = 0; at < bytes.length && !codec.over; at += PIECE) await feed(bytes.slice(at, at + PIECE), false);
      } catch (error) {
        finish();
        source.error(error);
        throw error;
      }
    },
    async close() {
      try {
        await feed(new Uint8Array(), true);
        if (codec.over) return;
        finish();
        source.close();
        source.byobRequest?.respond(0);
      } catch (error) {
        finish();
        source.error(error);
        throw error;
      }
    },
    abort(reason) {
      finish();
      source.error(reason);
    },
  }) as WritableStream<unknown>;
  return { readable, writable };
}

function bytesOf(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError("This WritableStream only supports writing byte types.");
}

export default layer;
