/** HKDF (RFC 5869) over the HMAC of this module. */

import { checkFunction, checkString, nodeError, outOfRange } from "../node_errors";
import { bytesOf } from "./bytes";
import type { HashFunctions } from "./hash";

const MAX_INFO = 1024;

export function hkdf(createHmac: HashFunctions["createHmac"]): Record<string, unknown> {
  const mac = (digest: string, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array => {
    const hmac = createHmac(digest, key);
    for (const part of parts) hmac.update(part);
    return (hmac as unknown as { digest(): Uint8Array }).digest();
  };

  function hkdfSync(digest: unknown, key: unknown, salt: unknown, info: unknown, length: unknown): ArrayBuffer {
    checkString(digest, "digest");
    const infoBytes = bytesOf(info, "info");
    if (infoBytes.length > MAX_INFO) throw outOfRange("info", "must not contain more than 1024 bytes", infoBytes.length);
    if (typeof length !== "number" || !Number.isInteger(length) || length < 0) throw outOfRange("length", "an integer", length);
    const pseudoRandom = mac(digest, bytesOf(salt, "salt"), bytesOf(key, "ikm"));
    if (length > 255 * pseudoRandom.length) throw nodeError(RangeError, "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length");
    const result = new Uint8Array(length);
    let block: Uint8Array = new Uint8Array(0);
    for (let at = 0, counter = 1; at < length; at += block.length, counter++) {
      block = mac(digest, pseudoRandom, block, infoBytes, Uint8Array.of(counter));
      result.set(block.subarray(0, length - at), at);
    }
    return result.buffer;
  }

  return {
    hkdf(digest: unknown, key: unknown, salt: unknown, info: unknown, length: unknown, callback: unknown): void {
      checkFunction(callback, "callback");
      const result = hkdfSync(digest, key, salt, info, length);
      queueMicrotask(() => void callback(null, result));
    },
    hkdfSync,
  };
}
