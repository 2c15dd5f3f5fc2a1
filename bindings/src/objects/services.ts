/** `ctx.exports`: the Worker's own entrypoints, as stubs that can also be called for one with other props. */

import { exposeInterface } from "../web";
import { ownHandler } from "../web/proxies";
import { loopback } from "./env";
import { exportNamed, isClass } from "./exports";
import { makeLoopbackClass } from "./namespace";
import { makeService, ServiceStub } from "./stub";
import { WorkerEntrypoint, WorkflowEntrypoint } from "./workers";

interface Options {
  props?: unknown;
}

/** What instances look like; they are proxies, for they can be called. */
class LoopbackServiceStub extends ServiceStub {}
exposeInterface("LoopbackServiceStub", LoopbackServiceStub);

function makeLoopback(name: string): object {
  let service: ServiceStub | undefined;
  const own = (): ServiceStub => (service ??= makeService(name, {}));
  const handler = ownHandler<() => void>({
    apply: (_target, _receiver, [options]: [Options?]) => makeService(name, options?.props ?? {}),
    get(_target, property) {
      if (property === "fetch") return own().fetch.bind(own());
      if (property in LoopbackServiceStub.prototype && Object.hasOwn(LoopbackServiceStub.prototype, property))
        return Reflect.get(LoopbackServiceStub.prototype, property);
      return Reflect.get(own(), property);
    },
    getPrototypeOf: () => LoopbackServiceStub.prototype,
  });
  return new Proxy((): void => {}, handler);
}

/** Add the entrypoints that the main module exports, and classes of objects that have no namespace. */
export function addEntrypoints(names: readonly string[]): void {
  for (const name of names) {
    const value = exportNamed(name);
    if (Object.hasOwn(loopback, name)) continue;
    if (!isClass(value)) {
      if (name === "default" && typeof value === "object" && value !== null) loopback[name] = makeLoopback(name);
    } else if (value.prototype instanceof WorkerEntrypoint) loopback[name] = makeLoopback(name);
    else if (!(value.prototype instanceof WorkflowEntrypoint)) loopback[name] = makeLoopbackClass(name);
  }
}
