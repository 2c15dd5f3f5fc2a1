/**
 * What this isolate has lent: a row of a table for each time, until the host says that nobody holds it any more. Then its disposer runs,
 * once. In a Worker a row ends with the event that it belongs to, if not before.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { currentInvocation, type Invocation, type Owned } from "../web/invocations";
import { runInContext } from "../web/scope";
import { reportUncaught } from "../web/uncaught";

const table = new Map<number, Export>();
let last = 0;

/** A row of the table: something that was lent once. */
export class Export implements Owned {
  readonly number = ++last;
  readonly invocation = currentInvocation();
  readonly #context = this.invocation === undefined ? undefined : native.getContext();
  #keeps: Invocation | undefined = undefined;

  constructor(readonly target: object) {}

  /** It is lent from now on. */
  enter(keeps: Invocation | undefined): void {
    table.set(this.number, this);
    this.#keeps = keeps;
    keeps?.begin();
    if (keeps !== this.invocation) this.invocation?.own(this);
  }

  /** Nobody holds it any more. */
  released(): void {
    table.delete(this.number);
    this.invocation?.disown(this);
    this.dispose();
    this.#keeps?.end();
  }

  /** The platform calls no disposer when the context that something lives in has ended. */
  invocationEnded(): void {
    table.delete(this.number);
    native.op(OP.revoke, [this.number]);
  }

  /** Call the disposer, where it was lent. */
  dispose(): void {
    try {
      if (this.invocation === undefined) disposeTarget(this.target);
      else runInContext(this.#context, () => disposeTarget(this.target));
    } catch (error) {
      reportUncaught(error);
    }
  }
}

/** Lend something right now; the number by which it is known. */
export function lendTarget(target: object): number {
  const row = new Export(target);
  row.enter(undefined);
  return row.number;
}

/** What is lent under a number. @throws Error when it is not, or not any more. */
export function exported(number: number): object {
  const found = table.get(number);
  if (found === undefined) throw new Error("The execution context which hosts this callback is no longer running.");
  return found.target;
}

/** What something belongs to that is lent under a number; undefined in objects. */
export function invocationOfExport(number: number): Invocation | undefined {
  return table.get(number)?.invocation;
}

/** Event `released`: nobody holds it. */
export function released(number: number): void {
  table.get(number)?.released();
}

/** Call a target's disposer, if it has one. */
export function disposeTarget(target: object): void {
  const dispose: unknown = (target as { [Symbol.dispose]?: unknown })[Symbol.dispose];
  if (typeof dispose === "function") Reflect.apply(dispose, target, []);
}
