/** Puts the class where its locale data looks for it. */

import { DisplayNames } from "@formatjs/intl-displaynames";
import { Intl } from "../intl/intl";

declare const require: (name: string) => object;

Object.setPrototypeOf(Intl, require("durabox:intl"));
Object.defineProperty(Intl, "DisplayNames", { value: DisplayNames });
