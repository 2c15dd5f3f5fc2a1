/** Streams of the guest's that the host reads: streamed responses, and requests to other objects. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "./errors";
import { currentInvocation, type Invocation, type Owned } from "./invocations";
import { runInContext } from "./scope";
import { ByteReader, type ReadableStream } from "./streams";

/** A stream that is lent to the host. */
class Lent implements Owned {
  readonly #reader: ByteReader;
  /** Where it was lent: what its source waits for belongs to the critical section there. */
  readonly #context = native.getContext();
  readonly #invocation = currentInvocation();
  #keeps: Invocation | undefined = undefined;
  /** Whoever reads an answer may say why they do not read on; of other streams the platform only tells that they are lost. */
  #isAnswer = false;
  /** Why nothing more comes of it. */
  #failure: Error | undefined = undefined;

  constructor(stream: ReadableStream) {
    this.#reader = new ByteReader(stream, true);
  }

  /** The next chunk; undefined at the end. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return runInContext(this.#context, () => this.#reader.next());
  }

  cancel(reason: string): void {
    const lost = Object.assign(new Error("Network connection lost."), { retryable: true });
    this.#reader.cancel(this.#isAnswer ? reason : lost);
  }

  /** It is the body of an answer, and its invocation goes on until it is over. */
  beAnswer(invocation: Invocation | undefined): void {
    this.#isAnswer = true;
    this.belong(invocation);
  }

  /** It ends with its invocation, or that goes on until it is over. */
  belong(keeps: Invocation | undefined): void {
    this.#keeps = keeps;
    keeps?.begin();
    if (keeps !== this.#invocation) this.#invocation?.own(this);
  }

  over(): void {
    this.#invocation?.disown(this);
    this.#keeps?.end();
  }

  invocationEnded(): void {
    this.#failure = new Error("The event that this stream belonged to is over.");
    this.cancel("");
  }
}

const streams = new Map<number, Lent>();
let last = 0;

/** Lend a stream to the host; returns the id by which it pulls. */
export function guestStream(stream: ReadableStream): number {
  const id = ++last;
  streams.set(id, new Lent(stream));
  return id;
}

/**
 * Whose a lent stream is.
 *
 * @param keeps Goes on until the stream is over; without it the stream ends with the invocation that it is of.
 */
export function whenStreamOver(id: number, keeps: Invocation | undefined): void {
  streams.get(id)?.belong(keeps);
}

/** It is the body of an answer; see `whenStreamOver`. */
export function answerWithStream(id: number, invocation: Invocation | undefined): void {
  streams.get(id)?.beAnswer(invocation);
}

function forget(id: number): boolean {
  const stream = streams.get(id);
  if (stream === undefined) return false;
  streams.delete(id);
  stream.over();
  return true;
}

/** Event `stream_pull`: answered by exactly one of three ops. */
export async function pullStream(id: number): Promise<void> {
  const stream = streams.get(id);
  if (stream === undefined) {
    native.op(OP.stream_end, [id]);
    return;
  }
  try {
    let chunk = await stream.next();
    // An empty chunk would be the end.
    while (chunk?.byteLength === 0) chunk = await stream.next();
    if (!streams.has(id)) return; // cancelled meanwhile
    if (chunk !== undefined) {
      native.op(OP.stream_write, [id], chunk);
      return;
    }
    forget(id);
    native.op(OP.stream_end, [id]);
  } catch (error) {
    if (forget(id)) native.op(OP.stream_error, [id, describeError(error)]);
  }
}

/** Event `stream_cancel`. */
export function cancelStream(id: number, reason: string): void {
  const stream = streams.get(id);
  if (stream === undefined) return;
  forget(id);
  stream.cancel(reason);
}
