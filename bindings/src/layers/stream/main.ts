/** Layer `stream`. */

import stream from "readable-stream/lib/stream.js";
import promises from "readable-stream/lib/stream/promises.js";
import type { Layer } from "../../layers";
import * as consumers from "./consumers";
import { duplexPair } from "./pair";
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
  const { Duplex, Readable, Writable } = stream;
  // As Node has it by now.
  stream.setDefaultHighWaterMark(false, 65536);
  Object.assign(Readable, fromWeb.readable(stream), toWeb.readable());
  Object.assign(Writable, fromWeb.writable(stream), toWeb.writable());
  Object.assign(Duplex, fromWeb.duplex(stream), toWeb.duplex(stream));
  stream.duplexPair = duplexPair(stream);
  return {
    "node:stream": stream,
    "node:stream/consumers": { ...consumers },
    "node:stream/promises": promises,
    "node:stream/web": Object.fromEntries(WEB.map((name) => [name, (globalThis as unknown as Globals)[name]])),
  };
};

export default layer;
