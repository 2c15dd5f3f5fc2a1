/** Tracing channels: the five channels of one action, from its start to its end. */

import { checkFunction, invalidArgType } from "../node_errors";
import { Channel, channel } from "./channel";

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

type Event = (typeof EVENTS)[number];
type Handlers = Partial<Record<Event, (message: unknown) => void>>;
type Context = { result?: unknown; error?: unknown };
type Fn = (...args: unknown[]) => unknown;

export class TracingChannel implements Record<Event, Channel> {
  readonly start!: Channel;
  readonly end!: Channel;
  readonly asyncStart!: Channel;
  readonly asyncEnd!: Channel;
  readonly error!: Channel;

  constructor(nameOrChannels: string | Partial<Record<Event, Channel>>) {
    for (const event of EVENTS) {
      const value = typeof nameOrChannels === "string" ? channel(`tracing:${nameOrChannels}:${event}`) : nameOrChannels[event];
      if (!(value instanceof Channel)) throw invalidArgType(`nameOrChannels.${event}`, "an instance of Channel", value);
      Object.defineProperty(this, event, { value, enumerable: true });
    }
  }

  get hasSubscribers(): boolean {
    return EVENTS.some((event) => this[event].hasSubscribers);
  }

  subscribe(handlers: Handlers): void {
    for (const event of EVENTS) if (handlers[event]) this[event].subscribe(handlers[event]);
  }

  unsubscribe(handlers: Handlers): boolean {
    return EVENTS.map((event) => !handlers[event] || this[event].unsubscribe(handlers[event])).every(Boolean);
  }

  traceSync(call: Fn, context: Context = {}, receiver?: unknown, ...args: unknown[]): unknown {
    return this.#around(context, () => {
      context.result = Reflect.apply(call, receiver, args);
      return context.result;
    });
  }

  tracePromise(call: Fn, context: Context = {}, receiver?: unknown, ...args: unknown[]): unknown {
    return this.#around(context, () =>
      Promise.resolve(Reflect.apply(call, receiver, args)).then(
        (result) => {
          this.#settled(context, { result });
          return result;
        },
        (error: unknown) => {
          this.#settled(context, { error });
          throw error;
        },
      ),
    );
  }

  /** @param position Where among the arguments the callback is; the last without it. */
  traceCallback(call: Fn, position = -1, context: Context = {}, receiver?: unknown, ...args: unknown[]): unknown {
    const callback = args.at(position) as Fn;
    checkFunction(callback, "callback");
    const told = (...results: unknown[]): unknown => {
      const [error, result] = results;
      Object.assign(context, error ? { error } : { result });
      if (error) this.error.publish(context);
      return this.asyncStart.runStores(context, () => {
        try {
          return callback(...results);
        } finally {
          this.asyncEnd.publish(context);
        }
      });
    };
    args.splice(position, 1, told);
    return this.#around(context, () => Reflect.apply(call, receiver, args));
  }

  #around(context: Context, call: () => unknown): unknown {
    if (!this.hasSubscribers) return call();
    return this.start.runStores(context, () => {
      try {
        return call();
      } catch (error) {
        context.error = error;
        this.error.publish(context);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }

  #settled(context: Context, outcome: Context): void {
    Object.assign(context, outcome);
    if ("error" in outcome) this.error.publish(context);
    this.asyncStart.publish(context);
    this.asyncEnd.publish(context);
  }
}

export function tracingChannel(nameOrChannels: string | Partial<Record<Event, Channel>>): TracingChannel {
  return new TracingChannel(nameOrChannels);
}
