/** Arguments that several methods take. */

import { isObject, wrongParameter } from "../web/interface";

/**
 * An options dictionary as a method may read it: `undefined` and `null` are empty, objects pass.
 *
 * @throws TypeError for any other value.
 */
export function optionsOf<T extends object>(
  value: unknown,
  method: string,
  owner: string,
  position: number,
  type: string,
): Partial<T> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw wrongParameter(method, owner, position, type);
  return value;
}
