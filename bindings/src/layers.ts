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

/** What the main bundle lends to a layer; everything else it finds among the globals and in other layers' modules. */
export interface Platform {
  readonly native: typeof native;
  readonly runInContext: typeof runInContext;
}

/** What modules export as a whole (Node's `module.exports`), by their names. */
export type LayerModules = Readonly<Record<string, object>>;

/** A layer's default export. */
export type Layer = (platform: Platform) => LayerModules;

/** The layer in which a built-in module is. */
const LAYER_OF: Readonly<Record<string, string>> = {
  "node:assert": "assert",
  "node:assert/strict": "assert",
  "node:async_hooks": "async_hooks",
  "node:buffer": "buffer",
  "node:events": "events",
  "node:path": "path",
  "node:path/posix": "path",
  "node:path/win32": "path",
  "node:string_decoder": "string_decoder",
  "node:util": "util",
  "node:util/types": "util",
};

const loaded = new Map<string, LayerModules>();

/** Evaluate a layer, once. */
function requireLayer(name: string): LayerModules {
  let modules = loaded.get(name);
  if (modules === undefined) {
    const source = native.op(OP.layer, name) as string;
    const bundle = native.evalScript(source, `durabox:${name}`) as (require: typeof requireModule) => Layer;
    modules = bundle(requireModule)({ native, runInContext });
    loaded.set(name, modules);
  }
  return modules;
}

/** A built-in module as a whole. */
function requireModule(name: string): object {
  const found = Object.hasOwn(LAYER_OF, name) ? requireLayer(LAYER_OF[name] as string)[name] : undefined;
  if (found === undefined) throw new Error(`No such module "${name}".`);
  return found;
}

/** Names of modules that layers brought and that are defined. */
const provided = new Set<string>();

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
    const whole = requireModule(name);
    native.defineModule(name, { ...whole, default: whole });
    provided.add(name);
  }
  return name;
}
