/** Layer `url`. */

import punycode from "unenv/node/punycode";
import url from "unenv/node/url";
import type { Layer } from "../../layers";

const layer: Layer = () => ({ "node:punycode": punycode, "node:url": url });

export default layer;
