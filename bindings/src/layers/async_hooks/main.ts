/** Layer `async_hooks`. */

import type { Layer } from "../../layers";
import { asyncHooks } from "./async_hooks";

const layer: Layer = (platform) => ({ "node:async_hooks": asyncHooks(platform) });

export default layer;
