/**
 * The `Intl` that the bundled packages mean: they stand for the engine's own and look for each other there. The bundler puts this
 * object in the place of the global, which is not there while it is being made.
 */

// biome-ignore lint/suspicious/noExplicitAny: filled by main.ts
export const Intl: any = {};
