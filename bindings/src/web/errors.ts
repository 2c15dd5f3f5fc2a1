/** Errors on their way between JavaScript and the host. */

import { native } from "../native";
import { DOMException, isDomExceptionName } from "./dom_exception";

/** `[name, message, stack, properties]`: how errors travel. */
export type DescribedError = [name: string, message: string, stack: string, properties: Record<string, unknown>];

/** Classes that an error of the same name gets back. */
const CLASSES: Readonly<Record<string, new (message: string) => Error>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** A larger thrown value is described instead of copied. */
const MAX_THROWN = 1024 * 1024;

/** Flags of an error that its receiver may rely on. */
const PROPERTIES = ["remote", "retryable", "overloaded", "durableObjectReset", "durableObjectId"];

/**
 * Make the error that the host, or C, describes.
 *
 * A name that is no error class of the language makes a `DOMException` when `DOMException` has such names, else an
 * `Error` with that name.
 *
 * @param stack Its stack; when empty, the stack of the place where it is made stays.
 */
export function makeError(
  name: string,
  message: string,
  stack?: string,
  properties?: Readonly<Record<string, unknown>>,
): Error {
  const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  let error: Error;
  if (known !== undefined) error = new known(message);
  else if (isDomExceptionName(name)) error = new DOMException(message, name);
  else {
    error = new Error(message);
    Object.defineProperty(error, "name", { value: name, writable: true, configurable: true });
  }
  if (stack) Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
  if (properties !== undefined) Object.assign(error, properties);
  return error;
}

/**
 * The error of work elsewhere that failed.
 *
 * @param thrown What was thrown there, serialized; undefined when it could not be copied, or nothing was thrown.
 */
export function receiveError(described: DescribedError, thrown: ArrayBuffer | undefined): unknown {
  if (thrown === undefined) return makeError(...described);
  let value: unknown;
  try {
    value = native.deserialize(thrown);
  } catch {
    return makeError(...described);
  }
  if (typeof value !== "object" || value === null) return makeError(...described);
  // Where it failed is the other side's business, unless the host says so.
  const [, , stack, properties] = described;
  if (value instanceof Error)
    Object.defineProperty(value, "stack", {
      value: stack === "" ? `${value.name}: ${value.message}` : stack,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  return Object.assign(value, properties);
}

/** What was thrown, serialized for `receiveError`; undefined when it cannot be copied. */
export function serializeThrown(error: unknown): ArrayBuffer | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  try {
    const thrown = native.serialize(error, true);
    return thrown.byteLength <= MAX_THROWN ? thrown : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "";
  }
}

/** What a thrown value says of itself; never throws, whatever its getters do. */
export function describeError(error: unknown): DescribedError {
  if (!(error instanceof Error)) return ["Error", textOf(error), "", {}];
  const properties: Record<string, unknown> = {};
  try {
    for (const property of PROPERTIES) {
      const value: unknown = (error as unknown as Record<string, unknown>)[property];
      if (typeof value === "boolean" || typeof value === "string") properties[property] = value;
    }
    return [textOf(error.name), textOf(error.message), textOf(error.stack ?? ""), properties];
  } catch {
    return ["Error", "", "", properties];
  }
}
