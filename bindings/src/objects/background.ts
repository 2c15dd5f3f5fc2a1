/**
 * `waitUntil`: work that goes on after the answer.
 *
 * Its timers, subrequests and stream reads keep the object in memory by themselves, since the host counts them; all
 * that is left to do here is to report a failure that nobody else would see.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "../web";
import { currentInvocation } from "../web/invocations";

/** Report a reason that nobody handled. */
export function reportRejection(reason: unknown): void {
  native.op(OP.unhandled_rejection, [describeError(reason)]);
}

/** Report the promise's rejection, if it comes to that. A Worker's invocation goes on until it has settled. */
export function watch(promise: unknown): void {
  const invocation = currentInvocation();
  invocation?.begin();
  Promise.resolve(promise)
    .then(undefined, reportRejection)
    .then(() => invocation?.end());
}
