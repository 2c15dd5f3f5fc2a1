// Intl in English, case by case. Served by durabox and by workerd; the two answers must be equal.
const attempt = (run) => { try { const value = run(); return value === undefined ? "(undefined)" : value; } catch (error) { return [error.name]; } };
const cases = {};
const add = (name, run) => { cases[name] = run; };

// Numbers
const numbers = [0, -0, 1, -1.5, 1234.5678, 1e6, 123456789.987, 1e21, 1e-7, NaN, Infinity, -Infinity, 0.1 + 0.2, 999.995, 12345678901234567890n];
const formats = {
  plain: undefined, percent: { style: "percent" }, "percent digits": { style: "percent", minimumFractionDigits: 1 },
  usd: { style: "currency", currency: "USD" }, eur: { style: "currency", currency: "EUR" }, jpy: { style: "currency", currency: "JPY" },
  "usd code": { style: "currency", currency: "USD", currencyDisplay: "code" }, "usd name": { style: "currency", currency: "USD", currencyDisplay: "name" },
  "usd narrow": { style: "currency", currency: "CAD", currencyDisplay: "narrowSymbol" }, accounting: { style: "currency", currency: "GBP", currencySign: "accounting" },
  compact: { notation: "compact" }, "compact long": { notation: "compact", compactDisplay: "long" }, scientific: { notation: "scientific" }, engineering: { notation: "engineering" },
  unit: { style: "unit", unit: "kilometer-per-hour" }, "unit long": { style: "unit", unit: "liter", unitDisplay: "long" }, "unit narrow": { style: "unit", unit: "celsius", unitDisplay: "narrow" },
  "no grouping": { useGrouping: false }, significant: { maximumSignificantDigits: 3 }, "min significant": { minimumSignificantDigits: 6, maximumSignificantDigits: 8 },
  fixed: { minimumFractionDigits: 2, maximumFractionDigits: 2 }, "min integer": { minimumIntegerDigits: 3 }, "sign always": { signDisplay: "always" }, "sign exceptZero": { signDisplay: "exceptZero" }, "sign never": { signDisplay: "never" },
  floor: { maximumFractionDigits: 0, roundingMode: "floor" }, halfEven: { maximumFractionDigits: 0, roundingMode: "halfEven" },
};
for (const [name, options] of Object.entries(formats)) add(`number ${name}`, () => numbers.map((n) => new Intl.NumberFormat("en-US", options).format(n)));
for (const [name, options] of Object.entries({ plain: undefined, gbp: formats.accounting, "unit long": formats["unit long"] })) add(`number en-GB ${name}`, () => numbers.map((n) => new Intl.NumberFormat("en-GB", options).format(n)));
add("number parts", () => new Intl.NumberFormat("en", { style: "currency", currency: "USD" }).formatToParts(-1234.5));
add("number options", () => new Intl.NumberFormat("en-US", { style: "currency", currency: "usd" }).resolvedOptions());
add("number range", () => new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" }).formatRange(3, 5));
add("number strings", () => ["12.50", "1e3", "x", "0x10"].map((s) => new Intl.NumberFormat("en").format(s)));
add("number bad currency", () => new Intl.NumberFormat("en", { style: "currency" }));
add("number bad style", () => new Intl.NumberFormat("en", { style: "nope" }));
add("number bad digits", () => new Intl.NumberFormat("en", { minimumFractionDigits: 200 }));
add("number bad locale", () => new Intl.NumberFormat("not_a_locale"));
add("number methods", () => [(1234.5).toLocaleString(), (0.256).toLocaleString("en-US", { style: "percent" }), (12345n).toLocaleString(), (1234.5).toLocaleString("en-GB", { style: "currency", currency: "GBP" }), [1234.5, 1e6].toLocaleString(), [1, null, "x"].toLocaleString()]);

// Dates
const dates = { epoch: 0, winter: Date.UTC(2024, 0, 15, 13, 4, 5, 678), summer: Date.UTC(2024, 6, 4, 0, 30), noon: Date.UTC(2024, 1, 29, 12), old: Date.UTC(1969, 6, 20, 20, 17), future: Date.UTC(2045, 11, 25, 6) };
const dateFormats = {
  plain: undefined, full: { dateStyle: "full", timeStyle: "full" }, long: { dateStyle: "long", timeStyle: "long" }, medium: { dateStyle: "medium", timeStyle: "medium" }, short: { dateStyle: "short", timeStyle: "short" },
  date: { dateStyle: "medium" }, time: { timeStyle: "short" }, ymd: { year: "numeric", month: "2-digit", day: "2-digit" }, words: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  "short words": { weekday: "short", month: "short", day: "numeric" }, "month year": { month: "long", year: "numeric" }, month: { month: "short" }, weekday: { weekday: "narrow" }, hour: { hour: "numeric" },
  "24 hours": { hour: "2-digit", minute: "2-digit", hour12: false }, h23: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }, "12 hours": { hour: "numeric", minute: "2-digit", hour12: true },
  fraction: { minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }, era: { year: "numeric", era: "short" }, "zone short": { hour: "numeric", minute: "numeric", timeZoneName: "short" }, "zone long": { hour: "numeric", timeZoneName: "long" }, "zone offset": { hour: "numeric", timeZoneName: "longOffset" },
  "day period": { hour: "numeric", dayPeriod: "short" }, "two digit year": { year: "2-digit", month: "numeric", day: "numeric" },
};
const zones = ["UTC", "America/New_York", "Europe/London", "Asia/Kolkata", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Kiritimati"];
for (const [name, options] of Object.entries(dateFormats)) add(`date ${name}`, () => Object.values(dates).map((d) => new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options }).format(d)));
for (const [name, options] of Object.entries({ plain: undefined, full: dateFormats.full, short: dateFormats.short, words: dateFormats.words, time: dateFormats.time, "short words": dateFormats["short words"] })) add(`date en-GB ${name}`, () => Object.values(dates).map((d) => new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/London", ...options }).format(d)));
for (const zone of zones) add(`zone ${zone}`, () => Object.values(dates).map((d) => new Intl.DateTimeFormat("en-US", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(d)));
const edges = { "spring forward": ["America/New_York", Date.UTC(2024, 2, 10, 7)], "fall back": ["America/New_York", Date.UTC(2024, 10, 3, 6)], "london spring": ["Europe/London", Date.UTC(2025, 2, 30, 1)], "sydney": ["Australia/Sydney", Date.UTC(2024, 3, 6, 16)], "far": ["Europe/Berlin", Date.UTC(2060, 2, 28, 1)], "no change": ["America/Phoenix", Date.UTC(2024, 2, 10, 9)] };
for (const [name, [zone, at]] of Object.entries(edges)) add(`edge ${name}`, () => [-3600e3, -1, 0, 1, 3600e3].map((d) => new Intl.DateTimeFormat("en-US", { timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", timeZoneName: "short" }).format(at + d)));
add("date parts", () => new Intl.DateTimeFormat("en-US", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }).formatToParts(dates.winter));
add("date range", () => new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" }).formatRange(dates.winter, dates.summer));
add("date options", () => { const o = new Intl.DateTimeFormat("en-US").resolvedOptions(); return [o.locale, o.timeZone, o.calendar, o.numberingSystem]; });
add("date offset zone", () => new Intl.DateTimeFormat("en-US", { timeZone: "+05:30", timeStyle: "short" }).format(dates.winter));
add("date bad zone", () => new Intl.DateTimeFormat("en-US", { timeZone: "Mars/Base" }));
add("date invalid", () => new Intl.DateTimeFormat("en-US").format(new Date(NaN)));
add("date invalid method", () => [new Date(NaN).toLocaleString(), new Date(NaN).toLocaleDateString()]);
add("date zone case", () => new Intl.DateTimeFormat("en-US", { timeZone: "europe/LONDON" }).resolvedOptions().timeZone);
add("date methods", () => { const d = new Date(dates.winter); return [d.toLocaleString(), d.toLocaleDateString(), d.toLocaleTimeString(), d.toLocaleDateString("en-GB"), d.toLocaleTimeString("en-US", { timeZone: "America/New_York", timeStyle: "short" }), d.toLocaleDateString("en-US", { weekday: "long" }), d.toLocaleString("en-US", { timeZone: "Asia/Tokyo" }), d.toLocaleTimeString("en-US", { hour: "2-digit" }), d.toLocaleString("en-US", { month: "long" })]; });
add("date method mixed", () => [attempt(() => new Date(0).toLocaleDateString("en", { timeStyle: "short" })), attempt(() => new Date(0).toLocaleTimeString("en", { dateStyle: "short" }))]);

// The others
const counts = [0, 1, 2, 3, 4, 10, 11, 12, 13, 21, 22, 23, 101, 111, 1.5, -1];
add("plural cardinal", () => counts.map((n) => new Intl.PluralRules("en-US").select(n)));
add("plural ordinal", () => counts.map((n) => new Intl.PluralRules("en-US", { type: "ordinal" }).select(n)));
add("plural digits", () => [new Intl.PluralRules("en", { minimumFractionDigits: 1 }).select(1), new Intl.PluralRules("en").resolvedOptions().pluralCategories]);
const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
for (const style of ["long", "short", "narrow"]) for (const numeric of ["always", "auto"]) add(`relative ${style} ${numeric}`, () => units.flatMap((unit) => [-10, -1, 0, 1, 2.5, -0].map((n) => new Intl.RelativeTimeFormat("en", { style, numeric }).format(n, unit))));
add("relative parts", () => new Intl.RelativeTimeFormat("en").formatToParts(-3, "days"));
add("relative bad", () => new Intl.RelativeTimeFormat("en").format(1, "eon"));
const lists = [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]];
for (const type of ["conjunction", "disjunction", "unit"]) for (const style of ["long", "short", "narrow"]) add(`list ${type} ${style}`, () => lists.map((l) => new Intl.ListFormat("en-US", { type, style }).format(l)));
add("list en-GB", () => lists.map((l) => new Intl.ListFormat("en-GB").format(l)));
add("list bad", () => new Intl.ListFormat("en").format([1]));
const words = ["z", "a", "Z", "A", "ä", "á", "ab", "Ab", "aB", "résumé", "resume", "Resume", "10", "9", "1", "_", "-", " ", "a b", "a-b", "ab c", "é", "e", "f", "ñ", "n", "o", "ø", "œ", "oe", "ß", "ss", "~", "!", "#", "", "co-op", "coop", "CO-OP"];
add("collator default", () => [...words].sort(new Intl.Collator("en").compare));
add("collator localeCompare", () => [...words].sort((a, b) => a.localeCompare(b)));
for (const sensitivity of ["base", "accent", "case", "variant"]) add(`collator ${sensitivity}`, () => [["a", "A"], ["a", "á"], ["a", "b"], ["A", "Á"], ["resume", "Résumé"], ["ß", "ss"]].map(([a, b]) => new Intl.Collator("en", { sensitivity }).compare(a, b)));
add("collator numeric", () => ["a10", "a9", "a1", "a010", "10", "9", "1.5", "1.10", "b2"].sort(new Intl.Collator("en", { numeric: true }).compare));
add("collator upper first", () => ["a", "A", "b", "B"].sort(new Intl.Collator("en", { caseFirst: "upper" }).compare));
add("collator punctuation", () => ["a-b", "ab", "a b", "abc"].sort(new Intl.Collator("en", { ignorePunctuation: true }).compare));
add("collator options", () => new Intl.Collator("en-US", { numeric: true, sensitivity: "base" }).resolvedOptions());
add("localeCompare", () => [["a", "b"], ["b", "a"], ["a", "a"], ["a", "A"], ["a", "á"], ["10", "9"]].map(([a, b]) => a.localeCompare(b)));
add("localeCompare options", () => ["a".localeCompare("A", "en", { sensitivity: "base" }), "a10".localeCompare("a9", undefined, { numeric: true })]);
add("display names", () => [new Intl.DisplayNames("en", { type: "region" }).of("DE"), new Intl.DisplayNames("en", { type: "language" }).of("fr-CA"), new Intl.DisplayNames("en", { type: "currency" }).of("JPY"), new Intl.DisplayNames("en", { type: "script" }).of("Cyrl")]);
add("display names fallback", () => [new Intl.DisplayNames("en", { type: "region" }).of("QX"), new Intl.DisplayNames("en", { type: "region", fallback: "none" }).of("QX") ?? null]);
add("segment graphemes", () => [...new Intl.Segmenter("en").segment("aé👨‍👩‍👧🇩🇪e\u0301")].map((s) => s.segment));
add("segment words", () => [...new Intl.Segmenter("en", { granularity: "word" }).segment("Hello, world! It's 3.5 km.")].map((s) => [s.segment, s.index, s.isWordLike]));
add("segment sentences", () => [...new Intl.Segmenter("en", { granularity: "sentence" }).segment("One. Two? Three!")].map((s) => s.segment));
add("locale", () => { const l = new Intl.Locale("en-Latn-US-u-hc-h12"); return [l.language, l.script, l.region, l.hourCycle, l.baseName, String(l), new Intl.Locale("en").maximize().toString(), new Intl.Locale("en-Latn-US").minimize().toString()]; });
add("canonical", () => [Intl.getCanonicalLocales("EN-us"), Intl.getCanonicalLocales(["en-gb", "de"]), Intl.getCanonicalLocales()]);
add("canonical bad", () => Intl.getCanonicalLocales("x_y"));
add("supported", () => [Intl.NumberFormat.supportedLocalesOf(["en-US", "en-GB", "tlh"]), Intl.DateTimeFormat.supportedLocalesOf("en")]);
add("supported values", () => [Intl.supportedValuesOf("timeZone").includes("Europe/Paris"), Intl.supportedValuesOf("currency").includes("USD"), Intl.supportedValuesOf("unit").includes("meter")]);
add("supported values bad", () => Intl.supportedValuesOf("nope"));
add("shape", () => [typeof Intl, Object.prototype.toString.call(Intl), Object.prototype.toString.call(new Intl.NumberFormat()), Object.keys(Intl).length, new Intl.NumberFormat() instanceof Intl.NumberFormat, Intl.NumberFormat.name, typeof Intl.NumberFormat()]);
add("upper", () => ["straße".toLocaleUpperCase(), "ÀÉ".toLocaleLowerCase("en"), "i".toLocaleUpperCase("en-US")]);

const hourless = { fraction: { fractionalSecondDigits: 3 }, "one digit": { fractionalSecondDigits: 1 }, "second and fraction": { second: "numeric", fractionalSecondDigits: 2 }, "second of two digits and fraction": { second: "2-digit", fractionalSecondDigits: 3 }, "fraction and zone": { fractionalSecondDigits: 2, timeZoneName: "short" }, second: { second: "2-digit" }, "second and zone": { second: "numeric", timeZoneName: "short" }, minute: { minute: "numeric" }, "minute and zone": { minute: "2-digit", timeZoneName: "long" }, zone: { timeZoneName: "short" }, "zone in words": { timeZoneName: "long" }, "zone and date": { weekday: "long", year: "numeric", month: "short", day: "2-digit", timeZoneName: "short" } };
for (const [name, options] of Object.entries(hourless)) add(`date hourless ${name}`, () => ["en-US", "en-GB", "en-CA"].map((locale) => { const f = new Intl.DateTimeFormat(locale, { timeZone: "America/New_York", ...options }); return [f.format(dates.winter), f.formatToParts(dates.winter), Object.keys(f.resolvedOptions()), f.formatRange(dates.winter, dates.winter + 1000)]; }));
add("date methods hourless", () => [[{ timeZoneName: "short" }, "toLocaleDateString"], [{ timeZoneName: "long" }, "toLocaleTimeString"], [{ timeZoneName: "short" }, "toLocaleString"], [{ fractionalSecondDigits: 3 }, "toLocaleTimeString"], [{ fractionalSecondDigits: 3 }, "toLocaleString"], [{ fractionalSecondDigits: 3, second: "numeric" }, "toLocaleTimeString"]].map(([options, method]) => new Date(dates.winter)[method]("en-US", options)));
add("date hourless with a date", () => [{ fractionalSecondDigits: 3 }, { second: "numeric" }, { minute: "numeric" }].map((options) => new Date(dates.winter).toLocaleDateString("en-US", options)));
add("date month and zone", () => new Intl.DateTimeFormat("en-US", { month: "long", timeZoneName: "short" }).format(0));
add("date range of times on two days", () => new Intl.DateTimeFormat("en-US", { hour: "numeric", timeZone: "UTC" }).formatRange(0, 2 * 86400e3));
add("date hour and second", () => new Intl.DateTimeFormat("en-US", { hour: "numeric", second: "numeric", timeZone: "UTC" }).format(0));
add("duration", () => new Intl.DurationFormat("en").format({ hours: 1, minutes: 2 }));

const classes = ["DateTimeFormat", "NumberFormat", "Collator", "PluralRules", "RelativeTimeFormat", "ListFormat", "Segmenter"];
add("locale not asked for", () => classes.flatMap((name) => [undefined, [], "und"].map((locales) => new Intl[name](locales).resolvedOptions().locale)));
add("locale asked for", () => classes.flatMap((name) => ["en", "en-XX", "en-u-nu-latn"].map((locales) => new Intl[name](locales).resolvedOptions().locale)));
add("locale of a region", () => classes.flatMap((name) => ["en-GB", "en-AU", ["en-IN", "en"]].map((locales) => new Intl[name](locales).resolvedOptions().locale)));
add("locale of names", () => [undefined, [], "en", "en-GB"].map((locales) => new Intl.DisplayNames(locales, { type: "region" }).resolvedOptions().locale));
add("locale en-US", () => classes.filter((name) => name !== "PluralRules").map((name) => new Intl[name]("en-US").resolvedOptions().locale));
add("locale of plurals", () => new Intl.PluralRules("en-US").resolvedOptions().locale);

export default { fetch: () => Response.json(Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, attempt(run)]))) };
