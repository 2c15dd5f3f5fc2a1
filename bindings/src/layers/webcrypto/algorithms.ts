/** Algorithms and their parameters as callers give them. */

import { isObject } from "../../web/misuse";
import { fail } from "./platform";

/** What a key says of itself. */
export interface KeyAlgorithm {
  readonly name: string;
  readonly length?: number;
  readonly hash?: { readonly name: string };
  readonly namedCurve?: string;
  readonly modulusLength?: number;
  readonly publicExponent?: Uint8Array<ArrayBuffer>;
}

/** Parameters as given; nothing about their types is known. */
export type Parameters = Readonly<Record<string, unknown>>;

const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5"];
/** Bits of what a hash works on at a time: how long a key of HMAC is by default. */
const BLOCK_BITS: Readonly<Record<string, number>> = { "SHA-384": 1024, "SHA-512": 1024 };
const CURVES = ["P-256", "P-384", "P-521"];

/** Where the platform has the fields that hold bytes. */
const DICTIONARIES: Readonly<Record<string, string>> = {
  iv: "EncryptAlgorithm",
  additionalData: "EncryptAlgorithm",
  counter: "EncryptAlgorithm",
  label: "EncryptAlgorithm",
  salt: "DeriveKeyAlgorithm",
  info: "DeriveKeyAlgorithm",
  publicExponent: "GenerateKeyAlgorithm",
};

export type Family = "HMAC" | "AES" | "RSA" | "EC" | "OKP" | "KDF";

interface Algorithm {
  readonly family: Family;
  /** What its keys may be used for; of a pair, first the public key's and then the private one's. */
  readonly usages: readonly [readonly string[], readonly string[]];
}

const WRAP = ["wrapKey", "unwrapKey"];
const CIPHER: Algorithm = { family: "AES", usages: [["encrypt", "decrypt", ...WRAP], []] };
const RSA_SIGNATURE: Algorithm = { family: "RSA", usages: [["verify"], ["sign"]] };
const SIGNATURE: Algorithm = { family: "OKP", usages: [["verify"], ["sign"]] };
const DERIVE = ["deriveKey", "deriveBits"];
const DERIVATION: Algorithm = { family: "KDF", usages: [DERIVE, []] };

export const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  HMAC: { family: "HMAC", usages: [["sign", "verify"], []] },
  "AES-CTR": CIPHER,
  "AES-CBC": CIPHER,
  "AES-GCM": CIPHER,
  "AES-KW": { family: "AES", usages: [WRAP, []] },
  "RSASSA-PKCS1-v1_5": RSA_SIGNATURE,
  "RSA-PSS": RSA_SIGNATURE,
  "RSA-OAEP": { family: "RSA", usages: [["encrypt", "wrapKey"], ["decrypt", "unwrapKey"]] },
  ECDSA: { family: "EC", usages: [["verify"], ["sign"]] },
  ECDH: { family: "EC", usages: [[], DERIVE] },
  Ed25519: SIGNATURE,
  "NODE-ED25519": SIGNATURE,
  X25519: { family: "OKP", usages: [[], DERIVE] },
  HKDF: DERIVATION,
  PBKDF2: DERIVATION,
};

const NAMES = new Map(Object.keys(ALGORITHMS).map((name) => [name.toUpperCase(), name]));

/** The parameters given for an algorithm, by its name or an object. */
export function parametersOf(given: unknown): Parameters & { readonly name: string } {
  if (typeof given !== "object" || given === null) return { name: `${given}` };
  const name = (given as Parameters)["name"];
  if (name === undefined) throw new TypeError('Missing field "name" in "algorithm".');
  return Object.create(given, { name: { value: `${name}` } });
}

/** The platform's spelling of an algorithm's name. @throws DOMException NotSupportedError. */
export function algorithmName(name: string, purpose: string): string {
  const known = NAMES.get(name.toUpperCase());
  if (known === undefined) throw fail("NotSupportedError", `Unrecognized ${purpose} algorithm "${name}" requested.`);
  return known;
}

export function hashName(given: unknown): string {
  const name = `${isObject(given) ? (given as Parameters)["name"] : given}`;
  const known = HASHES.find((hash) => hash === name.toUpperCase());
  if (known === undefined) throw fail("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
  return known;
}

/** The hash that parameters name. */
export function hashOf(parameters: Parameters): string {
  return hashName(required(parameters, "hash"));
}

export function blockBits(hash: string): number {
  return BLOCK_BITS[hash] ?? 512;
}

export function curveOf(parameters: Parameters): string {
  const name = `${required(parameters, "namedCurve")}`;
  const known = CURVES.find((curve) => curve === name.toUpperCase());
  if (known === undefined) throw fail("NotSupportedError", `Unrecognized or unimplemented EC curve "${name}" requested.`);
  return known;
}

/** The curve of a key of family OKP: Workers' first name for Ed25519 is still used. */
export function okpCurve(name: string): string {
  return name === "NODE-ED25519" ? "Ed25519" : name;
}

/** What a key of family OKP says of itself. @throws TypeError or DOMException when the old name comes without its curve. */
export function okpAlgorithm(name: string, parameters: Parameters): KeyAlgorithm {
  if (okpCurve(name) === name) return { name };
  const namedCurve = `${required(parameters, "namedCurve")}`;
  if (namedCurve !== name) throw fail("NotSupportedError", `EDDSA curve "${namedCurve}" isn't supported.`);
  return { name, namedCurve };
}

export function required(parameters: Parameters, field: string): unknown {
  const value = parameters[field];
  if (value !== undefined) return value;
  throw new TypeError(`Missing field "${field}" in "${field === "public" ? "derivedKeyParams" : "algorithm"}".`);
}

/** A whole number of up to 32 bits, as the platform converts it; the default where it is absent. */
export function numberOf(parameters: Parameters, field: string, absent?: number): number {
  const value = absent !== undefined && parameters[field] === undefined ? absent : required(parameters, field);
  return Number(value) >>> 0;
}

/** Bytes; a copy, since the caller may change them meanwhile. */
export function copyBytes(given: unknown, complaint: () => Error): Uint8Array<ArrayBuffer> {
  if (given instanceof ArrayBuffer) return new Uint8Array(given.slice(0));
  if (ArrayBuffer.isView(given))
    return new Uint8Array(given.buffer as ArrayBuffer, given.byteOffset, given.byteLength).slice();
  throw complaint();
}

export function bytesOf(parameters: Parameters, field: string, absent?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const value = absent === undefined ? required(parameters, field) : (parameters[field] ?? absent);
  return copyBytes(
    value,
    () =>
      new TypeError(
        `Incorrect type for the '${field}' field on '${DICTIONARIES[field]}': the provided value is not of type 'BufferSource'.`,
      ),
  );
}

/** The usages that a key may have; in the platform's order, each once. `what` is said of it in a complaint. */
export function checkUsages(given: unknown, allowed: readonly string[], action: string, what: string): string[] {
  if (typeof given !== "object" || given === null || !(Symbol.iterator in given))
    throw new TypeError(`Failed to execute '${action}Key' on 'SubtleCrypto': keyUsages is not of type 'Array'.`);
  const usages = new Set<string>();
  for (const item of given as Iterable<unknown>) {
    const usage = `${item}`;
    if (!allowed.includes(usage))
      throw fail("SyntaxError", `Attempt to ${action} ${what} key with invalid usage "${usage}".`);
    usages.add(usage);
  }
  return ORDER.filter((usage) => usages.has(usage));
}

const ORDER = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];
