/** `crypto.DigestStream`: a sink of bytes whose digest a promise tells. */

import { OP } from "../../protocol";
import { wrongConstructorParameter } from "../../web/misuse";
import { hashName } from "./algorithms";
import { platform } from "./platform";

/** The most that op `codec_write` takes. */
const PIECE = 64 * 1024;

/** The class; made here because its base class is the main bundle's. */
// biome-ignore lint/suspicious/noExplicitAny: any class
export function makeDigestStream(): abstract new (...args: any[]) => object {
  const { native, WritableStream, DOMException } = platform;
  const dropped = new FinalizationRegistry<number>((handle) => native.op(OP.codec_drop, [handle]));

  class DigestStream extends WritableStream<ArrayBuffer | ArrayBufferView | string> {
    readonly #digest: Promise<ArrayBuffer>;
    readonly #passed: { bytes: number };

    /** Gives up on the digest. */
    readonly #dispose: (reason: Error) => void;

    constructor(algorithm: unknown) {
      if (algorithm === undefined) throw wrongConstructorParameter("DigestStream", 1, "string or HashAlgorithm");
      const hash = hashName(algorithm);
      // The state is the host's: an image that other isolates start from cannot hold it.
      platform.checkIoAllowed();
      const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
      const passed = { bytes: 0 };
      let handle = 0;
      const release = () => {
        if (handle !== 0) native.op(OP.codec_drop, [handle]);
        handle = 0;
      };
      let sink!: WritableStreamDefaultController;
      super({
        start(controller) {
          sink = controller as unknown as WritableStreamDefaultController;
        },
        write(chunk) {
          const bytes = bytesOf(chunk);
          if (bytes === undefined) {
            const error = new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
            release();
            reject(error);
            throw error;
          }
          passed.bytes += bytes.byteLength;
          for (let at = 0; at < bytes.byteLength; at += PIECE)
            native.op(OP.codec_write, [handle, false], bytes.subarray(at, at + PIECE));
        },
        close() {
          resolve(native.op(OP.codec_write, [handle, true]) as ArrayBuffer);
          release();
        },
        abort(reason) {
          release();
          reject(reason ?? new DOMException("The stream was aborted.", "AbortError"));
        },
      });
      handle = native.op(OP.codec_open, ["digest", hash]) as number;
      dropped.register(this, handle);
      // Whoever does not ask for it has no use for its failure.
      promise.catch(() => {});
      this.#digest = promise;
      this.#passed = passed;
      this.#dispose = (reason) => {
        release();
        reject(reason);
        sink.error(reason);
      };
    }

    get digest(): Promise<ArrayBuffer> {
      return this.#digest;
    }

    get bytesWritten(): bigint {
      return BigInt(this.#passed.bytes);
    }

    [Symbol.dispose](): void {
      this.#dispose(new TypeError("The DigestStream was disposed."));
    }
  }

  function bytesOf(chunk: unknown): Uint8Array<ArrayBuffer> | undefined {
    if (typeof chunk === "string") return native.utf8EncodeReplacing(chunk);
    if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
    if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
    return undefined;
  }

  return DigestStream;
}
