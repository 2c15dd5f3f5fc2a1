/** Packages without types of their own, and Node's modules between layers. */

// biome-ignore lint/suspicious/noExplicitAny: untyped
type Any = any;

declare module "@durabox/locales/*" { const locales: Readonly<Record<string, readonly [from: string | null, change: string]>>; export default locales; }
declare module "assert/build/assert.js" { const assert: Any; export default assert; }
declare module "events" { const EventEmitter: Any; export default EventEmitter; }
declare module "@file-services/path/browser-path.js" { const path: Any; export default path; }
declare module "string_decoder/lib/string_decoder.js" { export const StringDecoder: Any; }
declare module "readable-stream/lib/stream.js" { const stream: Any; export default stream; }
declare module "readable-stream/lib/stream/promises.js" { const promises: Any; export default promises; }
declare module "whatwg-mimetype/lib/mime-type.js" {
  class MIMETypeParameters {
    get(name: unknown): string | undefined;
    has(name: unknown): boolean;
    set(name: unknown, value: unknown): void;
    delete(name: unknown): void;
    forEach(call: (value: string, name: string) => void): void;
    entries(): Iterator<[string, string]>;
    keys(): Iterator<string>;
    values(): Iterator<string>;
  }
  export default class MIMEType {
    constructor(text: unknown);
    get type(): string;
    set type(value: unknown);
    get subtype(): string;
    set subtype(value: unknown);
    readonly essence: string;
    readonly parameters: MIMETypeParameters;
    toString(): string;
  }
}
declare module "unenv/node/punycode" { const punycode: Any; export default punycode; }
declare module "unenv/node/querystring" { const querystring: Any; export default querystring; }
declare module "unenv/node/url" { const url: Any; export default url; }
