/** Errors as Node's modules throw them: a class of the language, with a code. */

type ErrorClass = new (message: string) => Error;

/** An error with a code, which its text shows too. */
export function nodeError(Class: ErrorClass, code: string, message: string): Error & { code: string } {
  const error = new Class(message) as Error & { code: string };
  error.code = code;
  Object.defineProperty(error, "toString", {
    value: () => `${error.name} [${code}]: ${error.message}`,
    configurable: true,
    writable: true,
  });
  return error;
}

/** A value in short. */
function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `'${value}'`;
    case "bigint":
      return `${value}n`;
    case "function":
      return `[Function: ${value.name}]`;
    case "object":
      return value === null ? "null" : (value.constructor?.name ?? "[Object: null prototype]");
    default:
      return String(value);
  }
}

/** How messages name what they got. */
function received(value: unknown): string {
  if (value === undefined || value === null) return ` Received ${value}`;
  if (typeof value === "function") return ` Received function ${value.name}`;
  const shown = show(value);
  if (typeof value === "object") return ` Received an instance of ${shown}`;
  return ` Received type ${typeof value} (${shown.length > 28 ? `${shown.slice(0, 25)}...` : shown})`;
}

/** @param expected As the sentence goes on, such as `of type string`. */
export function invalidArgType(name: string, expected: string, actual: unknown): Error {
  const what = name.endsWith(" argument") ? `The ${name}` : `The "${name}" ${name.includes(".") ? "property" : "argument"}`;
  return nodeError(TypeError, "ERR_INVALID_ARG_TYPE", `${what} must be ${expected}.${received(actual)}`);
}

export function invalidArgValue(name: string, value: unknown, reason = "is invalid"): Error {
  const what = name.includes(".") ? "property" : "argument";
  return nodeError(TypeError, "ERR_INVALID_ARG_VALUE", `The ${what} '${name}' ${reason}. Received ${show(value)}`);
}

export function outOfRange(name: string, range: string, actual: unknown): Error {
  const shown = typeof actual === "number" && Number.isInteger(actual) && Math.abs(actual) > 2 ** 32
    ? `${actual}`.replace(/\B(?=(\d{3})+$)/g, "_")
    : show(actual);
  return nodeError(RangeError, "ERR_OUT_OF_RANGE", `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`);
}

/**
 * Functions and classes that a module has by name alone, so that code which imports them and does not use them runs. The platform has
 * some of them itself, others need what an isolate has not.
 *
 * @param of The module's name.
 */
export function unavailable(of: string, names: readonly string[]): Record<string, unknown> {
  const missing: Record<string, unknown> = {};
  for (const name of names) {
    // A function that can be looked for in a prototype chain, as a class can.
    missing[name] = function (): never {
      throw nodeError(Error, "ERR_METHOD_NOT_IMPLEMENTED", `The ${of}.${name} method is not implemented`);
    };
    Object.defineProperty(missing[name], "name", { value: name, configurable: true });
  }
  return missing;
}

export function checkFunction(value: unknown, name: string): asserts value is (...args: unknown[]) => unknown {
  if (typeof value !== "function") throw invalidArgType(name, "of type function", value);
}

export function checkString(value: unknown, name: string): asserts value is string {
  if (typeof value !== "string") throw invalidArgType(name, "of type string", value);
}
