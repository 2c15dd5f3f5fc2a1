/** In place of the package `abort-controller`. */

const here = globalThis as unknown as Record<"AbortController" | "AbortSignal", unknown>;

export const { AbortController, AbortSignal } = here;
