/** Layer `stream`. */

import stream from "readable-stream/lib/stream.js";
import promises from "readable-stream/lib/stream/promises.js";
import type { Layer } from "../../layers";
import * as consumers from "./consumers";
import { fromWeb, toWeb } from "./web";

/** What `node:stream/web` has of the globals. */
const WEB = [
  "ByteLengthQueuingStrategy", "CompressionStream", "CountQueuingStrategy", "DecompressionStream",
  "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "TextDecoderStream", "TextEncoderStream", "TransformStream",
  "TransformStreamDefaultController", "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter",
] as const;

type Globals = Record<string, unknown>;

const layer: Layer = () => {
  const { Readable, Writable } = stream;
  Object.assign(Readable, fromWeb.readable(stream), toWeb.readable());
  Object.assign(Writable, fromWeb.writable(stream), toWeb.writable());
  return {
    "node:stream": stream,
    "node:stream/consumers": { ...consumers },
    "node:stream/promises": promises,
    "node:stream/web": Object.fromEntries(WEB.map((name) => [name, (globalThis as unknown as Globals)[name]])),
  };
};

export default layer;
