/** Layer `buffer`. */

import type { Layer } from "../../layers";
import { bufferModule } from "./buffer";

const layer: Layer = ({ native }) => ({ "node:buffer": bufferModule(native) });

export default layer;
