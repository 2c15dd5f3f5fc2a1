/** The global `Cloudflare`: which of the platform's changes in behaviour the project takes part in. */

import { exposeInterface } from "../web";
import { illegalConstructor } from "../web/interface";

const MAKER = Symbol("Cloudflare");

class Cloudflare {
  constructor(maker: symbol, flags: Readonly<Record<string, boolean>>) {
    if (maker !== MAKER) throw illegalConstructor();
    const value = Object.freeze(Object.assign(Object.create(null) as object, flags));
    Object.defineProperty(this, "compatibilityFlags", { value, enumerable: true, configurable: true });
  }
}

exposeInterface("Cloudflare", Cloudflare);

/** Done once, before any module of the user is evaluated. */
export function installCloudflare(flags: Readonly<Record<string, boolean>>): void {
  const value = new Cloudflare(MAKER, flags);
  Object.defineProperty(globalThis, "Cloudflare", { value, writable: true, enumerable: true, configurable: true });
}
