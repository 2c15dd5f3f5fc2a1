/** scrypt (RFC 7914), by the host in a thread: at once it would hold up everybody else. */

import type { Platform } from "../../layers";
import { checkFunction, invalidArgType, invalidArgValue, outOfRange, unavailable } from "../node_errors";
import { Buffer, bytesOf } from "./bytes";

type Host = Pick<Platform, "native" | "ops" | "currentSection" | "startOrFinish">;

/** Options, their other names and what they are unless given. */
const OPTIONS = [
  ["N", "cost", 16384],
  ["r", "blockSize", 8],
  ["p", "parallelization", 1],
  ["maxmem", undefined, 32 << 20],
] as const;
const MAX_INTEGER = 2 ** 31 - 1;
const MAX_UNSIGNED = 2 ** 32 - 1;

/** In the order of `OPTIONS`. */
function numbersOf(options: Readonly<Record<string, unknown>>): number[] {
  return OPTIONS.map(([name, other, absent]) => {
    if (other !== undefined && options[name] !== undefined && options[other] !== undefined) throw invalidArgValue(other, options[other]);
    const value = options[name] ?? (other === undefined ? undefined : options[other]) ?? absent;
    if (typeof value !== "number") throw invalidArgType(name, "of type number", value);
    if (!Number.isInteger(value) || value < 0 || value > MAX_UNSIGNED) throw outOfRange(name, `>= 0 && <= ${MAX_UNSIGNED}`, value);
    // Node takes 0 for what is not given.
    return value === 0 ? absent : value;
  });
}

export function scrypt({ native, ops, currentSection, startOrFinish }: Host): Record<string, unknown> {
  return {
    scrypt(password: unknown, salt: unknown, length: unknown, ...rest: unknown[]): void {
      const callback = rest.pop();
      const [options = {}] = rest as [Readonly<Record<string, unknown>>?];
      const [key, salted] = [bytesOf(password, "password"), bytesOf(salt, "salt")];
      if (typeof length !== "number") throw invalidArgType("keylen", "of type number", length);
      if (!Number.isInteger(length) || length < 0 || length > MAX_INTEGER) throw outOfRange("keylen", `>= 0 && <= ${MAX_INTEGER}`, length);
      const [cost, ...others] = numbersOf(options) as [number, ...number[]];
      checkFunction(callback, "callback");
      const extra = new Uint8Array(4 * others.length);
      others.forEach((value, at) => new DataView(extra.buffer).setUint32(4 * at, value));
      const fields = ["derive", "scrypt", "", cost, length, key, salted, extra];
      const derived =
        length === 0
          ? Promise.resolve(new ArrayBuffer(0))
          : startOrFinish((id) => native.op(ops.crypto, [id, currentSection(), ...fields], new Uint8Array(0)));
      derived.then(
        (bytes) => void callback(null, Buffer.from(bytes)),
        (error: unknown) => void callback(error),
      );
    },
    ...unavailable("crypto", ["scryptSync"]),
  };
}
