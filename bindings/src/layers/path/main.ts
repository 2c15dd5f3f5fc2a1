/** Layer `path`. */

import posix from "@file-services/path/browser-path.js";
import type { Layer } from "../../layers";
import { checkString, unavailable } from "../node_errors";

type Path = Record<string, (...args: unknown[]) => unknown>;

/** Functions of paths, by how many of their arguments must be texts. */
const TEXTS: Readonly<Record<string, number>> = {
  basename: 1, dirname: 1, extname: 1, isAbsolute: 1, join: Number.POSITIVE_INFINITY, normalize: 1, parse: 1, relative: 2,
  resolve: Number.POSITIVE_INFINITY,
};

/** Let a wrong argument be refused in Node's words. */
function checkArguments(path: Path): void {
  for (const [name, most] of Object.entries(TEXTS)) {
    const call = path[name] as Path[string];
    const checked = {
      [name](this: unknown, ...args: unknown[]): unknown {
        const needed = Number.isFinite(most) ? most : args.length;
        for (let at = 0; at < needed; at++) checkString(args[at], name === "relative" ? (at === 0 ? "from" : "to") : "path");
        return Reflect.apply(call, path, args);
      },
    };
    path[name] = checked[name] as Path[string];
  }
}

/** An extension without its dot gets one, as in Node by now. */
function dotExtensions(path: Path): void {
  const { format } = path as { format: (parts: unknown) => unknown };
  path.format = (parts) => {
    const { ext } = (parts ?? {}) as { ext?: string };
    const dotted = typeof ext === "string" && ext !== "" && !ext.startsWith(".");
    return format(dotted ? { ...(parts as object), ext: `.${ext}` } : parts);
  };
}

const layer: Layer = () => {
  for (const path of [posix, posix.win32]) {
    checkArguments(path);
    dotExtensions(path);
    Object.assign(path, unavailable("path", ["matchesGlob"]));
  }
  return { "node:path": posix, "node:path/posix": posix, "node:path/win32": posix.win32 };
};

export default layer;
