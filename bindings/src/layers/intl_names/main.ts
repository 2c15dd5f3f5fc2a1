/** Layer `intl_names`: `Intl.DisplayNames`. */

import "./class";
import "@formatjs/intl-displaynames/locale-data/en.js";
import "@formatjs/intl-displaynames/locale-data/en-GB.js";
import type { Layer } from "../../layers";
import { Intl } from "../intl/intl";
import { refusingOthers } from "../intl/shipped";

const layer: Layer = () => ({ "durabox:intl_names": { DisplayNames: refusingOthers("DisplayNames", Intl.DisplayNames) } });

export default layer;
