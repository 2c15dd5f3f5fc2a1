/** Layer `intl_names`: `Intl.DisplayNames`. */

import "./class";
import type { Layer } from "../../layers";
import { Intl } from "../intl/intl";
import { refusingOthers } from "../intl/shipped";

const layer: Layer = () => ({ "durabox:intl_names": { DisplayNames: refusingOthers("DisplayNames", Intl.DisplayNames) } });

export default layer;
