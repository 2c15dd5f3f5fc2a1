/** `crypto.subtle`. The host does the mathematics; which key may do what is decided here. */

import { illegalConstructor, illegalInvocation, wrongParameter } from "../../web/misuse";
import {
  ALGORITHMS,
  algorithmName,
  blockBits,
  bytesOf,
  checkUsages,
  copyBytes,
  curveOf,
  type Family,
  hashName,
  hashOf,
  type KeyAlgorithm,
  numberOf,
  okpAlgorithm,
  okpCurve,
  type Parameters,
  parametersOf,
  required,
} from "./algorithms";
import { CryptoKey, factsOf, type KeyFacts, type KeyType, makeKey } from "./crypto_key";
import { digest, perform, rawKey, type ReadKey, readKey, type Work } from "./host";
import { checkJwk, checkPairedJwk, checkSecretJwk, type Jwk, numbersOfJwk, secretOfJwk, toJwk } from "./jwk";
import { fail, platform } from "./platform";

type Bytes = Uint8Array<ArrayBuffer>;
type Named = Parameters & { readonly name: string };
interface KeyPair {
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}

const FORMATS = ["raw", "pkcs8", "spki", "jwk"];
const NONE: Bytes = new Uint8Array();

function keyOf(method: string, position: number, key: unknown): KeyFacts {
  const facts = factsOf(key);
  if (facts === undefined) throw wrongParameter(method, "SubtleCrypto", position, "CryptoKey");
  return facts;
}

function dataOf(method: string, position: number, data: unknown): Bytes {
  return copyBytes(data, () => wrongParameter(method, "SubtleCrypto", position, "BufferSource"));
}

/** @throws DOMException InvalidAccessError when the key is for something else. */
function checkKey(facts: KeyFacts, name: string, usage: string): void {
  if (facts.algorithm.name.toUpperCase() !== name.toUpperCase())
    throw fail("InvalidAccessError", `Requested algorithm "${name}" does not match this CryptoKey's algorithm "${facts.algorithm.name}".`);
  checkUsage(facts, usage);
}

function checkUsage(facts: KeyFacts, usage: string): void {
  if (!facts.usages.includes(usage))
    throw fail("InvalidAccessError", `Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`);
}

function familyOf(name: string): Family {
  return (ALGORITHMS[name] as { family: Family }).family;
}

/** Parameters of a cipher as the host wants them. */
function cipherWork(given: Named, facts: KeyFacts): Omit<Work, "operation" | "data"> {
  const { algorithm, material: key } = facts;
  switch (algorithm.name) {
    case "AES-GCM": {
      const iv = bytesOf(given, "iv");
      if (iv.length === 0) throw fail("OperationError", "AES-GCM IV must not be empty.");
      const number = numberOf(given, "tagLength", 128);
      if (![32, 64, 96, 104, 112, 120, 128].includes(number))
        throw fail("OperationError", `Invalid AES-GCM tag length ${number}.`);
      return { algorithm: algorithm.name, key, iv, number, extra: bytesOf(given, "additionalData", NONE) };
    }
    case "AES-CBC":
      return { algorithm: algorithm.name, key, iv: bytesOf(given, "iv") };
    case "AES-CTR":
      return { algorithm: algorithm.name, key, iv: bytesOf(given, "counter"), number: numberOf(given, "length") | 0 };
    case "RSA-OAEP":
      return { algorithm: algorithm.name, key, hash: hashOf(algorithm as unknown as Parameters), extra: bytesOf(given, "label", NONE) };
    default:
      throw fail("NotSupportedError", `The "encrypt" and "decrypt" operations are not implemented for "${algorithm.name}".`);
  }
}

function encrypt(given: Named, facts: KeyFacts, data: Bytes): Promise<ArrayBuffer> {
  if (facts.type === "private") throw fail("InvalidAccessError", "Encryption requires a public key.");
  return perform({ operation: "encrypt", data, ...cipherWork(given, facts) });
}

function decrypt(given: Named, facts: KeyFacts, data: Bytes): Promise<ArrayBuffer> {
  return perform({ operation: "decrypt", data, ...cipherWork(given, facts) });
}

/** Parameters of a signature as the host wants them. */
function signatureWork(given: Named, facts: KeyFacts): Omit<Work, "operation" | "data"> {
  const { algorithm, material: key } = facts;
  const { name } = algorithm;
  switch (name) {
    case "ECDSA":
      if (given["hash"] === undefined)
        throw new TypeError(
          'Missing "hash" in AlgorithmIdentifier. (ECDSA requires that the hash algorithm be specified at call time ' +
            "rather than on the key. This differs from other WebCrypto algorithms for historical reasons.)",
        );
      return { algorithm: name, key, hash: hashOf(given) };
    case "Ed25519":
    case "NODE-ED25519":
      return { algorithm: "Ed25519", key };
    case "RSA-PSS": {
      if (given["saltLength"] === undefined)
        throw fail("DataError", "Failed to provide salt for RSA-PSS key operation which requires a salt");
      const salt = numberOf(given, "saltLength") | 0;
      if (salt < 0) throw fail("DataError", `SaltLength for RSA-PSS must be non-negative (provided ${salt}).`);
      return { algorithm: name, key, hash: algorithm.hash?.name ?? "", number: salt };
    }
    default:
      return { algorithm: name, key, hash: algorithm.hash?.name ?? "" };
  }
}

/** Length of the secret of a key that is to be derived or made, in bits; undefined for as much as there is. */
function keyLength(name: string, given: Parameters): number | undefined {
  switch (familyOf(name)) {
    case "AES": {
      const length = numberOf(given, "length");
      if (![128, 192, 256].includes(length))
        throw fail("OperationError", `Generated AES key length must be 128, 192, or 256 bits but requested ${length}.`);
      return length;
    }
    case "HMAC": {
      if (given["length"] === undefined) return blockBits(hashOf(given));
      const length = numberOf(given, "length");
      if (length === 0) throw fail("OperationError", `HMAC key length must be a non-zero unsigned long integer (requested ${length}).`);
      return length;
    }
    default:
      return undefined;
  }
}

async function derive(given: Named, facts: KeyFacts, bits: number | undefined): Promise<ArrayBuffer> {
  const { name } = facts.algorithm;
  if (name === "ECDH" || name === "X25519") return agree(given, facts, bits);
  if (bits === undefined || bits % 8 !== 0)
    throw fail("OperationError", bits === undefined
        ? `${name} cannot derive a key with null length.`
        : `${name} requires a derived key length that is a multiple of eight (requested ${bits}).`);
  const base = { operation: "derive", algorithm: name, hash: hashOf(given), length: bits / 8, key: facts.material } as const;
  const salt = bytesOf(given, "salt");
  if (name === "HKDF") return bits === 0 ? new ArrayBuffer(0) : perform({ ...base, iv: salt, extra: bytesOf(given, "info") });
  const iterations = numberOf(given, "iterations");
  if (iterations === 0) throw fail("OperationError", "PBKDF2 requires a positive iteration count (requested 0).");
  return bits === 0 ? new ArrayBuffer(0) : perform({ ...base, iv: salt, number: iterations });
}

async function agree(given: Named, facts: KeyFacts, bits: number | undefined): Promise<ArrayBuffer> {
  const { name } = facts.algorithm;
  const other = factsOf(required(given, "public"));
  if (other === undefined)
    throw new TypeError("Incorrect type for the 'public' field on 'DeriveKeyAlgorithm': the provided value is not of type 'CryptoKey'.");
  if (other.type !== "public") throw fail("InvalidAccessError", `The provided key has type "${other.type}", not "public"`);
  if (other.algorithm.name !== name)
    throw fail("InvalidAccessError", `Private key for derivation is using "${name}" while public key is using "${other.algorithm.name}".`);
  if (other.algorithm.namedCurve !== facts.algorithm.namedCurve)
    throw fail("InvalidAccessError", `Private key for derivation is using curve "${facts.algorithm.namedCurve}" while public key is using "${other.algorithm.namedCurve}".`);
  const secret = await perform({ operation: "derive", algorithm: name, key: facts.material, extra: other.material });
  if (bits === undefined) return secret;
  const length = Math.ceil(bits / 8);
  if (length > secret.byteLength)
    throw fail("OperationError", `Derived key length (${bits} bits) is too long (should be at most ${8 * secret.byteLength} bits).`);
  const derived = new Uint8Array(secret.slice(0, length));
  clearBits(derived, 8 * length - bits);
  return derived.buffer;
}

function randomBytes(length: number): Bytes {
  platform.checkIoAllowed();
  const bytes = new Uint8Array(length);
  if (length > 0) platform.native.random(bytes);
  return bytes;
}

const LONGEST_HMAC_KEY = 1 << 19;

async function generate(given: Named, extractable: boolean, wanted: unknown): Promise<CryptoKey | KeyPair> {
  const name = algorithmName(given.name, "key generation");
  const [first, second] = (ALGORITHMS[name] as { usages: readonly [readonly string[], readonly string[]] }).usages;
  const family = familyOf(name);
  if (family === "KDF") throw fail("NotSupportedError", `Unrecognized key generation algorithm "${given.name}" requested.`);
  const usages = checkUsages(wanted, [...first, ...second], "generate", name);
  if (family === "AES" || family === "HMAC") {
    const length = keyLength(name, given) as number;
    if (length > LONGEST_HMAC_KEY) throw fail("OperationError", `HMAC keys of ${length} bits are too long.`);
    if (usages.length === 0) throw emptyUsages();
    const algorithm = family === "AES" ? { name, length } : { name, hash: { name: hashOf(given) }, length };
    return makeKey({ type: "secret", extractable, algorithm, usages, material: randomBytes(Math.ceil(length / 8)) });
  }
  const privateUsages = usages.filter((usage) => second.includes(usage));
  const pair = await generatePair(name, family, given);
  if (privateUsages.length === 0)
    throw fail("SyntaxError", "Attempt to generate asymmetric keys with no valid private key usages.");
  const keyOfPair = (type: KeyType, material: Bytes, own: readonly string[]) =>
    makeKey({ type, extractable: type === "public" || extractable, algorithm: pair.algorithm, usages: usages.filter((usage) => own.includes(usage)), material });
  return { publicKey: keyOfPair("public", pair.open, first), privateKey: keyOfPair("private", pair.secret, second) };
}

function emptyUsages(): Error {
  return fail("SyntaxError", "Secret/private CryptoKeys must have at least one usage.");
}

async function generatePair(name: string, family: Family, given: Named): Promise<{ algorithm: KeyAlgorithm; open: Bytes; secret: Bytes }> {
  let algorithm: KeyAlgorithm;
  let work: Pick<Work, "algorithm" | "hash" | "number" | "length">;
  let kind: string = family;
  let curve = "";
  if (family === "RSA") {
    const modulusLength = numberOf(given, "modulusLength");
    const publicExponent = bytesOf(given, "publicExponent");
    const hash = { name: hashOf(given) };
    const exponent = publicExponent.reduce((sum, byte) => 256 * sum + byte, 0);
    if (exponent !== 3 && exponent !== 65537)
      throw fail("OperationError", `The "publicExponent" must be either 3 or 65537, but got ${exponent}.`);
    if (modulusLength % 8 !== 0 || modulusLength < 256 || modulusLength > 16384)
      throw fail("OperationError", `The modulus length must be a multiple of 8 and between 256 and 16k, but ${modulusLength} was requested.`);
    algorithm = { name, modulusLength, publicExponent, hash };
    work = { algorithm: "RSA", number: modulusLength, length: exponent };
  } else if (family === "EC") {
    curve = curveOf(given);
    algorithm = { name, namedCurve: curve };
    work = { algorithm: "EC", hash: curve };
  } else {
    kind = okpCurve(name);
    algorithm = okpAlgorithm(name, given);
    work = { algorithm: kind };
  }
  platform.checkIoAllowed();
  const secret = new Uint8Array(await perform({ operation: "generate", ...work }));
  return { algorithm, secret, open: readKey(kind, "public", curve, [secret]).material };
}

async function importAny(format: string, data: Bytes | Jwk, given: Named, extractable: boolean, wanted: unknown): Promise<CryptoKey> {
  const name = algorithmName(given.name, "key import");
  const family = familyOf(name);
  if (family === "RSA" || family === "EC" || family === "OKP") return importPaired(name, family, format, data, given, extractable, wanted);
  const [allowed] = (ALGORITHMS[name] as { usages: readonly [readonly string[], readonly string[]] }).usages;
  const usages = checkUsages(wanted, allowed, "import", `secret ${name}`);
  let material: Bytes;
  if (family === "KDF" && extractable) throw fail("SyntaxError", `${name} key cannot be extractable.`);
  if (format === "raw" || format === "raw-secret") material = data as Bytes;
  else if (format === "jwk" && family !== "KDF") {
    checkJwk(data as Jwk, name, usages, extractable);
    material = secretOfJwk(data as Jwk, name);
  } else throw fail("NotSupportedError", `Unrecognized key import format "${format}".`);
  if (usages.length === 0) throw emptyUsages();
  const algorithm = secretAlgorithm(name, family, material, given);
  if (format === "jwk") checkSecretJwk(data as Jwk, algorithm);
  if (family === "HMAC") clearBits(material, 8 * material.length - (algorithm.length as number));
  return makeKey({ type: "secret", extractable, algorithm, usages, material });
}

/** Clear the last bits of bytes, fewer than eight. */
function clearBits(bytes: Bytes, count: number): void {
  const last = bytes.length - 1;
  if (count > 0) bytes[last] = (bytes[last] as number) & (0xff << count);
}

function secretAlgorithm(name: string, family: Family, material: Bytes, given: Named): KeyAlgorithm {
  const bits = 8 * material.length;
  if (family === "KDF") return { name };
  if (family === "AES") {
    if (![128, 192, 256].includes(bits))
      throw fail("DataError", `Imported AES key length must be 128, 192, or 256 bits but provided ${bits}.`);
    return { name, length: bits };
  }
  const hash = { name: hashOf(given) };
  const length = numberOf(given, "length", bits);
  if (length === 0 || length > bits || length <= bits - 8)
    throw fail("DataError", `Imported HMAC key length (${length}) must be a non-zero value up to 7 bits less than, and no greater than, the bit length of the raw key data (${bits}).`);
  return { name, hash, length };
}

async function importPaired(name: string, family: Family, format: string, data: Bytes | Jwk, given: Named, extractable: boolean, wanted: unknown): Promise<CryptoKey> {
  const [open, secret] = (ALGORITHMS[name] as { usages: readonly [readonly string[], readonly string[]] }).usages;
  const curve = family === "EC" ? curveOf(given) : "";
  let algorithm: KeyAlgorithm;
  if (family === "RSA") algorithm = { name, hash: { name: hashOf(given) } };
  else algorithm = family === "EC" ? { name, namedCurve: curve } : okpAlgorithm(name, given);
  const expectsPrivate = format === "pkcs8" || (format === "jwk" && (data as Jwk)["d"] !== undefined);
  const usages = checkUsages(wanted, expectsPrivate ? secret : open, "import", `${expectsPrivate ? "private" : "public"} ${name}`);
  let parts: Bytes[];
  if (format === "jwk") {
    checkJwk(data as Jwk, name, usages, extractable);
    const crv = family === "EC" ? curve : family === "OKP" ? okpCurve(name) : undefined;
    if (crv !== undefined && (data as Jwk)["crv"] !== crv)
      throw fail(family === "EC" ? "OperationError" : "DataError", `Elliptic curve "${(data as Jwk)["crv"]}" in JSON Web Key does not match "${crv}".`);
    checkPairedJwk(data as Jwk, algorithm, usages);
    parts = numbersOfJwk(data as Jwk);
  } else {
    if (format === "raw" && family === "RSA") throw fail("NotSupportedError", `Unrecognized key import format "${format}".`);
    parts = [data as Bytes];
  }
  let read: ReadKey;
  try {
    read = readKey(family === "OKP" ? okpCurve(name) : family, format, curve, parts);
  } catch (error) {
    if (format === "jwk" && family === "EC" && !expectsPrivate) throw fail("OperationError", "Error importing EC key.");
    throw error;
  }
  if (expectsPrivate && usages.length === 0) throw emptyUsages();
  if (algorithm.hash !== undefined)
    algorithm = { name, modulusLength: read.bits, publicExponent: read.exponent, hash: algorithm.hash };
  return makeKey({ type: read.isPrivate ? "private" : "public", extractable, algorithm, usages, material: read.material });
}

async function exportAny(format: string, facts: KeyFacts): Promise<ArrayBuffer | Jwk> {
  const { type, algorithm, material, extractable } = facts;
  if (!extractable) throw fail("InvalidAccessError", `Attempt to export non-extractable ${algorithm.name} key.`);
  if (format === "jwk") return toJwk(facts);
  if (type === "secret" && (format === "raw" || format === "raw-secret")) return material.slice().buffer;
  if (type === "public" && format === "raw" && algorithm.hash === undefined) return rawKey(material);
  if ((type === "private" && format === "pkcs8") || (type === "public" && format === "spki")) return material.slice().buffer;
  if (type === "secret")
    throw fail("NotSupportedError", algorithm.name === "HMAC"
        ? `Unimplemented key export format "${format}".`
        : `${algorithm.name} key only supports exporting "raw", "raw-secret" & "jwk", not "${format}".`);
  if (!FORMATS.includes(format)) throw fail("NotSupportedError", `Unimplemented key export format "${format}".`);
  if (format === "raw") {
    const keys = familyOf(algorithm.name) === "EC" ? "elliptic curve" : algorithm.name;
    throw fail("InvalidAccessError", algorithm.hash === undefined
        ? `Raw export of ${keys} keys is only allowed for public keys.`
        : `Cannot export "${algorithm.name}" in "raw" format.`);
  }
  const wanted = format === "spki" ? "public" : "private";
  throw fail("InvalidAccessError", `Asymmetric ${format} export requires ${wanted} key (not "${type}").`);
}

let instance: SubtleCrypto;

export class SubtleCrypto {
  constructor(maker?: unknown) {
    if (maker !== FORMATS) throw illegalConstructor();
  }

  async encrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    const [given, facts, bytes] = [parametersOf(algorithm), keyOf("encrypt", 2, key), dataOf("encrypt", 3, data)];
    checkKey(facts, given.name, "encrypt");
    return encrypt(given, facts, bytes);
  }

  async decrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    const [given, facts, bytes] = [parametersOf(algorithm), keyOf("decrypt", 2, key), dataOf("decrypt", 3, data)];
    checkKey(facts, given.name, "decrypt");
    return decrypt(given, facts, bytes);
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    const [given, facts, bytes] = [parametersOf(algorithm), keyOf("sign", 2, key), dataOf("sign", 3, data)];
    checkKey(facts, given.name, "sign");
    return perform({ operation: "sign", data: bytes, ...signatureWork(given, facts) });
  }

  async verify(algorithm: unknown, key: unknown, signature: unknown, data: unknown): Promise<boolean> {
    checkThis(this);
    const [given, facts] = [parametersOf(algorithm), keyOf("verify", 2, key)];
    const [extra, bytes] = [dataOf("verify", 3, signature), dataOf("verify", 4, data)];
    checkKey(facts, given.name, "verify");
    const verdict = await perform({ operation: "verify", data: bytes, ...signatureWork(given, facts), extra });
    return new Uint8Array(verdict)[0] === 1;
  }

  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    if (!(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data))
      throw algorithm === undefined
        ? wrongParameter("digest", "SubtleCrypto", 1, "string or HashAlgorithm")
        : wrongParameter("digest", "SubtleCrypto", 2, "BufferSource");
    return digest(hashName(algorithm), data);
  }

  async generateKey(algorithm: unknown, extractable: unknown, keyUsages: unknown): Promise<CryptoKey | KeyPair> {
    checkThis(this);
    return generate(parametersOf(algorithm), Boolean(extractable), keyUsages);
  }

  async deriveKey(algorithm: unknown, baseKey: unknown, derivedKeyAlgorithm: unknown, extractable: unknown, keyUsages: unknown): Promise<CryptoKey> {
    checkThis(this);
    const [given, facts, wanted] = [parametersOf(algorithm), keyOf("deriveKey", 2, baseKey), parametersOf(derivedKeyAlgorithm)];
    checkKey(facts, given.name, "deriveKey");
    const name = algorithmName(wanted.name, "key derivation");
    if (!["AES", "HMAC", "KDF"].includes(familyOf(name)))
      throw fail("NotSupportedError", `Unrecognized derived key type "${wanted.name}" requested.`);
    const secret = await derive(given, facts, keyLength(name, wanted));
    return importAny("raw", new Uint8Array(secret), wanted, Boolean(extractable), keyUsages);
  }

  async deriveBits(algorithm: unknown, baseKey: unknown, length?: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    const [given, facts] = [parametersOf(algorithm), keyOf("deriveBits", 2, baseKey)];
    checkKey(facts, given.name, "deriveBits");
    if (Number(length) < 0) throw new TypeError("deriveBits length must be an unsigned long integer.");
    return derive(given, facts, length === undefined || length === null ? undefined : Number(length) >>> 0);
  }

  async importKey(format: unknown, keyData: unknown, algorithm: unknown, extractable: unknown, keyUsages: unknown): Promise<CryptoKey> {
    checkThis(this);
    const given = parametersOf(algorithm);
    let data: Bytes | Jwk;
    if (format === "jwk") {
      if (typeof keyData !== "object" || keyData === null || keyData instanceof ArrayBuffer || ArrayBuffer.isView(keyData))
        throw new TypeError('Import data provided for "jwk" import format must be a JsonWebKey.');
      data = { ...keyData };
    } else {
      data = copyBytes(keyData, () => wrongParameter("importKey", "SubtleCrypto", 2, "BufferSource or JsonWebKey"));
    }
    return importAny(`${format}`, data, given, Boolean(extractable), keyUsages);
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | Jwk> {
    checkThis(this);
    return exportAny(`${format}`, keyOf("exportKey", 2, key));
  }

  async wrapKey(format: unknown, key: unknown, wrappingKey: unknown, wrapAlgorithm: unknown): Promise<ArrayBuffer> {
    checkThis(this);
    const [facts, wrapping, given] = [keyOf("wrapKey", 2, key), keyOf("wrapKey", 3, wrappingKey), parametersOf(wrapAlgorithm)];
    checkKey(wrapping, given.name, "wrapKey");
    const exported = await exportAny(`${format}`, facts);
    let data: Bytes;
    if (exported instanceof ArrayBuffer) data = new Uint8Array(exported);
    else {
      let text = JSON.stringify(exported);
      // AES-KW takes whole blocks of 8 bytes; JSON takes spaces.
      if (wrapping.algorithm.name === "AES-KW") text = text.padEnd(8 * Math.ceil(text.length / 8));
      data = platform.native.utf8EncodeReplacing(text);
    }
    if (wrapping.algorithm.name === "AES-KW")
      return perform({ operation: "encrypt", algorithm: "AES-KW", key: wrapping.material, data });
    return encrypt(given, wrapping, data);
  }

  async unwrapKey(format: unknown, wrappedKey: unknown, unwrappingKey: unknown, unwrapAlgorithm: unknown, unwrappedKeyAlgorithm: unknown, extractable: unknown, keyUsages: unknown): Promise<CryptoKey> {
    checkThis(this);
    const [data, unwrapping] = [dataOf("unwrapKey", 2, wrappedKey), keyOf("unwrapKey", 3, unwrappingKey)];
    const [given, wanted] = [parametersOf(unwrapAlgorithm), parametersOf(unwrappedKeyAlgorithm)];
    checkKey(unwrapping, given.name, "unwrapKey");
    const bytes = new Uint8Array(
      unwrapping.algorithm.name === "AES-KW"
        ? await perform({ operation: "decrypt", algorithm: "AES-KW", key: unwrapping.material, data })
        : await decrypt(given, unwrapping, data),
    );
    if (format !== "jwk") return importAny(`${format}`, bytes, wanted, Boolean(extractable), keyUsages);
    let jwk: unknown;
    try {
      jwk = JSON.parse(platform.native.utf8Decode(bytes, false, false));
    } catch {
      throw fail("DataError", "The unwrapped key is no JSON Web Key.");
    }
    return this.importKey("jwk", jwk, wanted, extractable, keyUsages);
  }

  timingSafeEqual(left: unknown, right: unknown): boolean {
    checkThis(this);
    const [a, b] = [dataOf("timingSafeEqual", 1, left), dataOf("timingSafeEqual", 2, right)];
    if (a.length !== b.length) throw new TypeError("Input buffers must have the same byte length.");
    let difference = 0;
    for (let at = 0; at < a.length; at++) difference |= (a[at] as number) ^ (b[at] as number);
    return difference === 0;
  }
}

function checkThis(subtle: unknown): void {
  if (subtle !== instance) throw illegalInvocation();
}

export function makeSubtle(): SubtleCrypto {
  instance = new SubtleCrypto(FORMATS);
  return instance;
}
