/** `CryptoKey`: key material and what may be done with it. */

import { illegalConstructor } from "../../web/misuse";
import type { KeyAlgorithm } from "./algorithms";

export type KeyType = "secret" | "private" | "public";

/** What a key is, out of reach of user code. */
export interface KeyFacts {
  readonly type: KeyType;
  readonly extractable: boolean;
  readonly algorithm: KeyAlgorithm;
  readonly usages: readonly string[];
  /** Raw bytes of a secret; PKCS #8 of a private key; SubjectPublicKeyInfo of a public one. */
  readonly material: Uint8Array<ArrayBuffer>;
}

/** The facts of a key; undefined when the value is none. */
export let factsOf: (key: unknown) => KeyFacts | undefined;

const MAKER = Symbol("key");

export class CryptoKey {
  readonly #facts: KeyFacts;

  static {
    factsOf = (key) => (typeof key === "object" && key !== null && #facts in key ? key.#facts : undefined);
  }

  constructor(maker?: symbol, facts?: KeyFacts) {
    if (maker !== MAKER || facts === undefined) throw illegalConstructor();
    this.#facts = facts;
    // As on the platform these are the key's own; changing what they hold changes nothing of the key.
    const { usages, algorithm, extractable, type } = facts;
    const shown = { usages: [...usages], algorithm: copyOf(algorithm), extractable, type };
    for (const [name, value] of Object.entries(shown)) Object.defineProperty(this, name, { value, enumerable: true });
  }
}

function copyOf(algorithm: KeyAlgorithm): KeyAlgorithm {
  const { publicExponent, hash } = algorithm;
  return {
    ...algorithm,
    ...(publicExponent && { publicExponent: publicExponent.slice() }),
    ...(hash && { hash: { ...hash } }),
  };
}

export function makeKey(facts: KeyFacts): CryptoKey {
  return new CryptoKey(MAKER, facts);
}
