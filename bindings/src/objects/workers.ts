/** The module `cloudflare:workers`. */

import { RpcPromise, RpcProperty, RpcStub } from "../rpc/stubs";
import { RpcTarget } from "../rpc/target";
import { checkIoAllowed, exposeInterface } from "../web";
import { wrongConstructorParameter } from "../web/interface";
import { watch } from "./background";
import { moduleEnv, moduleExports, withEnv, withEnvAndExports, withExports } from "./env";
import { ExecutionContext } from "./execution";
import { DurableObjectState } from "./state";
import { ServiceStub } from "./stub";
import { tracing } from "./tracing";

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

exposeInterface("DurableObject", DurableObject);
exposeInterface("WorkerEntrypoint", WorkerEntrypoint);
exposeInterface("WorkflowEntrypoint", WorkflowEntrypoint);

/** `ctx.waitUntil` of the current event. */
function waitUntil(promise: unknown): void {
  checkIoAllowed();
  watch(promise);
}

/** What an import of the module gives. */
export const workersModule = {
  DurableObject,
  RpcPromise,
  RpcProperty,
  RpcStub,
  RpcTarget,
  ServiceStub,
  WorkerEntrypoint,
  WorkflowEntrypoint,
  cache: {}, // Cloudflare's `purge` has nothing to purge; it is missing in the open-source workerd, too.
  env: moduleEnv,
  exports: moduleExports,
  tracing,
  waitUntil,
  withEnv,
  withEnvAndExports,
  withExports,
};
