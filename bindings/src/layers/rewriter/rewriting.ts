/** One document on its way through the handlers. */

import type { Charset } from "./charset";
import { Context, type Namespace } from "./context";
import { LEXEME, type Lexeme, Lexer, lowerAscii } from "./lexer";
import { checkMemory, OpenElements } from "./matching";
import { Output } from "./output";
import type { Selector } from "./selectors";
import {
  CommentState,
  DoctypeState,
  DocumentEndState,
  ElementState,
  EndTagState,
  type Handler,
  TextState,
} from "./states";
import { callHandler } from "./tokens";

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

type Step = void | Promise<void>;

/** Do one after the other, without waiting for what is done at once. */
function inTurn(steps: readonly (() => Step)[], from = 0): Step {
  for (let at = from; at < steps.length; at++) {
    const step = (steps[at] as () => Step)();
    if (step !== undefined) return step.then(() => inTurn(steps, at + 1));
  }
  return undefined;
}

export class Rewriting {
  readonly output: Output;
  readonly #charset: Charset;
  readonly #latin1: (bytes: Uint8Array) => string;
  readonly #elements: readonly ElementHandlers[];
  readonly #documents: readonly DocumentHandlers[];
  readonly #lexer = new Lexer();
  readonly #context = new Context();
  /** None when there are no selectors. */
  readonly #open: OpenElements | undefined;
  /** How many open elements each of the handlers is for. */
  readonly #users: number[];
  /** Whether texts and comments have a handler somewhere. */
  readonly #wantsText: boolean;
  readonly #wantsComments: boolean;
  /** The bytes of the lexer's input, in pieces until it can go on. */
  #bytes = new Uint8Array(0);
  #waiting: Uint8Array[] = [];
  /** How far the input is in the output, or removed. */
  #done = 0;
  /** Open elements whose content is removed. */
  #removing = 0;
  /** Of texts that a handler sees, and whether one of them has begun. */
  readonly #decoder: TextDecoder;
  #inText = false;

  /** @param latin1 Gives a string with a character for each byte. */
  constructor(
    elements: readonly ElementHandlers[],
    documents: readonly DocumentHandlers[],
    charset: Charset,
    latin1: (bytes: Uint8Array) => string,
  ) {
    this.#elements = elements;
    this.#documents = documents;
    this.#charset = charset;
    this.#latin1 = latin1;
    this.#decoder = charset.decoder();
    this.output = new Output(charset);
    const lists = elements.map(({ selectors }) => selectors);
    this.#open = elements.length === 0 ? undefined : new OpenElements(lists, charset);
    this.#users = elements.map(() => 0);
    this.#wantsText = [...elements, ...documents].some(({ text }) => text !== undefined);
    this.#wantsComments = [...elements, ...documents].some(({ comments }) => comments !== undefined);
  }

  /**
   * Rewrite more; what comes out is in `output`.
   *
   * @throws TypeError when the document cannot be rewritten; what a handler throws.
   */
  async write(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk);
    if (this.#lexer.push(this.#latin1(chunk), false)) await this.#advance();
    checkMemory(this.#lexer.unfinished + (this.#open?.memory ?? 0));
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
    if (lexeme === LEXEME.text) return this.#wantsText ? this.#text() : undefined;
    const lexer = this.#lexer;
    const name = lexeme === LEXEME.startTag || lexeme === LEXEME.endTag ? lowerAscii(lexer.name) : "";
    // It may end the rewriting, before anybody hears that a text is over.
    const namespace = lexeme === LEXEME.startTag ? this.#context.startTag(name, lexer) : "html";
    const ended = this.#inText ? this.#endText() : undefined;
    return ended === undefined ? this.#markup(lexeme, name, namespace) : ended.then(() => this.#markup(lexeme, name, namespace));
  }

  #markup(lexeme: Lexeme, name: string, namespace: Namespace): Step {
    if (lexeme === LEXEME.startTag) return this.#startTag(name, namespace);
    if (lexeme === LEXEME.endTag) return this.#endTag(name);
    if (lexeme === LEXEME.comment) return this.#wantsComments ? this.#comment() : undefined;
    return lexeme === LEXEME.doctype ? this.#doctype() : undefined;
  }

  #startTag(name: string, namespace: Namespace): Step {
    const lexer = this.#lexer;
    if (this.#open === undefined) return undefined;
    const { element, matched } = this.#open.enter(name, namespace, lexer);
    checkMemory(this.#open.memory);
    if (matched.length === 0) return undefined;
    if (element !== undefined) for (const index of matched) (this.#users[index] as number)++;
    const handlers = matched.map((index) => (this.#elements[index] as ElementHandlers).element);
    if (handlers.every((handler) => handler === undefined)) return undefined;
    const state = new ElementState(lexer, this.#charset, namespace, element !== undefined);
    if (this.#removing > 0) state.mutations.removed = true;
    return this.#handle(
      handlers.map((handler) => () => handler && callHandler(handler, state)),
      (emits, raw) => {
        if (element !== undefined && !state.atEnd.isNothing) element.atEnd = state.atEnd;
        if (element !== undefined && state.removesContent) {
          element.removesContent = true;
          this.#removing++;
        }
        return emits ? state.write(this.output, raw) : undefined;
      },
    );
  }

  #endTag(name: string): Step {
    const lexer = this.#lexer;
    this.#context.endTag(name, lexer);
    if (this.#open === undefined) return undefined;
    this.#passUpTo(lexer.start);
    const state = new EndTagState(lexer.name, this.#charset);
    const steps: (() => Step)[] = [];
    for (const element of this.#open.leave(name)) {
      for (const index of element.matched) (this.#users[index] as number)--;
      if (element.removesContent) this.#removing--;
      const { atEnd } = element;
      if (atEnd === undefined) continue;
      // The innermost comes first.
      steps.unshift(() => {
        state.take(atEnd);
        return atEnd.handler && callHandler(atEnd.handler, state);
      });
    }
    return steps.length === 0 ? undefined : this.#handle(steps, (emits, raw) => (emits ? state.write(this.output, raw) : undefined));
  }

  #text(): Step {
    const handlers = this.#active("text");
    if (handlers.length === 0) return undefined;
    const { start, end } = this.#lexer;
    this.#inText = true;
    this.#passUpTo(start);
    const text = this.#decoder.decode(this.#bytes.subarray(start, end), { stream: true });
    this.#done = end;
    return text === "" ? undefined : this.#emitText(handlers, new TextState(text, false));
  }

  /** The handlers of a text hear that it is over. */
  #endText(): Step {
    this.#inText = false;
    return this.#emitText(this.#active("text"), new TextState(this.#decoder.decode(), true));
  }

  #emitText(handlers: readonly Handler[], state: TextState): Step {
    const steps = handlers.map((handler) => () => callHandler(handler, state));
    return inTurn([...steps, () => (this.#removing > 0 ? undefined : state.write(this.output))]);
  }

  #comment(): Step {
    const handlers = this.#active("comments");
    if (handlers.length === 0) return undefined;
    const { input, textStart, textEnd } = this.#lexer;
    const state = new CommentState(this.#charset.decode(input.slice(textStart, textEnd)));
    return this.#handle(
      handlers.map((handler) => () => callHandler(handler, state)),
      (emits, raw) => (emits ? state.write(this.output, raw) : undefined),
    );
  }

  #doctype(): Step {
    const state = new DoctypeState(this.#lexer.doctype(), this.#charset);
    return inTurn(this.#documents.map(({ doctype }) => () => doctype && callHandler(doctype, state)));
  }

  /** Those of the elements that are open, then those of the whole document. */
  #active(kind: "text" | "comments"): Handler[] {
    const ofElements = this.#elements.filter((_, index) => (this.#users[index] as number) > 0);
    return [...ofElements, ...this.#documents].map((handlers) => handlers[kind]).filter((handler) => handler !== undefined);
  }

  /**
   * Call handlers for the current lexeme.
   *
   * @param finish Comes after them; gets whether it is to be written, and what writes it as it was read.
   */
  #handle(steps: readonly (() => Step)[], finish: (emits: boolean, raw: () => void) => Step): Step {
    const { start, end } = this.#lexer;
    const emits = this.#removing === 0;
    this.#passUpTo(start);
    this.#done = end;
    const raw = () => this.output.write(this.#bytes.subarray(start, end));
    return inTurn([...steps, () => finish(emits, raw)]);
  }
}
