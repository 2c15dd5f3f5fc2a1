/** Which members of a value can be reached from outside, and the way along a path of them. */

import { isObject } from "../web/interface";
import { type Callee, calleeOf } from "./stubs";
import { RpcTarget } from "./target";

/** How members of a value are looked up. */
export interface Lookup {
  /** Names that are never reached. */
  readonly reserved: ReadonlySet<string>;
  /** Only what the class and the classes above it declare; otherwise only what the value itself has. */
  readonly byClass: boolean;
}

const TARGET: Lookup = { reserved: new Set(["dup", "constructor"]), byClass: true };
const PLAIN: Lookup = { reserved: new Set(), byClass: false };

function notImplemented(name: string): TypeError {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

function memberOf(holder: object, name: string, { reserved, byClass }: Lookup): unknown {
  if (reserved.has(name)) throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  if (!byClass) {
    if (Object.hasOwn(holder, name)) return Reflect.get(holder, name);
    throw notImplemented(name);
  }
  // What the instance itself has hides the class's member, and is not reached either.
  if (!Object.hasOwn(holder, name))
    for (
      let link: object | null = Object.getPrototypeOf(holder);
      link !== null && link !== Object.prototype;
      link = Object.getPrototypeOf(link)
    )
      if (Object.hasOwn(link, name)) return Reflect.get(link, name, holder);
  throw notImplemented(name);
}

/** Where a path has led: to a value and the object that has it, or to a stub, from which the rest is followed elsewhere. */
export type Place =
  | { readonly value: unknown; readonly holder: unknown }
  | { readonly callee: Callee; readonly rest: readonly string[] };

/**
 * Follow a path.
 *
 * @param root Where it begins.
 * @param lookup How the root's own members are looked up; by what it is if not given.
 * @throws TypeError when there is nothing.
 */
export function follow(root: object, path: readonly string[], lookup?: Lookup): Place {
  let holder: unknown;
  let value: unknown = root;
  for (let i = 0; i <= path.length; i++) {
    const callee = isObject(value) ? calleeOf(value) : undefined;
    if (callee !== undefined) return { callee, rest: path.slice(i) };
    if (i === path.length) break;
    const name = path[i] as string;
    if (!isObject(value)) throw notImplemented(name);
    holder = value;
    value = memberOf(value, name, i === 0 && lookup !== undefined ? lookup : value instanceof RpcTarget ? TARGET : PLAIN);
  }
  return { value, holder };
}

/** @throws TypeError for what a path led to that cannot be called. */
export function checkCallable(value: unknown, path: readonly string[]): asserts value is (...args: unknown[]) => unknown {
  if (typeof value !== "function") throw new TypeError(`"${path.at(-1) ?? ""}" is not a function.`);
}
