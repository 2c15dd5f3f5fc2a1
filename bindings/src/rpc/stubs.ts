/**
 * Stubs of functions and objects in other isolates, and the promises and properties that calls through them give.
 *
 *     RpcStub       what was lent, or `new RpcStub(target)`
 *     RpcProperty   a name below a stub or promise: called it calls, awaited it reads
 *     RpcPromise    the result of a call; a property of it is pipelined: followed when the result is there, with arguments
 *                   that were copied when the call was made
 *
 * All three can be called and have any property: they are proxies. What one stands for is in a table that only this
 * module sees.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { currentSection, DOMException, exposeInterface, startAsync } from "../web";
import { illegalConstructor, isObject, wrongConstructorParameter } from "../web/interface";
import { currentInvocation, foreign, type Owned } from "../web/invocations";
import { ownHandler } from "../web/proxies";
import { disposeTarget, lendTarget } from "./exports";
import { decode, encode, giveBack, LENT, type Message } from "./lending";
import { follow, isIndex, notCallable, type Place } from "./paths";
import { RpcTarget } from "./target";

const STUB_CALL = OP.stub_call;

/** Names below a stub, at most. */
const MAX_PATH = 64;

/** What can be called: a path of names from it, with arguments, or without to read what is there. */
export interface Callee {
  call(path: readonly string[], args: Message | undefined): Promise<unknown>;
}

/** What was lent, by the host's handle, until the last stub for it has been disposed of. */
class Lent implements Callee, Addressee {
  holders = 0;

  constructor(readonly handle: number) {}

  call(path: readonly string[], args: Message | undefined): Promise<unknown> {
    return callHost(this, path, args);
  }

  address(): Address {
    return knownAddress(LENT.handle, this.handle);
  }

  accepted(): void {}
}

/** A result that is not there yet. */
class Pipeline implements Callee {
  constructor(readonly result: Promise<unknown>) {}

  async call(path: readonly string[], args: Message | undefined): Promise<unknown> {
    return followResult(await this.result, path, args);
  }
}

/** Follow a path from a received value: through plain data here, from the first stub on in its isolate. */
function followResult(result: unknown, path: readonly string[], args: Message | undefined): unknown {
  let place: Place;
  try {
    place = follow(result, path);
    if (!("callee" in place) && args !== undefined) throw notCallable(path);
  } catch (error) {
    // It is found out here instead of where the result came from.
    throw Object.assign(error as TypeError, { remote: true });
  }
  return "callee" in place ? place.callee.call(place.rest, args) : place.value;
}

/** What an op names that goes to something in another isolate; see `protocol.py`. */
export type Address = readonly [
  kind: number,
  number: number,
  namespace: number | null,
  hex: string | null,
  name: string | null,
  gone: number,
];

/** Whatever an op can be sent to. */
export interface Addressee {
  address(): Address;
  /** The op was accepted, and with it what the address declares. */
  accepted(by: Address): void;
}

/** An address of what the host knows. */
export function knownAddress(kind: number, number: number): Address {
  return [kind, number, null, null, null, 0];
}

/** Call what the host knows; resolves with the decoded result. */
export function callHost(
  to: Addressee,
  path: readonly string[],
  args: Message | undefined,
): Promise<unknown> {
  return startAsync((operation) => {
    const lent = args === undefined ? [] : args.lent;
    const at = to.address();
    try {
      native.op(
        STUB_CALL,
        [operation, currentSection(), at, path, args !== undefined, lent],
        args?.bytes,
      );
    } catch (error) {
      args?.dropped();
      throw error;
    }
    to.accepted(at);
    args?.sent();
  }, readResult);
}

function readResult(lent: number[], body: ArrayBuffer | undefined): unknown {
  if (body === undefined) return undefined;
  const owned: object[] = [];
  const result = decode(body, lent, owned);
  // A stub disposes of itself; a plain object does so of the stubs in it.
  if (typeof result === "object" && result !== null && !states.has(result))
    Object.defineProperty(result, Symbol.dispose, {
      value: () => {
        for (const stub of owned) disposeOf(stub);
      },
      writable: true,
      configurable: true,
    });
  return result;
}

/** A result that nobody waits for any more gives back what it was lent. */
readResult.discard = giveBack;

/** One stub's hold on what was lent. */
class Hold implements Owned {
  #lent: Lent | undefined;
  readonly #invocation = currentInvocation();
  #hasEnded = false;

  constructor(lent: Lent) {
    this.#lent = lent;
    lent.holders++;
    this.#invocation?.own(this);
  }

  callee(): Lent {
    if (this.#invocation !== undefined) {
      const current = currentInvocation();
      if (this.#hasEnded || (current !== undefined && current !== this.#invocation)) throw foreign();
    }
    if (this.#lent === undefined) throw new Error("RPC stub used after being disposed.");
    return this.#lent;
  }

  dispose(): void {
    const lent = this.#lent;
    if (lent === undefined) return;
    this.#lent = undefined;
    this.#invocation?.disown(this);
    if (--lent.holders === 0) native.op(OP.release, [lent.handle]);
  }

  invocationEnded(): void {
    this.#hasEnded = true;
    this.dispose();
  }
}

/** A name below a stub or a promise. */
class Property {
  constructor(
    readonly callee: () => Callee,
    readonly path: readonly string[],
  ) {}
}

const FULFILLED = 1;

/** A call under way, and its result. */
class Call {
  #disposed = false;

  constructor(readonly promise: Promise<unknown>) {}

  callee(): Callee {
    if (this.#disposed) throw new Error("RPC promise used after being disposed.");
    return new Pipeline(this.promise);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (native.promiseState(this.promise) === FULFILLED) disposeOf(native.promiseResult(this.promise));
    else this.promise.then(disposeOf, () => {});
  }
}

type State = Hold | Property | Call;

/** What each proxy stands for: found by the proxy, and by its target, which is what traps are given. */
const states = new WeakMap<object, State>();

/**
 * Holds of stubs that were collected without having been disposed of. Watched is a proxy's target, which the properties of a
 * stub keep alive as well.
 */
const collected = new FinalizationRegistry<Hold>((hold) => {
  hold.dispose();
});

/** What a stub leads to; undefined when the value is no stub. @throws Error when it was disposed of. */
export function calleeOf(value: object): Callee | undefined {
  const state = states.get(value);
  return state instanceof Hold ? state.callee() : undefined;
}

/** The handle that a stub stands for; undefined when the value is none. @throws for promises, properties and disposed stubs. */
export function handleOf(value: object): number | undefined {
  const state = states.get(value);
  if (state === undefined) return undefined;
  if (state instanceof Hold) return state.callee().handle;
  throw uncloneable(state instanceof Call ? "RpcPromise" : "RpcProperty");
}

/** Dispose of a stub, a promise, or an object that has a disposer. */
export function disposeOf(value: unknown): void {
  if (!isObject(value)) return;
  const state = states.get(value);
  if (state === undefined) disposeTarget(value);
  else if (!(state instanceof Property)) state.dispose();
}

/** Start a call; whatever fails is the promise's failure. */
function start(callee: () => Callee, path: readonly string[], args: readonly unknown[] | undefined): Promise<unknown> {
  try {
    if (path.length > MAX_PATH) throw new TypeError(`RPC pipelined property path is too deep (max ${MAX_PATH}).`);
    return callee().call(path, args === undefined ? undefined : encode(args));
  } catch (error) {
    return Promise.reject(error);
  }
}

function proxyOf<S extends State>(state: S, constructor: { prototype: object }, handler: ProxyHandler<() => void>): object {
  const target = (): void => {};
  Object.setPrototypeOf(target, constructor.prototype);
  const proxy = new Proxy(target, handler);
  if (state instanceof Hold) collected.register(target, state);
  states.set(target, state);
  states.set(proxy, state);
  return proxy;
}

/** Nothing of a proxy can be changed. */
const FIXED: ProxyHandler<() => void> = {
  set: () => false,
  defineProperty: () => false,
  deleteProperty: () => false,
  setPrototypeOf: () => false,
};

/** Whether a property is none of what the proxy stands for: a symbol, the index of an array, what its class has. */
function isLocal(name: string | symbol, prototype: object): name is symbol {
  return typeof name === "symbol" || isIndex(name) || name in prototype;
}

function holdOf(target: object): Hold {
  return states.get(target) as Hold;
}

const STUB = ownHandler<() => void>({
  ...FIXED,
  get(target, name) {
    const hold = holdOf(target);
    if (name === Symbol.dispose) return () => hold.dispose();
    if (name === "dup") return () => makeStub(hold.callee());
    // A stub must not look like a promise, or it could not be returned from an async function.
    if (name === "then") return undefined;
    if (isLocal(name, RpcStub.prototype)) return Reflect.get(target, name);
    return makeProperty(() => holdOf(target).callee(), [name]);
  },
  apply(target, _receiver, args) {
    return makePromise(start(() => holdOf(target).callee(), [], args));
  },
});

const PROPERTY = ownHandler<() => void>({
  ...FIXED,
  get(target, name) {
    const { callee, path } = states.get(target) as Property;
    if (name === "then" || name === "catch" || name === "finally") return settling(() => start(callee, path, undefined), name);
    if (isLocal(name, RpcProperty.prototype)) return Reflect.get(target, name);
    return makeProperty(callee, [...path, name]);
  },
  apply(target, _receiver, args) {
    const { callee, path } = states.get(target) as Property;
    return makePromise(start(callee, path, args));
  },
});

const PROMISE = ownHandler<() => void>({
  ...FIXED,
  get(target, name) {
    const call = states.get(target) as Call;
    if (name === "then" || name === "catch" || name === "finally") return settling(() => call.promise, name);
    if (name === Symbol.dispose) return () => call.dispose();
    if (isLocal(name, RpcPromise.prototype)) return Reflect.get(target, name);
    return makeProperty(() => call.callee(), [name]);
  },
  apply(target, _receiver, args) {
    const call = states.get(target) as Call;
    return makePromise(start(() => call.callee(), [], args));
  },
});

/** `then`, `catch` or `finally`: a property is only read when one of them is called. */
function settling(promise: () => Promise<unknown>, name: "then" | "catch" | "finally"): (...args: unknown[]) => unknown {
  const method = Promise.prototype[name] as (...args: unknown[]) => unknown;
  return (...args) => Reflect.apply(method, promise(), args);
}

function makeStub(lent: Lent): object {
  return proxyOf(new Hold(lent), RpcStub, STUB);
}

/** A stub for something that was lent. */
export function stubOfHandle(handle: number): object {
  return makeStub(new Lent(handle));
}

/** A property of something that can be called. */
export function makeProperty(callee: () => Callee, path: readonly string[]): object {
  return proxyOf(new Property(callee, path), RpcProperty, PROPERTY);
}

function makePromise(promise: Promise<unknown>): object {
  return proxyOf(new Call(promise), RpcPromise, PROMISE);
}

function uncloneable(type: string): DOMException {
  return new DOMException(
    `Could not serialize object of type "${type}". This type does not support serialization.`,
    "DataCloneError",
  );
}

export class RpcStub {
  /** A stub of this isolate's own: its calls go by the host all the same, so that values are copied. */
  constructor(target: unknown) {
    if (!isObject(target)) throw wrongConstructorParameter("JsRpcStub", 1, "Object");
    if (!isStubbable(target))
      throw new TypeError("RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.");
    return stubOfHandle(native.op(OP.lend_self, [lendTarget(target)]) as number) as RpcStub;
  }
}

function isStubbable(value: object): boolean {
  return typeof value === "function" || value instanceof RpcTarget || Object.getPrototypeOf(value) === Object.prototype;
}

export class RpcPromise {
  constructor() {
    throw illegalConstructor();
  }
}

export class RpcProperty {
  constructor() {
    throw illegalConstructor();
  }
}

/** The names of the classes, and those by which their instances are known. */
for (const [name, constructor] of Object.entries({ RpcStub, RpcPromise, RpcProperty })) {
  exposeInterface(name, constructor);
  Object.defineProperty(constructor.prototype, Symbol.toStringTag, { value: `JsRpc${name.slice(3)}`, configurable: true });
}
