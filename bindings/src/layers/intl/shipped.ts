/** Locales that are asked for by name and have no data here are refused, instead of being answered in English. */

import { Intl } from "./intl";

type Class = (new (...args: unknown[]) => object) & { supportedLocalesOf(locales: unknown): string[] };

/** What the language calls the locale of nobody in particular; the default stands in for it, as everywhere. */
const NOBODYS = /^und\b/;

/**
 * Check what a caller asks for.
 *
 * @param name The class's name.
 * @throws RangeError when none of the locales is there; as for tags that are malformed.
 */
function checkShipped(name: string, supported: Class["supportedLocalesOf"], locales: unknown): void {
  if (locales === undefined) return;
  const asked = Intl.getCanonicalLocales(locales) as string[];
  if (asked.length === 0 || asked.some((tag) => NOBODYS.test(tag)) || supported(asked).length > 0) return;
  throw new RangeError(
    `Intl.${name}: no data for ${asked.map((tag) => `"${tag}"`).join(", ")}: only English is shipped, with all its regions. ` +
      `Ask for "en", or for [${JSON.stringify(asked[0])}, "en"] to have English where a language is missing.`,
  );
}

/** Handlers of the classes' proxies. */
export const guards: object[] = [];

/** The class as its callers get it; the packages among themselves use their own. */
export function refusingOthers<T extends Class>(name: string, original: T): T {
  const check = (args: unknown[]): void => checkShipped(name, (tags) => original.supportedLocalesOf(tags), args[0]);
  const guard: ProxyHandler<T> = {
    construct(target, args, newTarget) {
      check(args);
      return Reflect.construct(target, args, newTarget) as object;
    },
    apply(target, self, args) {
      check(args);
      return Reflect.apply(target, self, args) as unknown;
    },
  };
  guards.push(guard);
  const guarded = new Proxy(original, guard);
  Object.defineProperty(original.prototype, "constructor", { value: guarded, writable: true, configurable: true });
  return guarded;
}
