/** The Worker: the default export's fetch handler, in whatever form the project has it. */

import type { Request } from "../web";
import { answerFetch, fail, noFetchHandler } from "./answers";
import { env, loopback } from "./env";
import { makeExecutionContext } from "./execution";
import { dispatchFetch, hasFetchListener } from "./listeners";
import { exportNamed, isClass } from "./exports";

/** Event `fetch`, for the Worker. */
export function fetchWorker(number: number, request: Request): void {
  let result: unknown;
  try {
    result = handle(request);
  } catch (error) {
    fail(number, error);
    return;
  }
  void answerFetch(number, result);
}

function handle(request: Request): unknown {
  const entry = exportNamed("default");
  if (entry === undefined && hasFetchListener()) return dispatchFetch(request);
  const context = makeExecutionContext(loopback);
  if (isClass(entry)) return handlerOf(new entry(context, env))(request);
  if (typeof entry !== "object" || entry === null) throw noFetchHandler();
  return handlerOf(entry)(request, env, context);
}

function handlerOf(receiver: { fetch?: unknown }): (...args: unknown[]) => unknown {
  const handler = receiver.fetch;
  if (typeof handler !== "function") throw noFetchHandler();
  return handler.bind(receiver) as (...args: unknown[]) => unknown;
}
