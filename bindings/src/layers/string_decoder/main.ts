/** Layer `string_decoder`. */

import { StringDecoder as Decoder } from "string_decoder/lib/string_decoder.js";
import type { Layer } from "../../layers";
import { nodeError } from "../node_errors";

declare const require: (name: string) => { Buffer: { isEncoding(encoding: unknown): boolean } };

class StringDecoder extends (Decoder as new (encoding: unknown) => object) {
  constructor(encoding: unknown = "utf8") {
    if (!require("node:buffer").Buffer.isEncoding(encoding))
      throw nodeError(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding as string}`);
    super(encoding);
  }
}

const layer: Layer = () => ({ "node:string_decoder": { StringDecoder } });

export default layer;
