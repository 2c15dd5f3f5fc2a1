/** `ExecutionContext`: the `ctx` of a Worker's handlers. */

import { exposeInterface } from "../web";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { watch } from "./background";
import { tracing } from "./tracing";

const OWNER = "ExecutionContext";
const MAKER = Symbol("execution");

export class ExecutionContext {
  readonly tracing = tracing;
  readonly props: Record<string, unknown>;
  readonly exports: Record<string, unknown>;

  constructor(maker: symbol, exports: Record<string, unknown>, props: Record<string, unknown>) {
    if (maker !== MAKER) throw illegalConstructor();
    this.exports = exports;
    this.props = props;
  }

  waitUntil(promise: unknown): void {
    if (arguments.length === 0) throw wrongParameter("waitUntil", OWNER, 1, "Promise");
    watch(promise);
  }

  /** There is no origin behind the Worker that a failed request could be passed to. */
  passThroughOnException(): void {}
}

exposeInterface(OWNER, ExecutionContext);

/** The context of one event. */
export function makeExecutionContext(
  exports: Record<string, unknown>,
  props: Record<string, unknown>,
): ExecutionContext {
  return new ExecutionContext(MAKER, exports, props);
}
