/**
 * What makes our classes look like the platform's own: property attributes and names as Web IDL asks for, and the
 * platform's words for wrong arguments.
 */

import { showsItsProperties } from "./inspect";

export * from "./misuse";

// biome-ignore lint/suspicious/noExplicitAny: any class
export type Interface = abstract new (...args: any[]) => object;

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
