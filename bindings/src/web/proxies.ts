/** Proxies that a project made. The platform's own, such as stubs, are to be seen as the objects that they stand for. */

import { native } from "../native";

const own = new WeakSet<object>();

/** A handler of such proxies as nobody is to tell from an object. */
export function ownHandler<T extends object>(handler: ProxyHandler<T>): ProxyHandler<T> {
  own.add(handler);
  return handler;
}

/** Target and handler of a proxy, null when it was revoked; undefined for all else. */
export function proxyParts(value: unknown): [object, object] | [null, null] | undefined {
  const parts = native.proxyParts(value);
  return parts === undefined || (parts[1] !== null && own.has(parts[1])) ? undefined : parts;
}
