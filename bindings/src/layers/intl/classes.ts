/** Puts the packages' classes where they look for each other, with their locales. */

import dateLocales from "@durabox/locales/DateTimeFormat.js";
import listLocales from "@durabox/locales/ListFormat.js";
import numberLocales from "@durabox/locales/NumberFormat.js";
import relativeTimeLocales from "@durabox/locales/RelativeTimeFormat.js";
import { DateTimeFormat } from "@formatjs/intl-datetimeformat";
import { getCanonicalLocales } from "@formatjs/intl-getcanonicallocales";
import ListFormat from "@formatjs/intl-listformat";
import { Locale } from "@formatjs/intl-locale";
import { NumberFormat } from "@formatjs/intl-numberformat";
import { PluralRules } from "@formatjs/intl-pluralrules";
import RelativeTimeFormat from "@formatjs/intl-relativetimeformat";
import { Collator } from "./collator";
import { addDates } from "./dates";
import { Intl } from "./intl";
import { provideLocales } from "./locales";
import { refusingOthers } from "./shipped";

function provide(name: string, value: unknown): void {
  Object.defineProperty(Intl, name, { value, writable: true, configurable: true });
}

provideLocales(DateTimeFormat, dateLocales, (...entry) => addDates(DateTimeFormat as never, ...entry));
provideLocales(ListFormat, listLocales);
provideLocales(NumberFormat, numberLocales);
provideLocales(RelativeTimeFormat, relativeTimeLocales);
provide("Locale", Locale);
provide("getCanonicalLocales", getCanonicalLocales);
const languages = { Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules, RelativeTimeFormat };
for (const [name, value] of Object.entries(languages)) provide(name, refusingOthers(name, value as never));
