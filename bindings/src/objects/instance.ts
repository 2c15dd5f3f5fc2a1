/** The object of an isolate: its construction, and the events that reach its methods. */

import { isolate } from "../isolate";
import { native } from "../native";
import { OP } from "../protocol";
import type { Lookup } from "../rpc/paths";
import { describeError, type Request, serializeThrown } from "../web";
import { answerFetch, fail, noFetchHandler } from "./answers";
import { env, loopback } from "./env";
import type { FacetId } from "./facets";
import { makeId } from "./ids";
import { type Constructor, exportNamed } from "./exports";
import { makeState } from "./state";
import { DurableObject } from "./workers";

/** Methods that have events of their own are not called over RPC. */
export const RESERVED: ReadonlySet<string> = new Set([
  "fetch",
  "connect",
  "alarm",
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
  "dup",
  "constructor",
]);

const DECLARED: Lookup = { reserved: RESERVED, byClass: true };

const NO_RPC =
  "The receiving Durable Object does not support RPC, because its class was not declared with " +
  "`extends DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, " +
  'which can be imported from the module "cloudflare:workers".';

interface Instance {
  fetch?: unknown;
}


/** Whether this isolate has an object; otherwise it runs the Worker. */
export function hasInstance(): boolean {
  return isolate.instance !== undefined;
}

/** The object, for the events of its sockets. */
export function instanceIfAny(): object | undefined {
  return isolate.instance;
}

/** Event `construct`. */
export function construct(className: string, hex: string, name: string | null): void {
  isolate.ownId = hex;
  instantiate(className, makeId(hex, name ?? undefined), {});
}

/** Event `construct_facet`. */
export function constructFacet(
  className: string,
  isText: boolean,
  id: string,
  name: string | null,
  depth: number,
  props: ArrayBuffer,
): void {
  isolate.ownId = id;
  isolate.depth = depth;
  instantiate(className, isText ? id : makeId(id, name ?? undefined), native.deserialize(props) as Record<string, unknown>);
}

function instantiate(className: string, id: FacetId, props: Record<string, unknown>): void {
  try {
    const state = makeState(id, loopback, props);
    isolate.instance = new (exportNamed(className) as Constructor)(state, env);
  } catch (error) {
    native.op(OP.construct_failed, [describeError(error)], serializeThrown(error));
    return;
  }
  native.op(OP.constructed, []);
}

/** Event `fetch`, for the object. */
export function fetchInstance(number: number, request: Request): void {
  const object = isolate.instance as Instance;
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

/** The id of the object, as text. */
export function objectId(): string {
  return isolate.ownId;
}

/** Where a call of the object begins: only what its class declares can be called. */
export function instanceRoot(): { target: object; lookup: Lookup } {
  const { instance } = isolate;
  if (!(instance instanceof DurableObject)) throw new TypeError(NO_RPC);
  return { target: instance, lookup: DECLARED };
}
