/** Layer `crypto`. */

import type { Layer } from "../../layers";
import { hashFunctions } from "./hash";
import { hkdf } from "./hkdf";
import { randomFunctions } from "./random";

const layer: Layer = (platform) => {
  const hashes = hashFunctions(platform);
  return {
    "node:crypto": {
      ...hashes,
      ...hkdf(hashes.createHmac),
      ...randomFunctions(),
      constants: {},
      getRandomValues: crypto.getRandomValues.bind(crypto),
      subtle: crypto.subtle,
      webcrypto: crypto,
    },
  };
};

export default layer;
