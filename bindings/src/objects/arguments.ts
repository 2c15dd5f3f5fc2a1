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

/** What a dictionary's fields are converted by, in the order in which the platform reads them. */
type Fields = Readonly<Record<string, (value: unknown) => unknown>>;
type Read<F extends Fields> = { -readonly [K in keyof F]?: ReturnType<F[K]> };

export const GET_OPTIONS = { allowConcurrency: Boolean, noCache: Boolean };
const PUT_OPTIONS = { allowConcurrency: Boolean, allowUnconfirmed: Boolean, noCache: Boolean };

export function text(value: unknown): string {
  return `${value as string}`;
}

/**
 * The fields of an options dictionary, read and converted one after the other.
 *
 * @throws TypeError unless it is one, and whatever a field's conversion throws.
 */
export function readOptions<F extends Fields>(
  value: unknown,
  fields: F,
  method: string,
  owner: string,
  position: number,
  type: string,
): Read<F> {
  const given = optionsOf<Record<string, unknown>>(value, method, owner, position, type);
  const read: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const field = given[name];
    if (field !== undefined) read[name] = (fields[name] as Fields[string])(field);
  }
  return read as Read<F>;
}

/** Whether, by its `PutOptions`, a write need not hold outputs. */
export function writesUnconfirmed(options: unknown, method: string, owner: string, position: number): boolean {
  return readOptions(options, PUT_OPTIONS, method, owner, position, "PutOptions").allowUnconfirmed ?? false;
}
