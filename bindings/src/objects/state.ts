/** `DurableObjectState`: the `ctx` of an object. */

import { native } from "../native";
import { OP } from "../protocol";
import { exposeInterface } from "../web";
import { illegalConstructor, wrongParameter } from "../web/interface";
import { optionsOf } from "./arguments";
import { watch } from "./background";
import * as hibernation from "./hibernation";
import { type DurableObjectFacets, type FacetId, facets } from "./facets";
import { blockConcurrencyWhile } from "./sections";
import { type DurableObjectStorage, makeStorage } from "./storage";

const OWNER = "DurableObjectState";
const MAKER = Symbol("state");

export class DurableObjectState {
  readonly id: FacetId;
  readonly storage: DurableObjectStorage;
  readonly props: Record<string, unknown>;
  readonly exports: Record<string, unknown>;
  readonly facets: DurableObjectFacets;

  constructor(maker: symbol, id: FacetId, exports: Record<string, unknown>, props: Record<string, unknown>) {
    if (maker !== MAKER) throw illegalConstructor();
    this.id = id;
    this.facets = facets;
    this.props = props;
    this.storage = makeStorage();
    this.exports = exports;
  }

  waitUntil(promise: unknown): void {
    if (arguments.length === 0) throw wrongParameter("waitUntil", OWNER, 1, "Promise");
    watch(promise);
  }

  blockConcurrencyWhile<T>(callback: () => T | PromiseLike<T>): Promise<T> {
    if (typeof callback !== "function")
      return Promise.reject(wrongParameter("blockConcurrencyWhile", OWNER, 1, "function"));
    return blockConcurrencyWhile(callback);
  }

  acceptWebSocket(socket: unknown, tags?: unknown): void {
    hibernation.acceptWebSocket(socket, tags);
  }

  getWebSockets(tag?: unknown): unknown[] {
    return hibernation.getWebSockets(tag);
  }

  getTags(socket: unknown): string[] {
    return hibernation.getTags(socket);
  }

  setWebSocketAutoResponse(pair?: unknown): void {
    hibernation.setWebSocketAutoResponse(pair);
  }

  getWebSocketAutoResponse(): unknown {
    return hibernation.getWebSocketAutoResponse();
  }

  getWebSocketAutoResponseTimestamp(socket: unknown): Date | null {
    return hibernation.getWebSocketAutoResponseTimestamp(socket);
  }

  setHibernatableWebSocketEventTimeout(milliseconds?: unknown): void {
    hibernation.setHibernatableWebSocketEventTimeout(milliseconds);
  }

  getHibernatableWebSocketEventTimeout(): number | null {
    return hibernation.getHibernatableWebSocketEventTimeout();
  }

  /** Ends the isolate: nothing after the call runs. */
  abort(reason?: unknown, options?: unknown): void {
    const text = reason === undefined ? "" : `${reason as string}`.toWellFormed();
    const { retryAlarm } = optionsOf<{ retryAlarm: unknown }>(options, "abort", OWNER, 2, "AbortOptions");
    native.op(OP.abort, [text, retryAlarm === undefined || Boolean(retryAlarm)]);
  }
}

exposeInterface(OWNER, DurableObjectState);

/** The state that the object's constructor is given. */
export function makeState(
  id: FacetId,
  exports: Record<string, unknown>,
  props: Record<string, unknown>,
): DurableObjectState {
  return new DurableObjectState(MAKER, id, exports, props);
}
