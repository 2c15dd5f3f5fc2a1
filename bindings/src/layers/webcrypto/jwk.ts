/** Keys as JSON Web Keys (RFC 7517, 7518, 8037). */

import { ALGORITHMS, type KeyAlgorithm } from "./algorithms";
import type { KeyFacts } from "./crypto_key";
import { jwkNumbers } from "./host";
import { fail, platform } from "./platform";

type Bytes = Uint8Array<ArrayBuffer>;

export type Jwk = Record<string, unknown>;

/** Names of a key's numbers, public ones first: the order of `key_import`. */
const NUMBERS: Readonly<Record<string, readonly [readonly string[], readonly string[]]>> = {
  RSA: [["n", "e"], ["d", "p", "q", "dp", "dq", "qi"]],
  EC: [["x", "y"], ["d"]],
  OKP: [["x"], ["d"]],
};

export function base64url(bytes: Bytes): string {
  let latin1 = "";
  for (let at = 0; at < bytes.length; at += 4096) latin1 += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return (platform.native.base64Encode(latin1) as string).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64url(given: unknown, field: string): Bytes {
  const text = typeof given === "string" && /^[\w-]*$/.test(given) ? given : undefined;
  const latin1 = text === undefined ? null : platform.native.base64Decode(text.replaceAll("-", "+").replaceAll("_", "/"));
  if (latin1 === null) throw fail("DataError", `Invalid or missing "${field}" in JSON Web Key.`);
  return Uint8Array.from(latin1, (character) => character.charCodeAt(0));
}

/** What `alg` says of a key; undefined where the platform says nothing. */
export function jwkAlgorithm({ name, length, hash }: KeyAlgorithm): string | undefined {
  const size = hash?.name === "SHA-1" ? "1" : hash?.name.slice(4);
  switch (name) {
    case "HMAC":
      return `HS${size}`;
    case "RSASSA-PKCS1-v1_5":
      return `RS${size}`;
    case "RSA-PSS":
      return `PS${size}`;
    case "RSA-OAEP":
      return hash?.name === "SHA-1" ? "RSA-OAEP" : `RSA-OAEP-${size}`;
    case "Ed25519":
      return "EdDSA";
    default:
      return name.startsWith("AES-") ? `A${length}${name.slice(4)}` : undefined;
  }
}

/** The type of key that an algorithm has. */
function keyType(name: string): string {
  const family = ALGORITHMS[name]?.family as string;
  return family === "HMAC" || family === "AES" ? "oct" : family;
}

/** @throws DOMException DataError when it is not a key of that algorithm, or may not be used so. */
export function checkJwk(jwk: Jwk, name: string, usages: readonly string[], extractable: boolean): void {
  if (jwk["kty"] !== keyType(name))
    throw fail("DataError", keyType(name) === "EC"
        ? `Elliptic curve "jwk" key import requires a JSON Web Key with Key Type parameter "kty" ("${jwk["kty"]}") equal to "EC".`
        : `${name} "jwk" key import requires a JSON Web Key with Key Type parameter "kty" ("${jwk["kty"]}") equal to "${keyType(name)}".`);
  if (extractable && jwk["ext"] === false)
    throw fail("DataError", `JWK ext field for "${name}" is set to false but extractable is true`);
  const operations = jwk["key_ops"];
  if (operations !== undefined) {
    if (!Array.isArray(operations) || new Set(operations).size !== operations.length)
      throw fail("DataError", 'A JSON Web Key has an invalid "key_ops".');
    const missing = usages.find((usage) => !operations.includes(usage));
    if (missing !== undefined)
      throw fail("DataError", `"jwk" key missing usage "${missing}", in "key_ops".`);
  }
}

/** The bytes of a secret. */
export function secretOfJwk(jwk: Jwk): Bytes {
  if (typeof jwk["k"] !== "string")
    throw fail("DataError", 'Symmetric "jwk" key import requires a base64Url encoding of the key.');
  return fromBase64url(jwk["k"], "k");
}

/** @throws DOMException DataError when a JWK says that it is for something else than a secret of that algorithm. */
export function checkSecretJwk(jwk: Jwk, algorithm: KeyAlgorithm): void {
  const use = algorithm.name === "HMAC" ? "sig" : "enc";
  if (jwk["use"] !== undefined && jwk["use"] !== use)
    throw fail("DataError", `Symmetric "jwk" key must have a "use" of "${use}", not "${jwk["use"]}".`);
  const alg = jwkAlgorithm(algorithm);
  if (jwk["alg"] !== undefined && jwk["alg"] !== alg)
    throw fail("DataError", `Symmetric "jwk" key contains invalid "alg" value "${jwk["alg"]}", expected "${alg}".`);
}

/** The numbers of a key of a pair. */
export function numbersOfJwk(jwk: Jwk): Bytes[] {
  const [open, secret] = NUMBERS[jwk["kty"] as string] as readonly [readonly string[], readonly string[]];
  const fields = jwk["d"] === undefined ? open : [...open, ...secret];
  return fields.map((field) => fromBase64url(jwk[field], field));
}

export function toJwk(facts: KeyFacts): Jwk {
  const { algorithm, type, usages, extractable, material } = facts;
  const kty = keyType(algorithm.name);
  const jwk: Jwk = { kty };
  if (kty === "oct") jwk["k"] = base64url(material);
  else {
    const names = NUMBERS[kty] as readonly [readonly string[], readonly string[]];
    const numbers = jwkNumbers(material, type === "private");
    [...names[0], ...names[1]].slice(0, numbers.length).forEach((name, at) => {
      jwk[name] = base64url(numbers[at] as Bytes);
    });
    if (kty === "EC") jwk["crv"] = algorithm.namedCurve;
    if (kty === "OKP") jwk["crv"] = algorithm.name;
  }
  const alg = jwkAlgorithm(algorithm);
  if (alg !== undefined) jwk["alg"] = alg;
  jwk["key_ops"] = [...usages];
  jwk["ext"] = extractable;
  return jwk;
}
