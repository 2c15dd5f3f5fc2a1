/** Layer `system`: modules that describe a machine or a program's own modules. There is none to see, so the answers are fixed. */

import type { Layer, Platform } from "../../layers";
import { checkString, nodeError, unavailable } from "../node_errors";

/** Node's numbers of what its collector and its entries are; there are none of them here. */
const PERFORMANCE = {
  NODE_PERFORMANCE_GC_MAJOR: 4, NODE_PERFORMANCE_GC_MINOR: 1, NODE_PERFORMANCE_GC_INCREMENTAL: 8, NODE_PERFORMANCE_GC_WEAKCB: 16,
} as const;

const os = {
  EOL: "\n",
  constants: { errno: {}, priority: {}, signals: {} },
  devNull: "/dev/null",
  arch: () => "x64",
  availableParallelism: () => 1,
  cpus: () => [],
  endianness: () => "LE",
  freemem: () => 0,
  getPriority: () => 0,
  homedir: () => "/tmp/",
  hostname: () => "localhost",
  loadavg: () => [0, 0, 0],
  machine: () => "x86_64",
  networkInterfaces: () => ({}),
  platform: () => "linux",
  release: () => "",
  setPriority: () => {},
  tmpdir: () => "/tmp/",
  totalmem: () => 0,
  type: () => "Linux",
  uptime: () => 0,
  userInfo: () => ({ uid: -1, gid: -1, username: "worker", homedir: "/tmp/", shell: null }),
  version: () => "",
};

function moduleModule({ builtinModules }: Platform, require: (name: string) => object): object {
  const bare = (name: string): string => name.replace(/^node:/, "");
  const isBuiltin = (name: unknown): boolean => typeof name === "string" && builtinModules.includes(bare(name));
  return {
    ...unavailable("module", ["findPackageJSON", "findSourceMap", "register", "registerHooks", "runMain", "stripTypeScriptTypes"]),
    builtinModules,
    isBuiltin,
    createRequire(from: unknown) {
      checkString(from instanceof URL ? from.href : from, "filename");
      return (name: string): object => {
        if (!isBuiltin(name)) throw nodeError(Error, "MODULE_NOT_FOUND", `Cannot find module '${name}'`);
        return require(`node:${bare(name)}`);
      };
    },
  };
}

declare const require: (name: string) => object;

const layer: Layer = (platform) => ({
  "node:console": console,
  "node:constants": os.constants,
  "node:module": moduleModule(platform, require),
  "node:os": os,
  "node:perf_hooks": {
    ...unavailable("perf_hooks", ["createHistogram", "monitorEventLoopDelay"]),
    ...platform.performanceClasses,
    constants: PERFORMANCE,
    eventLoopUtilization: () => performance.eventLoopUtilization(),
    performance,
    timerify: (callback: () => void) => performance.timerify(callback),
  },
});

export default layer;
