/**
 * Formats of dates, of what is kept of them (see `compact` in sandbox/steps/locales.mjs). Most are a date with a time: the package would
 * parse each of these hundreds by itself, here they are put together of parts that it has parsed.
 */

interface Kept {
  /** Patterns by skeleton, in the order in which they are compared with what is asked for. */
  readonly formats: readonly (readonly [skeleton: string, pattern: string])[];
  readonly ranges: readonly (readonly [skeleton: string, patterns: unknown])[];
  /** Skeletons that can be put together: every date with every time. */
  readonly dates: readonly string[];
  readonly times: readonly string[];
}

/** As the package parses it: with the fields that it has, such as `month`, and how they are written. */
interface Format {
  readonly skeleton: string;
  readonly rawPattern: string;
  readonly pattern: string;
  readonly pattern12: string;
  readonly rangePatterns: { readonly default: unknown };
}

interface Formats {
  readonly gregory: readonly Format[];
}

interface Dates {
  readonly localeData: Record<string, { formats: Formats }>;
  __addLocaleData(entry: { locale: string; data: unknown }): void;
}

/** In place of ranges that a time does not have: without it, the package would parse other skeletons in search of some. */
const NO_RANGES = {};

function together(date: Format, time: Format): Format {
  const ranges = { default: time.rangePatterns.default };
  return {
    ...date,
    ...time,
    skeleton: `${date.skeleton}, ${time.skeleton}`,
    rawPattern: `${date.rawPattern}, ${time.rawPattern}`,
    pattern: `${date.pattern}, ${time.pattern}`,
    pattern12: `${date.pattern}, ${time.pattern12}`,
    rangePatterns: ranges,
    rangePatterns12: ranges,
  } as Format;
}

/** Add a locale's data to the class. */
export function addDates(DateTimeFormat: Dates, locale: string, data: Record<string, unknown>): void {
  const { formats, ranges, dates, times, ...rest } = data as Record<string, unknown> & Kept;
  const intervalFormats: Record<string, unknown> = Object.fromEntries(ranges);
  for (const time of times) intervalFormats[time] ??= NO_RANGES;
  DateTimeFormat.__addLocaleData({
    locale,
    data: { ...rest, formats: { gregory: Object.fromEntries(formats) }, intervalFormats },
  });
  const added = DateTimeFormat.localeData[locale] as { formats: Formats };
  const parsed = added.formats;
  let all: Format[] | undefined;
  const combined = {
    get gregory() {
      if (all === undefined) {
        const bySkeleton = new Map(parsed.gregory.map((format) => [format.skeleton, format]));
        const parts = (skeletons: readonly string[]) => skeletons.map((skeleton) => bySkeleton.get(skeleton) as Format);
        const days = parts(dates);
        all = [...parsed.gregory, ...parts(times).flatMap((time) => days.map((day) => together(day, time)))];
      }
      return all;
    },
    get iso8601() {
      return combined.gregory;
    },
  };
  added.formats = combined;
}
