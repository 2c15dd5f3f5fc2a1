/** Layer `crypto`. */

import type { Layer } from "../../layers";
import { hashFunctions } from "./hash";
import { unavailable } from "../node_errors";
import { hkdf } from "./hkdf";
import { pbkdf2 } from "./pbkdf2";
import { randomFunctions } from "./random";
import { scrypt } from "./scrypt";

/** What needs keys, ciphers or primes, which `crypto.subtle` is for. */
const UNAVAILABLE = [
  "Certificate", "Cipher", "Cipheriv", "Decipher", "Decipheriv", "DiffieHellman", "DiffieHellmanGroup", "ECDH", "KeyObject",
  "PrivateKeyObject", "PublicKeyObject", "SecretKeyObject", "Sign", "Verify", "X509Certificate", "checkPrime", "checkPrimeSync", "createCipher", "createCipheriv", "createDecipher", "createDecipheriv",
  "createDiffieHellman", "createDiffieHellmanGroup", "createECDH", "createPrivateKey", "createPublicKey", "createSecretKey",
  "createSign", "createVerify", "diffieHellman", "generateKey", "generateKeyPair", "generateKeyPairSync", "generateKeySync",
  "generatePrime", "generatePrimeSync", "getDiffieHellman", "privateDecrypt", "privateEncrypt", "publicDecrypt", "publicEncrypt",
  "secureHeapUsed", "setEngine", "setFips", "sign", "verify",
] as const;

const layer: Layer = (platform) => {
  const hashes = hashFunctions(platform);
  return {
    "node:crypto": {
      ...hashes,
      ...hkdf(hashes.createHmac),
      ...pbkdf2(platform, hashes),
      ...randomFunctions(),
      ...scrypt(platform),
      ...unavailable("crypto", UNAVAILABLE),
      CryptoKey,
      constants: {},
      fips: false,
      getCipherInfo: () => undefined,
      getCiphers: () => [],
      getCurves: () => [],
      getFips: () => 0,
      getRandomValues: crypto.getRandomValues.bind(crypto),
      subtle: crypto.subtle,
      webcrypto: crypto,
    },
  };
};

export default layer;
