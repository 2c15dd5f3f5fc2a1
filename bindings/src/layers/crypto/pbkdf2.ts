/**
 * PBKDF2 (RFC 8018). What is asked for at once is computed in rounds, so that others have their turns meanwhile; what may come
 * later, the host does in a thread when it is within the limits of `crypto.subtle`.
 */

import type { Platform } from "../../layers";
import { checkFunction, checkString, invalidArgType, outOfRange } from "../node_errors";
import { Buffer, bytesOf } from "./bytes";
import type { HashFunctions } from "./hash";

type Host = Pick<Platform, "native" | "ops" | "currentSection" | "startOrFinish">;
type Bytes = Uint8Array<ArrayBuffer>;

const MAX_INTEGER = 2 ** 31 - 1;
/** Bytes of a key; no hash has longer blocks. */
const MAX_KEY = 128;
/** Rounds of one op: about a millisecond. */
const ROUNDS = 500;
/** Up to so many iterations and bytes a thread does it. */
const MOST_ITERATIONS = 100_000;
const MOST_BYTES = 1024;
const NAMES: Readonly<Record<string, string>> = { md5: "MD5", sha1: "SHA-1", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };

interface Given {
  readonly password: Bytes;
  readonly salt: Bytes;
  readonly iterations: number;
  readonly length: number;
  readonly digest: string;
}

function checked(password: unknown, salt: unknown, iterations: unknown, length: unknown, digest: unknown): Given {
  checkString(digest, "digest");
  const given = { password: bytesOf(password, "password") as Bytes, salt: bytesOf(salt, "salt") as Bytes };
  const numbers: Record<string, number> = {};
  for (const [name, value, least] of [["iterations", iterations, 1], ["keylen", length, 0]] as const) {
    if (typeof value !== "number") throw invalidArgType(name, "of type number", value);
    if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
    if (value < least || value > MAX_INTEGER) throw outOfRange(name, `>= ${least} && <= ${MAX_INTEGER}`, value);
    numbers[name] = value;
  }
  const plain = digest.toLowerCase();
  if (plain !== "sha224" && NAMES[plain] === undefined) throw new TypeError(`Invalid Pbkdf2 digest: ${digest}.`);
  return { ...given, iterations: numbers.iterations as number, length: numbers.keylen as number, digest: plain };
}

export function pbkdf2(host: Host, { createHash, createHmac }: HashFunctions): Record<string, unknown> {
  const { native, ops } = host;

  /** One block of the result. */
  function block({ password, salt, iterations, digest }: Given, number: number): Uint8Array {
    const counted = new Uint8Array(salt.length + 4);
    counted.set(salt);
    new DataView(counted.buffer).setUint32(salt.length, number);
    const first = createHmac(digest, password).update(counted).digest() as Uint8Array;
    // What the next round takes, and the sum of all.
    let state = new Uint8Array([...first, ...first]);
    for (let left = iterations - 1; left > 0; left -= ROUNDS)
      state = new Uint8Array(native.op(ops.pbkdf2_rounds, [digest, password, Math.min(left, ROUNDS)], state) as ArrayBuffer);
    return state.subarray(first.length);
  }

  /** @param asked An HMAC takes the hash of a key that is longer than its blocks. */
  function derive(asked: Given): unknown {
    const isLong = asked.password.length > MAX_KEY;
    const given = isLong ? { ...asked, password: createHash(asked.digest).update(asked.password).digest() as Bytes } : asked;
    const result = Buffer.alloc(given.length);
    for (let at = 0, number = 1; at < given.length; number++) {
      const bytes = block(given, number);
      result.set(bytes.subarray(0, given.length - at), at);
      at += bytes.length;
    }
    return result;
  }

  async function deriveLater(given: Given): Promise<unknown> {
    const { password, salt, iterations, length, digest } = given;
    const name = NAMES[digest];
    if (name === undefined || length === 0 || iterations > MOST_ITERATIONS || length > MOST_BYTES) return derive(given);
    const nothing = new Uint8Array(0);
    const fields = ["derive", "PBKDF2", name, iterations, length, password, salt, nothing];
    return Buffer.from(await host.startOrFinish((id) => native.op(ops.crypto, [id, host.currentSection(), ...fields], nothing)));
  }

  return {
    pbkdf2(password: unknown, salt: unknown, iterations: unknown, length: unknown, digest: unknown, callback: unknown): void {
        const given = checked(password, salt, iterations, length, digest);
      checkFunction(callback, "callback");
      deriveLater(given).then(
        (key) => void callback(null, key),
        (error: unknown) => void callback(error),
      );
    },
    pbkdf2Sync: (...args: [unknown, unknown, unknown, unknown, unknown]) => derive(checked(...args)),
  };
}
