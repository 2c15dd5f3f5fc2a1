/** `SyncKvStorage`: what `ctx.storage.kv` is; keys and values without promises. */

import { exposeInterface } from "../web";
import { illegalConstructor, illegalInvocation, isObject, wrongParameter } from "../web/interface";
import { iteratorClass } from "../web/iterators";
import * as kv from "./kv";

const OWNER = "SyncKvStorage";
const MAKER = Symbol("kv");

const makeIterator = iteratorClass<"next", [string, unknown]>("ListIterator", "next");

/** Throw unless a method was called on a store and with enough arguments. */
let check: (receiver: unknown, method: string, given: number, wanted: number) => void;

export class SyncKvStorage {
  readonly #made = true;

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
  }

  get(key: unknown): unknown {
    check(this, "get", arguments.length, 1);
    return kv.getOne(key);
  }

  list(options?: unknown): IterableIterator<[string, unknown]> {
    check(this, "list", 1, 1);
    return makeIterator(new kv.Listing(OWNER, options));
  }

  put(key: unknown, value: unknown): void {
    check(this, "put", arguments.length, 2);
    kv.putOne(key, value);
  }

  delete(key: unknown): boolean {
    check(this, "delete", arguments.length, 1);
    return kv.removeOne(key);
  }

  static {
    check = (receiver, method, given, wanted) => {
      if (!isObject(receiver) || !(#made in receiver)) throw illegalInvocation();
      if (given < wanted) throw wrongParameter(method, OWNER, given + 1, given === 0 ? "string" : "Value");
    };
  }
}

exposeInterface(OWNER, SyncKvStorage);

/** The synchronous store of the isolate's object. */
export function makeSyncKv(): SyncKvStorage {
  return new SyncKvStorage(MAKER);
}
