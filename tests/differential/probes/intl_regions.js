// `Intl` in the regions of English: what each writes in its own way. Served by durabox and by workerd; the two answers must be equal.
const attempt = (run) => { try { return run(); } catch (error) { return [error.name]; } };
const cases = {};
const add = (name, run) => { cases[name] = run; };

const REGIONS = ["en-GB", "en-CA", "en-AU", "en-IN", "en-NZ", "en-ZA", "en-IE"];
const OTHERS = ["en-001", "en-SG", "en-HK", "en-NG", "en-DE", "en-JP"];
const moments = [Date.UTC(2024, 0, 5, 9, 4, 7), Date.UTC(2023, 8, 30, 23, 59, 1)];
const dates = {
  plain: undefined,
  full: { dateStyle: "full", timeStyle: "medium" },
  long: { dateStyle: "long" },
  medium: { dateStyle: "medium", timeStyle: "short" },
  short: { dateStyle: "short", timeStyle: "short" },
  words: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  month: { month: "long", year: "numeric" },
  digits: { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit" },
  hours: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  "hours of 12": { hour: "numeric", minute: "2-digit", hour12: true },
  "hours of 24": { hour: "numeric", minute: "2-digit", hour12: false },
};
const numbers = {
  plain: undefined,
  percent: { style: "percent", maximumFractionDigits: 1 },
  usd: { style: "currency", currency: "USD" },
  own: { style: "currency", currency: "AUD" },
  rupees: { style: "currency", currency: "INR" },
  pounds: { style: "currency", currency: "GBP", currencyDisplay: "name" },
  litres: { style: "unit", unit: "liter", unitDisplay: "long" },
  metres: { style: "unit", unit: "kilometer-per-hour" },
  "no groups": { useGrouping: false },
};
for (const region of REGIONS) {
  for (const [name, options] of Object.entries(dates))
    add(`${region} date ${name}`, () => moments.map(new Intl.DateTimeFormat(region, { timeZone: "UTC", ...options }).format));
  for (const [name, options] of Object.entries(numbers))
    add(`${region} number ${name}`, () => [0, 1, -1234.5, 12345678.9].map(new Intl.NumberFormat(region, options).format));
  add(`${region} methods`, () => {
    const date = new Date(moments[0]);
    return [date.toLocaleString(region), date.toLocaleDateString(region), date.toLocaleTimeString(region), (1234567.891).toLocaleString(region)];
  });
  add(`${region} range`, () => {
    const format = (options) => new Intl.DateTimeFormat(region, { timeZone: "UTC", ...options }).formatRange(moments[1], moments[0]);
    return [format({ dateStyle: "medium" }), format({ day: "numeric", month: "short", year: "numeric" }), format({ month: "long", year: "numeric" })];
  });
  add(`${region} relative`, () =>
    ["long", "short", "narrow"].map((style) =>
      ["day", "hour", "month"].map((unit) => [-1, 0, 5].map((n) => new Intl.RelativeTimeFormat(region, { style, numeric: "auto" }).format(n, unit)))));
  add(`${region} list`, () =>
    ["conjunction", "disjunction", "unit"].flatMap((type) => ["long", "short", "narrow"].map((style) => new Intl.ListFormat(region, { type, style }).format(["a", "b", "c"]))));
  add(`${region} plural`, () => [0, 1, 2, 3, 1.5].map((n) => [new Intl.PluralRules(region).select(n), new Intl.PluralRules(region, { type: "ordinal" }).select(n)]));
  add(`${region} names`, () => [
    new Intl.DisplayNames(region, { type: "region" }).of("IN"),
    new Intl.DisplayNames(region, { type: "language" }).of("en-AU"),
    new Intl.DisplayNames(region, { type: "currency" }).of("RUB"),
    new Intl.DisplayNames(region, { type: "script" }).of("Hans"),
  ]);
  add(`${region} locales`, () => [
    new Intl.DateTimeFormat(region).resolvedOptions().locale,
    new Intl.NumberFormat(region).resolvedOptions().locale,
    new Intl.ListFormat(region).resolvedOptions().locale,
    new Intl.DateTimeFormat(region, { hour: "numeric" }).resolvedOptions().hourCycle,
    Intl.DateTimeFormat.supportedLocalesOf([region, `${region}-u-nu-latn`]),
    Intl.NumberFormat.supportedLocalesOf(region),
  ]);
}
for (const region of OTHERS) {
  add(`${region} methods`, () => {
    const date = new Date(moments[0]);
    return [date.toLocaleString(region), date.toLocaleDateString(region, dates.words), date.toLocaleTimeString(region, { timeStyle: "short" }), (-1234567.891).toLocaleString(region, numbers.usd)];
  });
  add(`${region} locale`, () => new Intl.DateTimeFormat(region).resolvedOptions().locale);
}
add("no such region", () => [new Date(moments[0]).toLocaleDateString("en-XX"), new Intl.NumberFormat("en-XX").format(1234.5)]);

export default { fetch: () => Response.json(Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, attempt(run)]))) };
