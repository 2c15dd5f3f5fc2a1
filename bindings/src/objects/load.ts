/** Event `load`: evaluate the project's modules, or its script, and tell the host what they export. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError, makeNow, nameTimeZones } from "../web";
import { installCloudflare } from "./cloudflare";
import { type Environment, env, fillEnvironment } from "./env";
import { WebSocketRequestResponsePair } from "./hibernation";
import { hasFetchListener, listenerGlobals } from "./listeners";
import { describeExports, setMainModule } from "./exports";
import { installNode } from "./node";
import { addEntrypoints } from "./services";
import { workersModule } from "./workers";

/** Own enumerable properties become globals as scripts expect them: visible to `in`, not to enumeration. */
function defineGlobals(values: Record<string, unknown>): void {
  for (const name of Object.keys(values))
    Object.defineProperty(globalThis, name, { value: values[name], writable: true, configurable: true });
}

export async function load(
  specifier: string,
  environment: Environment,
  format: "module" | "script",
  source: ArrayBuffer | undefined,
): Promise<void> {
  try {
    fillEnvironment(environment);
    installNode(environment.node, environment.vars);
    installCloudflare(environment.flags);
    defineGlobals({ ...listenerGlobals, WebSocketRequestResponsePair });
    native.defineModule("cloudflare:workers", workersModule);
    if (format === "script") loadScript(specifier, source);
    else await loadModule(specifier);
    const mentioned = native.op(OP.mentioned, []) as string[];
    makeNow(mentioned);
    if (mentioned.includes("timeZone")) nameTimeZones();
  } catch (error) {
    native.op(OP.load_failed, [describeError(error)]);
  }
}

async function loadModule(specifier: string): Promise<void> {
  const exports = await native.importModule(specifier);
  setMainModule(exports);
  addEntrypoints(Object.keys(exports));
  native.op(OP.loaded, [describeExports(exports)]);
}

/** A script's bindings are globals, and its fetch listener stands for the default export. */
function loadScript(name: string, source: ArrayBuffer | undefined): void {
  defineGlobals(env);
  native.evalScript(source === undefined ? "" : native.utf8Decode(source, false, false), name);
  native.op(OP.loaded, [hasFetchListener() ? [["default", "object", false, ["fetch"]]] : []]);
}
