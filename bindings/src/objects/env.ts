/** What a project's code finds around it: `env`, and `exports` with the namespaces of its own object classes. */

import type { NodeFeatures } from "./node";
import { type DurableObjectNamespace, makeNamespace } from "./namespace";

/** How the host describes them in event `load`. */
export interface Environment {
  vars: Record<string, unknown>;
  namespaces: { binding: string; className: string; index: number }[];
  node: NodeFeatures;
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
    loopback[className] = namespace;
  }
}
