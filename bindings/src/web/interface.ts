/**
 * What makes our classes look like the platform's own: property attributes and names as Web IDL asks for, and the
 * platform's words for wrong arguments.
 */

import { showsItsProperties } from "./inspect";

const ILLEGAL_INVOCATION =
  "Illegal invocation: function called with incorrect `this` reference. " +
  "See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.";

// biome-ignore lint/suspicious/noExplicitAny: any class
export type Interface = abstract new (...args: any[]) => object;

/** A method or getter was called on something else than an instance of its class. */
export function illegalInvocation(): TypeError {
  return new TypeError(ILLEGAL_INVOCATION);
}

/** `new` on a class of which only the runtime makes instances. */
export function illegalConstructor(): TypeError {
  return new TypeError("Illegal constructor");
}

/** What a method throws when a parameter (counted from 1) has the wrong type or is missing. */
export function wrongParameter(method: string, owner: string, position: number, type: string): TypeError {
  return new TypeError(`Failed to execute '${method}' on '${owner}': parameter ${position} is not of type '${type}'.`);
}

/** The same for a constructor. */
export function wrongConstructorParameter(owner: string, position: number, type: string): TypeError {
  return new TypeError(
    `Failed to construct '${owner}': constructor parameter ${position} is not of type '${type}'.`,
  );
}

/** The same for a member of an options object. */
export function wrongField(field: string, dictionary: string, type: string): TypeError {
  return new TypeError(
    `Incorrect type for the '${field}' field on '${dictionary}': the provided value is not of type '${type}'.`,
  );
}

/** Whether a value can carry properties. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

const prototypes = new Set<object>();

/** Whether a value is an instance of a class that `exposeInterface` was given, or of one that extends it. */
export function isPlatformObject(value: object): boolean {
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at))
    if (prototypes.has(at)) return true;
  return false;
}

/**
 * Give a class its public name and its members the attributes of Web IDL members: enumerable, and the class's name as
 * `Object.prototype.toString` tag.
 */
export function exposeInterface(name: string, constructor: Interface): void {
  const prototype = constructor.prototype as object;
  prototypes.add(prototype);
  Object.defineProperty(constructor, "name", { value: name, configurable: true });
  Object.defineProperty(constructor, "length", { value: 0, configurable: true });
  makeEnumerable(prototype, NOT_MEMBERS);
  makeEnumerable(constructor, NOT_STATIC_MEMBERS);
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, writable: true, configurable: true });
  showsItsProperties(prototype);
}

/** Constants are members of the class and of its instances. */
export function exposeConstants(constructor: Interface, constants: Readonly<Record<string, number>>): void {
  for (const name of Object.keys(constants)) {
    const constant = { value: constants[name], enumerable: true };
    Object.defineProperty(constructor, name, constant);
    Object.defineProperty(constructor.prototype, name, constant);
  }
}

const NOT_MEMBERS = new Set(["constructor"]);
const NOT_STATIC_MEMBERS = new Set(["length", "name", "prototype"]);

function makeEnumerable(holder: object, hidden: ReadonlySet<string>): void {
  for (const name of Object.getOwnPropertyNames(holder))
    if (!hidden.has(name)) Object.defineProperty(holder, name, { enumerable: true });
}
