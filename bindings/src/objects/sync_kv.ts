/** `SyncKvStorage`: what `ctx.storage.kv` is; keys and values without promises. */

import { exposeInterface } from "../web";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../web/interface";
import { iteratorClass } from "../web/iterators";
import { text } from "./arguments";
import * as kv from "./kv";

const OWNER = "SyncKvStorage";
const MAKER = Symbol("kv");

const makeIterator = iteratorClass<"next", [string, unknown]>("ListIterator", "next");

/** Throw unless a method was called on a store and with an argument. */
let check: (receiver: unknown, method: string, given: number) => void;

export class SyncKvStorage {
  readonly #made = true;

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  get(key: unknown): unknown {
    check(this, "get", arguments.length);
    return kv.getOne(key);
  }

  list(options?: unknown): IterableIterator<[string, unknown]> {
    check(this, "list", 1);
    return makeIterator(new kv.Listing(OWNER, options));
  }

  put(key: unknown, value: unknown): void {
    check(this, "put", arguments.length);
    const name = text(key);
    if (arguments.length < 2) throw wrongParameter("put", OWNER, 2, "Value");
    kv.putOne(name, value);
  }

  delete(key: unknown): boolean {
    check(this, "delete", arguments.length);
    return kv.removeOne(key);
  }

  static {
    check = (receiver, method, given) => {
      if (!isObject(receiver) || !(#made in receiver)) throw illegalInvocation();
      if (given === 0) throw wrongParameter(method, OWNER, 1, "string");
    };
  }
}

exposeInterface(OWNER, SyncKvStorage);

/** The synchronous store of the isolate's object. */
export function makeSyncKv(): SyncKvStorage {
  return new SyncKvStorage(MAKER);
}
