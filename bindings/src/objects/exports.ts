/** The user's main module, between the time it is evaluated and the time its exports are used. */

import { DurableObject } from "./workers";

/** `[name, kind, extends DurableObject, handlers]` as op `loaded` wants it. */
type ExportDescription = [string, "class" | "function" | "object" | "value", boolean, string[]];

export type Constructor = new (ctx: unknown, env: unknown) => object;

let exported: Record<string, unknown> = {};

/** Remember the module's exports. */
export function setMainModule(exports: Record<string, unknown>): void {
  exported = exports;
}

/** An export of the main module. */
export function exportNamed(name: string): unknown {
  return exported[name];
}

/** Whether a value is a class: declared as one, or a constructor function with methods on its prototype. */
export function isClass(value: unknown): value is Constructor {
  if (typeof value !== "function") return false;
  if (Function.prototype.toString.call(value).startsWith("class")) return true;
  const prototype: unknown = value.prototype;
  return typeof prototype === "object" && prototype !== null && Reflect.ownKeys(prototype).length > 1;
}

/** Names of the methods that an object has itself or inherits from anything but `Object`. */
function methodNames(object: object): string[] {
  const names = new Set<string>();
  for (let link: object | null = object; link !== null && link !== Object.prototype; link = Object.getPrototypeOf(link))
    for (const name of Object.getOwnPropertyNames(link)) {
      const { value } = Object.getOwnPropertyDescriptor(link, name) as PropertyDescriptor;
      if (typeof value === "function" && name !== "constructor") names.add(name);
    }
  return [...names];
}

/** Describe the exports to the host. */
export function describeExports(exports: Record<string, unknown>): ExportDescription[] {
  return Object.keys(exports).map((name) => {
    const value = exports[name];
    if (isClass(value))
      return [name, "class", value.prototype instanceof DurableObject, methodNames(value.prototype as object)];
    if (typeof value === "function") return [name, "function", false, []];
    if (typeof value === "object" && value !== null) return [name, "object", false, methodNames(value)];
    return [name, "value", false, []];
  });
}
