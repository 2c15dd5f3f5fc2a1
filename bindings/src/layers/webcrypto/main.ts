/** Layer `webcrypto`: `crypto.subtle` and its keys, `crypto.DigestStream`. */

import type { Layer } from "../../layers";
import { CryptoKey } from "./crypto_key";
import { makeDigestStream } from "./digest_stream";
import { setPlatform } from "./platform";
import { makeSubtle, SubtleCrypto } from "./subtle";

const layer: Layer = (platform) => {
  setPlatform(platform);
  const classes = { CryptoKey, DigestStream: makeDigestStream(), SubtleCrypto };
  for (const [name, constructor] of Object.entries(classes)) platform.exposeInterface(name, constructor);
  return { "durabox:webcrypto": { ...classes, subtle: makeSubtle() } };
};

export default layer;
