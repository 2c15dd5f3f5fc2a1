/** Iteration of classes that are lists of pairs: `Headers` and `FormData`. */

import { exposeInterface, illegalConstructor, type Interface } from "./interface";

export type PairIterator<T> = IterableIterator<T>;

const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;

/** A prototype of iterators whose `toString` tag is its name. */
function makePrototype<T>(name: string, advance: (state: State<T>) => IteratorResult<T, undefined>): object {
  return Object.create(IteratorPrototype, {
    next: {
      value: function next(this: object): IteratorResult<T, undefined> {
        const state = states.get(this) as State<T> | undefined;
        if (state === undefined) throw new TypeError("Illegal invocation");
        return advance(state);
      },
      writable: true,
      enumerable: true,
      configurable: true,
    },
    [Symbol.toStringTag]: { value: name, configurable: true },
  });
}

interface State<T> {
  /** The item at that index; undefined past the last. */
  readonly at: (index: number) => T | undefined;
  next: number;
}

const states = new WeakMap<object, State<unknown>>();

function makeIteratorClass<T>(name: string): (at: State<T>["at"]) => PairIterator<T> {
  const prototype = makePrototype<T>(name, (state) => {
    const value = state.at(state.next);
    if (value === undefined) return { value: undefined, done: true };
    state.next++;
    return { value, done: false };
  });
  return (at) => {
    const iterator = Object.create(prototype) as PairIterator<T>;
    states.set(iterator, { at, next: 0 });
    return iterator;
  };
}

/**
 * A class of iterators over something else.
 *
 * @param method The source's method whose result that of an iterator's `next` is.
 * @returns Makes such an iterator.
 */
export function iteratorClass<M extends string, T>(
  name: string,
  method: M,
): (source: Record<M, () => IteratorResult<T, undefined>>) => IterableIterator<T> {
  type S = Record<M, () => IteratorResult<T, undefined>>;
  const maker = Symbol(name);
  const constructor = class {
    readonly #source: S;

    constructor(given: symbol, source: S) {
      if (given !== maker) throw illegalConstructor();
      this.#source = source;
    }

    next(): IteratorResult<T, undefined> {
      return this.#source[method]();
    }
  };
  exposeInterface(name, constructor);
  Object.setPrototypeOf(constructor.prototype, IteratorPrototype);
  return (source) => new constructor(maker, source) as unknown as IterableIterator<T>;
}

/**
 * Give a class `entries`, `keys`, `values` and itself as an iterable.
 *
 * @param pairsOf Finds the pairs of an instance; what it returns is asked again for each, and may tell of changes meanwhile.
 */
export function exposeIterators<T extends {}>(
  constructor: Interface,
  pairsOf: (instance: object) => () => readonly (readonly [string, T])[],
): void {
  const makeEntries = makeIteratorClass<[string, T]>("EntryIterator");
  const makeKeys = makeIteratorClass<string>("KeyIterator");
  const makeValues = makeIteratorClass<T>("ValueIterator");
  const methods = {
    entries(this: object) {
      const pairs = pairsOf(this);
      return makeEntries((index) => {
        const pair = pairs()[index];
        return pair && [pair[0], pair[1]];
      });
    },
    keys(this: object) {
      const pairs = pairsOf(this);
      return makeKeys((index) => pairs()[index]?.[0]);
    },
    values(this: object) {
      const pairs = pairsOf(this);
      return makeValues((index) => pairs()[index]?.[1]);
    },
  };
  for (const [name, method] of Object.entries(methods)) define(constructor, name, method);
  define(constructor, Symbol.iterator, methods.entries);
}

function define(constructor: Interface, name: PropertyKey, method: unknown): void {
  Object.defineProperty(constructor.prototype, name, {
    value: method,
    writable: true,
    enumerable: typeof name === "string",
    configurable: true,
  });
}
