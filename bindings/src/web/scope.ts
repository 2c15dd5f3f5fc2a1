/**
 * Where code runs: at global scope or in an event, and in which critical section.
 *
 * Modules are evaluated before there is an event. What they may not do then (I/O, timers, randomness) would
 * otherwise be baked into the image that every object starts from.
 */

import { isolate } from "../isolate";
import { native } from "../native";
import type { Invocation } from "./invocations";

/** The async context; others keep more in it (see layers/node/async_hooks.ts). */
interface Context {
  /** The critical section that runs, 0 for none. */
  readonly section: number;
  /** The event of a Worker that it goes back to. */
  readonly invocation?: Invocation;
  /** What `withEnv` and its relatives have put in the place of `env` and `exports`. */
  readonly environment?: Environment;
  /** The active one of `tracing`. */
  readonly span?: object;
}

/** Substitutes for what `cloudflare:workers` exports. */
export interface Environment {
  readonly env?: object;
  readonly exports?: object;
}

/** Event `start`: from now on user code runs in events. */
export function leaveGlobalScope(): void {
  isolate.atGlobalScope = false;
}

/** @throws Error in the platform's words, at global scope. */
export function checkIoAllowed(): void {
  if (isolate.atGlobalScope)
    throw new Error(
      "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a " +
        "timeout, and generating random values are not allowed within global scope. To fix this error, perform this " +
        "operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/",
    );
}

/** Number of the critical section that the running code belongs to, 0 for none. */
export function currentSection(): number {
  const context = native.getContext() as Context | undefined;
  return context === undefined ? 0 : context.section;
}

/** A context like the given one, in the section with that number. */
export function withSection(context: unknown, section: number): unknown {
  return { ...(context as Context | undefined), section };
}

/** The context in which an event of a Worker is handled. */
export function invocationContext(section: number, invocation: Invocation): unknown {
  return { section, invocation } satisfies Context;
}

/** The substitutes that are in force. */
export function currentEnvironment(): Environment | undefined {
  return (native.getContext() as Context | undefined)?.environment;
}

/** A context like the given one, with these substitutes besides those that it has. */
export function withEnvironment(context: unknown, substitutes: Environment): unknown {
  const outside = context as Context | undefined;
  return { ...outside, section: outside?.section ?? 0, environment: { ...outside?.environment, ...substitutes } };
}

/** The span that is active. */
export function currentSpan(): object | undefined {
  return (native.getContext() as Context | undefined)?.span;
}

/** A context like the given one, with this span active. */
export function withSpan(context: unknown, span: object): unknown {
  const outside = context as Context | undefined;
  return { ...outside, section: outside?.section ?? 0, span };
}

/** Handle an event; what it leads to carries its origin to the host, if it has one. */
export function runFrom(origin: number, handle: () => void): void {
  if (origin === 0) handle();
  else runInContext(withSection(undefined, origin), handle);
}

/** Call a function in a context; whatever comes of it is in that context too. */
export function runInContext<T>(context: unknown, call: () => T): T {
  const outside = native.getContext();
  if (outside === context) return call();
  native.setContext(context);
  try {
    return call();
  } finally {
    native.setContext(outside);
  }
}
