/**
 * What every isolate changes in the bundle's variables, in one object.
 *
 * An isolate shares the pages of the image that it starts from until it writes to them. The variables of modules lie
 * scattered over these pages: each one that every object writes would cost every object a page.
 */

import type { Request } from "./web/request";

export const isolate: {
  /** Modules are being evaluated, there is no event yet. */
  atGlobalScope: boolean;
  /**
   * Requests that are not answered yet, by the host's numbers. Every request changes the map, so it is made by the first
   * one, on pages that are the isolate's own.
   */
  unanswered: Map<number, Request> | undefined;
  /** The object, in an object's isolate. */
  instance: { fetch?: unknown; alarm?: unknown } | undefined;
  /** Its id. */
  ownId: string;
  /** How many objects it is a facet below. */
  depth: number;
  /** Counts writes to the storage: what was read before one may no longer hold. */
  writes: number;
} = { atGlobalScope: true, unanswered: undefined, instance: undefined, ownId: "", depth: 0, writes: 0 };
