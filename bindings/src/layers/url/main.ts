/** Layer `url`. */

import punycode from "unenv/node/punycode";
import url from "unenv/node/url";
import type { Layer } from "../../layers";

/** The parser knows what a domain is; none for what is not. */
url.domainToASCII = (domain: unknown): string => URL.parse(`http://${domain as string}`)?.hostname ?? "";

const layer: Layer = () => ({ "node:punycode": punycode, "node:url": url });

export default layer;
