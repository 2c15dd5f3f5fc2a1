/** Puts the class among the others, with its locales. */

import locales from "@durabox/locales/DisplayNames.js";
import { DisplayNames } from "@formatjs/intl-displaynames";
import { Intl } from "../intl/intl";
import { provideLocales } from "../intl/locales";

declare const require: (name: string) => object;

provideLocales(DisplayNames, locales);
Object.setPrototypeOf(Intl, require("durabox:intl"));
Object.defineProperty(Intl, "DisplayNames", { value: DisplayNames });
