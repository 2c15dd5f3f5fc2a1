/** `crypto`: randomness; the rest of it is in a layer. */

import { requireModule } from "../layers";
import { native } from "../native";
import { DOMException } from "./dom_exception";
import { illegalConstructor, wrongParameter } from "./interface";
import { checkIoAllowed } from "./scope";

const MAX_BYTES = 65_536;
const MAKER = Symbol("crypto");

export class Crypto {
  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  get subtle(): unknown {
    return part("subtle");
  }

  getRandomValues<T extends ArrayBufferView>(view: T): T {
    checkIoAllowed();
    if (!ArrayBuffer.isView(view)) throw wrongParameter("getRandomValues", "Crypto", 1, "ArrayBufferView");
    const integers = !(view instanceof DataView) && !/^Float/.test(view.constructor.name);
    if (!integers)
      throw new DOMException(
        "ArrayBufferView argument to getRandomValues() must be an integer-typed view.",
        "TypeMismatchError",
      );
    if (view.byteLength > MAX_BYTES)
      throw new DOMException(
        `getRandomValues() only accepts buffers of size <= 64K but provided ${view.byteLength} bytes.`,
        "QuotaExceededError",
      );
    if (view.byteLength > 0) native.random(view);
    return view;
  }

  randomUUID(): string {
    checkIoAllowed();
    const bytes = new Uint8Array(16);
    native.random(bytes);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    let hex = "";
    for (const byte of bytes) hex += (byte < 16 ? "0" : "") + byte.toString(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}

Object.defineProperty(Crypto.prototype, "DigestStream", {
  get: () => part("DigestStream"),
  enumerable: true,
  configurable: true,
});

/** `subtle` or `DigestStream`. */
function part(name: string): unknown {
  return (requireModule("durabox:webcrypto") as Record<string, unknown>)[name];
}

export const crypto = new Crypto(MAKER);
