/** `ctx.exports`: the Worker's own entrypoints, as stubs that can also be called for one with other props. */

import { exportNamed, isClass } from "./exports";
import { loopback } from "./env";
import { type Fetcher, makeService } from "./stub";
import { WorkerEntrypoint } from "./workers";

interface Options {
  props?: unknown;
}

function makeLoopback(name: string): object {
  let service: Fetcher | undefined;
  const own = (): Fetcher => (service ??= makeService(name, {}));
  return new Proxy((): void => {}, {
    apply: (_target, _receiver, [options]: [Options?]) => makeService(name, options?.props ?? {}),
    get(_target, property) {
      const value: unknown = Reflect.get(own(), property);
      return property === "fetch" ? (value as () => unknown).bind(own()) : value;
    },
    getPrototypeOf: () => Object.getPrototypeOf(own()) as object,
  });
}

/** Add the entrypoints that the main module exports; object classes are there already. */
export function addEntrypoints(names: readonly string[]): void {
  for (const name of names) {
    const value = exportNamed(name);
    const isEntrypoint = isClass(value)
      ? value.prototype instanceof WorkerEntrypoint
      : name === "default" && typeof value === "object" && value !== null;
    if (isEntrypoint && !Object.hasOwn(loopback, name)) loopback[name] = makeLoopback(name);
  }
}
