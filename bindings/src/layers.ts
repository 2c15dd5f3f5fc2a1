/**
 * Layers: parts of the platform that most projects never use, kept out of the base image.
 *
 * A layer is a bundle of its own (`src/layers/<name>/main.ts`) in the engine image's folder. It is evaluated in the isolate that first
 * needs it. Imports are resolved while a project is loaded, so what its modules import ends up in its class image and costs its
 * objects nothing.
 */

import { native } from "./native";
import { OP } from "./protocol";
import { runInContext } from "./web/scope";

/** What the main bundle lends to a layer; everything else it finds among the globals. */
export interface Platform {
  readonly native: typeof native;
  readonly runInContext: typeof runInContext;
}

/** Exports by module name. */
export type LayerModules = Record<string, Record<string, unknown>>;

/** A layer's default export. */
export type Layer = (platform: Platform) => LayerModules;

/** The layer in which a built-in module is. */
const LAYER_OF: Readonly<Record<string, string>> = {
  "node:async_hooks": "node",
};

/** Names of modules that layers brought and that are defined. */
const provided = new Set<string>();
const loaded = new Map<string, LayerModules>();

/** Evaluate a layer, once. */
export function requireLayer(name: string): LayerModules {
  let modules = loaded.get(name);
  if (modules === undefined) {
    const source = native.op(OP.layer, name) as string;
    const layer = native.evalScript(source, `durabox:${name}`) as Layer;
    modules = layer({ native, runInContext });
    loaded.set(name, modules);
  }
  return modules;
}

/**
 * The C side's hook, asked for each import that no defined module answers.
 *
 * @returns The name under which the built-in module is now defined, undefined if there is none. Node's modules are known with and
 *   without their prefix.
 */
export function provideModule(specifier: string): string | undefined {
  const name = specifier.includes(":") ? specifier : `node:${specifier}`;
  if (!Object.hasOwn(LAYER_OF, name)) return undefined;
  if (!provided.has(name)) {
    const exports = requireLayer(LAYER_OF[name] as string)[name];
    if (exports === undefined) return undefined;
    provided.add(name);
    native.defineModule(name, exports);
  }
  return name;
}
