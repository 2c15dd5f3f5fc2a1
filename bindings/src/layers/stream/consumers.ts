/** `node:stream/consumers`: a whole stream, as one value. */

declare const require: (name: string) => { Buffer: { concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer>; from(text: string): Uint8Array } };

type Source = AsyncIterable<string | Uint8Array>;

export async function buffer(stream: Source): Promise<Uint8Array<ArrayBuffer>> {
  const { Buffer } = require("node:buffer");
  const parts: Uint8Array[] = [];
  for await (const chunk of stream) parts.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(parts);
}

export async function arrayBuffer(stream: Source): Promise<ArrayBuffer> {
  const { buffer: bytes, byteOffset, byteLength } = await buffer(stream);
  return bytes.slice(byteOffset, byteOffset + byteLength);
}

export async function blob(stream: Source): Promise<Blob> {
  return new Blob([await buffer(stream)]);
}

export async function text(stream: Source): Promise<string> {
  return new TextDecoder().decode(await buffer(stream));
}

export async function json(stream: Source): Promise<unknown> {
  return JSON.parse(await text(stream));
}
