/** Layer `util`. */

import type { Layer } from "../../layers";
import { types } from "./types";
import { utilModule } from "./util";

const layer: Layer = ({ native }) => {
  const checks = types(native);
  return { "node:util": utilModule(checks), "node:util/types": checks };
};

export default layer;
