/**
 * Critical sections, the guest's end: `blockConcurrencyWhile` and what transactions stand on.
 *
 * `begin` only asks: the section's work starts with a `section_start` event of its own, after the current turn, when
 * the host's input gate has shut everything else out. Work that the section starts carries its number in the async
 * context, by which the host knows whose events it may let in.
 *
 * A section ends with `end`. Sections end innermost first: one whose work is done while a section that it began is
 * still open ends together with that one.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { currentSection, describeError, serializeThrown, withSection } from "../web";
import { runInContext } from "../web/scope";

/** A section that waits or is open. */
export class Section {
  /** What is left to do when it ends; set once its work is done. */
  finish: (() => void) | undefined;

  constructor(
    readonly number: number,
    readonly isTransaction: boolean,
    /** The context in which it was asked for; its own is derived from it. */
    readonly context: unknown,
    readonly start: (section: Section) => void,
  ) {}
}

const waiting = new Map<number, Section>();
/** Open sections, innermost last. */
const open: Section[] = [];
let last = 0;

/** Ask for a critical section; `start` is called when it is open. */
export function begin(isTransaction: boolean, start: (section: Section) => void): void {
  const section = new Section(++last, isTransaction, native.getContext(), start);
  waiting.set(section.number, section);
  native.op(OP.section_begin, [section.number, currentSection(), isTransaction]);
}

/** Event `section_start`. */
export function started(number: number): void {
  const section = waiting.get(number);
  if (section === undefined) return;
  waiting.delete(number);
  open.push(section);
  runInContext(withSection(section.context, number), () => {
    section.start(section);
  });
}

/** A section's work is done; `finish` runs when no section inside it is open any more. */
export function end(section: Section, finish: () => void): void {
  section.finish = finish;
  for (let innermost = open.at(-1); innermost?.finish !== undefined; innermost = open.at(-1)) {
    open.pop();
    innermost.finish();
  }
}

/** Whether an open section is a transaction, rolled back or not. */
export function hasTransaction(): boolean {
  return open.some((section) => section.isTransaction);
}

/** Call a function of the user and hear of its result, whether it comes at once, later, or as an exception. */
export function settle<T>(
  call: () => T | PromiseLike<T>,
  succeeded: (value: T) => void,
  failed: (error: unknown) => void,
): void {
  let result: T | PromiseLike<T>;
  try {
    result = call();
  } catch (error) {
    failed(error);
    return;
  }
  Promise.resolve(result).then(succeeded, failed);
}

/**
 * `ctx.blockConcurrencyWhile`. When the callback fails the host resets the object, so the returned promise then
 * never settles: nothing may run after the failure as if it had been dealt with.
 */
export function blockConcurrencyWhile<T>(callback: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => {
    begin(false, (section) => {
      settle(
        callback,
        (value) =>
          end(section, () => {
            native.op(OP.section_end, [section.number, null]);
            resolve(value);
          }),
        (error) =>
          end(section, () => {
            native.op(OP.section_end, [section.number, describeError(error)], serializeThrown(error));
          }),
      );
    });
  });
}
