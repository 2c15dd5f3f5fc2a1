/** Streams of the guest's that the host reads: streamed responses, and requests to other objects. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError } from "./errors";
import { ByteReader, type ReadableStream } from "./streams";

const streams = new Map<number, ByteReader>();
let last = 0;

/** Lend a stream to the host; returns the id by which it pulls. */
export function guestStream(stream: ReadableStream): number {
  const id = ++last;
  streams.set(id, new ByteReader(stream));
  return id;
}

/** Event `stream_pull`: answered by exactly one of three ops. */
export async function pullStream(id: number): Promise<void> {
  const reader = streams.get(id);
  if (reader === undefined) {
    native.op(OP.stream_end, [id]);
    return;
  }
  try {
    let chunk = await reader.next();
    // An empty chunk would be the end.
    while (chunk?.byteLength === 0) chunk = await reader.next();
    if (!streams.has(id)) return; // cancelled meanwhile
    if (chunk !== undefined) {
      native.op(OP.stream_write, [id], chunk);
      return;
    }
    streams.delete(id);
    native.op(OP.stream_end, [id]);
  } catch (error) {
    if (streams.delete(id)) native.op(OP.stream_error, [id, describeError(error)]);
  }
}

/** Event `stream_cancel`. */
export function cancelStream(id: number, reason: string): void {
  const reader = streams.get(id);
  if (reader === undefined) return;
  streams.delete(id);
  reader.cancel(reason);
}
