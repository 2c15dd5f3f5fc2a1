/** `Intl` and the methods that depend on it. It is a layer; whoever looks at it or calls a method evaluates that. */

import { requireModule } from "../layers";
import { defineLazily } from "./lazy";

type Formatter = { format(value: unknown): string; compare(a: string, b: string): number };
type Formats = Record<string, new (locales: unknown, options: unknown) => Formatter>;

/** Formatters for no locale and no options, by class: making one costs far more than using it. */
const plain = new Map<string, Formatter>();

function formatter(name: string, locales: unknown, options: unknown): Formatter {
  if (locales !== undefined || options !== undefined)
    return new ((requireModule("durabox:intl") as Formats)[name] as Formats[string])(locales, options);
  let found = plain.get(name);
  if (found === undefined) {
    found = new ((requireModule("durabox:intl") as Formats)[name] as Formats[string])(undefined, undefined);
    plain.set(name, found);
  }
  return found;
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

function formatDate(date: Date, locales: unknown, options: DateOptions): string {
  const time = Date.prototype.getTime.call(date);
  return Number.isNaN(time) ? "Invalid Date" : formatter("DateTimeFormat", locales, options).format(time);
}

const [SHORT_DATE, SHORT_TIME] = [DATE.slice(1), TIME.slice(1, 4)];

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
    return formatDate(this, locales, withDefaults(options, [...DATE, ...TIME], [...SHORT_DATE, ...SHORT_TIME]));
  },
  toLocaleDateString(this: Date, locales?: unknown, options?: unknown): string {
    if ((options as DateOptions | undefined)?.timeStyle !== undefined) throw new TypeError("Invalid option : timeStyle");
    return formatDate(this, locales, withDefaults(options, DATE, SHORT_DATE));
  },
  toLocaleTimeString(this: Date, locales?: unknown, options?: unknown): string {
    if ((options as DateOptions | undefined)?.dateStyle !== undefined) throw new TypeError("Invalid option : dateStyle");
    return formatDate(this, locales, withDefaults(options, TIME, SHORT_TIME));
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

/** Make what the first date costs, for the image that objects start from: the patterns of the language are parsed then. */
export function makeDatesNow(): void {
  formatDate(new Date(0), undefined, withDefaults(undefined, DATE, SHORT_DATE));
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
