/** Puts the packages' classes where their locale data looks for them. Imported before any of that. */

import { DateTimeFormat } from "@formatjs/intl-datetimeformat";
import { getCanonicalLocales } from "@formatjs/intl-getcanonicallocales";
import ListFormat from "@formatjs/intl-listformat";
import { Locale } from "@formatjs/intl-locale";
import { NumberFormat } from "@formatjs/intl-numberformat";
import { PluralRules } from "@formatjs/intl-pluralrules";
import RelativeTimeFormat from "@formatjs/intl-relativetimeformat";
import { Collator } from "./collator";
import { Intl } from "./intl";
import { refusingOthers } from "./shipped";

interface LocaleData {
  data: {
    dateTimeFormat: Record<string, string>;
    formats: { gregory: Record<string, string> };
    intervalFormats: Record<string, unknown>;
  };
}

/**
 * Date patterns as V8 has them: with plain spaces where the Unicode data has narrow ones, and "at" between a long date and a time.
 * Most of the data are ranges for each combination of a date and a time: without them a range is its two ends.
 */
function asV8(locale: LocaleData): LocaleData {
  const { intervalFormats } = locale.data;
  for (const name of Object.keys(intervalFormats)) if (name.includes(", ")) delete intervalFormats[name];
  const plain = JSON.parse(JSON.stringify(locale).replaceAll(/[\u202f\u2009]/g, " ")) as LocaleData;
  for (const style of ["full", "long"]) plain.data.dateTimeFormat[style] = "{1} 'at' {0}";
  return plain;
}

const { __addLocaleData: add } = DateTimeFormat as unknown as { __addLocaleData: (...locales: LocaleData[]) => void };
Object.defineProperty(DateTimeFormat, "__addLocaleData", {
  value: (...locales: LocaleData[]) => add(...locales.map(asV8)),
});

function provide(name: string, value: unknown): void {
  Object.defineProperty(Intl, name, { value, writable: true, configurable: true });
}

provide("Locale", Locale);
provide("getCanonicalLocales", getCanonicalLocales);
const languages = { Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules, RelativeTimeFormat };
for (const [name, value] of Object.entries(languages)) provide(name, refusingOthers(name, value as never));
