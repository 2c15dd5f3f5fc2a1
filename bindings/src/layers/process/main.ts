/** Layer `process`: one process for the whole program, which is an isolate. */

import type { Layer, Platform } from "../../layers";
import { checkFunction, checkString, invalidArgType, nodeError, unavailable } from "../node_errors";

declare const require: (name: string) => {
  new (): object;
  prototype: object;
};

/** The version of Node that the modules are like; the same as workerd says. */
const VERSION = "22.23.4";
const NS_PER_MS = 1_000_000;

/** What of a process an isolate has not. */
const UNAVAILABLE = [
  "binding", "dlopen", "execve", "getActiveResourcesInfo", "getgroups", "initgroups", "loadEnvFile", "openStdin", "reallyExit",
  "resourceUsage", "setSourceMapsEnabled", "setUncaughtExceptionCaptureCallback", "setegid", "seteuid", "setgid", "setgroups", "setuid",
  "threadCpuUsage",
] as const;

function hrtime(since?: [number, number]): [number, number] {
  if (since !== undefined && !Array.isArray(since)) throw invalidArgType("time", "tuple of integers", since);
  const ns = BigInt(Math.trunc(Date.now())) * BigInt(NS_PER_MS) - (since ? BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]) : 0n);
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}
hrtime.bigint = (): bigint => BigInt(Math.trunc(Date.now())) * BigInt(NS_PER_MS);

/** A stream that ends in the console, line by line as it is written. */
function output(level: "log" | "error", fd: number): object {
  return {
    fd,
    isTTY: false,
    write(text: unknown, ...rest: unknown[]): boolean {
      const shown = typeof text === "string" ? text : new TextDecoder().decode(text as Uint8Array);
      console[level](shown.replace(/\n$/, ""));
      const done = rest.at(-1);
      if (typeof done === "function") queueMicrotask(done as () => void);
      return true;
    },
  };
}

/** The variables of the environment: names and values are texts. */
function environment(values: Readonly<Record<string, string>>): Record<string, string> {
  return new Proxy({ ...values }, {
    set: (target, name, value) => Reflect.set(target, name, typeof name === "string" ? String(value) : value),
    defineProperty: (target, name, described) =>
      Reflect.defineProperty(target, name, { ...described, ...("value" in described && { value: String(described.value) }) }),
  });
}

interface Emitter {
  emit(name: string, ...args: unknown[]): boolean;
}

/** `process.emitWarning`: listeners of `warning` hear of it, and the log has it. */
function emitWarning(this: Emitter, warning: unknown, typeOrOptions?: unknown, code?: unknown): void {
  if (typeof warning !== "string" && !(warning instanceof Error)) throw invalidArgType("warning", "an string or Error", warning);
  const options = (typeof typeOrOptions === "object" ? typeOrOptions : { type: typeOrOptions, code }) as Record<string, unknown> | null;
  let error = warning as Error & { code?: unknown; detail?: unknown };
  if (typeof warning === "string") {
    error = new Error(warning);
    error.name = `${options?.type ?? "Warning"}`;
    if (options?.code !== undefined) error.code = options.code;
    if (options?.detail !== undefined) error.detail = options.detail;
  }
  queueMicrotask(() => {
    console.warn(`${error.name}: ${error.message}`);
    this.emit("warning", error);
  });
}

function makeProcess({ processEnvironment }: Platform): object {
  const EventEmitter = require("node:events");
  const process = Object.create(EventEmitter.prototype) as Record<PropertyKey, unknown>;
  const nothing = (): void => {};
  Object.assign(process, unavailable("process", UNAVAILABLE), {
    title: "workerd",
    version: `v${VERSION}`,
    versions: { node: VERSION },
    argv: ["workerd"],
    argv0: "workerd",
    execArgv: [],
    execPath: "",
    env: environment(processEnvironment()),
    exitCode: undefined,
    pid: 1,
    ppid: 0,
    platform: "linux",
    arch: "x64",
    release: { name: "node", lts: true },
    config: { target_defaults: {}, variables: {} },
    features: { inspector: false, debug: false, uv: false, ipv6: true, typescript: false, require_module: false },
    stdout: output("log", 1),
    stderr: output("error", 2),
    abort: exit,
    availableMemory: () => 0,
    constrainedMemory: () => 0,
    emitWarning: emitWarning.bind(process as unknown as Emitter),
    cwd: () => "/bundle",
    chdir: checkString,
    cpuUsage: () => ({ user: 0, system: 0 }),
    exit,
    getegid: () => 0,
    geteuid: () => 0,
    getgid: () => 0,
    getuid: () => 0,
    hasUncaughtExceptionCaptureCallback: () => false,
    getBuiltinModule(name: string): unknown {
      try {
        return require(name.startsWith("node:") ? name : `node:${name}`);
      } catch {
        return undefined;
      }
    },
    hrtime,
    kill: exit,
    memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
    nextTick(callback: unknown, ...args: unknown[]): void {
      checkFunction(callback, "callback");
      queueMicrotask(() => void callback(...args));
    },
    ref: nothing,
    umask: () => 0o22,
    unref: nothing,
    uptime: () => 0,
  });
  Object.defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });
  (EventEmitter as unknown as (this: object) => void).call(process);
  return process;
}

function exit(): never {
  throw nodeError(Error, "ERR_METHOD_NOT_IMPLEMENTED", "An isolate cannot be ended from inside: process.exit is not available");
}

const layer: Layer = (platform) => ({ "node:process": makeProcess(platform) });

export default layer;
