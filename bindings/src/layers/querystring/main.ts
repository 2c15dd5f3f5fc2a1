/** Layer `querystring`. */

import querystring from "unenv/node/querystring";
import type { Layer } from "../../layers";

const layer: Layer = () => ({ "node:querystring": querystring });

export default layer;
