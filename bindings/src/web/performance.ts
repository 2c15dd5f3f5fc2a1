/** `performance`: the clock, marks and measures. */

import { native } from "../native";
import { EventTarget } from "./events";
import { illegalConstructor, isObject, wrongConstructorParameter, wrongField } from "./interface";
import { dispatchUncaught } from "./uncaught";

const MAKER = Symbol("performance");

interface Options {
  readonly detail?: unknown;
  readonly startTime?: unknown;
  readonly start?: unknown;
  readonly end?: unknown;
  readonly duration?: unknown;
}

function detailOf({ detail }: Options): unknown {
  if (detail === undefined || detail === null) return null;
  if (!isObject(detail)) throw wrongField("detail", "Options", "Object");
  return native.structuredClone(detail);
}

export class PerformanceEntry {
  readonly name: string;
  readonly entryType: string;
  readonly startTime: number;
  readonly duration: number;

  constructor(maker: symbol, name: string, entryType: string, startTime: number, duration: number) {
    if (maker !== MAKER) throw illegalConstructor();
    this.name = name;
    this.entryType = entryType;
    this.startTime = startTime;
    this.duration = duration;
  }

  toJSON(): object {
    const { name, entryType, startTime, duration } = this;
    return { name, entryType, startTime, duration };
  }
}

export class PerformanceMark extends PerformanceEntry {
  readonly detail: unknown;

  constructor(name: unknown, given?: unknown) {
    const options: Options = isObject(given) ? given : {};
    const { startTime } = options;
    super(MAKER, `${name}`, "mark", startTime === undefined ? native.now() : Number(startTime), 0);
    this.detail = detailOf(options);
  }
}

export class PerformanceMeasure extends PerformanceEntry {
  readonly detail: unknown;

  constructor(maker: symbol, name: string, start: number, end: number, detail: unknown) {
    super(maker, name, "measure", start, end - start);
    this.detail = detail;
  }
}

/** What is fetched is not timed: nobody gets one. */
export class PerformanceResourceTiming extends PerformanceEntry {}

/** Hears of each new entry. */
type Observe = (entry: PerformanceEntry) => void;

const observers = new Set<Observe>();

/** Of Node's `performance`; nothing of a process is measured here. */
const NODE_TIMING = {
  name: "node", entryType: "node", startTime: 0, duration: 0, nodeStart: 0, v8Start: 0, bootstrapComplete: 0, environment: 0,
  loopStart: 0, loopExit: 0, idleTime: 0, uvMetricsInfo: { loopCount: 0, events: 0, eventsWaiting: 0 },
} as const;

export class Performance extends EventTarget {
  #entries: PerformanceEntry[] | undefined = undefined;

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
    super();
  }

  get timeOrigin(): number {
    return 0;
  }

  now(): number {
    return native.now();
  }

  mark(name: unknown, options?: unknown): PerformanceMark {
    return this.#add(new PerformanceMark(name, options));
  }

  measure(name: unknown, startOrOptions?: unknown, endMark?: unknown): PerformanceMeasure {
    const options: Options = isObject(startOrOptions) ? startOrOptions : { start: startOrOptions, end: endMark };
    const { start, end, duration } = options;
    let [from, to] = [this.#timeOf(start, 0), this.#timeOf(end, native.now())];
    if (duration !== undefined && start === undefined) from = to - Number(duration);
    else if (duration !== undefined && end === undefined) to = from + Number(duration);
    return this.#add(new PerformanceMeasure(MAKER, `${name}`, from, to, detailOf(options)));
  }

  getEntries(): PerformanceEntry[] {
    return [...(this.#entries ?? [])];
  }

  getEntriesByName(name: unknown, type?: unknown): PerformanceEntry[] {
    return this.getEntries().filter((entry) => entry.name === name && (type === undefined || entry.entryType === type));
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    return this.getEntries().filter((entry) => entry.entryType === type);
  }

  clearMarks(name?: unknown): void {
    this.#clear("mark", name);
  }

  clearMeasures(name?: unknown): void {
    this.#clear("measure", name);
  }

  toJSON(): object {
    return { timeOrigin: this.timeOrigin };
  }

  get eventCounts(): Map<string, number> {
    return new Map();
  }

  get nodeTiming(): object {
    return { ...NODE_TIMING, uvMetricsInfo: { ...NODE_TIMING.uvMetricsInfo } };
  }

  eventLoopUtilization(): object {
    return { idle: 0, active: 0, utilization: 0 };
  }

  timerify<T>(callback: T): T {
    return callback;
  }

  clearResourceTimings(): void {}

  markResourceTiming(): void {}

  setResourceTimingBufferSize(): void {}

  #add<T extends PerformanceEntry>(entry: T): T {
    this.#entries ??= [];
    this.#entries.push(entry);
    for (const observe of observers) observe(entry);
    return entry;
  }

  #clear(type: string, name: unknown): void {
    this.#entries = this.#entries?.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== name));
  }

  /** A time, or that of the last mark with that name; 0 for one that does not exist, as on the platform. */
  #timeOf(given: unknown, absent: number): number {
    if (given === undefined) return absent;
    if (typeof given === "number") return given;
    return this.getEntriesByName(`${given}`, "mark").at(-1)?.startTime ?? 0;
  }
}

export const performance = new Performance(MAKER);

/** Entries that an observer is told of. */
export class PerformanceObserverEntryList {
  readonly #entries: readonly PerformanceEntry[];

  constructor(maker: symbol, entries: readonly PerformanceEntry[]) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#entries = entries;
  }

  getEntries(): PerformanceEntry[] {
    return [...this.#entries];
  }

  getEntriesByName(name: unknown, type?: unknown): PerformanceEntry[] {
    return this.#entries.filter((entry) => entry.name === name && (type === undefined || entry.entryType === type));
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    return this.#entries.filter((entry) => entry.entryType === type);
  }
}

type Callback = (list: PerformanceObserverEntryList, observer: PerformanceObserver) => unknown;

export class PerformanceObserver {
  static get supportedEntryTypes(): string[] {
    return ["measure", "mark"];
  }

  readonly #callback: Callback;
  #types = new Set<unknown>();
  #records: PerformanceEntry[] = [];
  readonly #observe = (entry: PerformanceEntry): void => {
    if (!this.#types.has(entry.entryType)) return;
    this.#records.push(entry);
    if (this.#records.length === 1) void Promise.resolve().then(() => this.#tell());
  };

  constructor(callback: unknown) {
    if (typeof callback !== "function") throw wrongConstructorParameter("PerformanceObserver", 1, "function");
    this.#callback = callback as Callback;
  }

  observe(given: unknown = {}): void {
    const { type, entryTypes, buffered } = given as { type?: unknown; entryTypes?: Iterable<unknown>; buffered?: unknown };
    if (type === undefined) this.#types = new Set(entryTypes ?? []);
    else this.#types.add(type);
    observers.add(this.#observe);
    if (type !== undefined && buffered) for (const entry of performance.getEntriesByType(type)) this.#observe(entry);
  }

  disconnect(): void {
    observers.delete(this.#observe);
    this.#types.clear();
    this.#records = [];
  }

  takeRecords(): PerformanceEntry[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  #tell(): void {
    const records = this.takeRecords();
    if (records.length === 0) return;
    try {
      Reflect.apply(this.#callback, this, [new PerformanceObserverEntryList(MAKER, records), this]);
    } catch (error) {
      dispatchUncaught(error);
    }
  }
}

/** By their names, global and in `node:perf_hooks`. */
export const performanceClasses = {
  Performance,
  PerformanceEntry,
  PerformanceMark,
  PerformanceMeasure,
  PerformanceObserver,
  PerformanceObserverEntryList,
  PerformanceResourceTiming,
};
