/** Layer `util`. */

import type { Layer } from "../../layers";
import { types } from "./types";
import { utilModule } from "./util";

const layer: Layer = ({ native, inspection }) => {
  const checks = types(native);
  const util = utilModule(inspection, checks);
  return { "node:sys": util, "node:util": util, "node:util/types": checks };
};

export default layer;
