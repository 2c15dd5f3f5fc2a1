/** Layer `string_decoder`. */

import { StringDecoder as Decoder } from "string_decoder/lib/string_decoder.js";
import type { Layer } from "../../layers";
import { invalidArgType, nodeError } from "../node_errors";

declare const require: (name: string) => {
  Buffer: {
    isEncoding(encoding: unknown): boolean;
    isBuffer(bytes: unknown): boolean;
    from(buffer: ArrayBufferLike, offset: number, length: number): unknown;
  };
};

const { Buffer } = require("node:buffer");

class StringDecoder extends (Decoder as new (encoding: unknown) => { write(bytes: unknown): string }) {
  constructor(encoding: unknown = "utf8") {
    if (!Buffer.isEncoding(encoding)) throw nodeError(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding as string}`);
    super(encoding);
  }

  override write(bytes: unknown): string {
    if (typeof bytes === "string") return bytes;
    if (!ArrayBuffer.isView(bytes))
      throw invalidArgType("buf", "of type string or an instance of Buffer, TypedArray, or DataView", bytes);
    return super.write(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
}

const layer: Layer = () => ({ "node:string_decoder": { StringDecoder } });

export default layer;
