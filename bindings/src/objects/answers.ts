/** From what a handler returned or threw to the host's answer. */

import { native } from "../native";
import { OP } from "../protocol";
import { KIND } from "../web/content";
import { answerWithStream } from "../web/guest_streams";
import type { Invocation } from "../web/invocations";
import { describeError, forgetRequest, serializeThrown, Response, readResponse } from "../web";

const RESPOND = OP.respond;

/** What a caller hears whose handler does not exist. */
export function noFetchHandler(): Error {
  return new Error("Handler does not export a fetch() function.");
}

/**
 * A fetch handler's result: a response, or a promise of one.
 *
 * @param invocation Of a Worker: what is over with the answer, once that was read.
 */
export async function answerFetch(request: number, result: unknown, invocation?: Invocation): Promise<void> {
  try {
    respond(request, result instanceof Response ? result : await result, invocation);
  } catch (error) {
    fail(request, error);
  }
  invocation?.end();
}

/** The handler threw, or what it answered was no answer. */
export function fail(request: number, error: unknown): void {
  forgetRequest(request);
  native.op(OP.fail, [request, describeError(error)], serializeThrown(error));
}

function respond(request: number, response: unknown, invocation: Invocation | undefined): void {
  if (!(response instanceof Response))
    throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
  if (response.type === "error")
    throw new TypeError("Return value from serve handler must not be an error response (like Response.error())");
  const { status, statusText, headers, kind, handle, raw } = readResponse(response);
  forgetRequest(request);
  native.op(RESPOND, [request, status, statusText, headers, kind, handle], raw);
  if (kind === KIND.guest || kind === KIND.codedStream) answerWithStream(handle, invocation);
}
