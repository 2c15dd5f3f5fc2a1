/** One document on its way through the handlers. */

import { type Charset, isAscii } from "./charset";
import { Context, type Namespace, needsAttributes } from "./context";
import { LEXEME, type Lexeme, Lexer } from "./lexer";
import { OpenElements, outOfMemory } from "./matching";
import { Output } from "./output";
import type { Selector } from "./selectors";
import {
  type AtEndTag,
  CommentState,
  DoctypeState,
  DocumentEndState,
  ElementState,
  EndTagState,
  type Handler,
  TextState,
} from "./states";
import { callHandler, type State } from "./tokens";

export interface ElementHandlers {
  readonly selectors: readonly Selector[];
  readonly element: Handler | undefined;
  readonly comments: Handler | undefined;
  readonly text: Handler | undefined;
}

export interface DocumentHandlers {
  readonly doctype: Handler | undefined;
  readonly comments: Handler | undefined;
  readonly text: Handler | undefined;
  readonly end: Handler | undefined;
}

/** Bytes of a lexeme after which it is asked whether anybody wants it, and bytes of one that may wait for its end, as on workerd. */
const PATIENCE = 64 * 1024;
const MOST_WAITING = 3 * 1024 * 1024;

type Step = void | Promise<void>;

/** Do something after something else, at once when that is done. */
function after(step: Step, next: () => Step): Step {
  return step === undefined ? next() : step.then(next);
}

/** Call handlers one after the other. */
function callAll(handlers: readonly Handler[], state: State, from = 0): Step {
  for (let at = from; at < handlers.length; at++) {
    const step = callHandler(handlers[at] as Handler, state);
    if (step !== undefined) return step.then(() => callAll(handlers, state, at + 1));
  }
  return undefined;
}

export class Rewriting {
  readonly output: Output;
  readonly #charset: Charset;
  readonly #latin1: (bytes: Uint8Array) => string;
  readonly #elements: readonly ElementHandlers[];
  readonly #documents: readonly DocumentHandlers[];
  readonly #lexer: Lexer;
  readonly #context = new Context();
  /** None when there are no selectors. */
  readonly #open: OpenElements | undefined;
  /** How many open elements each of the handlers is for, and the handlers of texts and comments that follows from it. */
  readonly #users: number[];
  #active: { readonly text: readonly Handler[]; readonly comments: readonly Handler[] } | undefined;
  /** Whether comments have a handler somewhere. */
  readonly #wantsComments: boolean;
  /** The bytes of the lexer's input, in pieces until it can go on. */
  #bytes = new Uint8Array(0);
  #waiting: Uint8Array[] = [];
  /** How far the input is in the output, or removed. */
  #done = 0;
  /** Open elements whose content is removed. */
  #removing = 0;
  /** Of texts that a handler sees, whether it has begun with one of them, and whether there is one. */
  readonly #decoder: TextDecoder;
  #decoding = false;
  #inText = false;

  /**
   * @param latin1 Gives a string with a character for each byte.
   * @param send Takes what comes out.
   */
  constructor(
    elements: readonly ElementHandlers[],
    documents: readonly DocumentHandlers[],
    charset: Charset,
    latin1: (bytes: Uint8Array) => string,
    send: (bytes: Uint8Array) => Promise<void>,
  ) {
    this.#elements = elements;
    this.#documents = documents;
    this.#charset = charset;
    this.#latin1 = latin1;
    this.#decoder = charset.decoder();
    this.output = new Output(charset, send);
    const lists = elements.map(({ selectors }) => selectors);
    this.#open = elements.length === 0 ? undefined : new OpenElements(lists, charset);
    this.#users = elements.map(() => 0);
    this.#lexer = new Lexer([...elements, ...documents].some(({ text }) => text !== undefined));
    this.#wantsComments = [...elements, ...documents].some(({ comments }) => comments !== undefined);
  }

  /**
   * Rewrite more; the rest of what comes out is in `output`.
   *
   * @throws TypeError when the document cannot be rewritten; what a handler throws.
   */
  async write(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk);
    if (this.#lexer.push(this.#latin1(chunk), false)) await this.#advance();
    if (this.#lexer.waiting > PATIENCE && this.#maySkip()) {
      this.#lexer.skip();
      await this.#advance();
    }
    if (this.#lexer.waiting > MOST_WAITING) throw outOfMemory();
  }

  /** Whether nobody wants the lexeme that has begun. */
  #maySkip(): boolean {
    const { begun, lowerName } = this.#lexer;
    if (begun === LEXEME.comment) return this.#handlers.comments.length === 0;
    if (begun === LEXEME.doctype) return this.#documents.every(({ doctype }) => doctype === undefined);
    return begun === LEXEME.startTag && !needsAttributes(lowerName) && !this.#open?.mayMatch(lowerName);
  }

  /** The document is at its end. */
  async end(): Promise<void> {
    this.#lexer.push("", true);
    await this.#advance();
    if (this.#inText) await this.#endText();
    const state = new DocumentEndState(this.output);
    for (const { end } of this.#documents) if (end !== undefined) await callHandler(end, state);
  }

  /** Read what can be read of the input. */
  async #advance(): Promise<void> {
    this.#joinBytes();
    const lexer = this.#lexer;
    for (let lexeme = lexer.next(); lexeme !== undefined; lexeme = lexer.next()) {
      const step = this.#lexeme(lexeme);
      if (step !== undefined) await step;
      if (this.output.isFull) await this.output.flush();
    }
    this.#passUpTo(lexer.end);
  }

  #joinBytes(): void {
    const rest = this.#bytes.length - this.#done;
    const all = new Uint8Array(this.#waiting.reduce((sum, { length }) => sum + length, rest));
    all.set(this.#bytes.subarray(this.#done));
    let at = rest;
    for (const piece of this.#waiting) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#bytes = all;
    this.#waiting = [];
    this.#done = 0;
  }

  /** Let the input pass as it is. */
  #passUpTo(end: number): void {
    if (this.#removing === 0 && end > this.#done) this.output.write(this.#bytes.subarray(this.#done, end));
    this.#done = end;
  }

  #lexeme(lexeme: Lexeme): Step {
    const lexer = this.#lexer;
    if (lexeme === LEXEME.text) return lexer.givesText ? this.#text() : undefined;
    // It may end the rewriting, before anybody hears that a text is over.
    const namespace = lexeme === LEXEME.startTag ? this.#context.startTag(lexer.lowerName, lexer) : "html";
    return this.#inText ? after(this.#endText(), () => this.#markup(lexeme, namespace)) : this.#markup(lexeme, namespace);
  }

  #markup(lexeme: Lexeme, namespace: Namespace): Step {
    if (lexeme === LEXEME.startTag) return this.#startTag(namespace);
    if (lexeme === LEXEME.endTag) return this.#endTag();
    if (lexeme === LEXEME.comment) return this.#wantsComments ? this.#comment() : undefined;
    return lexeme === LEXEME.doctype ? this.#doctype() : undefined;
  }

  #startTag(namespace: Namespace): Step {
    const lexer = this.#lexer;
    if (this.#open === undefined) return undefined;
    const { element, matched } = this.#open.enter(lexer.lowerName, namespace, lexer);
    if (matched.length === 0) return undefined;
    const handlers: Handler[] = [];
    for (const index of matched) {
      const { element: handler } = this.#elements[index] as ElementHandlers;
      if (handler !== undefined) handlers.push(handler);
      if (element !== undefined) this.#use(index, 1);
    }
    if (handlers.length === 0) return undefined;
    const emits = this.#removing === 0;
    const raw = this.#takeLexeme();
    const state = new ElementState(lexer, this.#charset, namespace, element !== undefined);
    if (!emits) state.mutations.removed = true;
    return after(callAll(handlers, state), () => {
      if (element !== undefined) element.atEnd = state.atEnd;
      if (element !== undefined && state.removesContent) {
        element.removesContent = true;
        this.#removing++;
      }
      return emits ? state.write(this.output, raw) : undefined;
    });
  }

  #endTag(): Step {
    const lexer = this.#lexer;
    const name = lexer.lowerName;
    this.#context.endTag(name, lexer);
    if (this.#open === undefined) return undefined;
    const left = this.#open.leave(name);
    if (left.length === 0) return undefined;
    if (this.#removing > 0) this.#passUpTo(lexer.start);
    const ends: AtEndTag[] = [];
    for (const { found, removesContent, atEnd } of left) {
      for (const index of found.matched) this.#use(index, -1);
      if (removesContent) this.#removing--;
      if (atEnd !== undefined) ends.push(atEnd);
    }
    if (ends.length === 0) return undefined;
    // The innermost comes first.
    return this.#endElements(ends.reverse(), new EndTagState(lexer.name, this.#charset));
  }

  /** Do at an end tag what the handlers of the elements that it ends want. */
  #endElements(ends: readonly AtEndTag[], state: EndTagState): Step {
    const emits = this.#removing === 0;
    const raw = this.#takeLexeme();
    let step: Step = undefined;
    for (const end of ends)
      step = after(step, () => {
        state.take(end);
        return end.handler && callHandler(end.handler, state);
      });
    return after(step, () => (emits ? state.write(this.output, raw) : undefined));
  }

  #text(): Step {
    const { text: handlers } = this.#handlers;
    if (handlers.length === 0) return undefined;
    const { input, start, end } = this.#lexer;
    this.#inText = true;
    const raw = this.#takeLexeme();
    const written = input.slice(start, end);
    if (!this.#decoding && isAscii(written)) return this.#emitText(handlers, new TextState(written, false), raw);
    this.#decoding = true;
    const text = this.#decoder.decode(this.#bytes.subarray(start, end), { stream: true });
    return text === "" ? undefined : this.#emitText(handlers, new TextState(text, false));
  }

  /** The handlers of a text hear that it is over. */
  #endText(): Step {
    const rest = this.#decoding ? this.#decoder.decode() : "";
    this.#decoding = this.#inText = false;
    return this.#emitText(this.#handlers.text, new TextState(rest, true));
  }

  #emitText(handlers: readonly Handler[], state: TextState, raw?: () => void): Step {
    return after(callAll(handlers, state), () => (this.#removing > 0 ? undefined : state.write(this.output, raw)));
  }

  #comment(): Step {
    const { comments: handlers } = this.#handlers;
    if (handlers.length === 0) return undefined;
    const { input, textStart, textEnd } = this.#lexer;
    const state = new CommentState(this.#charset.decode(input.slice(textStart, textEnd)));
    const raw = this.#takeLexeme();
    return after(callAll(handlers, state), () => (this.#removing > 0 ? undefined : state.write(this.output, raw)));
  }

  #doctype(): Step {
    const handlers = this.#documents.map(({ doctype }) => doctype).filter((handler) => handler !== undefined);
    return callAll(handlers, new DoctypeState(this.#lexer.doctype(), this.#charset));
  }

  /** An element that handlers are for was entered or left. */
  #use(index: number, change: 1 | -1): void {
    const before = this.#users[index] as number;
    this.#users[index] = before + change;
    if (before === 0 || before + change === 0) this.#active = undefined;
  }

  /** Those of the elements that are open, then those of the whole document. */
  get #handlers(): { readonly text: readonly Handler[]; readonly comments: readonly Handler[] } {
    if (this.#active === undefined) {
      const ofElements = this.#elements.filter((_, index) => (this.#users[index] as number) > 0);
      const all = [...ofElements, ...this.#documents];
      this.#active = {
        text: all.map(({ text }) => text).filter((handler) => handler !== undefined),
        comments: all.map(({ comments }) => comments).filter((handler) => handler !== undefined),
      };
    }
    return this.#active;
  }

  /** What is before the current lexeme passes; the lexeme itself only as a handler's token. @returns What writes it as it was read. */
  #takeLexeme(): () => void {
    const { start, end } = this.#lexer;
    this.#passUpTo(start);
    this.#done = end;
    return () => this.output.write(this.#bytes.subarray(start, end));
  }
}
