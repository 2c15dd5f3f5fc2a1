/** Errors that no user code is there to catch: of timers and event listeners. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "./errors";

export function reportUncaught(error: unknown): void {
  native.op(OP.unhandled_rejection, [describeError(error)]);
}
