/**
 * `Intl.Collator` for English, which in all regions has the order of the Unicode root: first the letters, then their accents, then their case.
 * Punctuation comes before digits, digits before letters; Latin letters come before all others, which keep the order of their codes.
 */

import { Intl } from "./intl";

/** The root's order of what is neither letter nor digit in ASCII. */
const PUNCTUATION = "\t\n\u000b\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";
const DIGITS = 1000;
const LETTERS = 2000;
const OTHERS = 10_000;
/** Letters that do not decompose, as the root expands or places them. */
const EXPANDED: Readonly<Record<string, string>> = {
  "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o\u0338", "đ": "d\u0335", "ł": "l\u0335", "þ": "th", "ð": "d\u0335",
};

/** In place of an accent, after a letter that stands for others. */
const EXPANSION = "\u0002";

type Sensitivity = "base" | "accent" | "case" | "variant";

interface Options {
  usage?: string;
  sensitivity?: string;
  ignorePunctuation?: boolean;
  numeric?: boolean;
  caseFirst?: string;
  localeMatcher?: string;
}

/** A text as the weights that are compared, level by level. */
interface Key {
  readonly letters: number[];
  readonly accents: string;
  readonly cases: string;
}

function weight(letter: string): number {
  const code = letter.codePointAt(0) as number;
  if (letter >= "a" && letter <= "z") return LETTERS + code;
  if (letter >= "0" && letter <= "9") return DIGITS + code;
  const at = PUNCTUATION.indexOf(letter);
  return at >= 0 ? at + 1 : code < 0x80 ? 0 : OTHERS + code;
}

function keyOf(text: string, numeric: boolean, ignorePunctuation: boolean): Key {
  const letters: number[] = [];
  let accents = "";
  let cases = "";
  const plain = text.normalize("NFD");
  for (let at = 0; at < plain.length; ) {
    const number = numeric ? /^\d+/.exec(plain.slice(at, at + 400)) : null;
    if (number !== null) {
      const digits = number[0].replace(/^0+(?=\d)/, "");
      // A longer number is larger, whatever its digits.
      letters.push(DIGITS + digits.length, ...[...digits].map((digit) => DIGITS + digit.charCodeAt(0)));
      at += number[0].length;
      continue;
    }
    const letter = String.fromCodePoint(plain.codePointAt(at) as number);
    at += letter.length;
    if (/\p{M}/u.test(letter)) {
      accents = `${accents.slice(0, -1)}${letter}\u0001`;
      continue;
    }
    const lower = letter.toLowerCase();
    for (const part of EXPANDED[lower] ?? lower) {
      if (/\p{M}/u.test(part)) {
        accents = `${accents.slice(0, -1)}${part}\u0001`;
        continue;
      }
      const value = weight(part);
      if (value === 0 || (ignorePunctuation && value < DIGITS)) continue;
      letters.push(value);
      accents += lower in EXPANDED ? EXPANSION : "\u0001";
      cases += lower === letter ? "0" : "1";
    }
  }
  return { letters, accents, cases };
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return (a[at] as number) < (b[at] as number) ? -1 : 1;
  return Math.sign(a.length - b.length);
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function choice<T extends string>(options: Options, name: keyof Options, among: readonly T[], otherwise: T): T {
  const value = options[name];
  if (value === undefined) return otherwise;
  const text = `${value as string}`;
  if (!among.includes(text as T)) throw new RangeError(`Value ${text} out of range for Intl.Collator options property ${name}`);
  return text as T;
}

/** A value of a locale's `-u-` extension. */
function extension(tag: string, key: string): string | undefined {
  return new RegExp(`-u-(?:.*-)?${key}(?:-([a-z]+))?(?:-|$)`).exec(tag)?.[1];
}

function has(tag: string, key: string): boolean {
  return new RegExp(`-u-(?:.*-)?${key}(?:-|$)`).test(tag);
}

class CollatorClass {
  readonly #locale: string;
  readonly #usage: "sort" | "search";
  readonly #sensitivity: Sensitivity;
  readonly #ignorePunctuation: boolean;
  readonly #numeric: boolean;
  readonly #caseFirst: "upper" | "lower" | "false";
  #compare: ((a: unknown, b: unknown) => number) | undefined;

  constructor(locales?: unknown, options?: Options) {
    const given = options === undefined ? {} : (Object(options) as Options);
    const [tag] = Intl.getCanonicalLocales(locales) as string[];
    const [supported] = CollatorClass.supportedLocalesOf(locales);
    this.#locale = supported === undefined || /^en-US\b/.test(supported) ? "en-US" : "en";
    const asked = tag ?? "";
    this.#usage = choice(given, "usage", ["sort", "search"], "sort");
    choice(given, "localeMatcher", ["lookup", "best fit"], "best fit");
    this.#numeric = given.numeric === undefined ? has(asked, "kn") && extension(asked, "kn") !== "false" : Boolean(given.numeric);
    const first = extension(asked, "kf") as "upper" | "lower" | undefined;
    this.#caseFirst = choice(given, "caseFirst", ["upper", "lower", "false"], first ?? "false");
    this.#sensitivity = choice(given, "sensitivity", ["base", "accent", "case", "variant"], "variant");
    this.#ignorePunctuation = Boolean(given.ignorePunctuation);
  }

  static supportedLocalesOf(locales: unknown, options?: unknown): string[] {
    return Intl.PluralRules.supportedLocalesOf(locales, options) as string[];
  }

  get compare(): (a: unknown, b: unknown) => number {
    this.#compare ??= (a, b) => this.#order(`${a as string}`, `${b as string}`);
    return this.#compare;
  }

  resolvedOptions(): object {
    return {
      locale: this.#locale,
      usage: this.#usage,
      sensitivity: this.#sensitivity,
      ignorePunctuation: this.#ignorePunctuation,
      collation: "default",
      numeric: this.#numeric,
      caseFirst: this.#caseFirst,
    };
  }

  #order(a: string, b: string): number {
    if (a === b) return 0;
    const left = keyOf(a, this.#numeric, this.#ignorePunctuation);
    const right = keyOf(b, this.#numeric, this.#ignorePunctuation);
    const letters = compareNumbers(left.letters, right.letters);
    if (letters !== 0 || this.#sensitivity === "base") return letters;
    const accents = this.#sensitivity === "case" ? 0 : compareTexts(left.accents, right.accents);
    if (accents !== 0 || this.#sensitivity === "accent") return accents;
    const cases = compareTexts(left.cases, right.cases);
    return this.#caseFirst === "upper" ? -cases : cases;
  }
}

/** As the language has it, callable without `new`. */
export function Collator(locales?: unknown, options?: Options): CollatorClass {
  return new CollatorClass(locales, options);
}
Collator.prototype = CollatorClass.prototype;
Collator.supportedLocalesOf = CollatorClass.supportedLocalesOf;
Object.defineProperty(CollatorClass.prototype, "constructor", { value: Collator, writable: true, configurable: true });
Object.defineProperty(CollatorClass.prototype, Symbol.toStringTag, { value: "Intl.Collator", configurable: true });
