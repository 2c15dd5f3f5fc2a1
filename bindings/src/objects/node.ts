/** What of Node is among the globals, for projects whose compatibility date or flags ask for it. */

import { requireModule, setProcessEnvironment } from "../layers";
import { defineLazily } from "../web";
import { nodeTimerGlobals } from "../web/node_timers";

/** How the host describes it in event `load`. */
export interface NodeFeatures {
  /** `Buffer`, `process` and so on are globals. */
  globals: boolean;
  /** Timers are objects. */
  timers: boolean;
  /** `process.env` has the variables. */
  environment: boolean;
}

type Module = Record<string, unknown>;

const member = (name: string, key: string) => (): unknown => (requireModule(name) as Module)[key];

/** Done once, before any module of the user is evaluated. */
export function installNode(features: NodeFeatures, vars: Readonly<Record<string, unknown>>): void {
  if (features.environment) {
    const shown = Object.entries(vars).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
    setProcessEnvironment(Object.fromEntries(shown) as Record<string, string>);
  }
  if (features.globals) {
    defineLazily("Buffer", member("node:buffer", "Buffer"), true);
    defineLazily("process", () => requireModule("node:process"), true);
    defineLazily("global", () => globalThis, true);
    defineLazily("setImmediate", member("node:timers", "setImmediate"), true);
    defineLazily("clearImmediate", member("node:timers", "clearImmediate"), true);
  }
  if (features.timers) Object.assign(globalThis, nodeTimerGlobals);
}
