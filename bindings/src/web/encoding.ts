/** `TextEncoder`, `TextDecoder` and their streams. UTF-8 is decoded in C, UTF-16 here, every other encoding by the host. */

import { type Bytes, native } from "../native";
import { OP } from "../protocol";
import { isObject, wrongParameter } from "./interface";
import { TransformStream, viewOf } from "./streams";

/** Labels of UTF-8 and of UTF-16 (Encoding Standard §4.2). */
const LABELS: Readonly<Record<string, string>> = {
  "unicode-1-1-utf-8": "utf-8",
  unicode11utf8: "utf-8",
  unicode20utf8: "utf-8",
  "utf-8": "utf-8",
  utf8: "utf-8",
  "x-unicode20utf8": "utf-8",
  csunicode: "utf-16le",
  "iso-10646-ucs-2": "utf-16le",
  "ucs-2": "utf-16le",
  unicode: "utf-16le",
  unicodefeff: "utf-16le",
  "utf-16": "utf-16le",
  "utf-16le": "utf-16le",
  unicodefffe: "utf-16be",
  "utf-16be": "utf-16be",
};

export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }

  encode(text: unknown = ""): Uint8Array<ArrayBuffer> {
    return native.utf8EncodeReplacing(`${text as string}`);
  }

  encodeInto(source: string, target: Uint8Array): { read: number; written: number } {
    if (!(target instanceof Uint8Array)) throw wrongParameter("encodeInto", "TextEncoder", 2, "Uint8Array");
    let [read, written] = [0, 0];
    for (const character of `${source}`) {
      const bytes = native.utf8EncodeReplacing(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      read += character.length;
      written += bytes.length;
    }
    return { read, written };
  }
}

/** How many bytes at the end are the beginning of a character that may still be completed. */
function openUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length && mayBegin(byte, bytes[bytes.length - back + 1]) ? back : 0;
    }
  }
  return 0;
}

/** Whether a character can begin with these bytes; the second, if it is there, is one that continues. */
function mayBegin(first: number, second: number | undefined): boolean {
  if (first < 0xc2 || first > 0xf4) return false;
  if (second === undefined) return true;
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  return first !== 0xf4 || second < 0x90;
}

function openUtf16(bytes: Uint8Array, little: boolean): number {
  const open = bytes.length % 2;
  const high = bytes[bytes.length - open - (little ? 1 : 2)];
  return high !== undefined && high >= 0xd8 && high <= 0xdb ? open + 2 : open;
}

function decodeUtf16(bytes: Uint8Array, little: boolean, fatal: boolean): string {
  let text = "";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 1 < bytes.length; at += 2) text += String.fromCharCode(view.getUint16(at, little));
  // What is unfinished at the end is one error, also half a character after a surrogate.
  if (bytes.length % 2 === 1 && !/[\ud800-\udbff]$/.test(text)) text += "\ud800";
  if (fatal && !text.isWellFormed()) throw new TypeError("Failed to decode input.");
  return text.toWellFormed();
}

export class TextDecoder {
  readonly #label: string;
  readonly #encoding: string;
  readonly #fatal: boolean;
  readonly #ignoreBOM: boolean;
  /** Bytes of an unfinished character, after the escape sequence that holds for it (ISO-2022-JP), and whether a byte order mark can no longer come. */
  #rest = new Uint8Array(0);
  #begun = false;

  constructor(label: unknown = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    this.#label = `${label as string}`.trim().toLowerCase();
    const known = Object.hasOwn(LABELS, this.#label) ? LABELS[this.#label] : undefined;
    this.#encoding = known ?? this.#nameFromHost(`${label as string}`);
    this.#fatal = Boolean(options.fatal);
    this.#ignoreBOM = Boolean(options.ignoreBOM);
  }

  #nameFromHost(given: string): string {
    const name: unknown = native.op(OP.decode_text, [this.#label, false, false]);
    if (typeof name !== "string" || name === "") throw new RangeError(`"${given}" is not a valid encoding.`);
    return name;
  }

  get encoding(): string {
    return this.#encoding;
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBOM;
  }

  decode(input?: Bytes, options: { stream?: boolean } = {}): string {
    if (input !== undefined && !(input instanceof ArrayBuffer) && !ArrayBuffer.isView(input))
      throw wrongParameter("decode", "TextDecoder", 1, "Array");
    const more = Boolean(options.stream);
    if (!more && !this.#begun && this.#rest.length === 0 && input !== undefined && this.#encoding === "utf-8")
      return native.utf8Decode(input, this.#fatal, this.#ignoreBOM);
    let bytes = input === undefined ? new Uint8Array(0) : viewOf(input);
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    if (more && this.#byHost) return this.#decodeBeginning(bytes);
    const open = more ? this.#open(bytes) : 0;
    this.#rest = bytes.slice(bytes.length - open);
    const ready = bytes.subarray(0, bytes.length - open);
    try {
      const text = this.#decodeBytes(ready);
      const first = !this.#begun && ready.length > 0;
      if (first) this.#begun = true;
      return first && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    } finally {
      if (!more) {
        this.#begun = false;
        this.#rest = new Uint8Array(0);
      }
    }
  }

  #open(bytes: Uint8Array): number {
    if (this.#encoding === "utf-8") return openUtf8(bytes);
    return openUtf16(bytes, this.#encoding === "utf-16le");
  }

  get #byHost(): boolean {
    return !this.#encoding.startsWith("utf-");
  }

  /** All but an unfinished character at the end, by the host, which keeps nothing between two calls. */
  #decodeBeginning(bytes: Uint8Array): string {
    if (bytes.length === 0) return "";
    const reply: unknown = native.op(OP.decode_text, [this.#label, this.#fatal, true], bytes as Uint8Array<ArrayBuffer>);
    const [text, open] = reply as [string, number];
    const done = bytes.subarray(0, bytes.length - open);
    const rest = bytes.subarray(bytes.length - open);
    const escape = this.#encoding === "iso-2022-jp" ? done.lastIndexOf(0x1b) : -1;
    this.#rest = escape < 0 ? rest.slice() : Uint8Array.of(...done.subarray(escape, escape + 3), ...rest);
    return text;
  }

  #decodeBytes(bytes: Uint8Array): string {
    if (this.#encoding === "utf-8") return native.utf8Decode(bytes, this.#fatal, true);
    if (this.#encoding.startsWith("utf-16")) return decodeUtf16(bytes, this.#encoding === "utf-16le", this.#fatal);
    if (bytes.length === 0) return "";
    const text: unknown = native.op(OP.decode_text, [this.#label, this.#fatal, false], bytes as Uint8Array<ArrayBuffer>);
    return text as string;
  }
}

export class TextEncoderStream extends TransformStream<string, Uint8Array> {
  constructor() {
    let high = "";
    super({
      transform(chunk, controller) {
        let text = high + `${chunk}`;
        const last = text.charCodeAt(text.length - 1);
        high = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : "";
        if (high !== "") text = text.slice(0, -1);
        if (text !== "") controller.enqueue(native.utf8EncodeReplacing(text));
      },
      flush(controller) {
        if (high !== "") controller.enqueue(native.utf8EncodeReplacing(high));
      },
    });
  }

  get encoding(): string {
    return "utf-8";
  }
}

export class TextDecoderStream extends TransformStream<Bytes, string> {
  readonly #decoder: TextDecoder;

  constructor(label: unknown = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    const decoder = new TextDecoder(label, options);
    super({
      transform(chunk, controller) {
        if (!isObject(chunk)) throw new TypeError("TextDecoderStream takes ArrayBuffers and views.");
        const text = decoder.decode(chunk, { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
    this.#decoder = decoder;
  }

  get encoding(): string {
    return this.#decoder.encoding;
  }

  get fatal(): boolean {
    return this.#decoder.fatal;
  }

  get ignoreBOM(): boolean {
    return this.#decoder.ignoreBOM;
  }
}
