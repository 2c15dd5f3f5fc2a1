/** Layer `events`. */

import type { Layer } from "../../layers";
import { eventsModule } from "./events";

const layer: Layer = () => ({ "node:events": eventsModule() });

export default layer;
