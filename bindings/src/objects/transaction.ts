/**
 * Transactions: savepoints inside the implicit transaction that the host opens with the first write.
 *
 * An asynchronous transaction is a critical section with a savepoint, so nothing but its own work runs meanwhile and
 * operations on `ctx.storage` are part of it. Transactions nest; they end innermost first.
 */

import { native } from "../native";
import { OP } from "../protocol";
import { exposeInterface } from "../web";
import { illegalConstructor } from "../web/interface";
import * as alarms from "./alarms";
import * as kv from "./kv";
import { begin, end, hasTransaction, type Section, settle } from "./sections";

const OWNER = "DurableObjectTransaction";
const MAKER = Symbol("transaction");
/** How often the closure of an outermost transaction runs when the storage fails for a reason that may pass. */
const MAX_RUNS = 3;

/** Depths of the savepoints that are open, innermost last. */
const savepoints: number[] = [];

/** Whether any transaction is open, of either kind. */
export function inTransaction(): boolean {
  return savepoints.length > 0 || hasTransaction();
}

function openSavepoint(section: number): number {
  const depth = native.op(OP.savepoint, [section]) as number;
  savepoints.push(depth);
  return depth;
}

function releaseSavepoint(depth: number): void {
  native.op(OP.savepoint_release, [depth]);
  savepoints.pop();
}

function undoSavepoint(depth: number): void {
  savepoints.pop();
  kv.written();
  native.op(OP.savepoint_rollback, [depth]);
}

enum Phase {
  /** The closure runs. */
  Open,
  /** What it wrote stays, as far as the surrounding transaction lets it. */
  Committed,
  /** What it wrote is undone, by `rollback()` or because the closure failed. */
  RolledBack,
}

/** Ends a transaction from outside of user code. */
let conclude: (transaction: DurableObjectTransaction, keep: boolean) => void;

export class DurableObjectTransaction {
  readonly #depth: number;
  #phase = Phase.Open;

  static {
    conclude = (transaction, keep) => {
      if (transaction.#phase !== Phase.Open) return;
      if (keep) releaseSavepoint(transaction.#depth);
      transaction.#phase = keep ? Phase.Committed : Phase.RolledBack;
      if (!keep) undoSavepoint(transaction.#depth);
    };
  }

  constructor(maker: symbol, depth: number) {
    if (maker !== MAKER) throw illegalConstructor();
    this.#depth = depth;
  }

  get(key: unknown, options?: unknown): Promise<unknown> {
    try {
      this.#check("get");
      return Promise.resolve(kv.get(OWNER, key, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  list(options?: unknown): Promise<Map<string, unknown>> {
    try {
      this.#check("list");
      return Promise.resolve(kv.list(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  put(key: unknown, value?: unknown, options?: unknown): Promise<void> {
    try {
      this.#check("put");
      return Promise.resolve(kv.put(OWNER, key, value, options));
    } catch (error) {
      return kv.putAfterAll(OWNER, key, value, options, error);
    }
  }

  delete(key: unknown, options?: unknown): Promise<boolean | number> {
    this.#check("delete");
    return kv.removal(OWNER, key, options);
  }

  getAlarm(options?: unknown): Promise<number | null> {
    try {
      this.#check("getAlarm");
      return Promise.resolve(alarms.get(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  setAlarm(time?: unknown, options?: unknown): Promise<void> {
    try {
      this.#check("setAlarm");
      return Promise.resolve(alarms.set(OWNER, time, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  deleteAlarm(options?: unknown): Promise<void> {
    try {
      this.#check("deleteAlarm");
      return Promise.resolve(alarms.remove(OWNER, options));
    } catch (error) {
      return kv.rejected(error);
    }
  }

  deleteAll(): never {
    throw new Error("Cannot call deleteAll() within a transaction");
  }

  rollback(): void {
    if (this.#phase === Phase.RolledBack) return;
    this.#check("rollback");
    if (savepoints.at(-1) !== this.#depth)
      throw new Error("Cannot roll back an outer transaction while a nested transaction is still running.");
    conclude(this, false);
  }

  #check(method: string): void {
    if (this.#phase === Phase.RolledBack) throw new Error(`Cannot ${method}() on rolled back transaction`);
    if (this.#phase === Phase.Committed)
      throw new Error(
        `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`,
      );
  }
}

exposeInterface(OWNER, DurableObjectTransaction);

type Closure<T> = (transaction: DurableObjectTransaction) => T | PromiseLike<T>;

/** `storage.transaction`. */
export function runTransaction<T>(closure: Closure<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    begin(true, (section) => {
      attempt(section, closure, MAX_RUNS, resolve, reject);
    });
  });
}

function attempt<T>(
  section: Section,
  closure: Closure<T>,
  runs: number,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): void {
  let transaction: DurableObjectTransaction | undefined;
  settle(
    () => {
      transaction = new DurableObjectTransaction(MAKER, openSavepoint(section.number));
      return closure(transaction);
    },
    (value) => {
      end(section, () => {
        try {
          if (transaction !== undefined) conclude(transaction, true);
        } catch (error) {
          fail(error);
          return;
        }
        native.op(OP.section_end, [section.number, null]);
        resolve(value);
      });
    },
    (error) => {
      // Only the outermost closure runs again: what it read may have changed, not just what this one did.
      const again = runs > 1 && savepoints.length <= 1 && kv.isTransient(error);
      if (again && undo(transaction)) attempt(section, closure, runs - 1, resolve, reject);
      else
        end(section, () => {
          fail(error);
        });
    },
  );

  function fail(error: unknown): void {
    undo(transaction);
    native.op(OP.section_end, [section.number, null]);
    reject(error);
  }
}

/** Roll back; false when not even that works: the storage is broken and says so itself. */
function undo(transaction: DurableObjectTransaction | undefined): boolean {
  try {
    if (transaction !== undefined) conclude(transaction, false);
    return true;
  } catch {
    return false;
  }
}

/** `storage.transactionSync`. */
export function runTransactionSync<T>(closure: () => T): T {
  const depth = openSavepoint(0);
  let value: T;
  try {
    value = closure();
  } catch (error) {
    undoSavepoint(depth);
    throw error;
  }
  releaseSavepoint(depth);
  return value;
}
