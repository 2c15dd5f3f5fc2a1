/** Layer `intl`: `Intl` in English, from the FormatJS packages; time zones are the host's. */

import "./classes";
import "@formatjs/intl-pluralrules/locale-data/en.js";
import type { Layer } from "../../layers";
import { Intl } from "./intl";
import { guards } from "./shipped";
import { useHostTimeZones } from "./time_zones";
import { supportedValuesOf } from "./values";

declare const require: (name: string) => object;

/** A class of a layer of its own, which is rarely used and large. */
function defer(name: string, layer: string): void {
  const settle = (value: unknown): void => void Object.defineProperty(Intl, name, { value, writable: true, configurable: true });
  Object.defineProperty(Intl, name, {
    get() {
      const value = (require(layer) as Record<string, unknown>)[name];
      settle(value);
      return value;
    },
    set: settle,
    configurable: true,
  });
}

const layer: Layer = ({ native, ops, ownHandler }) => {
  guards.forEach(ownHandler);
  useHostTimeZones(Intl.DateTimeFormat, native, ops);
  defer("DisplayNames", "durabox:intl_names");
  defer("Segmenter", "durabox:intl_segmenter");
  Object.defineProperty(Intl, "supportedValuesOf", {
    value: (key: unknown) => supportedValuesOf(key, () => Object.keys(Intl.DateTimeFormat.tzData).sort()),
    writable: true,
    configurable: true,
  });
  Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });
  return { "durabox:intl": Intl };
};

export default layer;
