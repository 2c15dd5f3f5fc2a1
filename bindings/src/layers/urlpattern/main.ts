/** Layer `urlpattern`: `URLPattern`. */

// The package's own entry would look for the global of that name, which is what loads this layer.
import { URLPattern as Plain } from "urlpattern-polyfill/urlpattern";
import type { Layer } from "../../layers";

type Given = Parameters<Plain["exec"]>;
type Result = ReturnType<Plain["exec"]>;
type Parts = Exclude<Given[0], string | undefined>;

/**
 * An input whose path begins with two slashes, as parts from which the package reads that path: it takes `//a` for a host.
 *
 * @returns undefined for every other input.
 */
function doubled(input: Given[0], base: Given[1]): Parts | undefined {
  if (typeof input === "object" && !((input as unknown) instanceof URL)) {
    const { pathname } = input;
    return typeof pathname === "string" && pathname.startsWith("//") ? { ...input, pathname: `/.${pathname}` } : undefined;
  }
  const url = input === undefined ? null : URL.parse(`${input as unknown as string}`, base);
  if (!url?.pathname.startsWith("//")) return undefined;
  const { protocol, username, password, hostname, port, search, hash } = url;
  const parts = { username, password, hostname, port, search: search.slice(1), hash: hash.slice(1) };
  return { ...parts, protocol: protocol.slice(0, -1), pathname: `/.${url.pathname}` };
}

class URLPattern extends Plain {
  override exec(...given: Given): Result {
    const parts = doubled(given[0], given[1]);
    if (parts === undefined) return super.exec(...given);
    const result = super.exec(parts);
    return result === null ? null : { ...result, inputs: given as NonNullable<Result>["inputs"] };
  }

  override test(...given: Given): boolean {
    const parts = doubled(given[0], given[1]);
    return parts === undefined ? super.test(...given) : super.test(parts);
  }
}

const layer: Layer = ({ exposeInterface }) => {
  exposeInterface("URLPattern", URLPattern);
  return { "durabox:urlpattern": { URLPattern } };
};

export default layer;
