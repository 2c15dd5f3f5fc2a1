/** `Intl` and the methods that depend on it. It is a layer; whoever looks at it or calls a method evaluates that. */

import { requireModule } from "../layers";
import { defineLazily, makeNow } from "./lazy";

type Formatter = { format(value: unknown): string; compare(a: string, b: string): number };
type Formats = Record<string, new (locales: unknown, options: unknown) => Formatter>;

/** Formatters for which no options were given, by class, purpose and locale: making one costs far more than using it. */
const kept = new Map<string, Formatter>();
const MOST_KEPT = 16;

function makeFormatter(name: string, locales: unknown, options: unknown): Formatter {
  return new ((requireModule("durabox:intl") as Formats)[name] as Formats[string])(locales, options);
}

/** @param make Makes it with the options of that purpose. */
function keptFormatter(purpose: string, locales: string | undefined, make: () => Formatter): Formatter {
  const key = locales === undefined ? purpose : `${purpose} ${locales}`;
  let found = kept.get(key);
  if (found === undefined) {
    found = make();
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(key, found);
  }
  return found;
}

/** Whether one for these may be kept. */
function isPlain(locales: unknown, options: unknown): locales is string | undefined {
  return options === undefined && (locales === undefined || typeof locales === "string");
}

function formatter(name: string, locales: unknown, options: unknown): Formatter {
  const make = (): Formatter => makeFormatter(name, locales, options);
  return isPlain(locales, options) ? keptFormatter(name, locales, make) : make();
}

type DateOptions = Record<string, unknown>;

const DATE = ["weekday", "year", "month", "day"];
const TIME = ["dayPeriod", "hour", "minute", "second", "fractionalSecondDigits"];

/** The options with the parts of a date that are shown when none is asked for. */
function withDefaults(given: unknown, required: readonly string[], defaults: readonly string[]): DateOptions {
  if (given === null) throw new TypeError("Cannot convert undefined or null to object");
  const options: DateOptions = { ...(given as DateOptions | undefined) };
  if (required.some((name) => options[name] !== undefined) || options.dateStyle !== undefined || options.timeStyle !== undefined)
    return options;
  for (const name of defaults) options[name] = "numeric";
  return options;
}

/** What a method shows: the parts of which one must be asked for, and those that are shown if none is. */
interface Purpose {
  readonly name: string;
  readonly required: readonly string[];
  readonly defaults: readonly string[];
}

const [SHORT_DATE, SHORT_TIME] = [DATE.slice(1), TIME.slice(1, 4)];
const WHOLE: Purpose = { name: "whole", required: [...DATE, ...TIME], defaults: [...SHORT_DATE, ...SHORT_TIME] };
const DAY: Purpose = { name: "day", required: DATE, defaults: SHORT_DATE };
const HOUR: Purpose = { name: "hour", required: TIME, defaults: SHORT_TIME };

function formatDate(date: Date, locales: unknown, options: unknown, purpose: Purpose): string {
  const time = Date.prototype.getTime.call(date);
  const make = (): Formatter =>
    makeFormatter("DateTimeFormat", locales, withDefaults(options, purpose.required, purpose.defaults));
  if (Number.isNaN(time)) return "Invalid Date";
  return (isPlain(locales, options) ? keptFormatter(purpose.name, locales, make) : make()).format(time);
}

const { toString, toTimeString } = Date.prototype;

/** The engine leaves out how the time zone is called; it is always this one. */
function withZone(text: string): string {
  return text.endsWith("GMT+0000") ? `${text} (Coordinated Universal Time)` : text;
}

const dateMethods = {
  toString(this: Date): string {
    return withZone(toString.call(this));
  },
  toTimeString(this: Date): string {
    return withZone(toTimeString.call(this));
  },
  toLocaleString(this: Date, locales?: unknown, options?: unknown): string {
    return formatDate(this, locales, options, WHOLE);
  },
  toLocaleDateString(this: Date, locales?: unknown, options?: unknown): string {
    if ((options as DateOptions | undefined)?.timeStyle !== undefined) throw new TypeError("Invalid option : timeStyle");
    return formatDate(this, locales, options, DAY);
  },
  toLocaleTimeString(this: Date, locales?: unknown, options?: unknown): string {
    if ((options as DateOptions | undefined)?.dateStyle !== undefined) throw new TypeError("Invalid option : dateStyle");
    return formatDate(this, locales, options, HOUR);
  },
};

const numberMethods = {
  toLocaleString(this: number, locales?: unknown, options?: unknown): string {
    return formatter("NumberFormat", locales, options).format(Number.prototype.valueOf.call(this));
  },
};

const bigintMethods = {
  toLocaleString(this: bigint, locales?: unknown, options?: unknown): string {
    return formatter("NumberFormat", locales, options).format(BigInt.prototype.valueOf.call(this));
  },
};

const stringMethods = {
  localeCompare(this: string, other: unknown, locales?: unknown, options?: unknown): number {
    if (this === undefined || this === null)
      throw new TypeError("String.prototype.localeCompare called on null or undefined");
    return formatter("Collator", locales, options).compare(`${this}`, `${other as string}`);
  },
};

/** Languages with rules of their own for the case of letters. */
const OWN_CASES = /^(?:az|el|lt|tr)(?:-|$)/i;
const TAG = /^[a-z]{2,8}(?:-[a-z\d]{1,8})*$/i;

/** @throws RangeError for a language whose rules are not there, and for what is no tag; only the first of a list counts. */
function checkCases(locales: unknown): void {
  if (locales === undefined) return;
  if (locales === null) throw new TypeError("Cannot convert undefined or null to object");
  const first = typeof locales === "object" && Array.isArray(locales) ? locales[0] : locales;
  if (first === undefined) return;
  const tag = `${first as string}`;
  if (!TAG.test(tag)) throw new RangeError("Incorrect locale information provided");
  if (OWN_CASES.test(tag))
    throw new RangeError(`The case of letters in "${tag}" has rules that are not shipped: ask for "en", or for no locale.`);
}

const { toLocaleLowerCase, toLocaleUpperCase } = String.prototype;

const caseMethods = {
  toLocaleLowerCase(this: string, locales?: unknown): string {
    checkCases(locales);
    return toLocaleLowerCase.call(this);
  },
  toLocaleUpperCase(this: string, locales?: unknown): string {
    checkCases(locales);
    return toLocaleUpperCase.call(this);
  },
};

const arrayMethods = {
  toLocaleString(this: ArrayLike<unknown>, locales?: unknown, options?: unknown): string {
    return Array.prototype.map
      .call(this, (item: unknown) =>
        item === undefined || item === null ? "" : (item as { toLocaleString(...args: unknown[]): string }).toLocaleString(locales, options),
      )
      .join(",");
  },
};

function replaceMethods(prototype: object, methods: Record<string, unknown>): void {
  for (const name of Object.keys(methods)) {
    const value = methods[name] as object;
    Object.defineProperty(value, "length", { value: name === "localeCompare" ? 1 : 0, configurable: true });
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

/** Regions whose data is read, and whose patterns of dates are parsed, for the image with `Intl`. */
const PREPARED = ["en", "en-GB"];

/** Make all that the first use of `Intl` costs, for an image; see `Engine.intl` of the host. */
export function prepareIntl(): void {
  makeNow(["Intl"]);
  for (const locale of [undefined, ...PREPARED]) {
    const date = new Date(0);
    for (const text of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"] as const) date[text](locale);
    date.toLocaleString(locale, { dateStyle: "long", timeStyle: "short" });
    (0).toLocaleString(locale);
  }
  "a".localeCompare("b");
}

/** Have the host name its time zones, for the image that objects start from: each of them would keep hundreds of names. */
export function nameTimeZones(): void {
  Object.keys((requireModule("durabox:intl") as { DateTimeFormat: { tzData: object } }).DateTimeFormat.tzData);
}

/** Called once, before any user code. */
export function installLocale(): void {
  defineLazily("Intl", () => requireModule("durabox:intl"), false);
  replaceMethods(Date.prototype, dateMethods);
  replaceMethods(Number.prototype, numberMethods);
  replaceMethods(BigInt.prototype, bigintMethods);
  replaceMethods(String.prototype, stringMethods);
  replaceMethods(String.prototype, caseMethods);
  replaceMethods(Array.prototype, arrayMethods);
}
