/**
 * `node:buffer`: the package of that name, with what Node has gained since: base64url, more helpers. UTF-8 goes through the engine's
 * own functions.
 */

import * as buffer from "buffer";
import type { Platform } from "../../layers";
import { checkString, invalidArgType, invalidArgValue, nodeError } from "../node_errors";

const { Buffer } = buffer;
type Bytes = buffer.Buffer;
type Native = Platform["native"];

const INSPECT = Symbol.for("nodejs.util.inspect.custom");
const SHOWN_BYTES = 50;
const MAX_LENGTH = 2 ** 31 - 1;
const MAX_STRING_LENGTH = 2 ** 29 - 24;

function isUtf8(encoding: unknown): boolean {
  return encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8";
}

/** The package's name of an encoding: its decoder of base64 takes both alphabets. */
function plainEncoding(encoding: unknown): unknown {
  return typeof encoding === "string" && encoding.toLowerCase() === "base64url" ? "base64" : encoding;
}

/** What of a text is bytes in hexadecimal: all before the first pair that is none. The package takes `f ` for one. */
function wellFormed(text: unknown, encoding: unknown): unknown {
  if (typeof text !== "string" || typeof encoding !== "string" || encoding.toLowerCase() !== "hex") return text;
  return (/^(?:[0-9a-f]{2})*/i.exec(text) as RegExpExecArray)[0];
}

/** Bytes of a text in base64 as Node counts them: by its length, whatever its characters are. */
function base64Length(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.floor(((text.length - padding) * 3) / 4);
}

/** Replace methods of an object, with the attributes that they have. */
function replace(target: object, methods: Record<string, unknown>): void {
  for (const name of Reflect.ownKeys(methods) as string[])
    Object.defineProperty(target, name, { value: methods[name], writable: true, enumerable: true, configurable: true });
}

/** Methods of one encoding, and other spellings of those of 64 bits. */
function aliases(): PropertyDescriptorMap {
  const methods: Record<string, unknown> = {};
  for (const encoding of ["ascii", "base64", "base64url", "hex", "latin1", "ucs2", "utf8"]) {
    methods[`${encoding}Slice`] = function (this: Bytes, start?: number, end?: number): string {
      return this.toString(encoding as "utf8", start, end);
    };
    methods[`${encoding}Write`] = function (this: Bytes, text: string, offset = 0, length = this.length - offset): number {
      return this.write(text, offset, length, encoding as "utf8");
    };
  }
  for (const order of ["BE", "LE"] as const) {
    methods[`readBigUint64${order}`] = Buffer.prototype[`readBigUInt64${order}`];
    methods[`writeBigUint64${order}`] = Buffer.prototype[`writeBigUInt64${order}`];
  }
  return Object.fromEntries(
    Object.entries(methods).map(([name, value]) => [name, { value, writable: true, enumerable: true, configurable: true }]),
  );
}

/** UTF-8 without a detour, and base64url. */
function improve({ utf8Decode, utf8EncodeReplacing }: Native): void {
  const { from, byteLength, isEncoding } = Buffer;
  const { toString, write, writeFloatBE, writeFloatLE, fill, indexOf, lastIndexOf } = Buffer.prototype;
  // biome-ignore lint/suspicious/noExplicitAny: overloads
  type Any = any;

  replace(Buffer, {
    from(value: Any, encoding?: Any, length?: Any): Bytes {
      if (typeof value !== "string") {
        if (typeof value !== "object" || value === null)
          throw invalidArgType(
            "first argument",
            "of type string or an instance of Buffer, TypedArray, ArrayBuffer, SharedArrayBuffer, or Array or an Array-like Object",
            value,
          );
        return Reflect.apply(from, Buffer, [value, encoding, length]) as Bytes;
      }
      if (typeof encoding === "string" && !Buffer.isEncoding(encoding)) throw unknownEncoding(encoding);
      if (!isUtf8(encoding)) return Reflect.apply(from, Buffer, [wellFormed(value, encoding), plainEncoding(encoding)]) as Bytes;
      return Object.setPrototypeOf(utf8EncodeReplacing(value), Buffer.prototype) as Bytes;
    },
    byteLength(value: Any, encoding?: Any): number {
      if (typeof value === "string" && isUtf8(encoding)) return utf8EncodeReplacing(value).byteLength;
      const plain = plainEncoding(encoding);
      if (typeof value === "string" && `${plain as string}`.toLowerCase() === "base64") return base64Length(value);
      return Reflect.apply(byteLength, Buffer, [value, plain]) as number;
    },
    isEncoding(encoding: Any): boolean {
      return typeof encoding === "string" && isEncoding(plainEncoding(encoding) as string);
    },
    poolSize: 8192,
  });
  replace(Buffer.prototype, {
    toString(this: Bytes, encoding?: Any, start?: Any, end?: Any): string {
      if (isUtf8(encoding)) {
        const bytes = start === undefined && end === undefined ? this : this.subarray(Math.max(0, start | 0), end);
        return utf8Decode(bytes, false, true);
      }
      if (!Buffer.isEncoding(encoding)) throw unknownEncoding(encoding as string);
      const text = Reflect.apply(toString, this, [plainEncoding(encoding), start, end]) as string;
      if (plainEncoding(encoding) === encoding) return text;
      return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    },
    write(this: Bytes, text: Any, ...rest: Any[]): number {
      checkString(text, "argument");
      return Reflect.apply(write, this, [wellFormed(text, rest.at(-1)), ...rest.map(plainEncoding)]) as number;
    },
    fill(this: Bytes, value: Any, ...rest: Any[]): Bytes {
      return Reflect.apply(fill, this, [value, ...rest.map(plainEncoding)]) as Bytes;
    },
    // The package rounds ties away from zero.
    writeFloatBE(this: Bytes, value: Any, offset = 0): number {
      const end = Reflect.apply(writeFloatBE, this, [value, offset]) as number;
      new DataView(this.buffer, this.byteOffset).setFloat32(offset, value);
      return end;
    },
    writeFloatLE(this: Bytes, value: Any, offset = 0): number {
      const end = Reflect.apply(writeFloatLE, this, [value, offset]) as number;
      new DataView(this.buffer, this.byteOffset).setFloat32(offset, value, true);
      return end;
    },
    equals(this: Bytes, other: Any): boolean {
      if (!(other instanceof Uint8Array)) throw invalidArgType("otherBuffer", "an instance of Buffer or Uint8Array", other);
      return Buffer.compare(this, other) === 0;
    },
    indexOf(this: Bytes, value: Any, ...rest: Any[]): number {
      if (value === "" && this.length > 0) return Math.min(Math.max(Number(rest[0]) || 0, 0), this.length);
      return Reflect.apply(indexOf, this, [value, ...rest.map(plainEncoding)]) as number;
    },
    lastIndexOf(this: Bytes, value: Any, ...rest: Any[]): number {
      return Reflect.apply(lastIndexOf, this, [value, ...rest.map(plainEncoding)]) as number;
    },
    includes(this: Bytes, value: Any, ...rest: Any[]): boolean {
      return this.indexOf(value, ...rest) !== -1;
    },
    [INSPECT](this: Bytes): string {
      const hex = (this.subarray(0, SHOWN_BYTES) as Bytes).toString("hex").replace(/(..)(?=.)/g, "$1 ");
      const more = this.length - SHOWN_BYTES;
      const rest = more > 0 ? ` ... ${more} more byte${more > 1 ? "s" : ""}` : "";
      return `<${this.constructor.name} ${hex}${rest}>`;
    },
  });
  Object.defineProperties(Buffer.prototype, aliases());
  // The bundler may have had to rename it.
  Object.defineProperty(Buffer, "name", { value: "Buffer" });
}

function unknownEncoding(encoding: string): Error {
  return nodeError(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding}`);
}

type Input = ArrayBuffer | ArrayBufferView;

function checkInput(input: unknown): asserts input is Input {
  if (!(input instanceof ArrayBuffer) && !ArrayBuffer.isView(input))
    throw invalidArgType("input", "an instance of ArrayBuffer, Buffer, or TypedArray", input);
}

function view(input: Input): Uint8Array {
  return input instanceof ArrayBuffer ? new Uint8Array(input) : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
}

export function bufferModule(native: Native): object {
  improve(native);
  const TRANSCODED = new Set(["utf8", "utf-8", "ucs2", "ucs-2", "utf16le", "utf-16le", "latin1", "binary", "ascii"]);
  return {
    Blob,
    Buffer,
    File,
    INSPECT_MAX_BYTES: SHOWN_BYTES,
    SlowBuffer: (buffer as unknown as { SlowBuffer: unknown }).SlowBuffer,
    atob,
    btoa,
    constants: { MAX_LENGTH, MAX_STRING_LENGTH },
    isAscii(input: unknown): boolean {
      checkInput(input);
      return view(input).every((byte) => byte < 0x80);
    },
    isUtf8(input: unknown): boolean {
      checkInput(input);
      try {
        native.utf8Decode(input, true, true);
        return true;
      } catch {
        return false;
      }
    },
    kMaxLength: MAX_LENGTH,
    kStringMaxLength: MAX_STRING_LENGTH,
    resolveObjectURL(): undefined {
      return undefined;
    },
    transcode(source: unknown, from: string, to: string): Bytes {
      if (!(source instanceof Uint8Array)) throw invalidArgType("source", "an instance of Buffer or Uint8Array", source);
      for (const encoding of [from, to])
        if (!TRANSCODED.has(`${encoding}`.toLowerCase())) throw invalidArgValue("encoding", encoding);
      const text = Buffer.from(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength).toString(from as "utf8");
      const small = to === "ascii" || to === "latin1" || to === "binary";
      const most = to === "ascii" ? 0x7f : 0xff;
      return Buffer.from(small ? text.replace(/./gsu, (c) => (c.codePointAt(0)! > most ? "?" : c)) : text, to as "utf8");
    },
  };
}
