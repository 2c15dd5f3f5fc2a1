/** Streams of the host's, read here: the body of a large request, or of another object's response. */

import { native } from "../native";
import { OP } from "../protocol";
import type { AbortSignal } from "./abort";
import { startAsync } from "./operations";
import { currentSection } from "./scope";
import { ReadableStream } from "./streams";

/** The next chunk of a host stream; undefined at its end. Rejects when the signal aborts. */
export function nextChunk(handle: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return startAsync(
    (operation) => {
      native.op(OP.stream_read, [operation, currentSection(), handle]);
    },
    readChunk,
    signal,
  );
}

function readChunk(atEnd: boolean, body: ArrayBuffer | undefined): Uint8Array<ArrayBuffer> | undefined {
  return atEnd || body === undefined ? undefined : new Uint8Array(body);
}

/** Nobody will read the rest. */
export function dropHostStream(handle: number, reason: unknown): void {
  native.op(OP.stream_drop, [handle, reason === undefined ? "" : String(reason)]);
}

/**
 * The stream object of a host stream.
 *
 * @param signal Fails it when it aborts.
 * @param over Called when the host stream is at its end or was dropped.
 */
export function hostStream(
  handle: number,
  signal: AbortSignal | undefined,
  over: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      type: "bytes",
      async pull(controller) {
        const chunk = await nextChunk(handle, signal);
        if (chunk !== undefined) {
          controller.enqueue(chunk);
          return;
        }
        over();
        controller.close();
        controller.byobRequest?.respond(0);
      },
      cancel(reason) {
        over();
        dropHostStream(handle, reason);
      },
    },
    { highWaterMark: 0 },
  );
}
