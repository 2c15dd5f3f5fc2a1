/**
 * What one event of a Worker holds and has lent, until the event is over.
 *
 * A Worker's isolate handles many events and outlives them all. What belongs to one of them ends with it: stubs that it was given or
 * made are let go of, and what it has lent cannot be called any more. An event is over when its handler has answered, the body of the
 * answer has been read, what was given to `waitUntil` has settled, its WebSocket is closed, and nobody holds what its result lent.
 *
 * Objects have no such end: what they hold is theirs until they let go of it, or leave memory.
 */

import { isolate } from "../isolate";
import { native } from "../native";

/** What ends with an invocation. */
export interface Owned {
  invocationEnded(): void;
}

export class Invocation {
  /** What still keeps it going; first of all its handler. */
  #underWay = 1;
  #owned: Set<Owned> | undefined = undefined;
  #ended = false;

  /** @param isCall Whether it is an RPC call, which goes on as long as somebody holds what its results lent. */
  constructor(readonly isCall: boolean) {}

  /** Something more keeps it going, until its own `end`. */
  begin(): void {
    this.#underWay++;
  }

  /** One thing less keeps it going. */
  end(): void {
    if (--this.#underWay > 0 || this.#ended) return;
    this.#ended = true;
    const owned = this.#owned;
    this.#owned = undefined;
    if (owned !== undefined) for (const thing of owned) thing.invocationEnded();
  }

  /** Something ends with it; at once if it is over. */
  own(thing: Owned): void {
    if (this.#ended) thing.invocationEnded();
    else (this.#owned ??= new Set()).add(thing);
  }

  /** That has ended by itself. */
  disown(thing: Owned): void {
    this.#owned?.delete(thing);
  }
}

/** What using something of another event throws, in the platform's words. */
export function foreign(): Error {
  return new Error(
    "Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) " +
      "created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation " +
      "of Cloudflare Workers which allows us to improve overall performance. (I/O type: Client)",
  );
}

/** The invocation that the running code belongs to; none in objects. */
export function currentInvocation(): Invocation | undefined {
  return isolate.instance === undefined
    ? (native.getContext() as { readonly invocation?: Invocation } | undefined)?.invocation
    : undefined;
}
