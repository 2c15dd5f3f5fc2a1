/** Channels: named places where parts of a program tell others what they do. */

import { checkFunction, invalidArgType } from "../node_errors";

type Name = string | symbol;
type Subscriber = (message: unknown, name: Name) => void;

/** An `AsyncLocalStorage`. */
interface Store {
  run<T>(store: unknown, callback: () => T): T;
}

type Transform = (context: unknown) => unknown;

/** An error of a subscriber is nobody's but its own. */
function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

export class Channel {
  readonly name: Name;
  /** Replaced, never changed: a subscriber may come or go while one is told. */
  #subscribers: readonly Subscriber[] = [];
  readonly #stores = new Map<Store, Transform | undefined>();

  constructor(name: Name) {
    this.name = name;
  }

  get hasSubscribers(): boolean {
    return this.#subscribers.length > 0 || this.#stores.size > 0;
  }

  subscribe(subscriber: unknown): void {
    checkFunction(subscriber, "subscription");
    this.#subscribers = [...this.#subscribers, subscriber as Subscriber];
  }

  unsubscribe(subscriber: unknown): boolean {
    const at = this.#subscribers.indexOf(subscriber as Subscriber);
    if (at === -1) return false;
    this.#subscribers = this.#subscribers.toSpliced(at, 1);
    return true;
  }

  publish(message: unknown): void {
    for (const subscriber of this.#subscribers)
      try {
        subscriber(message, this.name);
      } catch (error) {
        report(error);
      }
  }

  bindStore(store: Store, transform?: Transform): void {
    this.#stores.set(store, transform);
  }

  unbindStore(store: Store): boolean {
    return this.#stores.delete(store);
  }

  /** Call a function with the stores set to the context, and tell the subscribers. */
  runStores(context: unknown, callback: (...args: unknown[]) => unknown, receiver?: unknown, ...args: unknown[]): unknown {
    let run = (): unknown => {
      this.publish(context);
      return Reflect.apply(callback, receiver, args);
    };
    for (const [store, transform] of this.#stores) {
      const inner = run;
      run = () => {
        let value = context;
        if (transform !== undefined)
          try {
            value = transform(context);
          } catch (error) {
            report(error);
            return inner();
          }
        return store.run(value, inner);
      };
    }
    return run();
  }
}

/** Weakly held: a channel lives as long as somebody has it or listens to it. */
const channels = new Map<Name, WeakRef<Channel>>();
const listened = new Set<Channel>();

export function channel(name: unknown): Channel {
  if (typeof name !== "string" && typeof name !== "symbol") throw invalidArgType("channel", "one of type string or symbol", name);
  let found = channels.get(name)?.deref();
  if (found === undefined) {
    found = new Channel(name);
    channels.set(name, new WeakRef(found));
  }
  return found;
}

export function subscribe(name: unknown, subscriber: unknown): void {
  const found = channel(name);
  found.subscribe(subscriber);
  listened.add(found);
}

export function unsubscribe(name: unknown, subscriber: unknown): boolean {
  const found = channel(name);
  const removed = found.unsubscribe(subscriber);
  if (!found.hasSubscribers) listened.delete(found);
  return removed;
}

export function hasSubscribers(name: Name): boolean {
  return channels.get(name)?.deref()?.hasSubscribers ?? false;
}
