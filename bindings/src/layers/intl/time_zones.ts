/** Time zones: the host knows their offsets. */

import type { Platform } from "../../layers";

/** From when on (seconds since the epoch) an offset (in seconds) holds; the name is not used. */
type Period = readonly [since: number, name: number, offset: number, summer: boolean];

/** By name; undefined: there is one of that name, and nobody has asked for it. */
type Zones = Record<string, readonly Period[] | undefined>;

interface Zoned {
  tzData: Zones;
}

/** Values of one period as the host sends them. */
const FIELDS = 3;

function periods(flat: readonly number[]): Period[] {
  const list: Period[] = [];
  for (let at = 0; at < flat.length; at += FIELDS)
    list.push([at === 0 ? Number.NEGATIVE_INFINITY : (flat[at] as number), 0, flat[at + 1] as number, flat[at + 2] === 1]);
  return list;
}

/**
 * Let the class find the zones by name; each is asked for when it is first used, and so are their names. UTC is known without the host: the
 * image with `Intl` is made where there is none.
 */
export function useHostTimeZones(DateTimeFormat: Zoned, native: Platform["native"], ops: Platform["ops"]): void {
  const zones: Zones = { UTC: [[Number.NEGATIVE_INFINITY, 0, 0, false]] };
  const get = (target: Zones, name: string): readonly Period[] | undefined => {
    if (Object.hasOwn(target, name)) target[name] ??= periods(native.op(ops.time_zone, [name]) as number[]);
    return target[name];
  };
  const addNames = (): void => {
    for (const name of native.op(ops.time_zones, []) as string[]) if (!Object.hasOwn(zones, name)) zones[name] = undefined;
    DateTimeFormat.tzData = new Proxy(zones, { get });
  };
  DateTimeFormat.tzData = new Proxy(zones, {
    get(target, name: string) {
      if (!Object.hasOwn(target, name)) addNames();
      return get(target, name);
    },
    ownKeys(target) {
      addNames();
      return Reflect.ownKeys(target);
    },
  });
}
