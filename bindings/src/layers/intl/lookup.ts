/**
 * In the place of the package by which the others find a locale: always by taking off parts of the tag, as workerd does for English. The
 * package's "best fit" makes all tags that there are canonical each time, which costs more than everything else about a formatter. What
 * is answered when no locale is asked for is workerd's default.
 */

import { ResolveLocale as resolve } from "../../../node_modules/@formatjs/intl-localematcher/index.js";

export { LookupSupportedLocales } from "../../../node_modules/@formatjs/intl-localematcher/index.js";

export const ResolveLocale: typeof resolve = (available, requested, options, keys, data) =>
  resolve(available, requested, { ...options, localeMatcher: "lookup" }, keys, data, () => "en-US");
