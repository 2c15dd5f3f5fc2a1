/** The object of an isolate: its construction, and the events that reach its methods. */

import { native } from "../native";
import { OP } from "../protocol";
import { describeError, type Request } from "../web";
import { answerFetch, fail, noFetchHandler } from "./answers";
import { env, loopback } from "./env";
import { makeId } from "./ids";
import { type Constructor, exportNamed } from "./exports";
import { makeState } from "./state";
import { DurableObject } from "./workers";

/** Methods that have events of their own. */
const RESERVED = new Set([
  "fetch",
  "connect",
  "alarm",
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
  "dup",
  "constructor",
]);

const NO_RPC =
  "The receiving Durable Object does not support RPC, because its class was not declared with " +
  "`extends DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, " +
  'which can be imported from the module "cloudflare:workers".';

interface Instance {
  fetch?: unknown;
}

let instance: Instance | undefined;
let ownId = "";

/** Whether this isolate has an object; otherwise it runs the Worker. */
export function hasInstance(): boolean {
  return instance !== undefined;
}

/** Event `construct`. */
export function construct(className: string, hex: string, name: string | null): void {
  ownId = hex;
  try {
    const state = makeState(makeId(hex, name ?? undefined), loopback);
    instance = new (exportNamed(className) as Constructor)(state, env);
  } catch (error) {
    native.op(OP.construct_failed, [describeError(error)]);
    return;
  }
  native.op(OP.constructed, []);
}

/** Event `fetch`, for the object. */
export function fetchInstance(number: number, request: Request): void {
  const object = instance as Instance;
  let result: unknown;
  try {
    if (typeof object.fetch !== "function") throw noFetchHandler();
    result = object.fetch(request);
  } catch (error) {
    fail(number, error);
    return;
  }
  void answerFetch(number, result);
}

/** Event `call`: a method of the class, called through a stub. */
export async function call(number: number, method: string, args: ArrayBuffer): Promise<void> {
  try {
    const callee = findMethod(method);
    const result: unknown = await callee.apply(instance, native.deserialize(args) as unknown[]);
    native.opValue(OP.returned, [number], result);
  } catch (error) {
    const described = describeError(error);
    described[3].durableObjectId = ownId;
    native.op(OP.fail, [number, described]);
  }
}

/** Only what the class declares can be called: nothing that the instance itself or `Object` holds. */
function findMethod(name: string): (...args: unknown[]) => unknown {
  if (!(instance instanceof DurableObject)) throw new TypeError(NO_RPC);
  if (RESERVED.has(name)) throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  for (
    let link: object | null = Object.getPrototypeOf(instance);
    link !== null && link !== Object.prototype;
    link = Object.getPrototypeOf(link)
  ) {
    if (!Object.hasOwn(link, name)) continue;
    const method: unknown = Reflect.get(link, name, instance);
    if (typeof method !== "function") throw new TypeError(`"${name}" is not a function.`);
    return method as (...args: unknown[]) => unknown;
  }
  throw new TypeError(`The RPC receiver does not implement the method "${name}".`);
}
