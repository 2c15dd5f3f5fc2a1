/** Layer `util`. */

import type { Layer } from "../../layers";
import { types } from "./types";
import { utilModule } from "./util";

const layer: Layer = (platform) => {
  const checks = types(platform);
  const util = utilModule(platform.inspection, checks);
  return { "node:sys": util, "node:util": util, "node:util/types": checks };
};

export default layer;
