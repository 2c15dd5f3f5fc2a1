/**
 * `DurableObjectStorage`: what `ctx.storage` is.
 *
 * An operation is over when its method returns; the promise only carries the result. There is one object in an
 * isolate, so the class holds nothing.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { currentSection, exposeInterface, startAsync } from "../web";
import { illegalConstructor, wrongField, wrongParameter } from "../web/interface";
import * as alarms from "./alarms";
import { readOptions, writesUnconfirmed } from "./arguments";
import * as kv from "./kv";
import { deleted, makeSql, type SqlStorage } from "./sql";
import { makeSyncKv, type SyncKvStorage } from "./sync_kv";
import { type DurableObjectTransaction, inTransaction, runTransaction, runTransactionSync } from "./transaction";

const OWNER = "DurableObjectStorage";
const MAKER = Symbol("storage");
/** Read, and without effect. */
const TRANSACTION_OPTIONS = {
  asOfTime: (time: unknown) => alarms.toMilliseconds(time, () => wrongField("asOfTime", "TransactionOptions", "date")),
  lowPriority: Boolean,
};

export class DurableObjectStorage {
  kv: SyncKvStorage;
  sql: SqlStorage;

  constructor(maker: symbol) {
    if (maker !== MAKER) throw illegalConstructor();
    this.kv = makeSyncKv();
    this.sql = makeSql();
  }

  get(key: unknown, options?: unknown): Promise<unknown> {
    try {
      return Promise.resolve(kv.get(OWNER, key, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  list(options?: unknown): Promise<Map<string, unknown>> {
    try {
      return Promise.resolve(kv.list(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  put(key: unknown, value?: unknown, options?: unknown): Promise<void> {
    try {
      return Promise.resolve(kv.put(OWNER, key, value, options));
    } catch (error) {
      return kv.putAfterAll(OWNER, key, value, options, error);
    }
  }

  delete(key: unknown, options?: unknown): Promise<boolean | number> {
    return kv.removal(OWNER, key, options);
  }

  deleteAll(options?: unknown): Promise<void> {
    try {
      writesUnconfirmed(options, "deleteAll", OWNER, 1); // read, and without effect
      if (inTransaction()) throw new Error("Cannot call deleteAll() within a transaction");
      native.op(OP.kv_delete_all, []);
      kv.written();
      deleted();
      return Promise.resolve();
    } catch (error) {
      return kv.rejected(error);
    }
  }

  getAlarm(options?: unknown): Promise<number | null> {
    try {
      return Promise.resolve(alarms.get(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  setAlarm(time?: unknown, options?: unknown): Promise<void> {
    try {
      return Promise.resolve(alarms.set(OWNER, time, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  deleteAlarm(options?: unknown): Promise<void> {
    try {
      return Promise.resolve(alarms.remove(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  transaction<T>(
    closure: (transaction: DurableObjectTransaction) => T | PromiseLike<T>,
    options?: unknown,
  ): Promise<T> {
    try {
      if (typeof closure !== "function") throw wrongParameter("transaction", OWNER, 1, "function");
      readOptions(options, TRANSACTION_OPTIONS, "transaction", OWNER, 2, "TransactionOptions");
    } catch (error) {
      return Promise.reject(error);
    }
    return runTransaction(closure);
  }

  transactionSync<T>(closure: () => T): T {
    if (typeof closure !== "function") throw wrongParameter("transactionSync", OWNER, 1, "function");
    return runTransactionSync(closure);
  }

  getCurrentBookmark(): Promise<string> {
    try {
      return Promise.resolve(native.op(OP.bookmark_current, []));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  getBookmarkForTime(time?: unknown): Promise<string> {
    try {
      const at = alarms.toMilliseconds(time, () => wrongParameter("getBookmarkForTime", OWNER, 1, "date"));
      return Promise.resolve(native.op(OP.bookmark_at, [at]));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  onNextSessionRestoreBookmark(bookmark?: unknown): Promise<string> {
    if (arguments.length === 0)
      return Promise.reject(wrongParameter("onNextSessionRestoreBookmark", OWNER, 1, "string"));
    try {
      return Promise.resolve(native.op(OP.bookmark_restore, [`${bookmark as string}`.toWellFormed()]));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  sync(): Promise<void> {
    return startAsync(
      (operation) => {
        native.op(OP.sync, [operation, currentSection()]);
      },
      () => undefined,
    );
  }
}

exposeInterface(OWNER, DurableObjectStorage);

/** The storage of the isolate's object. */
export function makeStorage(): DurableObjectStorage {
  return new DurableObjectStorage(MAKER);
}
