/** Layer `intl_segmenter`: `Intl.Segmenter`. */

import { Segmenter } from "@formatjs/intl-segmenter";
import type { Layer } from "../../layers";
import { Intl } from "../intl/intl";

declare const require: (name: string) => object;

const layer: Layer = () => {
  // Asked for, it is the default, as by the other classes.
  (Segmenter as unknown as { availableLocales: Set<string> }).availableLocales.delete("und");
  Object.setPrototypeOf(Intl, require("durabox:intl"));
  return { "durabox:intl_segmenter": { Segmenter } };
};

export default layer;
