/** Layer `intl_names`: `Intl.DisplayNames`. */

import "./class";
import type { Layer } from "../../layers";
import { Intl } from "../intl/intl";
import { guards, refusingOthers } from "../intl/shipped";

const layer: Layer = ({ ownHandler }) => {
  const DisplayNames = refusingOthers("DisplayNames", Intl.DisplayNames);
  guards.forEach(ownHandler);
  return { "durabox:intl_names": { DisplayNames } };
};

export default layer;
