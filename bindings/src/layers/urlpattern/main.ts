/** Layer `urlpattern`: `URLPattern`. */

// The package's own entry would look for the global of that name, which is what loads this layer.
import { URLPattern } from "urlpattern-polyfill/urlpattern";
import type { Layer } from "../../layers";

const layer: Layer = ({ exposeInterface }) => {
  exposeInterface("URLPattern", URLPattern);
  return { "durabox:urlpattern": { URLPattern } };
};

export default layer;
