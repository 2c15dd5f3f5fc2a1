/** `DurableObjectNamespace`: what `env.NAME` is for a class of objects. The host does the arithmetic on ids. */

import { native } from "../native";
import { OP } from "../protocol";
import { exposeInterface } from "../web";
import { illegalConstructor, isObject, wrongParameter } from "../web/interface";
import { ownHandler } from "../web/proxies";
import { optionsOf } from "./arguments";
import { type DurableObjectId, isId, makeId, makeNamedId } from "./ids";
import { type DurableObject, makeStub } from "./stub";

const OWNER = "DurableObjectNamespace";
const MAKER = Symbol("namespace");

interface GetOptions {
  locationHint: unknown;
  routingMode: unknown;
}

function refuseJurisdiction(jurisdiction: unknown): void {
  if (jurisdiction !== undefined && jurisdiction !== null)
    throw new Error("Jurisdiction restrictions are not implemented in durabox.");
}

/** Options are checked and otherwise ignored: there is only one place where an object can be. */
function checkGetOptions(options: unknown, method: string): void {
  if (options === undefined) return;
  const { locationHint, routingMode } = optionsOf<GetOptions>(options, method, OWNER, 2, "GetDurableObjectOptions");
  if (locationHint !== undefined) `${locationHint as string}`;
  if (routingMode !== undefined && `${routingMode as string}` !== "primary-only")
    throw new RangeError(`unknown routingMode: ${routingMode as string}`);
}

export class DurableObjectNamespace {
  readonly #index: number;

  constructor(maker: symbol, index: number) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#index = index;
  }

  newUniqueId(options?: unknown): DurableObjectId {
    const { jurisdiction } = optionsOf<{ jurisdiction: unknown }>(
      options,
      "newUniqueId",
      OWNER,
      1,
      "NewUniqueIdOptions",
    );
    refuseJurisdiction(jurisdiction);
    return makeId(native.op(OP.id_new, [this.#index]), undefined);
  }

  idFromName(name: string): DurableObjectId {
    if (arguments.length === 0) throw wrongParameter("idFromName", OWNER, 1, "string");
    return makeNamedId(this.#index, `${name}`);
  }

  idFromString(hex: string): DurableObjectId {
    if (arguments.length === 0) throw wrongParameter("idFromString", OWNER, 1, "string");
    return makeId(native.op(OP.id_from_string, [this.#index, `${hex}`.toWellFormed()]), undefined);
  }

  get(id: DurableObjectId, options?: unknown): DurableObject {
    if (!isId(id)) throw wrongParameter("get", OWNER, 1, "DurableObjectId");
    checkGetOptions(options, "get");
    return makeStub(this.#index, id);
  }

  getByName(name: string, options?: unknown): DurableObject {
    if (arguments.length === 0) throw wrongParameter("getByName", OWNER, 1, "string");
    checkGetOptions(options, "getByName");
    return makeStub(this.#index, this.idFromName(name));
  }

  jurisdiction(jurisdiction?: unknown): DurableObjectNamespace {
    refuseJurisdiction(jurisdiction);
    return new DurableObjectNamespace(MAKER, this.#index);
  }
}

exposeInterface(OWNER, DurableObjectNamespace);

/** A class of objects without a namespace. */
export class DurableObjectClass {
  constructor(
    maker: symbol,
    readonly className: string,
    readonly props: unknown,
  ) {
    if (maker !== MAKER) throw illegalConstructor();
    Object.defineProperties(this, { className: { enumerable: false }, props: { enumerable: false } });
  }
}
exposeInterface("DurableObjectClass", DurableObjectClass);

/** What `ctx.exports` has for a class of objects without a namespace; instances are proxies, for they can be called. */
class LoopbackDurableObjectClass extends DurableObjectClass {}
exposeInterface("LoopbackDurableObjectClass", LoopbackDurableObjectClass);

/** The class that each of these proxies stands for. */
const loopbackClasses = new WeakMap<object, DurableObjectClass>();

function callable(own: DurableObjectClass, handler: ProxyHandler<() => void>): object {
  const whole = ownHandler<() => void>({
    apply: (_target, _receiver, [options]: [{ props?: unknown }?]) =>
      new DurableObjectClass(MAKER, own.className, options?.props ?? {}),
    ...handler,
  });
  const proxy = new Proxy((): void => {}, whole);
  loopbackClasses.set(proxy, own);
  return proxy;
}

/** The class of objects that a value stands for, with their props; undefined when it is none. */
export function classOf(value: unknown): DurableObjectClass | undefined {
  return isObject(value) ? (loopbackClasses.get(value) ?? describeClass(value)) : undefined;
}

/** The same for what may be sent to other isolates: what `ctx.exports` has stays where it is. */
export function describeClass(value: object): DurableObjectClass | undefined {
  return value instanceof DurableObjectClass && !loopbackClasses.has(value) ? value : undefined;
}

/** A class that another isolate sent. */
export function makeClass(className: string, props: unknown): DurableObjectClass {
  return new DurableObjectClass(MAKER, className, props);
}

/** The class, which called gives the class with other props. */
export function makeLoopbackClass(className: string): object {
  return callable(new LoopbackDurableObjectClass(MAKER, className, {}), {
    get: (_target, property) => Reflect.get(LoopbackDurableObjectClass.prototype, property),
    getPrototypeOf: () => LoopbackDurableObjectClass.prototype,
  });
}

/** What `ctx.exports` has for a class of objects; instances are proxies, for they can be called. */
class LoopbackDurableObjectNamespace extends DurableObjectNamespace {}
exposeInterface("LoopbackDurableObjectNamespace", LoopbackDurableObjectNamespace);

/** The namespace of a class, which called gives the class with other props. */
export function makeLoopbackNamespace(className: string, index: number): object {
  const namespace = new LoopbackDurableObjectNamespace(MAKER, index);
  return callable(new DurableObjectClass(MAKER, className, {}), {
    get(_target, property) {
      const value: unknown = Reflect.get(namespace, property);
      return typeof value === "function" && property !== "constructor" ? value.bind(namespace) : value;
    },
    getPrototypeOf: () => LoopbackDurableObjectNamespace.prototype,
  });
}

/** The namespace with that number in the host's table. */
export function makeNamespace(index: number): DurableObjectNamespace {
  return new DurableObjectNamespace(MAKER, index);
}
