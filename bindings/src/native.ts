/**
 * `native`: what the C half of the guest gives to the bundle.
 *
 * The object itself arrives when the bundle is booted; modules import the binding and read it at the time of use.
 */

export type Bytes = ArrayBuffer | ArrayBufferView;

export interface Native {
  /**
   * Call the host. Arguments in an array travel as msgpack, a string as raw UTF-8 (WTF-8: a lone surrogate keeps three bytes).
   *
   * @throws Whatever error the host answers with.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the reply's type is that of the op's row in the table
  op(number: number, args?: readonly unknown[] | string, body?: string | Bytes): any;
  /**
   * An op with arguments [keys and serialized values of the object's entries by turns, flag]; entries that are undefined are left
   * out, and without any there is no op.
   */
  opEntries(number: number, entries: object, flag: boolean): void;
  /** As `op`, for one that answers with a flat list of keys and values. */
  opMap(number: number, args: unknown[]): Map<string, unknown>;
  /** The next key with its value of what an op gave to be read so, undefined after the last; the bytes remember where that is. */
  nextPair(part: ArrayBuffer): [string, unknown] | undefined;
  /** The key that `nextPair` gave or failed to give last, as it is stored. */
  lastKey(part: ArrayBuffer): ArrayBuffer | undefined;
  /** The same with a V8-serialized value as body. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  opValue(number: number, args: readonly unknown[] | string | undefined, value: unknown): any;

  /**
   * To the storage and RPC format; throws `DataCloneError` when the value cannot be cloned. With `lending`, the hook
   * `writeHostObject` is also asked about functions, proxies and every instance of a class.
   */
  serialize(value: unknown, lending?: boolean): ArrayBuffer;
  deserialize(bytes: Bytes): unknown;
  structuredClone(value: unknown, transfer?: ArrayBuffer[]): unknown;
  msgpack(value: unknown): ArrayBuffer;
  /**
   * The function that a storage's `exec` is: it runs again what `sqlKeep` has kept, by the ops `again`, `many` and `read` and with
   * cursors like `model` over what is like `rows`, and leaves all the rest to `otherwise`.
   */
  sqlExec<F extends (...given: unknown[]) => object>(ops: number[], model: ReturnType<F>, rows: object, otherwise: F): F;
  /** Have it run a text by the host's number from now on: how many entries a row takes that it changes, or its columns. */
  sqlKeep(storage: object, text: string, statement: number, kind: number | readonly string[]): void;
  /** The rows of a query: arrays of values, or with names objects of them. */
  rows(bytes: ArrayBuffer, names: readonly string[] | null): any[];

  /** Lone surrogates keep their three bytes. */
  utf8Encode(text: string): ArrayBuffer;
  /** Lone surrogates become U+FFFD. */
  utf8EncodeReplacing(text: string): Uint8Array<ArrayBuffer>;
  /** @throws TypeError for malformed bytes when `fatal`. */
  utf8Decode(bytes: Bytes, fatal: boolean, ignoreBOM: boolean): string;
  /** The text of a buffer, which is detached where that saves room; a byte order mark stays. */
  utf8Take(buffer: ArrayBuffer): string;
  /** A string with a character for each byte. */
  latin1(bytes: Bytes): string;
  /** btoa; null when a character is beyond U+00FF. */
  base64Encode(latin1: string): string | null;
  /** atob; null when the text is no base64. */
  base64Decode(text: string): string | null;

  /** The parts of a URL (see web/url.ts), null when it is invalid. */
  urlParse(url: string, base: string | undefined): readonly string[] | null;
  /** The parts after a setter; null when the whole was set to something invalid. */
  urlSet(href: string, part: number, value: string): readonly string[] | null;

  /** Milliseconds since the epoch, with a fraction. */
  now(): number;
  /** Fill with random bytes; throws at global scope. */
  random(view: ArrayBufferView): void;
  /** Seed Math.random and let randomness work from now on. */
  seed(): void;

  /** The async context: carried through every `await` and `then`, undefined at the start of a turn. */
  getContext(): unknown;
  setContext(value: unknown): void;

  importModule(specifier: string): Promise<Record<string, unknown>>;
  /** Make a module that is imported by that name. */
  defineModule(name: string, exports: Record<string, unknown>): void;
  /** With `asynchronous`, `await` may stand at the top, and the value is a promise of `{ value }`. */
  evalScript(source: string, name: string, asynchronous?: boolean): unknown;
  evalModule(source: string, name: string): Promise<Record<string, unknown>>;
  /** The completion value of a layer's script. */
  evalLayer(name: string): unknown;

  /** 0 pending, 1 fulfilled, 2 rejected. */
  promiseState(promise: Promise<unknown>): 0 | 1 | 2;
  promiseResult(promise: Promise<unknown>): unknown;
  /** Target and handler of a proxy, null when it was revoked. */
  proxyParts(value: unknown): [object, object] | [null, null] | undefined;
}

export let native: Native;

/** Called once, before anything else of the bundle. */
export function setNative(given: Native): void {
  native = given;
}
