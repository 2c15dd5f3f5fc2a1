/**
 * What the body of a request or response holds, in whichever form it came.
 *
 * In memory it is text or bytes. A body of the host's is a stream handle, which goes out again untouched when nobody
 * read it here. Only a body that somebody wants as a stream, or made of one, costs a stream object.
 */

import { native } from "../native";
import { type AbortSignal, whenAborted } from "./abort";
import { guestStream } from "./guest_streams";
import { dropHostStream, hostStream, nextChunk } from "./host_streams";
import { currentInvocation, type Invocation, type Owned } from "./invocations";
import { ByteReader, isDisturbed, lengthOf, ReadableStream } from "./streams";
import { asDecoded, utf8Bytes } from "./text";

/** How a body travels, or what a response has instead of one: `body` in `protocol.py`. */
export const KIND = { none: 0, raw: 1, host: 2, guest: 3, ownSocket: 4, givenSocket: 5, coded: 6, codedStream: 7 } as const;

/** A body on its way to the host. */
export interface Outgoing {
  readonly kind: number;
  readonly handle: number;
  readonly raw: string | Uint8Array | undefined;
}

const NOTHING: Outgoing = { kind: KIND.none, handle: 0, raw: undefined };

/** Contents of the streams that were made of them: a stream given to another body carries its content along. */
const contents = new WeakMap<ReadableStream, Content>();

/** Handles nobody will read any more. */
const collected = new FinalizationRegistry<number>((handle) => {
  dropHostStream(handle, "The body was not read.");
});

/** What an event of a Worker was sent and has not read to its end, which ends with it. */
class Unread implements Owned {
  constructor(
    readonly handle: number,
    readonly invocation: Invocation,
  ) {
    invocation.own(this);
  }

  invocationEnded(): void {
    dropHostStream(this.handle, "The event that it belonged to is over.");
  }
}

const unread = new WeakMap<Content, Unread>();

/** The handle is the content's from now on. */
function hold(content: Content, handle: number): void {
  collected.register(content, handle, content);
  const invocation = currentInvocation();
  if (invocation !== undefined) unread.set(content, new Unread(handle, invocation));
}

export class Content {
  /** What it holds in memory; undefined when it holds a stream. */
  source: string | Uint8Array<ArrayBuffer> | undefined;
  /** The host's stream; 0 for none. */
  handle = 0;
  stream: ReadableStream | undefined = undefined;
  used = false;

  constructor(source: string | Uint8Array<ArrayBuffer> | undefined) {
    this.source = source;
  }
}

/** The content that a message of the host's describes. */
export function receivedContent(kind: number, handle: number, body: ArrayBuffer | undefined): Content | null {
  if (kind === KIND.none) return null;
  if (kind === KIND.raw) return new Content(body === undefined ? "" : new Uint8Array(body));
  const content = new Content(undefined);
  content.handle = handle;
  hold(content, handle);
  return content;
}

/** What ends the reading of a host's stream early; few have such. */
interface Watch {
  readonly signal: AbortSignal;
  /** Stops listening to the signal. */
  readonly stop: () => void;
}

const watches = new WeakMap<Content, Watch>();

/** Have a signal end the reading of what the host sends. */
export function watch(content: Content, signal: AbortSignal): void {
  const { handle } = content;
  const stop = whenAborted(signal, () => {
    dropHostStream(handle, "The request was aborted.");
  });
  watches.set(content, { signal, stop });
}

/** Nobody will read it. */
export function discard(content: Content): void {
  if (content.handle === 0) return;
  release(content);
  dropHostStream(content.handle, "The body is not needed.");
}

/** The content of a stream given as a body. */
export function contentOfStream(stream: ReadableStream): Content {
  if (isDisturbed(stream))
    throw new TypeError(
      "This ReadableStream is disturbed (has already been read from), and cannot be used as a body.",
    );
  if (stream.locked) throw new TypeError("This ReadableStream is locked to a reader, and cannot be used as a body.");
  let content = contents.get(stream);
  if (content === undefined) {
    content = new Content(undefined);
    content.stream = stream;
  }
  return content;
}

/** Whether it has been read, at least in part. */
export function isUsed(content: Content): boolean {
  return content.used || (content.stream !== undefined && isDisturbed(content.stream));
}

/** The stream of a content; made when it is first asked for. */
export function streamOf(content: Content): ReadableStream {
  if (content.stream !== undefined) return content.stream;
  const stream = content.handle === 0 ? memoryStream(content) : hostStream(content.handle, watches.get(content)?.signal, () => release(content));
  contents.set(stream, content);
  content.stream = stream;
  // What was read before there was a stream has left nothing for it, and holds it.
  if (content.used) new ByteReader(stream).cancel(undefined);
  return stream;
}

/** A copy of the content, which can be read by itself. @throws TypeError when it has been read. */
export function cloneContent(content: Content): Content {
  if (isUsed(content) || content.stream?.locked)
    throw new TypeError("This ReadableStream is currently locked to a reader.");
  const clone = new Content(content.source);
  if (content.source === undefined) {
    const [mine, theirs] = streamOf(content).tee();
    release(content);
    content.handle = 0;
    content.stream = mine;
    clone.stream = theirs;
  }
  return clone;
}

/** Take what is left unread into a new content; the old one is used. @throws TypeError when it has been read. */
export function moveContent(content: Content): Content {
  take(content);
  const moved = new Content(content.source);
  const { handle, stream } = content;
  if (handle !== 0) {
    release(content);
    moved.handle = handle;
    hold(moved, handle);
  } else if (content.source === undefined) moved.stream = stream;
  return moved;
}

/** Give the content to the host. @throws TypeError when it has been read. */
export function handOver(content: Content | null): Outgoing {
  if (content === null) return NOTHING;
  take(content);
  const { source, handle, stream } = content;
  if (source !== undefined) return { kind: KIND.raw, handle: 0, raw: source };
  if (handle !== 0) {
    release(content);
    return { kind: KIND.host, handle, raw: undefined };
  }
  return { kind: KIND.guest, handle: guestStream(stream as ReadableStream), raw: undefined };
}

/** How many bytes a content will have, when only its stream knows. */
export function lengthOfContent(content: Content): number | undefined {
  return content.stream === undefined ? undefined : lengthOf(content.stream);
}

/** Read it all as text. */
export function readText(content: Content | null): Promise<string> {
  try {
    if (content === null) return Promise.resolve("");
    take(content);
    const { source } = content;
    return source === undefined ? readAll(content).then(decode) : Promise.resolve(decode(source));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Read it all as bytes that belong to the caller. */
export function readBytes(content: Content | null): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (content === null) return Promise.resolve(new Uint8Array());
    take(content);
    const { source } = content;
    if (source === undefined) return readAll(content);
    return Promise.resolve(typeof source === "string" ? utf8Bytes(source) : source.slice());
  } catch (error) {
    return Promise.reject(error);
  }
}

function decode(source: string | Uint8Array): string {
  return typeof source === "string" ? asDecoded(source) : native.utf8Decode(source, false, false);
}

/** Mark it as read. */
function take(content: Content): void {
  if (isUsed(content))
    throw new TypeError(
      "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.",
    );
  const { stream } = content;
  if (stream?.locked) throw new TypeError("This ReadableStream is currently locked to a reader.");
  content.used = true;
  // Nobody may read the stream beside us. One that is still to be read is locked by its reader.
  if (stream !== undefined && (content.source !== undefined || content.handle !== 0)) stream.getReader();
}

/** The handle is somebody else's from now on. */
function release(content: Content): void {
  collected.unregister(content);
  const held = unread.get(content);
  held?.invocation.disown(held);
  watches.get(content)?.stop();
}

async function readAll(content: Content): Promise<Uint8Array<ArrayBuffer>> {
  const { handle, stream } = content;
  const signal = handle === 0 ? undefined : watches.get(content)?.signal;
  const reader = handle === 0 ? new ByteReader(stream as ReadableStream) : undefined;
  const next = () => (reader === undefined ? nextChunk(handle, signal) : reader.next());
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
    chunks.push(chunk);
    length += chunk.byteLength;
  }
  if (handle !== 0) release(content);
  if (chunks.length === 1) return (chunks[0] as Uint8Array<ArrayBuffer>).slice();
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function memoryStream(content: Content): ReadableStream {
  /** What is left for a reader that brings its own views, once there is one. */
  let rest: Uint8Array<ArrayBuffer> | undefined;
  return new ReadableStream(
    {
      type: "bytes",
      pull(controller) {
        const source = content.source as string | Uint8Array<ArrayBuffer>;
        const view = controller.byobRequest?.view as Uint8Array | null | undefined;
        rest ??= typeof source === "string" ? utf8Bytes(source) : source;
        if (view) {
          // No more than fits: of a stream with something in its queue that is to be closed, the last part could not be read into a
          // view that is to be filled further.
          const part = rest.subarray(0, view.byteLength);
          rest = rest.subarray(part.byteLength);
          new Uint8Array(view.buffer, view.byteOffset).set(part);
          if (part.byteLength > 0) controller.byobRequest?.respond(part.byteLength);
        } else if (rest.byteLength > 0) {
          // The stream takes the buffer, and the source may be another body's, too.
          controller.enqueue(typeof source === "string" ? rest : rest.slice());
          rest = undefined;
        }
        if (rest !== undefined && rest.byteLength > 0) return;
        controller.close();
        controller.byobRequest?.respond(0);
      },
    },
    { highWaterMark: 0 },
  );
}
