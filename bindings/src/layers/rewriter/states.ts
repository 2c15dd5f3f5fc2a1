/** What tokens are while their handlers run: the objects that handlers get only look at these. */

import type { Charset } from "./charset";
import { NAMESPACES, type Namespace, parserError } from "./context";
import { type Lexer, lowerAscii, type RawDoctype } from "./lexer";
import { Mutations, type Output, type Piece } from "./output";

const FORBIDDEN_IN_TAG = /[ \n\r\t\f/>]/;
const FORBIDDEN_IN_ATTRIBUTE = /[ \n\r\t\f/>=]/;
const COMMENT_CLOSING = /^-?>|--!?>/;

/** A handler, bound to what it is called on. */
export type Handler = (token: object) => unknown;

interface Attribute {
  /** A character for each byte, as is the value. */
  readonly name: string;
  readonly value: string;
  /** As it is written in a tag. */
  readonly raw: string;
}

/** A token that something can be put around. */
class Mutable {
  #mutations: Mutations | undefined;

  /** What is to be done with it; made when it is first asked for. */
  get mutations(): Mutations {
    return (this.#mutations ??= new Mutations());
  }

  get removed(): boolean {
    return this.#mutations?.removed ?? false;
  }

  /** @param self Writes it as it is. */
  protected writeMutated(output: Output, self: () => void): void | Promise<void> {
    return output.writeToken(this.#mutations, self);
  }

  protected replaceMutations(mutations: Mutations): void {
    this.#mutations = mutations;
  }
}

export class ElementState extends Mutable {
  /** What happens at the end tag, if anything does. */
  atEnd: AtEndTag | undefined;
  removesContent = false;
  readonly #lexer: Lexer;
  readonly #charset: Charset;
  readonly #namespace: Namespace;
  readonly #hasContent: boolean;
  /** A character for each byte. */
  #name: string;
  #attributes: Attribute[] | undefined;
  #selfClosing: boolean;
  #modified = false;

  constructor(lexer: Lexer, charset: Charset, namespace: Namespace, hasContent: boolean) {
    super();
    this.#lexer = lexer;
    this.#charset = charset;
    this.#namespace = namespace;
    this.#hasContent = hasContent;
    this.#name = lexer.name;
    this.#selfClosing = lexer.selfClosing;
  }

  get name(): string {
    return lowerAscii(this.#charset.decode(this.#name));
  }

  set name(name: string) {
    if (name === "") throw parserError("Tag name can't be empty.");
    if (!/^[a-z]/i.test(name))
      throw parserError("The first character of the tag name should be an ASCII alphabetical character.");
    const forbidden = FORBIDDEN_IN_TAG.exec(name);
    if (forbidden !== null) throw parserError(`\`${forbidden[0]}\` character is forbidden in the tag name`);
    const encoded = this.#charset.encodeName(name);
    if (encoded === undefined) throw unencodable("tag");
    this.#name = encoded;
    this.#modified = true;
    if (this.#hasContent) this.#end.name = encoded;
  }

  get namespaceUri(): string {
    return NAMESPACES[this.#namespace];
  }

  /** Names in lower case, and values. */
  attribute(index: number): [name: string, value: string] | undefined {
    const attribute = this.#all[index];
    if (attribute === undefined) return undefined;
    return [lowerAscii(this.#charset.decode(attribute.name)), this.#charset.decode(attribute.value)];
  }

  getAttribute(name: string): string | undefined {
    const attribute = this.#all[this.#indexOf(name)];
    return attribute === undefined ? undefined : this.#charset.decode(attribute.value);
  }

  setAttribute(given: string, text: string): void {
    const index = this.#indexOf(given);
    const value = this.#charset.bytesAsText(text);
    const name = index < 0 ? this.#newAttributeName(lowerAscii(given)) : (this.#all[index] as Attribute).name;
    const attribute = { name, value, raw: `${name}="${value.replaceAll('"', "&quot;")}"` };
    if (index < 0) this.#all.push(attribute);
    else this.#all[index] = attribute;
    this.#modified = true;
  }

  removeAttribute(name: string): void {
    for (let index = this.#indexOf(name); index >= 0; index = this.#indexOf(name)) {
      this.#all.splice(index, 1);
      this.#modified = true;
    }
  }

  before(piece: Piece): void {
    this.mutations.before.push(piece);
  }

  after(piece: Piece): void {
    (this.#hasContent ? this.#end.change() : this.mutations).after.unshift(piece);
  }

  prepend(piece: Piece): void {
    if (!this.#hasContent) return;
    this.#selfClosing = false;
    this.mutations.after.unshift(piece);
  }

  append(piece: Piece): void {
    if (!this.#hasContent) return;
    this.#selfClosing = false;
    this.#end.change().before.push(piece);
  }

  setInnerContent(piece: Piece): void {
    if (!this.#hasContent) return;
    this.#removeContent();
    this.prepend(piece);
  }

  replace(piece: Piece): void {
    this.mutations.replace(piece);
    this.#removeAll();
  }

  remove(): void {
    this.mutations.removed = true;
    this.#removeAll();
  }

  removeAndKeepContent(): void {
    this.mutations.removed = true;
    if (this.#hasContent) this.#end.change().removed = true;
  }

  onEndTag(handler: Handler): void {
    if (!this.#hasContent) throw parserError("No end tag.");
    this.#end.handler = handler;
  }

  /** @param raw Writes the tag as it was read. */
  write(output: Output, raw: () => void): void | Promise<void> {
    return this.writeMutated(output, this.#modified ? () => output.writeBytes(this.#serialized()) : raw);
  }

  get #end(): AtEndTag {
    return (this.atEnd ??= new AtEndTag());
  }

  get #all(): Attribute[] {
    return (this.#attributes ??= this.#lexer.attributes());
  }

  #indexOf(given: string): number {
    const name = this.#charset.encodeName(lowerAscii(given));
    return this.#all.findIndex((attribute) => lowerAscii(attribute.name) === name);
  }

  #newAttributeName(name: string): string {
    if (name === "") throw parserError("Attribute name can't be empty.");
    const forbidden = FORBIDDEN_IN_ATTRIBUTE.exec(name);
    if (forbidden !== null) throw parserError(`\`${forbidden[0]}\` character is forbidden in the attribute name`);
    const encoded = this.#charset.encodeName(name);
    if (encoded === undefined) throw unencodable("attribute");
    return encoded;
  }

  #removeContent(): void {
    this.mutations.after = [];
    this.#end.change().before.length = 0;
    this.removesContent = true;
  }

  #removeAll(): void {
    if (!this.#hasContent) return;
    this.#removeContent();
    this.#end.change().removed = true;
  }

  #serialized(): string {
    const parts = [`<${this.#name}`, ...this.#all.map(({ raw }) => raw)].join(" ");
    if (!this.#selfClosing) return `${parts}>`;
    // A slash would belong to a value without quotes.
    return this.#all.length > 0 ? `${parts} />` : `${parts}/>`;
  }
}

function unencodable(what: string): TypeError {
  return parserError(
    `The ${what} name contains a character that can't be represented in the document's character encoding.`,
  );
}

/** What an element's handlers want done with its end tag. */
export class AtEndTag {
  mutations: Mutations | undefined;
  /** A character for each byte. */
  name: string | undefined;
  handler: Handler | undefined;

  change(): Mutations {
    return (this.mutations ??= new Mutations());
  }
}

export class EndTagState extends Mutable {
  readonly #charset: Charset;
  #name: string;
  #modified = false;

  constructor(name: string, charset: Charset) {
    super();
    this.#name = name;
    this.#charset = charset;
  }

  /** Take what an element's handlers wanted; of several elements that end here the last one's counts. */
  take({ mutations, name }: AtEndTag): void {
    if (name !== undefined) {
      this.#name = name;
      this.#modified = true;
    }
    if (mutations !== undefined) this.replaceMutations(mutations);
  }

  get name(): string {
    return lowerAscii(this.#charset.decode(this.#name));
  }

  set name(name: string) {
    this.#name = this.#charset.bytesAsText(name);
    this.#modified = true;
  }

  write(output: Output, raw: () => void): void | Promise<void> {
    return this.writeMutated(output, this.#modified ? () => output.writeBytes(`</${this.#name}>`) : raw);
  }
}

export class TextState extends Mutable {
  constructor(
    readonly text: string,
    readonly isLast: boolean,
  ) {
    super();
  }

  /** @param raw Writes it as it was read; without, it is written as it was understood. */
  write(output: Output, raw = () => output.writeText(this.text)): void | Promise<void> {
    return this.writeMutated(output, raw);
  }
}

export class CommentState extends Mutable {
  #text: string;
  #modified = false;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  get text(): string {
    return this.#text;
  }

  set text(text: string) {
    if (COMMENT_CLOSING.test(text)) throw parserError("Comment text shouldn't contain a comment-closing sequence.");
    this.#text = text;
    this.#modified = true;
  }

  write(output: Output, raw: () => void): void | Promise<void> {
    return this.writeMutated(output, this.#modified ? () => output.writeText(`<!--${this.#text}-->`) : raw);
  }
}

export class DoctypeState {
  constructor(
    readonly parts: RawDoctype,
    readonly charset: Charset,
  ) {}

  part(part: string | undefined): string | null {
    return part === undefined ? null : this.charset.decode(part);
  }
}

export class DocumentEndState {
  constructor(readonly output: Output) {}
}
