/**
 * `node:async_hooks`: values that follow the flow of asynchronous code.
 *
 * They stand on the same context that critical sections use: the engine carries it through every `await` and `then`, timers keep
 * theirs.
 */

import type { Platform } from "../../layers";

/** The async context as `web/scope.ts` has it, with what each `AsyncLocalStorage` holds there. */
interface Context {
  readonly section: number;
  readonly stores?: ReadonlyMap<object, unknown>;
}

type Callback<T> = (...args: never[]) => T;

// biome-ignore lint/suspicious/noExplicitAny: whatever the callback takes is passed on
type Args = any[];

export function asyncHooks({ native, runInContext }: Platform): Record<string, unknown> {
  const current = (): Context | undefined => native.getContext() as Context | undefined;

  function withStore(storage: object, store: unknown): Context {
    const context = current();
    return { ...context, section: context?.section ?? 0, stores: new Map(context?.stores).set(storage, store) };
  }

  /** A function that runs in the context of now, whoever calls it. */
  function bind<T>(callback: Callback<T>): (this: unknown, ...args: Args) => T {
    if (typeof callback !== "function") throw new TypeError('The "fn" argument must be of type function.');
    const context = current();
    return function (this: unknown, ...args: Args): T {
      return runInContext(context, () => Reflect.apply(callback, this, args) as T);
    };
  }

  class AsyncLocalStorage {
    readonly #defaultValue: unknown;
    readonly name: string;

    static bind = bind;

    /** A function that calls another in the context of now. */
    static snapshot(): <T>(callback: Callback<T>, ...args: Args) => T {
      const context = current();
      return (callback, ...args) => runInContext(context, () => callback(...(args as never[])));
    }

    constructor(options: { defaultValue?: unknown; name?: string } = {}) {
      this.#defaultValue = options.defaultValue;
      this.name = options.name === undefined ? "" : `${options.name}`;
    }

    run<T>(store: unknown, callback: Callback<T>, ...args: Args): T {
      return runInContext(withStore(this, store), () => callback(...(args as never[])));
    }

    exit<T>(callback: Callback<T>, ...args: Args): T {
      return this.run(undefined, callback, ...args);
    }

    getStore(): unknown {
      const stores = current()?.stores;
      return stores?.has(this) ? stores.get(this) : this.#defaultValue;
    }

    enterWith(): never {
      throw new Error("asyncLocalStorage.enterWith() is not implemented");
    }

    disable(): never {
      throw new Error("asyncLocalStorage.disable() is not implemented");
    }
  }

  class AsyncResource {
    readonly #context = current();
    readonly type: string;

    static bind<T>(callback: Callback<T>): (this: unknown, ...args: Args) => T {
      return bind(callback);
    }

    constructor(type: string) {
      this.type = type;
    }

    asyncId(): number {
      return 0;
    }

    triggerAsyncId(): number {
      return 0;
    }

    bind<T>(callback: Callback<T>, receiver?: unknown): (this: unknown, ...args: Args) => T {
      return (...args) => this.runInAsyncScope(callback, receiver, ...args);
    }

    runInAsyncScope<T>(callback: Callback<T>, receiver: unknown, ...args: Args): T {
      return runInContext(this.#context, () => Reflect.apply(callback, receiver, args) as T);
    }

    emitDestroy(): this {
      return this;
    }
  }

  return {
    AsyncLocalStorage,
    AsyncResource,
    asyncWrapProviders: {},
    // As on the platform, hooks can be made, and are never called: there is nothing below that would number what is asynchronous.
    createHook: () => ({
      enable() {
        return this;
      },
      disable() {
        return this;
      },
    }),
    executionAsyncId: () => 0,
    executionAsyncResource: () => ({}),
    triggerAsyncId: () => 0,
  };
}
