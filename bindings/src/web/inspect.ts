/** Values as text for people: what `console` prints. */

const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_TEXT = 10_000;
const WIDTH = 76;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * A value as text; never throws, calls no getter and ends on cycles.
 *
 * @param bare Whether a string stands for itself, without quotes.
 */
export function inspect(value: unknown, bare = false): string {
  if (bare && typeof value === "string") return value;
  try {
    return show(value, 0, []);
  } catch {
    return "[a value that cannot be shown]";
  }
}

function show(value: unknown, depth: number, above: readonly object[]): string {
  switch (typeof value) {
    case "string":
      return quote(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
    case "bigint":
      return `${value}n`;
    case "number":
      return Object.is(value, -0) ? "-0" : `${value}`;
    case "symbol":
      return value.toString();
    case "function":
      return describeFunction(value);
    case "object":
      return value === null ? "null" : showObject(value, depth, above);
    default:
      return `${value as undefined}`;
  }
}

function quote(text: string): string {
  if (!text.includes("'")) return `'${escapeControls(text)}'`;
  if (!text.includes('"')) return `"${escapeControls(text)}"`;
  return `'${escapeControls(text).replaceAll("'", "\\'")}'`;
}

function escapeControls(text: string): string {
  return text.replace(/[\\\n\r\t\0]/g, (c) => ({ "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c] ?? "\\0");
}

function describeFunction(value: object): string {
  const name = own(value, "name");
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  const shown = typeof name === "string" && name !== "" ? (isClass ? ` ${name}` : `: ${name}`) : " (anonymous)";
  return isClass ? `[class${shown}]` : `[Function${shown}]`;
}

/** An own data property; getters are not called. */
function own(value: object, name: PropertyKey): unknown {
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function classOf(value: object): string | null {
  for (let at: object | null = value; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const constructor = own(at, "constructor");
    if (typeof constructor === "function") return `${own(constructor, "name") as string}`;
  }
  return null;
}

function showObject(value: object, depth: number, above: readonly object[]): string {
  if (above.includes(value)) return "[Circular]";
  if (value instanceof Error) return showError(value, depth, above);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return RegExp.prototype.toString.call(value);
  const name = classOf(value);
  if (depth > MAX_DEPTH) return Array.isArray(value) ? "[Array]" : `[${name ?? "Object: null prototype"}]`;
  const path = [...above, value];
  const inside = (item: unknown): string => show(item, depth + 1, path);
  if (Array.isArray(value)) return braces("[", showItems(value, value.length, inside), "]");
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const view = value as Uint8Array;
    return braces(`${name}(${view.length}) [`, showItems(view, view.length, inside), "]");
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
  if (value instanceof Map)
    return braces(
      `Map(${value.size}) {`,
      limited([...value].map(([key, item]) => `${inside(key)} => ${inside(item)}`)),
      "}",
    );
  if (value instanceof Set) return braces(`Set(${value.size}) {`, limited([...value].map(inside)), "}");
  if (value instanceof Promise) return "Promise { … }";
  const prefix = name === null ? "[Object: null prototype] {" : name === "Object" ? "{" : `${name} {`;
  return braces(prefix, showProperties(value, inside), "}");
}

/** An error's stack, without the frames that are not the user's. */
function stackOf(error: Error): string {
  let stack: unknown;
  try {
    stack = error.stack;
  } catch {
    // A getter of the user's.
  }
  if (typeof stack !== "string") return "";
  return stack.split("\n").filter((line) => !/^\s+at (?:.*\()?durabox:bindings:\d/.test(line)).join("\n");
}

function showError(error: Error, depth: number, above: readonly object[]): string {
  const stack = stackOf(error);
  const heading = `${error.name}: ${error.message}`.replace(/: $/, "");
  let text = heading;
  if (stack !== "")
    text = stack.startsWith(error.name) ? stack.trimEnd() : `${heading}\n${stack.trimEnd()}`;
  if (Object.hasOwn(error, "cause")) text += `\n[cause]: ${show(own(error, "cause"), depth + 1, [...above, error])}`;
  return text;
}

function showItems(items: ArrayLike<unknown>, length: number, inside: (item: unknown) => string): string[] {
  const shown: string[] = [];
  for (let at = 0; at < Math.min(length, MAX_ITEMS); at++) shown.push(at in items ? inside(items[at]) : "<empty>");
  if (length > MAX_ITEMS) shown.push(`… ${length - MAX_ITEMS} more`);
  return shown;
}

function limited(shown: string[]): string[] {
  return shown.length > MAX_ITEMS ? [...shown.slice(0, MAX_ITEMS), `… ${shown.length - MAX_ITEMS} more`] : shown;
}

function showProperties(value: object, inside: (item: unknown) => string): string[] {
  const shown: string[] = [];
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (!property?.enumerable) continue;
    const label = typeof key === "symbol" ? `[${key.toString()}]` : IDENTIFIER.test(key) ? key : quote(key);
    const accessor = property.get && property.set ? "[Getter/Setter]" : property.get ? "[Getter]" : "[Setter]";
    shown.push(`${label}: ${"value" in property ? inside(property.value) : accessor}`);
  }
  return limited(shown);
}

function braces(open: string, items: string[], close: string): string {
  if (items.length === 0) return open + close;
  const line = `${open} ${items.join(", ")} ${close}`;
  if (line.length <= WIDTH && !line.includes("\n")) return line;
  return `${open}\n${items.map((item) => `  ${item.replaceAll("\n", "\n  ")}`).join(",\n")}\n${close}`;
}
