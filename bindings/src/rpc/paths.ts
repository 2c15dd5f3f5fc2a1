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

/** Whether members of a value can be reached: those of data other than plain objects cannot. */
function hasMembers(value: unknown): value is object {
  return isObject(value) && (typeof value === "function" || value instanceof RpcTarget || Object.getPrototypeOf(value) === Object.prototype);
}

/** What a path stands still at, whose next name is at that position. */
function noMembers(path: readonly string[], position: number): TypeError {
  return notImplemented(path[Math.max(position - 1, 0)] as string);
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
export function follow(root: unknown, path: readonly string[], lookup?: Lookup): Place {
  let holder: unknown;
  let value: unknown = root;
  for (let i = 0; i <= path.length; i++) {
    const callee = isObject(value) ? calleeOf(value) : undefined;
    if (callee !== undefined) return { callee, rest: path.slice(i) };
    if (i === path.length) break;
    const name = path[i] as string;
    const declared = i === 0 ? lookup : undefined;
    if (declared === undefined && !hasMembers(value)) throw noMembers(path, i);
    const object = value as object;
    holder = object;
    value = memberOf(object, name, declared ?? (object instanceof RpcTarget ? TARGET : PLAIN));
  }
  return { value, holder };
}

/** What calling something throws that a path led to and that cannot be called. */
export function notCallable(path: readonly string[]): TypeError {
  return new TypeError(`"${path.length === 0 ? "(this)" : path.join(".")}" is not a function.`);
}

/** Whether a name is that of an element of an array: such are never sent. */
export function isIndex(name: string): boolean {
  return INDEX.test(name) && Number(name) < 2 ** 32 - 1;
}

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** @throws TypeError for what a path led to that cannot be called. */
export function checkCallable(value: unknown, path: readonly string[]): asserts value is (...args: unknown[]) => unknown {
  if (typeof value !== "function") throw notCallable(path);
}
