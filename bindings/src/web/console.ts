/** `console`: formatted here, written by the host's log. */

import { native } from "../native";
import { OP } from "../protocol";
import { format, inspect } from "./inspect";

type Level = "debug" | "info" | "log" | "warn" | "error";

const counts = new Map<string, number>();
const timers = new Map<string, number>();
let indent = "";

function write(level: Level, text: string): void {
  native.op(OP.log, [level, indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`)]);
}

function seconds(label: string): string {
  return `${label}: ${(native.now() - (timers.get(label) as number)).toFixed(3)}ms`;
}

function table(data: unknown): string {
  if (typeof data !== "object" || data === null) return format([data]);
  const columns: string[] = [];
  const rows = Object.entries(data as Record<string, unknown>).map(([index, row]) => {
    const cells = new Map<string, string>([["(index)", index]]);
    const entries = typeof row === "object" && row !== null ? Object.entries(row) : [["Values", row] as [string, unknown]];
    for (const [name, value] of entries) {
      if (!columns.includes(name)) columns.push(name);
      cells.set(name, inspect(value));
    }
    return cells;
  });
  const names = ["(index)", ...columns];
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => (row.get(name) ?? "").length)));
  const line = (cells: string[]): string => cells.map((cell, at) => cell.padEnd(widths[at] as number)).join(" | ").trimEnd();
  return [line(names), widths.map((width) => "-".repeat(width)).join("-+-"), ...rows.map((row) => line(names.map((name) => row.get(name) ?? "")))].join("\n");
}

export const console = {
  debug: (...values: unknown[]): void => write("debug", format(values)),
  error: (...values: unknown[]): void => write("error", format(values)),
  info: (...values: unknown[]): void => write("info", format(values)),
  log: (...values: unknown[]): void => write("log", format(values)),
  warn: (...values: unknown[]): void => write("warn", format(values)),
  trace(...values: unknown[]): void {
    const stack = (new Error().stack ?? "").split("\n").slice(2).join("\n");
    write("debug", `Trace${values.length > 0 ? `: ${format(values)}` : ""}\n${stack}`.trimEnd());
  },
  assert(condition?: unknown, ...values: unknown[]): void {
    if (!condition) write("error", `Assertion failed${values.length > 0 ? `: ${format(values)}` : ""}`);
  },
  clear(): void {
    indent = "";
  },
  count(label: unknown = "default"): void {
    const name = `${label as string}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    write("info", `${name}: ${count}`);
  },
  countReset(label: unknown = "default"): void {
    counts.delete(`${label as string}`);
  },
  dir: (value?: unknown): void => write("log", inspect(value)),
  dirxml: (...values: unknown[]): void => write("log", format(values)),
  group(...values: unknown[]): void {
    if (values.length > 0) write("log", format(values));
    indent += "  ";
  },
  groupCollapsed: (...values: unknown[]): void => console.group(...values),
  groupEnd(): void {
    indent = indent.slice(2);
  },
  /** There is no tool that would record. */
  profile(): void {},
  profileEnd(): void {},
  table: (data?: unknown): void => write("log", table(data)),
  time(label: unknown = "default"): void {
    timers.set(`${label as string}`, native.now());
  },
  timeEnd(label: unknown = "default"): void {
    const name = `${label as string}`;
    if (timers.has(name)) write("info", seconds(name));
    timers.delete(name);
  },
  timeStamp(): void {},
  timeLog(label: unknown = "default", ...values: unknown[]): void {
    const name = `${label as string}`;
    if (timers.has(name)) write("info", `${seconds(name)} ${format(values)}`.trimEnd());
  },
};
