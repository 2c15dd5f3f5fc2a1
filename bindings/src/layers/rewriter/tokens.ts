/** The objects that handlers get; each is good for one call of one handler. */

import type { Platform } from "../../layers";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../../web/misuse";
import { lowerAscii } from "./lexer";
import type { Piece } from "./output";
import { parserError } from "./context";
import { CommentState, DoctypeState, DocumentEndState, ElementState, EndTagState, TextState } from "./states";

export type State = ElementState | EndTagState | TextState | CommentState | DoctypeState | DocumentEndState;

const CONTENT = "string or JsReadableStream or Response";
const NO_STREAMS =
  "Replacing content in HTML comments using a ReadableStream or Response object is not implemented. You must provide a string.";

/** A base class that makes nothing: its subclass's fields are put on an object that is there. */
const Given = function (this: unknown, object: object): object {
  return object;
} as unknown as new (object: object) => object;

/** What an object that the platform made is while its handler runs. The field is on the token itself; its class shows none of this. */
class Held extends Given {
  #state: State | undefined;

  constructor(token: object, state: State) {
    super(token);
    this.#state = state;
  }

  static stateOf<S extends State>(token: object, type: abstract new (...args: never[]) => S): S {
    if (!(#state in token)) throw illegalInvocation();
    const state = token.#state;
    if (state instanceof type) return state;
    if (state !== undefined) throw illegalInvocation();
    throw new TypeError(
      "This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.",
    );
  }

  static end(token: object): void {
    (token as Held).#state = undefined;
  }
}

const { stateOf } = Held;

/** The platform alone makes tokens. */
function make<T extends object>(type: { readonly prototype: T }, state: State): T {
  return new Held(Object.create(type.prototype) as object, state) as T;
}

/** A string from the user that can be written. */
function textOf(value: unknown, method: string, owner: string, position: number): string {
  if (value === undefined) throw wrongParameter(method, owner, position, "string");
  return wellFormed(`${value as string}`);
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  const before = /^(?:[^\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])*/.exec(text) as RegExpExecArray;
  const index = new TextEncoder().encode(before[0]).length;
  throw parserError(`invalid utf-8 sequence of 1 bytes from index ${index}`);
}

/**
 * Content from the user, as methods that insert take it.
 *
 * @returns undefined when there is nothing to insert: a response without a body.
 */
function pieceOf(
  owner: string,
  method: string,
  [content, options]: readonly unknown[],
  takesStreams = true,
): Piece | undefined {
  if (content === undefined) throw wrongParameter(method, owner, 1, CONTENT);
  if (options !== undefined && options !== null && !isObject(options))
    throw wrongParameter(method, owner, 2, "ContentOptions");
  const html = Boolean((options as { html?: unknown } | null | undefined)?.html);
  const isResponse = content instanceof Response;
  if (!isResponse && !(content instanceof ReadableStream)) return { content: wellFormed(`${content as string}`), html };
  if (!takesStreams) throw new TypeError(NO_STREAMS);
  const stream = isResponse ? content.body : content;
  if (stream === null) return undefined;
  if (stream.locked || (isResponse && content.bodyUsed))
    throw new TypeError("The ReadableStream has been locked to a reader.");
  return { content: stream, html };
}

class Element {
  constructor() {
    throw illegalConstructor();
  }
  get tagName(): string {
    return stateOf(this, ElementState).name;
  }
  set tagName(name: string) {
    stateOf(this, ElementState).name = wellFormed(`${name}`);
  }
  get namespaceURI(): string {
    return stateOf(this, ElementState).namespaceUri;
  }
  get removed(): boolean {
    return stateOf(this, ElementState).removed;
  }
  get attributes(): AttributesIterator {
    const iterator = make(AttributesIterator, stateOf(this, ElementState));
    iterators.set(iterator, { of: this, next: 0 });
    return iterator;
  }
  getAttribute(name: unknown): string | null {
    const state = stateOf(this, ElementState);
    return state.getAttribute(textOf(name, "getAttribute", "Element", 1)) ?? null;
  }
  hasAttribute(name: unknown): boolean {
    const state = stateOf(this, ElementState);
    return state.getAttribute(textOf(name, "hasAttribute", "Element", 1)) !== undefined;
  }
  setAttribute(name: unknown, value: unknown): this {
    const state = stateOf(this, ElementState);
    state.setAttribute(textOf(name, "setAttribute", "Element", 1), textOf(value, "setAttribute", "Element", 2));
    return this;
  }
  removeAttribute(name: unknown): this {
    stateOf(this, ElementState).removeAttribute(textOf(name, "removeAttribute", "Element", 1));
    return this;
  }
  before(...content: unknown[]): this {
    return insert(this, "before", content);
  }
  after(...content: unknown[]): this {
    return insert(this, "after", content);
  }
  prepend(...content: unknown[]): this {
    return insert(this, "prepend", content);
  }
  append(...content: unknown[]): this {
    return insert(this, "append", content);
  }
  replace(...content: unknown[]): this {
    return insert(this, "replace", content);
  }
  setInnerContent(...content: unknown[]): this {
    return insert(this, "setInnerContent", content);
  }
  remove(): this {
    stateOf(this, ElementState).remove();
    return this;
  }
  removeAndKeepContent(): this {
    stateOf(this, ElementState).removeAndKeepContent();
    return this;
  }
  onEndTag(handler: unknown): void {
    const state = stateOf(this, ElementState);
    if (typeof handler !== "function") throw wrongParameter("onEndTag", "Element", 1, "function");
    state.onEndTag((token) => Reflect.apply(handler, undefined, [token]) as unknown);
  }
}

function insert<T extends Element>(
  element: T,
  method: "before" | "after" | "prepend" | "append" | "replace" | "setInnerContent",
  content: readonly unknown[],
): T {
  const state = stateOf(element, ElementState);
  const piece = pieceOf("Element", method, content);
  if (piece !== undefined) state[method](piece);
  return element;
}

/** Where an iterator is. */
const iterators = new WeakMap<object, { readonly of: object; next: number }>();

class AttributesIterator {
  constructor() {
    throw illegalConstructor();
  }
  next(): { done: boolean; value?: [string, string] } {
    const place = iterators.get(this);
    if (place === undefined) throw illegalInvocation();
    const value = stateOf(place.of, ElementState).attribute(place.next);
    if (value === undefined) return { done: true };
    place.next++;
    return { done: false, value };
  }
}
Object.setPrototypeOf(AttributesIterator.prototype, Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object);

/** What end tags, texts and comments have in common: something around them. */
function place<T extends object>(
  token: T,
  state: EndTagState | TextState | CommentState,
  owner: string,
  method: "before" | "after" | "replace",
  content: readonly unknown[],
): T {
  const piece = pieceOf(owner, method, content, !(state instanceof CommentState));
  if (piece === undefined) return token;
  if (method === "before") state.mutations.before.push(piece);
  else if (method === "after") state.mutations.after.unshift(piece);
  else state.mutations.replace(piece);
  return token;
}

class EndTag {
  constructor() {
    throw illegalConstructor();
  }
  get name(): string {
    return stateOf(this, EndTagState).name;
  }
  set name(name: string) {
    stateOf(this, EndTagState).name = wellFormed(`${name}`);
  }
  before(...content: unknown[]): this {
    return place(this, stateOf(this, EndTagState), "EndTag", "before", content);
  }
  after(...content: unknown[]): this {
    return place(this, stateOf(this, EndTagState), "EndTag", "after", content);
  }
  remove(): this {
    stateOf(this, EndTagState).mutations.removed = true;
    return this;
  }
}

class Text {
  constructor() {
    throw illegalConstructor();
  }
  get text(): string {
    return stateOf(this, TextState).text;
  }
  get lastInTextNode(): boolean {
    return stateOf(this, TextState).isLast;
  }
  get removed(): boolean {
    return stateOf(this, TextState).removed;
  }
  before(...content: unknown[]): this {
    return place(this, stateOf(this, TextState), "Text", "before", content);
  }
  after(...content: unknown[]): this {
    return place(this, stateOf(this, TextState), "Text", "after", content);
  }
  replace(...content: unknown[]): this {
    return place(this, stateOf(this, TextState), "Text", "replace", content);
  }
  remove(): this {
    stateOf(this, TextState).mutations.removed = true;
    return this;
  }
}

class Comment {
  constructor() {
    throw illegalConstructor();
  }
  get text(): string {
    return stateOf(this, CommentState).text;
  }
  set text(text: string) {
    stateOf(this, CommentState).text = wellFormed(`${text}`);
  }
  get removed(): boolean {
    return stateOf(this, CommentState).removed;
  }
  before(...content: unknown[]): this {
    return place(this, stateOf(this, CommentState), "Comment", "before", content);
  }
  after(...content: unknown[]): this {
    return place(this, stateOf(this, CommentState), "Comment", "after", content);
  }
  replace(...content: unknown[]): this {
    return place(this, stateOf(this, CommentState), "Comment", "replace", content);
  }
  remove(): this {
    stateOf(this, CommentState).mutations.removed = true;
    return this;
  }
}

class Doctype {
  constructor() {
    throw illegalConstructor();
  }
  get name(): string | null {
    const state = stateOf(this, DoctypeState);
    const name = state.part(state.parts.name);
    return name === null ? null : lowerAscii(name);
  }
  get publicId(): string | null {
    const state = stateOf(this, DoctypeState);
    return state.part(state.parts.publicId);
  }
  get systemId(): string | null {
    const state = stateOf(this, DoctypeState);
    return state.part(state.parts.systemId);
  }
}

class DocumentEnd {
  constructor() {
    throw illegalConstructor();
  }
  append(...content: unknown[]): this {
    const { output } = stateOf(this, DocumentEndState);
    const { content: text, html } = pieceOf("DocumentEnd", "append", content, false) as Piece;
    output.writePiece(text as string, html);
    return this;
  }
}

const TYPES = new Map<abstract new (...args: never[]) => State, { readonly prototype: object }>([
  [ElementState, Element],
  [EndTagState, EndTag],
  [TextState, Text],
  [CommentState, Comment],
  [DoctypeState, Doctype],
  [DocumentEndState, DocumentEnd],
]);

/** Called once, before any is made. */
export function exposeTokens({ exposeInterface }: Platform): void {
  const classes = { AttributesIterator, Comment, Doctype, DocumentEnd, Element, EndTag, Text };
  for (const [name, type] of Object.entries(classes)) exposeInterface(name, type);
}

/**
 * Call a handler with a token of its own.
 *
 * @returns A promise when the handler goes on; the token is good until it has ended.
 */
export function callHandler(handler: (token: object) => unknown, state: State): void | Promise<void> {
  const token = make(TYPES.get(state.constructor as new () => State) as { readonly prototype: object }, state);
  let waits = false;
  try {
    const result = handler(token);
    if (!isObject(result) || typeof (result as PromiseLike<unknown>).then !== "function") return undefined;
    waits = true;
    return Promise.resolve(result as PromiseLike<void>).finally(() => Held.end(token));
  } finally {
    if (!waits) Held.end(token);
  }
}
