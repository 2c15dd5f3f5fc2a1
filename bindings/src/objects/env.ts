/** What a project's code finds around it: `env`, and `exports` with the namespaces of its own object classes. */

import type { NodeFeatures } from "./node";
import { isObject, wrongParameter } from "../web/interface";
import { currentEnvironment, type Environment as Substitutes, runInContext, withEnvironment } from "../web/scope";
import { native } from "../native";
import { type DurableObjectNamespace, makeLoopbackNamespace, makeNamespace } from "./namespace";
import { makeService } from "./stub";

/** How the host describes them in event `load`. */
export interface Environment {
  vars: Record<string, unknown>;
  namespaces: { binding: string; className: string; index: number }[];
  /** Changes of the platform by their flags, and whether the project takes part in them. */
  flags: Record<string, boolean>;
  node: NodeFeatures;
  services: { binding: string; entrypoint: string | null; props: unknown }[];
}

/** Bindings, the same object for every handler and for `import { env }`. */
export const env: Record<string, unknown> = {};

/** `ctx.exports`. */
export const loopback: Record<string, unknown> = {};

/** Fill `env` and `loopback`; done once, before any module of the user is evaluated. */
export function fillEnvironment(description: Environment): void {
  const namespaces = new Map<number, DurableObjectNamespace>();
  Object.assign(env, description.vars);
  for (const { binding, className, index } of description.namespaces) {
    let namespace = namespaces.get(index);
    if (namespace === undefined) {
      namespace = makeNamespace(index);
      namespaces.set(index, namespace);
    }
    env[binding] = namespace;
    loopback[className] ??= makeLoopbackNamespace(className, index);
  }
  for (const { binding, entrypoint, props } of description.services) env[binding] = makeService(entrypoint, props);
}

/** An object that is, at each look at it, another one. */
function viewOf(current: () => object): object {
  const handler: ProxyHandler<object> = {
    get: (_target, name) => Reflect.get(current(), name),
    set: (_target, name, value) => Reflect.set(current(), name, value),
    has: (_target, name) => Reflect.has(current(), name),
    deleteProperty: (_target, name) => Reflect.deleteProperty(current(), name),
    ownKeys: () => Reflect.ownKeys(current()),
    getOwnPropertyDescriptor: (_target, name) => {
      const found = Reflect.getOwnPropertyDescriptor(current(), name);
      return found && { ...found, configurable: true }; // the target has no property that this could contradict
    },
  };
  return new Proxy({}, handler);
}

/** `env` and `exports` of `cloudflare:workers`: those of the project, unless the running code has substitutes. */
export const moduleEnv = viewOf(() => currentEnvironment()?.env ?? env);
export const moduleExports = viewOf(() => currentEnvironment()?.exports ?? loopback);

function substituted(method: string, position: number, callback: unknown, substitutes: Substitutes): unknown {
  if (typeof callback !== "function") throw wrongParameter(method, "EnvModule", position, "function");
  return runInContext(withEnvironment(native.getContext(), substitutes), () => callback());
}

/** A substitute that is no object is none. */
const objectOr = (value: unknown, otherwise: object): object => (isObject(value) ? value : otherwise);

export function withEnv(substitute: unknown, callback: unknown): unknown {
  return substituted("withEnv", 2, callback, { env: objectOr(substitute, env) });
}

export function withExports(substitute: unknown, callback: unknown): unknown {
  return substituted("withExports", 2, callback, { exports: objectOr(substitute, loopback) });
}

export function withEnvAndExports(substitute: unknown, exports: unknown, callback: unknown): unknown {
  return substituted("withEnvAndExports", 3, callback, {
    env: objectOr(substitute, env),
    exports: objectOr(exports, loopback),
  });
}
