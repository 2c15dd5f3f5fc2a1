/**
 * Layers: parts of the platform that most projects never use, kept out of the base image.
 *
 * A layer is a bundle of its own (`src/layers/<name>/main.ts`) in the engine image's folder. It is evaluated in the isolate that first
 * needs it. Imports are resolved while a project is loaded, so what its modules import ends up in its class image and costs its
 * objects nothing.
 */

import { isolate } from "./isolate";
import { native } from "./native";
import { OP } from "./protocol";
import { DOMException } from "./web/dom_exception";
import { dispatchTrusted, Event, EventTarget, MessageEvent } from "./web/events";
import { inspection } from "./web/inspect";
import { exposeInterface } from "./web/interface";
import { startOrFinish } from "./web/operations";
import { performanceClasses } from "./web/performance";
import { ownHandler, proxyParts } from "./web/proxies";
import { checkIoAllowed, currentSection, runInContext } from "./web/scope";
import { ReadableStream, TransformStream, WritableStream } from "./web/streams";
import { startTimer } from "./web/timers";

/** What the main bundle lends to a layer; everything else it finds among the globals and in other layers' modules. */
export type Platform = typeof platform & { readonly native: typeof native };

/** What modules export as a whole (Node's `module.exports`), by their names. */
type LayerModules = Readonly<Record<string, object>>;

/** A layer's default export. */
export type Layer = (platform: Platform) => LayerModules;

/** Which built-in modules a layer has, by the layer's name. */
const MODULES_OF: Readonly<Record<string, readonly string[]>> = {
  assert: ["assert", "assert/strict"],
  async_hooks: ["async_hooks"],
  buffer: ["buffer"],
  crypto: ["crypto"],
  diagnostics_channel: ["diagnostics_channel"],
  events: ["events"],
  path: ["path", "path/posix", "path/win32"],
  process: ["process"],
  querystring: ["querystring"],
  stream: ["stream", "stream/consumers", "stream/promises", "stream/web"],
  string_decoder: ["string_decoder"],
  system: ["console", "constants", "module", "os", "perf_hooks"],
  timers: ["timers", "timers/promises"],
  url: ["punycode", "url"],
  util: ["sys", "util", "util/types"],
};

/** Node's modules that need what an isolate has not: files, sockets, threads, other processes. */
const UNAVAILABLE: readonly string[] = [
  "child_process", "cluster", "dgram", "dns", "dns/promises", "domain", "fs", "fs/promises", "http", "http2", "https", "inspector",
  "net", "readline", "repl", "sqlite", "tls", "trace_events", "tty", "v8", "vm", "wasi", "worker_threads", "zlib",
];

/** Layers of globals: a module of that name is for the bindings alone. */
const GLOBAL_LAYERS = [
  "compression", "intl", "intl_names", "intl_segmenter", "messaging", "rewriter", "urlpattern", "webcrypto",
] as const;

const LAYER_OF: ReadonlyMap<string, string> = new Map([
  ...Object.entries(MODULES_OF).flatMap(([layer, modules]) => modules.map((module) => [`node:${module}`, layer] as const)),
  ...GLOBAL_LAYERS.map((layer) => [`durabox:${layer}`, layer] as const),
]);

const builtinModules: readonly string[] = Object.values(MODULES_OF).flat().sort();

let environment: Readonly<Record<string, string>> = {};

export function setProcessEnvironment(values: Readonly<Record<string, string>>): void {
  environment = values;
}

const platform = {
  ops: OP,
  checkIoAllowed,
  currentSection,
  DOMException,
  dispatchTrusted,
  Event,
  EventTarget,
  exposeInterface,
  inspection,
  MessageEvent,
  ownHandler,
  performanceClasses,
  proxyParts,
  ReadableStream,
  runInContext,
  startOrFinish,
  startTimer,
  TransformStream,
  WritableStream,
  /** Names of Node's modules, without prefix. */
  builtinModules,
  /** Whether modules are being evaluated: what the host holds then is not there for the isolates that start from the image. */
  atGlobalScope: () => isolate.atGlobalScope,
  /** What `process.env` begins with. */
  processEnvironment: () => environment,
};

const loaded = new Map<string, LayerModules>();

/** Evaluate a layer, once. */
function requireLayer(name: string): LayerModules {
  let modules = loaded.get(name);
  if (modules === undefined) {
    const bundle = native.evalLayer(name) as (require: typeof requireModule) => Layer;
    modules = bundle(requireModule)({ native, ...platform });
    loaded.set(name, modules);
  }
  return modules;
}

/** A built-in module as a whole. */
export function requireModule(name: string): object {
  const layer = LAYER_OF.get(name);
  const found = layer === undefined ? undefined : requireLayer(layer)[name];
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
  if (!name.startsWith("node:")) return undefined;
  if (!LAYER_OF.has(name)) {
    if (UNAVAILABLE.includes(name.replace(/^node:/, "")) && specifier.startsWith("node:"))
      throw new Error(`No such module "${specifier}": durabox has no ${specifier.slice(5)}, an isolate reaches nothing outside.`);
    return undefined;
  }
  if (!provided.has(name)) {
    const whole = requireModule(name);
    native.defineModule(name, { ...whole, default: whole });
    provided.add(name);
  }
  return name;
}
