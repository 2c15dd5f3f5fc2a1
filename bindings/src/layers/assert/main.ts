/** Layer `assert`. As on the platform, `equal` and its kin are always strict. */

import assert from "assert/build/assert.js";
import type { Layer } from "../../layers";

const layer: Layer = () => ({ "node:assert": assert.strict, "node:assert/strict": assert.strict });

export default layer;
