/** Text in the encoding of a document. */

import type { Platform } from "../../layers";
import { parserError } from "./context";

/** Encodings in which bytes below 128 may be something else than ASCII. */
const NOT_ASCII = new Set(["utf-16le", "utf-16be", "iso-2022-jp"]);
/** Characters that go to op `encode_text` at once. */
const PIECE = 1024;
const BEYOND_ASCII = /[^\0-\x7f]/;

export function isAscii(text: string): boolean {
  return !BEYOND_ASCII.test(text);
}

export class Charset {
  readonly #platform: Platform;
  /** Its name in the Encoding Standard. */
  readonly #name: string;

  /** @throws TypeError when a label is that of no encoding, or of one that does not have ASCII in its place. */
  constructor(platform: Platform, label: string) {
    this.#platform = platform;
    try {
      this.#name = new TextDecoder(label).encoding;
    } catch {
      throw parserError("Unknown character encoding has been provided.");
    }
    if (NOT_ASCII.has(this.#name)) throw parserError("Expected ASCII-compatible encoding.");
  }

  /** A decoder for text that comes in pieces. */
  decoder(): TextDecoder {
    return new TextDecoder(this.#name, { fatal: false, ignoreBOM: true });
  }

  /** The text of a string that has a character for each byte. */
  decode(bytes: string): string {
    if (isAscii(bytes)) return bytes;
    return this.decoder().decode(this.bytes(bytes));
  }

  /** What the encoding has not becomes a character reference. */
  encode(text: string): Uint8Array<ArrayBuffer> {
    if (this.#name === "utf-8" || isAscii(text)) return this.#utf8(text);
    return this.#byHost(text, true) as Uint8Array<ArrayBuffer>;
  }

  /** The same as a string with a character for each byte; undefined when the encoding has not all of it. */
  encodeName(text: string): string | undefined {
    if (isAscii(text)) return text;
    if (this.#name === "utf-8") return this.#platform.native.latin1(this.#utf8(text));
    const bytes = this.#byHost(text, false);
    return bytes === undefined ? undefined : this.#platform.native.latin1(bytes);
  }

  /** The bytes of a string that has a character for each. */
  bytes(text: string): Uint8Array<ArrayBuffer> {
    return isAscii(text) ? this.#utf8(text) : Uint8Array.from(text, (character) => character.charCodeAt(0));
  }

  /** The bytes of text as characters. */
  bytesAsText(text: string): string {
    return isAscii(text) ? text : this.#platform.native.latin1(this.encode(text));
  }

  #utf8(text: string): Uint8Array<ArrayBuffer> {
    return this.#platform.native.utf8EncodeReplacing(text);
  }

  /** The host takes little at a time. */
  #byHost(text: string, refers: boolean): Uint8Array<ArrayBuffer> | undefined {
    const { native, ops } = this.#platform;
    const pieces: ArrayBuffer[] = [];
    for (let from = 0; from < text.length; ) {
      const last = text.charCodeAt(from + PIECE - 1);
      const end = from + PIECE - (last >= 0xd800 && last < 0xdc00 ? 1 : 0);
      const bytes: unknown = native.op(ops.encode_text, [this.#name, refers], this.#utf8(text.slice(from, end)));
      if (bytes === undefined) return undefined;
      pieces.push(bytes as ArrayBuffer);
      from = end;
    }
    return concatenated(pieces);
  }
}

function concatenated(pieces: readonly ArrayBuffer[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return all;
}
