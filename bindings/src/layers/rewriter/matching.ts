/** Which handlers an element is for, told from its start tag and those of the elements that are open. */

import type { Charset } from "./charset";
import { type Namespace, parserError, VOID_ELEMENTS } from "./context";
import { type Lexer, lowerAscii, type RawAttribute } from "./lexer";
import type { AtEndTag } from "./states";
import type { AttributeTest, Compound, Condition, Selector } from "./selectors";

/** What an open element counts for in workerd's limit on the memory of a rewriter. */
const BYTES_OF_ELEMENT = 200;
const SPACE = /[\t\n\f\r ]+/;

/** What of a selector has to match next, and where: the handlers of the whole when it is the last. */
interface Step {
  readonly compound: Compound;
  readonly next: Step | undefined;
  /** The element that `next` matches is a child of this one, and not any descendant. */
  readonly toChild: boolean;
  readonly handlers: number;
}

/** What is kept of an open element. */
export interface OpenElement {
  readonly name: string;
  /** Indices of the handlers that its contents are for, each once. */
  readonly matched: readonly number[];
  /** Steps for its children, and for all its descendants. */
  readonly forChildren: readonly Step[];
  readonly forDescendants: readonly Step[];
  children: number;
  readonly childrenByType: Map<string, number> | undefined;
  /** What its handlers want done at its end tag. */
  atEnd: AtEndTag | undefined;
  removesContent: boolean;
}

const NOTHING: readonly never[] = [];

/** A start tag. Its names and attributes have a character for each byte. */
class Tag {
  #attributes: RawAttribute[] | undefined;

  constructor(
    readonly lexer: Lexer,
    readonly name: string,
    readonly parent: OpenElement,
  ) {}

  attribute(name: string): string | undefined {
    this.#attributes ??= this.lexer.attributes();
    return this.#attributes.find((attribute) => lowerAscii(attribute.name) === name)?.value;
  }
}

export class OpenElements {
  readonly #open: OpenElement[];
  /** First steps of all selectors: by the name that the element must have, and others. */
  readonly #firstByName = new Map<string, Step[]>();
  readonly #firstOfAny: Step[] = [];
  readonly #countsTypes: boolean;

  /** @param selectors Those of each handlers object, by its index. */
  constructor(selectors: readonly (readonly Selector[])[], charset: Charset) {
    const all = selectors.flat(2).map(({ compound }) => compound);
    this.#countsTypes = all.some(needsTypes);
    this.#open = [this.#openElement("", NOTHING, NOTHING, NOTHING)];
    selectors.forEach((list, handlers) => {
      for (const selector of list) this.#addFirst(compile(selector, handlers, charset));
    });
  }

  /** How much of the rewriter's memory the open elements take, in bytes. */
  get memory(): number {
    return (this.#open.length - 1) * BYTES_OF_ELEMENT;
  }

  /**
   * A start tag was read.
   *
   * @param name Its name in lower case.
   * @param namespace That of its element.
   * @returns Whether the element has contents, and the indices of the handlers that it is for.
   */
  enter(name: string, namespace: Namespace, lexer: Lexer): { element: OpenElement | undefined; matched: readonly number[] } {
    const parent = this.#open[this.#open.length - 1] as OpenElement;
    parent.children++;
    parent.childrenByType?.set(name, (parent.childrenByType.get(name) ?? 0) + 1);
    const tag = new Tag(lexer, name, parent);
    const matched: number[] = [];
    const forChildren: Step[] = [];
    const forDescendants: Step[] = [];
    for (const steps of [this.#firstByName.get(name) ?? NOTHING, this.#firstOfAny, parent.forChildren, parent.forDescendants])
      for (const step of steps) {
        if (!holds(step.compound, tag)) continue;
        if (step.next === undefined) {
          if (!matched.includes(step.handlers)) matched.push(step.handlers);
          continue;
        }
        const heirs = step.toChild ? forChildren : forDescendants;
        if (!heirs.includes(step.next) && !(heirs === forDescendants && parent.forDescendants.includes(step.next)))
          heirs.push(step.next);
      }
    matched.sort((a, b) => a - b);
    if (namespace === "html" ? VOID_ELEMENTS.has(name) : lexer.selfClosing) return { element: undefined, matched };
    const inherited = parent.forDescendants;
    const element = this.#openElement(
      name,
      matched,
      forChildren,
      forDescendants.length === 0 ? inherited : [...inherited, ...forDescendants],
    );
    this.#open.push(element);
    return { element, matched };
  }

  /** An end tag was read: the elements that it ends, the outermost first; those within the last of its name end with it. */
  leave(name: string): readonly OpenElement[] {
    for (let at = this.#open.length - 1; at > 0; at--)
      if ((this.#open[at] as OpenElement).name === name) return this.#open.splice(at);
    return NOTHING;
  }

  #openElement(
    name: string,
    matched: readonly number[],
    forChildren: readonly Step[],
    forDescendants: readonly Step[],
  ): OpenElement {
    const childrenByType = this.#countsTypes ? new Map<string, number>() : undefined;
    return { name, matched, forChildren, forDescendants, children: 0, childrenByType, atEnd: undefined, removesContent: false };
  }

  #addFirst(step: Step): void {
    const type = step.compound.find((condition) => condition.kind === "type");
    if (type === undefined) this.#firstOfAny.push(step);
    else {
      const others = this.#firstByName.get(type.name);
      if (others === undefined) this.#firstByName.set(type.name, [step]);
      else others.push(step);
    }
  }
}

/** Memory that a rewriter may take, as on workerd, for what waits for the end of its lexeme and for open elements. */
const MEMORY = 3 * 1024 * 1024;

/** @throws TypeError when it is too much. */
export function checkMemory(bytes: number): void {
  if (bytes > MEMORY) throw parserError("The memory limit has been exceeded.");
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
    const { compound } = selector[at] as Selector[number];
    next = { compound: compound.map((condition) => inCharset(condition, charset)), next, toChild: selector[at + 1]?.isChild ?? false, handlers };
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
      return value !== undefined && (condition.test === undefined || passes(value, condition.test));
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

function passes(given: string, { operator, value: wanted, ignoresCase }: AttributeTest): boolean {
  const value = ignoresCase ? lowerAscii(given) : given;
  const expected = ignoresCase ? lowerAscii(wanted) : wanted;
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
