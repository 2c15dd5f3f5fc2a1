/**
 * Values as text for people: what `console` prints. It is Node's own `inspect`, as in Workers, from a package; here it learns what only
 * the engine can tell of a value.
 */

import { formatWithOptions, inspect as show, Proxy as Seen } from "node-inspect-extracted";
import { native } from "../native";
import { proxyParts } from "./proxies";

export * as inspection from "node-inspect-extracted";

const CUSTOM_INSPECT = Symbol.for("nodejs.util.inspect.custom");

type Inspect = (value: unknown, options: object) => string;
// biome-ignore lint/suspicious/noExplicitAny: any receiver
type ShowItself = (this: any, depth: number, options: object, show: Inspect) => unknown;

/** Arguments as one text, with the `%` directives of the first. */
export function format(values: readonly unknown[]): string {
  if (values.length === 1 && typeof values[0] === "string") return values[0];
  return shown(() => formatWithOptions({}, ...values));
}

/** One value as text, a string in quotes. */
export function inspect(value: unknown): string {
  return shown(() => show(value));
}

/** What a value's own code throws is no reason for `console` to throw. */
function shown(make: () => string): string {
  try {
    return make();
  } catch {
    return "[a value that cannot be shown]";
  }
}

function showsItself(prototype: object, value: ShowItself): void {
  Object.defineProperty(prototype, CUSTOM_INSPECT, { value, writable: true, configurable: true });
}

/** An error shows itself as one like it in whose stack only the user's own code is. */
function showError(this: Error, _depth: number, options: object, show: Inspect): unknown {
  return show(withStack(this, stackOf(this)), options);
}

function stackOf(error: Error): string {
  let stack: unknown;
  try {
    stack = error.stack;
  } catch {
    // A getter of the user's.
  }
  if (typeof stack !== "string" || stack === "") return `${error.name}: ${error.message}`;
  return stack.split("\n").filter((line) => !/^\s+at (?:.*\()?durabox:bindings:\d/.test(line)).join("\n").trimEnd();
}

/** An error like another with that stack, which does not show itself. */
function withStack(error: Error, stack: string): object {
  const copy = Object.create(Object.getPrototypeOf(error) as object, Object.getOwnPropertyDescriptors(error)) as object;
  Object.defineProperties(copy, {
    stack: { value: stack, configurable: true, writable: true },
    [CUSTOM_INSPECT]: { value: undefined },
  });
  return copy;
}

function showPromise(this: Promise<unknown>, depth: number, options: object, show: Inspect): unknown {
  let state: number;
  try {
    state = native.promiseState(this);
  } catch {
    return "Promise {}"; // something that only inherits from one
  }
  if (state === 0) return "Promise { <pending> }";
  if (depth < 0) return "[Promise]";
  return `Promise { ${state === 2 ? "<rejected> " : ""}${show(native.promiseResult(this), options)} }`;
}

/** A collection of ours by its entries. */
function showEntries(this: Iterable<[unknown, unknown]>, depth: number, options: object, show: Inspect): unknown {
  const name = classOf(this);
  if (depth < 0) return `[${name}]`;
  const entries = [...this].map(([key, value]) => `${show(key, options)} => ${show(value, options)}`);
  return `${name}(${entries.length}) {${entries.length > 0 ? ` ${entries.join(", ")} ` : ""}}`;
}

/** An object of ours by what its getters say, which `inspect` would not ask. */
function showGetters(this: object, depth: number, options: object, show: Inspect): unknown {
  const name = classOf(this);
  if (depth < 0) return `[${name}]`;
  const values: Record<string, unknown> = {};
  for (let at: object | null = this; at !== Object.prototype && at !== null; at = Object.getPrototypeOf(at) as object | null)
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (get !== undefined && !Object.hasOwn(values, key)) values[key] = get.call(this);
  return show(named(name, values), options);
}

/** The name of a value's class. Of a stub every property is a method of the other side: its own are not asked. */
function classOf(value: object): string {
  for (let at = Object.getPrototypeOf(value) as object | null; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    if (typeof constructor === "function") return constructor.name;
  }
  return "";
}

/** An object with these properties, of a class of that name. */
function named(name: string, properties: object): object {
  const Shown = { [name]: class {} }[name] as new () => object;
  return Object.assign(new Shown(), properties);
}

/** Instances of a class, whose properties are getters of its prototype, show themselves by them or by their entries. */
export function showsItsProperties(prototype: object): void {
  if (!(prototype instanceof Error)) showsItself(prototype, Object.hasOwn(prototype, "getAll") ? showEntries : showGetters);
}

/** What a project made a proxy of: the package asks this, by the build's change to it (sandbox/steps/bindings.py). */
(Seen as unknown as { detailsOf: typeof proxyParts }).detailsOf = proxyParts;

showsItself(Error.prototype, showError);
showsItself(Promise.prototype, showPromise);
