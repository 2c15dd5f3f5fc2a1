/** Selectors: those of CSS that need no look ahead or back, with the words of workerd for all others. */

import { type CSSToken, tokenize, TokenType } from "@csstools/css-tokenizer";
import { parserError } from "./context";
import { lowerAscii } from "./lexer";

type Operator = "=" | "~=" | "|=" | "^=" | "$=" | "*=";

/** A condition on one element. Values and names are text, types and names of attributes in lower case. */
export type Condition =
  | { readonly kind: "any" }
  | { readonly kind: "type"; readonly name: string }
  | { readonly kind: "attribute"; readonly name: string; readonly test: AttributeTest | undefined }
  | { readonly kind: "nth"; readonly step: number; readonly offset: number; readonly ofType: boolean }
  | { readonly kind: "not"; readonly condition: Condition };

export interface AttributeTest {
  readonly operator: Operator;
  readonly value: string;
  readonly ignoresCase: "always" | "in HTML" | "never";
}

const ANY: Condition = { kind: "any" };

function negated(condition: Condition): Condition {
  return condition.kind === "not" ? condition.condition : { kind: "not", condition };
}

/** All of them hold for the same element. */
export type Compound = readonly Condition[];

/** Compounds from the outermost element to the one that is meant; each but the first says whether its parent is the one before. */
export type Selector = readonly { readonly compound: Compound; readonly isChild: boolean }[];

const UNEXPECTED_END = "Unexpected end of selector.";
const UNEXPECTED = "Unexpected token in selector.";
const UNEXPECTED_IN_ATTRIBUTE = "Unexpected token in the attribute selector.";
const EMPTY = "The selector is empty.";
const NAMESPACED = "Selectors with explicit namespaces are not supported.";
const UNSUPPORTED_PSEUDO = "Unsupported pseudo-class or pseudo-element in selector.";
const NTH = /^\s*(?:(even)|(odd)|([+-]?\d+)|([+-]?\d*)n(?:\s*([+-])\s*(\d+))?)\s*$/i;
/** Pseudo-classes that are understood, and not supported. */
const OTHER_PSEUDO_CLASSES = new Set(["empty", "last-child", "last-of-type", "only-child", "only-of-type", "root", "scope"]);

/** Attributes whose values have no case in elements of HTML (HTML Standard §4.17.2). */
const CASELESS_IN_HTML = new Set(
  (
    "accept accept-charset align alink axis bgcolor charset checked clear codetype color compact declare defer dir direction disabled " +
    "enctype face frame hreflang http-equiv lang language link media method multiple nohref noresize noshade nowrap readonly rel rev " +
    "rules scope scrolling selected shape target text type valign valuetype vlink"
  ).split(" "),
);

/**
 * Parse a list of selectors.
 *
 * @throws TypeError, in workerd's words.
 */
export function parseSelectors(text: string): Selector[] {
  const parser = new Parser(tokenize({ css: text }).filter(([type]) => type !== TokenType.Comment));
  const selectors = parser.list();
  if (parser.unsupported !== undefined) throw parserError(parser.unsupported);
  return selectors;
}

class Parser {
  /** What was understood first of what is not supported: errors of syntax come before it. */
  unsupported: string | undefined;
  readonly #tokens: readonly CSSToken[];
  #at = 0;

  constructor(tokens: readonly CSSToken[]) {
    this.#tokens = tokens;
  }

  /** Selectors up to the end, or to the parenthesis that closes a function. */
  list(): Selector[] {
    const selectors: Selector[] = [];
    for (;;) {
      selectors.push(this.#complex());
      const [type] = this.#next();
      if (type === TokenType.EOF || type === TokenType.CloseParen) return selectors;
    }
  }

  #peek(ahead = 0): CSSToken {
    const last = this.#tokens.length - 1;
    return this.#tokens[Math.min(this.#at + ahead, last)] as CSSToken;
  }

  #next(): CSSToken {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #isDelim(character: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token[0] === TokenType.Delim && token[4].value === character;
  }

  #skipSpace(): boolean {
    const from = this.#at;
    while (this.#peek()[0] === TokenType.Whitespace) this.#at++;
    return this.#at > from;
  }

  /** Whether a selector of a list ends here. */
  #isEnd(): boolean {
    const [type] = this.#peek();
    return type === TokenType.EOF || type === TokenType.Comma || (type === TokenType.CloseParen && this.#depth > 0);
  }

  #depth = 0;

  #complex(): Selector {
    const parts: { compound: Compound; isChild: boolean }[] = [];
    this.#skipSpace();
    for (let isChild = false; ; ) {
      const compound = this.#compound();
      if (compound.length === 0) throw parserError(parts.length === 0 ? EMPTY : "Dangling combinator in selector.");
      parts.push({ compound, isChild });
      const spaced = this.#skipSpace();
      if (this.#isEnd()) return parts;
      isChild = false;
      if (this.#isDelim(">")) isChild = true;
      else if (this.#isDelim("+") || this.#isDelim("~"))
        this.unsupported ??= this.#depth > 0 ? UNSUPPORTED_PSEUDO : `Unsupported combinator \`${this.#peek()[1]}\` in selector.`;
      else if (spaced) continue;
      else throw parserError(UNEXPECTED);
      this.#at++;
      this.#skipSpace();
    }
  }

  #compound(): Compound {
    const conditions = this.#type();
    for (;;) {
      const simple = this.#simple();
      if (simple === undefined) return conditions;
      conditions.push(...simple);
    }
  }

  /** The name at the beginning, with its namespace. */
  #type(): Condition[] {
    const isName = (ahead: number) => this.#peek(ahead)[0] === TokenType.Ident || this.#isDelim("*", ahead);
    const conditions: Condition[] = [];
    if (this.#isDelim("|", isName(0) ? 1 : 0)) {
      // Nothing is in no namespace.
      if (!isName(0)) conditions.push(negated(ANY));
      else if (!this.#isDelim("*")) throw parserError(NAMESPACED);
      else this.#at++;
      this.#at++;
      if (this.#peek()[0] === TokenType.EOF) throw parserError(EMPTY);
      if (!isName(0)) throw parserError(UNEXPECTED);
    }
    if (!isName(0)) return conditions;
    const token = this.#next();
    conditions.push(token[0] === TokenType.Ident ? { kind: "type", name: lowerAscii(token[4].value) } : ANY);
    return conditions;
  }

  #simple(): Compound | undefined {
    const token = this.#peek();
    switch (token[0]) {
      case TokenType.Hash:
        if (token[4].type !== "id") return undefined;
        this.#at++;
        return [attribute("id", "=", token[4].value)];
      case TokenType.OpenSquare:
        this.#at++;
        return [this.#attribute()];
      case TokenType.Colon:
        this.#at++;
        return this.#pseudo();
      default:
        return this.#isDelim(".") ? [this.#class()] : undefined;
    }
  }

  #class(): Condition {
    this.#at++;
    const token = this.#next();
    if (token[0] === TokenType.EOF) throw parserError(UNEXPECTED_END);
    if (token[0] !== TokenType.Ident) throw parserError("Invalid or unescaped class name in selector.");
    return attribute("class", "~=", token[4].value);
  }

  #attribute(): Condition {
    this.#skipSpace();
    const name = this.#attributeName();
    this.#skipSpace();
    if (isEndOfAttribute(this.#peek())) {
      this.#at++;
      return { kind: "attribute", name, test: undefined };
    }
    const operator = this.#operator();
    this.#skipSpace();
    const value = this.#next();
    if (isEndOfAttribute(value)) throw parserError(UNEXPECTED_END);
    if (value[0] !== TokenType.Ident && value[0] !== TokenType.String) throw parserError(UNEXPECTED_IN_ATTRIBUTE);
    this.#skipSpace();
    let flag = "";
    const last = this.#peek();
    if (last[0] === TokenType.Ident) {
      flag = last[4].value.toLowerCase();
      if (flag !== "i" && flag !== "s") throw parserError(UNEXPECTED);
      this.#at++;
      this.#skipSpace();
    }
    if (!isEndOfAttribute(this.#next())) throw parserError(UNEXPECTED);
    return attribute(name, operator, value[4].value, flag);
  }

  #attributeName(): string {
    const token = this.#next();
    const isAny = token[0] === TokenType.Delim && token[4].value === "*";
    if (isAny && isEndOfAttribute(this.#peek())) throw parserError(UNEXPECTED_END);
    if (isAny && (!this.#isDelim("|") || this.#isDelim("=", 1))) throw parserError(UNEXPECTED_IN_ATTRIBUTE);
    if ((isAny || token[0] === TokenType.Ident) && this.#isDelim("|") && !this.#isDelim("=", 1)) throw parserError(NAMESPACED);
    if (token[0] === TokenType.Ident) return lowerAscii(token[4].value);
    if (isEndOfAttribute(token)) throw parserError(UNEXPECTED_END);
    if (token[0] !== TokenType.Delim || token[4].value !== "|")
      throw parserError("Missing attribute name in attribute selector.");
    if (isEndOfAttribute(this.#peek())) throw parserError(UNEXPECTED_END);
    const name = this.#next();
    if (name[0] !== TokenType.Ident) throw parserError(UNEXPECTED_IN_ATTRIBUTE);
    return lowerAscii(name[4].value);
  }

  #operator(): Operator {
    if (this.#isDelim("=")) {
      this.#at++;
      return "=";
    }
    const [, sign] = this.#next();
    if (!"~|^$*".includes(sign) || !this.#isDelim("=")) throw parserError(UNEXPECTED_IN_ATTRIBUTE);
    this.#at++;
    return `${sign}=` as Operator;
  }

  #pseudo(): Compound {
    const token = this.#next();
    if (token[0] === TokenType.EOF) throw parserError(UNEXPECTED_END);
    if (token[0] === TokenType.Function) return this.#function(token[4].value.toLowerCase());
    if (token[0] === TokenType.Colon) {
      if (this.#peek()[0] === TokenType.EOF) throw parserError(UNEXPECTED_END);
      throw parserError(this.#depth > 0 ? "Unsupported syntax in selector." : UNSUPPORTED_PSEUDO);
    }
    if (token[0] !== TokenType.Ident) throw parserError(UNSUPPORTED_PSEUDO);
    const name = token[4].value.toLowerCase();
    if (name === "first-child" || name === "first-of-type")
      return [{ kind: "nth", step: 0, offset: 1, ofType: name === "first-of-type" }];
    if (!OTHER_PSEUDO_CLASSES.has(name)) throw parserError(UNSUPPORTED_PSEUDO);
    this.unsupported ??= UNSUPPORTED_PSEUDO;
    return [ANY];
  }

  #function(name: string): Compound {
    if (name === "not") return this.#negation();
    if (!/^nth-(?:last-)?(?:child|of-type)$/.test(name)) throw parserError(UNSUPPORTED_PSEUDO);
    let formula = "";
    for (;;) {
      const [type, written] = this.#next();
      if (type === TokenType.CloseParen || type === TokenType.EOF) break;
      formula += written;
    }
    if (formula.trim() === "" || /n\s*[+-]\s*$/i.test(formula)) throw parserError(UNEXPECTED_END);
    const match = NTH.exec(formula);
    if (match === null) throw parserError(UNEXPECTED);
    if (name.includes("last")) this.unsupported ??= UNSUPPORTED_PSEUDO;
    return [{ kind: "nth", ofType: name.endsWith("type"), ...stepAndOffset(match) }];
  }

  /** As on workerd, an element must fail every single condition: `:not(a.b)` is `:not(a):not(.b)`. */
  #negation(): Compound {
    this.#depth++;
    const selectors = this.list();
    this.#depth--;
    if (selectors.some((selector) => selector.length > 1)) this.unsupported ??= UNSUPPORTED_PSEUDO;
    return selectors.flatMap((selector) => selector.flatMap(({ compound }) => compound.map(negated)));
  }
}

function isEndOfAttribute([type]: CSSToken): boolean {
  return type === TokenType.CloseSquare || type === TokenType.EOF;
}

function attribute(name: string, operator: Operator, value: string, flag = ""): Condition {
  const ignoresCase = flag === "i" ? "always" : flag === "" && CASELESS_IN_HTML.has(name) ? "in HTML" : "never";
  return { kind: "attribute", name, test: { operator, value, ignoresCase } };
}

function stepAndOffset([, even, odd, alone, step, sign, offset]: RegExpExecArray): { step: number; offset: number } {
  if (even !== undefined) return { step: 2, offset: 0 };
  if (odd !== undefined) return { step: 2, offset: 1 };
  if (alone !== undefined) return { step: 0, offset: Number(alone) };
  return { step: step === "" || step === "+" ? 1 : step === "-" ? -1 : Number(step), offset: Number(`${sign ?? ""}${offset ?? 0}`) };
}
