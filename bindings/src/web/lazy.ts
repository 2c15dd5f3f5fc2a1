/** Globals that are made when somebody looks at them. */

/** Names of such globals that nobody has looked at. */
const waiting = new Set<string>();

/** @param make Called once at most: what it gives, or what is assigned before, is the value. */
export function defineLazily(name: string, make: () => unknown, enumerable: boolean): void {
  const settle = (value: unknown): void => {
    waiting.delete(name);
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
  };
  waiting.add(name);
  Object.defineProperty(globalThis, name, {
    get() {
      const value = make();
      settle(value);
      return value;
    },
    set: settle,
    enumerable,
    configurable: true,
  });
}

/** Make those of these globals that are still to be made, for the image that objects start from. */
export function makeNow(names: readonly string[]): void {
  for (const name of names) if (waiting.has(name)) void (globalThis as Record<string, unknown>)[name];
}
