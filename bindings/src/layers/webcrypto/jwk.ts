/** Keys as JSON Web Keys (RFC 7517, 7518, 8037). */

import { ALGORITHMS, type KeyAlgorithm, okpCurve } from "./algorithms";
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

/** Padding, spaces and the other alphabet are taken, too, as on the platform; undefined for what is no base64. */
function fromBase64url(given: unknown): Bytes | undefined {
  const latin1 = typeof given === "string" ? platform.native.base64Decode(given.replaceAll("-", "+").replaceAll("_", "/")) : null;
  return latin1 === null ? undefined : Uint8Array.from(latin1, (character) => character.charCodeAt(0));
}

/** What `alg` says of a key; undefined where the platform says nothing. */
function jwkAlgorithm({ name, length, hash }: KeyAlgorithm): string | undefined {
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

function wrongType(jwk: Jwk, name: string, wanted: string): Error {
  const given = jwk["kty"];
  const sentence: Readonly<Record<string, string>> = {
    oct: name === "HMAC"
      ? `HMAC "jwk" key import requires a JSON Web Key with Key Type parameter ("kty") equal to "oct" (encountered "${given}").`
      : `Symmetric "jwk" key import requires a JSON Web Key with Key Type parameter "kty" equal to "oct" (encountered "${given}").`,
    EC: `Elliptic curve "jwk" key import requires a JSON Web Key with Key Type parameter "kty" ("${given}") equal to "EC".`,
    RSA: `${name} "jwk" key import requires a JSON Web Key with Key Type parameter "kty" ("${given}") equal to "RSA".`,
    OKP: `${name} "jwk" key imports requires a JSON Web Key with Key Type parameter "kty" ("${given}") equal to "OKP".`,
  };
  return fail("DataError", sentence[wanted] as string);
}

/** @throws DOMException DataError when it is not a key of that algorithm, or may not be used so. */
export function checkJwk(jwk: Jwk, name: string, usages: readonly string[], extractable: boolean): void {
  if (jwk["kty"] !== keyType(name)) throw wrongType(jwk, name, keyType(name));
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
export function secretOfJwk(jwk: Jwk, name: string): Bytes {
  const secret = fromBase64url(jwk["k"]);
  if (secret === undefined)
    throw fail("DataError", name === "HMAC"
        ? 'HMAC "jwk" key import requires a base64Url encoding of the key'
        : 'Symmetric "jwk" key import requires a base64Url encoding of the key.');
  return secret;
}

/** @throws DOMException DataError when a JWK says that it is for something else than a secret of that algorithm. */
export function checkSecretJwk(jwk: Jwk, algorithm: KeyAlgorithm): void {
  const use = algorithm.name === "HMAC" ? "sig" : "enc";
  if (jwk["use"] !== undefined && jwk["use"] !== use)
    throw fail("DataError", `Symmetric "jwk" key must have a "use" of "${use}", not "${jwk["use"]}".`);
  const alg = jwkAlgorithm(algorithm);
  if (jwk["alg"] !== undefined && jwk["alg"] !== alg)
    throw fail("DataError", algorithm.name === "HMAC"
        ? `HMAC "jwk" key import specifies "alg" that is incompatible with the hash name (encountered "${jwk["alg"]}", expected "${alg}").`
        : `Symmetric "jwk" key contains invalid "alg" value "${jwk["alg"]}", expected "${alg}".`);
}

/** The hashes and curves that `alg` stands for. */
const RSA_HASHES: Readonly<Record<string, string>> = {
  RS1: "SHA-1", RS256: "SHA-256", RS384: "SHA-384", RS512: "SHA-512",
  PS1: "SHA-1", PS256: "SHA-256", PS384: "SHA-384", PS512: "SHA-512",
  "RSA-OAEP": "SHA-1", "RSA-OAEP-256": "SHA-256", "RSA-OAEP-384": "SHA-384", "RSA-OAEP-512": "SHA-512",
};
const EC_CURVES: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

/** @throws DOMException DataError when a JWK says that it is for something else than a key of that algorithm. */
export function checkPairedJwk(jwk: Jwk, algorithm: KeyAlgorithm, usages: readonly string[]): void {
  const { name, namedCurve } = algorithm;
  const use = name === "RSA-OAEP" || name === "ECDH" || name === "X25519" ? "enc" : "sig";
  if (usages.length > 0 && jwk["use"] !== undefined && jwk["use"] !== use)
    throw fail("DataError", `Asymmetric "jwk" key import with usages requires a JSON Web Key with Public Key Use parameter "use" ("${jwk["use"]}") equal to "sig".`);
  const alg = jwk["alg"];
  if (alg === undefined || name === "ECDH" || name === "X25519") return;
  if (keyType(name) === "OKP") {
    if (alg !== "EdDSA")
      throw fail("DataError", `JSON Web Key Algorithm parameter "alg" ("${alg}") does not match requested Ed25519 curve.`);
    return;
  }
  const [known, own] = name === "ECDSA" ? [EC_CURVES, namedCurve] : [RSA_HASHES, algorithm.hash?.name];
  if (!Object.hasOwn(known, `${alg}`))
    throw fail("NotSupportedError", `Unrecognized or unimplemented algorithm "${alg}" listed in JSON Web Key Algorithm parameter.`);
  if (known[`${alg}`] !== own)
    throw fail("DataError", name === "ECDSA"
        ? `JSON Web Key Algorithm parameter "alg" ("${alg}") does not match requested curve.`
        : `JSON Web Key Algorithm parameter "alg" ("${alg}") does not match requested hash algorithm "${alg}".`);
}

/** The numbers of a key of a pair. */
export function numbersOfJwk(jwk: Jwk): Bytes[] {
  const [open, secret] = NUMBERS[jwk["kty"] as string] as readonly [readonly string[], readonly string[]];
  const fields = jwk["d"] === undefined ? open : [...open, ...secret];
  return fields.map((field) => {
    const number = fromBase64url(jwk[field]);
    if (number === undefined) throw fail("DataError", `Invalid or missing "${field}" in JSON Web Key.`);
    return number;
  });
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
    if (kty === "OKP") jwk["crv"] = okpCurve(algorithm.name);
  }
  const alg = jwkAlgorithm(algorithm);
  if (alg !== undefined) jwk["alg"] = alg;
  jwk["key_ops"] = [...usages];
  jwk["ext"] = extractable;
  return jwk;
}
