/**
 * Values for Python: plain data.
 *
 *     undefined, null, boolean, number, string    themselves (undefined as null, lone surrogates as U+FFFD)
 *     bigint                                      itself, within 64 bits
 *     Date                                        its ISO 8601 text, null when invalid
 *     ArrayBuffer and views                       bytes
 *     Array, Set                                  array
 *     Map, and any other object                   object of its own enumerable properties, keys as strings
 *     boxed primitives                            what they box
 *     function, symbol, promise inside a value    `DataCloneError`
 *     cycles, more than 200 levels                `TypeError`
 */

import { DOMException } from "../web";

/** Levels of nesting in a result; the host's decoder has to walk them too. */
const MAX_DEPTH = 200;

/** @throws DOMException, TypeError for what has no plain form. */
export function plain(value: unknown): unknown {
  return toPlain(value, 0, new Set());
}

function uncloneable(value: unknown): DOMException {
  return new DOMException(`${String(value)} could not be cloned.`, "DataCloneError");
}

function toPlain(value: unknown, depth: number, path: Set<object>): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw uncloneable(value);
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value ?? null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value;
  if (value instanceof String) return value.valueOf().toWellFormed();
  if (value instanceof Number || value instanceof Boolean) return value.valueOf();
  if (value instanceof Promise) throw uncloneable("#<Promise>");
  if (path.has(value)) throw new TypeError("The result contains itself, which plain data cannot express.");
  if (depth === MAX_DEPTH) throw new TypeError(`The result is nested more than ${MAX_DEPTH} levels deep.`);
  path.add(value);
  const plain = toPlainContainer(value, depth + 1, path);
  path.delete(value);
  return plain;
}

function toPlainContainer(value: object, depth: number, path: Set<object>): unknown {
  if (Array.isArray(value) || value instanceof Set)
    return Array.from(value as Iterable<unknown>, (item) => toPlain(item, depth, path));
  const plain: Record<string, unknown> = {};
  const entries = value instanceof Map ? value.entries() : Object.entries(value);
  for (const [key, item] of entries)
    // Not an assignment: a key may be `__proto__`.
    Object.defineProperty(plain, String(key).toWellFormed(), {
      value: toPlain(item, depth, path),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  return plain;
}
