/** Event `call`: a method or property of the object, of an entrypoint, or of what this isolate has lent. */

import { native } from "../native";
import { OP } from "../protocol";
import { exported, invocationOfExport } from "../rpc/exports";
import { decode, encode, giveBack } from "../rpc/lending";
import { checkCallable, follow, type Lookup } from "../rpc/paths";
import { disposeOf } from "../rpc/stubs";
import { describeError, DOMException, serializeThrown } from "../web";
import { Invocation } from "../web/invocations";
import { invocationContext, runFrom, runInContext } from "../web/scope";
import { hasInstance, instanceRoot, objectId } from "./instance";
import { plain } from "./plain";
import { type Entry, entrypointRoot } from "./worker";

/** Where the path of a call begins. */
interface Root {
  readonly target: object;
  readonly lookup?: Lookup;
  /** What follows the caller's arguments. */
  readonly more?: readonly unknown[];
}

function rootOf(number: number, entry: Entry): Root {
  if (number !== 0) return { target: exported(number) };
  return hasInstance() ? instanceRoot() : entrypointRoot(entry);
}

/** @param isOwn Whether the error tells which object it came out of, if it is one that can. */
function failCall(request: number, error: unknown, isOwn: boolean): void {
  const described = describeError(error);
  const thrown = serializeThrown(error);
  const canTell = thrown !== undefined && !(error instanceof DOMException) && Object.isExtensible(error);
  if (isOwn && canTell && hasInstance()) described[3].durableObjectId = objectId();
  native.op(OP.fail, [request, described], thrown);
}

/** Event `ask`: the same for Python, with plain data both ways. */
export async function ask(request: number, path: readonly string[], args: readonly unknown[]): Promise<void> {
  try {
    const { target, lookup } = rootOf(0, null);
    const place = follow(target, path, lookup);
    let result: unknown;
    if ("callee" in place) result = place.callee.call(place.rest, encode(args));
    else {
      checkCallable(place.value, path);
      result = Reflect.apply(place.value, place.holder, args);
    }
    native.op(OP.returned, [request, []], native.msgpack(plain(await result)));
  } catch (error) {
    failCall(request, error, true);
  }
}

/** Event `call`. */
export function call(
  request: number,
  entry: Entry,
  number: number,
  path: readonly string[],
  isCall: boolean,
  lent: readonly number[],
  origin: number,
  body: ArrayBuffer | undefined,
): void {
  const invocation = hasInstance() ? undefined : number === 0 ? new Invocation(true) : invocationOfExport(number);
  if (number !== 0) invocation?.begin();
  const run = () => void carryOut(request, entry, number, path, isCall, lent, body, invocation);
  if (invocation === undefined) runFrom(origin, run);
  else runInContext(invocationContext(origin, invocation), run);
}

/** @param invocation Of a Worker: what the call belongs to, and what goes on until it has returned. */
async function carryOut(
  request: number,
  entry: Entry,
  number: number,
  path: readonly string[],
  isCall: boolean,
  lent: readonly number[],
  body: ArrayBuffer | undefined,
  invocation: Invocation | undefined,
): Promise<void> {
  const given: object[] = [];
  let isRead = false;
  /** Whether what fails is code of the object, and not how it was called or what it returned. */
  let isOwn = number !== 0;
  try {
    const { target, lookup, more } = rootOf(number, entry);
    const place = follow(target, path, lookup);
    isRead = true;
    const args = isCall ? (decode(body as ArrayBuffer, lent, given) as unknown[]) : undefined;
    let result: unknown;
    if ("callee" in place) {
      isOwn = true;
      result = place.callee.call(place.rest, args === undefined ? undefined : encode(args));
    } else if (args !== undefined) {
      checkCallable(place.value, path);
      isOwn = true;
      result = Reflect.apply(place.value, place.holder, more === undefined ? args : [...args, ...more]);
    } else result = place.value;
    const value = await result;
    isOwn = false;
    const message = encode(value, true);
    native.op(OP.returned, [request, message.lent], message.bytes);
    // What an entrypoint lends keeps its invocation going.
    message.sent(invocation?.isCall ? invocation : undefined);
    // Stubs in a call's result are the caller's from now on.
    if (isCall) for (const stub of message.stubs) disposeOf(stub);
  } catch (error) {
    if (!isRead) giveBack(lent);
    failCall(request, error, isOwn);
  } finally {
    // Stubs among the arguments live as long as the call; who wants them longer has made a duplicate.
    for (const stub of given) disposeOf(stub);
    invocation?.end();
  }
}
