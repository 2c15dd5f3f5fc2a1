/** Which handlers an element is for, told from its start tag and those of the elements that are open. */

import type { Charset } from "./charset";
import { type Namespace, parserError, VOID_ELEMENTS } from "./context";
import { Counts } from "./counts";
import { type Lexer, lowerAscii, type RawAttribute } from "./lexer";
import type { AttributeTest, Compound, Condition, Selector } from "./selectors";
import type { AtEndTag } from "./states";

/** Open elements that a rewriter may have, as on workerd. */
const MOST_OPEN = 16384;
const SPACE = /[\t\n\f\r ]+/;

/** What of a selector has to match next, and where: the handlers of the whole when it is the last. */
interface Step {
  readonly compound: Compound;
  /** The name that the element must have. */
  readonly type: string | undefined;
  readonly next: Step | undefined;
  /** The element that `next` matches is a child of this one, and not any descendant. */
  readonly toChild: boolean;
  readonly handlers: number;
}

/** What the start tag of an element tells. */
interface Found {
  /** Indices of the handlers that it is for, each once. */
  readonly matched: readonly number[];
  /** Steps for its children, and for all its descendants. */
  readonly forChildren: readonly Step[];
  readonly forDescendants: readonly Step[];
}

/** What is kept of an open element. */
interface OpenElement {
  readonly name: string;
  readonly found: Found;
  children: number;
  readonly childrenByType: Map<string, number> | undefined;
  /** What its handlers want done at its end tag. */
  atEnd: AtEndTag | undefined;
  removesContent: boolean;
}

const NOTHING: readonly never[] = [];
const NOT_FOUND: Found = { matched: NOTHING, forChildren: NOTHING, forDescendants: NOTHING };

/** A start tag. Its names and attributes have a character for each byte. */
class Tag {
  #attributes: RawAttribute[] | undefined;

  constructor(
    readonly lexer: Lexer,
    readonly name: string,
    readonly namespace: Namespace,
    readonly parent: OpenElement,
  ) {}

  attribute(name: string): string | undefined {
    this.#attributes ??= this.lexer.attributes();
    return this.#attributes.find((attribute) => lowerAscii(attribute.name) === name)?.value;
  }
}

export class OpenElements {
  readonly #open: OpenElement[];
  readonly #counts = new Counts();
  /** First steps of all selectors: by the name that the element must have, and others. */
  readonly #firstByName = new Map<string, Step[]>();
  readonly #firstOfAny: Step[] = [];
  readonly #countsTypes: boolean;

  /** @param selectors Those of each handlers object, by its index. */
  constructor(selectors: readonly (readonly Selector[])[], charset: Charset) {
    const all = selectors.flat(2).map(({ compound }) => compound);
    this.#countsTypes = all.some(needsTypes);
    this.#open = [this.#openElement("", NOT_FOUND)];
    selectors.forEach((list, handlers) => {
      for (const selector of list) this.#addFirst(compile(selector, handlers, charset));
    });
  }

  /** Whether a handler may be for an element of that name, were it to begin now. */
  mayMatch(name: string): boolean {
    const { forChildren, forDescendants } = (this.#open[this.#open.length - 1] as OpenElement).found;
    const steps = [...this.#firstOfAny, ...forChildren, ...forDescendants];
    return this.#firstByName.has(name) || steps.some(({ type }) => type === undefined || type === name);
  }

  /**
   * A start tag was read.
   *
   * @param name Its name in lower case.
   * @param namespace That of its element.
   * @returns The element if it has contents, and the indices of the handlers that it is for.
   * @throws TypeError when too many are open.
   */
  enter(name: string, namespace: Namespace, lexer: Lexer): { element: OpenElement | undefined; matched: readonly number[] } {
    const parent = this.#open[this.#open.length - 1] as OpenElement;
    parent.children++;
    parent.childrenByType?.set(name, (parent.childrenByType.get(name) ?? 0) + 1);
    const byName = this.#firstByName.get(name) ?? NOTHING;
    const { forChildren, forDescendants } = parent.found;
    const isEasy = byName.length + this.#firstOfAny.length + forChildren.length + forDescendants.length === 0;
    const found = isEasy ? NOT_FOUND : this.#match(new Tag(lexer, name, namespace, parent), byName);
    const { matched } = found;
    const hasContent = namespace === "html" ? !VOID_ELEMENTS.has(name) : !lexer.selfClosing;
    if (!hasContent) return { element: undefined, matched };
    const element = this.#openElement(name, found);
    if (this.#open.push(element) > MOST_OPEN + 1) throw outOfMemory();
    this.#counts.add(name);
    return { element, matched };
  }

  #match(tag: Tag, byName: readonly Step[]): Found {
    const { forChildren, forDescendants } = tag.parent.found;
    const matched: number[] = [];
    const children: Step[] = [];
    const descendants: Step[] = [];
    for (const steps of [byName, this.#firstOfAny, forChildren, forDescendants])
      for (const step of steps) {
        if (!holds(step.compound, tag)) continue;
        const { next } = step;
        if (next === undefined) {
          if (!matched.includes(step.handlers)) matched.push(step.handlers);
        } else if (step.toChild) {
          if (!children.includes(next)) children.push(next);
        } else if (!descendants.includes(next) && !forDescendants.includes(next)) descendants.push(next);
      }
    if (matched.length > 1) matched.sort((a, b) => a - b);
    return {
      matched,
      forChildren: children,
      forDescendants: descendants.length === 0 ? forDescendants : [...forDescendants, ...descendants],
    };
  }

  /** An end tag was read: the elements that it ends, the outermost first; those within the last of its name end with it. */
  leave(name: string): readonly OpenElement[] {
    if (!this.#counts.has(name)) return NOTHING;
    let at = this.#open.length - 1;
    while ((this.#open[at] as OpenElement).name !== name) at--;
    const left = this.#open.splice(at);
    for (const element of left) this.#counts.remove(element.name);
    return left;
  }

  #openElement(name: string, found: Found): OpenElement {
    const childrenByType = this.#countsTypes ? new Map<string, number>() : undefined;
    return { name, found, children: 0, childrenByType, atEnd: undefined, removesContent: false };
  }

  #addFirst(step: Step): void {
    const { type } = step;
    const others = type === undefined ? this.#firstOfAny : this.#firstByName.get(type);
    if (others === undefined) this.#firstByName.set(type as string, [step]);
    else others.push(step);
  }
}

/** What workerd says when its rewriter has no room. */
export function outOfMemory(): TypeError {
  return parserError("The memory limit has been exceeded.");
}

function needsTypes(compound: Compound): boolean {
  return compound.some(
    (condition) =>
      (condition.kind === "nth" && condition.ofType) || (condition.kind === "not" && needsTypes([condition.condition])),
  );
}

function compile(selector: Selector, handlers: number, charset: Charset): Step {
  let next: Step | undefined;
  for (let at = selector.length - 1; at >= 0; at--) {
    const compound = (selector[at] as Selector[number]).compound.map((condition) => inCharset(condition, charset));
    const type = compound.find((condition) => condition.kind === "type")?.name;
    next = { compound, type, next, toChild: selector[at + 1]?.isChild ?? false, handlers };
  }
  return next as Step;
}

/** The same with a character for each byte that the document has for it. */
function inCharset(condition: Condition, charset: Charset): Condition {
  switch (condition.kind) {
    case "type":
      return { kind: "type", name: charset.bytesAsText(condition.name) };
    case "attribute": {
      const { test } = condition;
      const name = charset.bytesAsText(condition.name);
      return { kind: "attribute", name, test: test && { ...test, value: charset.bytesAsText(test.value) } };
    }
    case "not":
      return { kind: "not", condition: inCharset(condition.condition, charset) };
    default:
      return condition;
  }
}

function holds(compound: Compound, tag: Tag): boolean {
  for (const condition of compound) if (!fulfils(condition, tag)) return false;
  return true;
}

function fulfils(condition: Condition, tag: Tag): boolean {
  switch (condition.kind) {
    case "any":
      return true;
    case "type":
      return tag.name === condition.name;
    case "attribute": {
      const value = tag.attribute(condition.name);
      return value !== undefined && (condition.test === undefined || passes(value, condition.test, tag.namespace));
    }
    case "nth": {
      const { parent } = tag;
      const index = (condition.ofType ? parent.childrenByType?.get(tag.name) : parent.children) ?? 0;
      const distance = index - condition.offset;
      if (condition.step === 0) return distance === 0;
      return distance % condition.step === 0 && distance / condition.step >= 0;
    }
    case "not":
      return !fulfils(condition.condition, tag);
  }
}

function passes(given: string, { operator, value: wanted, ignoresCase }: AttributeTest, namespace: Namespace): boolean {
  const ignores = ignoresCase === "always" || (ignoresCase === "in HTML" && namespace === "html");
  const value = ignores ? lowerAscii(given) : given;
  const expected = ignores ? lowerAscii(wanted) : wanted;
  switch (operator) {
    case "=":
      return value === expected;
    case "~=":
      return expected !== "" && value.split(SPACE).includes(expected);
    case "|=":
      return value === expected || value.startsWith(`${expected}-`);
    case "^=":
      return expected !== "" && value.startsWith(expected);
    case "$=":
      return expected !== "" && value.endsWith(expected);
    case "*=":
      return expected !== "" && value.includes(expected);
  }
}
