/** Texts and bytes as the functions of `node:crypto` take them. */

import { invalidArgType } from "../node_errors";

interface BufferClass {
  from(data: string | ArrayBuffer, encoding?: string): Uint8Array & { toString(encoding?: string): string };
  alloc(size: number): Uint8Array & { toString(encoding?: string): string };
}

declare const require: (name: string) => { Buffer: BufferClass };

export const { Buffer } = require("node:buffer");

/** The bytes of a text, a buffer or a view. */
export function bytesOf(data: unknown, name: string, encoding?: string): Uint8Array {
  if (typeof data === "string") return Buffer.from(data, encoding === "buffer" ? undefined : encoding);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw invalidArgType(name, "of type string or an instance of Buffer, TypedArray, or DataView", data);
}

/** Bytes as a Buffer, or in an encoding as text. */
export function encoded(bytes: ArrayBuffer, encoding: unknown): unknown {
  const buffer = Buffer.from(bytes);
  return typeof encoding === "string" && encoding !== "buffer" ? buffer.toString(encoding) : buffer;
}
