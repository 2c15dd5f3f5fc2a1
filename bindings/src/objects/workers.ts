/** The module `cloudflare:workers`. */

import { checkIoAllowed, exposeInterface } from "../web";
import { wrongConstructorParameter } from "../web/interface";
import { watch } from "./background";
import { env, loopback } from "./env";
import { ExecutionContext } from "./execution";
import { DurableObjectState } from "./state";

/** Base class of objects; what makes their methods callable through stubs. */
export class DurableObject {
  readonly ctx: DurableObjectState;
  readonly env: Record<string, unknown>;

  constructor(ctx: DurableObjectState, env: Record<string, unknown>) {
    if (!(ctx instanceof DurableObjectState))
      throw wrongConstructorParameter("DurableObjectBase", 1, "DurableObjectState");
    this.ctx = ctx;
    this.env = env;
  }
}

function checkExecutionContext(ctx: unknown, owner: string): void {
  if (typeof ctx !== "object" || ctx === null) throw wrongConstructorParameter(owner, 1, "Object");
}

/** Base class of a Worker's entrypoints; one instance for each event. */
export class WorkerEntrypoint {
  readonly ctx: ExecutionContext;
  readonly env: Record<string, unknown>;

  constructor(ctx: ExecutionContext, env: Record<string, unknown>) {
    checkExecutionContext(ctx, "WorkerEntrypoint");
    this.ctx = ctx;
    this.env = env;
  }
}

/** Base class of workflows. */
export class WorkflowEntrypoint {
  readonly ctx: ExecutionContext;
  readonly env: Record<string, unknown>;

  constructor(ctx: ExecutionContext, env: Record<string, unknown>) {
    checkExecutionContext(ctx, "WorkflowEntrypoint");
    this.ctx = ctx;
    this.env = env;
  }
}

/** Base class of values whose methods are called where they were made. */
export class RpcTarget {}

exposeInterface("DurableObject", DurableObject);
exposeInterface("WorkerEntrypoint", WorkerEntrypoint);
exposeInterface("WorkflowEntrypoint", WorkflowEntrypoint);
exposeInterface("RpcTarget", RpcTarget);

/** `ctx.waitUntil` of the current event. */
function waitUntil(promise: unknown): void {
  checkIoAllowed();
  watch(promise);
}

/** What an import of the module gives. */
export const workersModule = {
  DurableObject,
  RpcTarget,
  WorkerEntrypoint,
  WorkflowEntrypoint,
  env,
  exports: loopback,
  waitUntil,
};
