/** `node:util`. `inspect` and `format` are those of the console. */

import type { Platform } from "../../layers";
import { checkFunction, invalidArgType, invalidArgValue, nodeError, unavailable } from "../node_errors";
import { mimeClasses } from "./mime";

declare const require: (name: string) => { deepStrictEqual(a: unknown, b: unknown, error: Error): void };

// biome-ignore lint/suspicious/noExplicitAny: arguments of whatever function
type Fn = (this: any, ...args: any[]) => unknown;

const CUSTOM_PROMISIFY = Symbol.for("nodejs.util.promisify.custom");

function promisify(original: Fn): Fn {
  checkFunction(original, "original");
  const custom = (original as unknown as Record<symbol, unknown>)[CUSTOM_PROMISIFY];
  if (custom !== undefined && custom !== null) {
    checkFunction(custom, "util.promisify.custom");
    return Object.defineProperty(custom, CUSTOM_PROMISIFY, { value: custom, configurable: true }) as Fn;
  }
  const promised: Fn = function (...args) {
    return new Promise((resolve, reject) => {
      const done = (error: unknown, value: unknown): void => (error ? reject(error as Error) : resolve(value));
      Reflect.apply(original, this, [...args, done]);
    });
  };
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original) as object);
  Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
  return Object.defineProperty(promised, CUSTOM_PROMISIFY, { value: promised, configurable: true });
}
promisify.custom = CUSTOM_PROMISIFY;

function callbackify(original: Fn): Fn {
  checkFunction(original, "original");
  const called: Fn = function (...args) {
    const callback = args.pop() as Fn;
    checkFunction(callback, "last argument");
    (Reflect.apply(original, this, args) as Promise<unknown>).then(
      (value) => queueMicrotask(() => Reflect.apply(callback, this, [null, value])),
      (reason: unknown) => {
        const error =
          reason ||
          Object.assign(nodeError(Error, "ERR_FALSY_VALUE_REJECTION", "Promise was rejected with falsy value"), { reason });
        queueMicrotask(() => Reflect.apply(callback, this, [error]));
      },
    );
  };
  const { name } = original;
  Object.defineProperty(called, "name", { value: `${name}Callbackified`, configurable: true });
  Object.defineProperty(called, "length", { value: original.length + 1, configurable: true });
  return called;
}

const warned = new Set<string>();

function deprecate(original: Fn, message: string, code?: string): Fn {
  checkFunction(original, "fn");
  let told = false;
  const deprecated = function (this: unknown, ...args: unknown[]): unknown {
    if (!told && !(code !== undefined && warned.has(code))) {
      if (code !== undefined) warned.add(code);
      console.warn(`DeprecationWarning: ${message}`);
    }
    told = true;
    return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
  };
  Object.setPrototypeOf(deprecated, original);
  if (original.prototype) deprecated.prototype = original.prototype;
  return deprecated;
}

function inherits(constructor: Fn & { super_?: unknown }, parent: Fn): void {
  checkFunction(constructor, "ctor");
  checkFunction(parent, "superCtor");
  if (parent.prototype === undefined) throw invalidArgType("superCtor.prototype", "of type object", parent.prototype);
  Object.defineProperty(constructor, "super_", { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype as object, parent.prototype as object);
}

function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  const different = new Error();
  try {
    require("node:assert").deepStrictEqual(a, b, different);
    return true;
  } catch (error) {
    if (error === different) return false;
    throw error;
  }
}

/** What Node tells of its own process, or the platform has not either. */
const UNAVAILABLE = [
  "convertProcessSignalToExitCode", "diff", "getCallSite", "getCallSites", "getSystemErrorMap", "getSystemErrorMessage", "getSystemErrorName", "parseArgs", "setTraceSigInt",
] as const;

type Styles = Record<string, [number, number] | undefined>;

/** Nothing here is a terminal, so the text stays as it is unless that is not to be looked at. */
function styleText(colors: Styles, style: string | string[], text: unknown, options: { validateStream?: boolean } = {}): string {
  if (typeof text !== "string") throw invalidArgType("text", "of type string", text);
  let before = "";
  let after = "";
  for (const name of [style].flat()) {
    const codes = colors[name];
    if (codes === undefined) throw invalidArgValue("format", name, `must be one of: ${Object.keys(colors).map((known) => `'${known}'`).join(", ")}`);
    before += `\u001b[${codes[0]}m`;
    after = `\u001b[${codes[1]}m${after}`;
  }
  return options.validateStream === false ? before + text + after : text;
}

function parseEnv(content: unknown): Record<string, string> {
  if (typeof content !== "string") throw invalidArgType("content", "of type string", content);
  const values: Record<string, string> = {};
  const line = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;
  for (const [, name, double, single, back, bare] of content.matchAll(line))
    values[name as string] = double?.replaceAll("\\n", "\n") ?? single ?? back ?? (bare as string).trim();
  return values;
}

/** Node prints these only where NODE_DEBUG names their section; there is no such variable here. */
function debuglog(): Fn & { enabled: boolean } {
  return Object.assign(() => {}, { enabled: false });
}

async function aborted(signal: unknown, resource: unknown): Promise<void> {
  if (!(signal instanceof AbortSignal)) throw invalidArgType("signal", "an instance of AbortSignal", signal);
  if (typeof resource !== "object" || resource === null) throw invalidArgType("resource", "of type object", resource);
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** What a value is, in the words of older Node; much of npm still asks so. */
function legacyChecks(types: Record<string, (value: unknown) => boolean>): Record<string, (value: unknown) => boolean> {
  return {
    isArray: Array.isArray,
    isBoolean: (value) => typeof value === "boolean",
    isBuffer: (value) => (require("node:buffer") as unknown as { Buffer: { isBuffer(value: unknown): boolean } }).Buffer.isBuffer(value),
    isDate: types.isDate as (value: unknown) => boolean,
    isError: (value) => value instanceof Error,
    isFunction: (value) => typeof value === "function",
    isNull: (value) => value === null,
    isNullOrUndefined: (value) => value === null || value === undefined,
    isNumber: (value) => typeof value === "number",
    isObject: (value) => value !== null && typeof value === "object",
    isPrimitive: (value) => value === null || (typeof value !== "object" && typeof value !== "function"),
    isRegExp: types.isRegExp as (value: unknown) => boolean,
    isString: (value) => typeof value === "string",
    isSymbol: (value) => typeof value === "symbol",
    isUndefined: (value) => value === undefined,
  };
}

export function utilModule(inspection: Platform["inspection"], types: Record<string, (value: unknown) => boolean>): object {
  const { inspect, format, formatWithOptions, stripVTControlCharacters } = inspection;
  const colors = inspect.colors as unknown as Styles;
  return {
    ...legacyChecks(types),
    ...mimeClasses,
    ...unavailable("util", UNAVAILABLE),
    TextDecoder,
    TextEncoder,
    _extend: (target: object, source: unknown) => (typeof source === "object" ? Object.assign(target, source) : target),
    aborted,
    callbackify,
    debug: debuglog,
    debuglog,
    deprecate,
    format,
    formatWithOptions,
    inherits,
    inspect,
    isDeepStrictEqual,
    log: (...args: unknown[]) => console.log(format(...(args as [unknown]))),
    parseEnv,
    promisify,
    stripVTControlCharacters,
    styleText: (style: string | string[], text: unknown, options?: { validateStream?: boolean }) =>
      styleText(colors, style, text, options),
    toUSVString: (text: unknown) => `${text as string}`.toWellFormed(),
    transferableAbortController: () => new AbortController(),
    transferableAbortSignal: (signal: AbortSignal) => signal,
    types,
  };
}
