/** `WritableStream`s that are lent: the end that stays here. The one that writes is in objects/lending.ts. */

import type { WritableStream } from "../web/streams";
import { RpcTarget } from "./target";

/** The end of a lent `WritableStream` that stays here: what arrives is written, one call after the other. */
export class Sink extends RpcTarget {
  readonly #writer: WritableStreamDefaultWriter;
  #isClosed = false;

  /** @throws TypeError when somebody else writes to it. */
  constructor(stream: WritableStream) {
    super();
    if (stream.locked) throw new TypeError("This WritableStream is currently locked to a writer.");
    this.#writer = stream.getWriter();
  }

  write(chunk: unknown): Promise<void> {
    return this.#writer.write(chunk);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#writer.close();
  }

  /** Whoever wrote has given up, or is gone; which of these, and why, is not told on the platform. */
  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#writer.abort(Object.assign(new Error(ENDED), { retryable: true })).catch(() => {});
  }
}

const ENDED = "WritableStream received over RPC was disconnected because the remote execution context has ended.";
