/** Layer `intl_segmenter`: `Intl.Segmenter`. */

import { Segmenter } from "@formatjs/intl-segmenter";
import type { Layer } from "../../layers";
import { Intl } from "../intl/intl";

declare const require: (name: string) => object;

const layer: Layer = () => {
  Object.setPrototypeOf(Intl, require("durabox:intl"));
  return { "durabox:intl_segmenter": { Segmenter } };
};

export default layer;
