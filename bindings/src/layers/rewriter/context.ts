/**
 * What the tokenizer must know of the tree that nobody builds: where tags are text, and whose namespace they are in.
 *
 * It follows the names of tags alone, as workerd does. Where they do not tell whether a start tag that makes what follows text
 * counts, rewriting ends with an error: reading a script as markup, or the other way round, would open a door.
 */

import { Counts } from "./counts";
import { type Content, type Lexer, lowerAscii } from "./lexer";

export const NAMESPACES = {
  html: "http://www.w3.org/1999/xhtml",
  svg: "http://www.w3.org/2000/svg",
  mathml: "http://www.w3.org/1998/Math/MathML",
} as const;
export type Namespace = keyof typeof NAMESPACES;

/** What the rewriting of a document ends with, by its message. */
export function parserError(message: string): TypeError {
  return new TypeError(`Parser error: ${message}`);
}

function names(list: string): ReadonlySet<string> {
  return new Set(list.split(" "));
}

/** Elements of HTML that have no contents. */
export const VOID_ELEMENTS: ReadonlySet<string> = names(
  "area base basefont bgsound br col embed hr img input keygen link meta param source track wbr",
);
const TEXT_CONTENT: ReadonlyMap<string, Content> = new Map<string, Content>([
  ...["iframe", "noembed", "noframes", "noscript", "style", "textarea", "title", "xmp"].map(
    (name): [string, Content] => [name, "text"],
  ),
  ["plaintext", "plaintext"],
  ["script", "script"],
]);

/** Start tags that end SVG and MathML (HTML Standard §13.2.6.5). */
const ENDS_FOREIGN_CONTENT = names(
  "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta nobr ol p pre " +
    "ruby s small span strong strike sub sup table tt u ul var",
);
const FONT_ATTRIBUTES = names("color face size");
/** Elements of SVG and MathML in which there is HTML again. */
const INTEGRATION_POINTS = { svg: names("desc foreignobject title"), mathml: names("mi mn mo ms mtext") };
const HTML_ENCODINGS = names("application/xhtml+xml text/html");
const ENDS_SELECT = names("input keygen select textarea");

/** Whether the attributes of a start tag tell what its element is. */
export function needsAttributes(name: string): boolean {
  return name === "font" || name === "annotation-xml";
}

/** Start tags that are no elements of their own within an integration point, and those of elements without an end tag. */
const NOT_NESTED = new Set([...VOID_ELEMENTS, "body", "head", "html"]);
/** End tags that end SVG and MathML, as the start tags above do. */
const ENDS_FOREIGN_CONTENT_TOO = names("br p");

/** All start tags that need a closer look outside of SVG, MathML, `<select>` and framesets. */
const SPECIAL = new Set([...TEXT_CONTENT.keys(), "frameset", "math", "select", "svg"]);

/** Part of a document in one namespace. */
interface Region {
  readonly namespace: Namespace;
  /** The element that made it HTML again, and the elements that are open in there. */
  readonly point: string;
  readonly open: string[];
  readonly counts: Counts;
}

function makeRegion(namespace: Namespace, point: string): Region {
  return { namespace, point, open: [], counts: new Counts() };
}

export class Context {
  readonly #regions: Region[] = [makeRegion("html", "")];
  /** Where start tags of text may be ignored: how deep in templates within a `<select>`, or in a frameset. */
  #select: number | undefined;
  #inFrameset = false;
  /** None of these holds. */
  #isPlain = true;

  get #region(): Region {
    return this.#regions[this.#regions.length - 1] as Region;
  }

  /**
   * A start tag was read.
   *
   * @param name Its name in lower case.
   * @returns The namespace of its element.
   * @throws TypeError when it is not clear whether it counts.
   */
  startTag(name: string, lexer: Lexer): Namespace {
    if (this.#isPlain && !SPECIAL.has(name)) return "html";
    const namespace = this.#startSpecialTag(name, lexer);
    this.#notice();
    return namespace;
  }

  #startSpecialTag(name: string, lexer: Lexer): Namespace {
    const content = TEXT_CONTENT.get(name);
    this.#checkStartTag(name, content !== undefined);
    if (name === "svg" || name === "math") {
      const namespace = name === "svg" ? "svg" : "mathml";
      if (!lexer.selfClosing) this.#enter(namespace, "", lexer);
      return namespace;
    }
    if (this.#region.namespace !== "html") {
      const namespace = this.#startForeignTag(name, lexer);
      if (namespace !== "html") return namespace;
    } else if (content !== undefined) lexer.expectText(name, content);
    const { point, open, counts } = this.#region;
    if (point !== "" && !NOT_NESTED.has(name)) {
      open.push(name);
      counts.add(name);
    }
    return "html";
  }

  #startForeignTag(name: string, lexer: Lexer): Namespace {
    const { namespace } = this.#region;
    if (ENDS_FOREIGN_CONTENT.has(name) || (name === "font" && this.#hasAttribute(lexer, FONT_ATTRIBUTES))) {
      this.#leaveForeign(lexer);
      return "html";
    }
    if (lexer.selfClosing || namespace === "html") return namespace;
    const isPoint =
      INTEGRATION_POINTS[namespace].has(name) ||
      (namespace === "mathml" && name === "annotation-xml" && this.#hasHtmlEncoding(lexer));
    if (isPoint) this.#enter("html", name, lexer);
    return namespace;
  }

  /** An end tag was read. */
  endTag(name: string, lexer: Lexer): void {
    if (this.#isPlain) return;
    this.#endSpecialTag(name, lexer);
    this.#notice();
  }

  #notice(): void {
    this.#isPlain = this.#regions.length === 1 && this.#select === undefined && !this.#inFrameset;
  }

  #endSpecialTag(name: string, lexer: Lexer): void {
    if (this.#select !== undefined) {
      if (this.#select === 0 && name === "select") this.#select = undefined;
      else if (this.#select > 0 && name === "template") this.#select--;
    }
    const { namespace, point, open, counts } = this.#region;
    if (namespace !== "html") {
      if (ENDS_FOREIGN_CONTENT_TOO.has(name)) this.#leaveForeign(lexer);
      else if (name === (namespace === "svg" ? "svg" : "math")) this.#leave(lexer);
      return;
    }
    if (!counts.has(name)) {
      if (name === point && open.length === 0) this.#leave(lexer);
      return;
    }
    for (const ended of open.splice(open.lastIndexOf(name))) counts.remove(ended);
  }

  #enter(namespace: Namespace, point: string, lexer: Lexer): void {
    this.#regions.push(makeRegion(namespace, point));
    lexer.allowsCdata = namespace !== "html";
  }

  #leave(lexer: Lexer): void {
    this.#regions.pop();
    lexer.allowsCdata = this.#region.namespace !== "html";
  }

  #leaveForeign(lexer: Lexer): void {
    while (this.#region.namespace !== "html") this.#leave(lexer);
  }

  #hasAttribute(lexer: Lexer, wanted: ReadonlySet<string>): boolean {
    return lexer.attributes().some(({ name }) => wanted.has(lowerAscii(name)));
  }

  #hasHtmlEncoding(lexer: Lexer): boolean {
    return lexer
      .attributes()
      .some(({ name, value }) => lowerAscii(name) === "encoding" && HTML_ENCODINGS.has(lowerAscii(value)));
  }

  #checkStartTag(name: string, isText: boolean): void {
    if (this.#inFrameset) {
      if (name !== "noframes" && isText) throw ambiguous(name);
    } else if (this.#select === undefined) {
      if (name === "select") this.#select = 0;
      else if (name === "frameset") this.#inFrameset = true;
    } else if (name === "template") this.#select++;
    else if (this.#select > 0) {
      if (isText) throw ambiguous(name);
    } else if (ENDS_SELECT.has(name)) this.#select = undefined;
    else if (name !== "script" && isText) throw ambiguous(name);
  }
}

function ambiguous(name: string): TypeError {
  return parserError(
    `The parser has encountered a text content tag (\`<${name}>\`) in the context where it is ambiguous whether this tag ` +
      "should be ignored or not. And, thus, it is unclear whether consequent content should be parsed as raw text or HTML " +
      "markup.\n\nThis error occurs due to the limited capabilities of the streaming parsing. However, almost all of the cases " +
      "of this error are caused by a non-conforming markup (e.g. a `<script>` element in `<select>` element).",
  );
}
