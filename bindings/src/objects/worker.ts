/** The Worker: its entrypoints (the default export, and exported classes) and their fetch handlers, in whatever form the project has them. */

import { native } from "../native";
import type { Lookup } from "../rpc/paths";
import type { Request } from "../web";
import { answerFetch, fail, noFetchHandler } from "./answers";
import { Invocation } from "../web/invocations";
import { invocationContext, runInContext } from "../web/scope";
import { env, loopback } from "./env";
import { type ExecutionContext, makeExecutionContext } from "./execution";
import { exportNamed, isClass } from "./exports";
import { RESERVED } from "./instance";
import { dispatchFetch, hasFetchListener } from "./listeners";
import { WorkerEntrypoint } from "./workers";

/** `entry` in `protocol.py`: null for the default export. */
export type Entry = readonly [name: string | null, props: ArrayBuffer] | null;

const NO_RPC =
  "The receiving Worker does not export the entrypoint as a class that `extends WorkerEntrypoint`, or as an object of methods, so it does not support RPC.";

const BY_CLASS: Lookup = { reserved: RESERVED, byClass: true };
const OF_OBJECT: Lookup = { reserved: RESERVED, byClass: false };

function contextOf(entry: Entry): ExecutionContext {
  return makeExecutionContext(loopback, entry === null ? {} : (native.deserialize(entry[1]) as Record<string, unknown>));
}

function exportOf(entry: Entry): unknown {
  return exportNamed(entry?.[0] ?? "default");
}

/** Event `fetch`, for the Worker. */
export function fetchWorker(number: number, request: Request, entry: Entry, origin: number): void {
  const invocation = new Invocation(false);
  runInContext(invocationContext(origin, invocation), () => {
    let result: unknown;
    try {
      result = handle(request, entry);
    } catch (error) {
      fail(number, error);
      invocation.end();
      return;
    }
    void answerFetch(number, result, invocation);
  });
}

function handle(request: Request, entry: Entry): unknown {
  const found = exportOf(entry);
  if (found === undefined && hasFetchListener()) return dispatchFetch(request);
  const context = contextOf(entry);
  if (isClass(found)) return callHandler(new found(context, env), [request]);
  if (typeof found !== "object" || found === null) throw noFetchHandler();
  return callHandler(found, [request, env, context]);
}

function callHandler(receiver: { fetch?: unknown }, args: unknown[]): unknown {
  const handler = receiver.fetch;
  if (typeof handler !== "function") throw noFetchHandler();
  return Reflect.apply(handler, receiver, args);
}

/** Where a call of an entrypoint begins: a new instance of a class, or an object whose methods get `env` and `ctx` after the argument. */
export function entrypointRoot(entry: Entry): { target: object; lookup: Lookup; more?: readonly unknown[] } {
  const found = exportOf(entry);
  const context = contextOf(entry);
  if (isClass(found) && found.prototype instanceof WorkerEntrypoint)
    return { target: new found(context, env), lookup: BY_CLASS };
  if (typeof found === "object" && found !== null) return { target: found, lookup: OF_OBJECT, more: [env, context] };
  throw new TypeError(NO_RPC);
}
