/**
 * HTML in pieces, cut into lexemes as by the tokenization of the HTML Standard (§13.2.5).
 *
 * The input is a string with a character for each byte: every encoding that may come has ASCII in its place, and only ASCII
 * means something here. Nothing is built and nothing decoded; a lexeme is a range. Regular expressions do the work, since they
 * run in the engine's C: tokenizers that look at each character themselves are fifteen times slower in it.
 */

/** Kinds of lexemes. `other` is what no handler ever sees: `</>`, a tag that the input's end cuts off, the marks around CDATA. */
export const LEXEME = { text: 0, startTag: 1, endTag: 2, comment: 3, doctype: 4, other: 5 } as const;
export type Lexeme = (typeof LEXEME)[keyof typeof LEXEME];

/** What the lexer is in; `text` ends at the end tag of its name alone, `skipped` is a lexeme that nobody wants. */
export type Content = "markup" | "text" | "script" | "plaintext" | "cdata" | "skipped";

/** Attributes up to a `>` or the end of the input: the last one, and what follows it. It matches always. */
const ATTRIBUTES = String.raw`[\t\n\f\r /]*(?:([^\t\n\f\r />][^\t\n\f\r />=]*(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"[^"]*(?:"|$)|'[^']*(?:'|$)|[^\t\n\f\r >"'][^\t\n\f\r >]*)?)?)([\t\n\f\r /]*))*`;
/** A tag after its `<` or `</`. */
const TAG = new RegExp(String.raw`([^\t\n\f\r />]*)${ATTRIBUTES}`, "y");
/** The rest of one, from an attribute on. */
const REST_OF_TAG = new RegExp(`()${ATTRIBUTES}`, "y");
/** One attribute: as it is written, its name, and its value in double, single and no quotes. */
const ATTRIBUTE =
  /[\t\n\f\r /]*(([^\t\n\f\r />][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >"'][^\t\n\f\r >]*))?)?)/y;
/** The quote that an attribute's value waits for. */
const OPEN_QUOTE = /^.[^=]*=[\t\n\f\r ]*(?:(")[^"]*|(')[^']*)$/s;
const GREATER = />/g;
const COMMENT_END = /--!?>/g;
const COMMENT_END_BEGUN = /(?:--!|--?)$/;
const NEVER = /(?!)/;
const DOCTYPE =
  /^<!doctype[\t\n\f\r ]*([^\t\n\f\r >]+)?(?:[\t\n\f\r ]*(?:public[\t\n\f\r ]*(?:"([^">]*)"?|'([^'>]*)'?)?[\t\n\f\r ]*|system[\t\n\f\r ]*)(?:"([^">]*)"?|'([^'>]*)'?)?)?/i;
const CDATA = "[CDATA[";
/** What matters in a script (§13.2.5.4, .15-.31): outside `<!--`, inside, and inside an element `script` in there. */
const SCRIPT_STEPS = [
  /<!--|<\/script(?=[\t\n\f\r />])/gi,
  /-->|<\/?script(?=[\t\n\f\r />])/gi,
  /-->|<\/script(?=[\t\n\f\r />])/gi,
] as const;
/** What may become one of these when more comes. */
const SCRIPT_STEP_BEGUN = /(?:<(?:!-?|\/?(?:s(?:c(?:r(?:i(?:pt?)?)?)?)?)?)|--?)$/i;
const UPPER = /[A-Z]/;

const endsOfText = new Map<string, RegExp>();
/** Names of tags in lower case, as they have been written: a shorter way to those that come again. */
const seenNames = new Map<string, string>();
const MOST_SEEN_NAMES = 512;

/** ASCII letters only: others are parts of characters. */
export function lowerAscii(text: string): string {
  return UPPER.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

/** An attribute as it is written: all three have a character for each byte. */
export interface RawAttribute {
  readonly name: string;
  readonly value: string;
  readonly raw: string;
}

export interface RawDoctype {
  readonly name: string | undefined;
  readonly publicId: string | undefined;
  readonly systemId: string | undefined;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

export class Lexer {
  /** What of the input is still wanted. */
  input = "";
  /** Whether text between markup is a lexeme; otherwise it is passed over. */
  readonly givesText: boolean;
  /** The current lexeme. */
  start = 0;
  end = 0;
  /** Of a tag: its name as it is written and in lower case, where its attributes begin, and whether it ends in `/>`. */
  name = "";
  lowerName = "";
  selfClosing = false;
  /** Of a comment. */
  textStart = 0;
  textEnd = 0;
  content: Content = "markup";
  /** Whether `<![CDATA[` begins text, as in SVG and MathML. */
  allowsCdata = false;
  #attributesStart = 0;
  #last = false;
  /** The element whose end tag ends the text. */
  #textOf = "";
  #scriptStep = 0;
  /** Without one of this an unfinished lexeme stays so; "" when there is none. */
  #awaited = "";
  /** How far into an unfinished lexeme it has been understood. */
  #resume = 0;
  #begun: Lexeme | undefined;
  /** What is skipped, what ends it, and the quote that an attribute's value waits for. */
  #skipped: Lexeme | undefined;
  #skippedUpTo = GREATER;
  #quote = "";
  #waiting: string[] = [];
  #waitingLength = 0;

  constructor(givesText: boolean) {
    this.givesText = givesText;
  }

  /** The bytes that wait for their lexeme's end. */
  get waiting(): number {
    return this.input.length - this.end + this.#waitingLength;
  }

  /**
   * Give it more; positions before do not count any more.
   *
   * @returns Whether there can be a lexeme now.
   */
  push(piece: string, last: boolean): boolean {
    this.#last = last;
    this.#waiting.push(piece);
    this.#waitingLength += piece.length;
    if (this.#awaited !== "" && !last && !piece.includes(this.#awaited)) return false;
    this.input = this.input.slice(this.end) + this.#waiting.join("");
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#awaited = "";
    this.#begun = undefined;
    this.start = this.end = 0;
    return true;
  }

  /** What the unfinished lexeme will be, if that is known and something that can be skipped. */
  get begun(): Lexeme | undefined {
    return this.#begun;
  }

  /** Nobody wants the unfinished lexeme: it comes in pieces that are nothing, and of a start tag the last is one without attributes. */
  skip(): void {
    this.content = "skipped";
    this.#skipped = this.#begun;
    this.#skippedUpTo = this.input.startsWith("<!--", this.end) ? COMMENT_END : GREATER;
    this.#quote = "";
    this.#awaited = "";
    this.push("", false);
  }

  /** What follows the start tag just read is text, up to the end tag of that name. */
  expectText(name: string, content: Content): void {
    this.content = content;
    this.#textOf = name;
    this.#scriptStep = 0;
  }

  /** Go on to the next lexeme; undefined when more input is needed, or there is none. */
  next(): Lexeme | undefined {
    this.start = this.end;
    if (this.start === this.input.length) return undefined;
    const lexeme = this.content === "markup" ? this.#nextInMarkup() : this.#nextInContent(this.content);
    if (lexeme !== undefined) this.#resume = 0;
    return lexeme;
  }

  #nextInContent(content: Exclude<Content, "markup">): Lexeme | undefined {
    switch (content) {
      case "text":
        return this.#nextInText();
      case "script":
        return this.#nextInScript();
      case "cdata":
        return this.#nextInCdata();
      case "skipped":
        return this.#skipped === LEXEME.startTag ? this.#nextOfTag() : this.#nextOfDeclaration();
      case "plaintext":
        return this.#text(this.input.length);
    }
  }

  /** The attributes of a start tag. */
  attributes(): RawAttribute[] {
    const found: RawAttribute[] = [];
    ATTRIBUTE.lastIndex = this.#attributesStart;
    for (;;) {
      const match = ATTRIBUTE.exec(this.input);
      if (match === null) return found;
      const [, written, name, double, single, bare] = match as unknown as (string | undefined)[];
      const value = double ?? single ?? bare;
      // Without a value, its `=` does not count either.
      found.push({ name: name as string, value: value ?? "", raw: (value === undefined ? name : written) as string });
    }
  }

  /** The parts of a doctype. */
  doctype(): RawDoctype {
    const match = DOCTYPE.exec(this.input.slice(this.start, this.end)) as RegExpExecArray;
    return { name: match[1], publicId: match[2] ?? match[3], systemId: match[4] ?? match[5] };
  }

  #nextInMarkup(): Lexeme | undefined {
    const { input } = this;
    let open = input.indexOf("<", this.start);
    while (open >= 0 && this.#beginsMarkup(open) === false) open = input.indexOf("<", open + 1);
    if (open < 0) return this.#text(input.length);
    if (open > this.start) {
      if (this.givesText) return this.#text(open);
      this.start = this.end = open;
    }
    const next = input.charCodeAt(open + 1);
    if (isLetter(next)) return this.#tag(open + 1, LEXEME.startTag);
    if (next === 0x2f && isLetter(input.charCodeAt(open + 2))) return this.#tag(open + 2, LEXEME.endTag);
    if (this.#beginsMarkup(open) === undefined) return this.#last ? this.#text(input.length) : undefined;
    return this.#rareMarkup(open, next);
  }

  /** Whether a `<` is more than itself; undefined when only more input tells. */
  #beginsMarkup(open: number): boolean | undefined {
    const next = this.input.charCodeAt(open + 1);
    if (isLetter(next) || next === 0x21 || next === 0x3f) return true;
    if (next === 0x2f) return open + 2 < this.input.length ? true : undefined;
    return Number.isNaN(next) ? undefined : false;
  }

  #rareMarkup(open: number, next: number): Lexeme | undefined {
    if (next === 0x21) return this.#declaration(open);
    if (next === 0x3f) return this.#bogusComment(open + 1);
    if (this.input.charCodeAt(open + 2) !== 0x3e) return this.#bogusComment(open + 2);
    this.end = open + 3;
    return LEXEME.other;
  }

  #tag(from: number, kind: Lexeme): Lexeme | undefined {
    const { input } = this;
    const resumed = this.#resume > 0;
    // Most tags have a usual name and no attributes.
    const close = resumed ? -1 : input.indexOf(">", from);
    const written = close < 0 || close - from > 12 ? "" : input.slice(from, close);
    const lower = seenNames.get(written);
    if (lower !== undefined) {
      this.name = written;
      this.lowerName = lower;
      return this.#endOfTag(close, undefined, undefined, close, kind);
    }
    const pattern = resumed ? REST_OF_TAG : TAG;
    pattern.lastIndex = resumed ? this.start + this.#resume : from;
    const [, name, attribute, after] = pattern.exec(input) as RegExpExecArray;
    const end = pattern.lastIndex;
    if (!resumed) this.#setName(name as string);
    if (end === input.length) {
      if (attribute === undefined) return this.#unfinished(">");
      this.#resume = end - (after as string).length - attribute.length - this.start;
      if (kind === LEXEME.startTag) this.#begun = kind;
      const open = OPEN_QUOTE.exec(attribute);
      return this.#unfinished(open === null ? ">" : ((open[1] ?? open[2]) as string));
    }
    return this.#endOfTag(end, attribute, after, from + this.name.length, kind);
  }

  #declaration(open: number): Lexeme | undefined {
    const { input } = this;
    const after = open + 2;
    if (input.startsWith("--", after)) return this.#comment(open);
    if (this.allowsCdata && input.startsWith(CDATA, after)) {
      this.content = "cdata";
      this.end = after + CDATA.length;
      return LEXEME.other;
    }
    const head = input.slice(after, after + 7);
    const isDoctype = head.toLowerCase() === "doctype";
    if (!isDoctype && !this.#last && head.length < 7 && !head.includes(">"))
      if ("--".startsWith(head) || "doctype".startsWith(head.toLowerCase()) || CDATA.startsWith(head)) return undefined;
    if (!isDoctype) return this.#bogusComment(after);
    const close = input.indexOf(">", after);
    if (close < 0) return this.#unfinished(">", LEXEME.doctype) && LEXEME.doctype;
    this.end = close + 1;
    return LEXEME.doctype;
  }

  #comment(open: number): Lexeme | undefined {
    const { input } = this;
    const from = open + 4;
    this.textStart = this.textEnd = from;
    for (const shortest of [">", "->"])
      if (input.startsWith(shortest, from)) {
        this.end = from + shortest.length;
        return LEXEME.comment;
      }
    COMMENT_END.lastIndex = Math.max(from, this.start + this.#resume);
    const match = COMMENT_END.exec(input);
    if (match === null) {
      this.#resume = Math.max(0, input.length - 3 - this.start);
      return this.#unfinishedComment(from, COMMENT_END_BEGUN);
    }
    this.textEnd = match.index;
    this.end = COMMENT_END.lastIndex;
    return LEXEME.comment;
  }

  #bogusComment(from: number): Lexeme | undefined {
    const close = this.input.indexOf(">", from);
    if (close < 0) return this.#unfinishedComment(from, NEVER);
    this.textStart = from;
    this.textEnd = close;
    this.end = close + 1;
    return LEXEME.comment;
  }

  #nextInText(): Lexeme | undefined {
    const { input } = this;
    let end = endsOfText.get(this.#textOf);
    if (end === undefined) endsOfText.set(this.#textOf, (end = new RegExp(`</${this.#textOf}(?=[\\t\\n\\f\\r />])`, "gi")));
    end.lastIndex = this.start;
    const match = end.exec(input);
    if (match !== null) return this.#endTagOfText(match.index);
    const open = input.lastIndexOf("<");
    const begun = open >= this.start && `</${this.#textOf}`.startsWith(lowerAscii(input.slice(open)));
    return this.#textBefore(begun && !this.#last ? open : input.length);
  }

  #nextInScript(): Lexeme | undefined {
    const { input } = this;
    for (let from = this.start; ; ) {
      const step = SCRIPT_STEPS[this.#scriptStep] as RegExp;
      step.lastIndex = from;
      const match = step.exec(input);
      if (match === null) {
        const begun = this.#last ? null : SCRIPT_STEP_BEGUN.exec(input.slice(Math.max(from, input.length - 8)));
        return this.#textBefore(begun === null ? input.length : input.length - begun[0].length);
      }
      const isEndTag = match[0].startsWith("</");
      if (isEndTag && this.#scriptStep < 2) return this.#endTagOfText(match.index);
      // Dashes of `<!--` may be those of `-->`.
      from = match[0] === "<!--" ? match.index + 2 : step.lastIndex;
      this.#scriptStep = match[0] === "-->" ? 0 : isEndTag || match[0] === "<!--" ? 1 : 2;
    }
  }

  #endTagOfText(at: number): Lexeme | undefined {
    if (at > this.start) return this.#text(at);
    const kind = this.#tag(at + 2, LEXEME.endTag);
    if (kind !== undefined) this.content = "markup";
    return kind;
  }

  #nextInCdata(): Lexeme | undefined {
    const { input } = this;
    const close = input.indexOf("]]>", this.start);
    if (close > this.start) return this.#text(close);
    if (close === this.start) {
      this.content = "markup";
      this.end = close + 3;
      return LEXEME.other;
    }
    const begun = this.#last ? null : /\]\]?$/.exec(input.slice(-2));
    return this.#textBefore(begun === null ? input.length : Math.max(this.start, input.length - begun[0].length));
  }

  #text(end: number): Lexeme {
    this.end = end;
    return LEXEME.text;
  }

  #textBefore(end: number): Lexeme | undefined {
    return end > this.start ? this.#text(end) : undefined;
  }

  /** The end of the input ends a comment; what had begun to be its end is not its text. */
  #unfinishedComment(from: number, endBegun: RegExp): Lexeme | undefined {
    if (this.#unfinished(">", LEXEME.comment) === undefined) return undefined;
    this.textStart = from;
    this.textEnd = from + this.input.slice(from).replace(endBegun, "").length;
    return LEXEME.comment;
  }

  #unfinished(awaited: string, lexeme?: Lexeme): Lexeme | undefined {
    if (this.#last) {
      this.end = this.input.length;
      return LEXEME.other;
    }
    this.#awaited = awaited;
    this.#begun ??= lexeme;
    return undefined;
  }

  #nextOfDeclaration(): Lexeme | undefined {
    const end = this.#skippedUpTo;
    end.lastIndex = this.start + this.#resume;
    if (end.test(this.input)) {
      this.content = "markup";
      this.end = end.lastIndex;
      return LEXEME.other;
    }
    // The last bytes may be the beginning of its end.
    return this.#pass(this.#last ? this.input.length : this.input.length - 3);
  }

  #nextOfTag(): Lexeme | undefined {
    const { input } = this;
    if (this.#quote !== "") {
      const close = input.indexOf(this.#quote, this.start);
      if (close >= 0) this.#quote = "";
      return this.#pass(close < 0 ? input.length : close + 1);
    }
    REST_OF_TAG.lastIndex = this.start + this.#resume;
    const [, , attribute, after] = REST_OF_TAG.exec(input) as unknown as (string | undefined)[];
    const end = REST_OF_TAG.lastIndex;
    if (end < input.length) {
      this.content = "markup";
      return this.#endOfTag(end, attribute, after, end, LEXEME.startTag);
    }
    const open = OPEN_QUOTE.exec(attribute ?? "");
    if (open !== null) this.#quote = (open[1] ?? open[2]) as string;
    if (open !== null || this.#last) return this.#pass(end);
    return attribute === undefined ? undefined : this.#pass(end - (after as string).length - attribute.length);
  }

  #setName(written: string): void {
    this.name = written;
    let lower = seenNames.get(written);
    if (lower === undefined) {
      lower = lowerAscii(written);
      if (seenNames.size < MOST_SEEN_NAMES) seenNames.set(written, lower);
    }
    this.lowerName = lower;
  }

  #endOfTag(end: number, attribute: string | undefined, after: string | undefined, attributes: number, kind: Lexeme): Lexeme {
    const slash = this.input.charCodeAt(end - 1) === 0x2f;
    this.selfClosing = slash && (attribute === undefined || after !== "");
    this.#attributesStart = attributes;
    this.end = end + 1;
    return kind;
  }

  #pass(end: number): Lexeme | undefined {
    if (end <= this.start) return undefined;
    this.end = end;
    return LEXEME.other;
  }
}
