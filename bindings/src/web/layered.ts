/** Global classes that are in layers. */

import { requireModule } from "../layers";
import { defineLazily } from "./lazy";

/** By the layer. `_LAZY_GLOBALS` in `objects/loading.py` says what in a source means that somebody will look at the first of each. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  compression: ["CompressionStream", "DecompressionStream"],
  messaging: ["MessageChannel", "MessagePort"],
  rewriter: ["HTMLRewriter"],
  urlpattern: ["URLPattern"],
  webcrypto: ["CryptoKey", "SubtleCrypto"],
};

/** Called once, before any user code. */
export function installLayered(): void {
  for (const [layer, names] of Object.entries(CLASSES))
    for (const name of names)
      defineLazily(name, () => (requireModule(`durabox:${layer}`) as Record<string, unknown>)[name], false);
}
