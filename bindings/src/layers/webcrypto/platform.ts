/** What the main bundle lends to this layer. */

import type { Platform } from "../../layers";

export let platform: Platform;

/** Called once, before anything else of the layer. */
export function setPlatform(given: Platform): void {
  platform = given;
}

/** An error of the platform with that name. */
export function fail(name: string, message: string): Error {
  return new platform.DOMException(message, name);
}
