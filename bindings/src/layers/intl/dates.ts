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
  readonly second?: string;
  readonly fractionalSecondDigits?: number;
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

const ZONE = "z";
/** Skeletons and patterns of times without an hour: the data has none, and the package would take others. */
const HOURLESS = [ZONE, "m", "m z", "s", "s z"];
/** Those whose second can be but its fraction, which the package only knows behind a second. */
const SECONDS = ["s", "s z"];

/**
 * A format with a second as one with its fraction alone; before it the one with a second in two digits, so that this is as good as the
 * other where both are asked for. How many digits the fraction has is taken from what is asked for, because it is not what is here.
 */
function withFraction(format: Format): Format[] {
  const { second: _, ...rest } = format;
  const replaced = (pattern: string): string => pattern.replace("{second}", "{fractionalSecondDigits}");
  const fraction = {
    ...rest,
    fractionalSecondDigits: 0,
    skeleton: rest.skeleton.replace("s", "S"),
    rawPattern: rest.rawPattern.replace("s", "S"),
    pattern: replaced(rest.pattern),
    pattern12: replaced(rest.pattern12),
  };
  return [{ ...format, second: "2-digit" }, fraction];
}

/** Add a locale's data to the class. */
export function addDates(DateTimeFormat: Dates, locale: string, data: Record<string, unknown>): void {
  const { formats, ranges, dates, times, ...rest } = data as Record<string, unknown> & Kept;
  const intervalFormats: Record<string, unknown> = Object.fromEntries(ranges);
  for (const time of [...times, ...HOURLESS]) intervalFormats[time] ??= NO_RANGES;
  const gregory: unknown = Object.fromEntries([...formats, ...HOURLESS.map((fields) => [fields, fields])]);
  DateTimeFormat.__addLocaleData({
    locale,
    data: { ...rest, formats: { gregory }, intervalFormats },
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
        all = [
          ...parsed.gregory,
          ...parts(SECONDS).flatMap(withFraction),
          // Of those without an hour only the zone goes with dates: each format more makes every formatter take longer to make.
          ...parts([...times, ZONE]).flatMap((time) => days.map((day) => together(day, time))),
        ];
      }
      return all;
    },
    get iso8601() {
      return combined.gregory;
    },
  };
  added.formats = combined;
}
