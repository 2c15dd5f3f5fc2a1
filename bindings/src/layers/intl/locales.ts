/** Locale data: text until somebody asks for the locale. */

/** Changes to another locale's data (JSON merge patch, RFC 7396), or all of them; see sandbox/steps/locales.mjs. */
export type Locales = Readonly<Record<string, readonly [from: string | null, change: string]>>;

interface Localized {
  localeData: Record<string, unknown>;
  availableLocales: Set<string>;
  __defaultLocale: string;
  __addLocaleData(entry: { locale: string; data: unknown }): void;
}

type Data = Record<string, unknown>;

const DEFAULT = "en";
/** What the packages take the default for, by the Unicode data. */
const SAME_AS_DEFAULT = "en-US";

function isObject(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function change(data: Data, by: Data): Data {
  for (const key of Object.keys(by)) {
    const value = by[key];
    const old = data[key];
    if (value === null) delete data[key];
    else data[key] = isObject(old) && isObject(value) ? change(old, value) : value;
  }
  return data;
}

function read(locales: Locales, tag: string): Data {
  const [from, text] = locales[tag] as Locales[string];
  const own = JSON.parse(text) as Data;
  return from === null ? own : change(read(locales, from), own);
}

/**
 * Let a class find its locales; each is read when it is first used.
 *
 * @param add Adds one to the class.
 */
export function provideLocales(original: unknown, locales: Locales, add?: (locale: string, data: Data) => void): void {
  const target = original as Localized;
  const { localeData, availableLocales } = target;
  target.__defaultLocale = DEFAULT;
  const define = (tag: string, get: () => unknown): void => {
    availableLocales.add(tag);
    Object.defineProperty(localeData, tag, {
      get,
      set: (value: unknown) => void Object.defineProperty(localeData, tag, { value, writable: true, enumerable: true }),
      enumerable: true,
      configurable: true,
    });
  };
  for (const tag of Object.keys(locales))
    define(tag, () => {
      const data = read(locales, tag);
      if (add === undefined) target.__addLocaleData({ locale: tag, data });
      else add(tag, data);
      return localeData[tag];
    });
  define(SAME_AS_DEFAULT, () => localeData[DEFAULT]);
}
